"""A feed of several objects that is read while its export is still being written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobferry.deletions.rules import whole_at
from jobferry.records.imports import Import, State
from tests.fakes import Killed
from tests.stage import FEED, Stage, jobs, lines

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def stage() -> Stage:
    """A full sync of two objects that was announced long ago."""
    stage = Stage()
    stage.settings(deleteJobs=True, maxDeletePercent=90, maxWeeklyDeletePercent=100)
    export(stage, "a.jsonl", "A1", "A2", "A3")
    export(stage, "b.jsonl", "B1", "B2", "B3")
    stage.complete()
    stage.clock.forward(hours=24)
    assert upload(stage).deletions.delete_jobs
    stage.finish()
    stage.clock.forward(hours=1)
    return stage


def export(stage: Stage, name: str, *references: str) -> None:
    stage.put(name, lines(*jobs(*references)))


def upload(stage: Stage, name: str = "b.jsonl") -> Import:
    found = {"key": f"feeds/{FEED}/{name}", "version-id": str(stage.clock()), "etag": "e"}
    at = f"{stage.clock():%Y-%m-%dT%H:%M:%SZ}"
    outcome = stage.event({"source": "aws.s3", "time": at, "detail": {"object": found}})
    return stage.record(outcome.import_id or "")


def run_again(stage: Stage, minutes: float) -> Import:
    assert stage.poll(minutes).started == [FEED]
    [outcome] = stage.start()
    stage.finish()
    return stage.record(outcome.import_id or "")


def test_jobs_that_move_between_objects_are_not_deleted_in_between(stage: Stage) -> None:
    """`b` is there without B1, and `a` with B1 is still being written."""
    export(stage, "b.jsonl", "B2", "B3")
    told = len(stage.topic.published)

    record = upload(stage)
    stage.finish()

    deletions = stage.record(record.import_id).deletions
    assert (deletions.delete_jobs, deletions.because, deletions.withheld) == (False, ["half-exported"], 1)
    assert "B1" in stage.postings()
    assert len(stage.topic.published) == told, "the feed runs again by itself, so nobody has to be told"
    assert stage.poll().started == [], "not before the newest object is ten minutes old"
    export(stage, "a.jsonl", "A1", "B1")
    again = run_again(stage, 15)
    assert again.deletions.delete_jobs
    assert stage.postings() == ["A1", "B1", "B2", "B3"]
    assert stage.poll(60).started == []


def test_no_further_run_is_asked_for_while_people_may_still_object(stage: Stage) -> None:
    feed = stage.store.get_feed(FEED)
    assert feed.live_set is not None
    told_now = feed.live_set.changed(announced_at=stage.clock())
    stage.store.save(feed.changed(live_set=told_now))
    export(stage, "b.jsonl", "B2", "B3")
    assert upload(stage).deletions.because == ["time-to-object", "half-exported"]
    stage.finish()
    assert stage.poll(60).started == []


def test_a_person_knows_whether_the_export_is_whole(stage: Stage) -> None:
    export(stage, "b.jsonl", "B2", "B3")
    assert stage.complete().deletions.delete_jobs
    assert "B1" not in stage.postings()


def test_an_object_that_comes_while_the_feed_is_being_read_stops_the_deletions(stage: Stage) -> None:
    export(stage, "b.jsonl", "B2", "B3")

    def export_more(_: object) -> None:
        stage.bucket.before_open = lambda _: None
        export(stage, "c.jsonl", "B1")

    stage.bucket.before_open = export_more
    record = stage.complete()

    assert (record.deletions.delete_jobs, record.deletions.because) == (False, ["newer-feed"])
    again = run_again(stage, 15)
    assert again.deletions.delete_jobs
    assert "B1" in stage.postings()


def test_an_export_that_never_rests_does_not_run_forever_and_is_told(stage: Stage) -> None:
    def change() -> None:
        stage.clock.forward(seconds=1)
        export(stage, "b.jsonl", "B2", f"N{stage.clock()}")

    change()
    upload(stage)
    runs = 1
    for _ in range(100):
        stage.finish()
        stage.clock.forward(minutes=15)
        change()
        if stage.poll(0).started:
            runs += 1
            stage.start()
    assert runs == 7
    stage.finish()
    last = max(stage.store.imports(), key=lambda each: each.created_at)
    assert (last.deletions.because, last.deletions.again_at) == (["half-exported"], None)
    assert stage.topic.published[-1].data["about"] == ["deletions-withheld"]

    upload(stage)
    stage.finish()
    assert run_again(stage, 15).deletions.delete_jobs, "the next upload begins anew"


def test_uploads_that_never_rest_are_told_too(stage: Stage) -> None:
    """Each upload starts a run of its own, so the feed never gets to the run that it asked for."""
    told = len(stage.topic.published)
    for _ in range(20):
        export(stage, "b.jsonl", "B2", f"N{stage.clock()}")
        upload(stage)
        stage.finish()
        assert stage.poll(5).started == []

    about = [each.data["about"] for each in stage.topic.published[told:]]
    assert about == [["deletions-withheld"]] * 2, "every seventh time"
    assert run_again(stage, 10).deletions.delete_jobs


def test_an_export_that_is_torn_after_a_night_without_a_result_is_noticed(stage: Stage) -> None:
    """Both objects are newer than the last complete import, and yet `a` is of the night before."""
    stage.clock.forward(hours=24)
    export(stage, "a.jsonl", "A1", "A2", "A3")
    stage.clock.forward(hours=24)
    export(stage, "b.jsonl", "B2", "B3")

    assert upload(stage).deletions.because == ["half-exported"]


def test_an_export_that_is_written_again_at_once_is_noticed(stage: Stage) -> None:
    """Both objects are new, but `b` is of the second export, which will move B1 to `a`."""
    export(stage, "a.jsonl", "A1", "A2", "A3")
    export(stage, "b.jsonl", "B1", "B2", "B3")
    export(stage, "b.jsonl", "B2", "B3")

    assert upload(stage).deletions.because == ["half-exported"]


def test_nothing_waits_if_no_posting_is_missing(stage: Stage) -> None:
    export(stage, "b.jsonl", "B1", "B2", "B3", "B4")
    deletions = upload(stage).deletions
    stage.finish()
    assert (deletions.delete_jobs, deletions.because, deletions.again_at) == (True, [], None)
    assert stage.poll(60).started == []


def test_the_first_run_only_announces(stage: Stage) -> None:
    stage.settings(deleteJobs="listed")
    export(stage, "b.jsonl", "B2", "B3")
    assert upload(stage).deletions.because == ["first"]
    stage.finish()
    assert stage.poll(60).started == []


def test_the_run_that_follows_survives_a_crash(stage: Stage) -> None:
    export(stage, "b.jsonl", "B2", "B3")
    counted = iter(range(1, 100))

    def kill(_: object) -> None:
        if next(counted) == 4:
            raise Killed

    stage.store.before_save = kill
    with pytest.raises(Killed):
        upload(stage)
    stage.store.before_save = lambda _: None
    [import_id] = stage.store.get_feed(FEED).open_imports
    assert stage.record(import_id).state is State.SUBMITTING
    assert stage.poll(30).resumed == [import_id]
    stage.start()
    stage.finish()
    assert not stage.record(import_id).deletions.delete_jobs
    assert run_again(stage, 5).deletions.delete_jobs


MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ages", "minutes"),
    [
        ([2 * DAY, MINUTE], 9),
        ([MINUTE, 2 * DAY, 5 * MINUTE], 9),
        ([2 * MINUTE, MINUTE], 9),
        ([2 * DAY, 10 * MINUTE], None),
        ([MINUTE], None),
        ([], None),
    ],
    ids=["new and old", "any order", "all are new", "at rest", "one object", "none"],
)
def test_how_long_a_feed_may_be_half_exported(ages: list[timedelta], minutes: int | None) -> None:
    expected = None if minutes is None else NOW + minutes * MINUTE
    assert whole_at([NOW - age for age in ages], NOW) == expected
