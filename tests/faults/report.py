"""The table of docs/reliability.md: what the fault matrix tried.

`UPDATE_RELIABILITY=1 pytest tests/faults` writes it anew; otherwise each test holds its column against it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.faults.machine import KINDS

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- The tests write what follows: UPDATE_RELIABILITY=1 pytest tests/faults -->"
END: Final = "<!-- until here. -->"
NOT_POSSIBLE: Final = "-"
#: What is to be known of an end beside that nothing was lost.
NOT_BEGUN, NOTHING_SENT, WRONG_KEY, TWICE = "a", "b", "c", "d"
_LEGEND: Final = """Each number is of the ways on that were tried after that fault; in each of them the import came to its end. Letters:

- a: if none of Lambda's own retries came, the run was not begun. Then the dead letter has it;
- b: if none of Lambda's own retries came, the run ended as `blocked`, and a notice said that nothing was sent;
- c: a key that the board refuses is told, and nothing was sent;
- d: the notice was published twice, since nobody can know whether the first one went out.
"""
#: By scene: its calls, and by kind of fault what came of each.
type Table = dict[str, tuple[list[str], dict[str, dict[int, str]]]]

_found: Table = {}


def updates() -> bool:
    return os.environ.get("UPDATE_RELIABILITY") == "1"


def compare(scene: str, kind: str, calls: list[str], cells: dict[int, str]) -> None:
    """Holds one column of one scene's table against the page; or keeps it, to be written."""
    if updates():
        _found.setdefault(scene, (calls, {}))[1][kind] = cells
        return
    column = list(KINDS).index(kind) + 1
    rows = _rows(scene)
    again = "run UPDATE_RELIABILITY=1 pytest tests/faults"
    assert [row[0] for row in rows] == [_name(number, call) for number, call in enumerate(calls)], again
    assert [row[column] for row in rows] == [cells.get(number, NOT_POSSIBLE) for number in range(len(calls))], again


def scenes() -> list[str]:
    """Those that the page has."""
    return [line.removeprefix("### ") for line in _table().splitlines() if line.startswith("### ")]


def write() -> None:
    """Writes what was found into the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{_written(_found)}\n{END}{after}")


def _written(table: Table) -> str:
    tried = sum(
        int(cell.split()[0]) for _, kinds in table.values() for cells in kinds.values() for cell in cells.values()
    )
    faults = sum(len(cells) for _, kinds in table.values() for cells in kinds.values())
    head = "| call | " + " | ".join(KINDS) + " |\n|" + " --- |" * (len(KINDS) + 1)
    parts = [f"{faults:,} faults, and {tried:,} ways on from them. Nothing was lost in any.\n", _LEGEND]
    for scene, (calls, kinds) in table.items():
        rows = [
            f"| {_name(number, call)} | "
            + " | ".join(kinds.get(kind, {}).get(number, NOT_POSSIBLE) for kind in KINDS)
            + " |"
            for number, call in enumerate(calls)
        ]
        parts.append(f"### {scene}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _name(number: int, call: str) -> str:
    return f"{number + 1} `{call}`"


def _table() -> str:
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def _rows(scene: str) -> list[list[str]]:
    part = _table().partition(f"### {scene}\n")[2].partition("\n### ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ") and "`" in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
