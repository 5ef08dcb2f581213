"""The poller: the second way to a result, and the one who tidies up.

It asks for the imports that no callback has brought, ends those whose time is over, goes on with what was left in the
middle, and starts the feeds that skipped a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from jobferry.board.accounts import Accounts
from jobferry.board.client import NOT_FOUND, TOO_MANY, Boards, retrieve
from jobferry.errors import BoardError, BoardRefusedError, BoardUnreachableError, SecretError
from jobferry.records.imports import AWAITING, RETRIES, Change, Feed, Import, ImportStore, State, move
from jobferry.results.settlement import POLL, Archive, settle

#: One answer may take so long. Seconds.
ASK_SECONDS: Final = 10.0
#: So many answers in a row that fail end a board's turn.
_PATIENCE: Final = 3
#: What settling one import may take.
_MARGIN: Final = timedelta(seconds=35)


class Feeds(Protocol):
    """Starts SubmitImport, without waiting for it."""

    def run_again(self, feed: str, skipped: str) -> None: ...

    def resume(self, feed: str, import_id: str) -> None: ...


@dataclass(frozen=True)
class Poller:
    """What it takes to poll.

    Attributes:
        store: the records.
        archive: what was sent.
        accounts: the secrets.
        boards: of the accounts.
        feeds: starts them.
        now: the time.
        failed: is told of an import that could not be dealt with, and why; the others go on.
    """

    store: ImportStore
    archive: Archive
    accounts: Accounts
    boards: Boards
    feeds: Feeds
    now: Callable[[], datetime]
    failed: Callable[[Import | Feed, Exception], None]


@dataclass
class Polled:
    """What a run of the poller did.

    Attributes:
        settled: imports with a result that it fetched.
        expired: given up. freed: abandoned before anything was sent. resumed: gone on with. started: feeds.
        failed: imports and feeds that could not be dealt with.
        left: those that its time did not suffice for.
    """

    settled: list[Import] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: int = 0

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: value if isinstance(value, int) else len(value) for name, value in vars(self).items()}


def poll(poller: Poller, deadline: datetime) -> Polled:
    """Looks at everything that is open, until shortly before the deadline."""
    polled = Polled()
    boards = _Turns()
    found = poller.store.open_records()
    # Whom the last runs did not reach comes first, so nobody starves however many are open.
    imports = sorted(found.imports, key=lambda each: (each.polled_at or each.created_at, each.created_at))
    for number, record in enumerate(imports):
        if poller.now() + _MARGIN > deadline:
            polled.left = len(imports) - number
            break
        try:
            _look_at(record, poller, boards, polled)
        except Exception as error:  # noqa: BLE001  # one import's fault holds up no other; the caller is told
            polled.failed.append(record.import_id)
            poller.failed(record, error)
            if poller.now() > record.deadline:
                _give_up(record, poller, polled)  # nor does it lock its feed for ever
    for feed in found.feeds:
        try:
            _start(feed, poller, polled)
        except Exception as error:  # noqa: BLE001  # likewise
            polled.failed.append(feed.feed)
            poller.failed(feed, error)
    return polled


class _Turns:
    """Which boards are still asked in this run."""

    def __init__(self) -> None:
        self._failures: dict[str | None, int] = {}

    def is_over(self, board: str | None) -> bool:
        return self._failures.get(board, 0) >= _PATIENCE

    def answered(self, board: str | None) -> None:
        self._failures.pop(board, None)

    def failed(self, board: str | None, error: BoardError) -> None:
        busy = isinstance(error, BoardUnreachableError) and error.status == TOO_MANY
        self._failures[board] = _PATIENCE if busy else self._failures.get(board, 0) + 1


def _look_at(record: Import, poller: Poller, boards: _Turns, polled: Polled) -> None:
    now = poller.now()
    if record.state in (State.PREPARING, State.SUBMITTING) and record.board_import_id is None:
        _look_at_unsent(record, poller, polled)
        return
    if boards.is_over(record.board):
        return  # no import is given up unasked
    settled = _ask(record, poller, boards)
    if settled is not None and settled.state is State.COMPLETE and settled.verified:
        polled.settled.append(settled)
    elif now > record.deadline:
        _give_up(record, poller, polled)


def _look_at_unsent(record: Import, poller: Poller, polled: Polled) -> None:
    """An import that is being worked on, or was left in the middle."""
    now = poller.now()
    if record.claimed_until is not None and now < record.claimed_until + RETRIES:
        return
    if record.state is State.SUBMITTING and now > record.deadline:
        _give_up(record, poller, polled)
    elif now <= record.deadline and _is_ready(record, poller.store):
        poller.feeds.resume(record.feed, record.import_id)
        polled.resumed.append(record.import_id)
    elif move(poller.store, record.import_id, _freed(now)).cause == "abandoned":
        polled.freed.append(record.import_id)


def _is_ready(record: Import, store: ImportStore) -> bool:
    """Whether its run got as far as being ready to be sent, all of it."""
    first = record if record.run is None else store.get(record.run)
    return first is not None and first.payload is not None


def _ask(record: Import, poller: Poller, boards: _Turns) -> Import | None:
    """What the board says, recorded; None when it cannot be asked."""
    # Before, not after: one whose answer ends the function must not be the first in the next run again.
    move(poller.store, record.import_id, _polled(poller.now()))
    try:
        answer = retrieve(record, record.board_import_id or "", poller.accounts, poller.boards, ASK_SECONDS)
    except BoardRefusedError as error:
        if error.status != NOT_FOUND:  # that is this import's, not the board's
            boards.failed(record.board, error)
        answer = None
    except (BoardError, SecretError) as error:
        boards.failed(record.board, error if isinstance(error, BoardError) else BoardError(str(error)))
        answer = None
    else:
        boards.answered(record.board)
    if answer is None:
        return None
    return settle(poller.store, poller.archive, record.import_id, answer, by=POLL, verified=True, now=poller.now())


def _polled(now: datetime) -> Change:
    def change(current: Import, _: Feed) -> Sequence[Import | Feed]:
        return [current.changed(polled_at=now)] if current.open else ()

    return change


def _freed(now: datetime) -> Change:
    """Claimed, and abandoned before anything was sent."""

    def change(current: Import, feed: Feed) -> Sequence[Import | Feed]:
        abandoned = current.claimed_until is None or current.claimed_until + RETRIES <= now
        if current.state is not State.PREPARING or not abandoned:
            return ()
        reason = "the run was cut off before anything was sent, and Lambda's own retries did not bring it to an end"
        state = State.BLOCKED if current.run is None else State.SKIPPED  # people are told once for the whole run
        return current.ended(state, reason=reason, cause="abandoned"), feed.without(current.import_id)

    return change


def _give_up(record: Import, poller: Poller, polled: Polled) -> None:
    def change(current: Import, feed: Feed) -> Sequence[Import | Feed]:
        if current.state is State.COMPLETE and not current.verified and current.open:
            return [current.changed(open=None)]  # the callback's word stands
        if current.state not in AWAITING or current.is_claimed(poller.now()):
            return ()
        reason = "the board gave no result within 12 hours"
        if current.state is State.SUBMITTING and current.reason:
            reason += f"; what it said to the last attempt: {current.reason}"
        expired = current.ended(State.EXPIRED, reason=reason, cause="no-result")
        return expired, feed.after(expired)

    given_up = move(poller.store, record.import_id, change)
    if given_up.state is State.EXPIRED:
        polled.expired.append(given_up.import_id)


def _start(feed: Feed, poller: Poller, polled: Polled) -> None:
    """Starts a feed that skipped a run, once the open one has ended."""
    current = poller.store.get_feed(feed.feed)
    if current.run_again is None or current.open_imports:
        return
    poller.feeds.run_again(current.feed, current.run_again)
    polled.started.append(current.feed)
