"""The headline of an import: what happened in a few words. A notice's subject is the feed's name and this."""

from jobferry.notices.advice.causes import advice_on_ending, was_not_sent
from jobferry.notices.advice.topics import Topic, topics
from jobferry.notices.failures import Failures
from jobferry.records.imports import Import, State
from jobferry.text import counted


def part(record: Import) -> str:
    """Return which part of a split feed an import is; empty if the feed is not split."""
    if record.run is not None:
        return f"part {record.import_id.removeprefix(f'{record.run}-')}"
    return f"part 1 of {record.parts:,}" if record.parts > 1 else ""


def headline(record: Import, failures: Failures) -> str:
    """Return what happened in a few words: a notice's subject without the feed."""
    if record.state is State.COMPLETE:
        words = "; ".join(_results(record, failures)[:2]) or f"{all_jobs(record, '')} on the board"
    else:
        words = advice_on_ending(record).briefly
        words = f"nothing was sent, {words}" if was_not_sent(record) else words
    about = ", ".join(filter(None, (part(record), "retry of corrected jobs" if record.retry else "")))
    return f"{about}: {words}" if about else words


def _results(record: Import, failures: Failures) -> list[str]:
    about, result, deletions = topics(record), record.result, record.deletions
    words = []
    if Topic.DELETED_MORE in about:
        words.append(f"{counted(result.count('deleted'), 'posting')} deleted, {deletions.expected:,} expected")
    if Topic.WITHHELD in about:
        withheld = deletions.withheld
        words.append(f"{counted(withheld, 'deletion')} withheld" if withheld else "deletions withheld")
    if Topic.NOT_OFFERED in about:
        words.append("the board does not delete by list")
    if Topic.LEFT in about:
        words.append(f"{counted(deletions.left, 'posting')} not deleted yet")
    if Topic.FIRST in about and not deletions.need_a_person:
        words.append("deletions begin in 12 hours")
    if failed := max(failures.refused, result.count("failed")) + failures.held_back:
        jobs = counted(record.prepared.jobs + failures.held_back, "job")
        known = f" ({failures.new:,} new)" if failures.new else " (all known)"
        words.append(f"{failed:,} of {jobs} failed{known if failures.known else ''}")
    elif failures.accepted:
        words.append(f"{counted(failures.accepted, 'job')} to check")
    if Topic.DELETED in about:
        words.append(f"{counted(record.deleted, 'posting')} deleted")
    if Topic.UNACCOUNTED in about:
        words.append(f"{counted(result.unaccounted, 'job')} unaccounted for")
    if Topic.UNVERIFIED in about:
        words.append("result not confirmed")
    if Topic.LATE in about:
        words.append("the late result has come")
    return words


def all_jobs(record: Import, of: str) -> str:
    return f"the job{of} is" if record.prepared.jobs == 1 else f"all {record.prepared.jobs:,} jobs{of} are"
