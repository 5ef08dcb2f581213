"""The report of an import that has ended: a page for people, and a table for their spreadsheets.

Both are beside the archive, `archive/{feed}/{importId}.report.html` and `.report.csv`, and need nothing but themselves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from isal import igzip
from pydantic_core import from_json

from jobferry.notices.advice import Stack
from jobferry.notices.findings import Findings
from jobferry.notices.report.page import html, html_key
from jobferry.notices.report.table import csv, csv_key
from jobferry.records.imports import Import, Posting

__all__ = ["Archive", "Files", "Links", "csv", "csv_key", "html", "html_key", "read_deletes", "store", "write"]

#: How long a link works at most. It ends with the credentials that signed it, if they end before: a function's are
#: renewed every few hours, and nobody says when: https://repost.aws/knowledge-center/presigned-url-s3-bucket-expiration
LINKED: Final = timedelta(hours=12)


class Archive(Protocol):
    """Where the report goes, and where the list of deletions is."""

    def fetch(self, key: str, path: Path) -> bool:
        """Fetches an object into a file; False when it is gone."""
        ...

    def store(self, key: str, path: Path, content_type: str) -> None: ...

    def link(self, key: str, time: timedelta) -> str:
        """A URL with which anybody can read the object for so long, at most."""
        ...


class Files(NamedTuple):
    """The two parts of a report."""

    html: Path
    csv: Path


@dataclass(frozen=True)
class Links:
    """Where a stored report is. The URLs open it for whoever has them: they belong into a notice, and into no log.

    Attributes:
        html, csv: the URLs, which work until `until` at most.
        html_key, csv_key: the objects, which stay as long as the archive.
    """

    html: str
    csv: str
    until: datetime
    html_key: str
    csv_key: str


def write(findings: Findings, archive: Archive, stack: Stack, directory: Path) -> Files:
    """Writes both parts into a directory. However many jobs failed, they are streamed.

    Args:
        findings: the import.
        archive: has the list of deletions.
        stack: names for the commands that the page shows.
        directory: where the files go, `report.html` and `report.csv`.
    """
    files = Files(directory / "report.html", directory / "report.csv")
    deletes = read_deletes(archive, findings.record, directory)
    for path, texts in ((files.html, html(findings, deletes, stack)), (files.csv, csv(findings))):
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(texts)
    return files


def store(findings: Findings, archive: Archive, stack: Stack, now: datetime) -> Links:
    """Writes the report, stores it beside the archive, and returns where it is."""
    record = findings.record
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        files = write(findings, archive, stack, Path(directory))
        archive.store(html_key(record), files.html, "text/html; charset=utf-8")
        archive.store(csv_key(record), files.csv, "text/csv; charset=utf-8")
    return Links(
        html=archive.link(html_key(record), LINKED),
        csv=archive.link(csv_key(record), LINKED),
        until=now + LINKED,
        html_key=html_key(record),
        csv_key=csv_key(record),
    )


def read_deletes(archive: Archive, record: Import, directory: Path) -> Iterable[Posting]:
    """The postings that go, or were withheld: all of them, or the first when the archive has them no more."""
    if not (record.deletions.expected or record.deletions.withheld) or record.prepared.deletes is None:
        return record.deletions.postings
    path = directory / "deletes.jsonl.gz"
    return _postings(path) if archive.fetch(record.prepared.deletes, path) else record.deletions.postings


def _postings(path: Path) -> Iterator[Posting]:
    with igzip.open(path, "rb") as lines:  # type: ignore[no-untyped-call]
        for line in lines:
            yield Posting.model_validate(from_json(line))
