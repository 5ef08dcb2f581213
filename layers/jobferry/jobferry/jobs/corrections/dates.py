"""Dates: `3/2/2024` is March 2, as in the USA, and so is `1709337600000`, which is in milliseconds since 1970."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.texts import text_of
from jobferry.jobs.fields import NO_DATES, check_date
from jobferry.jobs.warnings import quoted

#: The formats in which a date is read, tried in this order.
_FORMATS: Final = (
    "%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y",
    "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y",
)  # fmt: skip
#: Days that do not exist, as databases and spreadsheets write no date.
_ZEROS: Final = frozenset({"0", "0000-00-00", "00/00/0000", "0/0/0000", "1900-01-00", "1/0/1900", "01/00/1900"})
#: A text of more characters is not a date.
_MAX_LENGTH: Final = 100

#: A time after a date, perhaps with a zone, as .NET, Java, Oracle, SQL Server and browsers write it.
_TIME: Final = re.compile(
    r"(?:(?:T|,? )(?:[01]?[0-9]|2[0-3])[:.][0-5][0-9](?:[:.][0-5][0-9](?:[.,:][0-9]{1,9})?)? ?(?:[AP]\.?M\.?)?"
    r"|(?<=^[0-9]{8})T?(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9](?:[.,][0-9]{1,9})?)?)"
    r" ?(?:Z|UTC?|GMT|(?:AK|[ACEHMP])[SD]?T)? ?(?:[+-][0-9]{2}(?::?[0-9]{2})?)?(?: ?[\[(][^\])]{1,60}[\])])?$",
    re.IGNORECASE,
)
#: The zone of a date without a time, as XML Schema has it: `2024-03-02-05:00`.
_ZONE: Final = re.compile(r"(?<=^[0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][01][0-9]:[0-5][0-9])$")
#: `Sat Mar  2 00:00:00 EST 2024`, as C and Java write it.
_TIME_BEFORE_YEAR: Final = re.compile(r"(?<=[0-9]) [0-9]{2}:[0-9]{2}:[0-9]{2}(?: [A-Z]{1,5})?(?= [0-9]{4}$)")
_WEEKDAY: Final = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:day|sday|nesday|rsday|urday)?,? (?=.)", re.IGNORECASE)
#: The point of `Mar.`, the t of `Sept`, and the ending of `2nd`.
_ENDINGS: Final = re.compile(r"(?<=[a-z])\.|(?<=Sep)t\b|(?<=[0-9])(?:st|nd|rd|th)\b", re.IGNORECASE)

_NO_DATE: Final = "is not a date: one such as 2024-03-02 is needed, or nothing"
_MILLISECONDS: Final = re.compile(r"([0-9]{13})|/Date\((-?[0-9]{1,14})(?:[+-][0-9]{4})?\)/")
_SECONDS: Final = re.compile(r"1[0-9]{9}")
#: The days of the years 1954 to 2119, counted from 1900, perhaps with a time.
_SERIAL: Final = re.compile(r"[2-7][0-9]{4}(?:\.[0-9]+)?")


def correct_date(field: FieldCorrection, value: Any) -> str | None:
    """Return the date as year-month-day; None if it stands for no date."""
    text = text_of(value)
    date, fault = _read_date(text) if len(text) <= _MAX_LENGTH else (None, _NO_DATE)
    if date is None:
        raise CannotCorrectError(f"{quoted(text)} {fault}")
    if date in NO_DATES:
        field.leave_out(value)
        return None
    if date != value:
        if fault:
            field.warn(fault, value, date)
        else:
            field.warn_of_form("words", value, date)
    return date


def _read_date(text: str) -> tuple[str | None, str]:
    """Read a date with or without a time. For no date, return one of NO_DATES; None if the text is not a date.

    Returns:
        The date as it can be sent, and what is wrong with the text other than its form.
    """
    with suppress(ValueError):
        return check_date(text), ""
    if _SERIAL.fullmatch(text):
        return None, "looks like a spreadsheet's serial date: format the column as dates"
    if _SECONDS.fullmatch(text):
        return None, "looks like seconds since 1970: a date such as 2024-03-02 is needed"
    if match := _MILLISECONDS.fullmatch(text):
        date, fault = _from_milliseconds(int(match[1] or match[2])), "is in milliseconds since 1970"
    else:
        date, fault = _from_words(text), ""
    if date is None or not ("1900" <= date < "2100" or date in NO_DATES):
        return None, _NO_DATE
    return date, fault


def _from_milliseconds(number: int) -> str | None:
    """Return the day in UTC; None if it is not one of the years 1 to 9999."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number)).date().isoformat()
    except OverflowError:
        return None


def _from_words(text: str) -> str | None:
    """Read a written date with or without a time; None if the text is not one."""
    text = _ZONE.sub("", _TIME.sub("", _TIME_BEFORE_YEAR.sub("", " ".join(text.split()))))
    if text in _ZEROS:
        return "0000-00-00"
    if text.isdigit() and len(text) != 8:  # strptime would read 202412 as January 2
        return None
    weekday = _WEEKDAY.match(text)
    text = _ENDINGS.sub("", text[weekday.end() :] if weekday else text)
    for form in _FORMATS:
        try:
            date = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        agrees = weekday is None or f"{date:%a}" == weekday[1].capitalize()
        return date.date().isoformat() if agrees else None
    return None
