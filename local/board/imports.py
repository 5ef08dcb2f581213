"""Job imports: their records, and how one changes an account's postings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.board.callbacks import Attempt
from local.board.faults import Fault
from local.board.jobs import BoardJob, problems, reference_number

type Postings = dict[str, BoardJob]
type ImportResults = dict[str, Any]


@dataclass
class SandboxImport:
    """One job import. `jobs` is emptied when it completes, to save memory."""

    id: str
    account: str
    requested_at: datetime
    jobs: list[BoardJob] = field(repr=False)
    delete_jobs: bool = False
    callback_url: str | None = field(default=None, repr=False)
    faults: dict[str, Fault] = field(default_factory=dict)
    job_count: int = 0
    status: str = "pending"
    completed_at: datetime | None = None
    results: ImportResults | None = field(default=None, repr=False)
    attempts: list[Attempt] = field(default_factory=list)
    settled: bool = False
    """Whether it is complete and its callbacks are delivered or given up."""

    def as_data(self) -> dict[str, Any]:
        """Return the job import object of the board's page."""
        return {
            "id": self.id,
            "completedAt": self.completed_at and rfc3339(self.completed_at),
            "requestedAt": rfc3339(self.requested_at),
            "results": self.results,
            "status": self.status,
        }


def rfc3339(moment: datetime) -> str:
    """Format a time as the board does: `2024-03-02T11:00:54.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def run(postings: Postings, jobs: Sequence[BoardJob], *, delete_jobs: bool) -> ImportResults:
    """Update `postings` with `jobs`; return the job import results object of the board's page."""
    counts: Counter[str] = Counter()
    errors = []
    sent = set()
    for index, job in enumerate(jobs):
        number = reference_number(job)
        sent.add(number)
        if messages := problems(job):
            errors.append({"index": index, "messages": messages, "referenceNumber": number})
        elif number is not None:
            counts[_upsert(postings, number, job)] += 1
    # A failed job was still provided, so its posting stays.
    surplus = [number for number in postings if number not in sent] if delete_jobs else []
    for number in surplus:
        del postings[number]
    return {
        "added": counts["added"],
        "deleted": len(surplus),
        "errors": errors,
        "failed": len(errors),
        "ignoredValues": [],
        "processed": len(jobs),
        "unchanged": counts["unchanged"],
        "updated": counts["updated"],
    }


def _upsert(postings: Postings, number: str, job: BoardJob) -> str:
    if number not in postings:
        outcome = "added"
    elif postings[number] == job:
        return "unchanged"
    else:
        outcome = "updated"
    postings[number] = job
    return outcome
