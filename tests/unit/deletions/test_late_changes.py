"""An import that was to delete, and is sent long after that was decided: cut off and resumed, or its answer was lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from jobferry.errors import BoardUnknownError, Cause
from jobferry.records.imports import Import, OtherFeed, State
from tests.fakes import Killed, Request
from tests.stage import FEED, Stage, job, lines

ID = "default-20261124T030000Z"
NIGHT = {"feed": "default", "scheduledAt": "2026-11-24T03:00:00Z"}


@pytest.fixture
def stage() -> Stage:
    """A full sync that was announced half a day ago, from which one job has gone."""
    stage = Stage(datetime(2026, 11, 23, 12, tzinfo=UTC))
    stage.settings(deleteJobs=True)
    stage.put_jobs("A", "B", "C")
    stage.complete()
    stage.complete()
    stage.clock.forward(hours=15)
    stage.put_jobs("A", "B")
    return stage


def cut_off_before_sending(stage: Stage, *, delete_jobs: bool = True) -> None:
    counted = iter(range(1, 100))

    def kill(_: object) -> None:
        if next(counted) == 3:
            raise Killed

    stage.store.before_save = kill
    with pytest.raises(Killed):
        stage.event(NIGHT)
    stage.store.before_save = lambda _: None
    assert (stage.record(ID).state, stage.record(ID).deletions.delete_jobs) == (State.PREPARING, delete_jobs)


def lose_the_answer(stage: Stage) -> None:
    """The board has not got it."""

    def lose(_: Request) -> None:
        stage.board.before_create = lambda _: None
        raise BoardUnknownError("no answer")

    stage.board.before_create = lose
    with pytest.raises(BoardUnknownError):
        stage.event(NIGHT)
    assert (stage.record(ID).state, stage.record(ID).deletions.delete_jobs) == (State.SUBMITTING, True)


def resume(stage: Stage) -> Import:
    assert stage.poll(30).resumed == [ID]
    stage.start()
    stage.finish()
    record = stage.record(ID)
    assert record.state is State.COMPLETE
    return record


broken = pytest.mark.parametrize("broken_off", [cut_off_before_sending, lose_the_answer])


@broken
def test_it_deletes_if_nothing_has_changed(stage: Stage, broken_off: Callable[[Stage], None]) -> None:
    broken_off(stage)

    record = resume(stage)

    assert (record.deletions.delete_jobs, record.deletions.expected) == (True, 1)
    assert stage.postings() == ["A", "B"] == stage.live_set()


def turn_off(stage: Stage) -> None:
    stage.settings(deleteJobs=False)


def pause(stage: Stage) -> None:
    stage.settings(deleteJobs=True, paused=True)


def go_elsewhere(stage: Stage) -> None:
    stage.accounts.secrets["Other"] = "key-of-another"
    stage.settings(deleteJobs=True, apiKeySecret="Other")


def break_the_settings(stage: Stage) -> None:
    stage.put("feed.json", b'{"deleteJobs": true')


def replace_the_key(stage: Stage) -> None:
    stage.accounts.secrets["BoardApiKey"] = "another-key"
    stage.board.keys.add("another-key")
    stage.board.postings("another-key")["by-hand"] = job("by-hand")


@broken
@pytest.mark.parametrize("change", [turn_off, replace_the_key])
def test_it_deletes_nothing_if_that_is_not_wanted_any_more(
    stage: Stage, broken_off: Callable[[Stage], None], change: Callable[[Stage], None]
) -> None:
    broken_off(stage)
    change(stage)

    record = resume(stage)

    assert (
        record.deletions.delete_jobs,
        record.deletions.full_sync,
        record.deletions.expected,
        record.deletions.postings,
    ) == (False, False, 0, [])
    assert stage.sent()[-1] == (["A", "B"], False)
    assert stage.postings() == ["A", "B", "C"]
    assert stage.live_set() == ["A", "B", "C"]
    assert "by-hand" in [*stage.postings("another-key"), "by-hand" if change is not replace_the_key else None]
    stage.settings(deleteJobs=True)
    assert "first" in stage.complete().deletions.because


CAUSES = {pause: Cause.PAUSED, go_elsewhere: Cause.ACCOUNT_CHANGED, break_the_settings: Cause.SETTINGS}


@pytest.mark.parametrize("delete_jobs", [True, False])
@pytest.mark.parametrize("change", CAUSES)
def test_an_unsent_import_is_not_sent_if_its_settings_forbid_it_by_now(
    stage: Stage, change: Callable[[Stage], None], delete_jobs: bool
) -> None:
    stage.settings(deleteJobs=delete_jobs)
    cut_off_before_sending(stage, delete_jobs=delete_jobs)
    sent = stage.sent()
    change(stage)

    assert stage.poll(30).resumed == [ID]
    [outcome] = stage.start()

    assert (outcome.state, stage.record(ID).ending.cause) == (State.BLOCKED, CAUSES[change])
    assert stage.sent() == sent
    feed = stage.store.get_feed(FEED)
    assert feed.open_imports == []
    # Only with another account is there something that the feed's next run cannot wait for.
    assert (feed.run_again == ID) is (change is go_elsewhere)


def test_what_was_prepared_for_another_account_is_read_again_for_the_new_one(stage: Stage) -> None:
    cut_off_before_sending(stage)
    go_elsewhere(stage)
    stage.board.keys.add("key-of-another")
    stage.poll(30)
    stage.start()

    stage.poll()
    [outcome] = stage.start()

    assert outcome.state is State.PENDING
    stage.finish()
    assert stage.postings("key-of-another") == ["A", "B"]
    assert stage.postings() == ["A", "B", "C"]


@pytest.mark.parametrize("change", CAUSES)
def test_an_import_that_may_have_been_sent_is_not_sent_again_meanwhile(
    stage: Stage, change: Callable[[Stage], None]
) -> None:
    lose_the_answer(stage)
    sent = stage.sent()
    change(stage)

    assert stage.poll(30).resumed == [ID]
    [outcome] = stage.start()

    record = stage.record(ID)
    assert (outcome.state, record.ending.cause, record.sent.attempts) == (State.SUBMITTING, CAUSES[change], 1)
    assert stage.sent() == sent
    assert stage.store.get_feed(FEED).open_imports == [ID], "it may still get its result"

    stage.settings(deleteJobs=True)
    assert resume(stage).deletions.delete_jobs, "a pause that ends in time lets it continue"


def test_an_import_that_was_paused_to_its_end_says_why_it_was_not_sent_again(stage: Stage) -> None:
    lose_the_answer(stage)
    pause(stage)
    stage.poll(30)
    stage.start()
    stage.poll(13 * 60)

    record = stage.record(ID)
    assert record.state is State.EXPIRED
    assert "it was not sent again: the feed is paused" in (record.ending.reason or "")


@broken
def test_a_limit_that_was_lowered_meanwhile_holds(stage: Stage, broken_off: Callable[[Stage], None]) -> None:
    stage.settings(deleteJobs=True, maxDeletePercent=50)
    broken_off(stage)
    stage.settings(deleteJobs=True, maxDeletePercent=0)

    record = resume(stage)

    because = ["newer-feed", "too-many"]
    assert (record.deletions.because, record.deletions.withheld, record.deletions.expected) == (because, 1, 0)
    assert stage.postings() == ["A", "B", "C"] == stage.live_set()
    assert stage.poll().started == [FEED]
    [again] = stage.start()
    deletions = stage.record(again.import_id or "").deletions
    assert deletions.because == ["too-many"]
    assert deletions.confirm_code


@broken
def test_it_deletes_nothing_if_a_newer_version_of_the_feed_is_there(
    stage: Stage, broken_off: Callable[[Stage], None]
) -> None:
    broken_off(stage)
    stage.put_jobs("A", "B", "C", "D")

    record = resume(stage)

    assert (record.deletions.because, record.deletions.withheld) == (["newer-feed"], 1)
    assert stage.postings() == ["A", "B", "C"]
    assert stage.topic.published[-1].data["importId"] != ID, "nothing has to be done, so nobody is told"
    assert stage.poll().started == [FEED]
    [again] = stage.start()
    stage.finish()
    assert stage.record(again.import_id or "").deletions.delete_jobs
    assert stage.postings() == ["A", "B", "C", "D"]
    assert stage.poll().started == []


@broken
def test_it_deletes_nothing_if_the_feed_would_be_read_in_another_way_now(
    stage: Stage, broken_off: Callable[[Stage], None]
) -> None:
    """A person may have seen that the settings are wrong, and corrected them."""
    broken_off(stage)
    stage.settings(deleteJobs=True, values={"referenceNumber": {"B": "C"}})

    record = resume(stage)

    assert (record.deletions.delete_jobs, record.deletions.because) == (False, ["newer-feed"])
    assert stage.postings() == ["A", "B", "C"]
    assert stage.poll().started == [FEED]
    stage.start()
    stage.finish()
    assert stage.postings() == ["A", "C"]


@broken
def test_it_deletes_nothing_if_another_run_was_skipped_meanwhile(
    stage: Stage, broken_off: Callable[[Stage], None]
) -> None:
    broken_off(stage)
    skipped = stage.run()
    assert skipped.state is State.SKIPPED

    record = resume(stage)

    assert record.deletions.because == ["newer-feed"]
    assert stage.store.get_feed(FEED).run_again == skipped.import_id
    assert stage.poll().started == [FEED]
    stage.start()
    stage.finish()
    assert stage.postings() == ["A", "B"]


def test_a_code_moves_on_to_the_run_of_the_newer_version(stage: Stage) -> None:
    stage.settings(deleteJobs=True, maxDeletePercent=0)
    code = stage.complete().deletions.confirm_code
    assert code is not None

    def upload_more(_: object) -> None:
        stage.bucket.before_open = lambda _: None
        stage.put("more.jsonl", lines(job("D")))

    stage.bucket.before_open = upload_more
    record = stage.complete(confirmDeletes=code)

    assert (record.deletions.delete_jobs, record.deletions.because) == (False, ["newer-feed"])
    assert stage.poll(15).started == [FEED]
    [again] = stage.start()
    stage.finish()
    record = stage.record(again.import_id or "")
    assert (record.by_person, record.deletions.confirmed_with, record.deletions.delete_jobs) == (True, code, True)
    assert stage.postings() == ["A", "B", "D"]


@broken
def test_it_deletes_nothing_if_another_feed_has_come_to_the_account(
    stage: Stage, broken_off: Callable[[Stage], None]
) -> None:
    broken_off(stage)
    stage.put_jobs("X", feed="second")
    stage.complete("second")

    record = resume(stage)

    assert (record.deletions.delete_jobs, record.deletions.withheld, record.deletions.because) == (
        False,
        1,
        ["shared-account"],
    )
    assert (record.deletions.shared_with, record.deletions.confirm_code, record.deletions.expected) == (
        [OtherFeed(feed="second")],
        None,
        0,
    )
    assert [each.reference_number for each in record.deletions.postings] == ["C"]
    assert stage.postings() == ["A", "B", "C", "X"]
    assert stage.live_set() == ["A", "B", "C"]


def test_a_key_that_is_replaced_just_before_the_request_gets_no_deletions(stage: Stage) -> None:
    """The board does not know the key that was read, and the new one may be of another account."""

    def replace(_: Request) -> None:
        stage.board.before_create = lambda _: None
        replace_the_key(stage)
        stage.board.keys.discard("key-of-the-agency")

    stage.board.before_create = replace
    record = stage.run()

    assert (record.state, record.ending.cause) == (State.REJECTED, "board-refused")
    assert stage.postings("another-key") == ["by-hand"]
    assert "first" in stage.complete().deletions.because


@broken
def test_the_live_set_is_of_the_account_that_got_the_jobs(stage: Stage, broken_off: Callable[[Stage], None]) -> None:
    broken_off(stage)
    replace_the_key(stage)
    resume(stage)
    stage.accounts.secrets["Other"] = "another-key"
    stage.settings(deleteJobs=True, apiKeySecret="Other")
    stage.put_jobs("B")

    record = stage.complete()

    assert (record.deletions.because, record.deletions.withheld) == (
        ["first", "too-many"],
        2,
    )  # A, and C if it is there
    assert [each.reference_number for each in record.deletions.postings] == ["A", "C"]
