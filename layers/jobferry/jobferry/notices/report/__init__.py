"""The report of an import that has ended: a page for people, and a table for their spreadsheets.

Both are stored beside the archive, as `archive/{feed}/{importId}.report.html` and `.report.csv`, and need no other file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from isal import igzip
from pydantic_core import from_json

from jobferry.notices.report.csv_table import csv
from jobferry.notices.report.page import html
from jobferry.notices.view import ImportView
from jobferry.records.archive import csv_key, deletion_list_key, html_key
from jobferry.records.imports import Import, Posting
from jobferry.workspace import workspace

__all__ = [
    "Links",
    "ReportArchive",
    "ReportFiles",
    "csv",
    "html",
    "read_deletes",
    "store",
    "write",
]

#: The longest time that a link works. It ends earlier with the credentials that signed it: a function's are renewed every
#: few hours, at an unknown time: https://repost.aws/knowledge-center/presigned-url-s3-bucket-expiration
LINKED: Final = timedelta(hours=12)


class ReportArchive(Protocol):
    """Where reports are stored, and where the list of deletions is."""

    def fetch(self, key: str, path: Path) -> bool:
        """Fetch an object into a file; False if the object is gone."""

    def store(self, key: str, path: Path, content_type: str) -> None:
        """Store a file."""

    def link(self, key: str, time: timedelta) -> str:
        """Return a URL with which anyone can read the object for this time at most."""


class ReportFiles(NamedTuple):
    """The two parts of a report."""

    html: Path
    csv: Path


@dataclass(frozen=True)
class Links:
    """Where a stored report is. The URLs open it for anyone: they belong into a notice, and never into a log.

    Attributes:
        html: the page's URL.
        csv: the table's URL.
        until: when the URLs stop working at the latest.
        html_key: the page's object, which stays as long as the archive.
        csv_key: the table's object.
    """

    html: str
    csv: str
    until: datetime
    html_key: str
    csv_key: str


def write(view: ImportView, archive: ReportArchive, directory: Path) -> ReportFiles:
    """Write both parts into a directory, as `report.html` and `report.csv`. The archive has the list of deletions."""
    files = ReportFiles(directory / "report.html", directory / "report.csv")
    deletes = read_deletes(archive, view.record, directory)
    for path, texts in ((files.html, html(view, deletes)), (files.csv, csv(view))):
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(texts)
    return files


def store(view: ImportView, archive: ReportArchive, now: datetime) -> Links:
    """Write the report, store it beside the archive, and return where it is."""
    record = view.record
    with workspace() as directory:
        files = write(view, archive, directory)
        archive.store(html_key(record), files.html, "text/html; charset=utf-8")
        archive.store(csv_key(record), files.csv, "text/csv; charset=utf-8")
    return Links(
        html=archive.link(html_key(record), LINKED),
        csv=archive.link(csv_key(record), LINKED),
        until=now + LINKED,
        html_key=html_key(record),
        csv_key=csv_key(record),
    )


def read_deletes(archive: ReportArchive, record: Import, directory: Path) -> Iterable[Posting]:
    """Return the postings that are deleted or withheld: all, or the first ones if the archive no longer has the list."""
    key, path = deletion_list_key(record.prepared), directory / "deletes.jsonl.gz"
    if not (record.deletions.expected or record.deletions.withheld) or key is None or not archive.fetch(key, path):
        return record.deletions.postings
    # If a part of the list was withheld, what was deleted before that is no part of it.
    return islice(_postings(path), record.deletions.deleted if record.deletions.withheld else 0, None)


def _postings(path: Path) -> Iterator[Posting]:
    with igzip.open(path, "rb") as lines:  # type: ignore[no-untyped-call]
        for line in lines:
            yield Posting.model_validate(from_json(line))
