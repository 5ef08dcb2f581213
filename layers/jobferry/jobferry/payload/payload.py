"""The result of building a feed: what will be sent, and what was found in its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from jobferry.feeds.streams import CHUNK
from jobferry.payload.problems import Problem, WarningGroup, parse_problem
from jobferry.payload.reference_set import ReferenceSet
from jobferry.payload.understanding import Understanding


class Part(NamedTuple):
    """One import: all jobs of a feed, or the next maxJobsPerImport of them.

    Attributes:
        jobs: their number.
        body: JSON Lines, one job on each line.
        archive: the same with gzip. Line n+1 is the board's index n.
        manifest: gzip JSON Lines, for each job in the same order `{"referenceNumber", "title", "key", "row", "line"}`.
    """

    jobs: int
    body: Path
    archive: Path
    manifest: Path

    @classmethod
    def empty(cls, directory: Path, name: str) -> Part:
        """Return a part without jobs, with the files of this name."""
        jobs = directory / f"{name}.jsonl"
        return cls(0, jobs, jobs.with_suffix(".jsonl.gz"), jobs.with_suffix(".manifest.jsonl.gz"))

    @property
    def entries(self) -> Path:
        """The manifest's entries before it is written."""
        return self.manifest.with_suffix("")


@dataclass
class Payload:
    """The result of building a feed.

    Attributes:
        parts: the imports in order; none if no job can be sent.
        sources: the objects: key, etag, stored bytes, rows, and how many valid rows have each of the board's fields.
        rows: the number of rows read. What looks like jobs but is not read counts as one.
        jobs: the number of jobs to send. In a full sync, this includes invalid ones.
        invalid: the number of rows with errors, whether they are sent or held back.
        warnings: the number of corrections and unusual values.
        warning_groups: the warnings by kind.
        problems: the spool of all problems; `read_problems` reads it.
        references: the reference numbers of the jobs to send.
        held: those of invalid jobs that are not sent. They are in the feed, so their postings stay.
        understanding: how well the feed's names are understood.
        unprotected: the number of rows that protect no posting: they cannot be sent, have no reference number or a garbled
            one, contradict another row, or have a spreadsheet's error, which the board would publish.
    """

    parts: list[Part]
    sources: list[dict[str, Any]]
    problems: Path
    references: ReferenceSet
    held: ReferenceSet = field(default_factory=ReferenceSet)
    rows: int = 0
    jobs: int = 0
    invalid: int = 0
    warnings: int = 0
    warning_groups: list[WarningGroup] = field(default_factory=list)
    understanding: Understanding = field(default_factory=Understanding)
    unprotected: int = 0

    @property
    def fields(self) -> dict[str, int]:
        """How many valid rows of the feed have each of the board's fields."""
        return dict(sum((Counter(source["fields"]) for source in self.sources), Counter[str]()))

    def read_jobs(self) -> Iterator[dict[str, Any]]:
        """Yield the jobs exactly as they would be sent."""
        for part in self.parts:
            with part.body.open("rb", CHUNK) as lines:
                yield from map(from_json, lines)

    def read_problems(self) -> Iterator[Problem]:
        """Yield all problems: first by row, then those about reference numbers."""
        with self.problems.open("rb") as lines:
            yield from map(parse_problem, lines)
