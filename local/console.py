"""What the local system prints: lines with the time, tables, and notices as they arrive by e-mail."""

from __future__ import annotations

import re
import shutil
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from local.system import PublishedNotice

_COUNTS: Final = ("added", "updated", "unchanged", "failed", "deleted")
_MARGIN: Final = " " * 9


class Console:
    """Prints lines with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def line(self, text: str) -> None:
        passed = f"{time.monotonic() - self._began:5.1f} s  "
        print(
            "\n".join(textwrap.wrap(text, _width(), initial_indent=passed, subsequent_indent=_MARGIN, **_WRAPPING)),
            flush=True,
        )

    def title(self, text: str) -> None:
        print(f"\n{text}\n", flush=True)

    def table(self, title: str, rows: Iterable[Sequence[str]]) -> None:
        self.line(title)
        rows = [list(row) for row in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            print(f"{_MARGIN}  {cells.rstrip()}", flush=True)

    def notice(self, notice: PublishedNotice) -> None:
        self.line("The notice is published. People receive this by e-mail:")
        for line in e_mail(notice):
            print(f"{_MARGIN}| {line}".rstrip(), flush=True)


def e_mail(notice: PublishedNotice) -> Iterator[str]:
    """Wrap a notice into the lines of an e-mail."""
    yield f"Subject: {notice.subject}"
    yield ""
    for line in notice.text.rstrip().splitlines():
        indent = re.match(r"\s*(\d+\. |- )?", line)
        rest = " " * (len(indent[0]) if indent else 0)
        yield from textwrap.wrap(line, _width() - len(_MARGIN) - 2, subsequent_indent=rest, **_WRAPPING) or [""]


def counts(record: Mapping[str, Any]) -> str:
    """Describe the results of an import in one line."""
    results = record.get("results") or {}
    return ", ".join(f"{results.get(name, '?')} {name}" for name in _COUNTS)


_WRAPPING: Final[dict[str, Any]] = {"break_long_words": False, "break_on_hyphens": False, "drop_whitespace": True}


def _width() -> int:
    return max(80, min(120, shutil.get_terminal_size((110, 24)).columns))
