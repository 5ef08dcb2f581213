"""The jobs that failed in an import, as a person wants to hear of them: by reason, new or known, the first of them.

There may be hundreds of thousands, so they are streamed: what is kept is counts, reasons and the first of each sort.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from jobferry.records.failed_jobs import FailedJob
from jobferry.records.imports import Import
from jobferry.text import plain

#: Jobs that a notice names.
SHOWN: Final = 25
#: Reasons that a notice names, and those that are told apart at all.
REASONS_SHOWN: Final = 10
_REASONS: Final = 1000
_EXAMPLES: Final = 3

_VALUE: Final = re.compile(r"\s*Value passed was:.*", re.DOTALL)
_QUOTED: Final = re.compile(r'"[^"]*"?|\d+')


@dataclass
class Failing:
    """A job that failed.

    Attributes:
        job: with the board's words, or with ours when it was held back.
        by_board: the words are the board's.
        found: what we had found before sending, when the words are the board's.
        new: it did not fail at the last complete import.
        taken: it has not failed: it looks wrong to us, and the board took it.
    """

    job: FailedJob
    by_board: bool
    new: bool
    found: list[str] = field(default_factory=list)
    taken: bool = False


@dataclass
class Reason:
    """Jobs that fail for one reason.

    Attributes:
        message: of the first of them.
        kind: what their messages have in common, see `kind_of`.
        alike: their messages are the same to the letter.
        jobs: how many.
        first: the first of them.
    """

    message: str
    kind: str
    alike: bool = True
    jobs: int = 0
    first: list[FailedJob] = field(default_factory=list)


@dataclass
class Failures:
    """What there is to tell about the jobs that failed.

    Attributes:
        by_board: jobs that the board refused, held: jobs that were not sent; new and still: the same jobs, parted anew.
        first_new, first_still: the first of them.
        taken: jobs that look wrong to us, and that the board took; first_taken: the first of them.
        reasons: the most frequent first.
        mended: jobs that failed at the last complete import and do not now; None: nobody can say.
    """

    by_board: int = 0
    held: int = 0
    new: int = 0
    still: int = 0
    first_new: list[Failing] = field(default_factory=list)
    first_still: list[Failing] = field(default_factory=list)
    taken: int = 0
    first_taken: list[Failing] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    mended: int | None = None

    @property
    def total(self) -> int:
        return self.by_board + self.held

    @property
    def first(self) -> list[Failing]:
        """The jobs that a notice names, new ones first."""
        return [*self.first_new, *self.first_still][:SHOWN]


def collect(
    record: Import, failed: Iterable[FailedJob], invalid: Iterable[FailedJob], previously: Iterable[str] | None
) -> Failures:
    """Goes through an import's failed jobs once.

    Args:
        record: the import.
        failed: what the board refused.
        invalid: what was found before sending; with a full sync, some of that was sent all the same.
        previously: identities of the jobs that failed at the last complete import; None when nobody can say.
    """
    found = Failures()
    reasons: dict[str, Reason] = {}
    left = None if previously is None else set(previously)
    refused: dict[object, Failing | None] = {}
    for job in failed:
        failing = Failing(job, by_board=True, new=_is_new(record, job))
        found.by_board += 1
        shown = _add(found, reasons, failing)
        if record.deletions.full_sync:
            refused[_identity(job)] = failing if shown else None
        if left:
            left.discard(job.identity)
    for job in invalid:
        if left:
            left.discard(job.identity)
        if record.deletions.full_sync and _identity(job) in refused:
            if known := refused[_identity(job)]:
                known.found = job.messages
            continue
        failing = Failing(job, by_board=False, new=_is_new(record, job))
        if record.result.counts is not None and job.sent:
            found.taken += 1
            if found.taken <= SHOWN:
                found.first_taken.append(failing)
            continue
        found.held += 1
        _add(found, reasons, failing)
    found.reasons = sorted(reasons.values(), key=lambda each: -each.jobs)
    found.mended = None if left is None else len(left)
    return found


def failing_jobs(record: Import, failed: Iterable[FailedJob], invalid: Iterable[FailedJob]) -> Iterator[Failing]:
    """Each of the jobs that `collect` counts, with what both sides say of it.

    What was found before sending is kept in memory for a full sync, when the board may have refused the same jobs: a
    fifth of the feed at most, unless its maxInvalidPercent allows more.

    Args:
        record: the import.
        failed: what the board refused.
        invalid: what was found before sending. It is gone through twice.
    """
    found = {_identity(job): job.messages for job in invalid} if record.deletions.full_sync else {}
    refused = set()
    for job in failed:
        identity = _identity(job)
        if identity in found:
            refused.add(identity)
        yield Failing(job, by_board=True, new=_is_new(record, job), found=found.get(identity, []))
    for job in invalid:
        if _identity(job) not in refused:
            taken = record.result.counts is not None and job.sent
            yield Failing(job, by_board=False, new=_is_new(record, job), taken=taken)


def kind_of(message: str) -> str:
    """A message without the values that it quotes: what it has in common with those of other jobs."""
    return _QUOTED.sub("…", _VALUE.sub("", message[:400]))[:200]


def said(messages: Iterable[str], limit: int) -> str:
    """Join what is said of a job into one line; empty if nothing is said."""
    return plain("; ".join(text[: limit * 4] for text in messages), limit)


def place(job: FailedJob, limit: int) -> str:
    """Where in the feed a job is: the object without the prefix that all have, in so many characters, and the row."""
    if job.key is None:
        return f"job {job.number + 1:,} of the list as sent"
    name = plain(re.sub(r"^feeds/[^/]*/", "", job.key), 1024)
    shown = name if len(name) <= limit else f"…{name[1 - limit :]}"
    return shown if job.row is None else f"{shown} row {job.row}"


def _is_new(record: Import, job: FailedJob) -> bool:
    return job.since is None or job.since >= record.created_at


def _identity(job: FailedJob) -> object:
    return job.identity if job.key is None or job.row is None else (job.key, job.row)


def _add(found: Failures, reasons: dict[str, Reason], failing: Failing) -> bool:
    """Counts a job. Whether it is one of the first."""
    for message in dict.fromkeys(failing.job.messages or ["no reason was given"]):
        kind = kind_of(message)
        reason = reasons.get(kind)
        if reason is None:
            if len(reasons) >= _REASONS:
                kind, message = "", "other reasons"
            reason = reasons.setdefault(kind, Reason(message, kind))
        reason.alike = reason.alike and reason.message == message
        reason.jobs += 1
        if len(reason.first) < _EXAMPLES:
            reason.first.append(failing.job)
    if failing.new:
        found.new += 1
        first = found.first_new
    else:
        found.still += 1
        first = found.first_still
    if len(first) < SHOWN:
        first.append(failing)
        return True
    return False
