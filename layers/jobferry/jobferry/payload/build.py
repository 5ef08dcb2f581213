"""Build a request's payload from a feed's objects: the checked jobs, in files.

Everything is streamed. `build` reads each row once and spools the jobs as they will be sent, their entries and the
problems. Only a feed with repeated reference numbers needs a second pass to resolve them. Then the parts are compressed
for the archive.
"""

from __future__ import annotations

import errno
import shutil
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from pydantic_core import from_json, to_json

from jobferry.errors import FeedMissingError, FeedTooLargeError
from jobferry.exact_json import EncodingError, ObjectError
from jobferry.feeds.objects import FeedObject, FeedReader, read_rows
from jobferry.feeds.rows import FeedWarning, Row, RowWithWarning, TableHeader, UnreadableRow
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import CHUNK, Allowance, encoding_error
from jobferry.jobs.job_reader import JobReader, JobResult
from jobferry.jobs.vocabulary import NOTHING_LISTED, Vocabulary
from jobferry.jobs.warnings import RowWarning
from jobferry.payload.field_counts import FieldCounts
from jobferry.payload.manifest import Entry, EntrySpool, open_gzip, read_entries, write_manifest
from jobferry.payload.problems import Problem, Source, WarningGroup
from jobferry.payload.reference_set import ReferenceSet
from jobferry.payload.repeated import Repeated
from jobferry.payload.understanding import Understanding, understand

#: Characters of a title in a manifest, a problem or a notice.
MAX_TITLE: Final = 200
#: Kinds of warnings that are counted separately. All others are counted together.
_MAX_WARNING_GROUPS: Final = 200


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
            yield from map(_parse_problem, lines)


def build(
    objects: Sequence[FeedObject],
    reader: FeedReader,
    settings: FeedSettings,
    directory: Path,
    vocabulary: Vocabulary = NOTHING_LISTED,
) -> Payload:
    """Read the feed's objects in key order and write what will be sent into `directory`.

    Whether a feed with this many invalid jobs may be sent is decided in `sendable`.

    Args:
        objects: the feed's objects.
        reader: opens them.
        settings: the feed's settings.
        directory: an empty folder.
        vocabulary: the terms that the board documents; other terms get a warning.

    Raises:
        FeedMissingError: there is no object.
        FeedUnreadableError: an object cannot be read to its end.
        FeedTooLargeError: more than maxFeedBytes, or than fits on the disk.
    """
    if not objects:
        raise FeedMissingError(
            "the feed's folder has no feed file. feed.json, and hidden or unfinished files such as .jobs.csv, "
            "_jobs.csv and jobs.csv.part, do not count"
        )
    try:
        payload = spool(objects, reader, settings, directory, vocabulary)
        for part in payload.parts:
            pack(part)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise FeedTooLargeError(
                "the feed does not fit on the function's disk (/tmp): give SubmitImport more ephemeral storage, or "
                "export less"
            ) from error
        raise
    return payload


def spool(
    objects: Sequence[FeedObject],
    reader: FeedReader,
    settings: FeedSettings,
    directory: Path,
    vocabulary: Vocabulary = NOTHING_LISTED,
) -> Payload:
    """Build the payload without its archives, which a request does not need."""
    with _Spool(settings, directory) as spooled:
        rows = JobReader(settings, vocabulary)
        allowance = Allowance(settings.max_feed_bytes)
        for obj in sorted(objects, key=lambda each: each.key):
            rows.names.begin()
            with reader.open_object(obj) as stream:
                count = _read_object(obj.key, read_rows(obj, stream, settings, allowance), rows, spooled)
            spooled.payload.rows += count
            source = {"key": obj.key, "etag": obj.etag, "bytes": obj.size, "rows": count}
            spooled.payload.sources.append(source | {"fields": spooled.fields.take()})
        spooled.payload.understanding = understand(spooled.fields, rows.names, settings)
        return spooled.finish()


def pack(part: Part) -> None:
    """Write the part's archive and its manifest."""
    with part.body.open("rb") as body, open_gzip(part.archive) as archive:
        shutil.copyfileobj(body, archive, CHUNK)
    entries = _spooled(part.manifest)
    write_manifest(entries, part.manifest)
    entries.unlink()


def _read_object(key: str, rows: Iterator[Row], reader: JobReader, spooled: _Spool) -> int:
    """Spool an object's rows and count them."""
    count = 0
    for number, line, row in rows:
        if isinstance(row, TableHeader):
            reader.names.begin(row.names)
            for warning in reader.names.take_warnings():
                spooled.warn(Source(key, number, line), warning)
            continue
        if isinstance(row, FeedWarning):
            spooled.warn(Source(key, number, line), RowWarning(("feed", row.message), row.message))
            continue
        count += number is not None
        if isinstance(row, UnreadableRow):
            spooled.unreadable(Source(key, number, line), row.message)
            continue
        if isinstance(row, RowWithWarning):
            spooled.warn(Source(key, number, line), RowWarning(("row", row.message[:20]), f"a row {row.message}"))
            row = row.fields
        try:
            result = reader.read(row)
        except EncodingError as error:
            raise encoding_error(key, error.reason.start, error.reason, "UTF-8", number) from error
        except ObjectError as error:
            spooled.unreadable(Source(key, number, line), str(error))
            continue
        for warning in result.warnings:
            spooled.warn(Source(key, number, line), warning)
        if result.errors:
            spooled.fields.add_invalid(result.job, result.names)
            spooled.invalid(result, Source(key, number, line))
        else:
            spooled.fields.add(job := result.job, result.names)
            spooled.job(job["referenceNumber"], job.get("title"), result.body, key, number, line)
    return count


class _Spool:
    """The files and counts of a payload while it is built."""

    def __init__(self, settings: FeedSettings, directory: Path) -> None:
        self._directory = directory
        self._limit = settings.max_jobs_per_import
        self._sends_invalid = settings.full_sync
        self._groups: dict[tuple[str, ...], WarningGroup] = {}
        self.fields = FieldCounts()
        self._part = Part.empty(directory, "jobs")
        self._jobs = self._part.body.open("wb", CHUNK)
        self._entries = EntrySpool(_spooled(self._part.manifest))
        #: The entries of invalid rows that are not sent. Their reference numbers still are in the feed.
        self._held = EntrySpool(directory / "held.jsonl")
        self._problems = (directory / "problems.jsonl").open("wb", CHUNK)
        #: The positions, from 0, of invalid jobs that are sent.
        self._invalid_jobs = array("Q")
        self.payload = Payload([], [], directory / "problems.jsonl", ReferenceSet())

    def __enter__(self) -> _Spool:
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
        self._entries.add(reference, title and title[:MAX_TITLE], key, row, line)

    def invalid(self, result: JobResult, source: Source) -> None:
        """Spool a row that a person has to fix. In a full sync its job is sent all the same, so that the board refuses it."""
        reference, title = _text(result.job, "referenceNumber"), _text(result.job, "title")
        title = title and title[:MAX_TITLE]
        problem = Problem(source, tuple(result.errors), reference, title)
        if reference is None or not result.identified:
            self._problem(problem, protected=False)
        elif self._sends_invalid and result.refusable:
            self._problem(problem._replace(sent=True))
            self._invalid_jobs.append(self.payload.jobs)
            self.job(reference, title, result.body, *source)
        else:
            self._problem(problem, protected=not self._sends_invalid)
            self._held.add(reference, title, *source)
            if not self._sends_invalid:
                self.payload.held.add(reference)

    def unreadable(self, source: Source, message: str) -> None:
        """Record a row, or what else an object holds, that cannot be sent at all."""
        subject = "the row"
        if source.row is None:
            subject = "the object"
            self.payload.rows += 1
        self._problem(Problem(source, (f"{subject} {message}",)), protected=False)

    def warn(self, source: Source, warned: RowWarning) -> None:
        self.payload.warnings += 1
        group = self._groups.get(warned.group)
        if group is None:
            if len(self._groups) >= _MAX_WARNING_GROUPS:
                group = self._groups.setdefault((), WarningGroup("other warnings", 0, source))
            else:
                group = self._groups[warned.group] = WarningGroup(warned.message, 0, source, warned.adjusted)
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
        amended: dict[Source, str] = {}
        with _Parts(self._directory, self._limit) as parts:
            for index, (entry, body) in enumerate(self._read_jobs()):
                is_invalid = index == next_invalid
                next_invalid = next(invalid, None) if is_invalid else next_invalid
                reference, source = entry.reference_number, entry.source
                group = repeated.get(reference)
                if group is not None and group.differ:
                    message = group.contradiction(reference)
                    if is_invalid:
                        amended[source] = message
                        payload.unprotected += 1
                    else:
                        self._problem(Problem(source, (message,), reference, entry.title), protected=False)
                elif group is not None and reference in sent:
                    self.warn(source, group.repetition(reference))
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

    def _amend(self, messages: dict[Source, str]) -> None:
        """Add these messages to the rows' problems: an invalid row was to be sent, and now is not."""
        self._problems.close()
        before = self.payload.problems.rename(self._directory / "problems.before")
        self._problems = self.payload.problems.open("wb", CHUNK)
        with before.open("rb", CHUNK) as lines:
            for line in lines:
                problem = _parse_problem(line)
                if message := messages.get(problem.source):
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


class _Parts:
    """The parts while they are written one after the other."""

    def __init__(self, directory: Path, limit: int | None) -> None:
        self._directory = directory
        self._limit = limit
        self._files: tuple[BinaryIO, EntrySpool] | None = None
        self.parts: list[Part] = []

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files or ():
            file.close()

    def add(self, body: bytes, entry: Entry) -> None:
        if self._files is None or self.parts[-1].jobs == self._limit:
            self.__exit__()
            part = Part.empty(self._directory, f"part-{len(self.parts) + 1}")
            self._files = part.body.open("wb", CHUNK), EntrySpool(_spooled(part.manifest))
            self.parts.append(part)
        jobs, entries = self._files
        jobs.write(body)
        entries.add(*entry)
        self.parts[-1] = self.parts[-1]._replace(jobs=self.parts[-1].jobs + 1)


def _parse_problem(line: bytes) -> Problem:
    source, messages, *others = from_json(line)
    return Problem(Source(*source), tuple(messages), *others)


def _text(job: Mapping[str, Any], name: str) -> str | None:
    value = job.get(name)
    return value if isinstance(value, str) else None


def _spooled(manifest: Path) -> Path:
    """Return the path of a manifest's entries before it is written."""
    return manifest.with_suffix("")
