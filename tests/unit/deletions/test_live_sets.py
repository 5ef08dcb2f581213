"""The live set: what may be on the board, whichever way and in whatever order imports end."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobferry.deletions.live_set import Live, carry_over, read_live_set
from jobferry.errors import BoardRefusedError, BoardUnknownError
from jobferry.payload.payload import Payload
from jobferry.payload.reference_set import ReferenceSet
from jobferry.records.imports import Import, Posting, State
from tests.fakes import Request
from tests.stage import KEY, Stage


def full_sync(*references: str) -> Stage:
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put_jobs(*references)
    stage.complete()
    stage.complete()
    return stage


def expire(stage: Stage) -> Import:
    """A run whose result does not come: the record that was given up."""
    record = stage.run()
    stage.clock.forward(hours=12)
    stage.poll()
    given_up = stage.record(record.import_id)
    assert (given_up.state, given_up.ending.cause) == (State.EXPIRED, "no-result")
    return given_up


def test_full_sync_makes_it_what_was_sent() -> None:
    stage = full_sync("A", "B", "C")
    stage.put_jobs("B", "C", "D")
    assert stage.complete().deletions.delete_jobs
    assert stage.live_set() == ["B", "C", "D"]


def test_add_only_adds_to_it() -> None:
    stage = Stage()
    stage.put_jobs("A", "B")
    stage.complete()
    stage.put_jobs("B", "C")
    stage.complete()
    assert stage.live_set() == ["A", "B", "C"]


def test_an_import_without_a_result_widens_it() -> None:
    """It may have gone either way: what it sent may be there, and what it was to delete too."""
    stage = full_sync("A", "B")
    stage.put_jobs("B", "C")
    assert expire(stage).deletions.delete_jobs
    assert stage.live_set() == ["A", "B", "C"]


def test_a_result_that_comes_late_settles_it() -> None:
    stage = full_sync("A", "B")
    stage.put_jobs("B", "C")
    expired = expire(stage)
    stage.finish()

    late = stage.record(expired.import_id)
    assert (late.state, late.ending.reason, late.ending.cause) == (State.COMPLETE, None, None)
    assert stage.live_set() == ["B", "C"] == stage.postings()


def test_an_older_import_that_ends_late_replaces_nothing() -> None:
    stage = full_sync("A", "B", "C", "D")
    stage.put_jobs("B", "C", "D")
    expired = expire(stage)
    waiting = stage.board.waiting()
    stage.put_jobs("C", "D", "E")
    newer = stage.run()
    while board_import_id := stage.board.process():
        if board_import_id not in waiting:
            stage.call_back(board_import_id)
    assert stage.live_set() == ["C", "D", "E"]

    for each in waiting:
        assert stage.call_back(each).status == 200

    assert stage.record(expired.import_id).state is State.COMPLETE
    feed = stage.store.get_feed("default")
    assert (feed.last_complete, feed.live_set and feed.live_set.import_id) == (newer.import_id, newer.import_id)
    assert stage.live_set() == ["C", "D", "E"]
    assert stage.postings() == ["C", "D", "E"]


def test_while_a_newer_one_is_open_a_late_result_does_not_narrow_what_it_was_held_against() -> None:
    stage = full_sync(*(f"J{number:02d}" for number in range(30)))
    stage.put_jobs("J00", *(f"N{number:02d}" for number in range(30)))
    assert stage.complete().deletions.withheld == 29
    expire(stage)
    stage.put_jobs("J00")
    newer = stage.run()
    assert newer.deletions.withheld == 59
    stage.finish()

    assert len(stage.live_set()) == 60
    assert len(stage.postings()) == 60


@pytest.mark.parametrize("state", [State.REJECTED, State.BLOCKED])
def test_what_was_never_accepted_changes_nothing(state: State) -> None:
    stage = full_sync("A", "B")
    stage.put_jobs("B", "C")
    if state is State.REJECTED:
        stage.board.keys.clear()
    else:
        stage.settings(deleteJobs=True, paused=True)

    record = stage.complete()

    assert record.state is state
    assert (record.deletions.withheld, record.deletions.delete_jobs) == (
        (0, True) if state is State.REJECTED else (0, False)
    )
    assert stage.live_set() == ["A", "B"]


def test_a_refusal_that_was_an_acceptance_is_settled_when_its_result_comes() -> None:
    stage = full_sync("A", "B")
    stage.put_jobs("B", "C")

    def answer_wrongly(_: Request) -> None:
        stage.board.after_create = lambda _: None
        raise BoardRefusedError("the board answered 400", 400)

    stage.board.after_create = answer_wrongly
    record = stage.run()
    assert record.state is State.REJECTED
    stage.finish()

    assert stage.record(record.import_id).state is State.COMPLETE
    assert stage.live_set() == ["B", "C"] == stage.postings()


def test_a_lost_answer_is_sent_again_and_settles_once() -> None:
    stage = full_sync("A", "B")
    stage.put_jobs("B", "C")

    def lose(_: Request) -> None:
        stage.board.after_create = lambda _: None
        raise BoardUnknownError("no answer from the board within 120 s")

    stage.board.after_create = lose
    invocation = stage.invocation()
    with pytest.raises(BoardUnknownError):
        stage.event({"feed": "default"}, invocation)
    stage.clock.forward(minutes=1)
    outcome = stage.event({"feed": "default"}, invocation)  # the time of the call, and so the id, would be another

    assert outcome.state is State.PENDING
    assert stage.sent()[-2:] == [(["B", "C"], True), (["B", "C"], True)]
    one, two = [made for made, _ in stage.board.requests][-2:]
    stage.board.process()
    stage.board.process()
    assert stage.call_back(two).status == 200
    assert outcome.import_id is not None
    assert stage.record(outcome.import_id).sent.board_import_id == two
    assert stage.live_set() == ["B", "C"] == stage.postings()
    assert one != two


def test_only_the_boards_own_word_makes_postings_certain_to_be_gone() -> None:
    """A callback that could not be confirmed is the word of whoever called."""
    stage = full_sync("A", "B")
    stage.put_jobs("B", "C")
    record = stage.run()

    def silent() -> None:
        raise BoardUnknownError("no answer")

    stage.board.before_retrieve = silent
    stage.finish()
    unverified = stage.record(record.import_id)
    assert (unverified.state, unverified.result.verified) == (State.COMPLETE, False)
    assert stage.live_set() == ["A", "B", "C"]

    stage.board.before_retrieve = lambda: None
    stage.poll()
    assert stage.record(record.import_id).result.verified
    assert stage.live_set() == ["B", "C"]


def test_postings_of_others_are_not_in_it() -> None:
    stage = full_sync("A", "B")
    stage.board.postings(KEY)["by-hand"] = {"referenceNumber": "by-hand"}
    stage.put_jobs("A", "B", "C")
    stage.complete()
    assert stage.live_set() == ["A", "B", "C"]


# Streams


def payload_of(sent: ReferenceSet, directory: Path) -> Payload:
    return Payload([], [], directory / "problems.jsonl", sent)


def test_it_is_written_with_what_was_carried_over_marked(tmp_path: Path) -> None:
    known = [Live("A", "a"), Live("B", None)]
    sent = ReferenceSet()
    sent.add("B")

    carried = carry_over(known, payload_of(sent, tmp_path), tmp_path)

    assert (carried.size, carried.missing, carried.first) == (2, 1, [Posting(reference_number="A", title="a")])
    with carried.live_set.open("rb") as stream:
        assert [(each.reference_number, each.title) for each in read_live_set(stream, whole=True)] == [("A", "a")]
    with carried.live_set.open("rb") as stream:
        assert list(read_live_set(stream, whole=False)) == []
    assert gzip.decompress(carried.deletes.read_bytes()) == b'{"referenceNumber":"A","title":"a"}\n'


def test_the_code_is_of_the_list_alone(tmp_path: Path) -> None:
    def code(*references: str) -> str:
        known = [Live(each, f"{len(references)}") for each in references]
        return carry_over(known, payload_of(ReferenceSet(), tmp_path), tmp_path).code

    codes = [code(), code("A"), code("B"), code("A", "B"), code("AB"), code("A", "B", "C"), code("A", "A")]
    assert len(set(codes)) == len(codes)
    assert code("A", "B", "C") == code("C", "A", "B")
    assert all(len(each.replace("-", "")) == 13 for each in codes)


def test_memory_does_not_grow_with_the_live_set(tmp_path: Path) -> None:
    """Neither to hold it against what is sent, nor to read it again, so that a million postings are no matter."""
    small, large = peak(26_000, tmp_path), peak(56_000, tmp_path)

    # A posting takes more than a hundred bytes. A buffer that comes or goes between the two measurements takes two.
    assert (large - small) / 30_000 < 10, f"{small:,} and {large:,} bytes"


def peak(count: int, directory: Path) -> int:
    """The most memory that is held while half of so many postings are carried over. Bytes."""
    sent = ReferenceSet()
    for number in range(0, count, 2):
        sent.add(f"REF-{number:07d}")
    assert "REF-0000000" in sent  # sorted, as it is before anything is compared

    def known() -> Iterator[Live]:
        for number in range(count):
            yield Live(f"REF-{number:07d}", "Locum Tenens Physician, three weeks in Lancaster")

    tracemalloc.start()
    carried = carry_over(known(), payload_of(sent, directory), directory)
    with carried.live_set.open("rb") as stream:
        again = sum(1 for _ in read_live_set(stream, whole=True))
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (carried.size, carried.missing, again) == (count, count // 2, count // 2)
    return highest
