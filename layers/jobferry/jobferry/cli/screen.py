"""What a person sees, and what a program gets. Whatever is shown to a person is harmless in a terminal."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from jobferry.text import plain

#: Characters of a cell, and of a text.
_CELL: Final = 120
_TEXT: Final = 4000


def say(*lines: str) -> None:
    """Lines for a person, as they are: what is made of others' texts has gone through one of the functions below."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(message: str) -> None:
    """One line on the standard error."""
    sys.stderr.write(f"jobferry: {plain(message, _TEXT)}\n")


def answer(document: Mapping[str, Any]) -> None:
    """One JSON document for a program. Its texts are as they were, but ASCII, so a terminal obeys none of them."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Aligned columns: numbers to the right, `-` for nothing."""
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
    """Names and values, aligned; without those that have none."""
    kept = {name: value for name, value in items.items() if value}
    width = max(map(len, kept), default=0)
    indent = " " * (width + 4)
    return [line for name, value in kept.items() for line in _wrap(plain(value, _TEXT), f"  {name:{width}}  ", indent)]


def text(words: str, indent: str = "  ", first: str | None = None) -> list[str]:
    """A text, wrapped."""
    return _wrap(plain(words, _TEXT), indent if first is None else first, indent)


def moment(instant: datetime | None) -> str | None:
    """To the minute, in UTC, as the tables have it."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}" if instant else None


def duration(seconds: float) -> str:
    """Such as `4 s`, `12 min` and `3 h 20 min`."""
    whole = int(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _cell(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case int():
            return f"{value:,}"
        case _:
            return plain(value, _CELL)


def _wrap(words: str, first: str, indent: str) -> list[str]:
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    wrapper = textwrap.TextWrapper(
        width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(words) or [first.rstrip()]
