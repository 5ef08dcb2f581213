"""Whole numbers: `4.0` and `"4"` are 4."""

import re
from typing import Any, Final

from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.warnings import quoted

_WHOLE_NUMBER: Final = re.compile(r"([+-]?)0*([0-9]{1,19})(?:\.0*)?")


def correct_whole_number(field: FieldCorrection, value: Any) -> int:
    """Return the value as a whole number."""
    if isinstance(value, str):
        match = _WHOLE_NUMBER.fullmatch(value)
        if match is None:
            raise CannotCorrectError(f"{quoted(value)} is not a whole number")
        number = int(match[1] + match[2])
        if field.typed or "." in value:
            field.warn("is a text" if "." not in value else "has a decimal point", value, number)
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
        if field.typed:
            field.warn("has a decimal point", value, number)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        raise CannotCorrectError(f"{quoted(value)} is not a whole number")
    if not -(2**63) <= number < 2**63:
        raise CannotCorrectError(f"{quoted(value)} is too large a number")
    return number
