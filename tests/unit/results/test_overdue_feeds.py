"""Feeds without a completed import for too long: which they are, and when the poller looks for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from jobferry.records.feeds import Feed
from jobferry.records.imports import State
from jobferry.results.overdue_feeds import MAX_REPORTED, is_hourly_run, overdue_feeds, report_overdue
from tests.events import load_event
from tests.fakes import Clock, MemoryBucket, MemoryStore
from tests.records import an_import

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
AFTER: Final = timedelta(hours=26)


class World:
    """Feeds, of each of which it is known when it did what. Hours ago."""

    def __init__(self) -> None:
        self.store, self.bucket = MemoryStore(), MemoryBucket()
        self.settings_read: list[str] = []
        self.unchecked: list[tuple[str, str]] = []
        read = self.bucket.settings
        self.bucket.settings = lambda feed: (self.settings_read.append(feed), read(feed))[1]  # type: ignore[method-assign]

    def feed(
        self, name: str, *, complete: float | None = None, failed: tuple[float, ...] = (), **settings: Any
    ) -> None:
        self.bucket.contents[f"feeds/{name}/jobs.csv"] = b"referenceNumber\n"
        if settings:
            self.bucket.contents[f"feeds/{name}/feed.json"] = json.dumps(settings).encode()
        for hours in failed:
            import_id, at = f"{name}-{hours}", NOW - timedelta(hours=hours)
            self.store.save(an_import(import_id=import_id, feed=name, created_at=at, state=State.BLOCKED))
        done = None if complete is None else NOW - timedelta(hours=complete)
        self.store.save(Feed(feed=name, last_complete=done and f"{name}-done", last_complete_at=done))

    def overdue(self) -> list[str]:
        return [each.feed for each in overdue_feeds(self.store, self.bucket, NOW, AFTER, failed=self.failed)]

    def failed(self, feed: Feed, error: Exception) -> None:
        self.unchecked.append((feed.feed, str(error)))


def test_one_that_is_silent_among_others_is_found() -> None:
    world = World()
    world.feed("nurses", complete=27)
    world.feed("doctors", complete=25.9)
    world.feed("allied", complete=200, failed=(20, 1))
    assert world.overdue() == ["allied", "nurses"]


def test_the_time_is_over_when_it_is_over() -> None:
    world = World()
    world.feed("just", complete=26)
    assert world.overdue() == []
    world.feed("past", complete=26.0001)
    assert world.overdue() == ["past"]


def test_one_that_never_completed_counts_from_its_first_import() -> None:
    world = World()
    world.feed("new", failed=(25, 1))
    world.feed("stuck", failed=(27, 3, 1))
    assert world.overdue() == ["stuck"]


def test_one_that_never_ran_is_not_overdue() -> None:
    world = World()
    world.feed("idle")
    world.bucket.contents["feeds/only-a-folder/jobs.csv"] = b""
    assert world.overdue() == []


def test_one_that_is_paused_is_left_out_and_one_with_broken_settings_is_not() -> None:
    world = World()
    world.feed("paused", complete=100, paused=True)
    world.feed("resumed", complete=100, paused=False)
    world.feed("broken", complete=100, pausd=True)
    assert world.overdue() == ["broken", "resumed"]


def test_one_that_was_taken_away_is_forgotten() -> None:
    world = World()
    world.feed("gone", complete=100)
    world.bucket.contents.clear()
    assert world.overdue() == []


def test_a_folder_that_can_be_no_feed_is_passed_over() -> None:
    world = World()
    world.feed("Jobs (old)", complete=100)
    assert world.overdue() == []


def test_settings_are_read_only_of_those_that_seem_overdue() -> None:
    world = World()
    for number in range(50):
        world.feed(f"feed-{number}", complete=10)
    world.feed("late", complete=30)
    assert world.overdue() == ["late"]
    assert world.settings_read == ["late"]


def test_when_all_are_overdue_a_look_still_ends_soon() -> None:
    world = World()
    for number in range(MAX_REPORTED + 50):
        world.feed(f"feed-{number}", complete=30)
    assert len(world.overdue()) == MAX_REPORTED
    assert len(world.settings_read) == MAX_REPORTED


def test_it_is_looked_for_in_one_of_the_pollers_runs_an_hour() -> None:
    event = load_event("poll")
    for first in range(5):  # a rule begins to fire whenever it was made
        times = [datetime(2026, 11, 24, 2, first, 17, tzinfo=UTC) + timedelta(minutes=5 * run) for run in range(24)]
        looks = [is_hourly_run(event | {"time": f"{time:%Y-%m-%dT%H:%M:%SZ}"}) for time in times]
        assert looks == ([True] + [False] * 11) * 2


@pytest.mark.parametrize("event", [{}, {"time": None}])
def test_a_run_by_hand_does_not_look(event: dict[str, Any]) -> None:
    assert not is_hourly_run(event)


def test_of_too_many_the_same_ones_are_told_each_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told by itself, and one that comes and goes would be told again and again."""
    world = World()
    for number in range(2 * MAX_REPORTED):
        world.feed(f"feed-{number:03}", complete=30)
    feeds = world.store.feeds
    monkeypatch.setattr(world.store, "feeds", lambda names: reversed(list(feeds(names))))
    assert world.overdue() == [f"feed-{number:03}" for number in range(MAX_REPORTED)]


def test_one_that_cannot_be_checked_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for name in ("a", "broken", "c", "forbidden", "z"):
        world.feed(name, complete=30)
    feeds, settings = world.store.feeds, world.bucket.settings

    def read(names: Iterable[str]) -> Iterator[Feed]:
        for feed in feeds(names):
            if feed.feed == "broken":
                raise ValueError("a record that cannot be read")
            yield feed

    def open_settings(feed: str) -> tuple[str, bytes | None]:
        if feed == "forbidden":
            raise RuntimeError("AccessDenied")
        return settings(feed)

    monkeypatch.setattr(world.store, "feeds", read)
    monkeypatch.setattr(world.bucket, "settings", open_settings)
    assert world.overdue() == ["a", "c", "z"]
    assert world.unchecked == [("broken", "a record that cannot be read"), ("forbidden", "AccessDenied")]


def test_a_check_that_fails_as_a_whole_is_reported_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def fail() -> list[str]:
        raise RuntimeError("no answer from S3")

    monkeypatch.setattr(world.bucket, "feeds", fail)
    reported: list[Feed] = []
    unchecked = report_overdue(
        world.store, world.bucket, lambda: NOW, AFTER, NOW, report=reported.extend, failed=world.failed
    )
    assert (unchecked, reported) == (["(all feeds)"], [])
    assert world.unchecked == [("(all feeds)", "no answer from S3")]


def test_the_check_leaves_time_for_polling() -> None:
    world = World()
    for number in range(9):
        world.feed(f"feed-{number}", complete=30)
    clock = Clock(NOW)
    world.bucket.settings = lambda feed: (clock.sleep(20), (feed, None))[1]  # type: ignore[method-assign]
    reported: list[Feed] = []
    report_overdue(
        world.store,
        world.bucket,
        clock,
        AFTER,
        NOW + timedelta(seconds=60),
        report=reported.extend,
        failed=world.failed,
    )
    assert [each.feed for each in reported] == ["feed-0", "feed-1", "feed-2"]
