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

#: A row as names and texts. A name in JSON is a path, such as `address.city`.
type TextRow = Mapping[str, str | list[str]]


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
        rows: those that can be read.
        names: the names in them, and those of tables' headers.
        lists: the paths of lists of objects.
        objections: how much the readers said against what they read.
        is_cut: whether an object has more rows.
    """

    rows: list[TextRow] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    lists: dict[str, None] = field(default_factory=dict)
    objections: int = 0
    is_cut: bool = False

    def columns(self) -> list[Column]:
        """Return the columns, in the order in which they were seen."""
        return [
            Column(name, [_text(row.get(name, "")) for row in self.rows], any(_is_list(row, name) for row in self.rows))
            for name in self.names
        ]


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
    if isinstance(row, RowWithWarning):
        row = row.fields
    match row:
        case TableHeader():
            sample.names.update(dict.fromkeys(name for name in row.names if name))
        case UnreadableRow() | FeedWarning():
            sample.objections += 1
        case bytes():
            try:
                value = from_json(row)
            except ValueError:
                sample.objections += 1
            else:
                _add_row(sample, value)
        case dict():
            _add_row(sample, row)


def _add_row(sample: Sample, value: Mapping[str, Any]) -> None:
    row = dict(flatten(value))
    sample.rows.append(row)
    sample.names.update(dict.fromkeys(row))
    sample.lists.update(dict.fromkeys(_lists_of_objects(value)))


def flatten(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str | list[str]]]:
    """Yield the texts in an object by their paths. Lists of objects have none: no setting can name a value in them."""
    for name, each in value.items():
        match each:
            case dict():
                yield from flatten(each, f"{path}{name}.")
            case list() if not any(isinstance(item, dict | list) for item in each):
                if texts := [text for item in each if (text := _scalar(item))]:
                    yield path + name, texts
            case list():
                pass
            case _:
                if text := _scalar(each):
                    yield path + name, text


def _lists_of_objects(value: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of lists in which `flatten` reads nothing."""
    for name, each in value.items():
        if isinstance(each, dict):
            yield from _lists_of_objects(each, f"{path}{name}.")
        elif isinstance(each, list) and any(isinstance(item, dict | list) for item in each):
            yield path + name


def _scalar(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else to_json(value).decode()
    return text[:_MAX_VALUE].strip()


def _is_list(row: TextRow, name: str) -> bool:
    value = row.get(name)
    return isinstance(value, list) and len(value) > 1


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "; ".join(value)
