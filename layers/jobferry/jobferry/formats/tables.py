"""CSV and TSV: a header, then rows; comma, semicolon, tab or bar, told from the header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Final

from jobferry.errors import FeedUnreadableError
from jobferry.formats import Broken, Fields, Noted, Row
from jobferry.streams import CHUNK, MAX_ROW, Chunks, encoding_error

_DELIMITERS: Final = ",;\t|"

csv.field_size_limit(MAX_ROW)


def read_table(key: str, chunks: Chunks) -> Iterator[Row]:
    """The rows below the header, numbered as in a spreadsheet: the header is row 1, line breaks in a cell do not count.

    Raises:
        FeedUnreadableError: no header; cut off in a quoted field or in the last row; a quotation mark that is not
            doubled; a byte that is not UTF-8.
    """
    source = _Source(chunks)
    text = io.TextIOWrapper(source, encoding="utf-8", newline="")  # type: ignore[type-var]  # it needs no more of a buffer
    number, short = 0, 0
    columns: Columns | None = None
    try:
        first = text.readline(CHUNK)
        while first and (not first.strip() or first.lower().startswith("sep=")):
            # Excel writes sep=; above the header where the comma is the decimal sign.
            number, first = number + 1, text.readline(CHUNK)
        lines = chain([first], iter(partial(text.readline, MAX_ROW), ""))
        for cells in csv.reader(lines, delimiter=_delimiter(first), strict=True):
            number += 1
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
    except UnicodeDecodeError as error:
        raise encoding_error(key, source.count - len(error.object) + error.start, error, "UTF-8") from error
    if columns is None or not any(columns.names):
        raise FeedUnreadableError(f"{key} has no header: an export that was cut off?")
    if short == number and source.last not in b"\r\n":
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


class _Source(io.BufferedIOBase):
    """The chunks as a stream that knows how far it was read.

    It gives no more than is asked for: in Python one “ makes a whole chunk of text twice as wide, and slower.
    """

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0
        self.count = 0
        self.last = b""

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        if self._at >= len(self._chunk):
            self._chunk, self._at = next(self._chunks, b""), 0
        data = self._chunk[self._at : self._at + size]
        if data:
            self._at += len(data)
            self.count += len(data)
            self.last = data[-1:]
        return data


def _delimiter(header: str) -> str:
    """The one of the delimiters that the header has most of, outside quotation marks."""
    bare = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _words(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "it is cut off within quotation marks, or one that is opened there is never closed"
    if "field larger than field limit" in text:
        return f"a cell is longer than {MAX_ROW:,} characters; is a quotation mark missing?"
    if "expected after" in text:
        return "a quotation mark within a quoted text is not doubled"
    return text
