"""Output for people and programs. What people see is harmless in a terminal."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from jobferry.text import one_line

#: Characters of a cell, and of a text.
_CELL: Final = 120
_TEXT: Final = 4000


def say(*lines: str) -> None:
    """Write lines as they are. Other people's texts must have gone through one of the functions below."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(message: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"jobferry: {one_line(message, _TEXT)}\n")


def answer(document: Mapping[str, Any]) -> None:
    """Write one JSON document for a program. It is ASCII, so it cannot control a terminal."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return aligned columns: numbers to the right, `-` for nothing."""
    listed = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in listed]
    right = [any(isinstance(row[column], int) for row in listed) for column in range(len(header))]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in [list(header), *cells]
    ]


def pairs(items: Mapping[str, str | None]) -> list[str]:
    """Return aligned names and values, without the names that have no value."""
    kept = {name: value for name, value in items.items() if value}
    width = max(map(len, kept), default=0)
    indent = " " * (width + 4)
    return [
        line for name, value in kept.items() for line in _wrap(one_line(value, _TEXT), f"  {name:{width}}  ", indent)
    ]


def text(words: str, indent: str = "  ", first: str | None = None) -> list[str]:
    """Return a text, wrapped."""
    return _wrap(one_line(words, _TEXT), indent if first is None else first, indent)


def moment(instant: datetime | None) -> str | None:
    """Write an instant to the minute, in UTC, as the tables show it."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}" if instant else None


def _cell(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case int():
            return f"{value:,}"
        case _:
            return one_line(value, _CELL)


def _wrap(words: str, first: str, indent: str) -> list[str]:
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    wrapper = textwrap.TextWrapper(
        width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(words) or [first.rstrip()]
