"""Dates: `3/2/2024` is March 2, as in the USA."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.texts import correct_text
from jobferry.jobs.fields import DATE_TIME
from jobferry.jobs.warnings import quoted

#: The formats in which a date is read, tried in this order.
_FORMATS: Final = (
    "%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y",
    "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y",
)  # fmt: skip
#: Characters. A longer text is not a date; without this limit the cache could hold whole descriptions.
_MAX_LENGTH: Final = 40


def correct_date(field: FieldCorrection, value: Any) -> str:
    """Return the date as year-month-day."""
    text = correct_text(field, value)
    if DATE_TIME.fullmatch(text):
        raise CannotCorrectError(f"{quoted(text)} is not a date that exists")
    date = _read_date(text) if len(text) <= _MAX_LENGTH else None
    if date is None:
        raise CannotCorrectError(f"{quoted(text)} is not a date: one such as 2024-03-02 is needed, or nothing")
    if date != text:
        field.warn("is not written as year-month-day", text, date)
    return date


@lru_cache(maxsize=4096)
def _read_date(text: str) -> str | None:
    """Read a date of the years 1900 to 2099; None if the text is not one."""
    text = " ".join(text.split())
    for form in _FORMATS:
        try:
            date = datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        return date.isoformat() if 1900 <= date.year < 2100 else None
    return None
