"""What each transition writes, beyond the state to which it leads (test_states.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobferry.errors import Cause
from jobferry.records import transitions
from jobferry.records.feeds import Feed, LiveSet
from jobferry.records.imports import Claim, Deletions, Ending, Import, ListEnd, Objection, Open, Result, State
from tests.records import an_import, changed

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
ID = "f-20261124T020000Z"
MINE = Claim(by="me", until=NOW + timedelta(minutes=15))
REFUSED = Ending(cause=Cause.BOARD_REFUSED, reason="the board answered 422", status=422)


def record(state: State = State.PENDING, **attributes: Any) -> Import:
    given: dict[str, Any] = {
        "import_id": ID,
        "feed": "f",
        "created_at": NOW - timedelta(minutes=10),
        "state": state,
        "open": Open.OPEN,
        "board": "https://board.example",
        "account": "BoardApiKey",
        "key_mark": "k1",
        "jobs": 3,
        "objects": 2,
        "live_set": "archive/f/x.live.jsonl.gz",
    }
    return an_import(**(given | attributes))


def feed(**attributes: Any) -> Feed:
    return Feed(feed="f", open_imports=[ID]).changed(**attributes)


def both(written: transitions.Records) -> tuple[Import, Feed]:
    first, second = written
    assert isinstance(first, Import)
    assert isinstance(second, Feed)
    return first, second


def only(written: transitions.Records) -> Import:
    [first] = written
    assert isinstance(first, Import)
    return first


def result(*, verified: bool = True, **counts: int) -> Result:
    return Result(counts={"added": 3, "deleted": 0} | counts, verified=verified, settled_at=NOW)


#: An import whose jobs were corrected.
RETRIED = an_import(import_id="f-before", feed="f", created_at=NOW - timedelta(hours=2), state=State.COMPLETE)


# A run begins


def test_a_claimed_run_locks_its_feed_and_makes_up_for_a_skipped_one() -> None:
    waiting = Feed(
        feed="f", last_complete="f-before", run_again="f-skipped", run_again_at=NOW, run_again_confirm="CODE"
    )
    claimed, locked = both(transitions.claim_run(waiting, ID, MINE, NOW, run_again="f-skipped"))
    assert (claimed.claim, claimed.open, claimed.previous) == (MINE, Open.OPEN, "f-before")
    assert claimed.deletions.confirmed_with == "CODE"
    assert (locked.open_imports, locked.last_import, locked.last_request) == ([ID], ID, "me")
    assert (locked.run_again, locked.run_again_at, locked.run_again_confirm) == (None, None, None)


def test_a_retry_makes_up_for_no_skipped_run() -> None:
    waiting = Feed(feed="f", run_again="f-skipped", run_again_at=NOW, run_again_confirm="CODE")
    claimed, locked = both(transitions.claim_run(waiting, ID, MINE, NOW, retry="archive/f/x.jsonl", retried=RETRIED))
    assert (claimed.retry, claimed.deletions.confirmed_with) == ("archive/f/x.jsonl", None)
    assert (locked.run_again, locked.run_again_confirm) == ("f-skipped", "CODE")


@pytest.mark.parametrize(("run_again", "open_imports"), [("f-other", []), (None, []), ("f-skipped", [ID])])
def test_a_run_that_makes_up_for_another_begins_only_if_that_is_still_due(
    run_again: str | None, open_imports: list[str]
) -> None:
    waiting = Feed(feed="f", run_again=run_again, open_imports=open_imports)
    assert not transitions.claim_run(waiting, "f-again", MINE, NOW, run_again="f-skipped")


def test_a_skipped_run_is_remembered_with_its_code_and_only_the_first() -> None:
    skipped, remembering = both(transitions.claim_run(feed(), "f-second", MINE, NOW, confirmed_with="CODE"))
    assert (skipped.claim, skipped.open, skipped.ending.cause) == (Claim(), None, Cause.OPEN)
    assert skipped.ending.reason == f"{ID} is still open; the feed runs once more when it has ended"
    assert (remembering.run_again, remembering.run_again_at, remembering.run_again_confirm) == ("f-second", NOW, "CODE")
    _, still = both(transitions.claim_run(remembering, "f-third", MINE, NOW))
    assert (still.run_again, still.run_again_confirm) == ("f-second", "CODE")
    _, after_retry = both(
        transitions.claim_run(feed(), "f-retry", MINE, NOW, retry="archive/f/x.jsonl", retried=RETRIED)
    )
    assert after_retry.run_again is None


def test_a_claim_that_is_held_is_respected() -> None:
    held = record(State.PREPARING, claimed_by="other", claimed_until=NOW + timedelta(seconds=1))
    assert not transitions.take_over(held, MINE, NOW)
    assert not transitions.may_send(held, "me", NOW)
    assert transitions.may_send(held, "other", NOW)
    assert only(transitions.take_over(held, MINE, NOW + timedelta(seconds=1))).claim == MINE


# Preparation


def test_what_is_ready_opens_its_feed_and_is_written_over_the_record_that_was_read() -> None:
    before = record(State.PREPARING, revision=4)
    ready = only(transitions.make_ready(before, feed(), record(State.PREPARING, jobs=7)))
    assert (ready.prepared.jobs, ready.revision) == (7, 4)
    further, opened = both(transitions.make_ready(None, feed(), record(State.PREPARING, import_id=f"{ID}-2")))
    assert (further.revision, opened.open_imports) == (0, [ID, f"{ID}-2"])
    assert not transitions.make_ready(record(State.SUBMITTING), feed(), before)


def test_a_blocked_import_says_why_and_frees_its_feed() -> None:
    claimed = record(State.PREPARING, claimed_by="me", claimed_until=NOW)
    ending = Ending(cause=Cause.FEED_INVALID, reason="2 of 3 jobs have problems")
    blocked, freed = both(transitions.block(claimed, feed(), "me", ending, valid=1, invalid=2))
    assert (blocked.ending, blocked.claim, blocked.open) == (ending, Claim(), None)
    assert (blocked.prepared.jobs, blocked.prepared.invalid, freed.open_imports) == (1, 2, [])
    assert not transitions.block(claimed, feed(), "other", ending)


def test_an_abandoned_import_is_freed_only_after_lambdas_own_retries() -> None:
    abandoned = record(State.PREPARING, claimed_by="gone", claimed_until=NOW - timedelta(minutes=9))
    assert not transitions.abandon(abandoned, feed(), NOW)
    freed, unlocked = both(transitions.abandon(abandoned, feed(), NOW + timedelta(minutes=1)))
    assert (freed.state, freed.ending.cause, unlocked.open_imports) == (State.BLOCKED, Cause.ABANDONED, [])
    further, _ = both(transitions.abandon(changed(abandoned, run="f-first"), feed(), NOW + timedelta(minutes=1)))
    assert further.state is State.SKIPPED


# Sending


def test_the_first_request_sets_the_time_and_each_counts() -> None:
    first = only(
        transitions.start_sending(record(State.PREPARING), feed(), MINE, NOW, deletions=Deletions(), key_mark="k2")
    )
    assert (first.sent.attempts, first.sent.submitted_at, first.destination.key_mark) == (1, NOW, "k2")
    later = NOW + timedelta(minutes=20)
    again = only(
        transitions.start_sending(
            first, feed(), Claim(by="next", until=later), later, deletions=Deletions(), key_mark="k2"
        )
    )
    assert (again.sent.attempts, again.sent.submitted_at) == (2, NOW)


def test_deletions_that_were_turned_off_are_not_turned_on_again() -> None:
    deleting = Deletions(full_sync=True, delete_jobs=True, expected=3)
    prepared = record(State.PREPARING, full_sync=True, delete_jobs=True, expected_deletes=3)
    withheld = only(
        transitions.start_sending(prepared, feed(), MINE, NOW, deletions=Deletions(withheld=3), key_mark="k1")
    )
    assert not transitions.start_sending(withheld, feed(), MINE, NOW, deletions=deleting, key_mark="k1")


def test_an_acceptance_reopens_what_was_given_up() -> None:
    rejected = record(State.REJECTED, open=None, reason="the board answered 503", cause="board-unreachable")
    pending, reopened = both(transitions.accept(rejected, feed(open_imports=[]), "b", NOW))
    assert (pending.open, pending.ending, pending.sent.board_import_id) == (Open.OPEN, Ending(), "b")
    assert reopened.open_imports == [ID]


def test_an_acceptance_after_a_confirmed_result_changes_nothing() -> None:
    assert not transitions.accept(record(State.COMPLETE, verified=True, board_import_id="a"), feed(), "b", NOW)
    assert only(transitions.accept(record(State.COMPLETE), feed(), "b", NOW)).sent.board_import_id == "b"


@pytest.mark.parametrize(("attempts", "sent_before"), [(2, False), (1, True)])
def test_a_refusal_after_an_unknown_outcome_rejects_nothing(attempts: int, sent_before: bool) -> None:
    sending = record(State.SUBMITTING, claimed_by="me", attempts=attempts)
    kept = only(transitions.reject(sending, feed(), "me", REFUSED, sent_before=sent_before, may_have_arrived=False))
    assert (kept.state, kept.ending) == (State.SUBMITTING, REFUSED)


def test_a_rejected_import_extends_the_live_set_only_if_it_may_have_arrived() -> None:
    sending = record(State.SUBMITTING, claimed_by="me", attempts=1)
    for may_have_arrived, live_set in ((False, None), (True, "archive/f/x.live.jsonl.gz")):
        _, after = both(
            transitions.reject(sending, feed(), "me", REFUSED, sent_before=False, may_have_arrived=may_have_arrived)
        )
        assert (after.live_set and after.live_set.key) == live_set
        assert after.open_imports == []


# The result


def test_progress_keeps_what_is_known_of_the_request() -> None:
    earlier = NOW - timedelta(minutes=5)
    known = record(State.PENDING, board_import_id="b", requested_at=earlier)
    assert not transitions.progress(known, "pending", "b", NOW)
    running = only(transitions.progress(known, "running", "b", None))
    assert (running.state, running.sent.requested_at) == (State.RUNNING, earlier)
    other = only(transitions.progress(known, "pending", "other", NOW))
    assert (other.sent.board_import_id, other.sent.requested_at) == ("other", NOW)


def test_a_result_ends_the_import_and_becomes_the_feeds_last() -> None:
    asked = record(claimed_by="me", requested_at=NOW)
    done, after = both(transitions.complete(asked, feed(), result(), "b", None))
    assert done.sent.requested_at == NOW
    assert (done.open, done.claim, done.result.counts) == (None, Claim(), {"added": 3, "deleted": 0})
    assert (after.last_complete, after.last_complete_at, after.baseline) == (ID, done.created_at, ID)
    assert after.open_imports == []


def test_an_unconfirmed_result_stays_with_the_poller_and_is_replaced_once() -> None:
    said, _ = both(transitions.complete(record(), feed(), result(verified=False, added=9), "b", None))
    assert said.open is Open.OPEN
    confirmed, _ = both(transitions.complete(said, feed(), result(), "b", None))
    assert (confirmed.open, confirmed.result.count("added")) == (None, 3)
    assert not transitions.complete(confirmed, feed(), result(added=9), "b", None)


def test_a_result_that_contradicts_a_notice_is_late() -> None:
    told = record(State.COMPLETE, results={"added": 9, "deleted": 0}, verified=False, notified_at=NOW)
    corrected, _ = both(transitions.complete(told, feed(), result(), "b", None))
    assert (corrected.result.late, corrected.notified_at) == (True, None)
    same = record(State.COMPLETE, results={"added": 3, "deleted": 0}, verified=False, notified_at=NOW)
    confirmed, _ = both(transitions.complete(same, feed(), result(), "b", None))
    assert (confirmed.result.late, confirmed.notified_at) == (False, NOW)


def test_only_a_confirmed_full_sync_makes_the_live_set_what_was_sent() -> None:
    full_sync = {"delete_jobs": True, "full_sync": True, "announced_at": NOW}
    for verified, whole in ((True, False), (False, True)):
        _, after = both(transitions.complete(record(**full_sync), feed(), result(verified=verified), "b", None))
        assert after.live_set is not None
        assert (after.live_set.whole, after.live_set.announced_at) == (whole, NOW)
        assert (after.live_set.account, after.live_set.key_mark) == ("https://board.example BoardApiKey", "k1")


def test_a_shared_account_and_another_mode_end_an_announcement() -> None:
    shared = record(full_sync=True, announced_at=NOW, withheld_because=["shared-account"])
    for ended in (shared, record(full_sync=False, announced_at=NOW)):
        _, after = both(transitions.complete(ended, feed(), result(), "b", None))
        assert after.live_set is not None
        assert after.live_set.announced_at is None


def test_an_older_import_replaces_nothing() -> None:
    newer = LiveSet(key="new", import_id="f-new", created_at=NOW, account="a", whole=False)
    known = feed(live_set=newer, last_complete="f-new", last_complete_at=NOW, baseline="f-new")
    _, after = both(transitions.complete(record(), known, result(), "b", None))
    assert (after.live_set, after.last_complete, after.baseline) == (newer, "f-new", "f-new")


def test_while_deletions_are_withheld_the_feed_is_compared_with_what_it_was_before() -> None:
    _, after = both(transitions.complete(record(withheld_deletes=4), feed(baseline="f-old"), result(), "b", None))
    assert (after.baseline, after.last_complete) == ("f-old", ID)
    _, after = both(transitions.complete(record(withheld_deletes=4), feed(), result(), "b", None))
    assert after.baseline == ID


def test_what_an_earlier_request_deleted_counts_once() -> None:
    counted = only(
        transitions.add_earlier_deletions(record(State.COMPLETE, results={"deleted": 2}, notified_at=NOW), 3)
    )
    assert (counted.result.count("deleted"), counted.notified_at) == (5, None)
    assert not transitions.add_earlier_deletions(counted, 3)
    before = only(transitions.add_earlier_deletions(record(), 3))
    done, _ = both(transitions.complete(before, feed(), result(deleted=1), "b", None))
    assert done.result.count("deleted") == 4


def test_an_expired_import_keeps_the_boards_last_words() -> None:
    lost = record(State.SUBMITTING, reason="the board answered 503")
    expired, after = both(transitions.expire(lost, feed(), NOW))
    accepted, _ = both(transitions.expire(changed(lost, state=State.PENDING), feed(), NOW))
    assert accepted.ending.reason == "the board gave no result within 12 hours"
    assert expired.ending.reason == (
        "the board gave no result within 12 hours; its answer to the last attempt: the board answered 503"
    )
    assert after.live_set is not None, "it may have arrived"
    assert not transitions.expire(changed(lost, claimed_by="me", claimed_until=NOW + timedelta(1)), feed(), NOW)


def test_asking_for_an_unconfirmed_result_ends() -> None:
    assert only(transitions.expire(record(State.COMPLETE, verified=False), feed(), NOW)).open is None


# The notice


def test_a_notice_announces_the_deletions_of_its_own_live_set() -> None:
    first = record(State.COMPLETE, withheld_because=["first"])
    live_set = LiveSet(key="x", import_id=ID, created_at=NOW, account="a", whole=True)
    notified, announced = both(
        transitions.mark_notified(first, feed(live_set=live_set), State.COMPLETE, NOW, subscribed=True)
    )
    assert notified.notified_at == NOW
    assert announced.live_set == live_set.changed(announced_at=NOW)


@pytest.mark.parametrize(
    ("because", "live_set"),
    [
        ([], {}),
        ([Objection.FIRST, Objection.SHARED_ACCOUNT], {}),
        ([Objection.FIRST], {"import_id": "f-another"}),
        ([Objection.FIRST], {"announced_at": NOW - timedelta(days=1)}),
    ],
)
def test_other_notices_announce_nothing(because: list[Objection], live_set: dict[str, Any]) -> None:
    known = LiveSet(key="x", import_id=ID, created_at=NOW, account="a", whole=True).changed(**live_set)
    told = record(State.COMPLETE, withheld_because=because)
    assert len(transitions.mark_notified(told, feed(live_set=known), State.COMPLETE, NOW, subscribed=True)) == 1


def test_a_notice_of_another_state_marks_nothing() -> None:
    assert not transitions.mark_notified(record(State.COMPLETE), feed(), State.EXPIRED, NOW, subscribed=True)
    assert not transitions.mark_notified(
        record(State.COMPLETE, notified_at=NOW), feed(), State.COMPLETE, NOW, subscribed=True
    )


# A list of deletions


def listing(state: State = State.PENDING, **attributes: Any) -> Import:
    """An import of which five postings are to be deleted by list, claimed by this invocation."""
    given = {"listed": True, "expected_deletes": 5, "live_before": 100, "claimed_by": "me", "claimed_until": MINE.until}
    return record(state, **(given | attributes))


def test_an_import_with_an_open_list_keeps_its_claim_its_place_and_its_feed() -> None:
    accepted = only(transitions.accept(listing(State.SUBMITTING), feed(), "b", NOW))
    assert (accepted.state, accepted.claim) == (State.PENDING, MINE)
    completed, locked = both(transitions.complete(accepted, feed(), result(), "b", None))
    assert (completed.claim, completed.open, locked.open_imports) == (MINE, Open.OPEN, [ID])


def test_the_last_postings_close_the_list_and_free_the_feed() -> None:
    completed, locked = both(transitions.complete(listing(), feed(), result(), "b", None))
    some = only(transitions.note_deleted(completed, locked, "me", 3))
    assert (some.deletions.left, some.open) == (2, Open.OPEN)
    closed, free = both(transitions.note_deleted(some, locked, "me", 5))
    assert (closed.deletions.left, closed.open, closed.claim, free.open_imports) == (0, None, Claim(), [])
    assert free.live_set is not None
    assert (free.live_set.whole, free.live_set.deleted) == (True, 5)
    assert [(each.live_before, each.postings) for each in free.deletions] == [(100, 5)]


def test_a_list_that_ends_before_the_result_leaves_the_import_open() -> None:
    ended, after = both(transitions.note_deleted(listing(), feed(), "me", 5))
    assert (ended.state, ended.open, after.open_imports) == (State.PENDING, Open.OPEN, [ID])
    _, free = both(transitions.complete(ended, after, result(), "b", None))
    assert free.live_set is not None
    assert free.live_set.deleted == 5
    assert len(free.deletions) == 1, "they count once"


def test_only_the_invocation_that_claimed_a_list_says_what_became_of_it() -> None:
    mine = listing()
    assert not transitions.note_deleted(mine, feed(), "other", 3)
    assert not transitions.end_list(mine, feed(), "other", ListEnd.REFUSED, "refused")
    assert not transitions.withhold_list(mine, feed(), "other", Deletions(listed=True))
    assert not transitions.may_delete(mine, "other", NOW)
    assert transitions.may_delete(mine, "other", NOW + timedelta(hours=1))
    assert not transitions.may_delete(listing(list_attempts=3), "me", NOW)


@pytest.mark.parametrize("state", [State.SUBMITTING, State.PREPARING])
def test_the_list_of_an_import_that_was_not_accepted_is_over(state: State) -> None:
    ended, _ = both(
        transitions.reject(listing(state), feed(), "me", REFUSED, sent_before=False, may_have_arrived=False)
    )
    assert ended.deletions.list_end is ListEnd.NOT_ACCEPTED
    late, _ = both(transitions.accept(ended, Feed(feed="f"), "b", NOW))
    assert not transitions.may_delete(late, "me", NOW), "a newer run may have been sent since"


def test_an_expired_import_ends_its_list_and_keeps_what_was_deleted() -> None:
    expired, after = both(
        transitions.expire(listing(deleted_by_list=3, claimed_until=NOW), feed(), NOW + timedelta(hours=13))
    )
    assert (expired.state, expired.deletions.list_end, expired.deletions.left) == (State.EXPIRED, ListEnd.UNANSWERED, 2)
    assert after.live_set is not None
    assert (after.live_set.whole, after.live_set.deleted, len(after.deletions)) == (True, 3, 1)
