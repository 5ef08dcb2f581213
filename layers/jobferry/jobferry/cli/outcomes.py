"""What an import came to: for people in words, for programs as data, for scripts as an exit status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any, Final, Protocol

from jobferry.notices import advice
from jobferry.notices.advice import About
from jobferry.records.failed_jobs import FailedJob
from jobferry.records.imports import LAMBDA_RETRIES, Import, State, part_id
from jobferry.text import counted

#: Exit statuses: all is well; something is to be mended, or did not work; it cannot be done, or was not understood.
FINE, MEND, CANNOT = 0, 1, 2

#: Where nothing more happens by itself.
ENDED: Final = frozenset({State.COMPLETE, State.BLOCKED, State.SKIPPED, State.REJECTED, State.EXPIRED})
#: What people hear of, though nothing is wrong.
_NEWS: Final = frozenset({About.SUCCESS, About.LATE, About.FIRST})
#: Of a record, what is only for jobferry itself.
_INTERNAL: Final = {"revision", "claimedBy", "claimedUntil", "polledAt", "open"}


class Records(Protocol):
    """Where the records are."""

    def get(self, import_id: str) -> Import | None: ...


def exit_status(record: Import) -> int:
    """Whether this import did what it was to do."""
    match record.state:
        case State.COMPLETE:
            return MEND if set(advice.topics(record)) - _NEWS else FINE
        case State.SKIPPED:
            # The feed runs once more by itself, a retry does not; of a split run jobs were left out.
            return MEND if record.retry or record.run else FINE
        case State.BLOCKED | State.REJECTED | State.EXPIRED:
            return MEND
        case _:
            return FINE


def run_of(first: Import, store: Records) -> list[Import]:
    """The imports of the run that it begins: of a split feed several, otherwise and of a further one itself alone."""
    further = (store.get(part_id(first.import_id, number)) for number in range(2, first.parts + 1))
    return [first, *filter(None, further)]


def worst(run: Sequence[Import]) -> Import:
    """The import of a run whose state says most of what is to be done: the first of those that are alike."""
    return max(run, key=lambda each: (exit_status(each), each.state is not State.COMPLETE))


def words(record: Import) -> str:
    """The state, and what it means, in a line."""
    jobs = counted(record.prepared.jobs, "job")
    match record.state:
        case State.PREPARING:
            return "preparing: the feed is being read"
        case State.SUBMITTING if record.sent.attempts > 1 and record.claim.until:
            again = record.claim.until + LAMBDA_RETRIES
            then = "sent again by itself" if again <= record.deadline else "given up"
            said = f"; the last that was heard: {record.ending.reason}" if record.ending.reason else ""
            return (
                f"submitting: {jobs} sent {record.sent.attempts:,} times, and the answer of the board was lost; "
                f"the import is {then} soon after {again.astimezone(UTC):%H:%M} UTC{said}"
            )
        case State.SUBMITTING:
            return f"submitting: {jobs} on the way to the board"
        case State.PENDING:
            return f"pending: the board has {jobs}, and has not begun"
        case State.RUNNING:
            return f"running: the board is working on {jobs}"
        case State.COMPLETE:
            return f"complete: {counts(record)}"
        case _:
            return f"{record.state}: {record.ending.reason or 'no reason was recorded'}"


def counts(record: Import) -> str:
    """The board's counts."""
    names = ("added", "updated", "unchanged", "failed", "deleted")
    return ", ".join(f"{record.result.count(name):,} {name}" for name in names)


def import_data(record: Import) -> dict[str, Any]:
    """The record as programs get it: the names are those of the table."""
    return {name: value for name, value in record.to_item().items() if name not in _INTERNAL}


def failed_data(jobs: Iterable[FailedJob]) -> list[dict[str, Any]]:
    """Failed jobs as programs get them."""
    return [each.model_dump(by_alias=True, mode="json") for each in jobs]
