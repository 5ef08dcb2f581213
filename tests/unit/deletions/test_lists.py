"""With deleteJobs "listed", exactly the postings that this feed posted and no longer has are deleted, and no other."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from typing import Any

import pytest

from jobferry.cli.showing import preview
from jobferry.errors import (
    BoardError,
    BoardRefusedError,
    BoardUnknownError,
    BoardUnreachableError,
    DeletionNotOfferedError,
)
from jobferry.records.archive import deletion_list_key, retry_key
from jobferry.records.imports import Import, ListEnd, State
from jobferry.runs import deletion_lists
from tests.fakes import Deletion, Killed
from tests.stage import FEED, KEY, Stage, job, lines

TWENTY = [f"J{number:02d}" for number in range(20)]
LISTED: dict[str, Any] = {"deleteJobs": "listed", "maxInvalidPercent": 100}


@pytest.fixture
def stage() -> Stage:
    """A feed of twenty jobs whose deletions were announced, on an account with a posting by hand and another feed."""
    stage = Stage()
    stage.board.postings(KEY)["by-hand"] = job("by-hand")
    stage.settings("other")
    stage.put_jobs("O1", feed="other")
    stage.complete("other")
    stage.settings(**LISTED)
    stage.put_jobs(*TWENTY)
    assert stage.complete().deletions.because == ["first"]
    stage.clock.forward(hours=13)
    return stage


def others(stage: Stage) -> list[str]:
    return [each for each in stage.postings() if each not in TWENTY]


def scheduled(stage: Stage) -> Import:
    """Run the feed by its schedule, with Lambda's retries."""
    event = {"feed": FEED, "scheduledAt": f"{stage.clock():%Y-%m-%dT%H:%M:%SZ}"}
    invocation = stage.invocation()
    for _ in range(3):
        try:
            outcome = stage.event(event, invocation)
            break
        except Killed:
            stage.clock.forward(minutes=1)
    return stage.record(outcome.import_id or "")


def rest(stage: Stage) -> None:
    """Let the poller finish everything that is open."""
    for _ in range(12):
        stage.finish()
        stage.poll()
        stage.start()
    stage.publish_notices()


# What is deleted


def test_the_postings_that_the_feed_no_longer_has_are_deleted_and_no_other(stage: Stage) -> None:
    stage.put_jobs(*TWENTY[2:])

    record = stage.complete()

    assert stage.sent()[-1] == (TWENTY[2:], False), "the import itself deletes nothing"
    assert stage.deleted() == [TWENTY[:2]]
    assert stage.postings() == [*TWENTY[2:], "O1", "by-hand"]
    assert stage.live_set() == TWENTY[2:]
    assert (record.state, record.open, record.claim.by) == (State.COMPLETE, None, None)
    deletions = record.deletions
    assert (deletions.expected, deletions.deleted, deletions.left, deletions.list_end) == (2, 2, 0, None)
    assert stage.store.get_feed(FEED).open_imports == []


def test_the_list_is_sent_after_the_import_was_accepted_and_is_archived_before(stage: Stage) -> None:
    stage.put_jobs(*TWENTY[2:])
    seen = []

    def look(_: Deletion) -> None:
        [record] = [each for each in stage.store.imports() if each.state is State.PENDING]
        seen.append((len(stage.board.requests), deletion_list_key(record.prepared) in stage.bucket.contents))

    stage.board.before_delete = look
    stage.run()
    assert seen == [(3, True)]


def test_an_invalid_job_keeps_its_posting_though_it_is_not_sent(stage: Stage) -> None:
    stage.put("jobs.jsonl", lines(*[job(each) for each in TWENTY[2:]], job("J00", state="MC")))

    record = stage.complete()

    assert stage.sent()[-1] == (TWENTY[2:], False)
    assert (record.prepared.invalid, stage.deleted()) == (1, [["J01"]])
    assert stage.live_set() == ["J00", *TWENTY[2:]]
    stage.put_jobs(*TWENTY[2:])
    stage.complete()
    assert stage.deleted() == [["J01"], ["J00"]], "it is deleted when it leaves the feed"


def test_a_row_that_protects_no_posting_withholds_the_list(stage: Stage) -> None:
    stage.put("jobs.jsonl", lines(*[job(each) for each in TWENTY[2:]], job(None)))

    record = stage.complete()

    assert (record.deletions.because, record.deletions.withheld, stage.deleted()) == (["unprotected-rows"], 2, [])
    assert stage.live_set() == TWENTY


def test_too_many_are_withheld_and_can_be_confirmed(stage: Stage) -> None:
    stage.put_jobs(*TWENTY[12:])
    record = stage.complete()
    assert (record.deletions.because, record.deletions.withheld) == (["fewer-rows", "too-many"], 12)
    assert stage.deleted() == []

    stage.complete(confirmDeletes=record.deletions.confirm_code)

    assert stage.deleted() == [TWENTY[:12]]
    assert stage.postings() == [*TWENTY[12:], "O1", "by-hand"]


def test_what_lists_delete_counts_for_the_limit_of_a_week(stage: Stage) -> None:
    for kept in (17, 14, 11):
        stage.put_jobs(*TWENTY[-kept:])
        assert stage.complete().deletions.deleted == 3
        stage.clock.forward(hours=24)
    stage.put_jobs(*TWENTY[-9:])
    assert stage.complete().deletions.because == ["too-many-this-week"]


def test_another_feed_on_the_account_is_no_reason_to_withhold(stage: Stage) -> None:
    stage.settings("third", deleteJobs="listed")
    stage.put_jobs("T1", "T2", "T3", feed="third")
    stage.complete("third")
    stage.put_jobs("T1", "T2", feed="third")
    assert stage.complete("third").deletions.deleted == 1
    stage.put_jobs(*TWENTY[1:])
    assert stage.complete().deletions.deleted == 1
    assert stage.postings() == [*TWENTY[1:], "O1", "T1", "T2", "by-hand"]


def test_a_posting_that_another_feed_of_the_account_has_stays_until_that_feed_drops_it(stage: Stage) -> None:
    stage.settings("other", deleteJobs="listed")
    stage.put_jobs("O1", "J00", feed="other")
    stage.complete("other")
    stage.put_jobs(*TWENTY[2:])
    stage.complete()
    assert stage.deleted() == [["J01"]]
    assert stage.live_set() == ["J00", *TWENTY[2:]], "it is not forgotten"
    stage.put_jobs("O1", feed="other")
    stage.complete("other")
    assert stage.deleted() == [["J01"], ["J00"]]


def test_a_posting_that_another_feed_has_stays_though_that_feed_has_retried_other_jobs_since(stage: Stage) -> None:
    stage.put_jobs("O1", "J00", feed="other")
    run = stage.complete("other")
    key = retry_key("other", run.import_id, stage.clock())
    stage.bucket.contents[key] = lines(job("O1"))
    assert stage.complete("other", retry=key).state is State.COMPLETE
    stage.put_jobs(*TWENTY[2:])
    stage.complete()
    assert stage.deleted() == [["J01"]]


def test_a_posting_whose_job_is_invalid_in_another_feed_stays(stage: Stage) -> None:
    stage.settings("other", maxInvalidPercent=100)
    stage.put_jobs("O1", "J00", feed="other")
    stage.complete("other")
    stage.put("jobs.jsonl", lines(job("O1"), job("J00", state="MC")), feed="other")
    stage.complete("other")
    stage.put_jobs(*TWENTY[2:])
    stage.complete()
    assert stage.deleted() == [["J01"]]


def test_a_posting_that_another_feed_has_under_way_stays(stage: Stage) -> None:
    stage.put_jobs("O1", "J00", feed="other")
    stage.run("other")
    stage.put_jobs(*TWENTY[2:])
    stage.complete()
    assert stage.deleted() == [["J01"]]


def test_a_posting_that_another_feed_posts_before_the_list_is_sent_stays(stage: Stage) -> None:
    stage.put_jobs("O1", "J00", feed="other")
    stage.put_jobs(*TWENTY[2:])

    def post(_: Any) -> None:
        stage.board.before_create = lambda _: None
        stage.run("other")

    stage.board.before_create = post
    record = stage.complete()

    assert stage.deleted() == []
    assert record.deletions.list_end is ListEnd.HELD_BACK
    assert "J00" in (record.deletions.list_reason or "")
    stage.complete()
    assert stage.deleted() == [["J01"]], "the next run lists the rest"


def test_a_long_list_is_sent_some_hundred_at_a_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 100 <= deletion_lists.AT_ONCE <= 900
    monkeypatch.setattr(deletion_lists, "AT_ONCE", 2)
    stage.put_jobs(*TWENTY[5:])
    stage.complete()
    assert stage.deleted() == [TWENTY[:2], TWENTY[2:4], TWENTY[4:5]]


def test_a_split_feed_deletes_after_its_last_import(stage: Stage) -> None:
    stage.settings(**LISTED, maxJobsPerImport=8)
    stage.put_jobs(*TWENTY[2:])
    sent = len(stage.board.requests)
    stage.board.before_delete = lambda _: None if len(stage.board.requests) == sent + 3 else pytest.fail("too early")

    record = stage.complete()

    assert (record.parts, stage.deleted()) == (3, [TWENTY[:2]])
    assert stage.live_set() == TWENTY[2:]
    stage.board.before_delete = lambda _: None
    stage.put_jobs(*TWENTY[3:])
    stage.complete()
    assert stage.deleted() == [TWENTY[:2], TWENTY[2:3]]


def test_a_split_feed_announces_once(stage: Stage) -> None:
    stage.settings("third", deleteJobs="listed", maxJobsPerImport=1)
    stage.put_jobs("T1", "T2", "T3", feed="third")
    stage.complete("third")
    stage.put_jobs("T1", "T2", feed="third")
    assert stage.complete("third").deletions.deleted == 1


def test_a_dry_run_says_what_would_be_listed(stage: Stage) -> None:
    stage.put_jobs(*TWENTY[2:])
    answer = stage.event({"feed": FEED, "dryRun": True}).answer()
    assert (answer["listed"], answer["deleteJobs"], answer["deletes"], answer["note"]) == (True, False, 2, None)
    assert "with 2 deletions by list" in preview(answer)[0]
    assert stage.deleted() == []


# The announcement


def test_nothing_is_deleted_before_people_were_told_and_had_time_to_object() -> None:
    stage = Stage()
    stage.put_jobs(*TWENTY)
    stage.complete()
    stage.settings(**LISTED)
    stage.put_jobs(*TWENTY[1:])
    first = stage.complete()
    assert (first.deletions.because, first.deletions.withheld) == (["first"], 1)
    told = stage.topic.published[-1].text
    assert "posted and no longer has" in told
    assert "by hand" not in told
    assert scheduled(stage).deletions.because == ["time-to-object"]
    rest(stage)
    stage.clock.forward(hours=13)
    scheduled(stage)
    assert stage.deleted() == [TWENTY[:1]]


def test_each_way_of_deleting_is_announced_for_itself(stage: Stage) -> None:
    stage.put_jobs(*TWENTY[1:])
    stage.settings(**LISTED | {"deleteJobs": True}, apiKeySecret="BoardApiKey")
    stage.remove("feed.json", "other")
    stage.remove("jobs.jsonl", "other")
    record = stage.complete()
    assert (record.deletions.because, record.deletions.delete_jobs) == (["first"], False)
    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == TWENTY[1:]
    stage.settings(**LISTED, apiKeySecret="BoardApiKey")
    stage.put_jobs(*TWENTY[2:])
    assert stage.complete().deletions.because == ["first"]
    assert stage.complete().deletions.deleted == 1


def test_a_retry_keeps_what_was_announced(stage: Stage) -> None:
    run = stage.complete()
    stage.clock.forward(minutes=1)
    key = retry_key(FEED, run.import_id, stage.clock())
    stage.bucket.contents[key] = lines(job(TWENTY[0]))
    assert stage.complete(retry=key).state is State.COMPLETE

    stage.put_jobs(*TWENTY[2:])
    assert scheduled(stage).deletions.because == []
    assert stage.deleted() == [TWENTY[:2]]


@pytest.mark.parametrize("between", [None, False, True])
def test_what_was_posted_with_a_former_key_is_never_listed(stage: Stage, between: bool | None) -> None:
    """The new key may be that of another account, which may have other postings with these reference numbers."""
    stage.accounts.secrets["BoardApiKey"] = "another-key"
    stage.accounts.forget()
    stage.board.keys.add("another-key")
    stage.board.postings("another-key")["J00"] = job("J00", title="Another agency's job")
    stage.put_jobs(*TWENTY[1:])
    if between is not None:  # a run that deletes in another way meets the new key first
        stage.settings(deleteJobs=between)
        stage.complete()
        stage.settings(**LISTED)

    record = stage.complete()

    assert (record.deletions.because, record.deletions.withheld, record.deletions.former) == (["first"], 0, 1)
    assert "Check 1 posting on the board's own site (J00)" in stage.topic.published[-1].text
    stage.put_jobs(*TWENTY[2:])
    stage.complete()
    assert stage.deleted() == [["J01"]]
    assert stage.postings("another-key") == ["J00", *TWENTY[2:]]


# Faults


def fail(stage: Stage, *errors: Exception | None, after: bool = False) -> None:
    """Have the next requests to delete fail, and those after them succeed."""
    coming = chain(errors, iter(lambda: None, 0))

    def strike(_: Deletion) -> None:
        if error := next(coming):
            raise error

    if after:
        stage.board.after_delete = strike
    else:
        stage.board.before_delete = strike


BUSY = BoardUnreachableError("the board answered 429", timedelta(seconds=40), 429)
LOST = BoardUnknownError("no answer from the board")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("errors", [[BUSY], [LOST], [BoardUnknownError("500", 500), BUSY, LOST]])
def test_a_request_that_failed_is_sent_again(stage: Stage, errors: list[BoardError], *, after: bool) -> None:
    stage.put_jobs(*TWENTY[2:])
    fail(stage, *errors, after=after)
    began = stage.clock()

    record = stage.complete()

    assert (record.deletions.deleted, stage.live_set()) == (2, TWENTY[2:])
    assert others(stage) == ["O1", "by-hand"]
    if BUSY in errors:
        assert stage.clock() - began >= timedelta(seconds=40), "the board's Retry-After is kept"


@pytest.mark.parametrize("number", range(1, 15))
def test_a_crash_at_any_call_to_the_board_or_the_store_loses_nothing(
    stage: Stage, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion_lists, "AT_ONCE", 1)
    stage.put_jobs(*TWENTY[3:])
    calls = iter(range(1, 1000))

    def kill(_: object) -> None:
        if next(calls) == number:
            raise Killed

    stage.store.before_save = stage.board.before_delete = stage.board.after_delete = kill
    scheduled(stage)
    assert next(calls) > 14, "there are so many calls"
    stage.store.before_save = stage.board.before_delete = stage.board.after_delete = lambda _: None
    rest(stage)
    assert stage.postings() == [*TWENTY[3:], "O1", "by-hand"]
    assert stage.live_set() == TWENTY[3:]
    assert stage.store.get_feed(FEED).open_imports == []


def test_the_poller_continues_a_list_that_was_left_and_the_notice_waits(stage: Stage) -> None:
    stage.put_jobs(*TWENTY[2:])
    fail(stage, *[LOST] * 60)
    record = stage.run()
    told = len(stage.topic.published)
    stage.finish()
    record = stage.record(record.import_id)
    assert (record.state, record.open, record.deletions.left) == (State.COMPLETE, "open", 2)
    assert len(stage.topic.published) == told, "the notice waits for the list"
    assert stage.run().state is State.SKIPPED, "a newer run might post again what is in the list"
    fail(stage)
    stage.remove("jobs.jsonl")  # the list is of the import that was accepted
    stage.put_jobs(*TWENTY[2:])
    stage.store.save(stage.store.get_feed(FEED).changed(run_again=None, run_again_at=None))

    rest(stage)

    assert stage.deleted() == [TWENTY[:2]]
    assert (stage.record(record.import_id).open, stage.live_set()) == (None, TWENTY[2:])
    assert "2 postings deleted" in stage.topic.published[told].subject


def test_a_list_is_given_up_after_some_attempts_and_listed_again_the_next_night(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion_lists, "AT_ONCE", 2)
    stage.put_jobs(*TWENTY[4:])
    fail(stage, None, *[LOST] * 1000)
    import_id = stage.run().import_id

    rest(stage)

    record = stage.record(import_id)
    assert (record.deletions.deleted, record.deletions.left, record.deletions.list_end) == (2, 2, ListEnd.UNANSWERED)
    assert record.deletions.list_attempts == 3
    assert stage.live_set() == TWENTY[2:], "only what is known to be deleted has left it"
    assert "2 postings not deleted yet" in stage.topic.published[-1].subject
    fail(stage)
    stage.clock.forward(hours=20)
    assert scheduled(stage).deletions.deleted == 2
    stage.finish()
    assert stage.live_set() == TWENTY[4:]


def test_a_board_that_refuses_is_told_of_with_its_words(stage: Stage) -> None:
    stage.put_jobs(*TWENTY[1:])
    fail(stage, BoardRefusedError("the board answered 403: not with this key", 403))
    record = stage.complete()
    assert (record.deletions.list_end, record.open) == (ListEnd.REFUSED, None)
    assert "not with this key" in stage.topic.published[-1].text
    assert stage.live_set() == TWENTY
    assert stage.complete().deletions.deleted == 1


def test_a_board_that_offers_no_deletion_is_told_of_once(stage: Stage) -> None:
    not_offered = DeletionNotOfferedError("the board answered 404: it does not offer deletion by reference number", 404)
    fail(stage, *[not_offered] * 4)
    stage.put_jobs(*TWENTY[1:])
    first = scheduled(stage)
    rest(stage)
    assert first.deletions.list_end is ListEnd.NOT_OFFERED
    assert stage.live_set() == TWENTY
    told = len(stage.topic.published)
    assert "does not delete by list" in stage.topic.published[-1].subject
    for kept in (18, 4):  # at last so many are missing that they would be withheld
        stage.clock.forward(hours=24)
        stage.put_jobs(*TWENTY[-kept:])
        assert scheduled(stage).state is State.PENDING
        rest(stage)
        assert len(stage.topic.published) == told, "every night would be too often"
    stage.put_jobs(*TWENTY[1:])
    stage.complete()
    assert len(stage.topic.published) == told + 1, "a person who starts a run is told again"
    stage.complete()
    stage.clock.forward(hours=24)
    scheduled(stage)
    assert stage.deleted() == [TWENTY[:1]], "each run tries again"
    assert stage.store.get_feed(FEED).not_offered is None


# What changes before the list is sent


def left_open(stage: Stage) -> str:
    """Leave a list of two postings in the middle: the import is complete."""
    stage.put_jobs(*TWENTY[2:])
    fail(stage, *[LOST] * 60)
    import_id = scheduled(stage).import_id
    stage.finish()
    fail(stage)
    assert stage.record(import_id).deletions.list_is_open
    return import_id


def test_a_posting_that_came_back_into_the_feed_is_not_deleted(stage: Stage) -> None:
    left_open(stage)
    stage.put_jobs(*TWENTY)
    rest(stage)
    assert stage.deleted() == []
    assert stage.postings() == [*TWENTY, "O1", "by-hand"]
    assert stage.live_set() == TWENTY


@pytest.mark.parametrize(
    "settings",
    [{"deleteJobs": False}, {"deleteJobs": True}, {"paused": True}, {"maxDeletePercent": 0}, {"apiKeySecret": "Other"}],
    ids=str,
)
def test_settings_that_were_changed_end_the_list(stage: Stage, settings: dict[str, Any]) -> None:
    stage.accounts.secrets["Other"] = "another-key"
    import_id = left_open(stage)
    stage.settings(**LISTED | settings)
    stage.poll(40)
    stage.start()
    assert stage.deleted() == []
    assert not stage.record(import_id).deletions.list_is_open
    assert stage.record(import_id).open is None


def test_an_import_that_the_board_did_not_accept_has_no_deletions(stage: Stage) -> None:
    def refuse(_: object) -> None:
        raise BoardRefusedError("the board answered 400", 400)

    stage.board.before_create = refuse
    stage.put_jobs(*TWENTY[2:])
    record = stage.complete()
    assert (record.state, stage.deleted(), stage.live_set()) == (State.REJECTED, [], TWENTY)


def test_a_posting_that_an_older_import_posts_again_is_deleted_again(stage: Stage) -> None:
    """The board works on an import that has expired, after a newer one has deleted its posting."""
    late = stage.run()
    stage.poll(13 * 60)
    stage.poll()
    assert stage.record(late.import_id).state is State.EXPIRED
    stage.put_jobs(*TWENTY[1:])
    newer = stage.run()
    assert stage.deleted() == [TWENTY[:1]]
    stage.finish()  # the older one, then the newer one
    stage.board.postings(KEY)["J00"] = job("J00")  # as if it had been the other way round
    assert stage.record(late.import_id).result.overtaken
    assert stage.record(newer.import_id).state is State.COMPLETE
    rest(stage)
    assert stage.postings() == [*TWENTY[1:], "O1", "by-hand"]
    assert stage.store.get_feed(FEED).resurfaced == []
