"""Polling: the second way to a result.

The poller fetches results that no callback delivered, expires imports, resumes interrupted ones, and starts the feeds
that skipped a run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Protocol

from jobferry.board.accounts import Accounts
from jobferry.board.client import Boards, retrieve
from jobferry.errors import BoardError, BoardRefusedError, BoardUnreachableError, Cause, SecretError
from jobferry.records import transitions
from jobferry.records.feeds import Feed
from jobferry.records.imports import LAMBDA_RETRIES, MAX_SENDS, Import, SettledBy, State
from jobferry.records.store import ImportStore, apply
from jobferry.results.settlement import ArchiveReader, settle

#: One answer of the board may take this long. Seconds.
POLL_SECONDS: Final = 10.0
#: After this many failed answers in a row, a board is left alone until the next run.
_FAILURES_OF_A_BOARD: Final = 3
#: Time reserved to settle one more import.
_MARGIN: Final = timedelta(seconds=35)


class FeedStarter(Protocol):
    """Starts SubmitImport, without waiting for it."""

    def run_again(self, feed: str, skipped: str) -> None: ...

    def resume(self, feed: str, import_id: str) -> None: ...


@dataclass(frozen=True)
class Poller:
    """The dependencies of `poll`. `failed` is told of an import or feed that could not be handled; the others go on."""

    store: ImportStore
    archive: ArchiveReader
    accounts: Accounts
    boards: Boards
    feeds: FeedStarter
    now: Callable[[], datetime]
    failed: Callable[[Import | Feed, Exception], None]


@dataclass
class Polled:
    """What a run of the poller did.

    Attributes:
        settled: imports whose result it fetched.
        expired: imports that it gave up.
        freed: imports that it ended because they were abandoned before anything was sent.
        resumed: imports that it continued.
        started: feeds that it started.
        failed: imports and feeds that could not be handled.
        left: the number of imports that it did not reach.
    """

    settled: list[Import] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: int = 0

    def counts(self) -> dict[str, int]:
        """Return how many there are of each."""
        return {name: value if isinstance(value, int) else len(value) for name, value in vars(self).items()}


def poll(poller: Poller, deadline: datetime) -> Polled:
    """Check everything that is open, until shortly before the deadline."""
    polled = Polled()
    boards = _BoardFailures()
    found = poller.store.open_records()
    # The least recently polled come first, so that every import is reached.
    imports = sorted(found.imports, key=lambda each: (each.polled_at or each.created_at, each.created_at))
    for number, record in enumerate(imports):
        if poller.now() + _MARGIN > deadline:
            polled.left = len(imports) - number
            break
        try:
            _check(record, poller, boards, polled)
        except Exception as error:  # noqa: BLE001  # one import's fault holds up no other; the caller is told
            polled.failed.append(record.import_id)
            poller.failed(record, error)
            if poller.now() > record.deadline:
                _expire(record, poller, polled)  # so it does not lock its feed forever
    for feed in found.feeds:
        try:
            _run_again(feed, poller, polled)
        except Exception as error:  # noqa: BLE001  # likewise
            polled.failed.append(feed.feed)
            poller.failed(feed, error)
    return polled


class _BoardFailures:
    """Counts how often each board failed in this run."""

    def __init__(self) -> None:
        self._failures: dict[str | None, int] = {}

    def are_too_many(self, board: str | None) -> bool:
        return self._failures.get(board, 0) >= _FAILURES_OF_A_BOARD

    def answered(self, board: str | None) -> None:
        self._failures.pop(board, None)

    def failed(self, board: str | None, error: BoardError | SecretError) -> None:
        busy = isinstance(error, BoardUnreachableError) and error.status == HTTPStatus.TOO_MANY_REQUESTS
        self._failures[board] = _FAILURES_OF_A_BOARD if busy else self._failures.get(board, 0) + 1


def _check(record: Import, poller: Poller, boards: _BoardFailures, polled: Polled) -> None:
    now = poller.now()
    if record.state in transitions.MAY_BE_SENT and record.sent.board_import_id is None:
        _check_unsent(record, poller, polled)
        return
    if boards.are_too_many(record.destination.board):
        return  # an import is not given up without asking
    settled = _ask(record, poller, boards)
    if settled is not None and settled.state is State.COMPLETE and settled.result.verified:
        polled.settled.append(settled)
    elif now > record.deadline:
        _expire(record, poller, polled)


def _check_unsent(record: Import, poller: Poller, polled: Polled) -> None:
    """Continue or end an import that was left in the middle; leave one alone that is being worked on."""
    now = poller.now()
    if record.claim.until is not None and now < record.claim.until + LAMBDA_RETRIES:
        return
    if record.state is State.SUBMITTING and now > record.deadline:
        _expire(record, poller, polled)
    elif now <= record.deadline and record.sent.attempts < MAX_SENDS and _is_ready(record, poller.store):
        poller.feeds.resume(record.feed, record.import_id)
        polled.resumed.append(record.import_id)
    else:
        freed = apply(poller.store, record.import_id, lambda current, feed: transitions.abandon(current, feed, now))
        if freed.ending.cause is Cause.ABANDONED:
            polled.freed.append(record.import_id)


def _is_ready(record: Import, store: ImportStore) -> bool:
    """Tell whether all imports of its run are ready to be sent."""
    first = record if record.run is None else store.get(record.run)
    return first is not None and first.prepared.payload is not None


def _ask(record: Import, poller: Poller, boards: _BoardFailures) -> Import | None:
    """Ask the board and record its answer; return None if it cannot be asked."""
    # Recorded before asking: if this import's answer crashes the function, the import moves to the end.
    now, board = poller.now(), record.destination.board
    apply(poller.store, record.import_id, lambda current, _: transitions.note_poll(current, now))
    try:
        answer = retrieve(record, record.sent.board_import_id or "", poller.accounts, poller.boards, POLL_SECONDS)
    except BoardRefusedError as error:
        if error.status != HTTPStatus.NOT_FOUND:  # that concerns this import, not the board
            boards.failed(board, error)
        return None
    except (BoardError, SecretError) as error:
        boards.failed(board, error)
        return None
    boards.answered(board)
    return settle(
        poller.store, poller.archive, record.import_id, answer, by=SettledBy.POLL, verified=True, now=poller.now()
    )


def _expire(record: Import, poller: Poller, polled: Polled) -> None:
    now = poller.now()
    expired = apply(poller.store, record.import_id, lambda current, feed: transitions.expire(current, feed, now))
    if expired.state is State.EXPIRED:
        polled.expired.append(expired.import_id)


def _run_again(feed: Feed, poller: Poller, polled: Polled) -> None:
    """Start a feed that is to run again, once the open run has ended and its time has come."""
    current = poller.store.get_feed(feed.feed)
    if current.run_again is None or current.open_imports:
        return
    if current.run_again_at is not None and poller.now() < current.run_again_at:
        return
    poller.feeds.run_again(current.feed, current.run_again)
    polled.started.append(current.feed)
