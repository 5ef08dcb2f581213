"""The jobs that failed in an import: what became of each, who says so, how many there are, and for which reasons.

There may be hundreds of thousands, so they are streamed. Only counts, reasons and the first of each kind are kept.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from itertools import chain
from typing import Final

from jobferry.notices.details import ImportDetails
from jobferry.records.failed_jobs import FailedJob
from jobferry.records.imports import Import
from jobferry.text import counted, one_line, row_place

#: Jobs and postings that a notice and the command line name.
NAMED: Final = 25
#: Where the board or a feed says nothing about a job.
NO_REASON: Final = "no reason was given"
_DISTINCT_REASONS: Final = 1000
_EXAMPLES: Final = 3

_VALUE: Final = re.compile(r"Value passed was:.*", re.DOTALL)
_QUOTED: Final = re.compile(r'"[^"]*"?|\d+')


class Verdict(StrEnum):
    """What became of a job, in the words that introduce its messages."""

    REFUSED = "The board says"
    REFUSED_UNCONFIRMED = "The callback says"
    HELD_BACK = "Not sent"
    ACCEPTED = "Looks wrong"

    @property
    def is_refusal(self) -> bool:
        """Tell whether the messages are the board's."""
        return self in (Verdict.REFUSED, Verdict.REFUSED_UNCONFIRMED)


class Group(Enum):
    """The groups in which jobs are listed."""

    NEW = "new"
    KNOWN = "known"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class Failure:
    """A job that failed, or that looks wrong although the board accepted it.

    Attributes:
        job: the job with the board's or jobferry's messages.
        verdict: what became of it.
        is_new: it did not fail at the last complete import.
        own_messages: what jobferry itself found before sending a job that the board refused.
    """

    job: FailedJob
    verdict: Verdict
    is_new: bool
    own_messages: list[str] = field(default_factory=list)

    @property
    def group(self) -> Group:
        if self.verdict is Verdict.ACCEPTED:
            return Group.ACCEPTED
        return Group.NEW if self.is_new else Group.KNOWN


@dataclass
class Reason:
    """Jobs that fail for one reason.

    Attributes:
        message: the message of the first of them.
        kind: what their messages have in common, see `kind_of`.
        identical: their messages do not differ.
        jobs: how many there are.
        first: the first of them.
    """

    message: str
    kind: str
    identical: bool = True
    jobs: int = 0
    first: list[FailedJob] = field(default_factory=list)


@dataclass
class Failures:
    """Counts of the jobs that failed, and the first of them.

    Attributes:
        refused: jobs that the board refused.
        held_back: jobs that were not sent.
        new: the jobs of both kinds that did not fail at the last complete import.
        known: the others of both kinds.
        accepted: jobs that look wrong, and that the board accepted.
        first_new: the first new ones.
        first_known: the first known ones.
        first_accepted: the first accepted ones.
        reasons: why jobs failed, the most frequent reason first.
        fixed: jobs that failed at the last complete import and no longer do; None if there is nothing to compare with.
    """

    refused: int = 0
    held_back: int = 0
    new: int = 0
    known: int = 0
    accepted: int = 0
    first_new: list[Failure] = field(default_factory=list)
    first_known: list[Failure] = field(default_factory=list)
    first_accepted: list[Failure] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    fixed: int | None = None

    @property
    def total(self) -> int:
        return self.refused + self.held_back

    @property
    def first(self) -> list[Failure]:
        """Return the failed jobs that a notice names, new ones first."""
        return [*self.first_new, *self.first_known][:NAMED]


def failures_of(details: ImportDetails) -> Iterator[Failure]:
    """Yield each job that failed, or that looks wrong although the board accepted it.

    With a full sync the board may have refused jobs in which jobferry had found errors, too. Those errors are then kept
    in memory: at most maxInvalidPercent of the feed.
    """
    record = details.record
    # With a full sync, invalid jobs are sent as well, so a job may be among both.
    own = {_identity(job): job.messages for job in details.invalid} if record.deletions.full_sync else {}
    verdict = Verdict.REFUSED if record.result.verified else Verdict.REFUSED_UNCONFIRMED
    refused = set()
    for job in details.failed:
        identity = _identity(job)
        if identity in own:
            refused.add(identity)
        yield Failure(job, verdict, _is_new(record, job), own.get(identity, []))
    for job in details.invalid:
        if _identity(job) not in refused:
            accepted = record.result.counts is not None and job.sent
            yield Failure(job, Verdict.ACCEPTED if accepted else Verdict.HELD_BACK, _is_new(record, job))


def count_failures(details: ImportDetails) -> Failures:
    """Count an import's failed jobs, and keep the first of each kind."""
    found = Failures()
    reasons: dict[str, Reason] = {}
    for failure in failures_of(details):
        if failure.verdict is Verdict.ACCEPTED:
            found.accepted += 1
            first = found.first_accepted
        else:
            found.refused += failure.verdict.is_refusal
            found.held_back += failure.verdict is Verdict.HELD_BACK
            found.new += failure.is_new
            found.known += not failure.is_new
            first = found.first_new if failure.is_new else found.first_known
            _add_reasons(reasons, failure.job)
        if len(first) < NAMED:
            first.append(failure)
    found.reasons = sorted(reasons.values(), key=lambda each: -each.jobs)
    if details.previously is not None:
        fixed = set(details.previously)
        if fixed:
            fixed.difference_update(job.identity for job in chain(details.failed, details.invalid))
        found.fixed = len(fixed)
    return found


def tell_unnamed(record: Import, failures: Failures) -> str | None:
    """Say how many failed jobs the board counts without naming them; None if it names all."""
    number = record.result.count("failed") - failures.refused
    jobs = "more failed job" if failures.refused else "failed job"
    return f"the board counts {counted(number, jobs)}, but does not say which." if number > 0 else None


def kind_of(message: str) -> str:
    """Return a message without the values that it quotes."""
    return _QUOTED.sub("…", _VALUE.sub("", message[:400]).rstrip())[:200]


def join_messages(messages: Iterable[str], limit: int) -> str:
    """Join a job's messages into one line; empty if there are none."""
    return one_line("; ".join(text[: limit * 4] for text in messages), limit)


def file_name(job: FailedJob, limit: int) -> str:
    """Return the name of a job's object without the prefix that all have, its end if it is too long."""
    if job.key is None:
        return f"job {job.number + 1:,} of the list as sent"
    name = one_line(re.sub(r"^feeds/[^/]*/", "", job.key), 1024)
    return name if len(name) <= limit else f"…{name[1 - limit :]}"


def place(job: FailedJob, limit: int) -> str:
    """Return where in the feed a job is: the object's name and the row."""
    return row_place(file_name(job, limit), None if job.key is None else job.row, job.line)


def _is_new(record: Import, job: FailedJob) -> bool:
    return job.since is None or job.since >= record.created_at


def _identity(job: FailedJob) -> object:
    return job.identity if job.key is None or job.row is None else (job.key, job.row)


def _add_reasons(reasons: dict[str, Reason], job: FailedJob) -> None:
    for message in dict.fromkeys(job.messages or [NO_REASON]):
        kind = kind_of(message)
        reason = reasons.get(kind)
        if reason is None:
            if len(reasons) >= _DISTINCT_REASONS:
                kind, message = "", "other reasons"
            reason = reasons.setdefault(kind, Reason(message, kind))
        reason.identical = reason.identical and reason.message == message
        reason.jobs += 1
        if len(reason.first) < _EXAMPLES:
            reason.first.append(job)
