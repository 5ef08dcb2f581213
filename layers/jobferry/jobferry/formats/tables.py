"""CSV and TSV: a header, then rows; comma, semicolon, tab or bar, told from the header."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from jobferry.errors import FeedUnreadableError
from jobferry.formats import Broken, Fields, Noted, Row
from jobferry.streams import MAX_ROW, Chunks, encoding_error

_DELIMITERS: Final = ",;\t|"
#: What is split into lines at a time: it and they stay in the processor's cache. Bytes.
_PIECE: Final = 1 << 16

csv.field_size_limit(MAX_ROW)


def read_table(key: str, chunks: Chunks) -> Iterator[Row]:
    """The rows below the header, numbered as in a spreadsheet: the header is row 1, line breaks in a cell do not count.

    Raises:
        FeedUnreadableError: no header; cut off in a quoted field or in the last row; a quotation mark that is not
            doubled; a byte that is not UTF-8.
    """
    lines = _Lines(key, chunks)
    number, short = 0, 0
    columns: Columns | None = None
    try:
        first = next(lines, "")
        while first and (not first.strip() or first.lower().startswith("sep=")):
            # Excel writes sep=; above the header where the comma is the decimal sign.
            number, first = number + 1, next(lines, "")
        for cells in csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True):
            number += 1
            lines.since_row = 0
            if columns is None:
                columns = Columns(cells)
            elif len(cells) == columns.count and columns.plain:
                fields = {
                    name: value for name, cell in zip(columns.names, cells, strict=True) if (value := cell.strip())
                }
                if fields:
                    yield number, fields
            elif any(cells):
                short = number if len(cells) < columns.count else 0
                yield number, columns.fields(cells)
    except csv.Error as error:
        raise FeedUnreadableError(f"{key} cannot be read from row {number + 1} on: {_words(error)}") from error
    if columns is None or not any(columns.names):
        raise FeedUnreadableError(f"{key} has no header: an export that was cut off?")
    if short == number and not lines.ended:
        raise FeedUnreadableError(
            f"{key} is cut off in row {number}: it has fewer columns than the header and no line end"
        )


class Columns:
    """The header of a table.

    Attributes:
        names: of each column, trimmed; "" where the header has none.
        count: how many.
        plain: each column has a name of its own.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self.names = [name.strip() for name in header]
        while self.names and not self.names[-1]:
            self.names.pop()
        self.count = len(self.names)
        self.plain = len({*self.names, ""}) == self.count + 1

    def fields(self, cells: Sequence[str]) -> Fields | Noted | Broken:
        """The fields of a row that does not quite fit the header."""
        if any(cell.strip() for cell in cells[self.count :]):
            return Broken(
                f"has {len(cells)} columns, the header {self.count}: a separator in a text that is not in quotation marks?"
            )
        fields: Fields = {}
        nameless = 0
        for position, (name, cell) in enumerate(zip(self.names, cells, strict=False), 1):
            value = cell.strip()
            if value and not name:
                nameless = nameless or position
            elif value and fields.setdefault(name, value) != value:
                return Broken(f'has two different values in the two columns named "{name:.80}"')
        if nameless:
            return Noted(fields, f"has a value in column {nameless}, which has no name in the header: it is left out")
        if len(cells) < self.count:
            # Excel leaves out the last columns where sixteen rows in a block have nothing in them.
            return Noted(
                fields, f"has only {len(cells)} of the header's {self.count} columns: the others are taken as empty"
            )
        return fields


class _Lines:
    """The text line by line, with the line ends: a line break, a carriage return, or both.

    Each line is decoded for itself: in Python one “ makes all of a text twice as wide, and slower.

    Attributes:
        ended: whether the line before had a line end.
        since_row: bytes since the last row, for whoever counts rows to set to 0; there may not be more than MAX_ROW.
    """

    def __init__(self, key: str, chunks: Chunks) -> None:
        self._key = key
        self._lines = self._split(chunks)
        self._before = 0
        self.ended = True
        self.since_row = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.since_row += len(line)
        if self.since_row > MAX_ROW:
            raise FeedUnreadableError(
                f"{self._key} has more than {MAX_ROW:,} bytes without the end of a row: is a quotation mark missing?"
            )
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise encoding_error(self._key, self._before + error.start, error, "UTF-8") from error
        self._before += len(line)
        self.ended = line.endswith((b"\n", b"\r"))
        return text

    @staticmethod
    def _split(chunks: Chunks) -> Iterator[bytes]:
        held: list[bytes] = []  # the last line so far, in pieces
        size = 0
        for piece in (chunk[at : at + _PIECE] for chunk in chunks for at in range(0, len(chunk), _PIECE)):
            if held and (held[-1].endswith(b"\n") or (held[-1].endswith(b"\r") and piece[:1] != b"\n")):
                yield b"".join(held)
                held, size = [], 0
            lines = piece.splitlines(keepends=True)
            if len(lines) > 1:
                lines[0] = b"".join((*held, lines[0]))
                held = [lines.pop()]
                yield from lines
                size = 0
            else:
                held += lines
            size += len(held[-1])
            if size > MAX_ROW:
                break
        if held:
            yield b"".join(held)


def _delimiter(header: str) -> str:
    """The one of the delimiters that the header has most of, outside quotation marks."""
    bare = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _words(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "it is cut off within quotation marks, or one that is opened there is never closed"
    if "field larger than field limit" in text:
        return f"a cell is longer than {MAX_ROW:,} characters: is a quotation mark missing?"
    if "expected after" in text:
        return "a quotation mark within a quoted text is not doubled"
    return text
