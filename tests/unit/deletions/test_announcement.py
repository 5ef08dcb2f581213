"""Other postings go only after people were told, and had the time to object where they could not foresee the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from jobferry.errors import BoardRefusedError, BoardUnknownError
from jobferry.records.imports import Import, State
from tests.fakes import Killed, Request
from tests.records import changed
from tests.stage import FEED, KEY, Stage, job


@pytest.fixture
def stage() -> Stage:
    """A feed that wants a full sync, on an account with a posting by hand."""
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put_jobs("A", "B")
    stage.board.postings(KEY)["by-hand"] = job("by-hand")
    return stage


def settle(stage: Stage) -> None:
    """The board does what waits and calls back, and nobody is told yet."""
    while board_import_id := stage.board.process():
        stage.call_back(board_import_id)


def upload(stage: Stage) -> Import:
    found = {"key": f"feeds/{FEED}/jobs.jsonl", "version-id": str(stage.clock()), "etag": "e"}
    event: dict[str, Any] = {
        "source": "aws.s3",
        "time": f"{stage.clock():%Y-%m-%dT%H:%M:%SZ}",
        "detail": {"object": found},
    }
    outcome = stage.event(event)
    settle(stage)
    return stage.record(outcome.import_id or "")


def test_while_the_notice_is_not_out_it_is_announced_again(stage: Stage) -> None:
    for _ in range(3):
        record = stage.run()
        settle(stage)
        assert (record.deletions.delete_jobs, record.deletions.because) == (False, ["first"])
    assert "by-hand" in stage.postings()
    stage.publish_notices()
    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == ["A", "B"]


def scheduled(stage: Stage) -> Import:
    outcome = stage.event({"feed": FEED, "scheduledAt": f"{stage.clock():%Y-%m-%dT%H:%M:%SZ}"})
    settle(stage)
    return stage.record(outcome.import_id or "")


@pytest.mark.parametrize("unattended", [upload, scheduled])
def test_a_run_that_no_person_started_deletes_nothing_while_people_can_object(
    stage: Stage, unattended: Callable[[Stage], Import]
) -> None:
    stage.complete()
    for _ in range(22):
        stage.clock.forward(minutes=30)
        assert unattended(stage).deletions.because == ["time-to-object"]
        stage.publish_notices()
    assert "by-hand" in stage.postings()
    stage.clock.forward(hours=1)
    assert unattended(stage).deletions.delete_jobs, "the twelve hours are those of the first notice, not of the last"
    assert stage.postings() == ["A", "B"]


def test_a_run_by_hand_is_what_people_were_told_of(stage: Stage) -> None:
    stage.complete()
    assert stage.complete().deletions.delete_jobs


def test_a_run_that_is_resumed_is_still_the_one_that_somebody_started(stage: Stage) -> None:
    stage.complete()
    starts: list[tuple[dict[str, Any], bool]] = [
        ({"feed": FEED}, True),
        ({"feed": FEED, "scheduledAt": "2026-11-24T04:00:00Z"}, False),
    ]
    for event, by_person in starts:
        import_id = cut_off(stage, event)
        stage.poll(30)
        stage.start()
        settle(stage)
        record = stage.record(import_id)
        assert (record.by_person, record.deletions.delete_jobs) == (by_person, by_person)


def cut_off(stage: Stage, event: dict[str, Any]) -> str:
    """Kill SubmitImport when the import is ready to be sent."""
    counted = iter(range(1, 100))

    def kill(_: object) -> None:
        if next(counted) == 3:
            raise Killed

    stage.store.before_save = kill
    with pytest.raises(Killed):
        stage.event(event)
    stage.store.before_save = lambda _: None
    [import_id] = stage.store.get_feed(FEED).open_imports
    return import_id


def test_after_deletions_have_begun_no_notice_says_that_they_begin(stage: Stage) -> None:
    stage.complete()
    stage.complete()  # a person's run deletes at once
    stage.put_jobs("A")
    upload(stage)
    stage.publish_notices()
    notice = stage.topic.published[-1]
    assert notice.data["about"] == ["deletions-withheld"]
    assert "begin" not in notice.subject
    assert "the first run after 14:00 UTC on November 24, 2026" in " ".join(notice.text.split())


def test_an_announcement_that_reaches_nobody_does_not_count(stage: Stage) -> None:
    stage.topic.subscribers = 0
    for _ in range(3):
        record = stage.complete()
        assert (record.deletions.because, record.deletions.nobody_subscribed) == (["first"], True)
        stage.clock.forward(hours=13)
    stage.topic.subscribers = 1
    announced = stage.complete()
    assert (announced.deletions.because, announced.deletions.nobody_subscribed) == (["first"], False)
    assert "by-hand" in stage.postings()
    assert stage.complete().deletions.delete_jobs


def test_a_topic_is_asked_only_if_deletions_are_announced(stage: Stage) -> None:
    stage.settings(notifyOnSuccess=True)

    def ask() -> bool:
        raise AssertionError

    stage.topic.has_subscribers = ask  # type: ignore[method-assign]
    stage.complete()
    assert len(stage.topic.published) == 1


def test_the_run_after_a_skipped_one_waits_like_an_upload(stage: Stage) -> None:
    stage.run()
    assert upload(stage).state is State.SKIPPED
    stage.finish()
    stage.poll()
    (outcome,) = stage.start()
    assert stage.record(outcome.import_id or "").deletions.because == ["time-to-object"]


def test_a_confirmed_run_that_is_skipped_keeps_its_code(stage: Stage) -> None:
    stage.put_jobs(*(f"A-{number}" for number in range(30)))
    stage.complete()
    stage.complete()
    stage.put_jobs("A-0", "A-1")
    code = stage.complete().deletions.confirm_code
    assert code is not None
    stage.run()
    assert stage.event({"feed": FEED, "confirmDeletes": code}).state is State.SKIPPED
    stage.finish()
    stage.clock.forward(hours=13)
    stage.poll()
    (outcome,) = stage.start()
    assert stage.record(outcome.import_id or "").deletions.delete_jobs
    stage.finish()
    assert stage.postings() == ["A-0", "A-1"]
    assert stage.store.get_feed(FEED).run_again_confirm is None


def test_two_readings_of_one_import_do_not_overwrite_each_other(stage: Stage) -> None:
    first = stage.complete()
    stage.put_jobs("A", "B", "C")
    second = stage.complete()
    names = [each.prepared.payload.rpartition("/")[2].split(".") for each in (first, second) if each.prepared.payload]
    assert [name[0] for name in names] == [first.import_id, second.import_id]
    assert names[0][1] != names[1][1], "what was read is in the name"


def test_an_acceptance_reopens_what_was_given_up(stage: Stage) -> None:
    def refuse_a_duplicate(_: Request) -> None:
        """While the request is under way, a duplicate of the invocation is refused, and rejects the import."""
        stage.board.after_create = lambda _: None
        record = next(iter(stage.store.imports()))
        stage.store.save(
            changed(record, state=State.REJECTED, claimed_by=None, claimed_until=None, open=None, cause="board-refused")
        )

    stage.board.after_create = refuse_a_duplicate
    record = stage.run()
    assert (record.state, record.sent.board_import_id, record.open) == (State.PENDING, "board1", "open")
    stage.finish()
    assert stage.record(record.import_id).state is State.COMPLETE
    assert stage.store.get_feed(FEED).open_imports == []


def test_what_the_board_says_after_an_unknown_outcome_is_told_in_the_end(stage: Stage) -> None:
    errors: list[Exception] = [BoardUnknownError("no answer"), BoardRefusedError("the board answered 401", 401)]

    def refuse(_: Request) -> None:
        raise errors[0] if len(errors) == 1 else errors.pop(0)

    stage.board.before_create = refuse
    invocation = stage.invocation()
    for error in (BoardUnknownError, BoardRefusedError):
        with pytest.raises(error):
            stage.event({"feed": FEED}, invocation)
    (record,) = stage.store.imports()
    assert (record.state, record.ending.reason) == (State.SUBMITTING, "the board answered 401")
    stage.poll(minutes=13 * 60)
    assert stage.record(record.import_id).state is State.EXPIRED
    assert "its answer to the last attempt: the board answered 401" in (
        stage.record(record.import_id).ending.reason or ""
    )
    stage.publish_notices()
    assert "the board answered 401" in json.dumps(stage.topic.published[-1].data)
