"""One run of a feed at a time, whoever starts it, however often, and wherever it breaks off."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from jobferry.errors import BoardUnknownError, ClaimTakenError
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, Open, State
from jobferry.runs.submission import Outcome, submit
from jobferry.runs.triggers import parse_trigger
from tests.fakes import Killed, Request
from tests.stage import FEED, Stage

NIGHT = {"feed": FEED, "scheduledAt": "2026-11-24T02:00:00Z"}
ID = "default-20261124T020000Z"


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.put_jobs("A", "B")
    return stage


def upload(key: str, version: str, at: str = "2026-11-24T02:00:00Z") -> dict[str, Any]:
    return {"source": "aws.s3", "time": at, "detail": {"object": {"key": key, "version-id": version, "etag": version}}}


def open_imports(stage: Stage) -> list[str]:
    return stage.store.get_feed(FEED).open_imports


# The same trigger


def test_a_trigger_that_is_delivered_twice_gets_the_same_answer(stage: Stage) -> None:
    first = stage.event(NIGHT)
    again = stage.event(NIGHT)

    assert (first.import_id, first.state) == (again.import_id, again.state) == (ID, State.PENDING)
    assert len(stage.sent()) == 1
    stage.finish()
    assert stage.event(NIGHT).state is State.COMPLETE
    assert len(stage.sent()) == 1


def test_the_same_trigger_many_times_at_once_sends_once(stage: Stage) -> None:
    outcomes = at_once(stage, [NIGHT] * 6)

    assert {each.import_id for each in outcomes} == {ID}
    assert len(stage.sent()) == 1
    assert stage.record(ID).sent.attempts == 1
    stage.finish()
    assert open_imports(stage) == []


def test_different_triggers_at_once_send_once_and_once_more(stage: Stage) -> None:
    events = [NIGHT, *(upload("feeds/default/jobs.jsonl", f"v{number}") for number in range(5))]
    outcomes = at_once(stage, events)

    states = [each.state for each in outcomes]
    assert states.count(State.SKIPPED) == 5
    assert len(stage.sent()) == 1
    assert len({each.import_id for each in outcomes}) == 6
    stage.finish()
    stage.poll()
    assert len(stage.starts) == 1
    stage.start()
    assert len(stage.sent()) == 2
    stage.finish()
    stage.poll()
    assert (stage.starts, open_imports(stage)) == ([], [])


def at_once(stage: Stage, events: list[dict[str, Any]]) -> list[Outcome]:
    """All of the events in threads of their own, which meet before each one's first write."""
    barrier = threading.Barrier(len(events), timeout=10)
    waited = threading.local()

    def meet(_: tuple[Import | Feed, ...]) -> None:
        if not getattr(waited, "done", False):
            waited.done = True
            barrier.wait()

    stage.store.before_save = meet
    outcomes: list[Outcome] = []
    now = stage.clock()
    invocations = [stage.invocation() for _ in events]

    def run(number: int) -> None:
        outcomes.append(submit(parse_trigger(events[number], now), invocations[number], stage.world))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(events))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    stage.store.before_save = lambda _: None
    assert len(outcomes) == len(events)
    return outcomes


# Cut off, and taken up again


def kill_at_save(stage: Stage, number: int) -> None:
    """The process ends before that write."""
    counted = iter(range(1, 1000))

    def kill(_: tuple[Import | Feed, ...]) -> None:
        if next(counted) == number:
            raise Killed

    stage.store.before_save = kill


def test_lambdas_retry_goes_on_at_once_though_the_claim_runs(stage: Stage) -> None:
    invocation = stage.invocation()
    kill_at_save(stage, 2)  # it is claimed, and what was read is not recorded
    with pytest.raises(Killed):
        stage.event({"feed": FEED}, invocation)
    (claimed,) = open_imports(stage)
    assert (stage.record(claimed).state, stage.record(claimed).prepared.payload) == (State.PREPARING, None)
    stage.store.before_save = lambda _: None

    outcome = stage.event({"feed": FEED}, invocation)

    assert (outcome.import_id, outcome.state) == (claimed, State.PENDING)
    assert stage.record(claimed).sent.attempts == 1


def test_another_delivery_leaves_while_the_claim_runs_and_takes_over_afterwards(stage: Stage) -> None:
    kill_at_save(stage, 2)
    with pytest.raises(Killed):
        stage.event(NIGHT)
    stage.store.before_save = lambda _: None

    assert stage.event(NIGHT).state is State.PREPARING
    assert stage.sent() == []
    stage.clock.forward(seconds=900)
    assert stage.event(NIGHT).state is State.PENDING
    assert len(stage.sent()) == 1


def test_an_invocation_whose_claim_was_taken_over_does_not_record_what_it_read(stage: Stage) -> None:
    def take_over(_: object) -> None:
        stage.bucket.before_open = lambda _: None
        stage.clock.forward(seconds=901)
        assert stage.event(NIGHT).state is State.PENDING

    stage.bucket.before_open = take_over
    with pytest.raises(ClaimTakenError):
        stage.event(NIGHT)
    assert len(stage.sent()) == 1


def test_a_claim_abandoned_before_anything_was_ready_is_freed(stage: Stage) -> None:
    kill_at_save(stage, 2)
    with pytest.raises(Killed):
        stage.event(NIGHT)
    stage.store.before_save = lambda _: None
    skipped = stage.run()
    assert skipped.state is State.SKIPPED

    assert stage.poll(20).freed == []  # Lambda's own retries may still come
    assert stage.poll(10).freed == [ID]

    record = stage.record(ID)
    assert (record.state, record.ending.cause, record.open) == (State.BLOCKED, "abandoned", None)
    assert open_imports(stage) == []
    assert stage.poll().started == [FEED]  # what was skipped meanwhile; the poller starts feeds before it ends imports
    assert [each.state for each in stage.start()] == [State.PENDING]


def test_a_run_abandoned_when_it_was_ready_is_sent(stage: Stage) -> None:
    kill_at_save(stage, 3)  # recorded with its payload, and not yet submitting
    with pytest.raises(Killed):
        stage.event(NIGHT)
    stage.store.before_save = lambda _: None
    assert stage.record(ID).prepared.payload is not None
    assert stage.sent() == []

    assert stage.poll(30).resumed == [ID]
    assert [each.state for each in stage.start()] == [State.PENDING]
    assert stage.sent() == [(["A", "B"], False)]


def test_a_run_abandoned_after_sending_is_sent_again_and_settles(stage: Stage) -> None:
    kill_at_save(stage, 4)  # accepted, and not recorded
    with pytest.raises(Killed):
        stage.event(NIGHT)
    stage.store.before_save = lambda _: None
    assert (stage.record(ID).state, stage.record(ID).open) == (State.SUBMITTING, Open.OPEN)

    assert stage.poll(30).resumed == [ID]
    assert [each.state for each in stage.start()] == [State.PENDING]
    assert stage.sent() == [(["A", "B"], False)] * 2
    stage.board.process()
    received = stage.call_back(
        "board1"
    )  # the board's first import has the same jobs; the second is the one that is known
    assert (received.status, received.record.state) == (200, State.PENDING)
    stage.finish()
    assert stage.record(ID).state is State.COMPLETE
    assert open_imports(stage) == []


def test_a_callback_before_the_retry_makes_it_needless(stage: Stage) -> None:
    kill_at_save(stage, 4)
    invocation = stage.invocation()
    with pytest.raises(Killed):
        stage.event(NIGHT, invocation)
    stage.store.before_save = lambda _: None
    stage.finish()

    assert stage.event(NIGHT, invocation).state is State.COMPLETE
    assert len(stage.sent()) == 1


def test_a_request_of_unknown_outcome_is_never_called_rejected(stage: Stage) -> None:
    """The first may have been accepted, so a refusal of the second says nothing of it."""

    def lose(_: Request) -> None:
        raise BoardUnknownError("no answer")

    stage.board.after_create = lose
    invocation = stage.invocation()
    with pytest.raises(BoardUnknownError):
        stage.event(NIGHT, invocation)
    stage.board.keys.clear()
    with pytest.raises(Exception, match="401"):
        stage.event(NIGHT, invocation)

    assert stage.record(ID).state is State.SUBMITTING
    stage.clock.forward(hours=12)
    stage.poll()
    assert stage.record(ID).state is State.EXPIRED
    assert stage.live_set() == ["A", "B"]


# Skipped


def test_a_skipped_run_runs_once_more_when_the_open_one_has_ended(stage: Stage) -> None:
    first = stage.run()
    stage.put_jobs("A", "B", "C")
    skipped = [stage.run() for _ in range(3)]

    assert [(each.state, each.ending.cause) for each in skipped] == [(State.SKIPPED, "open")] * 3
    assert skipped[0].ending.reason == f"{first.import_id} is still open; the feed runs once more when it has ended"
    stage.poll()
    assert stage.starts == []
    stage.finish()
    stage.poll()
    stage.poll()
    assert stage.starts == [{"feed": FEED, "runAgain": skipped[0].import_id}] * 2  # the first start is not known to be
    outcomes = stage.start()
    assert [each.import_id for each in outcomes] == [f"{skipped[0].import_id}-again"] * 2
    assert stage.sent() == [(["A", "B"], False), (["A", "B", "C"], False)]
    stage.finish()
    stage.poll()
    assert stage.starts == []


def test_a_wish_that_another_run_has_fulfilled_is_dropped(stage: Stage) -> None:
    stage.run()
    stage.run()
    stage.finish()
    stage.poll()
    stage.complete()

    assert [(each.import_id, each.state) for each in stage.start()] == [(None, State.SKIPPED)]
    assert len(stage.sent()) == 2


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_uploads_in_a_burst_end_in_the_last_content(stage: Stage, lag: int) -> None:
    """Whenever their events come: with each upload, or some uploads later."""
    events = []
    for number in range(5):
        stage.put_jobs("A", f"N{number}")
        events.append(upload("feeds/default/jobs.jsonl", f"v{number}"))
        if number >= lag:
            stage.event(events[number - lag])
        if number == 2:
            stage.finish()
    for event in events[len(events) - lag :] if lag else []:
        stage.event(event)
    for _ in range(4):
        stage.finish()
        stage.poll()
        stage.start()

    assert stage.sent()[-1] == (["A", "N4"], False)
    assert open_imports(stage) == []
    assert stage.store.get_feed(FEED).run_again is None
