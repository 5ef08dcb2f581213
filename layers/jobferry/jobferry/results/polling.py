"""Polling: the second way to a result.

The poller starts the feeds that skipped a run, ends or resumes interrupted imports, expires imports, and fetches results
that no callback delivered.

The board's answer is the riskiest step, because it could crash the function despite all precautions. So everything
else comes first. An import is marked before the board is asked for it. If the answer then crashes the function, the next
attempts come after ever longer pauses, and after its deadline the import expires without another request.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Protocol

from jobferry.board.accounts import Accounts, account_of
from jobferry.board.client import Boards, retrieve
from jobferry.errors import BoardError, BoardRefusedError, BoardUnreachableError, Cause, SecretError
from jobferry.records import transitions
from jobferry.records.feeds import Feed
from jobferry.records.imports import MAX_LIST_ATTEMPTS, MAX_SENDS, Import, ListEnd, Open, SettledBy, State
from jobferry.records.store import BrokenRecord, ImportStore, apply
from jobferry.results.settlement import ArchiveReader, settle

#: One answer of the board may take this long.
POLL_SECONDS: Final = 10.0
#: The pause after an answer that could not be handled. It doubles with each further one, up to the second figure.
_PAUSE: Final = timedelta(minutes=10)
_LONGEST_PAUSE: Final = timedelta(hours=6)
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
    """The dependencies of `poll`.

    Attributes:
        failed: is told of a record that could not be handled; the others are handled all the same.
        asking: is told of an import right before the board is asked for it, so that the log names it if that crashes.
    """

    store: ImportStore
    archive: ArchiveReader
    accounts: Accounts
    boards: Boards
    feeds: FeedStarter
    now: Callable[[], datetime]
    failed: Callable[[Import | Feed | BrokenRecord, Exception], None]
    asking: Callable[[Import], None] = lambda _: None


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


def poll(poller: Poller, deadline: datetime, *, late: bool = False) -> Polled:
    """Check everything that is open, until shortly before the deadline.

    Args:
        deadline: when the function ends.
        late: this is the hourly run, which also asks for the results of expired imports.
    """
    polled = Polled()
    boards = _BoardFailures()
    found = poller.store.open_records(late=late)
    # The least recently polled come first, so that every import is reached. In the hourly run they come last: otherwise a
    # record that crashes the function before it is marked would always be the first.
    by_turn = sorted(found.imports, key=lambda each: (each.polled_at or each.created_at, each.created_at), reverse=late)
    # Those whose answer may crash the function come after the others in every run.
    imports = sorted(by_turn, key=lambda each: (each.open is Open.LATE, each.unanswered > 0))
    to_ask = [each for each in imports if _may_be_asked(each, poller.now())]
    for broken in found.broken:
        polled.failed.append(broken.import_id)
        poller.failed(broken, broken.error)
    _handle_each(found.feeds, lambda feed: _run_again(feed, poller, polled), poller, polled, deadline)
    steps = [
        (imports, lambda record: _end_without_asking(record, poller, polled)),
        (to_ask, lambda record: _ask_or_expire(record, poller, boards, polled)),
    ]
    for records, handle in reversed(steps) if late else steps:
        polled.left += _handle_each(records, handle, poller, polled, deadline)
    return polled


def _handle_each[Record: (Import, Feed)](
    records: Sequence[Record], handle: Callable[[Record], None], poller: Poller, polled: Polled, deadline: datetime
) -> int:
    """Handle each record while there is time. One that fails holds up no other. Return the number of those left."""
    for number, record in enumerate(records):
        if poller.now() + _MARGIN > deadline:
            return len(records) - number
        try:
            handle(record)
        except Exception as error:  # noqa: BLE001  # the caller is told
            polled.failed.append(record.import_id if isinstance(record, Import) else record.feed)
            poller.failed(record, error)
    return 0


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


def _is_unsent(record: Import) -> bool:
    return record.state in transitions.MAY_BE_SENT and record.sent.board_import_id is None


def _end_without_asking(record: Import, poller: Poller, polled: Polled) -> None:
    """Do what an import needs unless the board has to be asked for it."""
    now = poller.now()
    if record.open is Open.LATE:
        apply(poller.store, record.import_id, lambda current, _: transitions.stop_asking(current, now))
    elif _is_unsent(record):
        _check_unsent(record, poller, polled)
    elif _is_given_up(record, now):
        _expire(record, poller, polled)
    if transitions.has_open_list(record):
        _check_list(record, poller, polled)


def _is_given_up(record: Import, now: datetime) -> bool:
    """Tell whether an import expires without being asked for: its answer may crash, or was asked for since the deadline."""
    asked_since = record.polled_at is not None and record.polled_at > record.deadline
    return now > record.deadline and (record.unanswered > 0 or asked_since)


def _may_be_asked(record: Import, now: datetime) -> bool:
    """Tell whether the board is asked for an import in this run."""
    if _is_unsent(record) or record.is_confirmed:
        return False
    is_late = record.open is Open.LATE
    wanted = transitions.is_awaited_late(record, now) if is_late else not _is_given_up(record, now)
    if not record.unanswered or record.polled_at is None:
        return wanted
    pause: timedelta = min(_PAUSE * 2 ** min(record.unanswered - 1, 10), _LONGEST_PAUSE)
    return wanted and now >= record.polled_at + pause


def _ask_or_expire(record: Import, poller: Poller, boards: _BoardFailures, polled: Polled) -> None:
    answer = None
    if not boards.are_too_many(record.destination.board):
        settled, answer = _ask(record, poller, boards)
        if settled is not None and settled.is_confirmed:
            polled.settled.append(settled)
            return
    if record.open is not Open.LATE and poller.now() > record.deadline:
        _expire(record, poller, polled, answer)


def _check_unsent(record: Import, poller: Poller, polled: Polled) -> None:
    """Continue or end an import that was left in the middle; leave one alone that is being worked on."""
    now = poller.now()
    if record.claim.may_be_retried(now):
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


def _check_list(record: Import, poller: Poller, polled: Polled) -> None:
    """Continue or end a list of deletions that was left in the middle; leave one alone that is being sent."""
    now, attempts = poller.now(), record.deletions.list_attempts
    if record.claim.may_be_retried(now):
        return
    if now <= record.deadline and attempts < MAX_LIST_ATTEMPTS:
        poller.feeds.resume(record.feed, record.import_id)
        polled.resumed.append(record.import_id)
        return
    reason = f"it was not finished within {attempts} attempts" if attempts else "it was not begun within 12 hours"
    apply(
        poller.store,
        record.import_id,
        lambda current, feed: transitions.end_list(current, feed, record.claim.by, ListEnd.UNANSWERED, reason),
    )


def _is_ready(record: Import, store: ImportStore) -> bool:
    """Tell whether all imports of its run are ready to be sent."""
    first = record if record.run is None else store.get(record.run)
    return first is not None and first.prepared.payload is not None


def _ask(record: Import, poller: Poller, boards: _BoardFailures) -> tuple[Import | None, str | None]:
    """Ask the board and record its answer. Return the import, if there was one, and what else the board answered."""
    import_id, board, now = record.import_id, record.destination.board, poller.now()
    noted = apply(poller.store, import_id, lambda current, _: transitions.note_poll(current, now))
    if noted.open is None:
        return noted, None  # it has ended since it was listed
    poller.asking(record)
    try:
        account_of(record, poller.accounts)
    except SecretError:
        pass  # as below, where it is recorded
    except Exception:
        # The board was not asked, so this says nothing about its answer.
        apply(poller.store, import_id, lambda current, _: transitions.note_poll_handled(current))
        raise
    settled, words = None, None
    try:
        answer = retrieve(record, record.sent.board_import_id or "", poller.accounts, poller.boards, POLL_SECONDS)
    except (BoardError, SecretError) as error:
        words = str(error)
        # A 404 concerns this import, not the board.
        if not isinstance(error, BoardRefusedError) or error.status != HTTPStatus.NOT_FOUND:
            boards.failed(board, error)
    else:
        boards.answered(board)
        words = None if answer.is_complete else f'the status "{answer.status}"'
        settled = settle(
            poller.store, poller.archive, import_id, answer, by=SettledBy.POLL, verified=True, now=poller.now()
        )
    if settled is None or settled.open:
        settled = apply(poller.store, import_id, lambda current, _: transitions.note_poll_handled(current))
    return settled, words


def _expire(record: Import, poller: Poller, polled: Polled, answer: str | None = None) -> None:
    now = poller.now()
    expired = apply(
        poller.store, record.import_id, lambda current, feed: transitions.expire(current, feed, now, answer)
    )
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
