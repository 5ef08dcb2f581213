"""Texts: a number where a text belongs."""

from typing import Any

from jobferry.exact_json import kind
from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.warnings import quoted


def text_of(value: Any) -> str:
    """Return a text as it is, or a number as a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CannotCorrectError(f"is {kind(value)}, a text is needed: {quoted(value)}")
    return str(int(value)) if value == value // 1 else str(value)


def correct_text(field: FieldCorrection, value: Any) -> str:
    """Return the value as a text."""
    text = text_of(value)
    if field.typed and not isinstance(value, str):
        field.warn_of_form("number", value, text)
    return text
