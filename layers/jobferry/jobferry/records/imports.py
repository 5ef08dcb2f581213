"""The records of imports and feeds: their states, and how one may follow another.

A record is never changed in place. `move` reads it, asks a pure function what it should become, and writes that only
if nobody wrote in between; otherwise it asks again. So every transition is one conditional write, a transaction where
the feed's record moves with it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, Protocol, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from jobferry.errors import ConflictError

#: Without a result for so long, an import is given up.
RESULT_DEADLINE: Final = timedelta(hours=12)
#: Lambda's own retries come one and three minutes after a failure: whoever takes over from them waits for longer.
RETRIES: Final = timedelta(minutes=10)
#: How long records are kept.
KEPT: Final = timedelta(days=400)
OPEN: Final = "open"
#: Why deletions are withheld, by the rules of `deletions`. The first: people are only being told that from the next
#: import on other postings go.
FIRST: Final = "first"
SHARED_ACCOUNT: Final = "shared-account"
UNPROTECTED_ROWS: Final = "unprotected-rows"
FEWER_OBJECTS: Final = "fewer-objects"
TOO_MANY: Final = "too-many"
#: Ends the name of a feed in `shared_with` of which nobody can tell whether it has the account.
UNREAD: Final = " cannot be read)"

_ATTEMPTS: Final = 20


class State(StrEnum):
    """Where an import is; docs/deletions.md says what may follow."""

    PREPARING = "preparing"
    SUBMITTING = "submitting"
    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DRY_RUN = "dry-run"


#: The request may have reached the board, and no result has come.
AWAITING: Final = frozenset({State.SUBMITTING, State.PENDING, State.RUNNING})
#: What a result may still make complete: a board that refused, or was silent for too long, may yet turn out to have
#: accepted, and no result is lost.
SETTLES: Final = AWAITING | {State.EXPIRED, State.REJECTED}


def timestamp(instant: datetime) -> str:
    """RFC 3339 in UTC, always as long, so that texts sort as times do."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


type Instant = Annotated[datetime, PlainSerializer(timestamp)]


class Record(BaseModel):
    """What the table holds, with camelCase aliases as names."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    #: How often it was written; 0: not yet.
    revision: int = 0

    def changed(self, **changes: Any) -> Self:
        """A copy with other values."""
        return self.model_copy(update=changes)


def _cut(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= SHOWN else f"{value[:SHOWN]}…"


#: Characters of a text that records keep; what was sent is in the archive.
SHOWN: Final = 300
type Shown = Annotated[str, BeforeValidator(_cut)]


class Posting(BaseModel):
    """A posting that goes or was withheld, as a record names it."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    reference_number: Shown
    title: Shown | None = None


class Import(Record):
    """The record of one import.

    Attributes:
        import_id: `{feed}-{time}`, see `triggers`.
        board: base URL of the board's API.
        account: the name of the secret whose key was used.
        key_mark: of that key, see `accounts`.
        delete_jobs: as it was sent.
        full_sync: the setting deleteJobs, whatever was sent.
        jobs: sent to the board.
        invalid: rows found to be errors before sending.
        expected_deletes: postings that were to go with delete_jobs.
        withheld_deletes: postings that were not deleted, though the feed does not have them.
        withheld_because: why, FIRST or others of these.
        confirm_code: sends the withheld deletions.
        deletes: the first of the postings that go, or were withheld.
        objects: of the feed, that were read.
        sources: the first of them: key, etag, bytes.
        payload: key of the jobs as sent; manifest, live_set: keys of what is beside it.
        attempts: invocations that sent it.
        claimed_by: the Lambda request in whose hands it is, until claimed_until.
        previous: the feed's last complete import when this one was claimed.
        confirm_deletes: the code with which a person confirmed its deletions.
        announced_at: when people were told that other postings go, as far as that holds for this import.
        run: the first import of the run, of the further ones of a split feed.
        retry: the key of the mended jobs that are sent instead of the feed.
        parts: imports of the run that a split feed needs; of the first of them.
        late: people were told that there was no result before it came.
        deleted_before: postings deleted by an earlier sending of it, whose answer was lost.
        unaccounted: jobs that the board's counts leave out.
        cause: a word for the reason, for programs and the runbook.
        open: set while it needs the poller.
    """

    import_id: str
    feed: str
    created_at: Instant
    state: State
    board: str | None = None
    account: str | None = None
    key_mark: str | None = None
    board_import_id: str | None = None
    delete_jobs: bool = False
    full_sync: bool = False
    jobs: int = 0
    invalid: int = 0
    warnings: int = 0
    warned: list[str] = []
    expected_deletes: int = 0
    withheld_deletes: int = 0
    withheld_because: list[str] = []
    shared_with: list[str] = []
    confirm_code: str | None = None
    deletes: list[Posting] = []
    objects: int = 0
    sources: list[dict[str, Any]] = []
    payload: str | None = None
    manifest: str | None = None
    live_set: str | None = None
    attempts: int = 0
    claimed_by: str | None = None
    claimed_until: Instant | None = None
    previous: str | None = None
    confirm_deletes: str | None = None
    announced_at: Instant | None = None
    run: str | None = None
    retry: str | None = None
    parts: int = 1
    submitted_at: Instant | None = None
    requested_at: Instant | None = None
    completed_at: Instant | None = None
    polled_at: Instant | None = None
    settled_at: Instant | None = None
    settled_by: str | None = None
    verified: bool = False
    late: bool = False
    deleted_before: int = 0
    results: dict[str, Any] | None = None
    unaccounted: int = 0
    reason: str | None = None
    cause: str | None = None
    notify_on_success: bool = False
    notified_at: Instant | None = None
    open: str | None = None

    @property
    def all_deletes(self) -> str | None:
        """The key of all the postings of which `deletes` has the first; None of an import without a live set."""
        return self.live_set.replace(".live.", ".deletes.") if self.live_set else None

    @property
    def deadline(self) -> datetime:
        """Until when a result is waited for."""
        return self.created_at + RESULT_DEADLINE

    @property
    def expires(self) -> datetime:
        """Until when it is kept."""
        return self.created_at + KEPT

    def is_claimed(self, now: datetime) -> bool:
        """Whether somebody may be working on it."""
        return self.claimed_until is not None and self.claimed_until > now

    def ended(self, state: State, **changes: Any) -> Import:
        """The record when nothing more is to be done for it."""
        released = {"claimed_by": None, "claimed_until": None, "open": None}
        return self.changed(state=state, **(released | changes))


class LiveSet(BaseModel):
    """The postings of a feed that may be on the board.

    Attributes:
        key: the object that lists them.
        import_id: the import with which it was stored; created_at: of that import.
        account: board and secret whose postings they are; key_mark: of the key that was in it.
        whole: with what was carried over; otherwise only what that import sent.
        announced_at: when people were told that, with a full sync, other postings go; None: they were not.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    key: str
    import_id: str
    created_at: Instant
    account: str
    key_mark: str | None = None
    whole: bool
    announced_at: Instant | None = None


class Feed(Record):
    """The record of a feed.

    Attributes:
        open_imports: of the run that is under way; none: the next one may start.
        last_import: the latest that was claimed, by the Lambda request last_request.
        last_complete: the latest run with a result, by its first import; last_complete_at: when that was claimed.
        live_set: see `live_sets`.
        objects: how many objects the last complete import was made of that withheld no deletions.
        run_again: the first skipped import since the run began: the feed is to run once more.
        run_again_at: when it was skipped; run_again_confirm: the code that a person gave with a skipped run.
    """

    feed: str
    open_imports: list[str] = []
    last_import: str | None = None
    last_request: str | None = None
    last_complete: str | None = None
    last_complete_at: Instant | None = None
    live_set: LiveSet | None = None
    objects: int | None = None
    run_again: str | None = None
    run_again_at: Instant | None = None
    run_again_confirm: str | None = None

    def without(self, import_id: str) -> Feed:
        """The feed when an import of it has ended."""
        return self.changed(open_imports=[each for each in self.open_imports if each != import_id])

    def after(self, ended: Import) -> Feed:
        """The feed when an import that may have reached the board has ended; an older one replaces nothing.

        A retry is no run of the feed: it only adds to the live set. What failed, and how many objects there were, is
        still that of the last run, and a full sync that was announced stays so.
        """
        feed = self.without(ended.import_id)
        complete = ended.state is State.COMPLETE
        newest = feed.last_complete_at is None or feed.last_complete_at <= ended.created_at
        if complete and newest and not ended.retry:
            # While deletions are withheld the feed is held against what it was before, so they do not slip through later.
            objects = max(ended.objects, feed.objects or 0) if ended.withheld_deletes else ended.objects
            feed = feed.changed(
                last_complete=ended.run or ended.import_id, last_complete_at=ended.created_at, objects=objects
            )
        before = feed.live_set
        if ended.live_set and (before is None or before.created_at <= ended.created_at):
            # While two feeds share an account, nobody knows whose postings would go: afterwards it is announced anew.
            stands = (ended.full_sync or ended.retry) and SHARED_ACCOUNT not in ended.withheld_because
            live_set = LiveSet(
                key=ended.live_set,
                import_id=ended.import_id,
                created_at=ended.created_at,
                account=account_id(ended.board, ended.account),
                key_mark=ended.key_mark,
                # Only the board's own word makes postings certain to be gone.
                whole=not (complete and ended.delete_jobs and ended.verified),
                announced_at=ended.announced_at if stands else None,
            )
            feed = feed.changed(live_set=live_set)
        return feed


def account_id(board: str | None, account: str | None) -> str:
    """One account is one key on one board."""
    return f"{board} {account}"


def part_id(import_id: str, number: int) -> str:
    """The id of a run's imports, counted from 1; the first one's is the run's."""
    return import_id if number == 1 else f"{import_id}-{number}"


class FailedJob(BaseModel):
    """A job that failed: an item `error#…` (the board's word) or `invalid#…` (found before sending).

    Attributes:
        number: the index in the list as sent, or the number of the problem.
        messages: why.
        reference_number: None when it has none.
        title: None when it has none, or nobody knows.
        key: the object of the feed, row: the row in it.
        since: when the import was claimed with which it began to fail.
        sent: it was found to be invalid and sent all the same, for the board to judge.
    """

    # Made when the first is needed: in most runs none is.
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True)

    number: Annotated[int, Field(alias="index")]
    messages: list[str]
    reference_number: Shown | None = None
    title: Shown | None = None
    key: str | None = None
    row: int | None = None
    since: Instant | None = None
    sent: bool = False

    @property
    def identity(self) -> str:
        """What it is known by from one import to the next."""
        return self.reference_number or f"\0{self.title}\0{self.messages[:1]}"

    def since_known(self, known: Mapping[str, datetime]) -> FailedJob:
        """The same, failing since when it was first known to, by the identities of an earlier import."""
        return self.model_copy(update={"since": known.get(self.identity, self.since)})


#: Items of failed jobs. What an unverified callback said is kept apart from what the board itself answers.
ERROR, UNVERIFIED, INVALID = "error", "unverified", "invalid"


def failing_since(store: ImportStore, previous: str | None) -> dict[str, datetime]:
    """Since when the jobs that failed in an earlier run have been failing, by their identities."""
    first = None if previous is None else store.get(previous)
    if first is None:
        return {}
    failed = (
        each
        for number in range(1, first.parts + 1)
        for kind in (INVALID, UNVERIFIED, ERROR)
        for each in store.read_failed(part_id(first.import_id, number), kind)
    )
    return {each.identity: each.since for each in failed if each.since is not None}


class OpenRecords(NamedTuple):
    """What the poller has to look at."""

    imports: list[Import]
    feeds: list[Feed]


class ImportStore(Protocol):
    """Where the records are. All reads are of the latest state."""

    def get(self, import_id: str) -> Import | None: ...

    def get_feed(self, feed: str) -> Feed:
        """The feed's record; one of revision 0 when there is none."""
        ...

    def save(self, *records: Import | Feed) -> None:
        """Writes all or none, each only if its revision is still that of the table. Raises ConflictError."""
        ...

    def read_failed(self, import_id: str, kind: str) -> Iterator[FailedJob]: ...

    def write_failed(self, import_id: str, kind: str, failed: Iterable[FailedJob], expires: datetime) -> None:
        """Writes items, replacing those with their numbers."""
        ...

    def delete_failed(self, import_id: str, kind: str) -> None: ...

    def open_records(self) -> OpenRecords: ...

    def history(self, feed: str) -> Iterator[Import]:
        """The feed's imports, newest first. They may be a moment behind."""
        ...


type Change = Callable[[Import, Feed], Sequence[Import | Feed]]


def move(store: ImportStore, import_id: str, change: Change) -> Import:
    """Moves a record, and its feed's where that moves with it.

    Args:
        store: where the records are.
        import_id: of a record that exists.
        change: what to write, given the import and its feed as they are; nothing, to leave them. It may be asked again.

    Returns:
        The import as it then is.

    Raises:
        ConflictError: others wrote in between again and again.
    """

    def attempt() -> Import:
        before = store.get(import_id)
        if before is None:
            raise ConflictError(f"the record of {import_id} is gone")
        records = change(before, store.get_feed(before.feed))
        if records:
            store.save(*records)
        written = next((each for each in records if isinstance(each, Import)), None)
        return before if written is None else written.changed(revision=written.revision + 1)

    return agreed(attempt)


def agreed[T](attempt: Callable[[], T]) -> T:
    """The result of the first attempt with which nobody interfered. Raises ConflictError after many."""
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except ConflictError:
            if number == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, min(1.0, 0.02 * 2**number)))  # noqa: S311  # nothing secret: apart in time
    raise AssertionError("unreachable")
