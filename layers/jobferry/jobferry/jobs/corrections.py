"""What people's exports do to values, put right; and what cannot be put right, said so that a person can mend it.

`correct` is the slow, thorough way of a job: it takes whatever a feed's row holds and makes of it what `jobs` accepts.
Each correction is a warning, but for what a format without our types (CSV, XML, a workbook) cannot write otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from jobferry.exact_json import kind
from jobferry.jobs.check import AMOUNT_FIELDS, FIELDS, WHOLE_FIELDS
from jobferry.jobs.vocabulary import LICENSES, SPECIALTIES, STATE_CODES, STATES

#: Characters of a value that a message shows.
SHOWN: Final = 80


class Warned(NamedTuple):
    """One warning of one row.

    Attributes:
        group: warnings with the same group are counted together.
        message: in words, with this row's value.
    """

    group: tuple[str, ...]
    message: str


@dataclass(slots=True)
class Corrected:
    """What became of a row's fields.

    Attributes:
        job: the fields, put right; a field with an error stays as the feed has it.
        errors: what a person has to mend, a sentence each.
        warnings: what was put right.
    """

    job: dict[str, Any]
    errors: list[str] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)


def correct(fields: Mapping[str, Any], *, typed: bool) -> Corrected:
    """The job that `fields` mean. Absent values ("" and null) are gone already, texts are trimmed.

    Args:
        fields: field of ours, or unknown, to value.
        typed: the format carries JSON's types, so that a number written as text is worth a warning.
    """
    result = Corrected({})
    for theirs, value in fields.items():
        name = _CONTROLS.sub("", theirs)
        if name != theirs and name in fields:
            result.errors.append(f"{shown(name)} is there twice, once with control characters in its name")
            continue
        found = _Field(name, typed=typed)
        if name != theirs:
            found.warn("name", "held control characters in its name, which were taken out")
        try:
            right = found.right(value)
        except _WrongError as error:
            result.errors.append(f"{name} {error}")
            right = value
        result.warnings += found.warnings
        if right is not None:
            result.job[name] = right
    if "referenceNumber" not in result.job:
        result.errors.insert(0, _no_reference_number(result.job))
    return result


def usual(job: Mapping[str, Any]) -> bool:
    """Whether the board's documented lists have the job's licence and specialty; cheaper than `unusual`."""
    return job.get("license", "MD") in LICENSES and job.get("specialty", "Other") in SPECIALTIES


def unusual(job: Mapping[str, Any]) -> list[Warned]:
    """What the board may or may not know: a licence or specialty outside the documented lists."""
    warnings = []
    for name, known in (("license", LICENSES), ("specialty", SPECIALTIES)):
        value = job.get(name)
        if isinstance(value, str) and value not in known:
            near = next((each for each in known if each.casefold() == value.casefold()), None)
            hint = f", which writes {near!r}" if near else ""
            message = f"{name} {shown(value)} is not on the board's documented list{hint}: the board decides"
            warnings.append(Warned((name, "unknown", value[:SHOWN]), message))
    return warnings


def shown(value: object) -> str:
    """A value as a message shows it: a text in quotation marks, anything else as JSON, on one line, cut."""
    text = value if isinstance(value, str) else to_json(value).decode()
    text = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text[: SHOWN + 1])
    text = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    return f'"{text}"' if isinstance(value, str) else text


class _WrongError(ValueError):
    """The value cannot be put right. The message follows the field's name."""


# Control characters that JSON has no short escape for: no text needs them, and databases choke on NUL.
_CONTROLS: Final = re.compile(r"[\x00-\x07\x0b\x0e-\x1f]+")
#: Between several values in one text.
SEPARATORS: Final = re.compile(r"[;|,\r\n]")
_WHOLE: Final = re.compile(r"([+-]?)0*([0-9]{1,19})(?:\.0*)?")
_AMOUNT: Final = re.compile(
    r"(?:USD|US\$|\$)?\s*(-?)\s*\$?\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})?(?:\.([0-9]*))?\s*(?:USD)?"
)
_DATE_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ][0-9:.]{4,15}(?:Z|[+-][0-9]{2}:?[0-9]{2})?", re.IGNORECASE
)
#: Characters; what is longer is no date, and the cache of `_iso_date` must not hold whole descriptions.
_LONGEST_DATE: Final = 40
_DATE_FORMATS: Final = (
    "%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y",
    "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y",
)  # fmt: skip


class _Field:
    """One field of one row, being put right."""

    def __init__(self, name: str, *, typed: bool) -> None:
        self.name = name
        self.typed = typed
        self.warnings: list[Warned] = []

    def right(self, value: Any) -> Any:
        """The value as the board takes it, None for absent. Raises _WrongError."""
        if isinstance(value, str):
            value = self._clean(value)
            if value == "":
                return None
        reader = _READERS.get(self.name)
        return self._unknown(value) if reader is None else reader(self, value)

    def warn(self, what: str, message: str) -> None:
        name = self.name[:SHOWN]
        self.warnings.append(Warned((name, what), f"{name} {message}"))

    def put_right(self, what: str, value: object, right: object) -> None:
        self.warn(what, f"{shown(value)} {what}, sent as {shown(right)}")

    def _clean(self, text: str) -> str:
        clean = _CONTROLS.sub("", text)
        if clean != text:
            self.warn("control", "held control characters, which were taken out")
        return clean.strip()

    def text(self, value: Any) -> str:
        """Text; a number where text belongs is meant as one."""
        if isinstance(value, str):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _WrongError(f"is {kind(value)}, a text is needed: {shown(value)}")
        text = str(int(value)) if value == value // 1 else str(value)
        if self.typed:
            self.put_right("is a number", value, text)
        return text

    def state(self, value: Any) -> str:
        text = self.text(value)
        if text in STATES:
            return text
        letters = re.sub(r"[\s]+", " ", re.sub(r"[^\w\s]", "", text)).strip().casefold()
        code = letters.upper() if letters.upper() in STATES else STATE_CODES.get(letters)
        if code is None:
            raise _WrongError(f"{shown(text)} is not a state of the USA: its two-letter code is needed, such as PA")
        self.put_right("is not the two-letter code", text, code)
        return code

    def zip_code(self, value: Any) -> str:
        """The ZIP with the leading zeros that spreadsheets drop."""
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else self.text(value)
        match = re.fullmatch(r"([0-9]{3,5})(?:\.0+)?|([0-9]{3,5})\s*-\s*([0-9]{4})?|([0-9]{7,9})(?:\.0+)?", text)
        if match is None:
            raise _WrongError(f"{shown(text)} is not a ZIP: five digits are needed, such as 17603, or 17603-1234")
        short, five, four, nine = match.groups()
        if nine is not None:
            five, four = nine.zfill(9)[:5], nine.zfill(9)[5:]
        right = (short or five).zfill(5) + (f"-{four}" if four else "")
        if right.startswith("000") or (short and len(short) == 3 and right < "00501"):
            raise _WrongError(f"{shown(text)} is not a ZIP: the lowest in use is 00501")
        if right != text:
            lost = len(short or five) < 5 or (nine is not None and len(nine) < 9)
            self.put_right("lost its leading zero" if lost else "is not written as a ZIP", text, right)
        elif not isinstance(value, str) and self.typed:
            self.put_right("is a number", value, right)
        return right

    def whole(self, value: Any) -> int:
        if isinstance(value, str):
            match = _WHOLE.fullmatch(value)
            if match is None:
                raise _WrongError(f"{shown(value)} is not a whole number")
            number = int(match[1] + match[2])
            if self.typed or "." in value:
                self.put_right("is a text" if "." not in value else "has a decimal point", value, number)
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
            if self.typed:
                self.put_right("has a decimal point", value, number)
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        else:
            raise _WrongError(f"{shown(value)} is not a whole number")
        if not -(2**63) <= number < 2**63:
            raise _WrongError(f"{shown(value)} is too large a number")
        return number

    def amount(self, value: Any) -> str:
        """Money as the board writes it: a decimal text with two places."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _WrongError(f"is {kind(value)}, an amount is needed, such as 737.00")
        text = str(value)
        match = _AMOUNT.fullmatch(text)
        if match is None or not (match[2] or match[3]):
            raise _WrongError(f"{shown(text)} is not an amount: one number is needed, such as 737.00")
        sign, units, cents = match[1], (match[2] or "0").replace(",", ""), (match[3] or "").rstrip("0")
        if len(cents) > 2:
            raise _WrongError(f"{shown(text)} has more than two decimal places")
        if len(units.lstrip("0")) > 15:
            raise _WrongError(f"{shown(text)} is too large an amount")
        right = f"{sign}{units.lstrip('0') or '0'}.{cents:0<2}"
        if right != text:
            self.put_right("is not written with two decimal places", text, right)
        elif self.typed and not isinstance(value, str):
            self.put_right("is a number", value, right)
        return right

    def date(self, value: Any) -> str:
        """A date, or a date with a time as RFC 3339 writes it, which the board has also been seen to take."""
        text = self.text(value)
        if _DATE_TIME.fullmatch(text):
            try:
                datetime.fromisoformat(text)
            except ValueError as error:
                raise _WrongError(f"{shown(text)} is not a date that exists") from error
            return text
        right = _iso_date(text) if len(text) <= _LONGEST_DATE else None
        if right is None:
            raise _WrongError(f"{shown(text)} is not a date: one such as 2024-03-02 is needed, or nothing")
        if right != text:
            self.put_right("is not written as year-month-day", text, right)
        return right

    def words(self, value: Any) -> str | list[str] | None:
        """One text, or a list of texts."""
        if isinstance(value, list):
            words = [self._clean(self.text(each)) for each in value if each is not None]
            words = [word for word in words if word]
            if not words:
                return None
            parts = [part for word in words for part in split(word)]
            if parts != words:
                self.put_right("holds several values in one text", words, parts)
            return parts
        text = self.text(value)
        parts = split(text)
        if len(parts) <= 1:
            return parts[0] if parts else None
        if self.typed:
            self.put_right("is several values in one text", text, parts)
        return parts

    def _unknown(self, value: Any) -> Any:
        """A field that is not ours is passed on as it is, its texts without control characters."""
        match value:
            case list():
                return [self._inner(each) for each in value]
            case dict():
                return {self._inner(key): self._inner(each) for key, each in value.items()}
            case _:
                return value

    def _inner(self, value: Any) -> Any:
        return self._clean_within(value) if isinstance(value, str) else self._unknown(value)

    def _clean_within(self, text: str) -> str:
        clean = _CONTROLS.sub("", text)
        if clean != text:
            self.warn("control", "held control characters, which were taken out")
        return clean


@lru_cache(maxsize=4096)
def _iso_date(text: str) -> str | None:
    """The date that `text` is, month before day as in the USA; None when it is none of this time."""
    text = re.sub(r"\s+", " ", text)
    for form in _DATE_FORMATS:
        try:
            day = datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        return day.isoformat() if 1900 <= day.year < 2100 else None
    return None


def split(text: str) -> list[str]:
    """The values that one text holds."""
    return [part for each in SEPARATORS.split(text) if (part := each.strip())]


def _no_reference_number(job: Mapping[str, Any]) -> str:
    """Says which of the row's fields may be the one, since a column's name is the usual reason."""
    near = {
        "referencenumber",
        "reference",
        "referenceid",
        "refnumber",
        "ref",
        "refno",
        "jobid",
        "jobnumber",
        "jobref",
        "id",
        "reqid",
    }
    for name in job:
        if len(name) <= SHOWN and re.sub(r"[^a-z]", "", name.casefold()) in near:
            return f'referenceNumber is missing; if it is what {shown(name)} holds, say so in feed.json: "fields": {{"{name}": "referenceNumber"}}'
    return "referenceNumber is missing"


_READERS: Final[dict[str, Callable[[_Field, Any], Any]]] = (
    dict.fromkeys(FIELDS, _Field.text)
    | dict.fromkeys(WHOLE_FIELDS, _Field.whole)
    | dict.fromkeys(AMOUNT_FIELDS, _Field.amount)
    | {"state": _Field.state, "postalCode": _Field.zip_code, "startDate": _Field.date, "employmentType": _Field.words}
)
