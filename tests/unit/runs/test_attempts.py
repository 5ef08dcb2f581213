"""An import whose outcome stays open: how often it is sent, what the board answered, and a result that comes late."""

from __future__ import annotations

from contextlib import suppress

import pytest

from jobferry.errors import BoardUnknownError
from jobferry.records.imports import MAX_SENDS, Import, State
from tests.fakes import Request
from tests.stage import FEED, Stage, job, lines

NIGHT = {"feed": FEED, "scheduledAt": "2026-11-24T03:00:00Z"}


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.put_jobs("A", "B")
    return stage


class Fails:
    """The board answers every request with the next of these errors, and then with the last one."""

    def __init__(self, stage: Stage, *errors: BoardUnknownError) -> None:
        self.requests = 0
        self._errors = errors
        stage.board.before_create = self

    def __call__(self, _: Request) -> None:
        self.requests += 1
        raise self._errors[min(self.requests, len(self._errors)) - 1]


def fail_all_night(stage: Stage) -> Import:
    """Deliver the schedule's event, and let Lambda and the poller try again until the import expires."""
    invocation = stage.invocation()
    for _ in range(3):
        with pytest.raises(BoardUnknownError):
            stage.event(NIGHT, invocation)
    for _ in range(12 * 12 + 2):
        stage.poll(5)
        starts, stage.starts = stage.starts, []
        for event in starts:
            for _ in range(2):
                with suppress(BoardUnknownError):
                    stage.event(event)
    stage.publish_notices()
    [record] = stage.store.imports()
    assert record.state is State.EXPIRED
    return record


def test_an_import_is_sent_twelve_times_at_most(stage: Stage) -> None:
    board = Fails(stage, BoardUnknownError("no answer from the board"))
    record = fail_all_night(stage)
    assert board.requests == record.sent.attempts == MAX_SENDS == 12
    assert record.sent.answers == {}
    assert "the board's answer was lost" in " ".join(stage.topic.published[-1].text.split())


def test_after_that_it_still_gets_its_result(stage: Stage) -> None:
    stage.board.after_create = lambda _: (_ for _ in ()).throw(BoardUnknownError("no answer from the board"))
    invocation = stage.invocation()
    for _ in range(MAX_SENDS):
        with pytest.raises(BoardUnknownError):
            stage.event(NIGHT, invocation)
    assert stage.event(NIGHT, invocation).state is State.SUBMITTING
    assert stage.poll(60).resumed == []
    assert len(stage.sent()) == MAX_SENDS
    stage.finish()
    [record] = stage.store.imports()
    assert record.state is State.COMPLETE


def test_what_the_board_answered_is_told(stage: Stage) -> None:
    Fails(stage, BoardUnknownError("the board answered 500", 500))
    record = fail_all_night(stage)

    assert record.sent.answers == {"500": 12}
    assert record.ending.status == 500
    assert record.ending.reason == (
        "the board gave no result within 12 hours; the board answered all 12 attempts with HTTP 500; its answer to the last "
        "attempt: the board answered 500"
    )
    notice = stage.topic.published[-1]
    text = " ".join(notice.text.split())
    assert "the board answered all 12 attempts with HTTP 500: it is not known whether they arrived" in text
    assert "the board's answer was lost" not in text
    assert "Write to the board's support: the board answered all 12 attempts with HTTP 500" in text


def test_different_answers_are_counted_apart(stage: Stage) -> None:
    Fails(
        stage,
        BoardUnknownError("the board answered 502", 502),
        BoardUnknownError("no answer"),
        BoardUnknownError("the board answered 500", 500),
    )
    record = fail_all_night(stage)
    assert record.sent.answers == {"502": 1, "500": 10}
    assert "of 12 attempts, the board answered 1 with HTTP 502 and 10 with HTTP 500" in (record.ending.reason or "")


# A result that comes after a newer run


def expire(stage: Stage) -> Import:
    """Send an import whose result does not come within its time."""
    record = stage.run()
    stage.poll(13 * 60)
    stage.publish_notices()
    assert stage.record(record.import_id).state is State.EXPIRED
    return record


def late(stage: Stage, record: Import) -> Import:
    """Let the board process everything that waits, and call back."""
    stage.finish()
    found = stage.record(record.import_id)
    assert found.state is State.COMPLETE
    return found


@pytest.fixture
def syncing(stage: Stage) -> Stage:
    stage.settings(deleteJobs=True, maxDeletePercent=100, maxWeeklyDeletePercent=100)
    stage.complete()
    stage.complete()
    return stage


def test_what_an_older_full_sync_deleted_late_is_sent_again(syncing: Stage) -> None:
    stage = syncing
    older = expire(stage)
    assert older.deletions.delete_jobs
    held = stage.board._queue.popleft()
    stage.put_jobs("A", "B", "C")
    stage.complete()
    assert "C" in stage.postings()
    stage.board._queue.append(held)

    record = late(stage, older)

    assert "C" not in stage.postings(), "the board worked on the older import last"
    assert (record.result.late, record.result.overtaken) == (True, True)
    notice = stage.topic.published[-1]
    assert notice.data["severity"] == "critical", "more was deleted than that import was to delete"
    text = " ".join(notice.text.split())
    assert "nothing was lost" not in text
    assert (
        "it undid newer changes of jobs, posted ended jobs again, and deleted jobs that only the newer run had. The feed runs"
        in text
    )
    assert stage.poll().started == [FEED]
    stage.start()
    stage.finish()
    assert stage.postings() == ["A", "B", "C"]
    assert stage.poll().started == []


def test_a_newer_run_that_is_under_way_is_followed_by_another_too(syncing: Stage) -> None:
    stage = syncing
    older = expire(stage)
    stage.put_jobs("A", "B", "C")
    newer = stage.run()
    stage.call_back(stage.board.process() or "")

    assert stage.record(older.import_id).result.overtaken
    assert stage.poll(0).started == [], "the newer run is still open"
    stage.finish()
    assert stage.record(newer.import_id).state is State.COMPLETE
    assert stage.poll().started == [FEED]


def test_jobs_that_an_older_import_set_back_are_sent_again(stage: Stage) -> None:
    older = expire(stage)
    held = stage.board._queue.popleft()
    stage.put("jobs.jsonl", lines(job("A", title="new"), job("B")))
    stage.complete()
    stage.board._queue.append(held)

    late(stage, older)

    text = " ".join(stage.topic.published[-1].text.split())
    assert "it undid newer changes of jobs, and posted jobs again that have ended since. The feed runs" in text
    stage.poll()
    stage.start()
    stage.finish()
    assert stage.board.postings("key-of-the-agency")["A"]["title"] == "new"


def test_a_late_result_without_a_newer_run_needs_no_other(stage: Stage) -> None:
    older = expire(stage)
    record = late(stage, older)
    assert (record.result.late, record.result.overtaken) == (True, False)
    assert "nothing was lost" in stage.topic.published[-1].text
    assert stage.poll().started == []


def test_a_run_again_after_a_late_result_has_an_id_of_its_own(syncing: Stage) -> None:
    """The import had asked for a run before, because a newer version of the feed was waiting."""
    stage = syncing
    stage.bucket.before_open = lambda _: stage.put("more.jsonl", lines(job("C")))
    older = stage.run()
    stage.bucket.before_open = lambda _: None
    assert stage.store.get_feed(FEED).run_again == older.import_id
    held = stage.board._queue.popleft()
    assert stage.poll(13 * 60).expired == [older.import_id]
    stage.poll()
    [first] = stage.start()
    stage.finish()
    stage.board._queue.append(held)
    late(stage, older)

    stage.poll()
    [second] = stage.start()
    assert (first.state, second.state) == (State.PENDING, State.PENDING)
    assert first.import_id != second.import_id
    stage.finish()
    assert stage.poll().started == []
