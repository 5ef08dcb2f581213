"""Overdue feeds: feeds without a complete import for too long. No other metric shows a single such feed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import batched, chain, islice, takewhile
from operator import attrgetter
from typing import Any, Final, Protocol

from jobferry.errors import SettingsError
from jobferry.feeds.settings import FEED_NAME, parse_settings
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import

#: Report at most this many; beyond that the fault is systemic, and checking each feed would outlast the function.
MAX_REPORTED: Final = 100
#: Records that are read at once: one request to DynamoDB may name this many.
_BATCH: Final = 100


class FeedRecords(Protocol):
    """The records of feeds and their imports. They may be a moment behind."""

    def feeds(self, names: Iterable[str]) -> Iterator[Feed]:
        """Return the records of those feeds that have one."""

    def history(self, feed: str) -> Iterator[Import]:
        """Return the feed's imports, newest first."""


class FeedFolders(Protocol):
    """Where the feeds are."""

    def feeds(self) -> list[str]: ...

    def settings(self, feed: str) -> tuple[str, bytes | None]: ...


def is_hourly_run(event: dict[str, Any]) -> bool:
    """Tell whether the poller checks for overdue feeds in this run: once an hour, in its first five minutes.

    The event of a rule carries the time at which it was due, so a late run does not change that.
    """
    time = event.get("time")
    return isinstance(time, str) and datetime.fromisoformat(time).minute < 5


def report_overdue(
    records: FeedRecords,
    folders: FeedFolders,
    now: Callable[[], datetime],
    after: timedelta,
    deadline: datetime,
    *,
    report: Callable[[Sequence[Feed]], None],
    failed: Callable[[Feed, Exception], None],
) -> list[str]:
    """Report the overdue feeds that are found until the deadline, and return the feeds that could not be checked."""
    unchecked: list[str] = []

    def note(feed: Feed, error: Exception) -> None:
        unchecked.append(feed.feed)
        failed(feed, error)

    try:
        report(overdue_feeds(records, folders, now(), after, failed=note, is_time_left=lambda: now() < deadline))
    except Exception as error:  # noqa: BLE001  # the caller is told, and must poll all the same
        note(Feed(feed="(all feeds)"), error)
    return unchecked


def overdue_feeds(
    records: FeedRecords,
    folders: FeedFolders,
    now: datetime,
    after: timedelta,
    *,
    failed: Callable[[Feed, Exception], None],
    is_time_left: Callable[[], bool] = lambda: True,
) -> list[Feed]:
    """Find the feeds of the bucket that are overdue and not paused; the first MAX_REPORTED of them by name.

    This reads one record for each feed, and the settings and imports only of those that seem overdue.

    Args:
        records: of the feeds and their imports.
        folders: where the feeds are.
        now: the time.
        after: how long a feed may be without a complete import.
        failed: is told of a feed that could not be checked; the others are checked all the same.
        is_time_left: tells whether the next feed may be checked.
    """

    def needs_report(feed: Feed) -> bool:
        try:
            return is_overdue(feed, records, now, after) and not _is_paused(feed.feed, folders)
        except Exception as error:  # noqa: BLE001  # the caller is told
            failed(feed, error)
            return False

    names = sorted(each for each in folders.feeds() if FEED_NAME.fullmatch(each))
    # Sorted, because the table has no order and each hour must report the same ones if there are too many.
    batches = (
        sorted(_read(batch, records, failed), key=attrgetter("feed")) for batch in batched(names, _BATCH, strict=False)
    )
    known = takewhile(lambda _: is_time_left(), chain.from_iterable(batches))
    return list(islice(filter(needs_report, known), MAX_REPORTED))


def _read(names: Sequence[str], records: FeedRecords, failed: Callable[[Feed, Exception], None]) -> list[Feed]:
    """Read the records of some feeds, one by one if a record among them cannot be read."""
    try:
        return list(records.feeds(names))
    except ValueError as error:
        if len(names) == 1:
            failed(Feed(feed=names[0]), error)
            return []
        return [feed for name in names for feed in _read([name], records, failed)]


def is_overdue(feed: Feed, records: FeedRecords, now: datetime, after: timedelta) -> bool:
    """Tell whether the last complete import, or else the first import, is older than this.

    A retry does not count as an import. A feed that never ran waits for its first file or its schedule.
    """
    limit = now - after
    if feed.last_complete_at is not None:
        return feed.last_complete_at < limit
    return any(each.created_at < limit for each in records.history(feed.feed))


def _is_paused(feed: str, folders: FeedFolders) -> bool:
    key, content = folders.settings(feed)
    try:
        return parse_settings(content, key).paused
    except SettingsError:  # nothing is sent with such settings, so the feed counts as overdue
        return False
