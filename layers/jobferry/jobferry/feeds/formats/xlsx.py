"""An .xlsx workbook: a header and rows on one of its sheets.

A workbook cannot be streamed, because its texts are stored apart from its cells, so its size is limited instead.
"""

import io
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain, islice, repeat
from typing import Final, NamedTuple
from xml.parsers.expat import ExpatError

from lxml.etree import LxmlError
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from jobferry.errors import FeedTooLargeError, FeedUnreadableError
from jobferry.feeds.formats.table import (
    HEADER_ROWS,
    CellsWithWarning,
    Columns,
    TableRow,
    filled,
    find_header,
    is_footer,
    known_names,
    read_below,
)
from jobferry.feeds.formats.workbook_xml import Fault, Parts, column_letters
from jobferry.feeds.rows import FeedWarning, Row, UnreadableRow, have_reference_number
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import CHUNK, OLD_WORKBOOK, PACKED, Allowance, Chunks

#: The largest workbook, uncompressed. It takes about three times as much memory. Bytes.
MAX_WORKBOOK: Final = 64 << 20
#: The cells of the largest sheet. Empty cells between two others take memory, too, about thirty bytes each.
MAX_CELLS: Final = 8_000_000
#: From here on, a number has more digits than a spreadsheet keeps.
_TOO_LONG: Final = 1e15

type Cell = str | int | float | bool | date | datetime | time | timedelta


def read_workbook(key: str, chunks: Chunks, settings: FeedSettings, allowance: Allowance) -> Iterator[Row]:
    """Yield the rows below the header, numbered as in the spreadsheet.

    Other sheets with jobs are a problem, unless the settings name the sheet to read.

    Raises:
        FeedUnreadableError: not a workbook, or a damaged one; no sheet of that name; no header, or one of something else.
        FeedTooLargeError: more than MAX_WORKBOOK, or a sheet that reaches further than MAX_CELLS.
    """
    book = _whole(key, chunks)
    _check_size(key, book, allowance)
    try:
        with zipfile.ZipFile(book) as archive:
            yield from _Workbook(key, book, archive, settings).rows()
    except (CalamineError, LxmlError, ExpatError, LookupError, ValueError) as error:
        raise _unreadable(key, error) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # calamine's own fault, on a damaged file
            raise _unreadable(key, error) from error
        raise


class _SheetRow(NamedTuple):
    """A row of a sheet.

    Attributes:
        number: as the spreadsheet has it.
        cells: their texts.
        faults: by the position of a cell whose value cannot be used.
        hidden: whether the spreadsheet hides the row.
    """

    number: int
    cells: list[str]
    faults: dict[int, Fault]
    hidden: bool


class _Workbook:
    """A workbook. One of its sheets is read."""

    def __init__(self, key: str, book: io.BytesIO, archive: zipfile.ZipFile, settings: FeedSettings) -> None:
        self._key = key
        self._settings = settings
        self._parts = Parts(archive)
        book.seek(0)
        self._workbook = CalamineWorkbook.from_filelike(book)
        sheets = self._workbook.sheets_metadata
        self._hidden = {each.name for each in sheets if each.visible != SheetVisibleEnum.Visible}
        self._sheet = self._choose([each.name for each in sheets if each.typ == SheetTypeEnum.WorkSheet])
        self._others = [each.name for each in sheets if each.name != self._sheet]

    def rows(self) -> Iterator[Row]:
        """Yield the rows below the header, and what is to be said of other sheets."""
        rows = self._rows(self._sheet)
        head = list(islice(rows, max(HEADER_ROWS, self._settings.header_row or 0)))
        self._check_sheet(head)
        number = find_header(self._key, (row.cells for row in head), self._settings)
        header = head[number - 1] if number <= len(head) else _SheetRow(number, [], {}, hidden=False)
        columns = Columns(self._key, number, header.cells, self._settings)
        for position, fault in header.faults.items():
            message = f"the header has {fault.text} in column {column_letters(position + 1)}: its values are left out"
            yield number, None, FeedWarning(message)
        yield from read_below(columns, _below(columns, chain(head[number:], rows)))
        yield from self._unread(columns)

    def _choose(self, names: list[str]) -> str:
        """Return the name of the sheet in the settings, or else of the first one that is not hidden."""
        wanted = self._settings.sheet
        if wanted is None:
            return next((name for name in names if name not in self._hidden), names[0])
        for name in names:
            if name.strip().casefold() == wanted.strip().casefold():
                return name
        raise FeedUnreadableError(
            f'{self._key} has no sheet "{wanted:.80}" (setting "sheet"), only {self._named(names)}'
        )

    def _check_sheet(self, head: Sequence[_SheetRow]) -> None:
        """Raise FeedUnreadableError if another sheet seems to have the jobs, but not the one with these first rows."""
        if self._settings.sheet is not None:
            return
        for is_likely in (self._names_fields, _is_wide):
            if any(is_likely(row) for row in head):
                return
            if found := [name for name in self._others if any(map(is_likely, islice(self._rows(name), HEADER_ROWS)))]:
                raise FeedUnreadableError(
                    f'{self._key} has no jobs on its first sheet, "{self._sheet}", but seems to have some on '
                    f'{self._named(found)}: say so in feed.json, as in "sheet": "{found[0]:.80}"'
                )

    def _names_fields(self, row: _SheetRow) -> bool:
        return known_names(row.cells, self._settings) > 1

    def _unread(self, columns: Columns) -> Iterator[Row]:
        """Yield what is to be said of other sheets with jobs."""
        unread = [name for name in self._others if self._has_jobs(name, columns)]
        if not unread:
            if self._settings.sheet is None and (
                alike := [name for name in self._others if self._is_alike(name, columns)]
            ):
                message = f'only the sheet "{self._sheet}" is read. Rows as long as its rows are on {self._named(alike)}: put '
                message += f'all jobs on one sheet, or confirm it in feed.json: "sheet": "{self._sheet:.80}"'
                yield None, None, FeedWarning(message)
            return
        if self._settings.sheet is None:
            message = f"has rows with the columns of jobs on other sheets, which are not read: {self._named(unread)}; "
            message += 'put all jobs on one sheet, and set "sheet" in feed.json to its name'
            yield None, None, UnreadableRow(message)
        else:
            yield None, None, FeedWarning(f"beside the sheet that is read, there are jobs on {self._named(unread)}")

    def _has_jobs(self, name: str, columns: Columns) -> bool:
        """Decide whether a sheet has the columns of the one that is read, or those of jobs, and a row below them."""
        rows = self._rows(name)
        found = any(
            columns.is_header(row.cells)
            or (
                self._names_fields(row)
                and (have_reference_number(row.cells) or columns.reference.intersection(row.cells))
            )
            for row in islice(rows, HEADER_ROWS)
        )
        return found and any(row.faults or any(map(str.strip, row.cells)) for row in rows)

    def _is_alike(self, name: str, columns: Columns) -> bool:
        """Decide whether a sheet begins with values in about as many columns as jobs have, and none is a field's name."""
        first = next((found for row in self._rows(name) if (found := filled(row.cells))), [])
        return len(first) > 2 and len(first) * 10 >= columns.count * 8 and not known_names(first, self._settings)

    def _rows(self, name: str) -> Iterator[_SheetRow]:
        """Yield the rows of a sheet, blank ones too."""
        survey = self._parts.survey(name)
        if survey.columns * survey.rows > MAX_CELLS:
            raise FeedTooLargeError(
                f"{self._key} has a sheet that reaches to row {survey.rows:,} and column {survey.columns:,}: delete what is "
                "beyond the table, or export it as CSV"
            )
        sheet = self._load(name)
        last = max(survey.rows, sheet.total_height)
        before = [""] * (sheet.start[1] if sheet.start else 0)
        merged = defaultdict(list)
        for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
            if bottom > top:
                merged[top + 1].append((left, bottom + 1))
        above: dict[int, tuple[int, int]] = {}  # by position, the first and the last row of merged cells
        for number, values in zip(range(1, last + 1), chain(sheet.iter_rows(), repeat([])), strict=False):
            cells = before + [_text(value) for value in values]
            for column, digits in survey.digits.get(number, {}).items():
                if column <= len(cells) and cells[column - 1].isdecimal():
                    cells[column - 1] = cells[column - 1].zfill(digits)
            faults = {column - 1: fault for column, fault in survey.faults.get(number, {}).items()}
            for position, (top, bottom) in above.items():
                if number <= bottom and any(map(str.strip, cells)):
                    faults[position] = Fault(f"a cell merged with row {top}", "unmerge the cells")
            yield _SheetRow(number, cells, faults, number in survey.hidden)
            above |= {
                left: (number, bottom)
                for left, bottom in merged.get(number, ())
                if any(map(str.strip, cells[left : left + 1]))
            }

    def _load(self, name: str) -> CalamineSheet:
        """Load a sheet's cells. calamine knows only some errors, so all others become #N/A. `Parts` has what they are."""
        try:
            return self._workbook.get_sheet_by_name(name)
        except CalamineError as error:
            if "cell error value" not in str(error):
                raise
        self._workbook = CalamineWorkbook.from_filelike(self._parts.with_usual_errors())
        return self._workbook.get_sheet_by_name(name)

    def _named(self, sheets: Iterable[str]) -> str:
        """List sheets by their names."""
        return ", ".join(f'"{name}"{" (hidden)" if name in self._hidden else ""}' for name in sheets)[:300]


def _below(columns: Columns, rows: Iterable[_SheetRow]) -> Iterator[TableRow]:
    """Yield the rows below the header."""
    for row in rows:
        if row.faults and not is_footer(columns.fields(row.cells)):  # a total needs no result
            yield row.number, _faulty(row, columns)
        elif row.hidden:
            yield row.number, CellsWithWarning(row.cells, "is hidden in the spreadsheet, but read like any other")
        else:
            yield row.number, row.cells


def _is_wide(row: _SheetRow) -> bool:
    """Decide whether a row could be one of a table, and not a line of text."""
    return len(filled(row.cells)) > 2


def _faulty(row: _SheetRow, columns: Columns) -> UnreadableRow:
    """Say what is wrong with the cells of a row."""
    places = {position: f'"{name:.80}"' for position, name in enumerate(columns.names) if name}
    faults = [f"{fault.text} in column {places.get(at, column_letters(at + 1))}" for at, fault in row.faults.items()]
    remedies = {fault.remedy: None for fault in row.faults.values() if fault.remedy}
    return UnreadableRow(": ".join(["has " + " and ".join(faults)[:500], *remedies]))


def _text(cell: Cell) -> str:
    """Return a cell as a person reads it."""
    match cell:
        case str():  # most cells
            return cell
        case bool():
            return "true" if cell else "false"
        case float() if abs(cell) < _TOO_LONG:
            return f"{cell:.15g}"  # further digits are noise: 3.9999999999999996 is 4
        case float():
            return f"{cell:.14E}"  # as people see it: the check then says that a spreadsheet shortened it
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
                with archive.open(member) as content:
                    while chunk := content.read(CHUNK):
                        total += len(chunk)
                        if total > MAX_WORKBOOK:
                            raise _too_large(key)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if book.getvalue().startswith(OLD_WORKBOOK):
            raise FeedUnreadableError(f"{key} is {PACKED[OLD_WORKBOOK]}: save it as .xlsx, without one") from error
        raise _unreadable(key, error) from error
    allowance.take(total, key)
    book.seek(0)


def _unreadable(key: str, error: BaseException) -> FeedUnreadableError:
    return FeedUnreadableError(f"{key} is not a workbook that can be read: {' '.join(str(error).split()):.200}")


def _too_large(key: str) -> FeedTooLargeError:
    return FeedTooLargeError(
        f"{key} is a workbook of more than {MAX_WORKBOOK:,} bytes uncompressed, which has to be held in memory: "
        "export it as CSV"
    )
