"""How well a feed is understood: which of the board's fields its jobs have, from which columns, and what seems to be wrong.

A column is a field of the feed, whatever its format: a column of a table, a key in JSON, or an element in XML.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from jobferry.feeds.rows import plain_name
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.fields import FIELDS
from jobferry.jobs.names import FeedNames
from jobferry.jobs.warnings import MAX_QUOTED, quoted
from jobferry.payload.field_counts import FieldCounts
from jobferry.text import counted

#: Fields that nearly every job should have.
_EXPECTED: Final = ("title", "city", "state", "description")
#: A field is lacking if this percentage of the jobs has none.
_LACKING: Final = 10


class FieldUse(NamedTuple):
    """Where one of the board's fields comes from.

    Attributes:
        jobs: how many jobs have it.
        columns: the columns that it comes from.
        by_default: whether some jobs have it from feed.json's defaults.
    """

    jobs: int
    columns: Sequence[str]
    by_default: bool


@dataclass(frozen=True)
class Understanding:
    """How well a feed is understood.

    Attributes:
        jobs: the number of rows that could be read, valid or not.
        fields: those of the board's that some job has, in the board's order.
        unknown: columns that are no field of the board. They are sent as they are.
        warnings: what seems to be wrong with the feed's names, or the names in its settings.
    """

    jobs: int = 0
    fields: Mapping[str, FieldUse] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def lacks(self, name: str) -> bool:
        """Decide whether many jobs lack one of the board's fields."""
        return self.without(name) * 100 >= self.jobs * _LACKING

    def without(self, name: str) -> int:
        """Return how many jobs lack one of the board's fields."""
        return self.jobs - (self.fields[name].jobs if name in self.fields else 0)

    def data(self) -> dict[str, Any]:
        """Return the understanding for programs, without its warnings."""
        return {
            "jobs": self.jobs,
            "fields": {
                name: {"jobs": use.jobs, "columns": use.columns, "default": use.by_default}
                for name, use in self.fields.items()
            },
            "unknownColumns": self.unknown,
        }


def understand(counts: FieldCounts, names: FeedNames, settings: FeedSettings) -> Understanding:
    """Return how well a feed is understood after all of its rows were read."""
    uses = {
        name: FieldUse(columns.total(), [_cut(each) for each in columns if each is not None], None in columns)
        for name in FIELDS
        if (columns := counts.columns.get(name))
    }
    found = Understanding(counts.jobs, uses, [_cut(name) for name in names.unknown])
    used = {column for use in uses.values() for column in use.columns}
    missing = [name for name in settings.fields if name in names.missing and _cut(name) not in used]
    return replace(found, warnings=[*_wrong_settings(settings), *_wrong_names(found, missing, settings)])


def _wrong_settings(settings: FeedSettings) -> Iterator[str]:
    """Warn of names in feed.json that should be fields of the board."""
    for theirs, ours in settings.fields.items():
        if ours not in FIELDS:
            yield f"feed.json maps {quoted(theirs)} to {_unknown_field(ours)}"
    for setting, names in (("values", settings.values), ("defaults", settings.defaults)):
        for name in names:
            if name not in FIELDS:
                yield f"feed.json has {setting} for {_unknown_field(name)}"


def _unknown_field(name: str) -> str:
    meant = _field_meant_by(name)
    return f"{quoted(name)}, which is not a field of the board{f': did you mean {meant}?' if meant else ''}"


def _wrong_names(found: Understanding, missing: Sequence[str], settings: FeedSettings) -> Iterator[str]:
    """Warn of mapped columns that are not there, unknown ones that may be a field, and fields that many jobs lack."""
    if not found.jobs:
        return
    similar: set[str | None] = set()
    for name in missing:
        near = _most_like(name, found.unknown)
        similar.add(near)
        hint = "" if near is None else f": is it {quoted(near)} now?"
        yield f"no job has {quoted(name)}, which feed.json maps to {settings.fields[name]}{hint}"
    for name in _EXPECTED:
        if found.lacks(name):
            jobs = found.without(name)
            yield f"{jobs:,} of {counted(found.jobs, 'job')} {'has' if jobs == 1 else 'have'} no {name}"
    for name in found.unknown:
        meant = _field_meant_by(name)
        if meant and found.lacks(meant) and name not in similar and name not in settings.fields:
            yield f'{quoted(name)} is not a field of the board: if it is {meant}, write "fields": {{{quoted(name)}: "{meant}"}} in feed.json'


def _field_meant_by(name: str) -> str | None:
    """Return the field of the board that a name probably means."""
    from jobferry.jobs.synonyms import field_of  # kept out of the cold start

    return field_of(name) or _most_like(name, FIELDS)


def _most_like(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar of some names; None if none of them is similar."""
    import difflib  # kept out of the cold start

    plain = {plain_name(each): each for each in names}
    near = difflib.get_close_matches(plain_name(name), plain, 1, 0.8)
    return plain[near[0]] if near else None


def _cut(name: str) -> str:
    return name[:MAX_QUOTED]
