"""The first rows of a feed, and what the columns of all rows hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from pydantic_core import from_json, to_json

from jobferry.feeds.objects import FeedObject, FeedReader, read_rows
from jobferry.feeds.rows import FeedWarning, RowWithWarning, TableHeader, UnreadableRow
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import Allowance

#: Characters of a value that are kept.
_MAX_VALUE: Final = 2000

#: A row: for each name, its texts, of which only a list has several. A name in JSON is a path, such as `address.city`.
type TextRow = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Column:
    """What the rows have under one name.

    Attributes:
        name: the column's name, or its path.
        cells: one text for each row, "" for none.
        is_list: whether a row has several values.
    """

    name: str
    cells: Sequence[str]
    is_list: bool

    @property
    def values(self) -> list[str]:
        """Return the texts of the rows that have one."""
        return [cell for cell in self.cells if cell]


@dataclass
class Sample:
    """The first rows of a feed.

    Attributes:
        rows: the rows that can be read.
        names: the names in the rows and in tables' headers.
        lists: the paths of lists of objects.
        objections: how many times a reader objected to what it read.
        is_cut: whether an object has more rows.
    """

    rows: list[TextRow] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    lists: dict[str, None] = field(default_factory=dict)
    objections: int = 0
    is_cut: bool = False

    def columns(self) -> list[Column]:
        """Return the columns, in the order in which they were seen."""
        return [self._column(name) for name in self.names]

    def _column(self, name: str) -> Column:
        texts = [row.get(name, ()) for row in self.rows]
        return Column(name, ["; ".join(each) for each in texts], any(len(each) > 1 for each in texts))


def read_sample(objects: Iterable[FeedObject], files: FeedReader, settings: FeedSettings, limit: int) -> Sample:
    """Read at most `limit` rows of each object.

    Raises:
        FeedError: an object cannot be read that far.
    """
    sample = Sample()
    allowance = Allowance(settings.max_feed_bytes)
    for each in objects:
        with files.open_object(each) as stream:
            rows = read_rows(each, stream, settings, allowance)
            for _, _, row in islice(rows, limit):
                _add(sample, row)
            sample.is_cut = sample.is_cut or next(rows, None) is not None
    return sample


def _add(sample: Sample, row: object) -> None:
    match row:
        case TableHeader():
            sample.names.update(dict.fromkeys(name for name in row.names if name))
        case UnreadableRow() | FeedWarning():
            sample.objections += 1
        case bytes():
            try:
                value = from_json(row)
            except ValueError:
                value = None
            if isinstance(value, dict):
                _add_row(sample, value)
            else:
                sample.objections += 1
        case RowWithWarning():
            _add_row(sample, row.fields)
        case dict():
            _add_row(sample, row)


def _add_row(sample: Sample, value: Mapping[str, Any]) -> None:
    row: dict[str, list[str]] = {}
    for path, values in values_by_path(value):
        if any(isinstance(each, dict | list) for each in values):
            sample.lists[path] = None  # no setting can name a value in it
        elif texts := [text for each in values if (text := _text(each))]:
            row[path] = texts
    sample.rows.append(row)
    sample.names.update(dict.fromkeys(row))


def values_by_path(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield the lists in an object, and its other values as lists of one, by their paths."""
    for name, each in value.items():
        if isinstance(each, dict):
            yield from values_by_path(each, f"{path}{name}.")
        else:
            yield path + name, each if isinstance(each, list) else [each]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else to_json(value).decode()
    return text[:_MAX_VALUE].strip()
