"""The files and counts of a payload while it is built. Jobs with repeated reference numbers are resolved at its end."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic_core import to_json

from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import CHUNK
from jobferry.jobs.job_reader import JobResult
from jobferry.jobs.warnings import RowWarning
from jobferry.payload.field_counts import FieldCounts
from jobferry.payload.manifest import Entry, EntrySpool, read_entries
from jobferry.payload.payload import Part, Payload
from jobferry.payload.problems import Problem, RowPlace, WarningGroup, parse_problem
from jobferry.payload.reference_set import ReferenceSet
from jobferry.payload.repeated import Repeated

#: Characters of a title in a manifest, a problem or a notice.
_MAX_TITLE: Final = 200
#: Kinds of warnings that are counted separately. All others are counted together.
_MAX_WARNING_GROUPS: Final = 200


class Spool:
    """The files and counts of a payload while it is built."""

    def __init__(self, settings: FeedSettings, directory: Path) -> None:
        self._directory = directory
        self._limit = settings.max_jobs_per_import
        self._sends_invalid = settings.full_sync
        self._groups: dict[tuple[str, ...], WarningGroup] = {}
        self.fields = FieldCounts()
        self._part = Part.empty(directory, "jobs")
        self._jobs = self._part.body.open("wb", CHUNK)
        self._entries = EntrySpool(self._part.entries)
        #: The entries of invalid rows that are not sent. Their reference numbers still are in the feed.
        self._held = EntrySpool(directory / "held.jsonl")
        self._problems = (directory / "problems.jsonl").open("wb", CHUNK)
        #: The positions, from 0, of invalid jobs that are sent.
        self._invalid_jobs = array("Q")
        self.payload = Payload([], [], directory / "problems.jsonl", ReferenceSet())

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._jobs, self._entries, self._held, self._problems):
            file.close()

    def job(self, reference: str, title: str | None, body: bytes, key: str, row: int | None, line: int | None) -> None:
        """Spool a job that will be sent."""
        self.payload.jobs += 1
        self.payload.references.add(reference)
        self._jobs.write(body)
        self._jobs.write(b"\n")  # concatenated, the job would be copied
        self._entries.add(reference, title and title[:_MAX_TITLE], key, row, line)

    def invalid(self, result: JobResult, place: RowPlace) -> None:
        """Spool a row that a person has to fix. In a full sync its job is sent all the same, so that the board refuses it."""
        reference, title = _text(result.job, "referenceNumber"), _text(result.job, "title")
        title = title and title[:_MAX_TITLE]
        problem = Problem(place, tuple(result.errors), reference, title)
        if reference is None or not result.identified:
            self._problem(problem, protected=False)
        elif self._sends_invalid and result.refusable:
            self._problem(problem._replace(sent=True))
            self._invalid_jobs.append(self.payload.jobs)
            self.job(reference, title, result.body, *place)
        else:
            self._problem(problem, protected=not self._sends_invalid)
            self._held.add(reference, title, *place)
            if not self._sends_invalid:
                self.payload.held.add(reference)

    def unreadable(self, place: RowPlace, message: str) -> None:
        """Record a row, or what else an object holds, that cannot be sent at all."""
        subject = "the row"
        if place.row is None:
            subject = "the object"
            self.payload.rows += 1
        self._problem(Problem(place, (f"{subject} {message}",)), protected=False)

    def warn(self, place: RowPlace, warned: RowWarning) -> None:
        self.payload.warnings += 1
        group = self._groups.get(warned.group)
        if group is None:
            if len(self._groups) >= _MAX_WARNING_GROUPS:
                group = self._groups.setdefault((), WarningGroup("other warnings", 0, place))
            else:
                group = self._groups[warned.group] = WarningGroup(warned.message, 0, place, warned.adjusted)
        group.count += 1

    def finish(self) -> Payload:
        """Resolve repeated reference numbers and make the parts."""
        for file in (self._jobs, self._entries, self._held):
            file.close()
        repeated = self._repeated()
        if repeated or (self._limit is not None and self.payload.jobs > self._limit):
            self._rewrite(repeated)
        elif self.payload.jobs:
            self.payload.parts.append(self._part._replace(jobs=self.payload.jobs))
        self._problems.close()
        self.payload.warning_groups = sorted(self._groups.values(), key=lambda each: -each.count)
        return self.payload

    def _repeated(self) -> dict[str, Repeated]:
        """Return the reference numbers that several rows have. Equal hashes select candidates; their texts are compared."""
        suspects = self.payload.references.repeated()
        for entry in read_entries(self._held.path):
            if entry.reference_number in self.payload.references:
                suspects.add(entry.reference_number)
        found: dict[str, Repeated] = {}
        if not len(suspects):
            return found
        for entry, body in self._read_jobs():
            if entry.reference_number in suspects:
                found.setdefault(entry.reference_number, Repeated()).add(entry, body)
        for entry in read_entries(self._held.path):
            if entry.reference_number in found:
                found[entry.reference_number].add(entry, None)
        return {reference: each for reference, each in found.items() if each.count > 1}

    def _rewrite(self, repeated: dict[str, Repeated]) -> None:
        """Copy the jobs into parts, without those that contradict or repeat another."""
        payload = self.payload
        payload.references.discard({reference for reference, each in repeated.items() if each.differ})
        payload.jobs = 0
        invalid = iter(self._invalid_jobs)
        next_invalid = next(invalid, None)
        sent: set[str] = set()
        amended: dict[RowPlace, str] = {}
        with PartFiles(self._directory, self._limit) as parts:
            for index, (entry, body) in enumerate(self._read_jobs()):
                is_invalid = index == next_invalid
                next_invalid = next(invalid, None) if is_invalid else next_invalid
                reference, place = entry.reference_number, entry.place
                group = repeated.get(reference)
                if group is not None and group.differ:
                    message = group.contradiction(reference)
                    if is_invalid:
                        amended[place] = message
                        payload.unprotected += 1
                    else:
                        self._problem(Problem(place, (message,), reference, entry.title), protected=False)
                elif group is not None and reference in sent:
                    self.warn(place, group.repetition(reference))
                else:
                    if group is not None:
                        sent.add(reference)
                    parts.add(body, entry)
                    payload.jobs += 1
            payload.parts = parts.parts
        self._part.body.unlink()
        self._entries.path.unlink()
        if amended:
            self._amend(amended)

    def _amend(self, messages: dict[RowPlace, str]) -> None:
        """Add these messages to the rows' problems: an invalid row was to be sent, and now is not."""
        self._problems.close()
        before = self.payload.problems.rename(self._directory / "problems.before")
        self._problems = self.payload.problems.open("wb", CHUNK)
        with before.open("rb", CHUNK) as lines:
            for line in lines:
                problem = parse_problem(line)
                if message := messages.get(problem.place):
                    problem = problem._replace(messages=(*problem.messages, message), sent=False)
                self._problems.write(to_json(problem) + b"\n")
        before.unlink()

    def _problem(self, problem: Problem, *, protected: bool = True) -> None:
        """Record a problem, the only one of its row."""
        self.payload.invalid += 1
        if not protected:
            self.payload.unprotected += 1
        self._problems.write(to_json(problem) + b"\n")

    def _read_jobs(self) -> Iterator[tuple[Entry, bytes]]:
        """Yield the spooled jobs' entries and their bodies with the line feed."""
        with self._part.body.open("rb", CHUNK) as jobs:
            yield from zip(read_entries(self._entries.path), jobs, strict=True)


class PartFiles:
    """The parts while they are written one after the other."""

    def __init__(self, directory: Path, limit: int | None) -> None:
        self._directory = directory
        self._limit = limit
        self._files: tuple[BinaryIO, EntrySpool] | None = None
        self.parts: list[Part] = []

    def __enter__(self) -> PartFiles:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files or ():
            file.close()

    def add(self, body: bytes, entry: Entry) -> None:
        if self._files is None or self.parts[-1].jobs == self._limit:
            self.__exit__()
            part = Part.empty(self._directory, f"part-{len(self.parts) + 1}")
            self._files = part.body.open("wb", CHUNK), EntrySpool(part.entries)
            self.parts.append(part)
        jobs, entries = self._files
        jobs.write(body)
        entries.add(*entry)
        self.parts[-1] = self.parts[-1]._replace(jobs=self.parts[-1].jobs + 1)


def _text(job: Mapping[str, Any], name: str) -> str | None:
    value = job.get(name)
    return value if isinstance(value, str) else None
