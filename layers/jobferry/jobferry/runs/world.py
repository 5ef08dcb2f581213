"""What a run of a feed needs of the world outside, and of the Lambda request in whose hands it is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from jobferry.board.accounts import Accounts
from jobferry.board.client import Boards
from jobferry.feeds.objects import FeedObject, FeedReader
from jobferry.records.imports import ImportStore


class FeedStore(FeedReader, Protocol):
    """Where feeds and the archive are."""

    def feeds(self) -> list[str]: ...

    def objects(self, feed: str) -> list[FeedObject]: ...

    def settings(self, feed: str) -> tuple[str, bytes | None]: ...

    def find(self, key: str) -> FeedObject | None: ...

    def store(self, key: str, path: Path) -> None: ...

    def fetch(self, key: str, path: Path) -> bool: ...


class Invocation(NamedTuple):
    """The Lambda request that does the work.

    Attributes:
        id: the same for Lambda's own retries.
        deadline: when Lambda ends it.
    """

    id: str
    deadline: datetime


class World(NamedTuple):
    """What a run needs of the world outside.

    Attributes:
        store: the records.
        bucket: the feeds and the archive.
        accounts: the secrets.
        boards: of the accounts.
        callbacks: `{api}/callbacks`.
        signing_key: signs the callback URLs.
        now: the time.
        sleep: waits for so many seconds.
    """

    store: ImportStore
    bucket: FeedStore
    accounts: Accounts
    boards: Boards
    callbacks: str
    signing_key: Callable[[], str]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder on the function's disk, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        yield Path(directory)
