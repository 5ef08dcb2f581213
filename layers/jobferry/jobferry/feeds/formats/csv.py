"""CSV and TSV: a header, then rows. The header shows whether the delimiter is a comma, semicolon, tab or bar."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.rows import Fields, Row, RowWithWarning, UnreadableRow
from jobferry.feeds.streams import MAX_ROW, Chunks, encoding_error

_DELIMITERS: Final = ",;\t|"

csv.field_size_limit(MAX_ROW)


def read_table(key: str, chunks: Chunks) -> Iterator[Row]:
    """Yield the rows below the header, numbered as in a spreadsheet: the header is row 1, and line breaks in cells do not count.

    Raises:
        FeedUnreadableError: no header; cut off in a quoted field or in the last row; a quotation mark that is not
            doubled; a byte that is not UTF-8.
    """
    text = Text(key, chunks)
    number, short = 0, 0
    columns: Columns | None = None
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
                columns = Columns(cells)
            elif len(cells) == columns.count and columns.plain:
                fields = dict(zip(columns.names, map(str.strip, cells), strict=True))
                if not all(fields.values()):
                    fields = {name: value for name, value in fields.items() if value}
                if fields:
                    yield number, fields
            elif any(cells):
                short = number if len(cells) < columns.count else 0
                yield number, columns.fields(cells)
    except csv.Error as error:
        raise FeedUnreadableError(f"{key} cannot be read from row {number + 1} on: {_words(error)}") from error
    if columns is None or not any(columns.names):
        raise FeedUnreadableError(f"{key} has no header: an export that was cut off?")
    if short == number and not text.ended:
        raise FeedUnreadableError(
            f"{key} is cut off in row {number}: it has fewer columns than the header and no line end"
        )


class Columns:
    """The header of a table.

    Attributes:
        names: the columns' trimmed names; "" for a column without one.
        count: the number of columns.
        plain: whether each column has a different name.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self.names = [name.strip() for name in header]
        while self.names and not self.names[-1]:
            self.names.pop()
        self.count = len(self.names)
        self.plain = len({*self.names, ""}) == self.count + 1

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


class Text:
    """The rest of the text, as lines with their ends (a line break, a carriage return, or both) or as rows.

    Each line or row is decoded separately: in Python, one “ doubles the size of a whole text.

    Attributes:
        ended: whether the last line or row had a line end.
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
        self.since_row += len(line)
        self.ended = line.endswith((b"\n", b"\r"))
        self._line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
        return text

    def rows(self, delimiter: str) -> Iterator[list[str]]:
        """Take the rows. Python's csv reads those that `_split_row` cannot; for all rows it would take a third longer."""
        while True:
            cells = self._split_row(delimiter) or next(csv.reader(self, delimiter=delimiter, strict=True), None)
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
