"""CSV and TSV: a header, then rows. The header shows whether the delimiter is a comma, semicolon, tab or bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Final

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.formats.delimited import CLOSES, DelimitedText
from jobferry.feeds.formats.row_shape import RowShape, without_other_marks
from jobferry.feeds.formats.table import CellsWithWarning, Columns, TableRow, find_header, read_below
from jobferry.feeds.rows import FeedWarning, Row, UnreadableRow
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import Chunks

#: At most this many rows show what is usual in a table.
_FIRST_ROWS: Final = 1000
#: Excel leaves out the last columns of a block of this many rows if they are empty in all of them.
_BLOCK: Final = 16

_SHORT_LAST: Final = "is the last one and has fewer columns than all others: was the export cut off?"
_GOES_ON: Final = "seems to end in a text that goes on in the next lines: is a quotation mark missing before it?"
_CUT: Final = "is cut off: it is the last one, and has fewer columns than the header and no line end"
_CUT_IN_VALUE: Final = (
    "is the last one, has no line end, and its last value may be cut off: let the export end with a line break"
)


def read_table(key: str, chunks: Chunks, settings: FeedSettings) -> Iterator[Row]:
    """Yield the rows below the header, numbered as in a spreadsheet: line breaks in cells do not count.

    A row that seems to be cut off, to hold other rows or not to be one of this table cannot be read, nor can one with
    another number of cells than is usual in this table.

    Args:
        key: the object's.
        chunks: its text.
        settings: of the feed, for its names of fields and its header's row.

    Raises:
        FeedUnreadableError: no header, or not where it should be; a header that fits none of the rows; a byte that is not
            UTF-8; more text than a row may have without the end of one.
    """
    text = DelimitedText(key, chunks, settings.header_row or 1)
    first_rows = ([] if _names_separator(cells) else cells for cells in text.first_rows())
    header = find_header(key, first_rows, settings)
    record = None
    for _ in range(header):
        record = text.take()
    cells = record.cells if record else []
    names = [(without_other_marks(cell) or cell).replace('"', "") for cell in cells]
    columns = Columns(key, header, names, settings)
    if names != cells:
        changed = ", ".join(cell for cell, name in zip(cells, names, strict=True) if cell != name)
        yield (
            header,
            None,
            FeedWarning(f"the header has quotation marks in wrong places, which are left out: {changed:.200}"),
        )
    first = list(islice(text.first_rows(), _FIRST_ROWS))
    columns.learn(first)
    first = [cells for cells in first if columns.is_of_table(cells)]
    shape = RowShape(columns, text.delimiter, first)
    if not shape.fits_header:
        (width, _), *_ = Counter(map(len, first)).most_common(1)
        raise FeedUnreadableError(
            f"{key}: the header in row {header} has {columns.count} names, but most rows have {width} cells, and none has "
            "as many as the header: is a name or a separator missing in the header, or one too many? If the header is in "
            "another row, say so in feed.json with headerRow"
        )
    if shape.usual > columns.width:
        yield (
            header,
            None,
            FeedWarning("each row ends in a separator, but the header does not: the last cells are left out"),
        )
    rows: Iterable[TableRow] = _with_last_judged(columns, shape, enumerate(text.rows(shape), header + 1), text)
    rows = _with_widths_judged(columns, shape, rows)
    if shape.varies and not shape.leaves_out:
        rows = _with_blocks_judged(columns, rows)
    yield from read_below(columns, _with_open_ends_judged(rows))


def _names_separator(cells: Sequence[str]) -> bool:
    """Decide whether this is the line "sep=;" that Excel writes where the comma is the decimal sign."""
    return cells[0].strip('\ufeff" ').lower().startswith("sep=")


def _cells(row: Sequence[str] | CellsWithWarning | UnreadableRow) -> Sequence[str]:
    match row:
        case UnreadableRow():
            return []
        case CellsWithWarning():
            return row.cells
        case _:
            return row


def _with_open_ends_judged(rows: Iterable[TableRow]) -> Iterator[TableRow]:
    """Yield the rows. If the lines below one fit no row up to a closing quotation mark, its last text goes on in them."""
    above: TableRow | None = None
    below: list[TableRow] = []
    for row in rows:
        given = row[1]
        if above is not None and isinstance(given, UnreadableRow) and given.message == CLOSES:
            above = above[0], UnreadableRow(_GOES_ON)
            below.clear()
        elif above is not None and (type(given) is not list or len(given) < 2) and len(below) < _BLOCK:
            below.append(row)
        else:
            if above is not None:
                yield above
            if below:
                yield from below
                below.clear()
            above = row
    if above is not None:
        yield above
    yield from below


def _with_last_judged(
    columns: Columns, shape: RowShape, rows: Iterable[TableRow], text: DelimitedText
) -> Iterator[TableRow]:
    """Yield the rows, the last one as unreadable if it seems to be cut off."""
    last, fewest, count = columns.count - 1, shape.usual, 0
    sizes: set[int] = set()  # the lengths of the last values
    before: TableRow | None = None
    for row in rows:
        if before is not None:
            yield before
            cells = before[1] if type(before[1]) is list else _cells(before[1])
            count += 1
            if len(cells) > last:
                sizes.add(len(cells[last]))
            elif len(cells) < fewest and columns.is_of_table(cells):
                fewest = len(cells)
        before = row
    if before is None:
        return
    number, cells = before[0], _cells(before[1])
    if len(cells) <= last and not text.ended and not columns.is_blank_or_footer(cells):
        yield number, UnreadableRow(_CUT)
    elif len(cells) < fewest and columns.is_of_table(cells):
        yield number, UnreadableRow(_SHORT_LAST)
    elif len(cells) > last and not text.ended and shape.may_be_cut(cells, sizes, count):
        yield number, UnreadableRow(_CUT_IN_VALUE)
    else:
        yield before


def _with_widths_judged(columns: Columns, shape: RowShape, rows: Iterable[TableRow]) -> Iterator[TableRow]:
    """Yield the rows, those with an unusual number of cells as unreadable.

    Excel leaves out the last columns of sixteen rows if they are empty in all of them. That many short rows in succession are
    sound, and a longer one among them is not.
    """
    if shape.leaves_out or shape.usual > columns.width:
        yield from (_judged(columns, shape, row, shape.usual) for row in rows)
        return
    usual = width = shape.usual  # the latter of the rows just here
    count = in_turn = 0
    held: list[TableRow] = []
    widths: Counter[int] = Counter()  # of the held rows
    before = usual
    for row in rows:
        if not held and not shape.varies and type(row[1]) is list and len(row[1]) == usual == width:  # most rows
            count += 1
            yield row
            continue
        cells = _cells(row[1])
        if columns.is_of_table(cells):
            count += 1
            in_turn = in_turn + 1 if len(cells) == before else 1
            before = len(cells)
            widths[before] += 1
        held.append(row)
        if (in_turn > 1 and before in (usual, width)) or (before < usual and widths[before] >= _BLOCK - 2):
            width = before
        elif len(held) < 2 * _BLOCK:
            continue
        yield from [_judged(columns, shape, each, width) for each in held]
        held.clear()
        widths.clear()
    if count >= _BLOCK and len(widths) == 1 and (widths[before] > 1 or before == usual):
        width = min(before, usual)
    yield from (_judged(columns, shape, each, width) for each in held)


def _with_blocks_judged(columns: Columns, rows: Iterable[TableRow]) -> Iterator[TableRow]:
    """Yield the rows. All those in one of Excel's blocks have the same number of cells, so a few others are unreadable."""
    for _, grouped in groupby(rows, lambda row: (row[0] - 1) // _BLOCK):
        block = list(grouped)
        widths = Counter(len(cells) for _, given in block if columns.is_of_table(cells := _cells(given)))
        width, count = next(iter(widths.most_common(1)), (0, 0))
        for number, given in block:
            cells = _cells(given)
            if len(cells) != width and count * 4 >= widths.total() * 3 and columns.is_of_table(cells):
                fault = (
                    f"has {len(cells)} columns, the rows around it {width}: is a separator missing, or one too many?"
                )
                yield number, UnreadableRow(fault)
            else:
                yield number, given


def _judged(columns: Columns, shape: RowShape, row: TableRow, width: int) -> TableRow:
    """Return a row, as unreadable if its number of cells is not usual among the rows around it."""
    number, given = row
    cells, names = _cells(given), columns.count
    if not columns.is_of_table(cells):
        return row
    if shape.is_moved(cells):
        return number, UnreadableRow(
            "seems to have its values in other columns: is a separator missing, or one too many?"
        )
    if len(cells) == width == shape.usual:
        return row
    if len(cells) == width or shape.may_leave_out(cells):
        if isinstance(given, CellsWithWarning):
            return row
        return (
            number,
            CellsWithWarning(
                cells, f"has only {len(cells)} of the header's {names} columns: the others are taken as empty"
            ),
        )
    if len(cells) > width:
        what = f"the header {names}" if len(cells) > names else f"those around it {width}"
        fault = (
            f"has {len(cells)} columns, {what}: a separator too many, or one in a text that is not in quotation marks?"
        )
    else:
        fault = f"has {len(cells)} columns, the header {names}: is a separator missing, or was the row cut off?"
    return number, UnreadableRow(fault)
