"""Feeds without a completed import for too long: one that is silent among many others shows in no figure of the stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import batched, chain, islice
from operator import attrgetter
from typing import Any, Final, Protocol

from jobferry.errors import SettingsError
from jobferry.feeds.settings import FEED_NAME, parse_settings
from jobferry.records.imports import Feed, Import

#: So many are found. When more are overdue it is no feed's own fault, and asking for each would outlast the function.
MOST: Final = 100
#: Records that are read at once, as many as one request to DynamoDB may name.
_AT_ONCE: Final = 100


class Records(Protocol):
    """The records of feeds and their imports. They may be a moment behind."""

    def feeds(self, names: Iterable[str]) -> Iterator[Feed]:
        """Those of them that have a record."""
        ...

    def history(self, feed: str) -> Iterator[Import]:
        """The feed's imports, newest first."""
        ...


class FeedFolders(Protocol):
    """Where the feeds are."""

    def feeds(self) -> list[str]: ...

    def settings(self, feed: str) -> tuple[str, bytes | None]: ...


def is_looked_at(event: dict[str, Any]) -> bool:
    """Whether the poller looks for them in this run: in the one of twelve whose time is in an hour's first five minutes.

    A rule's event has the time at which it was to come, so it is one run an hour however late one begins.
    """
    time = event.get("time")
    return isinstance(time, str) and datetime.fromisoformat(time).minute < 5


def overdue_feeds(records: Records, folders: FeedFolders, now: datetime, after: timedelta) -> list[Feed]:
    """The feeds of the bucket that are overdue and not paused, the first MOST of them by name.

    What it reads is one record for each feed; settings, and the imports since then, only of those that seem overdue.
    """
    names = sorted(each for each in folders.feeds() if FEED_NAME.fullmatch(each))
    # In the names' order, though the table has none: of too many it has to be the same ones each hour.
    parts = (sorted(records.feeds(some), key=attrgetter("feed")) for some in batched(names, _AT_ONCE, strict=False))
    known = chain.from_iterable(parts)
    late = (each for each in known if is_overdue(each, records, now, after))
    return list(islice((each for each in late if not _is_paused(each.feed, folders)), MOST))


def is_overdue(feed: Feed, records: Records, now: datetime, after: timedelta) -> bool:
    """Whether it completed nothing for so long; one that never did, since its first import. A retry is no import of it.

    A feed that never ran waits for its first file or its schedule, and nothing was promised yet.
    """
    limit = now - after
    if feed.last_complete_at is not None:
        return feed.last_complete_at < limit
    return any(each.created_at < limit for each in records.history(feed.feed))


def _is_paused(feed: str, folders: FeedFolders) -> bool:
    key, content = folders.settings(feed)
    try:
        return content is not None and parse_settings(content, key).paused
    except SettingsError:  # nothing is sent with such settings, and that is what is to be told
        return False
