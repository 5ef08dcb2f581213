"""Thousands of errors and of open imports are handled in bounded time and memory."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from jobferry.adapters.dynamodb import ImportsTable
from jobferry.board.accounts import Account
from jobferry.board.job_imports import JobImport, parse_job_import
from jobferry.errors import BoardUnknownError, BoardUnreachableError
from jobferry.records.feeds import Feed
from jobferry.records.imports import Open, SettledBy, State
from jobferry.results.polling import Poller, poll
from jobferry.results.settlement import settle
from tests.fakes import Clock, MemoryStore
from tests.integration.inprocess import Stub, in_process
from tests.records import an_import, changed

NOW: Final = datetime(2026, 11, 24, 2, tzinfo=UTC)
ERRORS: Final = 20_000
#: A BatchWriteItem of 25 items within a region takes about so long. Seconds.
BATCH_SECONDS: Final = 0.02


class NoArchive:
    def fetch(self, key: str, path: Path) -> bool:
        return False


def test_twenty_thousand_errors_are_settled_within_thirty_seconds_and_bounded_memory() -> None:
    errors = [
        {
            "index": number,
            "messages": [f"State is invalid. Value passed was: {number}" * 5],
            "referenceNumber": f"A-{number}",
        }
        for number in range(ERRORS)
    ]
    counts = {"added": 0, "deleted": 0, "failed": ERRORS, "processed": ERRORS, "unchanged": 0, "updated": 0}
    answer = {"data": {"id": "b", "status": "complete", "results": counts | {"errors": errors}}}
    body = json.dumps(answer).encode()
    del errors, answer
    batches: list[int] = []

    def write(_real: Any, RequestItems: dict[str, Any]) -> Any:  # noqa: N803  # boto3's name
        (writes,) = RequestItems.values()
        batches.append(len(writes))
        return {"UnprocessedItems": {}}

    with in_process("ImportsTable") as (stack, cloud):
        client = Stub(cloud.client("dynamodb"), batch_write_item=write)
        table = ImportsTable(client, stack.resource("ImportsTable").ref)  # type: ignore[arg-type]
        record = an_import(
            import_id="default-20261124T020000Z",
            feed="default",
            created_at=NOW,
            state=State.PENDING,
            board_import_id="b",
            jobs=ERRORS,
            open=Open.OPEN,
        )
        table.save(record, Feed(feed="default", open_imports=[record.import_id]))
        began = time.process_time()
        settle(table, NoArchive(), record.import_id, parse_job_import(body), by=SettledBy.POLL, verified=True, now=NOW)
        seconds = time.process_time() - began
        settled = table.get(record.import_id)
        assert settled is not None
        assert (settled.state, (settled.result.counts or {})["failed"], settled.result.unaccounted) == (
            State.COMPLETE,
            ERRORS,
            0,
        )
        assert batches == [25] * (ERRORS // 25)
        table.save(changed(settled, state=State.PENDING, verified=False))
        tracemalloc.start()
        settle(table, NoArchive(), record.import_id, parse_job_import(body), by=SettledBy.POLL, verified=True, now=NOW)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    print(f"{seconds:.1f} s of processor, {len(body) >> 20} MiB of answer, {peak >> 20} MiB at most")
    assert seconds + ERRORS / 25 * BATCH_SECONDS < 30
    assert peak < 256 << 20, "a quarter of what ReceiveCallback has"


class Boards:
    """Boards by their URLs: how each answers, and how long it takes."""

    def __init__(self, clock: Clock, **boards: tuple[float, Callable[[str], JobImport]]) -> None:
        self._clock = clock
        self._boards = boards
        self.asked: Counter[str] = Counter()

    def __call__(self, account: Account) -> Any:
        boards, name = self, account.board_url

        class Board:
            def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
                takes, answer = boards._boards[name]
                boards._clock.sleep(min(takes, seconds))
                boards.asked[board_import_id] += 1
                return answer(board_import_id)

        return Board()


class Accounts:
    def get(self, name: str, *, fresh: bool = False) -> Account:
        return Account(name, name, "key")


def complete(board_import_id: str) -> JobImport:
    return JobImport.model_validate({"id": board_import_id, "status": "complete", "results": {}})


def pending(board_import_id: str) -> JobImport:
    return JobImport.model_validate({"id": board_import_id, "status": "pending"})


def silent(_: str) -> JobImport:
    raise BoardUnknownError("no answer")


def busy(_: str) -> JobImport:
    raise BoardUnreachableError("429", None, 429)


def thousand(*boards: str) -> MemoryStore:
    """Return a store with a thousand open imports, spread evenly over the boards."""
    store = MemoryStore()
    for number in range(1000):
        board = boards[number % len(boards)]
        record = an_import(
            import_id=f"f{number}-20261124T020000Z",
            feed=f"f{number}",
            created_at=NOW + timedelta(milliseconds=number),
            state=State.PENDING,
            board=board,
            account=board,
            board_import_id=f"{board}-{number}",
            open=Open.OPEN,
        )
        store.save(record)
    return store


def run(store: MemoryStore, boards: Boards, clock: Clock) -> None:
    """Run the poller once, as the template has it: every five minutes, 240 s long."""
    deadline = clock() + timedelta(seconds=240)
    faults: list[Exception] = []
    poll(
        Poller(store, NoArchive(), Accounts(), boards, None, clock, lambda _, error: faults.append(error)),  # type: ignore[arg-type]
        deadline,
    )
    assert faults == []
    assert clock() < deadline
    clock.sleep((deadline - clock()).total_seconds() + 60)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW + timedelta(minutes=5))


def test_a_board_that_is_silent_or_busy_holds_up_no_other(clock: Clock) -> None:
    store = thousand("good", "silent", "busy", "good")
    boards = Boards(clock, good=(0.2, complete), silent=(60, silent), busy=(0.1, busy))
    run(store, boards, clock)
    assert sum(name.startswith("good") for name in boards.asked) == 500, "all of the good one's, in the first run"
    assert sum(name.startswith("busy") for name in boards.asked) == 1, "a 429 ends that board's turn"
    assert sum(name.startswith("silent") for name in boards.asked) == 3


def test_a_board_that_is_slow_takes_its_turns_with_the_others(clock: Clock) -> None:
    store = thousand("slow", "good", "good", "good")
    boards = Boards(clock, good=(0.2, pending), slow=(9, pending))
    for _ in range(15):
        run(store, boards, clock)
    assert len(boards.asked) == 1000, "everybody was asked"
    assert max(boards.asked.values()) - min(boards.asked.values()) <= 1, "and nobody twice as often as another"


def test_those_of_a_silent_board_take_turns_too(clock: Clock) -> None:
    store = thousand("silent")
    boards = Boards(clock, silent=(10, silent))
    for _ in range(20):
        run(store, boards, clock)
    assert len(boards.asked) == 60
    assert set(boards.asked.values()) == {1}
