"""Whole numbers: `4.0`, `"4"` and `3.9999999999999996` are 4."""

import re
from typing import Any, Final

from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.rounding import without_noise
from jobferry.jobs.warnings import quoted

#: Possessive zeros (`*+`) keep the time linear.
_WHOLE_NUMBER: Final = re.compile(r"([+-]?)(?=[0-9])0*+([0-9]{0,100})(?:\.0*)?")


def correct_whole_number(field: FieldCorrection, value: Any) -> int:
    """Return the value as a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CannotCorrectError(f"{quoted(value)} is not a whole number")
    text = str(value)
    match = _WHOLE_NUMBER.fullmatch(text) or _WHOLE_NUMBER.fullmatch(without_noise(text))
    if match is None:
        raise CannotCorrectError(f"{quoted(value)} is not a whole number")
    number = int(f"{match[1]}0{match[2]}")
    if not -(2**63) <= number < 2**63:
        raise CannotCorrectError(f"{quoted(value)} is too large a number")
    if match.string != text:
        field.warn("has a rounding error", value, number)
    elif "." in text:
        field.warn_of_form("decimal", value, number)
    elif field.typed and isinstance(value, str):
        field.warn_of_form("text", value, number)
    return number
