"""An import that was to delete, and is sent long after that was decided: cut off and resumed, or its answer was lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobferry.errors import BoardUnknownError
from jobferry.records.imports import Import, OtherFeed, State
from tests.fakes import Killed, Request
from tests.stage import Stage, job

ID = "default-20261124T030000Z"
NIGHT = {"feed": "default", "scheduledAt": "2026-11-24T03:00:00Z"}


@pytest.fixture
def stage() -> Stage:
    """A full sync from which one job has gone."""
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put_jobs("A", "B", "C")
    stage.complete()
    stage.complete()
    stage.put_jobs("A", "B")
    return stage


def cut_off_before_sending(stage: Stage) -> None:
    counted = iter(range(1, 100))

    def kill(_: object) -> None:
        if next(counted) == 3:
            raise Killed

    stage.store.before_save = kill
    with pytest.raises(Killed):
        stage.event(NIGHT)
    stage.store.before_save = lambda _: None
    assert (stage.record(ID).state, stage.record(ID).deletions.delete_jobs) == (State.PREPARING, True)


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
@pytest.mark.parametrize("change", [turn_off, pause, go_elsewhere, break_the_settings, replace_the_key])
def test_it_deletes_nothing_if_that_is_not_wished_any_more(
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
