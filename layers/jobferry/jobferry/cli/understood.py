"""How well a feed is understood, for a person: in what `validate` says, and in a dry run."""

from collections.abc import Iterator, Mapping
from typing import Any

from jobferry.cli.screen import table, text
from jobferry.jobs.fields import FIELDS
from jobferry.text import counted


def understood(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table of the board's fields, and what else the feed has, from `Understanding.data`."""
    if not found["jobs"]:
        return
    yield from ("", f"The board's fields in {counted(found['jobs'], 'job')}:")
    rows = ((name, use["jobs"], _origin(use)) for name, use in found["fields"].items())
    yield from (f"  {line}" for line in table(("FIELD", "JOBS", "COLUMN"), rows))
    if absent := [name for name in FIELDS if name not in found["fields"]]:
        yield from text(f"No job has {', '.join(absent)}.", "    ", "  ")
    if unknown := found["unknownColumns"]:
        yield from text(f"Not fields of the board, sent as they are: {', '.join(unknown)}", "    ", "  ")


def _origin(use: Mapping[str, Any]) -> str:
    return ", ".join([*use["columns"], *(["the defaults in feed.json"] if use["default"] else [])])
