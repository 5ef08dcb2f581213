"""What the rows of a delimited text look like, to notice those that are none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from jobferry.feeds.formats.table import Columns

#: How other programs' quotation marks begin and end.
OTHER_MARKS: Final = {"'": "'", "`": "`'", "\u201c": "\u201d\u201c", "\u201e": "\u201c\u201d", "\u00ab": "\u00bb"}
#: With fewer separators, prose could have as many by chance.
_ENOUGH_SEPARATORS: Final = 5
#: Fewer rows do not show what is usual.
_ENOUGH_ROWS: Final = 3
_IN_NUMBER: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_LINE_BREAK: Final = re.compile(r"\r\n?|\n")
_DIGITS: Final = re.compile(r"[0-9]+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")


#: What the values of a column may look like: a state, a whole number, an amount, a date.
_CODE: Final = re.compile(r"[A-Z]{2}")
_AMOUNT: Final = re.compile(r"[$]?[0-9][0-9,]*(?:[.][0-9]+)?")
_DATE: Final = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}")
_KINDS: Final = (_CODE.fullmatch, _DIGITS.fullmatch, _AMOUNT.fullmatch, _DATE.fullmatch)
_has_letters: Final = _LETTERS.search


class RowShape:
    """The shape of a table's rows.

    Attributes:
        usual: the number of cells in a whole row.
        leaves_out: whether the program that wrote the table leaves out empty cells at the end of a row.
        varies: whether the number of cells alone does not show that values have moved.
        fits_header: whether any of the first rows has as many cells as the header, or there are hardly any rows.
    """

    def __init__(self, columns: Columns, delimiter: str, rows: Sequence[Sequence[str]]) -> None:
        """Learn from the first rows below the header what is usual."""
        self._columns = columns
        self._delimiter = delimiter
        self._references = [place for place, name in enumerate(columns.names) if name in columns.reference]
        self._one_line = {place for place, name in enumerate(columns.names) if name in columns.one_line}
        counts = Counter(map(len, rows))
        self.usual = max(range(columns.count, columns.width + 1), key=lambda width: counts[width])
        # Some programs write a separator at the end of each row, but not of the header.
        longer = [cells for cells in rows if len(cells) == columns.width + 1]
        if len(longer) >= max(_ENOUGH_ROWS, counts[self.usual] + 1) and (
            sum(cells[-1].strip() != "" for cells in longer) * 10 <= len(longer)
        ):
            self.usual = columns.width + 1
        self.fits_header = counts[self.usual] > 0 or len(rows) < _ENOUGH_ROWS
        enough = max(_ENOUGH_ROWS, len(rows) / 10)
        short = sum(len(cells) < self.usual for cells in rows)
        self.leaves_out = short >= enough and sum(not cells[-1].strip() for cells in rows) * 10 <= len(rows)
        self._kinds = {place: kind for place in range(columns.count) if (kind := _kind_of(rows, place)) is not None}
        self._widths = {width for width, count in counts.items() if width <= self.usual and count >= enough}
        self._widths.add(self.usual)
        self.varies = self.leaves_out or len(self._widths) > 1

    def may_leave_out(self, cells: Sequence[str]) -> bool:
        """Decide whether empty cells may be missing at the end of this row."""
        return self.leaves_out and 0 < len(cells) < self.usual and cells[-1].strip() != ""

    def is_moved(self, cells: Sequence[str]) -> bool:
        """Decide whether a row's values seem to be in other columns than those of other rows.

        The number of cells shows this only if no cells are left out, and if no value is in a cell that only ends the row.
        """
        if self.usual > self._columns.width:
            return any(cell.strip() for cell in cells[self._columns.width :])
        if not self.varies:
            return False
        wrong = sum(
            (2 if kind is _has_letters else 1) * (kind(value) is None)
            for place, kind in self._kinds.items()
            if place < len(cells) and (value := cells[place].strip())
        )
        return wrong > 1

    def has_usual_width(self, cells: Sequence[str]) -> bool:
        """Decide whether many rows have as many cells."""
        return len(cells) in self._widths

    def passes(self, cells: Sequence[str], broken: Sequence[int], *, marked: bool) -> bool:
        """Decide whether there is no doubt about a row that is quoted in the usual way.

        Args:
            cells: of the row.
            broken: the places of the cells that have line breaks.
            marked: as for `doubt`.
        """
        return self._doubt(cells, broken, marked=marked) is None and (len(cells) in self._widths or not broken)

    def fits(self, cells: Sequence[str]) -> bool:
        """Decide whether this is a row and not, for instance, a line of a text.

        It has the usual number of cells, a reference number, and hardly any separators before spaces, as prose has.
        """
        return (
            len(cells) in self._widths
            and self.doubt(cells, marked=False) is None
            and all(place < len(cells) and cells[place].strip() for place in self._references)
            and sum(cell.startswith(" ") for cell in cells[1:]) * 2 <= len(cells) - 1
        )

    def doubt(self, cells: Sequence[str], *, marked: bool) -> str | None:
        """Return why a quotation mark seems to be in the wrong place; None if none does.

        It is in a reference number, or has put several lines or rows into a cell.

        Args:
            cells: of the row.
            marked: whether a text that is not quoted has quotation marks of any kind in it.
        """
        broken = [place for place, cell in enumerate(cells) if "\n" in cell or "\r" in cell]
        return self._doubt(cells, broken, marked=marked)

    def _doubt(self, cells: Sequence[str], broken: Sequence[int], *, marked: bool) -> str | None:
        for place in self._references if marked else ():
            if place < len(cells) and _is_marked(cells[place]):
                return f"has a quotation mark in {self._columns.names[place]:.80}: is it in the wrong place?"
        for place in broken:
            if place < self._columns.count and (fault := self._fault_in(cells, place)) is not None:
                return fault
        return None

    def _fault_in(self, cells: Sequence[str], place: int) -> str | None:
        """Return why a cell with line breaks seems to have swallowed other cells; None if it does not."""
        columns, delimiter, cell = self._columns, self._delimiter, cells[place]
        text = cell.strip()
        end = max(text.rfind("\n"), text.rfind("\r"))
        if end < 0:
            return None
        if place in self._one_line:
            return f"has a line break in {columns.names[place]:.80}: is a quotation mark in the wrong place?"
        # A quoted region that begins in this column and ends in a later row has these separators in its lines.
        before, after = place + max(columns.count - len(cells), 0), columns.count - 1 - place
        if text.count(delimiter, end) != before:
            return None
        lines = _LINE_BREAK.split(text)
        first, *inner, last = (line.count(delimiter) for line in lines)
        whole = sum(count == columns.count - 1 for count in inner)
        if first <= after and whole * 2 >= len(inner):
            alike = before > 0 and _shape(lines[-1].split(delimiter)[0]) == _shape(cells[0])
            agreeing = before + whole * (columns.count - 1) + (first if first == after else 0)
            # Prose has separators before spaces and in numbers, rows hardly any.
            in_prose = cell.count(f"{delimiter} ") + (len(_IN_NUMBER.findall(cell)) if delimiter == "," else 0)
            if (alike or agreeing >= _ENOUGH_SEPARATORS) and in_prose * 2 < first + sum(inner) + last:
                return (
                    f"seems to hold other rows in {columns.names[place]:.80}: is a quotation mark in the wrong place?"
                )
        return None

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
        columns = self._columns
        last = cells[columns.count - 1]
        if columns.names[-1] in columns.reference:
            return len(last) < max(sizes, default=len(last) + 1)
        shorter = len(sizes) == 1 and len(last) < min(sizes)
        return rows >= _ENOUGH_ROWS and (shorter or (not last and 0 not in sizes))


def without_other_marks(cell: str) -> str | None:
    """Return a text without the other programs' quotation marks around it; None if it has none."""
    text = cell.strip()
    return text[1:-1] if len(text) > 1 and text[-1] in OTHER_MARKS.get(text[0], "") else None


def _is_marked(cell: str) -> bool:
    """Decide whether there are quotation marks in a cell, other than those of a spreadsheet's text formula."""
    return without_other_marks(cell) is not None or ('"' in cell and not cell.lstrip().startswith("="))


def _kind_of(rows: Sequence[Sequence[str]], place: int) -> Callable[[str], object] | None:
    """Return what nearly all values of a column look like; None if they have nothing in common."""
    values = [value for cells in rows if place < len(cells) and (value := cells[place].strip())]
    for kind in (*_KINDS, _has_letters):
        if len(values) >= _ENOUGH_ROWS and sum(kind(value) is not None for value in values) * 10 >= len(values) * 9:
            return kind
    return None


def _shape(cell: str) -> str:
    """Return what a value looks like: letters as A, digits as 0."""
    return _LETTERS.sub("A", _DIGITS.sub("0", cell.strip()[:100]))
