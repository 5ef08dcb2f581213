"""The outcome of an import: in words for people, as data for programs, as an exit status for scripts."""

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any, Final, Protocol

from jobferry.notices.advice.topics import ENDED, Topic, topics
from jobferry.records.failed_jobs import FailedJob
from jobferry.records.imports import LAMBDA_RETRIES, Import, State, part_id
from jobferry.text import counted

#: Exit statuses: all is well; something needs to be fixed, or did not work; it cannot be done, or was not understood.
FINE, NEEDS_FIXING, CANNOT = 0, 1, 2

#: The states in which nothing more happens by itself.
FINAL: Final = ENDED | {State.SKIPPED}
#: What people are told although nothing is wrong.
_GOOD_NEWS: Final = frozenset({Topic.SUCCESS, Topic.LATE, Topic.FIRST, Topic.DELETED})
#: The members of a record that only jobferry itself needs.
_INTERNAL: Final = {"revision", "claimedBy", "claimedUntil", "polledAt", "open"}


class RecordSource(Protocol):
    """Where the records are."""

    def get(self, import_id: str) -> Import | None:
        """Return an import's record; None if there is none."""


def exit_status(record: Import, *, corrected: bool = False) -> int:
    """Return FINE if this import did what it should.

    Args:
        record: the import.
        corrected: whether its failed jobs were corrected since, and accepted in a retry.
    """
    match record.state:
        case State.COMPLETE:
            fine = _GOOD_NEWS | {Topic.FAILED} if corrected else _GOOD_NEWS
            return NEEDS_FIXING if set(topics(record)) - fine else FINE
        case State.SKIPPED:
            # The feed runs again by itself; a retry does not, and a part of a split run left out jobs.
            return NEEDS_FIXING if record.retry or record.run else FINE
        case State.BLOCKED | State.REJECTED | State.EXPIRED:
            return NEEDS_FIXING
        case _:
            return FINE


def is_over(record: Import) -> bool:
    """Tell whether nothing more happens to an import by itself."""
    return record.state in FINAL and not record.deletions.list_is_open


def run_of(first: Import, store: RecordSource) -> list[Import]:
    """Return the imports of the run that an import begins: several if the feed was split, otherwise only itself."""
    further = (store.get(part_id(first.import_id, number)) for number in range(2, first.parts + 1))
    return [first, *filter(None, further)]


def worst(run: Sequence[Import]) -> Import:
    """Return the import of a run that most needs attention: the first of several in the same state."""
    return max(run, key=lambda each: (exit_status(each), each.state is not State.COMPLETE))


def words(record: Import) -> str:
    """Return an import's state and what it means, in one line."""
    jobs = counted(record.prepared.jobs, "job")
    match record.state:
        case State.PREPARING:
            return "preparing: the feed is being read"
        case State.SUBMITTING if record.sent.attempts > 1 and record.claim.until:
            again = record.claim.until + LAMBDA_RETRIES
            then = "sent again by itself" if again <= record.deadline else "given up"
            last = f"; the last answer: {record.ending.reason}" if record.ending.reason else ""
            return (
                f"submitting: {jobs} sent {record.sent.attempts:,} times, and the answer of the board was lost; "
                f"the import is {then} soon after {again.astimezone(UTC):%H:%M} UTC{last}"
            )
        case State.SUBMITTING:
            return f"submitting: {jobs} on the way to the board"
        case State.PENDING:
            return f"pending: the board has {jobs} and has not begun"
        case State.RUNNING:
            return f"running: the board is working on {jobs}"
        case State.COMPLETE if record.deletions.left:
            then = "on the way" if record.deletions.list_is_open else "left for the next run"
            return f"complete: {counts(record)}; {counted(record.deletions.left, 'deletion')} by list {then}"
        case State.COMPLETE:
            return f"complete: {counts(record)}"
        case _:
            return f"{record.state}: {record.ending.reason or 'no reason was recorded'}"


def counts(record: Import) -> str:
    """Return the board's counts in words."""
    names = ("added", "updated", "unchanged", "failed")
    return ", ".join([*(f"{record.result.count(name):,} {name}" for name in names), f"{record.deleted:,} deleted"])


def import_data(record: Import) -> dict[str, Any]:
    """Return a record for programs, with the names of the table."""
    return {name: value for name, value in record.to_item().items() if name not in _INTERNAL}


def failed_data(jobs: Iterable[FailedJob]) -> list[dict[str, Any]]:
    """Return failed jobs for programs."""
    return [each.model_dump(by_alias=True, mode="json") for each in jobs]
