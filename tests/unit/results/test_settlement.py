"""The board's answer becomes the import's result: once, whole, from whichever side it comes."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobferry.adapters.dynamodb import _dump
from jobferry.board.job_imports import JobImport
from jobferry.records import transitions
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, Open, SettledBy, State
from jobferry.records.store import apply
from jobferry.results import settlement
from jobferry.results.settlement import settle
from tests.fakes import Killed, MemoryStore
from tests.records import an_import, changed

BEGAN = datetime(2026, 11, 24, 2, tzinfo=UTC)
NOW = BEGAN + timedelta(minutes=4)
ID = "default-20261124T020000Z"
MANIFEST = [
    {"referenceNumber": f"J-{number}", "title": f"Job {number}", "key": "feeds/default/jobs.csv", "row": number + 2}
    for number in range(10)
]


class Archive:
    def __init__(self, manifest: list[dict[str, Any]] | None) -> None:
        self.manifest = manifest

    def fetch(self, key: str, path: Path) -> bool:
        assert key == f"archive/default/{ID}.manifest.jsonl.gz"
        if self.manifest is None:
            return False
        path.write_bytes(gzip.compress("".join(json.dumps(each) + "\n" for each in self.manifest).encode()))
        return True


def record(**changes: Any) -> Import:
    return an_import(
        **(
            {
                "import_id": ID,
                "feed": "default",
                "created_at": BEGAN,
                "state": State.PENDING,
                "board": "https://board.example/api",
                "account": "BoardApiKey",
                "board_import_id": "B1",
                "jobs": 10,
                "objects": 1,
                "manifest": f"archive/default/{ID}.manifest.jsonl.gz",
                "live_set": f"archive/default/{ID}.live.jsonl.gz",
                "open": Open.OPEN,
            }
            | changes
        )
    )


def store_with(job_import: Import, **feed: Any) -> MemoryStore:
    store = MemoryStore()
    store.save(job_import, Feed(feed="default", open_imports=[ID], last_import=ID, **feed))
    return store


def answer(
    status: str = "complete", errors: tuple[tuple[int | None, str | None, list[str]], ...] = (), **counts: Any
) -> Any:
    whole = {"processed": 10, "added": 10 - len(errors), "failed": len(errors)} | counts
    listed = [{"index": index, "referenceNumber": number, "messages": words} for index, number, words in errors]
    results = whole | {"errors": listed} if status == "complete" else None
    return JobImport.model_validate({"id": "B1", "status": status, "results": results})


REFUSED = (
    (2, "J-2", ["State is invalid. Value passed was: MC"]),
    (7, None, ["Job ID is missing"]),
)


def test_complete_means_that_all_is_there() -> None:
    store = store_with(record())
    settled = settle(
        store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.CALLBACK, verified=True, now=NOW
    )
    assert settled == store.get(ID)
    assert (settled.state, settled.result.settled_by, settled.result.verified, settled.open) == (
        State.COMPLETE,
        SettledBy.CALLBACK,
        True,
        None,
    )
    assert settled.result.counts == {
        "processed": 10,
        "added": 8,
        "failed": 2,
        "deleted": 0,
        "unchanged": 0,
        "updated": 0,
        "ignoredValues": None,
    }
    assert settled.result.unaccounted == 0
    assert list(store.read_failed(ID, FailedKind.ERROR)) == [
        FailedJob(
            number=2,
            messages=["State is invalid. Value passed was: MC"],
            reference_number="J-2",
            title="Job 2",
            key="feeds/default/jobs.csv",
            row=4,
            since=BEGAN,
        ),
        FailedJob(
            number=7,
            messages=["Job ID is missing"],
            reference_number="J-7",
            title="Job 7",
            key="feeds/default/jobs.csv",
            row=9,
            since=BEGAN,
        ),
    ]
    feed = store.get_feed("default")
    assert feed.open_imports == []
    assert feed.last_complete == ID
    assert feed.baseline == ID
    assert feed.live_set is not None
    assert (feed.live_set.key, feed.live_set.whole) == (f"archive/default/{ID}.live.jsonl.gz", True)


def test_twice_is_once() -> None:
    store = store_with(record())
    first = settle(store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.CALLBACK, verified=True, now=NOW)
    items, saves = list(store.read_failed(ID, FailedKind.ERROR)), store.saves
    again = settle(
        store,
        Archive(MANIFEST),
        ID,
        answer(errors=REFUSED),
        by=SettledBy.POLL,
        verified=True,
        now=NOW + timedelta(minutes=5),
    )
    assert again == first
    assert (list(store.read_failed(ID, FailedKind.ERROR)), store.saves) == (items, saves)


def test_halfway_is_not_complete_and_can_be_done_again() -> None:
    store = store_with(record())

    def kill(_: object) -> None:
        raise Killed

    store.before_save = kill
    with pytest.raises(Killed):
        settle(store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.CALLBACK, verified=True, now=NOW)
    left = store.get(ID)
    assert left is not None
    assert left.state is State.PENDING
    store.before_save = lambda _: None
    settled = settle(store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.POLL, verified=True, now=NOW)
    assert (settled.state, settled.result.settled_by) == (State.COMPLETE, SettledBy.POLL)
    assert [each.number for each in store.read_failed(ID, FailedKind.ERROR)] == [2, 7]


def test_from_two_sides_at_once_there_is_one_transition() -> None:
    store = store_with(record())
    transitions = []

    def other_side_first(records: Any) -> None:
        store.before_save = lambda written: transitions.append([each.revision for each in written])
        settle(store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.POLL, verified=True, now=NOW)

    store.before_save = other_side_first
    settled = settle(
        store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.CALLBACK, verified=True, now=NOW
    )
    assert settled.result.settled_by == SettledBy.POLL
    assert len(transitions) == 1


def test_a_callbacks_own_word_is_recorded_apart_and_corrected_by_the_boards() -> None:
    store = store_with(record())
    said = answer(errors=((1, "J-1", ["invented"]),))
    unverified = settle(store, Archive(MANIFEST), ID, said, by=SettledBy.CALLBACK, verified=False, now=NOW)
    assert (unverified.state, unverified.result.verified, unverified.open) == (State.COMPLETE, False, Open.OPEN)
    assert [each.messages for each in store.read_failed(ID, FailedKind.UNVERIFIED)] == [["invented"]]
    assert not list(store.read_failed(ID, FailedKind.ERROR))
    verified = settle(store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.POLL, verified=True, now=NOW)
    assert (verified.state, verified.result.verified, verified.result.settled_by, verified.open) == (
        State.COMPLETE,
        True,
        SettledBy.POLL,
        None,
    )
    assert [each.number for each in store.read_failed(ID, FailedKind.ERROR)] == [2, 7]
    assert not list(store.read_failed(ID, FailedKind.UNVERIFIED))
    late = settle(store, Archive(MANIFEST), ID, said, by=SettledBy.CALLBACK, verified=False, now=NOW)
    assert late == verified
    assert not list(store.read_failed(ID, FailedKind.UNVERIFIED)), "a word that comes late leaves nothing behind"


def test_an_unverified_word_never_shrinks_the_live_set() -> None:
    store = store_with(record(delete_jobs=True, full_sync=True))
    settle(store, Archive(MANIFEST), ID, answer(), by=SettledBy.CALLBACK, verified=False, now=NOW)
    live_set = store.get_feed("default").live_set
    assert live_set is not None
    assert live_set.whole
    settle(store, Archive(MANIFEST), ID, answer(), by=SettledBy.POLL, verified=True, now=NOW)
    live_set = store.get_feed("default").live_set
    assert live_set is not None
    assert not live_set.whole


@pytest.mark.parametrize("state", [State.SUBMITTING, State.PENDING, State.RUNNING, State.EXPIRED, State.REJECTED])
@pytest.mark.parametrize("told", [None, NOW])
def test_a_result_settles_whatever_may_have_reached_the_board(state: State, told: datetime | None) -> None:
    store = store_with(record(state=state, notified_at=told))
    settled = settle(store, Archive(MANIFEST), ID, answer(), by=SettledBy.CALLBACK, verified=True, now=NOW)
    assert settled.state is State.COMPLETE
    assert settled.notified_at is None, "who heard of no result hears of this one"
    assert settled.result.late == (told is not None or state in (State.EXPIRED, State.REJECTED))


@pytest.mark.parametrize("differs", [False, True])
def test_who_was_told_of_an_unverified_result_hears_of_another_and_of_no_same_one(differs: bool) -> None:
    store = store_with(record())
    settle(store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.CALLBACK, verified=False, now=NOW)
    found = store.get(ID)
    assert found is not None
    store.save(changed(found, notified_at=NOW, open=None))
    said = answer() if differs else answer(errors=REFUSED)
    settled = settle(store, Archive(MANIFEST), ID, said, by=SettledBy.CALLBACK, verified=True, now=NOW)
    assert (settled.result.verified, settled.notified_at) == (True, None if differs else NOW)


def add_deleted(store: MemoryStore, deleted: int) -> Import:
    return apply(store, ID, lambda current, _: transitions.add_earlier_deletions(current, deleted))


def test_what_an_earlier_sending_deleted_is_counted_once() -> None:
    store = store_with(record(attempts=2))
    add_deleted(store, 300)
    add_deleted(store, 300)
    settled = settle(store, Archive(MANIFEST), ID, answer(deleted=2), by=SettledBy.POLL, verified=True, now=NOW)
    assert settled.result.counts is not None
    assert settled.result.counts["deleted"] == 302
    other = store_with(record(attempts=2))
    settle(other, Archive(MANIFEST), ID, answer(deleted=2), by=SettledBy.POLL, verified=True, now=NOW)
    assert (add_deleted(other, 300).result.counts or {})["deleted"] == 302


@pytest.mark.parametrize("state", [State.PREPARING, State.BLOCKED, State.SKIPPED])
def test_a_result_of_what_was_never_sent_is_none(state: State) -> None:
    store = store_with(record(state=state))
    assert settle(store, Archive(MANIFEST), ID, answer(), by=SettledBy.CALLBACK, verified=True, now=NOW).state is state
    assert not list(store.read_failed(ID, FailedKind.ERROR))


@pytest.mark.parametrize(("status", "state"), [("pending", "pending"), ("running", "running"), ("paused", "pending")])
def test_the_boards_own_words_on_the_way(status: str, state: str) -> None:
    store = store_with(record())
    assert (
        settle(store, Archive(MANIFEST), ID, answer(status), by=SettledBy.POLL, verified=True, now=NOW).state == state
    )


def test_failing_since_is_carried_from_import_to_import() -> None:
    before = BEGAN - timedelta(days=3)
    store = store_with(record(previous="default-20261123T020000Z"))
    old = FailedJob(number=0, messages=["x"], reference_number="J-2", since=before)
    store.save(record(import_id="default-20261123T020000Z"))
    store.write_failed("default-20261123T020000Z", FailedKind.ERROR, [old], NOW)
    held = FailedJob(number=0, messages=["y"], reference_number="J-7", since=before + timedelta(days=1))
    store.write_failed("default-20261123T020000Z", FailedKind.INVALID, [held], NOW)
    settle(store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.POLL, verified=True, now=NOW)
    assert [each.since for each in store.read_failed(ID, FailedKind.ERROR)] == [before, before + timedelta(days=1)]


@pytest.mark.parametrize("manifest", [None, [], MANIFEST[:3]])
def test_without_the_manifest_the_boards_words_are_kept(manifest: list[dict[str, Any]] | None) -> None:
    store = store_with(record())
    settle(store, Archive(manifest), ID, answer(errors=REFUSED), by=SettledBy.POLL, verified=True, now=NOW)
    second = list(store.read_failed(ID, FailedKind.ERROR))[1]
    assert (second.messages, second.key, second.row) == (["Job ID is missing"], None, None)


def test_strange_errors_are_all_kept() -> None:
    strange = (
        (2, None, ["first"]),
        (2, "J-2", ["second"]),
        (None, "J-9", ["no index"]),
        (None, None, ["none either"]),
        (10**30, None, ["far away"]),
        (5_000_000, None, ["beyond the list"]),
    )
    store = store_with(record())
    settle(store, Archive(MANIFEST), ID, answer(errors=strange), by=SettledBy.POLL, verified=True, now=NOW)
    kept = {each.number: (each.reference_number, each.messages) for each in store.read_failed(ID, FailedKind.ERROR)}
    assert kept == {
        2: ("J-2", ["first", "second"]),
        10: ("J-9", ["no index"]),
        11: (None, ["none either"]),
        12: (None, ["far away"]),
        5_000_000: (None, ["beyond the list"]),
    }


def test_what_else_the_board_says_is_kept_as_far_as_a_record_can() -> None:
    store = store_with(record())
    more = answer(ignoredValues=[{"shift": "x"}], paused=3)
    kept = settle(store, Archive(MANIFEST), ID, more, by=SettledBy.POLL, verified=True, now=NOW).result.counts
    assert kept is not None
    assert (kept["ignoredValues"], kept["paused"]) == ([{"shift": "x"}], 3)


@pytest.mark.parametrize("hostile", [{"": 1}, {"big": "x" * 500_000}, {"deep": json.loads("[" * 30 + "]" * 30)}])
def test_what_no_record_can_hold_is_kept_as_text(hostile: dict[str, Any]) -> None:
    store = store_with(record())
    kept = settle(
        store, Archive(MANIFEST), ID, answer(ignoredValues=hostile), by=SettledBy.POLL, verified=True, now=NOW
    ).result.counts
    assert kept is not None
    assert kept["added"] == 10
    assert kept["ignoredValues"] is None
    assert kept["more"].startswith('{"ignoredValues":{')
    assert len(kept["more"]) <= 50_000


def test_an_older_import_that_ends_late_replaces_nothing_newer() -> None:
    newer = BEGAN + timedelta(days=1)
    store = store_with(
        record(),
        last_complete="default-20261125T020000Z",
        last_complete_at=newer,
        live_set={
            "key": "archive/default/newer.live.jsonl.gz",
            "import_id": "default-20261125T020000Z",
            "created_at": newer,
            "account": "https://board.example/api BoardApiKey",
            "whole": False,
            "announced_at": newer,
        },
    )
    settle(store, Archive(MANIFEST), ID, answer(), by=SettledBy.CALLBACK, verified=True, now=newer)
    feed = store.get_feed("default")
    assert feed.last_complete == "default-20261125T020000Z"
    assert feed.live_set is not None
    assert feed.live_set.key == "archive/default/newer.live.jsonl.gz"
    assert feed.open_imports == []


def test_many_errors_of_one_job_are_merged_in_linear_time() -> None:
    """Joined one by one, 20,000 errors of five messages each took 16 seconds."""
    errors = [{"index": 3, "messages": [f"{number}-{each}" for each in range(5)]} for number in range(20_000)]
    said = JobImport.model_validate({"id": "B1", "status": "complete", "results": {"errors": errors}})
    store = store_with(record(jobs=20_000))
    began = time.process_time()
    settle(store, Archive(MANIFEST), ID, said, by=SettledBy.POLL, verified=True, now=NOW)
    assert time.process_time() - began < 8
    [failed] = store.read_failed(ID, FailedKind.ERROR)
    assert len(failed.messages) == 100_000
    assert failed.messages[:6] == ["0-0", "0-1", "0-2", "0-3", "0-4", "1-0"]


def test_no_more_jobs_are_recorded_than_the_function_can_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "_MAX_RECORDED", 2)
    store = store_with(record())
    many = answer(errors=tuple((number, f"J-{number}", ["first"]) for number in (0, 1, 2, 1)))
    settled = settle(store, Archive(MANIFEST), ID, many, by=SettledBy.POLL, verified=True, now=NOW)
    assert [(each.number, each.messages) for each in store.read_failed(ID, FailedKind.ERROR)] == [
        (0, ["first"]),
        (1, ["first", "first"]),
    ]
    assert (settled.result.counts or {})["failed"] == 4


@pytest.mark.parametrize("damage", ["cut", "not gzip", "not JSON", "wrong checksum"])
def test_a_damaged_manifest_costs_no_result(damage: str) -> None:
    class Damaged(Archive):
        def fetch(self, key: str, path: Path) -> bool:
            super().fetch(key, path)
            whole = path.read_bytes()
            path.write_bytes(
                {
                    "cut": whole[: len(whole) // 2],
                    "not gzip": b"<html>" * 10,
                    "not JSON": gzip.compress(b"{}\n" * 5 + b"nonsense"),
                    "wrong checksum": whole[:-8] + b"\0" * 8,
                }[damage]
            )
            return True

    store = store_with(record())
    settled = settle(store, Damaged(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.POLL, verified=True, now=NOW)
    assert settled.state is State.COMPLETE
    assert [each.number for each in store.read_failed(ID, FailedKind.ERROR)] == [2, 7]


def test_an_earlier_run_that_cannot_be_read_costs_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_with(record(previous="default-20261123T020000Z"))
    get = store.get

    def read(import_id: str) -> Import | None:
        return Import.from_item({}) if import_id != ID else get(import_id)

    monkeypatch.setattr(store, "get", read)
    settled = settle(store, Archive(MANIFEST), ID, answer(errors=REFUSED), by=SettledBy.POLL, verified=True, now=NOW)
    assert settled.state is State.COMPLETE


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 10**4000, 1e300, 1e-300, -(10**50)])
def test_a_number_that_no_table_can_store_costs_no_result(number: float) -> None:
    """Through the real serializer, as the table in memory takes any number."""
    store = store_with(record())
    said = answer(ignoredValues=[number], more=number)
    settled = settle(store, Archive(MANIFEST), ID, said, by=SettledBy.POLL, verified=True, now=NOW)
    item = _dump(settled.to_item())
    assert item["results"]["M"]["added"] == {"N": "10"}
