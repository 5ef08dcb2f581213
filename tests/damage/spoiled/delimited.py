"""Spoils feeds of delimited text: quotation marks, separators, line ends, headers and tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from tests.damage.spoiled import Job, Spoiled

NAMES: Final = (
    "referenceNumber", "title", "city", "state", "postalCode", "startDate", "payAmountMin", "description", "benefits",
)  # fmt: skip
_TEXTS: Final = (
    "<p>Cover OR days, no call.</p>\n<ul>\n<li>12 h</li>\n<li>Nights, too</li>\n</ul>",
    'A "great" place\n\nNights, days, and weekends',
    "Days",
    "<p>Cañon City's clinic; “flexible” shifts, 1,200 beds</p>",
    "",
    '"Quoted" from end to "end"',
    "Line one,\nline two, with a, b, c, d, e\n",
)
_BENEFITS: Final = ("", "Malpractice, travel", "Travel", "", "401(k), housing,\nand travel", "", "$500 a week")


def make_jobs(count: int) -> list[dict[str, str]]:
    """Return jobs with texts of every kind; some have no benefits, no description or no pay."""
    return [
        {
            "referenceNumber": ("LT-{}", "{}", "{}A-7", "R{}")[number % 4].format(6010 + number),
            "title": ("CRNA", "Physician, nights", "Nurse Practitioner", "RN 'float' pool")[number % 4],
            "city": ("Lancaster", "O'Fallon", "St. Paul", "")[number % 4],
            "state": ("PA", "MO", "MN")[number % 3],
            "postalCode": ("17603", "63366", "55101")[number % 3],
            "startDate": f"2026-{number % 12 + 1:02}-15",
            "payAmountMin": ("180.00", "95.50", "")[number % 3],
            "description": _TEXTS[number % len(_TEXTS)],
            "benefits": _BENEFITS[number * 3 % len(_BENEFITS)],
        }
        for number in range(count)
    ]


class Table(NamedTuple):
    """A well-made feed.

    Attributes:
        name: what kind of program writes such a feed.
        jobs: its jobs, with all their cells.
        cells: the header and the rows, as they are written.
        leaves_out: whether empty cells at the ends of rows are left out.
    """

    name: str
    jobs: Sequence[dict[str, str]]
    cells: Sequence[Sequence[str]]
    delimiter: str = ","
    end: str = "\r\n"
    leaves_out: bool = False

    def write(self, cells: Sequence[Sequence[str]] | None = None) -> str:
        return "".join(self.delimiter.join(row) + self.end for row in cells or self.cells)

    def spoiled(self, kind: str, place: str, text: str) -> Spoiled:
        return Spoiled(kind, f"{self.name}, {place}", "jobs.csv", text.encode(), sent(self.jobs), self.write().encode())


def sent(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return the jobs as they are sent."""
    return [{name: text.strip() for name, text in job.items() if text.strip()} for job in jobs]


def _quoted(value: str, delimiter: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow([value, "x"])
    return text.getvalue().removesuffix(f"{delimiter}x")


def _table(name: str, jobs: Sequence[dict[str, str]], quote: Callable[[str, str], str] = _quoted, **form: str) -> Table:
    delimiter = form.get("delimiter", ",")
    rows = [[quote(cell, delimiter) for cell in row] for row in [NAMES, *(job.values() for job in jobs)]]
    return Table(name, jobs, rows, delimiter, form.get("end", "\r\n"))


def _without_ends(table: Table) -> Table:
    """Leave out empty cells at the ends of rows."""
    rows = [list(row) for row in table.cells]
    for row in rows:
        while not row[-1]:
            row.pop()
    return table._replace(cells=rows, leaves_out=True)


def _in_blocks(table: Table) -> Table:
    """Leave out empty cells at the ends of blocks of 16 rows, as Excel does."""
    rows = [list(row) for row in table.cells]
    for at in range(0, len(rows), 16):
        block = rows[at : at + 16]
        while not any(row[-1] for row in block):
            for row in block:
                row.pop()
    return table._replace(cells=rows)


def _plain(jobs: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Make texts of one line, without separators and quotation marks."""
    return [
        {name: " ".join(text.replace(",", "").replace('"', "").split()) for name, text in job.items()} for job in jobs
    ]


def tables() -> list[Table]:
    """Return well-made feeds, each as another program writes it."""
    jobs = make_jobs(24)
    blocks = [job | ({"benefits": ""} if 15 <= number < 31 else {}) for number, job in enumerate(make_jobs(40))]
    return [
        _table("quoted where needed", jobs),
        _table("all quoted", jobs, lambda cell, _: f'"{cell.replace('"', '""')}"', end="\n"),
        _table("semicolons", make_jobs(20), delimiter=";"),
        _table("tabs, nothing quoted", _plain(make_jobs(30)), lambda cell, _: cell, delimiter="\t", end="\n"),
        _with_separator(_table("a separator at the end of each row", make_jobs(20))),
        _in_blocks(_table("Excel's blocks", blocks)),
        _without_ends(_table("empty cells left out", jobs)),
    ]


def _with_separator(table: Table) -> Table:
    return table._replace(cells=[table.cells[0], *([*row, ""] for row in table.cells[1:])])


# The faults of a cell: what is written instead of it, or None if the fault cannot be in such a cell


def _missing_closing(cell: str) -> str | None:
    return cell[:-1] if cell.startswith('"') else None


def _missing_opening(cell: str) -> str | None:
    return cell[1:] if cell.startswith('"') else None


def _other_marks(first: str, last: str) -> Callable[[str], str | None]:
    def change(cell: str) -> str | None:
        bare = cell[1:-1] if cell.startswith('"') else cell
        return f"{first}{bare}{last}" if bare else None

    return change


def _escaped(cell: str) -> str | None:
    """Write doubled quotation marks with a backslash."""
    return f'"{cell[1:-1].replace('""', chr(92) + '"')}"' if cell.startswith('"') else cell


CELLS: Final[dict[str, Callable[[str], str | None]]] = {
    "a quotation mark at the start of a cell": lambda cell: f'"{cell}',
    "a quotation mark in a cell": lambda cell: f'{cell[: len(cell) // 2]}"{cell[len(cell) // 2 :]}' if len(cell) > 1 else None,
    "a quotation mark at the end of a cell": lambda cell: f'{cell}"',
    "two quotation marks at the start of a cell": lambda cell: f'""{cell}' if cell and cell[0] != '"' else None,
    "no quotation mark at the start of a quoted text": _missing_opening,
    "no quotation mark at the end of a quoted text": _missing_closing,
    "a quotation mark that is not doubled": lambda cell: cell.replace('""', '"', 1) if '""' in cell[1:-1] else None,
    "a quotation mark escaped with a backslash": lambda cell: _escaped(cell) if '""' in cell[1:-1] else None,
    "apostrophes as quotation marks": _other_marks("'", "'"),
    "curly quotation marks": _other_marks("\u201c", "\u201d"),
}  # fmt: skip


def spoiled_feeds() -> Iterator[Spoiled]:
    """Yield every feed with every fault in every place."""
    for table in tables():
        yield from _in_cells(table)
        yield from _at_separators(table)
        yield from _in_rows(table)
        yield from _whole(table)


def _in_cells(table: Table) -> Iterator[Spoiled]:
    for kind, change in CELLS.items():
        for at, row in enumerate(table.cells):
            for place, cell in enumerate(row):
                if (changed := change(cell)) is not None:
                    rows = [list(each) for each in table.cells]
                    rows[at][place] = changed
                    yield table.spoiled(kind, f"row {at + 1} cell {place + 1}", table.write(rows))


def _at_separators(table: Table) -> Iterator[Spoiled]:
    for at, row in enumerate(table.cells):
        for place in range(len(row)):
            where = f"row {at + 1} cell {place + 1}"
            for kind, changed in (
                ("a separator too many", [*row[:place], "", *row[place:]]),
                ("a separator missing", [*row[:place], "".join(row[place : place + 2]), *row[place + 2 :]]),
                ("a row cut short", row[: place or 1]),
                ("another separator", [*row[:place], "|".join(row[place : place + 2]), *row[place + 2 :]]),
            ):
                # Where empty cells are left out, a text too few or too many at the end cannot be told from a sound row.
                if len(changed) != len(row) and not (
                    at and table.leaves_out and (place > 5 or kind == "a row cut short")
                ):
                    rows = [*table.cells[:at], changed, *table.cells[at + 1 :]]
                    name = f"{kind} in the header" if not at else kind
                    yield table.spoiled(name, where, table.write(rows))


def _in_rows(table: Table) -> Iterator[Spoiled]:
    whole = table.write()
    for at in range(len(table.cells)):
        before, row, after = (
            table.write(rows) if rows else "" for rows in (table.cells[:at], [table.cells[at]], table.cells[at + 1 :])
        )
        where = f"row {at + 1}"
        for end in ("\r\n", "\n", "\r", "", "\n\r", "\u2028"):
            if end != table.end:
                yield table.spoiled(f"a row ends in {end!r}", where, before + row.removesuffix(table.end) + end + after)
        other = "," if table.delimiter == ";" else ";"
        kind = "another delimiter in a row"
        yield table.spoiled(kind, where, before + other.join(table.cells[at]) + table.end + after)
        if at:
            kind = "another delimiter from a row on"
            yield table.spoiled(kind, where, before + table._replace(delimiter=other).write(table.cells[at:]))
            yield table.spoiled("the header again", where, before + table.write(table.cells[:1]) + row + after)
            yield table.spoiled("a blank row", where, before + table.end + row + after)
            offices = [["Clinic", "Phone"], ["Mercy", "555-0100"], ["York", "555-0101"]]
            wide = [[*row, *[""] * (len(NAMES) - 2)] for row in offices]
            yield table.spoiled(
                "another table", where, before + table.end + table.write(offices) + table.end + row + after
            )
            yield table.spoiled("another table of the same width", where, before + table.write(wide) + row + after)
        # A text that is cut in a last value or at the end of a row cannot be told from a whole one.
        for cut in (
            range(len(before), len(before) + len(table.delimiter.join(table.cells[at][:-1])), 7) if at > 7 else ()
        ):
            cut_table = table._replace(jobs=table.jobs[: at - 1])
            yield cut_table.spoiled("the file is cut off", f"{where} at {cut}", whole[:cut])


def _whole(table: Table) -> Iterator[Spoiled]:
    text = table.write()
    rest = text.partition(table.end)[2]
    for number, line in enumerate(("Open jobs", 'Report "Open jobs", 3/2/2026', '"Open\njobs"', "Open;jobs,of|Acme")):
        yield table.spoiled("lines above the header", str(number), f"{line}{table.end}{table.end}{text}")
        yield table.spoiled("a line above the header", str(number), f"{line}{table.end}{text}")
    for other in ",;|\t:^":
        if other != table.delimiter:
            rows = [[cell if cell.startswith('"') else _quoted(cell, other) for cell in row] for row in table.cells]
            yield table.spoiled("another delimiter", repr(other), table._replace(delimiter=other).write(rows))
            yield table.spoiled(
                "another delimiter in the header", repr(other), other.join(table.cells[0]) + table.end + rest
            )
    for end in ("\n", "\r", "\r\n", "\n\r", "\u2028"):
        if end != table.end:
            yield table.spoiled("other line ends", repr(end), table._replace(end=end).write())
    yield table.spoiled("apostrophes for all quotation marks", "", text.replace('"', "'"))
    yield table.spoiled(
        "backslashes for doubled quotation marks",
        "",
        table.write([[_escaped(cell) or "" for cell in row] for row in table.cells]),
    )
    yield table.spoiled("no header", "", rest)
    yield table.spoiled("marks at the end", "Ctrl-Z", f"{text}\x1a")
    yield table.spoiled("marks at the end", "NUL", f"{text}\0\0\0")
    yield table.spoiled("no line end at the end", "", text.removesuffix(table.end))
