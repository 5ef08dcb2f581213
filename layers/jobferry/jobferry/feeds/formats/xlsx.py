"""An .xlsx workbook: its first sheet, whose first row that is not blank is the header.

A workbook cannot be streamed, because its texts are stored apart from its cells, so its size is limited instead.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Generator, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from jobferry.errors import FeedTooLargeError, FeedUnreadableError
from jobferry.feeds.formats.table import Columns, find_header, read_below
from jobferry.feeds.rows import Row, UnreadableRow
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import CHUNK, OLD_WORKBOOK, PACKED, Allowance, Chunks

#: The largest workbook, uncompressed. It takes about three times as much memory. Bytes.
MAX_WORKBOOK: Final = 64 << 20
#: The cells of the largest sheet. Empty cells between two others take memory, too, about thirty bytes each.
MAX_CELLS: Final = 8_000_000

#: The columns and the rows of the cells and rows in a piece of a sheet.
_COLUMN: Final = re.compile(rb"""\br\s*=\s*["']([A-Z]{1,3})[0-9]""")
_ROW: Final = re.compile(rb"""\br\s*=\s*["'][A-Z]{0,3}([0-9]{1,9})["']""")
#: Characters kept from one piece to the next. What the patterns match is shorter.
_OVERLAP: Final = 64

type Cell = str | int | float | bool | date | datetime | time | timedelta


def read_workbook(key: str, chunks: Chunks, settings: FeedSettings, allowance: Allowance) -> Iterator[Row]:
    """Yield the rows below the header, numbered as in the spreadsheet. Other sheets with the same columns are a problem.

    Raises:
        FeedUnreadableError: not a workbook, or a damaged one; no header.
        FeedTooLargeError: more than MAX_WORKBOOK, or a sheet that reaches further than MAX_CELLS.
    """
    book = _whole(key, chunks)
    _check_size(key, book, allowance)
    try:
        workbook = CalamineWorkbook.from_filelike(book)
        columns = yield from _rows(key, workbook.get_sheet_by_index(0), settings)
        unread = [name for name in workbook.sheet_names[1:] if _is_like(columns, workbook, name)]
        if unread:
            yield (
                None,
                None,
                UnreadableRow(
                    f"has rows with the columns of jobs on other sheets, which are not read: {', '.join(unread):.200}; "
                    "put all jobs on the first sheet, and other tables into another file"
                ),
            )
    except (CalamineError, IndexError) as error:
        raise _unreadable(key, error) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # calamine's own fault, on a damaged file
            raise _unreadable(key, error) from error
        raise


def _rows(key: str, sheet: CalamineSheet, settings: FeedSettings) -> Generator[Row, None, Columns]:
    """Yield the rows below the header, and return the header."""
    header = find_header(key, ([_text(cell) for cell in row] for row in sheet.iter_rows()), settings)
    rows = ((number, [_text(cell) for cell in row]) for number, row in enumerate(sheet.iter_rows(), 1))
    cells = next((cells for number, cells in rows if number == header), [])
    columns = Columns(key, header, cells, settings)
    yield from read_below(columns, rows)
    return columns


def _is_like(columns: Columns, workbook: CalamineWorkbook, name: str) -> bool:
    """Decide whether another sheet has the columns of the first one, and a row below them."""
    try:
        rows = (
            cells for row in workbook.get_sheet_by_name(name).iter_rows() if any(cells := [_text(cell) for cell in row])
        )
        return columns.is_header(next(rows, [])) and next(rows, None) is not None
    except CalamineError:  # a chart, for instance
        return False


def _text(cell: Cell) -> str:
    """Return a cell as a person reads it."""
    match cell:
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime() if (cell.hour, cell.minute, cell.second) == (0, 0, 0):
            return cell.date().isoformat()
        case datetime() | date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def _whole(key: str, chunks: Chunks) -> io.BytesIO:
    book = io.BytesIO()
    for chunk in chunks:
        book.write(chunk)
        if book.tell() > MAX_WORKBOOK:
            raise _too_large(key)
    book.seek(0)
    return book


def _check_size(key: str, book: io.BytesIO, allowance: Allowance) -> None:
    """Decompress everything once: the sizes that an archive declares cannot be trusted."""
    total = 0
    try:
        with zipfile.ZipFile(book) as archive:
            for member in archive.infolist():
                columns, rows, before = {b"A"}, {b"1"}, b""
                with archive.open(member) as content:
                    while chunk := content.read(CHUNK):
                        total += len(chunk)
                        if total > MAX_WORKBOOK:
                            raise _too_large(key)
                        piece = before + chunk
                        columns.update(_COLUMN.findall(piece))
                        rows.update(_ROW.findall(piece))
                        before = piece[-_OVERLAP:]
                if "worksheets" in member.filename:
                    _check_reach(key, max(map(_column, columns)), max(map(int, rows)))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if book.getvalue().startswith(OLD_WORKBOOK):
            raise FeedUnreadableError(f"{key} is {PACKED[OLD_WORKBOOK]}: save it as .xlsx, without one") from error
        raise _unreadable(key, error) from error
    allowance.take(total, key)
    book.seek(0)


def _check_reach(key: str, columns: int, rows: int) -> None:
    if columns * rows > MAX_CELLS:
        raise FeedTooLargeError(
            f"{key} has a sheet that reaches to row {rows:,} and column {columns:,}: delete what is beyond the table, or "
            "export it as CSV"
        )


def _column(letters: bytes) -> int:
    """Return a column's number, from 1: A, B, … Z, AA."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _unreadable(key: str, error: BaseException) -> FeedUnreadableError:
    return FeedUnreadableError(f"{key} is not a workbook that can be read: {' '.join(str(error).split()):.200}")


def _too_large(key: str) -> FeedTooLargeError:
    return FeedTooLargeError(
        f"{key} is a workbook of more than {MAX_WORKBOOK:,} bytes uncompressed, which has to be held in memory: "
        "export it as CSV"
    )
