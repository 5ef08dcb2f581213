"""What happened to an import, in a few sentences that say whether anything is lost."""

from typing import Final

from jobferry.notices.advice.causes import was_not_sent
from jobferry.notices.advice.topics import Topic, topics
from jobferry.notices.failures import Failures
from jobferry.notices.headline import all_jobs, part
from jobferry.records.imports import Import, ListEnd, State
from jobferry.text import counted, one_line, when

#: Characters of a reason that are shown.
REASON_LENGTH: Final = 600


def happened(record: Import, failures: Failures) -> str:
    """Return what happened, and whether anything is lost, in a few sentences."""
    match record.state:
        case State.BLOCKED | State.REJECTED:
            return _nothing_was_accepted(record)
        case State.EXPIRED:
            return _no_result_came(record)
    about, failed = topics(record), record.result.count("failed")
    of = "of the retry" if record.retry else f"of {part(record) or 'the feed'}"
    text = []
    if record.result.overtaken:
        text.append(_overtaken(record))
    elif Topic.LATE in about:
        text.append("The result that you were told was missing has come after all; nothing was lost.")
    if Topic.UNVERIFIED in about:
        text.append(
            "This result came with the board's callback. The board itself could not be asked "
            f"{'so far' if record.open else 'within 12 hours'}, and a callback alone proves nothing. It says:"
        )
    if Topic.UNACCOUNTED in about:
        missing = record.result.unaccounted
        text.append(
            f"The board's counts do not add up: {counted(missing, 'job')} of the {record.prepared.jobs:,} sent "
            f"{'is' if missing == 1 else 'are'} in none of them, or in two."
        )
    elif failures.total or failed:
        fine = counted(max(record.prepared.jobs - failed, 0), f"job {of} is", f"jobs {of} are")
        text.append(f"{fine} on the board. A failed job's posting, if there is one, stays as it was.")
    else:
        jobs = all_jobs(record, f" {of}")
        text.append(f"{jobs[0].upper()}{jobs[1:]} on the board.")
    if record.deletions.withheld:
        text.append(f"{counted(record.deletions.withheld, 'posting')} not in the feed stayed there too.")
    if {Topic.NOT_OFFERED, Topic.LEFT} & set(about):
        text.append(_left(record))
    if Topic.DELETED in about:
        deleted = record.deleted
        them = "it" if deleted == 1 else "them"
        text.append(
            f"{counted(deleted, 'posting was', 'postings were')} deleted, because the feed no longer has {them}."
        )
    return " ".join(text)


def _left(record: Import) -> str:
    """Say that postings of the list are left, and why."""
    deletions = record.deletions
    left = counted(deletions.left, "posting that the feed no longer has", "postings that the feed no longer has")
    if deletions.list_end is ListEnd.NOT_ACCEPTED:
        return f"{left} stayed there: the board had not accepted the import when its list of deletions was due."
    are = "may still be there" if deletions.list_end is ListEnd.UNANSWERED else "stayed there"
    return f"{left} {are}. {_reason(deletions.list_reason)}"


def _overtaken(record: Import) -> str:
    done = "undid newer changes of jobs, and posted jobs again that have ended since"
    if record.deletions.delete_jobs:
        done = "undid newer changes of jobs, posted ended jobs again, and deleted jobs that only the newer run had"
    return (
        "The result of this import came after a newer run of the feed had been sent. If the board worked on this import last, "
        f"it {done}. The feed runs again by itself, which corrects that."
    )


def _nothing_was_accepted(record: Import) -> str:
    nothing = "Nothing was sent" if was_not_sent(record) else "The board accepted nothing"
    if part(record):
        nothing = f"{nothing} of {part(record)} of the feed; its other parts are reported separately."
    else:
        of = " of the retry" if record.retry else ""
        nothing = f"{nothing}{of}: all postings on the board are as they were before."
    return f"{nothing} {_reason(record.ending.reason)}"


def _reason(words: str | None) -> str:
    reason = one_line(words or "none was recorded", REASON_LENGTH)
    return f"The reason: {reason}{'' if reason.endswith(('.', '?', '!')) else '.'}"


def _no_result_came(record: Import) -> str:
    sent = counted(record.prepared.jobs, "job was", "jobs were")
    at = f" at {when(record.sent.submitted_at)}" if record.sent.submitted_at else ""
    if record.sent.board_import_id:
        then = " and the board accepted them, but it has given no result since."
    else:
        then = f", but {record.sent.answered or "the board's answer was lost"}: it is not known whether they arrived."
    return (
        f"{sent} sent{at}{then} Nothing is lost on this side: what was sent is in the archive, and if the result still comes, it is "
        "recorded and you are told."
    )
