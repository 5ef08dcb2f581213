"""What a run of a feed needs from outside, and the Lambda request that does the work."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from jobferry.board.accounts import Accounts
from jobferry.board.client import Boards
from jobferry.feeds.objects import FeedObject, FeedReader
from jobferry.records.imports import Claim
from jobferry.records.store import ImportStore


class FeedStore(FeedReader, Protocol):
    """Where the feeds and the archive are."""

    def feeds(self) -> list[str]: ...

    def objects(self, feed: str) -> list[FeedObject]: ...

    def settings(self, feed: str) -> tuple[str, bytes | None]: ...

    def find(self, key: str) -> FeedObject | None: ...

    def store(self, key: str, path: Path) -> None: ...

    def fetch(self, key: str, path: Path) -> bool: ...


@dataclass(frozen=True)
class Invocation:
    """The Lambda request that does the work.

    Attributes:
        id: the request's id, which Lambda's own retries share.
        deadline: when Lambda ends it.
    """

    id: str
    deadline: datetime

    @property
    def claim(self) -> Claim:
        """The claim of this invocation on an import."""
        return Claim(by=self.id, until=self.deadline)


@dataclass(frozen=True)
class World:
    """What a run needs from outside. `callbacks` is the base of the callback URLs, which `signing_key` signs."""

    store: ImportStore
    bucket: FeedStore
    accounts: Accounts
    boards: Boards
    callbacks: str
    signing_key: Callable[[], str]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
