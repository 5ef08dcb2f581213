"""Delimited text as rows of cells. After a quotation mark in the wrong place, reading resumes at the next row that fits."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from itertools import islice, repeat
from typing import Any, Final, NamedTuple

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.formats.row_shape import OTHER_MARKS, RowShape
from jobferry.feeds.formats.table import CellsWithWarning
from jobferry.feeds.rows import UnreadableRow
from jobferry.feeds.streams import MAX_ROW, Chunks, encoding_error

_DELIMITERS: Final = ",;\t|"
#: The first characters of a text show its delimiter and its header.
_HEAD: Final = 1 << 18
#: This many rows show the delimiter.
_DELIMITER_ROWS: Final = 30
#: If a quoted text with rows in it is not closed within this many characters, its first quotation mark is a mistake.
_OPEN: Final = 1 << 17
_LINE_END: Final = re.compile(r"\r\n?|\n")
_ENCODED_LINE_END: Final = re.compile(rb"\r\n?|\n")

_STRAY: Final = (
    "has a quotation mark in the wrong place: is one too many or missing, or is it not doubled within a text?"
)
_BETWEEN: Final = "follows a row with a quotation mark in the wrong place, and is in doubt, too"
_NEVER_CLOSED: Final = (
    "begins a quoted text that is never closed: is a quotation mark too many, or was the export cut off in it?"
)
CLOSES: Final = "has a quotation mark that may close a text above it, where one is missing, and does not fit the header"
_LOOSE: Final = "has a quotation mark in a text that is not in quotation marks: it is taken as part of the text"
_OTHERWISE: Final = 'has a text in other quotation marks than ": they are taken as part of the text'


class Record(NamedTuple):
    """A row as it stands in the text.

    Attributes:
        cells: without the quotation marks around them.
        end: where the next row begins.
        stray: whether a cell begins with a quotation mark but is no quoted text, or has one without its counterpart.
        loose: whether there is one in a text that is not quoted.
        otherwise: whether a cell has other quotation marks around it.
        ended: whether the row has a line end.
        open: whether more text could change the row.
    """

    cells: list[str]
    end: int
    stray: bool
    loose: bool
    otherwise: bool
    ended: bool
    open: bool


class DelimitedText:
    """A text with a delimiter, which its first lines show.

    Attributes:
        delimiter: a comma, semicolon, tab or bar.
        ended: whether the last row had a line end.
    """

    def __init__(self, key: str, chunks: Chunks, header: int) -> None:
        """Begin to read.

        Args:
            key: the object's.
            chunks: its text.
            header: the row that the header is in, or that the search for it begins in.
        """
        self._key = key
        self._chunks = chunks
        self._before = 0  # bytes that are no longer in the buffer
        self._buffer = b""
        self._whole = False  # whether the buffer reaches to the end
        # The buffer's text, while rows are read from it one by one:
        self._text = ""
        self._at = 0
        self._tail = b""
        self._skipping = False
        self._patience = _OPEN
        self.ended = True
        while len(self._buffer) < _HEAD and self._read_more():
            pass
        self._open_text()
        self.delimiter = max(_DELIMITERS, key=lambda mark: self._regularity(mark, header))
        self._cell = _cell_pattern(self.delimiter)

    def _regularity(self, delimiter: str, header: int) -> tuple[bool, int]:
        """Tell how regular the first rows are with a delimiter, to compare it with others.

        Returns:
            Whether the first row that is not blank has as many cells as most rows, and how many separators the rows with
            the most usual number have together.
        """
        self.delimiter, self._cell = delimiter, _cell_pattern(delimiter)
        rows = islice(self.first_rows(), header - 1, header + _DELIMITER_ROWS)
        widths = [len(cells) for cells in rows if any(map(str.strip, cells))]
        separators, width = max(
            ((count * (width - 1), width) for width, count in Counter(widths).items()), default=(0, 0)
        )
        return width > 1 and widths[0] == width and widths.count(width) * 2 >= len(widths), separators

    def first_rows(self) -> Iterator[list[str]]:
        """Yield the first rows without taking them."""
        at = self._at
        while at < len(self._text):
            record = self._record(at)
            if not record.ended and not self._whole:
                return
            yield record.cells
            at = record.end

    def take(self) -> Record | None:
        """Take a row as it stands; None at the end."""
        while (record := self._record(self._at)).open and not (record.ended and len(self._text) - self._at > _OPEN):
            self._close_text()
            more = self._read_more()
            self._open_text()
            if not more:
                break
        if self._at == record.end:
            return None
        self._at = record.end
        return record

    def rows(self, shape: RowShape) -> Iterator[list[str] | CellsWithWarning | UnreadableRow]:
        """Take the rows. One that is in doubt costs its first line, and the lines up to the next row that fits."""
        self._close_text()
        while True:
            if self._skipping or (yield from self._split_rows(shape)) or self._whole:
                self._open_text()
                yield from self._careful_rows(shape)
                self._close_text()
            if not self._read_more():
                return

    def _split_rows(self, shape: RowShape) -> Generator[list[str] | CellsWithWarning, None, bool]:
        """Take the rows of the buffer that are quoted in the usual way. Return whether one that is not comes next.

        Quotation marks begin and end quoted texts in turn. A cell is one quoted text, or several with nothing between them,
        where a doubled quotation mark was. Python's csv would take twice as long for this.
        """
        buffer, delimiter = self._buffer, self.delimiter
        if buffer.endswith(b"\r") and not self._whole:
            return False  # a line break may follow
        parts = buffer.split(b'"')
        outline = b'"'.join(parts[::2])  # each quoted text is one quotation mark in it
        end = b"\r\n" if b"\r" in outline else b"\n"
        if not outline.count(end) == outline.count(b"\n") == outline.count(end[:1]):
            outline, end = outline.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), b"\n"
        lines = outline.split(end)
        lines.pop()  # it has no end yet
        quoted = map(bytes.decode, parts[1::2])
        try:
            for number, encoded in enumerate(lines):
                line = encoded.decode()
                cells = line.split(delimiter)
                otherwise = _quoted_otherwise(cells) if _has_other_marks(line) else False
                sure = True
                broken = []
                if '"' in line:
                    for place, cell in enumerate(cells):
                        if '"' in cell:
                            text = next(quoted) if cell == '"' else _unquoted(cell, quoted)
                            sure = sure and text is not None
                            cells[place] = text = text or ""
                            if "\n" in text or "\r" in text:
                                broken.append(place)
                if broken or otherwise:
                    sure = sure and shape.passes(cells, broken, marked=otherwise)
                if not sure:
                    self._drop(_row_start(buffer, parts, len(lines) - number))
                    return True
                yield CellsWithWarning(cells, _OTHERWISE) if otherwise else cells
        except UnicodeDecodeError:
            self._open_text()  # raises an error that names the place
            raise
        if lines:
            self._drop(_row_start(buffer, parts, 0))
            self.ended = True
        return False

    def _drop(self, count: int) -> None:
        """Take bytes out of the buffer."""
        self._before += count
        self._buffer = self._buffer[count:]

    def _open_text(self) -> None:
        """Decode the buffer, to read rows from it one by one."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            self._text = decoder.decode(self._buffer, final=self._whole)
        except UnicodeDecodeError as error:
            raise encoding_error(self._key, self._before + error.start, error, "UTF-8") from error
        self._tail = decoder.getstate()[0]
        self._at = 0

    def _close_text(self) -> None:
        """Go on with what is left of the text as the buffer."""
        rest = self._text[self._at :].encode() + self._tail
        self._drop(len(self._buffer) - len(rest))
        self._text = ""

    def _careful_rows(self, shape: RowShape) -> Iterator[list[str] | CellsWithWarning | UnreadableRow]:
        """Take the rows in the buffer one by one."""
        while self._at < len(self._text):
            if self._skipping:
                found, rows = self._skip(shape, len(self._text))
                yield from repeat(UnreadableRow(_BETWEEN), rows)
                if not found:
                    return
            start = self._at
            record = self._record(start)
            if record.open and not self._whole and not (record.ended and self._holds_rows(record, shape)):
                return
            self._skipping, self._patience = False, _OPEN
            self.ended, self._at = record.ended, record.end
            first_end = self._line_end(start)
            usual, doubt = (
                shape.has_usual_width(record.cells),
                shape.doubt(record.cells, marked=record.loose or record.otherwise),
            )
            if record.stray:
                self._skipping = True
                if doubt or not usual:
                    self._at = first_end
                closes = not usual and not any(
                    len(text := cell.strip()) > 1 and text[0] == '"' for cell in record.cells
                )
                yield UnreadableRow(CLOSES if closes else _NEVER_CLOSED if record.open else _STRAY)
            elif (doubt or not usual) and first_end < record.end and self._skip_within(shape, first_end, record.end):
                yield UnreadableRow(doubt or _STRAY)
            elif doubt:
                yield UnreadableRow(doubt)
            elif record.loose:
                yield CellsWithWarning(record.cells, _LOOSE)
            else:
                yield CellsWithWarning(record.cells, _OTHERWISE) if record.otherwise else record.cells

    def _skip(self, shape: RowShape, end: int) -> tuple[bool, int]:
        """Go to the next line before `end` at which a row begins that fits.

        Return whether there is one, and how many lines before it have as many cells as a row, so that each may be one.
        """
        rows = 0
        while self._at < end:
            record = self._record(self._at)
            if record.open and not self._whole and not record.ended:
                return False, rows
            if not (record.stray or record.loose) and shape.fits(record.cells):
                return True, rows
            rows += shape.has_usual_width(record.cells)
            self._at = self._line_end(self._at)
        return False, rows

    def _skip_within(self, shape: RowShape, start: int, end: int) -> bool:
        """Go to the next line of a row at which another row begins that fits, or else to its end."""
        self._at = start
        found, _ = self._skip(shape, end)
        self._at = self._at if found else end
        return found

    def _holds_rows(self, record: Record, shape: RowShape) -> bool:
        """Decide whether the text after a quotation mark that was not closed for long has rows in it."""
        start = self._at
        if len(self._text) - start < self._patience:
            return False
        self._at = record.end
        found, _ = self._skip(shape, len(self._text))
        self._at = start
        self._patience *= 2
        return found

    def _record(self, start: int) -> Record:
        """Read the row that begins there. A cell with a quotation mark in the wrong place ends with the next delimiter."""
        text, at = self._text, start
        cells = []
        stray = loose = otherwise = is_open = False
        while True:
            match: Any = self._cell.match(text, at)  # a bare cell may be empty, so there is always one
            kind = match.lastgroup
            cell = match[kind]
            if kind == "quoted":
                cell = cell.replace('""', '"')
            elif kind == "bare":
                otherwise = otherwise or _quoted_otherwise([cell])
                if cell.lstrip(" ").startswith('"'):
                    stray = True
                    is_open = is_open or _UNCLOSED.match(text, at) is not None
                elif '"' in cell:
                    loose = True
                    stray = stray or len(_PAIRED.findall(cell)) % 2 == 1
            cells.append(cell)
            at = match.end()
            if not text.startswith(self.delimiter, at):
                break
            at += 1
        end = self._line_end(at)
        ended = end > at
        is_open = is_open or (end == len(text) and not (ended and text[-1] == "\n"))
        return Record(cells, end, stray, loose, otherwise, ended, is_open)

    def _line_end(self, at: int) -> int:
        """Return the end of the line, behind its line break."""
        match = _LINE_END.search(self._text, at)
        return match.end() if match else len(self._text)

    def _read_more(self) -> bool:
        """Add to the buffer. Return whether the text was not at its end."""
        if self._whole:
            return False
        if len(self._buffer) > MAX_ROW:
            raise FeedUnreadableError(
                f"{self._key} has more than {MAX_ROW:,} bytes without the end of a row: is a quotation mark missing?"
            )
        piece = next(self._chunks, b"")
        self._whole = not piece
        self._buffer += piece
        return True


#: Quotation marks that are not of inches.
_PAIRED: Final = re.compile(r'(?<![0-9])"')
_UNCLOSED: Final = re.compile(r'[ ]*"(?:[^"]++|"")*+\Z')


def _has_other_marks(line: str) -> bool:
    """Decide whether a line has other programs' quotation marks anywhere, quickly."""
    if "'" in line or "`" in line:
        return True
    return not line.isascii() and ("\u201c" in line or "\u201e" in line or "\u00ab" in line)


def _unquoted(cell: str, quoted: Iterator[str]) -> str | None:
    """Return the text of a cell whose quoted parts are quotation marks in the outline; None if it is not a quoted text."""
    marks = cell if cell[0] == cell[-1] == '"' else cell.strip(" ")
    if not marks.strip('"'):
        return '"'.join(islice(quoted, len(marks)))
    return f'="{next(quoted)}"' if marks == '="' else None


def _row_start(buffer: bytes, parts: Sequence[bytes], rows: int) -> int:
    """Return where a row begins: after it, this number of rows end in the buffer, whose parts are between quotation marks."""
    at = len(buffer)
    for number in reversed(range(len(parts))):
        at -= len(parts[number])
        if number % 2 == 0:
            ends = [match.end() for match in _ENCODED_LINE_END.finditer(parts[number])]
            if len(ends) > rows:
                return at + ends[-1 - rows]
            rows -= len(ends)
        at -= 1
    return 0


def _quoted_otherwise(cells: Sequence[str]) -> bool:
    """Decide whether a cell begins with another program's quotation mark, and ends with one or not at all.

    An apostrophe alone before a number is a spreadsheet's.
    """
    for cell in cells:
        if cell and (ends := OTHER_MARKS.get(cell[0])):
            text = cell.strip()
            if text[-1] in ends[:1] or (" " in text and not any(mark in text[1:] for mark in ends)):
                return True
    return False


def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    """Return what matches a cell: a quoted one, a spreadsheet's text formula, or a bare one, which may be empty."""
    mark = re.escape(delimiter)
    end = rf"(?={mark}|[\r\n]|\Z)"
    return re.compile(
        rf'[ ]*"(?P<quoted>(?:[^"]++|"")*+)"[ ]*{end}|(?P<formula>=[ ]?"[^"]*+"){end}|(?P<bare>[^{mark}\r\n]*+)'
    )
