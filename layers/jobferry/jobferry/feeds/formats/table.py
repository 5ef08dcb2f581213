"""Tables, of text or in a workbook: where the header is, and what the rows below it are.

A reader calls `find_header` with its first rows, makes `Columns` of the header's cells, and yields from `read_below`
with the rows below it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Final, NamedTuple

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.rows import (
    BOARD_FIELDS,
    FeedWarning,
    Fields,
    Row,
    RowWithWarning,
    TableHeader,
    UnreadableRow,
    plain_name,
)
from jobferry.feeds.settings import FeedSettings


class CellsWithWarning(NamedTuple):
    """The cells of a row that can be read but deserves a warning. The message completes "a row …"."""

    cells: Sequence[str]
    message: str


#: A row's number, from 1, as a spreadsheet counts, and its cells as a person reads them.
type TableRow = tuple[int, Sequence[str] | CellsWithWarning | UnreadableRow]

#: Fields of the board with one line each.
ONE_LINE: Final = frozenset({
    "referenceNumber", "title", "city", "state", "postalCode", "startDate", "payAmountMin", "payAmountMax", "payFrequency",
    "shiftsPerWeek", "hoursPerShift", "durationLength", "durationUnit",
})  # fmt: skip

#: The header is looked for in the first rows.
HEADER_ROWS: Final = 30
#: The longest footer. More rows like one are not a footer. Rows.
_FOOTER_ROWS: Final = 10
#: This many rows show which columns always have a value.
_ENOUGH_ROWS: Final = 10
_FOOTER: Final = re.compile(
    r"""[\W_]*(?:
        (?:grand|sub|report|overall)?[\s-]?totals?\b
        | (?:number|count|sum)\s+of\s+(?:rows|records|jobs|results|entries)\b
        | (?:grand\s+)?(?:count|sum|average)[\W_]*$
        | (?:row|record|job)s?\s+count\b | count\s*[:=] | (?:rows|records|jobs)\s*[:=]
        | \d[\d,.]*\s+(?:rows?(?:\(s\))?|records?(?:\(s\))?|jobs?)(?:\s+(?:affected|selected|returned|exported|found|in\s+set))?[^\w]*$
        | page\s+\d+(?:\s+of\s+\d+)?\b
        | end\s+of\s+(?:report|file|data|export|list)\b | (?:report|list)\s+end\b
        | (?:report\s+)?(?:generated|printed|exported|created)\s+(?:on|at|by|\d)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_SUM: Final = re.compile(r"[-+(]?\s*+[$€£]?\s*+\d[\d,.\s]*%?\)?")
_DASHES: Final = re.compile(r"[-=_+*~ ]+")

_ONE_CELL: Final = "has a value in one column only: is it a message or a total, or was the export cut off?"
#: The longest text that is compared with names in any writing. Characters.
_MAX_NAME: Final = 80
#: Marks that other programs leave before and after names.
_MARKS: Final = " \t\r\n\ufeff\xa0\u200b"


def find_header(key: str, rows: Iterable[Sequence[str]], settings: FeedSettings) -> int:
    """Return the number of the row that is the header: the settings' headerRow, or the first row that is not blank.

    Args:
        key: the object's.
        rows: the cells of the first rows; not all are taken.
        settings: of the feed.

    Raises:
        FeedUnreadableError: there is none, or it seems to be in another row, which the message names.
    """
    if settings.header_row is not None:
        return settings.header_row
    likely_rows = [
        (number, found) for number, cells in enumerate(islice(rows, HEADER_ROWS), 1) if (found := filled(cells))
    ]
    if not likely_rows:
        raise FeedUnreadableError(f"{key} has no header: was the export cut off?")
    first, names = likely_rows[0]
    known = [known_names(found, settings) for _, found in likely_rows]
    likely = next((at for at, count in enumerate(known) if count > 1), None)
    widest = max(len(found) for _, found in likely_rows)
    if likely is None and not known[0] and len(names) * 2 <= widest > 2:
        likely = next(
            (at for at, (_, found) in enumerate(likely_rows) if len(found) * 2 > widest and _are_names(found)), None
        )
    if likely:
        raise FeedUnreadableError(
            f"{key}: the header is not in row {first}, which has {_quoted(names)}, but seems to be in row "
            f'{likely_rows[likely][0]}, which has {_quoted(likely_rows[likely][1])}: say so in feed.json, "headerRow": '
            f"{likely_rows[likely][0]}, or export the table alone"
        )
    return first


def known_names(cells: Sequence[str], settings: FeedSettings) -> int:
    """Count the names of the board's fields and those that the settings map. A header of jobs has several."""
    ours = settings.fields.keys() | BOARD_FIELDS
    return sum(name in ours or (len(name) <= _MAX_NAME and plain_name(name) in ours) for name in filled(cells))


def _are_names(texts: Sequence[str]) -> bool:
    return not any(letter.isdigit() for text in texts for letter in text)


def filled(cells: Sequence[str]) -> list[str]:
    """Return the trimmed texts of the cells that are not blank."""
    return [name for cell in cells if (name := cell.strip(_MARKS).strip())]


def _quoted(texts: Sequence[str]) -> str:
    return ", ".join(f'"{text:.40}"' for text in texts[:3]) + (", …" if len(texts) > 3 else "")


class Columns:
    """The header of a table.

    Attributes:
        header: the number of its row.
        names: the columns' trimmed names; "" for a column without one. The last one has a name.
        known: the names.
        count: the number of columns.
        width: the number of the header's cells, with those without a name at its end.
        always: the names that nearly all of the first rows have a value for.
        has_nameless: whether a column before the last one has no name.
    """

    def __init__(self, key: str, header: int, cells: Sequence[str], settings: FeedSettings) -> None:
        """Take the header's cells.

        Raises:
            FeedUnreadableError: no cell has a name.
        """
        self.header = header
        self.names = _trimmed(cells)
        if not self.names:
            raise FeedUnreadableError(
                f"{key} has no header{f' in row {header} (headerRow)' if settings.header_row else ''}: an export that "
                "was cut off?"
            )
        self.known = frozenset(self.names) - {""}
        self.count = len(self.names)
        self.width = len(cells)
        self.has_nameless = "" in self.names
        self._plain = len({*self.names, ""}) == self.count + 1
        self.one_line = settings.feed_names(ONE_LINE)
        self.reference = settings.feed_names(["referenceNumber"])
        self.always: frozenset[str] = frozenset()
        self._repeated = {name for name, count in Counter(self.names).items() if name and count > 1}
        #: Names whose values must not differ if they are there twice.
        self._distinct = settings.fields.keys() | {name for name in self._repeated if plain_name(name) in BOARD_FIELDS}

    def learn(self, rows: Iterable[Sequence[str]]) -> None:
        """Learn from the first rows which columns always have a value."""
        found = [fields for cells in rows if self.is_of_table(cells) and isinstance(fields := self.fields(cells), dict)]
        if len(found) >= _ENOUGH_ROWS:
            counts = Counter(chain.from_iterable(found))
            self.always = frozenset(name for name, count in counts.items() if count * 10 >= len(found) * 8)

    def warnings(self) -> Iterator[Row]:
        """Yield a warning for each name that is there twice."""
        for name in sorted(self._repeated - self._distinct):
            places = [str(at) for at, each in enumerate(self.names, 1) if each == name]
            yield (
                self.header,
                None,
                FeedWarning(
                    f'the header has the name "{name:.80}" in columns {" and ".join(places):.80}: of each row, only the '
                    "first value in them is used"
                ),
            )

    def fields(self, cells: Sequence[str]) -> Fields | UnreadableRow:
        """Return a row's fields; none of a blank one."""
        if self._plain and len(cells) == self.count:
            fields = dict(zip(self.names, map(str.strip, cells), strict=True))
            return fields if all(fields.values()) else {name: value for name, value in fields.items() if value}
        fields = {}
        for name, cell in zip(self.names, cells, strict=False):
            value = cell.strip()
            if name and value and fields.setdefault(name, value) != value and name in self._distinct:
                return UnreadableRow(f'has two different values in the two columns named "{name:.80}"')
        return fields

    def nameless(self, cells: Sequence[str]) -> list[int]:
        """Return the numbers of the columns that have a value here but no name."""
        names = chain(self.names, repeat(""))
        return [
            place for place, (name, cell) in enumerate(zip(names, cells, strict=False), 1) if not name and cell.strip()
        ]

    def nameless_warning(self, column: int, row: int) -> Row:
        """Return a warning about a column without a name, given the first row that has a value in it."""
        message = f"column {column} has no name in the header, but values, the first in row {row}: they are left out"
        return self.header, None, FeedWarning(message)

    def is_header(self, cells: Sequence[str]) -> bool:
        """Decide whether a row is another header: most of its cells are names of columns."""
        names = [name for name in _trimmed(cells) if name]
        found = len(self.known.intersection(names))
        return found * 2 > len(names) and (found > 1 or self.count == 1)

    def is_of_table(self, cells: Sequence[str]) -> bool:
        """Decide whether this seems to be a row of this table: it has several values, and is no header and no footer."""
        fields = self.fields(cells)
        if isinstance(fields, UnreadableRow):
            return True
        several = len(fields) > 1 or len(fields) == self.count
        return several and footer_text(fields) is None and not self.is_header(cells)

    def is_blank_or_footer(self, cells: Sequence[str]) -> bool:
        fields = self.fields(cells)
        return not fields or is_footer(fields)

    def is_same_header(self, cells: Sequence[str]) -> bool:
        return self.names == _trimmed(cells)


def _trimmed(cells: Sequence[str]) -> list[str]:
    names = [cell.strip(_MARKS).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def read_below(columns: Columns, rows: Iterable[TableRow]) -> Iterator[Row]:
    """Yield the header and the rows below it, but no blank ones, no line of dashes under the header and no footer.

    A row of another table, or with a value in one column only, cannot be read.
    """
    yield columns.header, None, TableHeader(columns.names)
    yield from columns.warnings()
    reader = _RowReader(columns)
    footer: list[tuple[int, str]] = []
    for number, given in rows:
        row: _Read | RowWithWarning
        if isinstance(given, UnreadableRow):
            row = given
        elif isinstance(given, CellsWithWarning):
            row = reader.read(number, given.cells)
            if isinstance(row, dict):
                row = RowWithWarning(row, given.message)
        else:
            row = reader.read(number, given)
        if reader.new_nameless:
            yield from (columns.nameless_warning(place, number) for place in reader.new_nameless)
            reader.new_nameless = ()
        if row is None:
            continue
        if footer or isinstance(row, _Footer):
            if isinstance(row, _Footer) and len(footer) < _FOOTER_ROWS:
                footer.append((number, row.text))
                continue
            yield from ((above, None, _not_at_end(text)) for above, text in footer)
            footer.clear()
        yield number, None, _not_at_end(row.text) if isinstance(row, _Footer) else row
    for above, text in footer:
        yield above, None, FeedWarning(f'the row at the end with "{text:.80}" is left out: it is a footer, not a job')


def _not_at_end(footer: str) -> UnreadableRow:
    return UnreadableRow(f'has "{footer:.80}" like a footer, but other rows follow')


class _Footer(NamedTuple):
    text: str


type _Read = Fields | UnreadableRow | FeedWarning | _Footer | None


class _RowReader:
    """Reads one row after the other.

    Attributes:
        new_nameless: the columns without a name that have a value in the last row for the first time.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._other: int | None = None  # the row of a second header with other columns
        self._nameless: set[int] = set()
        self._rows = 0
        self._always = columns.always
        self.new_nameless: Sequence[int] = ()

    def read(self, number: int, cells: Sequence[str]) -> _Read:
        """Return what a row is; None if it is blank."""
        columns = self._columns
        if cells and (cells[0] in columns.known or cells[-1] in columns.known) and columns.is_header(cells):
            if not columns.is_same_header(cells):
                self._other = self._other or number
            return UnreadableRow(f"repeats the header of row {columns.header}: were several exports put together?")
        fields = columns.fields(cells)
        if columns.has_nameless or len(cells) > columns.count:
            nameless = columns.nameless(cells)
            self.new_nameless = [place for place in nameless if place not in self._nameless]
            self._nameless.update(nameless)
            if nameless and not fields:
                return UnreadableRow("has values only in columns without a name")
        if not fields:
            return None
        self._rows += 1
        if isinstance(fields, UnreadableRow):
            return fields
        if self._other is not None:
            return UnreadableRow(f"is below another header, in row {self._other}, with other columns")
        if len(fields) < columns.count:
            if (text := footer_text(fields)) is not None:
                return _Footer(text)
            if len(fields) == 1:
                return UnreadableRow(_ONE_CELL)
            if (lacking := self._lacks(fields)) is not None:
                return lacking
        if self._rows == 1 and all(map(_DASHES.fullmatch, fields.values())):
            return FeedWarning("the row of dashes under the header is left out")
        return fields

    def _lacks(self, fields: Fields) -> UnreadableRow | None:
        """Compare a row's names with those that hardly any row lacks."""
        lacking = self._always.difference(fields)
        if len(lacking) > 1 and len(lacking) * 2 > len(self._always):
            some = ", ".join(sorted(lacking)[:3])
            return UnreadableRow(
                f"has no value in {len(lacking)} columns that other rows have ({some:.120}): is it a job?"
            )
        self._always -= lacking
        return None


def is_footer(fields: Fields | UnreadableRow) -> bool:
    """Decide whether a row of a table would be a footer at its end."""
    return isinstance(fields, dict) and bool(fields) and footer_text(fields) is not None


def footer_text(fields: Fields) -> str | None:
    """Return the words by which a row is a footer: a total, for instance, with at most sums beside it."""
    text, *others = fields.values()
    return text if _FOOTER.match(text) and all(map(_SUM.fullmatch, others)) else None
