"""ZIP codes: spreadsheets drop the leading zero, so `2134` is 02134."""

import re
from typing import Any, Final

from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.texts import correct_text
from jobferry.jobs.warnings import quoted

_ZIP: Final = re.compile(r"([0-9]{3,5})(?:\.0+)?|([0-9]{3,5})\s*-\s*([0-9]{4})?|([0-9]{7,9})(?:\.0+)?")


def correct_zip_code(field: FieldCorrection, value: Any) -> str:
    """Return the ZIP with its leading zeros, and with a hyphen before the last four of nine digits."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = str(value) if is_number else correct_text(field, value)
    match = _ZIP.fullmatch(text)
    if match is None:
        raise CannotCorrectError(f"{quoted(text)} is not a ZIP: five digits are needed, such as 17603, or 17603-1234")
    short, five, four, nine = match.groups()
    if nine is not None:
        five, four = nine.zfill(9)[:5], nine.zfill(9)[5:]
    code = (short or five).zfill(5) + (f"-{four}" if four else "")
    if code.startswith("000") or (short and len(short) == 3 and code < "00501"):
        raise CannotCorrectError(f"{quoted(text)} is not a ZIP: the lowest in use is 00501")
    if code != text:
        lost = len(short or five) < 5 or (nine is not None and len(nine) < 9)
        field.warn_of_form("short" if lost else "other", text, code)
    elif is_number and field.typed:
        field.warn_of_form("number", value, code)
    return code
