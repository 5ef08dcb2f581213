"""How many deletions pass without a person: in one import, and in a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobferry.deletions.rules import exceeded_limits
from jobferry.errors import BoardUnknownError
from jobferry.feeds.settings import FeedSettings
from jobferry.records import transitions
from jobferry.records.feeds import Deleted, Feed
from jobferry.records.imports import Result, SettledBy
from tests.records import an_import
from tests.stage import Stage

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def names(count: int, first: int = 0) -> list[str]:
    return [f"J{number:04d}" for number in range(first, first + count)]


def full_sync(*references: str, **settings: object) -> Stage:
    stage = Stage()
    stage.settings(deleteJobs=True, **settings)
    stage.put_jobs(*references)
    stage.complete()
    stage.clock.forward(hours=24)
    assert stage.complete().deletions.delete_jobs
    return stage


def earlier(*deleted: tuple[float, int, int]) -> list[Deleted]:
    """Return deletions: how many days ago, how many postings were live, and how many were deleted."""
    return [Deleted(at=NOW - timedelta(days=ago), live_before=live, postings=gone) for ago, live, gone in deleted]


@pytest.mark.parametrize(
    ("missing", "live", "before", "exceeded"),
    [
        (0, 100, [], []),
        (20, 100, [], []),
        (21, 100, [], ["too-many"]),
        (20, 100, earlier((1, 100, 30)), []),
        (20, 100, earlier((1, 100, 31)), ["too-many-this-week"]),
        (21, 100, earlier((1, 100, 31)), ["too-many"]),  # one reason is enough
        (0, 100, earlier((1, 100, 99)), []),
        (10, 60, earlier((6, 100, 20), (3, 80, 20)), []),  # measured against the 100 of six days ago
        (11, 60, earlier((6, 100, 20), (3, 80, 20)), ["too-many-this-week"]),
        (11, 60, earlier((7, 100, 20), (3, 80, 20)), []),  # a week ago is over
        (60, 1000, earlier((6, 10, 5)), []),  # the feed has grown
        (2, 6, earlier((1, 12, 4)), []),  # up to ten, at most half
        (3, 6, earlier((1, 12, 4)), ["too-many-this-week"]),
    ],
)
def test_both_limits(missing: int, live: int, before: list[Deleted], exceeded: list[str]) -> None:
    assert exceeded_limits(FeedSettings(), missing, live, before, NOW) == exceeded


def test_a_percentage_of_0_lets_nothing_pass() -> None:
    for settings in (FeedSettings(maxDeletePercent=0), FeedSettings(maxWeeklyDeletePercent=0)):
        assert exceeded_limits(settings, 1, 1000, [], NOW)
        assert not exceeded_limits(settings, 0, 1000, [], NOW)


def test_a_feed_whose_jobs_all_change_in_a_week_may_be_allowed_to() -> None:
    week = earlier(*((day, 100, 20) for day in (6, 5, 4, 3, 2, 1)))
    assert exceeded_limits(FeedSettings(maxWeeklyDeletePercent=139), 20, 100, week, NOW)
    assert not exceeded_limits(FeedSettings(maxWeeklyDeletePercent=140), 20, 100, week, NOW)


def test_an_export_that_is_cut_after_its_first_row_deletes_nothing() -> None:
    stage = full_sync(*names(11))
    stage.put_jobs(*names(1))
    assert stage.complete().deletions.withheld == 10
    assert stage.postings() == names(11)


def test_an_export_that_shrinks_every_night_is_stopped_within_the_week() -> None:
    stage = full_sync(*names(1000))
    live = 1000
    for _ in range(10):
        live = live * 81 // 100
        stage.put_jobs(*names(live))
        stage.clock.forward(hours=24)
        record = stage.complete()
    assert record.deletions.withheld
    assert len(stage.postings()) >= 500


def test_a_confirmed_deletion_starts_the_week_anew() -> None:
    stage = full_sync(*names(100))
    for live in (82, 67, 54):
        stage.put_jobs(*names(live))
        stage.clock.forward(hours=24)
        assert stage.complete().deletions.delete_jobs
    stage.put_jobs(*names(46))
    stage.clock.forward(hours=24)
    record = stage.complete()
    assert record.deletions.because == ["too-many-this-week"]
    assert stage.complete(confirmDeletes=record.deletions.confirm_code).deletions.delete_jobs
    assert stage.postings() == names(46)

    stage.put_jobs(*names(40))
    assert stage.complete().deletions.delete_jobs


def test_the_week_passes() -> None:
    stage = full_sync(*names(100))
    stage.put_jobs(*names(80))
    assert stage.complete().deletions.delete_jobs
    stage.put_jobs(*names(64))
    assert stage.complete().deletions.delete_jobs
    stage.put_jobs(*names(52))
    for _ in range(6):
        stage.clock.forward(hours=24)
        assert stage.complete().deletions.because == [] if len(stage.postings()) == 52 else ["too-many-this-week"]


def test_only_deletions_that_the_board_confirmed_count_and_each_once() -> None:
    stage = full_sync(*names(100))
    stage.put_jobs(*names(90))

    def silent() -> None:
        raise BoardUnknownError("no answer")

    stage.board.before_retrieve = silent
    stage.complete()
    assert stage.store.get_feed("default").deletions == []
    stage.board.before_retrieve = lambda: None
    stage.poll()
    stage.complete()
    assert [(each.live_before, each.postings) for each in stage.store.get_feed("default").deletions] == [(100, 10)]


def test_the_list_of_deletions_is_bounded() -> None:
    feed = Feed(feed="f")
    for number in range(24 * 20 * 12):
        at = NOW + timedelta(minutes=5 * number)
        record = an_import(
            import_id="f-20261124T020000Z",
            feed="f",
            created_at=at,
            state="running",
            delete_jobs=True,
            expected_deletes=2,
            live_before=100,
            live_set="archive/f/x.live.jsonl.gz",
        )
        result = Result(counts={"deleted": 2}, settled_at=at, settled_by=SettledBy.POLL, verified=True)
        feed = next(each for each in transitions.complete(record, feed, result, "b", None) if isinstance(each, Feed))
    assert len(feed.deletions) <= 7 * 24
    # The oldest hour may have left the week before its last minutes did.
    assert 7 * 24 * 12 * 2 - 24 <= sum(each.postings for each in feed.deletions) <= 7 * 24 * 12 * 2
