"""CSV and TSV: a header, then rows. The header shows whether the delimiter is a comma, semicolon, tab or bar."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.rows import Fields, Row, RowWithWarning, UnreadableRow
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import MAX_ROW, Chunks, encoding_error

_DELIMITERS: Final = ",;\t|"

csv.field_size_limit(MAX_ROW)


def read_table(key: str, chunks: Chunks, settings: FeedSettings) -> Iterator[Row]:
    """Yield the rows below the header, numbered as in a spreadsheet: the header is row 1, and line breaks in cells do not count.

    A row that seems to be cut off, to hold other rows or not to be one of this table cannot be read.

    Args:
        key: the object's.
        chunks: its text.
        settings: of the feed, for its names of fields.

    Raises:
        FeedUnreadableError: no header; cut off in a quoted field or in the last row; a quotation mark that is not
            doubled; a byte that is not UTF-8.
    """
    text = Text(key, chunks)
    number = 0
    columns: Columns | None = None
    #: A short row, until the next one shows that it is not the last.
    short: tuple[int, list[str]] | None = None
    last_sizes: set[int] = set()  # the lengths that the last cells of full rows have
    try:
        first = next(text, "")
        while first and (not first.strip() or first.lower().startswith("sep=")):
            # Excel writes "sep=;" above the header in countries where the comma is the decimal sign.
            number, first = number + 1, next(text, "")
        delimiter = _delimiter(first)
        header = islice(csv.reader(chain([first], text), delimiter=delimiter, strict=True), 1)
        for cells in chain(header, text.rows(delimiter)):
            number += 1
            text.since_row = 0
            if columns is None:
                columns = Columns(cells, settings)
                header_row, fewest, other_table = number, columns.count, 0
                continue
            blank = not any(cells)
            if blank and len(cells) < columns.count:
                continue
            if short is not None:
                yield short[0], None, columns.fields(short[1])
                fewest, short = min(fewest, len(short[1])), None
            if blank:
                continue
            if (cells[0] in columns.known or cells[-1] in columns.known) and columns.is_header(cells):
                if columns.names != columns.stripped(cells):
                    other_table = other_table or number
                yield (
                    number,
                    None,
                    UnreadableRow(f"repeats the header of row {header_row}: were several exports put together?"),
                )
            elif other_table:
                yield number, None, UnreadableRow(f"is below another header, in row {other_table}, with other columns")
            elif text.broken and (fault := columns.swallowed(cells, delimiter)):
                yield number, None, UnreadableRow(fault)
            elif len(cells) < columns.count:
                short = number, cells
            elif not text.ended and columns.may_be_cut(cells, last_sizes, number - header_row - 1):
                yield number, None, UnreadableRow(_CUT_IN_VALUE)
            elif len(cells) == columns.count and columns.plain:
                last_sizes.add(len(cells[-1]))
                fields = dict(zip(columns.names, map(str.strip, cells), strict=True))
                if not all(fields.values()):
                    fields = {name: value for name, value in fields.items() if value}
                    if len(fields) == 1 and columns.count > 1:
                        yield number, None, UnreadableRow(_ONE_CELL)
                        continue
                if fields:
                    yield number, None, fields
            else:
                last_sizes.add(len(cells[columns.count - 1]))
                yield number, None, columns.fields(cells)
    except csv.Error as error:
        raise FeedUnreadableError(f"{key} cannot be read from row {number + 1} on: {_words(error)}") from error
    if columns is None or not any(columns.names):
        raise FeedUnreadableError(f"{key} has no header: an export that was cut off?")
    if short is not None:
        if not text.ended:
            raise FeedUnreadableError(
                f"{key} is cut off in row {short[0]}: it has fewer columns than the header and no line end"
            )
        row = columns.fields(short[1])
        is_cut = len(short[1]) < fewest and not isinstance(row, UnreadableRow)
        yield short[0], None, UnreadableRow(_SHORT_LAST) if is_cut else row


_ONE_CELL: Final = "has a value in one column only: is it a message or a total, or was the export cut off?"
_SHORT_LAST: Final = "is the last one and has fewer columns than all others: was the export cut off?"
_CUT_IN_VALUE: Final = (
    "is the last one, has no line end, and its last value may be cut off: let the export end with a line break"
)
#: Fields of one line each. A line break in one of them comes from a quotation mark in the wrong place.
_ONE_LINE: Final = frozenset({
    "referenceNumber", "title", "city", "state", "postalCode", "startDate", "payAmountMin", "payAmountMax", "payFrequency",
    "shiftsPerWeek", "hoursPerShift", "durationLength", "durationUnit",
})  # fmt: skip
#: Fewer rows do not show that all values of a column have one length.
_ENOUGH_ROWS: Final = 3
#: Marks that other programs leave before and after names.
_MARKS: Final = " \t\r\n\ufeff\xa0"


class Columns:
    """The header of a table.

    Attributes:
        names: the columns' trimmed names; "" for a column without one.
        known: the names.
        count: the number of columns.
        plain: whether each column has a different name.
    """

    def __init__(self, header: Sequence[str], settings: FeedSettings) -> None:
        self.names = [name.strip() for name in header]
        while self.names and not self.names[-1]:
            self.names.pop()
        self.known = frozenset(self.names) - {""}
        self.count = len(self.names)
        self.plain = len({*self.names, ""}) == self.count + 1
        self._one_line = settings.feed_names(_ONE_LINE)
        self._reference = settings.feed_names(["referenceNumber"])

    def fields(self, cells: Sequence[str]) -> Fields | RowWithWarning | UnreadableRow:
        """Return the fields of a row that may not fit the header."""
        if any(cell.strip() for cell in cells[self.count :]):
            return UnreadableRow(
                f"has {len(cells)} columns, the header {self.count}: a separator in a text that is not in quotation marks?"
            )
        fields: Fields = {}
        nameless = 0
        for position, (name, cell) in enumerate(zip(self.names, cells, strict=False), 1):
            value = cell.strip()
            if value and not name:
                nameless = nameless or position
            elif value and fields.setdefault(name, value) != value:
                return UnreadableRow(f'has two different values in the two columns named "{name:.80}"')
        if len(fields) == 1 and self.count > 1:
            return UnreadableRow(_ONE_CELL)
        if nameless:
            return RowWithWarning(
                fields, f"has a value in column {nameless}, which has no name in the header: it is left out"
            )
        if len(cells) < self.count:
            # Excel omits the last columns of a block of sixteen rows if they are empty in all of them.
            return RowWithWarning(
                fields, f"has only {len(cells)} of the header's {self.count} columns: the others are taken as empty"
            )
        return fields

    def stripped(self, cells: Sequence[str]) -> list[str]:
        """Return the cells of another header as `names` are."""
        names = [cell.strip(_MARKS) for cell in cells]
        while names and not names[-1]:
            names.pop()
        return names

    def is_header(self, cells: Sequence[str]) -> bool:
        """Decide whether a row is another header: most of its cells are names of columns."""
        names = [name for name in self.stripped(cells) if name]
        found = len(self.known.intersection(names))
        return found * 2 > len(names) and (found > 1 or self.count == 1)

    def may_be_cut(self, cells: Sequence[str], sizes: set[int], rows: int) -> bool:
        """Decide whether the last value of a file without a line end at its end may be cut off.

        Many programs omit that line end. So a value counts only if the other rows' values all have one length, as states
        and dates do, and it is shorter; if it is the only empty one; or if it is a reference number and shorter than the
        longest.

        Args:
            cells: of the last row.
            sizes: the lengths of the last values in the other rows.
            rows: the number of other rows.
        """
        last = cells[self.count - 1]
        if self.names[-1] in self._reference:
            return len(last) < max(sizes, default=len(last) + 1)
        shorter = len(sizes) == 1 and len(last) < min(sizes)
        return rows >= _ENOUGH_ROWS and (shorter or (not last and 0 not in sizes))

    def swallowed(self, cells: Sequence[str], delimiter: str) -> str | None:
        """Return why a misplaced quotation mark seems to have put several rows into a cell; None if none does."""
        for place, cell in enumerate(cells[: self.count]):
            if "\n" not in cell and "\r" not in cell:  # most cells; the rest of the loop is slow
                continue
            text = cell.strip()
            end = max(text.rfind("\n"), text.rfind("\r"))
            if end < 0:
                continue
            if self.names[place] in self._one_line:
                return f"has a line break in {self.names[place]:.80}: is a quotation mark in the wrong place?"
            # A quoted region that begins in this column and ends in a later row has these separators in its lines.
            before, after = place + max(self.count - len(cells), 0), self.count - 1 - place
            if text.count(delimiter, end) != before:
                continue
            lines = _LINE_BREAK.split(text)
            first, *inner, last = (line.count(delimiter) for line in lines)
            whole = sum(count == self.count - 1 for count in inner)
            if first <= after and whole * 2 >= len(inner):
                alike = before > 0 and _shape(lines[-1].split(delimiter)[0]) == _shape(cells[0])
                agreeing = before + whole * (self.count - 1) + (first if first == after else 0)
                # Prose has separators before spaces and in numbers, rows hardly any.
                in_prose = cell.count(f"{delimiter} ") + (len(_IN_NUMBER.findall(cell)) if delimiter == "," else 0)
                if (alike or agreeing >= _ENOUGH_SEPARATORS) and in_prose * 2 < first + sum(inner) + last:
                    return (
                        f"seems to hold other rows in {self.names[place]:.80}: is a quotation mark in the wrong place?"
                    )
        return None


#: With fewer separators, prose could have as many by chance.
_ENOUGH_SEPARATORS: Final = 5
_IN_NUMBER: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_LINE_BREAK: Final = re.compile(r"\r\n?|\n")
_DIGITS: Final = re.compile(r"[0-9]+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")


def _shape(cell: str) -> str:
    """Return what a value looks like: letters as A, digits as 0."""
    return _LETTERS.sub("A", _DIGITS.sub("0", cell.strip()[:100]))


class Text:
    """The rest of the text, as lines with their ends (a line break, a carriage return, or both) or as rows.

    Each line or row is decoded separately: in Python, one “ doubles the size of a whole text.

    Attributes:
        ended: whether the last line or row had a line end.
        broken: whether the last row has a line break in one of its cells.
        since_row: bytes since the last row, at most MAX_ROW. The caller sets it to 0 after each row.
    """

    def __init__(self, key: str, chunks: Chunks) -> None:
        self._key = key
        self._chunks = chunks
        self._buffer = b""
        self._at = 0
        self._before = 0  # bytes that are no longer in the buffer
        self._line_end = b"\n"
        self.ended = True
        self.broken = False
        self._lines = 0  # of the row that is being read
        self.since_row = 0

    def __iter__(self) -> Text:
        return self

    def __next__(self) -> str:
        """Take a line."""
        while not (end := self._end_of_line()):
            self._check_size(len(self._buffer) - self._at)
            if not self._more():
                end = len(self._buffer)
                break
        line = self._buffer[self._at : end]
        if not line:
            raise StopIteration
        self._check_size(len(line))
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise encoding_error(self._key, self._before + self._at + error.start, error, "UTF-8") from error
        self._at += len(line)
        self._lines += 1
        self.since_row += len(line)
        self.ended = line.endswith((b"\n", b"\r"))
        self._line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
        return text

    def rows(self, delimiter: str) -> Iterator[list[str]]:
        """Take the rows. Python's csv reads those that `_split_row` cannot; for all rows it would take a third longer."""
        while True:
            cells = self._split_row(delimiter)
            if cells is None:
                self._lines = 0
                cells = next(csv.reader(self, delimiter=delimiter, strict=True), None)
                self.broken = self._lines > 1
            if cells is None:
                return
            yield cells

    def _split_row(self, delimiter: str) -> list[str] | None:
        """Take a row that is quoted in the usual way and is in the buffer to its end; None if there is none.

        A row ends where a line ends in the same way as the one before, after an even number of quotation marks.
        """
        buffer, end, marks = self._buffer, self._at, 0
        while end == self._at or marks % 2:
            start, stop = end, buffer.find(self._line_end[:1], end)
            if stop < 0 or not buffer.startswith(self._line_end, stop):
                return None
            end = stop + len(self._line_end)
            marks += buffer.count(b'"', start, stop)
        try:
            cells = _cells(buffer[self._at : stop].decode(), delimiter)
        except UnicodeDecodeError:
            return None
        if cells:
            self.broken = marks > 0 and (
                buffer.find(b"\n", self._at, stop) >= 0 or buffer.find(b"\r", self._at, stop) >= 0
            )
            self._at = end
            self.ended = True
        return cells

    def _end_of_line(self) -> int:
        """Return the end of the next line, 0 if it is not in the buffer. A line break may follow a "\\r" at the buffer's end."""
        end = self._buffer.find(b"\n", self._at) + 1
        seen = end - 1 if end else len(self._buffer)
        bare = self._buffer.find(b"\r", self._at, seen) + 1
        return bare if 0 < bare < seen else end

    def _check_size(self, more: int) -> None:
        if self.since_row + more > MAX_ROW:
            raise FeedUnreadableError(
                f"{self._key} has more than {MAX_ROW:,} bytes without the end of a row: is a quotation mark missing?"
            )

    def _more(self) -> bool:
        piece = next(self._chunks, b"")
        self._before += self._at
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        return bool(piece)


def _cells(row: str, delimiter: str) -> list[str] | None:
    """Return the cells of a row; None if it is not quoted in the usual way.

    Quotation marks begin and end quoted texts in turn. A cell is one quoted text, or several with nothing between them,
    where a doubled quotation mark was.
    """
    parts = row.split('"')
    quoted = parts[1::2]
    outline = '"'.join(parts[::2])  # each quoted text is one quotation mark in it
    if "\r" in outline or "\n" in outline:
        return None
    cells = outline.split(delimiter)
    seen = 0
    for place, cell in enumerate(cells):
        if '"' in cell:
            if cell.strip('"'):
                return None
            cells[place] = '"'.join(quoted[seen : seen + len(cell)])
            seen += len(cell)
    return cells if row else None


def _delimiter(header: str) -> str:
    """Return the delimiter that occurs most often in the header outside quotation marks."""
    bare = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _words(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quoted text that begins there is never closed, or the file is cut off in it"
    if "field larger than field limit" in text:
        return f"a cell is longer than {MAX_ROW:,} characters: is a quotation mark missing?"
    if "expected after" in text:
        return "a quotation mark within a quoted text is not doubled"
    return text
