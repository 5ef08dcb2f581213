"""Reference numbers: `="00123"` and `'00123` are 00123, `1234.0` is 1234, and invisible characters are removed."""

import re
from typing import Any, Final

from jobferry.exact_json import ShortenedFloat
from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.remnants import unwrap
from jobferry.jobs.corrections.texts import text_of
from jobferry.jobs.reference_numbers import INVISIBLE, SHORTENED, WORDS_FOR_NONE, fault_of
from jobferry.jobs.warnings import quoted

#: Spreadsheets keep 15 digits, so a longer number may have lost some.
_DECIMAL: Final = re.compile(r"([0-9]{1,15})\.0+")


def correct_reference_number(field: FieldCorrection, value: Any) -> str:
    """Return the reference number without what a spreadsheet or a clipboard added to it."""
    if isinstance(value, ShortenedFloat):
        raise CannotCorrectError(f"{value:G} {SHORTENED}")
    text = str(value) if isinstance(value, float) else text_of(value)
    plain = INVISIBLE.sub("", text).strip()
    if plain != text:
        field.warn("has invisible characters in it", text, plain)
    reference = unwrap(field, plain)
    if match := _DECIMAL.fullmatch(reference):
        field.warn("was turned into a decimal number by a program", reference, match[1])
        reference = match[1]
    if not reference or reference.casefold() in WORDS_FOR_NONE:
        raise CannotCorrectError(f"is missing: {quoted(text)} stands for none")
    if fault := fault_of(reference):
        raise CannotCorrectError(f"{quoted(reference)} {fault}")
    if isinstance(value, int) and field.typed:
        field.warn_of_form("number", value, reference)
    return reference
