"""A row of a feed becomes a job: mapped by the feed's settings, checked, and corrected where it is not clean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from jobferry.exact_json import ObjectError, parse_object
from jobferry.feeds.rows import Fields
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.check import Clean, JobCheck
from jobferry.jobs.corrections import SEPARATORS, Warned, correct, split, unusual


class Reading(NamedTuple):
    """What a row is.

    Attributes:
        job: its fields as they would be sent.
        body: the job as JSON on one line.
        errors: what a person has to mend, a sentence each; none when the job is valid.
        warnings: what was put right or is unusual.
    """

    job: Mapping[str, Any]
    body: bytes
    errors: Sequence[str] = ()
    warnings: Sequence[Warned] = ()


class RowReader:
    """Reads the rows of one feed, by its settings."""

    def __init__(self, settings: FeedSettings) -> None:
        self._settings = settings
        self._check = JobCheck()
        self._maps = bool(settings.fields or settings.values or settings.defaults)

    def clean(self, row: bytes | Fields) -> Clean | None:
        """The job that a row is and its JSON; None when it takes `read` to see."""
        if self._maps:
            return self._clean_mapped(row)
        return self._check.json(row) if isinstance(row, bytes) else self._check.untyped(_split(row))

    def _clean_mapped(self, row: bytes | Fields) -> Clean | None:
        theirs = self._check.theirs(row) if isinstance(row, bytes) else row
        if theirs is None:
            return None
        try:
            fields = self._map(_present(theirs) if isinstance(row, bytes) else theirs)
        except ObjectError:
            return None
        return self._check.typed(fields) if isinstance(row, bytes) else self._check.untyped(_split(fields))

    def read(self, row: bytes | Fields) -> Reading:
        """Reads one row: a JSON object's text, or the fields of a format without JSON's types.

        Raises:
            ObjectError: the row is nothing that could be sent; EncodingError, one of these: a byte is not UTF-8.
        """
        typed = isinstance(row, bytes)
        fields = self._map(_present(parse_object(row))) if isinstance(row, bytes) else _split(self._map(row))
        clean = self._check.typed(fields) if typed else self._check.untyped(fields)
        if clean is not None:
            return Reading(*clean, (), unusual(clean[0]))
        corrected = correct(fields, typed=typed)
        return Reading(
            corrected.job, to_json(corrected.job), corrected.errors, corrected.warnings + unusual(corrected.job)
        )

    def _map(self, theirs: dict[str, Any]) -> dict[str, Any]:
        """Their fields, none of them absent, under our names and with our values.

        A field that is mapped to a name wins over one that merely has that name.
        """
        if not self._maps:
            return theirs
        fields: dict[str, Any] = {}
        mapped: dict[str, Any] = {}
        for name, value in theirs.items():
            ours = self._settings.fields.get(name)
            if ours is None:
                fields[name] = value
            elif mapped.setdefault(ours, value) != value:
                raise ObjectError(f"has two different values for {ours}, by the settings' fields")
        fields |= mapped
        for name, values in self._settings.values.items():
            if name in fields:
                value = _trim_ours(name, _translate(name, fields.pop(name), values))
                if value is not None:
                    fields[name] = value
        for name, each in self._settings.defaults.items():
            if name not in fields and (value := _trim_ours(name, each)) is not None:
                fields[name] = value
        return fields


def _trim(value: Any) -> Any:
    """The value, a text trimmed; None for what stands for absent."""
    return value.strip() or None if isinstance(value, str) else value


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not absent, their texts trimmed."""
    present = ((name, _trim(value)) for name, value in fields.items())
    return {name: value for name, value in present if value is not None}


def _trim_ours(name: str, value: Any) -> Any:
    """A value that the settings made, as `_trim` has it; of a list of ours, each part."""
    if name != "employmentType" or not isinstance(value, list):
        return _trim(value)
    return [word for each in value if (word := _trim(each)) is not None] or None


def _translate(name: str, value: Any, values: Mapping[str, Any]) -> Any:
    """Their value, ours; of a list, or a text that is one, each part."""
    if isinstance(value, list):
        return [_translate(name, each, values) for each in value]
    text = value.strip() if isinstance(value, str) else to_json(value).decode()
    if text in values:
        return values[text]
    parts = split(text) if isinstance(value, str) and name == "employmentType" else []
    return [values.get(part, part) for part in parts] if any(part in values for part in parts) else value


def _split(fields: Fields) -> Fields:
    """Makes a list of several values in one text, as a format without lists has them; in place."""
    words = fields.get("employmentType")
    if type(words) is str and SEPARATORS.search(words) and len(parts := split(words)) > 1:
        fields["employmentType"] = parts
    return fields
