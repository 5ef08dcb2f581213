"""Amounts of money: `$1,737.5` is 1737.50, and so is `1737.5000000000002`."""

import re
from typing import Any, Final

from jobferry.exact_json import kind
from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.rounding import without_noise
from jobferry.jobs.warnings import quoted

#: Possessive spaces (`*+`) keep the time linear.
_AMOUNT: Final = re.compile(
    r"(?:USD|US\$|\$)?\s*+(-?)\s*+\$?\s*+([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})?(?:\.([0-9]*))?\s*+(?:USD)?"
)
#: A text of more characters is not an amount.
_MAX_LENGTH: Final = 200


def correct_amount(field: FieldCorrection, value: Any) -> str:
    """Return the amount as the board writes it: a text with two decimal places."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CannotCorrectError(f"is {kind(value)}, an amount is needed, such as 737.00")
    text = str(value)
    match = _AMOUNT.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None or not (match[2] or match[3]):
        raise CannotCorrectError(f"{quoted(text)} is not an amount: one number is needed, such as 737.00")
    sign, units, cents = match[1], (match[2] or "0").replace(",", ""), (match[3] or "").rstrip("0")
    if len(cents) > 2:
        units, _, cents = without_noise(f"{units}.{cents}").partition(".")
    if len(cents) > 2:
        raise CannotCorrectError(f"{quoted(text)} has more than two decimal places")
    if len(units.lstrip("0")) > 15:
        raise CannotCorrectError(f"{quoted(text)} is too large an amount")
    amount = f"{sign}{units.lstrip('0') or '0'}.{cents:0<2}"
    if amount != text:
        field.warn_of_form("text", text, amount)
    elif field.typed and not isinstance(value, str):
        field.warn_of_form("number", value, amount)
    return amount
