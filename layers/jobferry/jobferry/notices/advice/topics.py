"""What a notice is about, and how urgent it is."""

from enum import StrEnum
from typing import Final

from jobferry.errors import Cause
from jobferry.notices.advice.causes import advice_on_ending
from jobferry.records.imports import Deletions, Import, ListEnd, Objection, State

#: The states that people are told about.
ENDED: Final = frozenset({State.COMPLETE, State.BLOCKED, State.REJECTED, State.EXPIRED})


class Topic(StrEnum):
    """Something to tell about an import. An import may have several, the most urgent first."""

    BLOCKED = "blocked"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DELETED_MORE = "deleted-more"
    WITHHELD = "deletions-withheld"
    NOT_OFFERED = "deletions-not-offered"
    LEFT = "deletions-left"
    FIRST = "first-full-sync"
    FAILED = "jobs-failed"
    UNACCOUNTED = "unaccounted"
    UNVERIFIED = "unverified"
    DELETED = "deleted"
    LATE = "late-result"
    SUCCESS = "success"


class Severity(StrEnum):
    """How urgent a notice is.

    Critical means that the board stays out of date, or has lost postings, until a person acts.
    """

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def topics(record: Import) -> list[Topic]:
    """Return what an import's notice is about; nothing if no notice is needed."""
    match record.state:
        case State.BLOCKED if record.ending.cause is Cause.PAUSED:
            return []
        case State.BLOCKED | State.REJECTED | State.EXPIRED:
            return [Topic(record.state)]
        case State.COMPLETE:
            end = record.deletions.list_end
            holds = {
                Topic.DELETED_MORE: record.result.count("deleted") > record.deletions.by_import,
                Topic.WITHHELD: _tells_what_is_withheld(record.deletions),
                Topic.NOT_OFFERED: end is ListEnd.NOT_OFFERED and not record.deletions.not_offered,
                Topic.LEFT: end not in (None, ListEnd.NOT_OFFERED),
                Topic.FIRST: record.deletions.announces_deletions,
                Topic.FAILED: record.result.count("failed") > 0 or record.prepared.invalid > 0,
                Topic.UNACCOUNTED: record.result.unaccounted > 0,
                Topic.UNVERIFIED: not record.result.verified,
                Topic.DELETED: record.prepared.notify_on_deletes
                and record.deleted > 0
                and record.result.count("deleted") <= record.deletions.by_import,
                # People were told that no result had come, so they are told that it has.
                Topic.LATE: record.result.late or record.result.overtaken,
            }
            found = [topic for topic, is_so in holds.items() if is_so]
            return found or ([Topic.SUCCESS] if record.prepared.notify_on_success else [])
        case _:
            return []


def _tells_what_is_withheld(deletions: Deletions) -> bool:
    """Tell whether withheld deletions need a notice. They do not if they are made up for within minutes, or if people know why."""
    if deletions.wait_unattended or deletions.not_offered:
        return False
    return deletions.withheld > 0 or not {Objection.FIRST, Objection.TIME_TO_OBJECT}.issuperset(deletions.because)


def severity(record: Import) -> Severity:
    """Return how urgent an import's notice is."""
    about = set(topics(record))
    if about & {Topic.EXPIRED, Topic.DELETED_MORE}:
        return Severity.CRITICAL
    if about & {Topic.BLOCKED, Topic.REJECTED}:
        return Severity.WARNING if advice_on_ending(record).can_wait else Severity.CRITICAL
    if record.result.overtaken and record.deletions.delete_jobs:
        return Severity.WARNING
    return Severity.INFO if about <= {Topic.SUCCESS, Topic.LATE, Topic.DELETED} else Severity.WARNING
