"""The transitions of an import, one pure function each.

A transition takes the current import and feed plus new information, and returns their new versions, or nothing if the
import stays as it is. `store.apply` writes them, and repeats the transition if either record has changed since it was
read. docs/states.md has the transitions as a table, which a test compares with this module.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from jobferry.errors import Cause
from jobferry.records.feeds import Deleted, Feed, LiveSet, Resurfaced
from jobferry.records.imports import (
    MAX_LIST_ATTEMPTS,
    MAX_SENDS,
    WEEK,
    Claim,
    Deletions,
    Ending,
    Import,
    ListEnd,
    Objection,
    Open,
    Result,
    State,
    account_id,
)

#: The request may have reached the board, and no result has come.
AWAITING: Final = frozenset({State.SUBMITTING, State.PENDING, State.RUNNING})
#: A result may still complete these: the board may have accepted a rejected or expired import after all.
MAY_COMPLETE: Final = AWAITING | {State.EXPIRED, State.REJECTED}
#: After this many answers in a row that could not be handled, an expired import is no longer asked for.
_MAX_UNANSWERED: Final = 3
#: It is not certain that the board has the import, so it may be sent, perhaps again.
MAY_BE_SENT: Final = frozenset({State.PREPARING, State.SUBMITTING})

#: The board has the import, so its list of deletions may be sent.
ACCEPTED: Final = frozenset({State.PENDING, State.RUNNING, State.COMPLETE})

#: With these, an import that may have been sent is not sent again.
_HOLDING_BACK: Final = frozenset({Cause.PAUSED, Cause.SETTINGS, Cause.SETTINGS_MISSING, Cause.ACCOUNT_CHANGED})
#: Runs in a row whose deletions may be put off because the feed's files are still changing. Then a person is told instead.
_MAX_RUNS_AGAIN: Final = 6

type Records = Sequence[Import | Feed]

_NOTHING: Final[Records] = ()


# A run begins


def claim_run(
    feed: Feed,
    import_id: str,
    claim: Claim,
    now: datetime,
    *,
    by_person: bool = False,
    retry: str | None = None,
    retried: Import | None = None,
    corrected_at: datetime | None = None,
    confirmed_with: str | None = None,
    confirm_fields: str | None = None,
    run_again: str | None = None,
) -> Records:
    """Begin a run, or skip it while another run of the feed is open.

    A skipped run is made up for: the feed remembers to run again, with the skipped run's confirmation code.

    Args:
        import_id: of the run's first import, which has no record yet.
        by_person: a person started the run. A run with a code is a person's in any case.
        retry: the key of corrected jobs that are sent instead of the feed.
        retried: the import whose jobs were corrected; None if there is no such import.
        corrected_at: when the corrected jobs were uploaded.
        confirmed_with: the code with which a person confirms deletions.
        confirm_fields: the code with which a person confirms that fields are gone.
        run_again: the import after which the feed is to run again; nothing happens if the feed has run since.
    """
    if run_again is not None:
        if feed.run_again != run_again or feed.open_imports:
            return _NOTHING
        confirmed_with = confirmed_with or feed.run_again_confirm
        confirm_fields = confirm_fields or feed.run_again_confirm_fields
    has_code = bool(confirmed_with or confirm_fields)
    record = Import(
        import_id=import_id,
        feed=feed.feed,
        created_at=now,
        state=State.PREPARING,
        retry=retry,
        by_person=by_person or has_code,
        confirm_fields=confirm_fields,
        deletions=Deletions(confirmed_with=confirmed_with),
    )
    if retry and (reason := why_not_to_retry(feed, retried, corrected_at)):
        return _end(record, State.BLOCKED, Ending(cause=Cause.RETRY_OUTDATED, reason=reason)), feed
    if feed.open_imports:
        return _skip(record, feed)
    changes: dict[str, Any] = {}
    # A retry does not read the feed, so it does not replace a skipped run. Nor does a run without the given code.
    if retry:
        changes = {"last_retry_at": corrected_at}
    elif has_code or not (feed.run_again_confirm or feed.run_again_confirm_fields):
        changes = dict.fromkeys(("run_again", "run_again_at", "run_again_confirm", "run_again_confirm_fields"))
    return (
        record.changed(claim=claim, open=Open.OPEN, previous=feed.last_complete),
        feed.changed(open_imports=[import_id], last_import=import_id, last_request=claim.by, **changes),
    )


def why_not_to_retry(feed: Feed, retried: Import | None, corrected_at: datetime | None = None) -> str | None:
    """Tell why an import's corrected jobs must not be sent: they would undo what was sent since. None if they may.

    Args:
        feed: the feed.
        retried: the import whose jobs were corrected; None if there is no such import.
        corrected_at: when they were uploaded; None if they are not yet.
    """
    if retried is None:
        return "the import whose jobs were corrected is not known"
    if retried.state is not State.COMPLETE:
        return f"{retried.import_id} is {retried.state}: only a complete import has failed jobs to retry"
    if feed.last_complete_at is not None and feed.last_complete_at > retried.created_at:
        return f"{feed.last_complete} has completed since, and its jobs are newer: retry that one instead"
    if feed.last_sent_at is not None and feed.last_sent_at > retried.created_at:
        return f"the feed was sent again since {retried.import_id}, and those jobs are newer: run the feed instead"
    if corrected_at is not None and feed.last_retry_at is not None and feed.last_retry_at > corrected_at:
        return "a retry whose jobs were corrected later was started since: if these still fail, correct them again"
    return None


def _skip(record: Import, feed: Feed) -> Records:
    then = "retry when it has ended" if record.retry else "the feed runs once more when it has ended"
    skipped = _end(
        record, State.SKIPPED, Ending(cause=Cause.OPEN, reason=f"{feed.open_imports[0]} is still open; {then}")
    )
    if record.retry is None:
        feed = _with_codes(_run_again(feed, record.import_id, record.created_at), record)
    # The feed is written even if it stays the same: the open import must not have ended meanwhile.
    return skipped, feed


def _run_again(feed: Feed, after: str, at: datetime) -> Feed:
    """Return the feed with another run planned, not before `at`. A run that is already planned is only put off."""
    if feed.run_again is None:
        feed = feed.changed(run_again=after, run_again_at=at)
    elif feed.run_again_at is None or feed.run_again_at < at:
        feed = feed.changed(run_again_at=at)
    return feed


def _with_codes(feed: Feed, record: Import) -> Feed:
    """Return the feed whose next run uses the codes that a person gave with an import."""
    codes = {
        "run_again_confirm": record.deletions.confirmed_with,
        "run_again_confirm_fields": record.confirm_fields,
    }
    return feed.changed(**{name: code for name, code in codes.items() if code is not None})


def take_over(record: Import, claim: Claim, now: datetime) -> Records:
    """Claim an import that was left in the middle; one that has another claim or is sent already stays as it is."""
    if record.state not in MAY_BE_SENT or not record.claim.is_free_for(claim.by, now):
        return _NOTHING
    return (record.changed(claim=claim),)


# Preparation


def make_ready(record: Import | None, feed: Feed, prepared: Import) -> Records:
    """Record that an import can be sent from the archive.

    Args:
        record: the import's record; None if it is a further import of a split feed that has none yet.
        prepared: the import as it was prepared. One that was sent meanwhile stays as it is.
    """
    if record is not None and record.state is not State.PREPARING:
        return _NOTHING
    return _with_feed_open(prepared.changed(revision=record.revision if record else 0), feed)


def drop_part(record: Import, feed: Feed) -> Records:
    """End a further import of a split feed that a later reading of the feed does not need."""
    if record.state is not State.PREPARING:
        return _NOTHING
    ending = Ending(cause=Cause.FEWER_PARTS, reason="a later reading of the feed needs fewer imports")
    return _end(record, State.SKIPPED, ending), _close(feed, record)


def block(
    record: Import, feed: Feed, claimed_by: str | None, ending: Ending, *, valid: int = 0, invalid: int = 0
) -> Records:
    """End an import from which nothing can be sent.

    Args:
        claimed_by: the invocation that found out; another one's import stays as it is.
        ending: why.
        valid: jobs that could have been sent.
        invalid: rows that have an error.
    """
    if record.state is not State.PREPARING or record.claim.by != claimed_by:
        return _NOTHING
    counted = record.changed(prepared=record.prepared.changed(jobs=valid, invalid=invalid))
    return _end(counted, State.BLOCKED, ending), _close(feed, record)


def hold_back(record: Import, feed: Feed, claimed_by: str, ending: Ending, now: datetime) -> Records:
    """Do not send an import that was ready, because its feed's settings have changed since.

    One that may have been sent before is not sent again; it waits for its result or the next attempt.

    Args:
        claimed_by: the invocation that was to send it; another one's import stays as it is.
        ending: what has changed.
        now: the time.
    """
    if not may_send(record, claimed_by, now):
        return _NOTHING
    if record.state is State.SUBMITTING:
        return (record.changed(ending=ending),)
    feed = _close(feed, record)
    if ending.cause is Cause.ACCOUNT_CHANGED and not record.retry:
        feed = _with_codes(_run_again(feed, record.import_id, now), record)
    return _end(record, State.BLOCKED, ending), feed


def abandon(record: Import, feed: Feed, now: datetime) -> Records:
    """End an import that was claimed and abandoned before anything was sent."""
    if record.state is not State.PREPARING or record.claim.may_be_retried(now):
        return _NOTHING
    reason = "the run was cut off before anything was sent, and Lambda's own retries did not finish it"
    # People are told once for the whole run, so its further imports are only skipped.
    state = State.BLOCKED if record.run is None else State.SKIPPED
    return _end(record, state, Ending(cause=Cause.ABANDONED, reason=reason)), _close(feed, record)


# Sending


def may_send(record: Import, claimed_by: str, now: datetime) -> bool:
    """Tell whether an invocation may send an import: it is unsent, no other invocation works on it, and attempts are left."""
    is_free = record.claim.is_free_for(claimed_by, now)
    return record.state in MAY_BE_SENT and is_free and record.sent.attempts < MAX_SENDS


def start_sending(
    record: Import, feed: Feed, claim: Claim, now: datetime, *, deletions: Deletions, key_mark: str
) -> Records:
    """Record that the request may reach the board from now on.

    If its deletions only wait until the feed's files are whole, the feed runs again for them.

    Args:
        deletions: what holds of the deletions right before sending.
        key_mark: of the key that is used.
    """
    if claim.by is None or not may_send(record, claim.by, now):
        return _NOTHING
    if deletions.deletes and not record.deletions.deletes:
        return _NOTHING  # a delivery of the same event at the same time has decided against deletions
    records: list[Import | Feed] = []
    is_new = record.state is State.PREPARING or record.deletions.again_at is None
    if deletions.again_at is not None and is_new:
        deletions, again = _put_off(feed, record, deletions, deletions.again_at)
        records.append(again)
    elif feed.runs_again and is_new and not record.retry:
        records.append(feed.changed(runs_again=0))
    sent = record.sent.changed(attempts=record.sent.attempts + 1, submitted_at=record.sent.submitted_at or now)
    submitting = record.changed(
        state=State.SUBMITTING,
        claim=claim,
        destination=record.destination.changed(key_mark=key_mark),
        deletions=deletions,
        sent=sent,
    )
    return submitting, *records


def _put_off(feed: Feed, record: Import, deletions: Deletions, at: datetime) -> tuple[Deletions, Feed]:
    """Have the feed run again for deletions that wait; after too many such runs, tell a person instead."""
    if feed.runs_again >= _MAX_RUNS_AGAIN:
        return deletions.changed(again_at=None), feed.changed(runs_again=0)
    # This import already sends the jobs without the confirmed fields. Only its deletions are left.
    again = _with_codes(_run_again(feed, record.import_id, at), record.changed(confirm_fields=None))
    return deletions, again.changed(runs_again=feed.runs_again + 1)


def accept(record: Import, feed: Feed, board_import_id: str, requested_at: datetime | None) -> Records:
    """Record the board's 202. The result may have come before it, or the import may have been given up."""
    sent = record.sent.changed(board_import_id=board_import_id, requested_at=requested_at)
    if record.state in (State.SUBMITTING, State.REJECTED, State.EXPIRED):
        pending = record.changed(
            state=State.PENDING, sent=sent, claim=_claim_after(record), ending=Ending(), open=Open.OPEN
        )
        return _with_feed_open(pending, feed)
    if not record.result.verified and record.sent.board_import_id != board_import_id:
        return (record.changed(sent=sent),)
    return _NOTHING


def reject(
    record: Import, feed: Feed, claimed_by: str, ending: Ending, *, sent_before: bool, may_have_arrived: bool
) -> Records:
    """End an import that the board did not accept. If an earlier request may have reached it, only record the reason.

    Args:
        claimed_by: the invocation that sent it; another one's import stays as it is.
        ending: what the board said, or why it was not asked.
        sent_before: the import was already being sent when this invocation began.
        may_have_arrived: the board answered 429 or 503. It may have accepted all the same, so the jobs may be live.
    """
    if record.claim.by != claimed_by or record.state not in MAY_BE_SENT:
        return _NOTHING
    if sent_before or record.sent.attempts > 1:
        return note_answer(record, claimed_by, ending)
    rejected = _end(record, State.REJECTED, ending)
    return rejected, _close_sent(feed, rejected) if may_have_arrived else _close(feed, rejected)


def note_answer(record: Import, claimed_by: str, ending: Ending) -> Records:
    """Record what became of an attempt that leaves open whether the board has the import.

    Args:
        claimed_by: the invocation that sent it; another one's import stays as it is.
        ending: what the board answered, or why it was not asked.
    """
    if record.claim.by != claimed_by or record.state is not State.SUBMITTING:
        return _NOTHING
    sent = record.sent
    if ending.status is not None:
        status = str(ending.status)
        sent = sent.changed(answers=sent.answers | {status: sent.answers.get(status, 0) + 1})
    return (record.changed(ending=ending, sent=sent),)


# The list of deletions


def has_open_list(record: Import) -> bool:
    """Tell whether the board has the import, and postings of its list are still to be deleted."""
    return record.state in ACCEPTED and record.deletions.list_is_open


def may_delete(record: Import, claimed_by: str, now: datetime) -> bool:
    """Tell whether an invocation may send an import's list: it is open, no other invocation works on it, attempts are left."""
    is_free = record.claim.is_free_for(claimed_by, now)
    return has_open_list(record) and is_free and record.deletions.list_attempts < MAX_LIST_ATTEMPTS


def works_on_list(record: Import, claimed_by: str | None) -> bool:
    """Tell whether an import's list is still open, and this invocation has claimed it."""
    return has_open_list(record) and record.claim.by == claimed_by


def begin_list(record: Import, claim: Claim, now: datetime) -> Records:
    """Record that an invocation sends the list, so that one which is killed by it is counted."""
    if claim.by is None or not may_delete(record, claim.by, now):
        return _NOTHING
    deletions = record.deletions
    return (record.changed(claim=claim, deletions=deletions.changed(list_attempts=deletions.list_attempts + 1)),)


def note_deleted(record: Import, feed: Feed, claimed_by: str, deleted: int) -> Records:
    """Record that the board has deleted the first postings of the list.

    Args:
        claimed_by: the invocation that sent them; another one's list stays as it is.
        deleted: their number.
    """
    if not works_on_list(record, claimed_by) or deleted <= record.deletions.deleted:
        return _NOTHING
    deletions = record.deletions.changed(deleted=deleted)
    return (record.changed(deletions=deletions),) if deletions.list_is_open else _close_list(record, feed, deletions)


def end_list(record: Import, feed: Feed, claimed_by: str | None, end: ListEnd, reason: str) -> Records:
    """End the list before all of it is deleted. The rest stays in the live set, so the next run lists it again.

    Args:
        claimed_by: the invocation that sent it; another one's list stays as it is.
        end: why.
        reason: the same in words.
    """
    if not works_on_list(record, claimed_by):
        return _NOTHING
    return _close_list(record, feed, record.deletions.changed(list_end=end, list_reason=reason))


def withhold_list(record: Import, feed: Feed, claimed_by: str, deletions: Deletions) -> Records:
    """End the list because the rest of it must not be deleted now, and have the feed run again if that is enough.

    Args:
        claimed_by: the invocation that was to send it; another one's list stays as it is.
        deletions: what was decided.
    """
    if not works_on_list(record, claimed_by):
        return _NOTHING
    if deletions.again_at is not None:
        deletions, feed = _put_off(feed, record, deletions, deletions.again_at)
    return _close_list(record, feed, deletions)


def _claim_after(record: Import) -> Claim:
    """Return the claim of an import that the board has: none, unless its list is still to be sent."""
    return record.claim if record.deletions.list_is_open else Claim()


def _close_list(record: Import, feed: Feed, deletions: Deletions) -> tuple[Import, Feed]:
    """Return both records after the list has ended like this. What is not known to be deleted stays in the live set."""
    closed = record.changed(claim=Claim(), open=None if record.is_confirmed else record.open, deletions=deletions)
    if record.state is State.COMPLETE:
        feed = _close(feed, record)
    live_set = feed.live_set
    if live_set is not None and live_set.key == record.prepared.live_set:
        feed = feed.changed(live_set=live_set.changed(deleted=deletions.deleted))
    if deletions.deleted:
        feed = feed.changed(deletions=_with_deletions(feed.deletions, closed, deletions.deleted), not_offered=None)
    if deletions.list_end is ListEnd.NOT_OFFERED:
        feed = feed.changed(not_offered=record.destination.board)
    return closed, feed


# The result


def takes_result(record: Import, *, verified: bool) -> bool:
    """Tell whether a result still changes an import."""
    unconfirmed = record.state is State.COMPLETE and not record.result.verified
    return record.state in MAY_COMPLETE or (unconfirmed and verified)


def progress(record: Import, status: str, board_import_id: str, requested_at: datetime | None) -> Records:
    """Record that the board says pending or running; any other word changes nothing."""
    if record.state not in AWAITING or status not in (State.PENDING, State.RUNNING):
        return _NOTHING
    if record.state == status and record.sent.board_import_id == board_import_id:
        return _NOTHING
    sent = record.sent.changed(board_import_id=board_import_id, requested_at=requested_at or record.sent.requested_at)
    return (record.changed(state=State(status), sent=sent),)


def complete(
    record: Import, feed: Feed, result: Result, board_import_id: str, requested_at: datetime | None
) -> Records:
    """Record a result.

    A result is late if a notice has reported another result or none; its notice is sent again. An import with an
    unverified result stays open, so that the poller asks the board.

    If a newer run was sent before the result came, the board may have done this import after the newer one, and changed or
    deleted postings of that one. So the feed runs again.

    While the import's list of deletions is open, its feed stays locked, because a newer run may post again what is in it.
    """
    if not takes_result(record, verified=result.verified):
        return _NOTHING
    counts = (result.counts or {}) | {"deleted": result.count("deleted") + record.sent.deleted_before}
    corrected = record.notified_at is not None and record.result.counts != counts
    late = corrected or record.state in (State.EXPIRED, State.REJECTED)
    overtaken = record.state is not State.COMPLETE and _is_overtaken(record, feed)
    sent = record.sent.changed(board_import_id=board_import_id, requested_at=requested_at or record.sent.requested_at)
    completed = record.changed(
        state=State.COMPLETE,
        sent=sent,
        result=result.changed(
            counts=counts, late=late or record.result.late, overtaken=overtaken or record.result.overtaken
        ),
        claim=_claim_after(record),
        ending=Ending(),
        notified_at=None if late else record.notified_at,
        open=Open.OPEN if record.open and (record.deletions.list_is_open or not result.verified) else None,
        unanswered=0,
    )
    closed = _close_sent(feed, completed)
    if overtaken:
        # This id must differ from that of a run that this import asked for before: no two runs may share an id.
        at = result.settled_at or record.created_at
        closed = _run_again(closed, f"{record.import_id}-late", at)
        live_set, sent_with = closed.live_set, record.prepared.live_set
        same_key = live_set is not None and live_set.key_mark == record.destination.key_mark
        if live_set is not None and live_set.listed and same_key and sent_with:
            # A full sync deletes what was posted again; a list has to name it.
            closed = closed.changed(resurfaced=[*closed.resurfaced, Resurfaced(key=sent_with, at=at)])
    return completed, closed


def _is_overtaken(record: Import, feed: Feed) -> bool:
    """Tell whether a newer run of the feed was sent, or is under way, before this import has its result."""
    newer_was_sent = feed.last_sent_at is not None and feed.last_sent_at > record.created_at
    return newer_was_sent or (bool(feed.open_imports) and feed.last_import != (record.run or record.import_id))


def add_earlier_deletions(record: Import, deleted: int) -> Records:
    """Add the deletions of an earlier request whose answer was lost. The second time changes nothing."""
    if record.sent.deleted_before or not deleted:
        return _NOTHING
    counted = record.changed(sent=record.sent.changed(deleted_before=deleted))
    if record.result.counts is None:
        return (counted,)
    counts = record.result.counts | {"deleted": record.result.count("deleted") + deleted}
    return (counted.changed(result=record.result.changed(counts=counts), notified_at=None),)


def note_poll(record: Import, now: datetime) -> Records:
    """Record that the poller asks for an import, before an answer can crash it."""
    return (record.changed(polled_at=now, unanswered=record.unanswered + 1),) if record.open else _NOTHING


def note_poll_handled(record: Import) -> Records:
    """Record that the poller has handled what the board answered, or that it did not answer."""
    return (record.changed(unanswered=0),) if record.unanswered else _NOTHING


def expire(record: Import, feed: Feed, now: datetime, answer: str | None = None) -> Records:
    """Give up an import after its deadline, but keep what an unverified callback said.

    This frees its feed. The board is still asked for the result, but rarely.

    Args:
        answer: what the board answered last, if it was no result.
    """
    if record.state is State.COMPLETE and not record.result.verified and record.open:
        return _NOTHING if record.deletions.list_is_open else (record.changed(open=None),)
    if record.state not in AWAITING or record.claim.is_held(now):
        return _NOTHING
    if has_open_list(record):
        ended = record.deletions.changed(list_end=ListEnd.UNANSWERED, list_reason="it was not finished within 12 hours")
        record, feed = _close_list(record, feed, ended)
    reason = "the board gave no result within 12 hours"
    if record.state is State.SUBMITTING:
        if answered := record.sent.answered:
            reason += f"; {answered}"
        if record.ending.reason:
            held_back = record.ending.cause in _HOLDING_BACK
            last = "it was not sent again" if held_back else "its answer to the last attempt"
            reason += f"; {last}: {record.ending.reason}"
    elif record.unanswered:
        reason += f"; jobferry could not process its answer to the last {record.unanswered} requests"
    elif answer:
        reason += f"; its last answer: {answer}"
    expired = _end(record, State.EXPIRED, Ending(cause=Cause.NO_RESULT, reason=reason, status=record.ending.status))
    if record.sent.board_import_id is not None and record.unanswered < _MAX_UNANSWERED:
        expired = expired.changed(open=Open.LATE)
    return expired, _close_sent(feed, expired)


def is_awaited_late(record: Import, now: datetime) -> bool:
    """Tell whether the board is still asked for the result of an expired import."""
    return record.open is Open.LATE and now <= record.late_deadline and record.unanswered < _MAX_UNANSWERED


def stop_asking(record: Import, now: datetime) -> Records:
    """Ask no longer for the result of an expired import. A callback can still bring it."""
    if record.open is not Open.LATE or is_awaited_late(record, now):
        return _NOTHING
    return (record.changed(open=None),)


# The notice


def announces(record: Import) -> bool:
    """Tell whether an import's notice announces the deletions of the next imports."""
    return record.state is State.COMPLETE and record.deletions.announces_deletions


def mark_notified(record: Import, feed: Feed, state: State, now: datetime, *, subscribed: bool) -> Records:
    """Record that the notice was published, and that it announced deletions if it did.

    Args:
        state: what the notice was about. A result that came meanwhile gets a notice of its own.
        now: when the notice was published.
        subscribed: the topic has a confirmed subscription. Without one, the announcement does not count.
    """
    if record.state is not state or record.notified_at is not None:
        return _NOTHING
    notified = record.changed(notified_at=now)
    announced = announces(record)
    live_set = feed.live_set
    if announced and not subscribed:
        return (notified.changed(deletions=record.deletions.changed(nobody_subscribed=True)),)
    if not announced or live_set is None or live_set.announced_at or live_set.import_id != record.import_id:
        return (notified,)
    return notified, feed.changed(live_set=live_set.changed(announced_at=now))


# What opening and ending mean for the records


def _with_feed_open(record: Import, feed: Feed) -> Records:
    """Return the import, and the feed with it among its open ones if that changes the feed."""
    if record.import_id in feed.open_imports:
        return (record,)
    return record, feed.changed(open_imports=[*feed.open_imports, record.import_id])


def _end(record: Import, state: State, ending: Ending) -> Import:
    """Return the import if nothing more is to be done for it. Its list, if it has one, is not sent any more."""
    deletions = record.deletions
    if deletions.list_is_open:
        deletions = deletions.changed(list_end=ListEnd.NOT_ACCEPTED)
    return record.changed(state=state, claim=Claim(), ending=ending, open=None, deletions=deletions)


def _close(feed: Feed, record: Import) -> Feed:
    """Return the feed without the import among its open ones, which is all if it never reached the board."""
    return feed.changed(open_imports=[each for each in feed.open_imports if each != record.import_id])


def _close_sent(feed: Feed, ended: Import) -> Feed:
    """Return the feed after an import that may have reached the board; an older import replaces nothing.

    A retry is not a run of the feed: it only adds to the live set. It does not change the last complete run or the
    baseline, and a full sync that was announced stays announced.
    """
    if not has_open_list(ended):
        feed = _close(feed, ended)
    if not ended.retry and (feed.last_sent_at is None or feed.last_sent_at < ended.created_at):
        feed = feed.changed(last_sent_at=ended.created_at)
    newest = feed.last_complete_at is None or feed.last_complete_at <= ended.created_at
    if ended.state is State.COMPLETE and newest and not ended.retry:
        run = ended.run or ended.import_id
        # While deletions are withheld, the next run is compared with the same one again.
        baseline = feed.baseline if feed.baseline and ended.deletions.withheld else run
        feed = feed.changed(last_complete=run, last_complete_at=ended.created_at, baseline=baseline)
    if ended.prepared.live_set and (feed.live_set is None or feed.live_set.created_at <= ended.created_at):
        feed = _with_live_set(feed, ended, ended.prepared.live_set)
    return feed


def _with_live_set(feed: Feed, ended: Import, key: str) -> Feed:
    """Return the feed with an import's live set, and what the import's deletions mean for later ones.

    Args:
        key: the object that lists the live set.
    """
    before, deletions = feed.live_set, ended.deletions
    # While two feeds share an account, a posting may belong to either, so the full sync is announced again later.
    shared = Objection.SHARED_ACCOUNT in deletions.because
    still_announced = (deletions.full_sync or deletions.listed or ended.retry) and not shared
    # The further imports of a split feed have the same live set as the first, which may have been told of since.
    same = before if before is not None and before.key == key else None
    live_set = LiveSet(
        key=key,
        import_id=ended.run or ended.import_id,
        created_at=ended.created_at,
        account=account_id(ended.destination.board, ended.destination.account),
        key_mark=ended.destination.key_mark,
        # Only the board's own word makes it certain that postings are gone.
        whole=not (ended.is_confirmed and deletions.delete_jobs),
        deleted=max(deletions.deleted, same.deleted if same else 0),
        announced_at=(deletions.announced_at or (same and same.announced_at)) if still_announced else None,
        listed=deletions.listed or bool(ended.retry and before and before.listed),
    )
    feed = feed.changed(live_set=live_set)
    if not live_set.whole:
        feed = feed.changed(deletions=_with_deletions(feed.deletions, ended, deletions.expected))
    if deletions.listed or not live_set.whole:
        same_key = before is not None and before.key_mark == live_set.key_mark
        later = [each for each in feed.resurfaced if same_key and each.at >= ended.created_at]
        feed = feed.changed(resurfaced=later)
    return feed


def _with_deletions(earlier: Sequence[Deleted], ended: Import, deleted: int) -> list[Deleted]:
    """Return the deletions of the last seven days after an import whose deletions the board confirmed.

    A person who confirmed a deletion knows how the feed stands, so the week starts anew. Deletions within an hour become
    one entry, which bounds the list.
    """
    deletions, at = ended.deletions, ended.created_at
    if deletions.confirmed_with is not None:
        return []
    week = [each for each in earlier if each.at > at - WEEK]
    if not deleted:
        return week
    if week and week[-1].at > at - timedelta(hours=1):
        last = week[-1]
        return [*week[:-1], last.changed(postings=last.postings + deleted)]
    return [*week, Deleted(at=at, live_before=deletions.live_before, postings=deleted)]
