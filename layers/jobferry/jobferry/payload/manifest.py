"""The manifest of an import: for each job, in the jobs' order, what names it to a person, and where in the feed it stands.

While a payload is built its entries are spooled in blocks, which costs a fifth of what a manifest's lines do; the lines
are made when the archive is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from isal import igzip
from pydantic_core import from_json, to_json

from jobferry.feeds.streams import CHUNK

#: Entries that are written at once, some 20 KB of them; and characters of their reference numbers, which have no limit.
_BLOCK: Final = 200
_CHARACTERS: Final = 1 << 16


class Entry(NamedTuple):
    """One job.

    Attributes:
        reference_number: the job's.
        title: the job's, cut, if it has one.
        key: the object that it is in.
        row: in that object.
    """

    reference_number: str
    title: str | None
    key: str
    row: int | None


class EntrySpool:
    """Entries on their way to a file of the disk; `read_entries` reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("wb", CHUNK)
        self._block: list[tuple[str, str | None, str, int | None]] = []
        self._characters = 0

    def add(self, reference_number: str, title: str | None, key: str, row: int | None) -> None:
        self._block.append((reference_number, title, key, row))
        self._characters += len(reference_number)
        if len(self._block) == _BLOCK or self._characters > _CHARACTERS:
            self._flush()

    def close(self) -> None:
        if not self._file.closed:
            self._flush()
            self._file.close()

    def _flush(self) -> None:
        self._file.write(to_json(self._block) + b"\n")
        self._block.clear()
        self._characters = 0


def read_entries(path: Path) -> Iterator[Entry]:
    """The entries of a spool."""
    for block in _read_blocks(path):
        yield from map(Entry._make, block)


def write_manifest(spool: Path, path: Path, compresslevel: int) -> None:
    """Writes a spool's entries as gzip JSON Lines, each `{"referenceNumber", "title", "key", "row"}`."""
    with igzip.open(path, "wb", compresslevel=compresslevel) as manifest:  # type: ignore[no-untyped-call]
        for block in _read_blocks(spool):  # gzip is slow to take lines one by one
            manifest.write(b"".join(map(_line, block)))


def _read_blocks(path: Path) -> Iterator[list[Any]]:
    with path.open("rb", CHUNK) as blocks:
        yield from map(from_json, blocks)


def read_manifest(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a manifest."""
    with igzip.open(path, "rb") as lines:  # type: ignore[no-untyped-call]
        yield from map(from_json, lines)


def _line(entry: Sequence[Any]) -> bytes:
    reference_number, title, key, row = entry
    return to_json({"referenceNumber": reference_number, "title": title, "key": key, "row": row}) + b"\n"
