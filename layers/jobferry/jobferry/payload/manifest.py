"""The manifest of an import: for each job, in the jobs' order, its reference number, its title and its place in the feed.

While a payload is built, its entries are spooled as short lists. The manifest itself is written with the archive.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from isal import igzip
from pydantic_core import from_json, to_json

from jobferry.feeds.streams import CHUNK
from jobferry.payload.problems import RowPlace

#: isal's levels are 0 to 3. Level 1 compresses job texts as well as 2, and faster.
GZIP_LEVEL: Final = 1


class Entry(NamedTuple):
    """One job.

    Attributes:
        reference_number: the job's.
        title: the job's, cut, if it has one.
        key: the object that holds it.
        row: its row in that object.
        line: the line on which the row begins, where that helps to find it.
    """

    reference_number: str
    title: str | None
    key: str
    row: int | None
    line: int | None

    @property
    def place(self) -> RowPlace:
        return RowPlace(self.key, self.row, self.line)


class EntrySpool:
    """A file of entries while it is written; `read_entries` reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("wb", CHUNK)

    def add(self, reference_number: str, title: str | None, key: str, row: int | None, line: int | None) -> None:
        self._file.write(to_json((reference_number, title, key, row, line)) + b"\n")

    def close(self) -> None:
        self._file.close()


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a spool."""
    with path.open("rb", CHUNK) as lines:
        for line in lines:
            yield Entry(*from_json(line))


def write_manifest(spool: Path, path: Path) -> None:
    """Write a spool's entries as gzip JSON Lines, each `{"referenceNumber", "title", "key", "row", "line"}`."""
    with open_gzip(path) as manifest:
        for reference_number, title, key, row, line in read_entries(spool):
            entry = {"referenceNumber": reference_number, "title": title, "key": key, "row": row, "line": line}
            manifest.write(to_json(entry) + b"\n")


def read_manifest(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a manifest."""
    with igzip.open(path, "rb") as lines:  # type: ignore[no-untyped-call]
        yield from map(from_json, lines)


def open_gzip(path: Path) -> io.BufferedWriter:
    """Open a gzip file for writing. The buffer makes many short writes fast."""
    return io.BufferedWriter(igzip.open(path, "wb", compresslevel=GZIP_LEVEL), CHUNK)  # type: ignore[no-untyped-call]
