"""docs/fault-matrix.md: what the fault matrix tried.

`UPDATE_FAULT_MATRIX=1 pytest tests/faults/test_matrix.py` writes the page. Otherwise each test compares its column with it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.faults.machine import KINDS

PAGE: Final = Path(__file__).parents[2] / "docs" / "fault-matrix.md"
COMMAND: Final = "UPDATE_FAULT_MATRIX=1 .venv/bin/pytest tests/faults/test_matrix.py"
NOT_POSSIBLE: Final = "-"
#: What a person may notice at the end, although nothing was lost.
NOT_BEGUN, NOTHING_SENT, WRONG_KEY, TWICE, LEFT = "a", "b", "c", "d", "e"
_INTRODUCTION: Final = """# The fault matrix

The tests write this page: `{command}`. [Reliability](reliability.md#fault-matrix) explains it.

{faults:,} faults were tried, with {ways:,} ways to continue after them. Nothing was lost in any of them.

Each row is a call that a function makes, and each column a fault of that call. A cell has the number of ways to continue
that were tried after the fault; in each of them the import reached its end. The letters mean:

- a: without any of Lambda's own retries the run was not begun, and the event is in the dead-letter queue;
- b: without any of Lambda's own retries the run ended as `blocked`, and a notice said that nothing was sent;
- c: the board refused the key, a notice said so, and nothing was sent;
- d: the notice was published twice, because nothing can tell whether the first one went out;
- e: the board refused the key for a list of deletions, a notice said so, and the next run lists the postings again.
"""
#: By scene: its calls, and for each kind of fault what each call led to.
type Table = dict[str, tuple[list[str], dict[str, dict[int, str]]]]

_table: Table = {}


def updates() -> bool:
    return os.environ.get("UPDATE_FAULT_MATRIX") == "1"


def compare(scene: str, kind: str, calls: list[str], cells: dict[int, str]) -> None:
    """Compare one column of a scene's table with the page, or keep it to be written."""
    if updates():
        _table.setdefault(scene, (calls, {}))[1][kind] = cells
        return
    column = list(KINDS).index(kind) + 1
    rows = _rows(scene)
    assert [row[0] for row in rows] == [_row_name(number, call) for number, call in enumerate(calls)], COMMAND
    assert [row[column] for row in rows] == [cells.get(number, NOT_POSSIBLE) for number in range(len(calls))], COMMAND


def scenes() -> list[str]:
    """Return the scenes that the page has."""
    return [line.removeprefix("## ") for line in PAGE.read_text().splitlines() if line.startswith("## ")]


def write() -> None:
    """Write the page from the columns that were kept."""
    columns = [cells for _, kinds in _table.values() for cells in kinds.values()]
    ways = sum(int(cell.split()[0]) for cells in columns for cell in cells.values())
    head = "| call | " + " | ".join(KINDS) + " |\n|" + " --- |" * (len(KINDS) + 1)
    parts = [_INTRODUCTION.format(command=COMMAND, faults=sum(map(len, columns)), ways=ways)]
    for scene, (calls, kinds) in _table.items():
        rows = [
            " | ".join([_row_name(number, call), *(kinds.get(kind, {}).get(number, NOT_POSSIBLE) for kind in KINDS)])
            for number, call in enumerate(calls)
        ]
        parts.append(f"## {scene}\n\n{head}\n" + "".join(f"| {row} |\n" for row in rows))
    PAGE.write_text("\n".join(parts))


def _row_name(number: int, call: str) -> str:
    return f"{number + 1} `{call}`"


def _rows(scene: str) -> list[list[str]]:
    part = PAGE.read_text().partition(f"## {scene}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ") and "`" in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
