"""The poller: results that no callback brought, deadlines, what was left in the middle, feeds to start again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobferry.board.accounts import Account
from jobferry.board.client import RequestBody
from jobferry.board.job_imports import JobImport
from jobferry.errors import BoardError, BoardRefusedError, BoardUnknownError, BoardUnreachableError, SecretError
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, Open, State
from jobferry.records.store import BrokenRecord, OpenRecords
from jobferry.results.polling import Polled, Poller, poll
from tests.fakes import Killed, MemoryStore
from tests.records import an_import, changed

BEGAN = datetime(2026, 11, 24, 2, tzinfo=UTC)
BOARD = "https://board.example/api"


def complete(board_id: str) -> JobImport:
    results = {"processed": 10, "added": 10}
    return JobImport.model_validate({"id": board_id, "status": "complete", "results": results})


def pending(board_id: str) -> JobImport:
    return JobImport.model_validate({"id": board_id, "status": "pending"})


class World:
    """The records, the time, and boards that answer as they are told."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.time = BEGAN + timedelta(minutes=5)
        self.asked: list[str] = []
        self.started: list[tuple[str, str, str]] = []
        self.faults: list[tuple[str, str]] = []
        self.log: list[str] = []
        self.answer: Callable[[str], JobImport] = complete
        self.seconds = 0.0

    def add(self, name: str, **changes: Any) -> str:
        """An import that the board has as B-{name}."""
        import_id = f"{name}-20261124T020000Z"
        record = an_import(
            **(
                {
                    "import_id": import_id,
                    "feed": name,
                    "created_at": BEGAN,
                    "state": State.PENDING,
                    "board": BOARD,
                    "account": "BoardApiKey",
                    "board_import_id": f"B-{name}",
                    "jobs": 10,
                    "open": Open.OPEN,
                }
                | changes
            )
        )
        self.store.save(record, Feed(feed=name, open_imports=[import_id]))
        return import_id

    def poll(self, minutes: float = 4, *, late: bool = False) -> Polled:
        poller = Poller(
            self.store,
            self,
            self,
            lambda account: Boards(self, account),
            self,
            lambda: self.time,
            self.failed,
            lambda record: self.log.append(record.feed),
        )
        return poll(poller, self.time + timedelta(minutes=minutes), late=late)

    def poll_for(self, hours: float) -> int:
        """Run the poller every five minutes, as the template does, and return how many runs were killed."""
        killed, end = 0, self.time + timedelta(hours=hours)
        while self.time < end:
            began = self.time
            try:
                self.poll(late=began.minute < 5)
            except Killed:
                killed += 1
            self.time = began + timedelta(minutes=5)
        return killed

    def state(self, import_id: str) -> tuple[State, str | None]:
        found = self.store.get(import_id)
        assert found is not None
        return found.state, found.ending.cause

    # The poller's ports

    def fetch(self, key: str, path: Path) -> bool:
        return False

    def get(self, name: str, *, fresh: bool = False) -> Account:
        if name == "missing":
            raise SecretError("the secret missing is empty")
        return Account(name, BOARD if name == "BoardApiKey" else f"https://{name}.example/api", "key")

    def run_again(self, feed: str, skipped: str) -> None:
        self.started.append(("again", feed, skipped))

    def resume(self, feed: str, import_id: str) -> None:
        self.started.append(("resume", feed, import_id))

    def failed(self, record: Import | Feed | BrokenRecord, error: Exception) -> None:
        self.faults.append((record.feed, str(error)))


class Boards:
    def __init__(self, world: World, account: Account) -> None:
        self.world = world

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        raise AssertionError("the poller sends nothing")

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        self.world.asked.append(board_import_id)
        self.world.time += timedelta(seconds=self.world.seconds)
        return self.world.answer(board_import_id)


def raises(error: BaseException) -> Callable[[str], JobImport]:
    def act(_: str) -> JobImport:
        raise error

    return act


def test_it_fetches_the_results_that_no_callback_brought() -> None:
    world = World()
    one, two = world.add("one"), world.add("two", state=State.RUNNING)
    polled = world.poll()
    assert world.asked == ["B-one", "B-two"]
    assert [world.state(each)[0] for each in (one, two)] == [State.COMPLETE, State.COMPLETE]
    assert [each.import_id for each in polled.settled] == [one, two]
    assert world.poll().settled == [], "the next run finds nothing open"
    assert world.asked == ["B-one", "B-two"]


def test_it_confirms_what_a_callback_said() -> None:
    world = World()
    one = world.add("one", state=State.COMPLETE, verified=False, settled_by="callback", results={"failed": 3})
    world.poll()
    found = world.store.get(one)
    assert found is not None
    assert (found.result.verified, found.open, found.result.counts and found.result.counts["failed"]) == (True, None, 0)


def test_oldest_first_and_who_was_not_reached_next_time() -> None:
    world = World()
    world.answer, world.seconds = pending, 60
    for number in range(6):
        world.add(f"f{number}", created_at=BEGAN + timedelta(seconds=number))
    first = world.poll()
    assert (world.asked, first.left) == (["B-f0", "B-f1", "B-f2", "B-f3"], 2)
    world.asked.clear()
    world.poll()
    assert world.asked[:2] == ["B-f4", "B-f5"], "nobody starves behind the same four"


def test_a_429_ends_that_boards_turn_and_not_the_run() -> None:
    world = World()
    world.add("a1")
    world.add("a2", created_at=BEGAN + timedelta(seconds=1))
    other = world.add("b1", account="other", board="https://other.example/api", created_at=BEGAN + timedelta(seconds=2))

    def answer(board_id: str) -> JobImport:
        if board_id.startswith("B-a"):
            raise BoardUnreachableError("the board answered 429", status=429)
        return complete(board_id)

    world.answer = answer
    world.poll()
    assert world.asked == ["B-a1", "B-b1"]
    assert world.state(other)[0] is State.COMPLETE


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (BoardUnknownError("no answer"), 3),
        (BoardUnreachableError("no connection"), 3),
        (BoardRefusedError("the board answered 404", 404), 5),
    ],
)
def test_a_board_that_fails_again_and_again_is_left_alone(error: BoardError, asked: int) -> None:
    world = World()
    world.answer = raises(error)
    imports = [world.add(f"f{number}") for number in range(5)]
    world.poll()
    assert len(world.asked) == asked
    assert {world.state(each)[0] for each in imports} == {State.PENDING}
    assert world.faults == []


def test_one_imports_fault_holds_up_no_other() -> None:
    world = World()
    world.add("a", created_at=BEGAN - timedelta(hours=1))
    good = world.add("b")

    def answer(board_id: str) -> JobImport:
        if board_id == "B-a":
            raise RuntimeError("a fault of ours")
        return complete(board_id)

    world.answer = answer
    world.poll()
    assert world.state(good)[0] is State.COMPLETE
    assert world.faults == [("a", "a fault of ours")]


def test_a_secret_that_is_gone_holds_up_no_other() -> None:
    world = World()
    lost = world.add("a", account="missing")
    good = world.add("b")
    world.poll()
    assert (world.state(lost)[0], world.state(good)[0]) == (State.PENDING, State.COMPLETE)


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING, State.SUBMITTING])
def test_twelve_hours_without_a_result_are_the_end(state: State) -> None:
    world = World()
    world.answer = pending
    one = world.add("one", state=state, board_import_id=None if state is State.SUBMITTING else "B-one", payload="p")
    world.time = BEGAN + timedelta(hours=12)
    world.poll()
    assert world.state(one)[0] is not State.EXPIRED
    world.time = BEGAN + timedelta(hours=12, seconds=1)
    polled = world.poll()
    assert world.state(one) == (State.EXPIRED, "no-result")
    assert polled.expired == [one]
    assert world.store.get_feed("one").open_imports == []


def test_a_result_in_the_last_minute_is_no_end() -> None:
    world = World()
    one = world.add("one")
    world.time = BEGAN + timedelta(hours=13)
    world.poll()
    assert world.state(one)[0] is State.COMPLETE


def test_an_unverified_result_stands_when_nobody_can_be_asked_to_the_end() -> None:
    world = World()
    world.answer = raises(BoardUnknownError("no answer"))
    one = world.add("one", state=State.COMPLETE, verified=False)
    world.time = BEGAN + timedelta(hours=12, seconds=1)
    world.poll()
    found = world.store.get(one)
    assert found is not None
    assert (found.state, found.result.verified, found.open) == (State.COMPLETE, False, None)


class TestLeftInTheMiddle:
    def unsent(self, world: World, **changes: Any) -> str:
        claim = {"claimed_by": "request", "claimed_until": BEGAN + timedelta(minutes=15)}
        return world.add("one", **({"state": State.PREPARING, "board_import_id": None} | claim | changes))

    @pytest.mark.parametrize("minutes", [5, 14, 24])
    def test_what_somebody_works_on_is_left_alone(self, minutes: int) -> None:
        world = World()
        one = self.unsent(world)
        world.time = BEGAN + timedelta(minutes=minutes)
        polled = world.poll()
        assert polled.counts() == {
            "settled": 0,
            "expired": 0,
            "freed": 0,
            "resumed": 0,
            "started": 0,
            "failed": 0,
            "left": 0,
        }
        assert world.state(one)[0] is State.PREPARING

    def test_before_anything_could_be_sent_it_is_freed(self) -> None:
        world = World()
        one = self.unsent(world)
        world.time = BEGAN + timedelta(minutes=26)
        assert world.poll().freed == [one]
        assert world.state(one) == (State.BLOCKED, "abandoned")
        assert world.store.get_feed("one").open_imports == []
        assert world.started == []

    @pytest.mark.parametrize("state", [State.PREPARING, State.SUBMITTING])
    def test_what_is_archived_is_gone_on_with(self, state: State) -> None:
        world = World()
        one = self.unsent(world, state=state, payload="archive/one/x.jsonl.gz")
        world.time = BEGAN + timedelta(minutes=26)
        assert world.poll().resumed == [one]
        assert world.started == [("resume", "one", one)]
        assert world.state(one)[0] is state

    def test_what_was_never_sent_in_time_is_freed(self) -> None:
        world = World()
        one = self.unsent(world, payload="archive/one/x.jsonl.gz")
        world.time = BEGAN + timedelta(hours=13)
        world.poll()
        assert world.state(one) == (State.BLOCKED, "abandoned")

    def test_one_that_comes_back_meanwhile_is_not_freed(self) -> None:
        world = World()
        one = self.unsent(world)
        world.time = BEGAN + timedelta(minutes=26)

        def take_over(_: object) -> None:
            world.store.before_save = lambda _: None
            found = world.store.get(one)
            assert found is not None
            world.store.save(changed(found, claimed_by="other", claimed_until=world.time + timedelta(minutes=15)))

        world.store.before_save = take_over
        assert world.poll().freed == []
        assert world.state(one)[0] is State.PREPARING


class TestFeedsThatSkippedARun:
    def feed(self, world: World, **changes: Any) -> None:
        feed = Feed(feed="one", run_again="one-20261124T020100Z", run_again_at=BEGAN)
        world.store.save(feed.changed(**changes))

    def test_they_are_started_when_the_open_run_has_ended(self) -> None:
        world = World()
        self.feed(world)
        assert world.poll().started == ["one"]
        assert world.started == [("again", "one", "one-20261124T020100Z")]
        assert world.store.get_feed("one").run_again == "one-20261124T020100Z", "only the claim fulfils the wish"

    def test_and_not_before(self) -> None:
        world = World()
        self.feed(world, open_imports=["one-20261124T020000Z"])
        world.poll()
        assert world.started == []


class TestAnAnswerThatKills:
    def kill_on(self, world: World, *names: str, otherwise: Callable[[str], JobImport] = complete) -> None:
        def answer(board_id: str) -> JobImport:
            if board_id.removeprefix("B-") in names:
                raise Killed
            return otherwise(board_id)

        world.answer = answer

    def test_everything_else_comes_first(self) -> None:
        world = World()
        self.kill_on(world, "bad")
        world.add("bad", created_at=BEGAN - timedelta(hours=1))
        claim = {"claimed_by": "request", "claimed_until": BEGAN - timedelta(hours=1)}
        world.add("left", state=State.PREPARING, board_import_id=None, payload="p", **claim)
        late = world.add("late", created_at=BEGAN - timedelta(hours=13), polled_at=BEGAN, board_import_id="B-late")
        world.store.save(Feed(feed="skipped", run_again="skipped-20261124T020100Z", run_again_at=BEGAN))
        with pytest.raises(Killed):
            world.poll()
        assert world.started == [
            ("again", "skipped", "skipped-20261124T020100Z"),
            ("resume", "left", "left-20261124T020000Z"),
        ]
        assert world.state(late) == (State.EXPIRED, "no-result")
        assert world.asked == ["B-bad"]
        assert world.log == ["bad"], "the log names it"

    def test_it_kills_a_few_runs_and_holds_up_nothing(self) -> None:
        world = World()
        self.kill_on(world, "bad", "worse")
        bad = [
            world.add(name, created_at=BEGAN + timedelta(seconds=number))
            for number, name in enumerate(("bad", "worse"))
        ]
        good = world.add("good", created_at=BEGAN + timedelta(minutes=1))
        killed = world.poll_for(11)
        assert world.state(good)[0] is State.COMPLETE
        killed += world.poll_for(61)
        assert 2 <= killed <= 16, "of 864 runs"
        for each in bad:
            assert world.state(each) == (State.EXPIRED, "no-result")
            found = world.store.get(each)
            assert found is not None
            assert found.open is None, "it is not touched again"
            assert "could not process its answer" in (found.ending.reason or "")
            assert world.store.get_feed(found.feed).open_imports == []

    def test_one_that_begins_to_kill_after_the_deadline_kills_three_runs_at_most(self) -> None:
        world = World()
        world.answer = pending
        bad = world.add("bad")
        assert world.poll_for(12) == 0
        self.kill_on(world, "bad")
        assert 1 <= world.poll_for(48) <= 3
        assert world.state(bad) == (State.EXPIRED, "no-result")
        assert world.store.open_records(late=True).imports == []

    def test_those_that_may_kill_come_last(self) -> None:
        world = World()
        world.answer = pending
        world.add("bad", created_at=BEGAN - timedelta(hours=3), unanswered=1, polled_at=BEGAN - timedelta(hours=2))
        world.add("good")
        world.poll()
        assert world.asked == ["B-good", "B-bad"]
        assert world.store.get("bad-20261124T020000Z") == changed(
            world.store.get("bad-20261124T020000Z"),
            unanswered=0,  # type: ignore[arg-type]
        ), "an answer that was handled is forgiven"

    def test_an_answer_that_fails_is_asked_for_after_longer_and_longer_pauses(self) -> None:
        world = World()
        world.answer = raises(RuntimeError("a fault of ours"))
        one = world.add("one")
        world.poll_for(24)
        assert len(world.asked) == len(world.faults) <= 9
        assert world.state(one) == (State.EXPIRED, "no-result")


class TestLateResults:
    def test_an_expired_import_is_asked_for_once_an_hour_and_does_not_lock_its_feed(self) -> None:
        world = World()
        world.answer = pending
        one = world.add("one")
        world.poll_for(12.5)
        found = world.store.get(one)
        assert found is not None
        assert (found.state, found.open) == (State.EXPIRED, Open.LATE)
        assert world.store.get_feed("one").open_imports == []
        world.asked.clear()
        world.poll_for(5)
        assert len(world.asked) == 5
        world.answer = complete
        world.poll_for(1)
        found = world.store.get(one)
        assert found is not None
        assert (found.state, found.open, found.result.late) == (State.COMPLETE, None, True)

    def test_two_days_after_it_began_nobody_asks_any_more(self) -> None:
        world = World()
        world.answer = pending
        one = world.add("one")
        world.poll_for(50)
        world.asked.clear()
        world.answer = complete
        world.poll_for(10)
        assert world.asked == []
        found = world.store.get(one)
        assert found is not None
        assert (found.state, found.open) == (State.EXPIRED, None)

    def test_a_board_that_is_left_alone_holds_up_no_deadline(self) -> None:
        world = World()
        world.answer = raises(BoardUnknownError("no answer"))
        imports = [world.add(f"f{number}") for number in range(9)]
        world.time = BEGAN + timedelta(hours=12, seconds=1)
        assert len(world.poll().expired) == 9
        assert {world.state(each)[0] for each in imports} == {State.EXPIRED}
        assert len(world.asked) == 3

    def test_a_secret_that_cannot_be_read_at_the_deadline_costs_no_result(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The board was not asked, so nothing points to an answer that crashes the function."""

        def fail(name: str, *, fresh: bool = False) -> Account:
            raise RuntimeError("Secrets Manager is throttled")

        world = World()
        world.answer = pending
        one = world.add("one")
        world.poll_for(11)
        with monkeypatch.context() as patch:
            patch.setattr(world, "get", fail)
            world.poll_for(2)
        found = world.store.get(one)
        assert found is not None
        assert (found.state, found.open) == (State.EXPIRED, Open.LATE)
        assert found.ending.reason == "the board gave no result within 12 hours"
        world.answer = complete
        world.poll_for(1)
        assert world.state(one)[0] is State.COMPLETE

    def test_the_reason_says_which_status_the_board_gives(self) -> None:
        world = World()
        world.answer = lambda board_id: JobImport.model_validate({"id": board_id, "status": "Failed"})
        one = world.add("one")
        world.poll_for(12.5)
        found = world.store.get(one)
        assert found is not None
        assert found.ending.reason == 'the board gave no result within 12 hours; its last answer: the status "failed"'

    def test_the_reason_says_what_the_board_answered(self) -> None:
        world = World()
        world.answer = raises(BoardRefusedError("the board answered 404 (there is nothing at that address)", 404))
        one = world.add("one")
        world.poll_for(12.5)
        found = world.store.get(one)
        assert found is not None
        assert found.ending.reason == (
            "the board gave no result within 12 hours; its last answer: "
            "the board answered 404 (there is nothing at that address)"
        )


def test_a_record_that_cannot_be_read_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    good = world.add("good")
    open_records = world.store.open_records
    broken = [BrokenRecord("bad-1", "bad", ValueError("an unknown state"))]
    monkeypatch.setattr(world.store, "open_records", lambda *, late: OpenRecords(*open_records(late=late)[:2], broken))
    polled = world.poll()
    assert polled.failed == ["bad-1"]
    assert world.faults == [("bad", "an unknown state")]
    assert world.state(good)[0] is State.COMPLETE


def test_a_feed_that_cannot_be_started_holds_up_no_import(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    good = world.add("good")
    world.store.save(Feed(feed="one", run_again="one-20261124T020100Z", run_again_at=BEGAN))

    def fail(feed: str, skipped: str) -> None:
        raise RuntimeError("Lambda is throttled")

    monkeypatch.setattr(world, "run_again", fail)
    assert world.poll().failed == ["one"]
    assert world.state(good)[0] is State.COMPLETE
