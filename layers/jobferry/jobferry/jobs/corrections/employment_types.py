"""A job may have several employment types: `Part-Time; Locum Tenens` becomes a list of two."""

import re
from typing import Any, Final

from jobferry.jobs.corrections.field import FieldCorrection
from jobferry.jobs.corrections.texts import correct_text

_SEPARATORS: Final = re.compile(r"[;|,\r\n]")


def split_values(text: str) -> list[str]:
    """Return the values that one text holds."""
    return [value for part in _SEPARATORS.split(text) if (value := part.strip())]


def correct_employment_types(field: FieldCorrection, value: Any) -> str | list[str] | None:
    """Return one text, or a list of texts; None if there is no value at all."""
    if isinstance(value, list):
        texts = [text for each in value if each is not None and (text := correct_text(field, each).strip())]
        parts = [part for text in texts for part in split_values(text)]
        if parts != texts:
            field.warn_of_form("list of texts", texts, parts)
        return parts or None
    text = correct_text(field, value)
    parts = split_values(text)
    if len(parts) <= 1:
        return parts[0] if parts else None
    if field.typed:
        field.warn_of_form("text", text, parts)
    return parts
