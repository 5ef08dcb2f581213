"""A run: a feed is claimed, read, archived, recorded and sent to the board.

What has happened is in the record before the next thing happens, so whoever comes after a crash (Lambda's own retry, a
second delivery of the event, the poller) goes on where it broke off:

- `preparing` without a payload: nothing was sent, the feed is read anew;
- `preparing` with a payload: it is archived, and sent from there;
- `submitting`: it may have reached the board, and is sent again from the archive, which the board's upsert makes safe.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from isal import igzip

from jobferry.board.accounts import Account, account_of
from jobferry.board.callback_urls import callback_url
from jobferry.board.client import UNAUTHORIZED, RequestBody
from jobferry.board.job_imports import JobImport
from jobferry.errors import (
    ArchiveGoneError,
    BoardRefusedError,
    BoardUnreachableError,
    ConflictError,
    EventError,
    FeedError,
    FeedInvalidError,
    SecretError,
)
from jobferry.feeds.streams import CHUNK
from jobferry.records.imports import OPEN, Change, Feed, Import, State, agreed, move, part_id
from jobferry.runs.preparation import first_problems, held_back, plan, prepare, read
from jobferry.runs.triggers import Trigger
from jobferry.runs.world import Invocation, World, workspace

#: A request to the board may take so long, if the function has as much time left. Seconds.
REQUEST_SECONDS: Final = 120.0
#: What the function needs for itself after the board has answered, or has not.
MARGIN: Final = timedelta(seconds=20)
#: Waits between requests that were not accepted: from one second, doubled, at most. Seconds.
_LONGEST_WAIT: Final = 60.0
#: Characters of a reason that a record keeps.
_REASON: Final = 4000


class Outcome(NamedTuple):
    """What became of a run.

    Attributes:
        import_id: of its first import; None of a dry run, and where there was nothing to do.
        state: of that.
        jobs: sent, or to be sent, by all its imports.
        invalid: rows that are errors.
        reason: why nothing was sent, if nothing was.
        submitted: imports that this invocation brought to the board.
        withheld: deletions that were withheld.
        preview: of a dry run: the first problems and the deletions to come.
    """

    import_id: str | None
    state: State
    jobs: int = 0
    invalid: int = 0
    reason: str | None = None
    submitted: int = 0
    withheld: int = 0
    preview: dict[str, Any] | None = None

    def answer(self) -> dict[str, Any]:
        """What SubmitImport answers."""
        known = {
            "importId": self.import_id,
            "state": self.state,
            "jobs": self.jobs,
            "invalid": self.invalid,
            "reason": self.reason,
        }
        return known | (self.preview or {})


def submit(trigger: Trigger, invocation: Invocation, world: World) -> Outcome:
    """Runs a feed, or goes on with a run that was left in the middle.

    Raises:
        EventError: the import to resume does not exist.
        BoardUnknownError: the request may have reached the board; Lambda's retry looks again.
        ConflictError, StoreError, and AWS's own errors: Lambda's retry goes on.
    """
    if trigger.dry_run:
        return _dry_run(trigger, world)
    first, mine = claim(trigger, invocation, world)
    if first is None:
        return Outcome(None, State.SKIPPED, reason="the feed has run since")
    if mine and first.state is State.PREPARING and first.payload is None:
        try:
            first = prepare(first, trigger, invocation, world)
        except (FeedError, SecretError) as error:
            first = _block(first, error, world)
    before = list(_run(first, world)) if first.payload else [first]
    after = [send(each, invocation, world) for each in before]
    return Outcome(
        first.import_id,
        after[0].state,
        sum(each.jobs for each in after),
        first.invalid,
        after[0].reason,
        submitted=sum(one.board_import_id != other.board_import_id for one, other in zip(before, after, strict=True)),
        withheld=first.withheld_deletes if mine else 0,
    )


# The claim


def claim(trigger: Trigger, invocation: Invocation, world: World) -> tuple[Import | None, bool]:
    """The run's first import, and whether this invocation is to do it.

    None: the poller's wish is fulfilled already. A feed has one run at a time: while one is open, another is recorded
    as skipped, and the feed remembers to run once more.
    """
    store = world.store

    def attempt() -> tuple[Import | None, bool]:
        now = world.now()
        feed = store.get_feed(trigger.feed)
        found = store.get(trigger.import_id)
        if found is None and feed.last_request == invocation.id and feed.last_import is not None:
            # Lambda's retry of a run by hand: the time of the call, and so the id, is another one now.
            found = store.get(feed.last_import)
        if found is not None:
            if found.feed != trigger.feed:
                raise EventError(f"{trigger.import_id} is not an import of {trigger.feed}")
            return _take_over(found, invocation, world)
        if trigger.resume:
            raise EventError(f"there is no import {trigger.import_id} to resume")
        if trigger.run_again is not None and feed.run_again != trigger.run_again:
            return None, False
        record = Import(
            import_id=trigger.import_id,
            feed=trigger.feed,
            created_at=now,
            state=State.PREPARING,
            retry=trigger.retry,
            confirm_deletes=trigger.confirm_deletes or (feed.run_again_confirm if trigger.run_again else None),
        )
        if feed.open_imports:
            if trigger.run_again is not None:
                return None, False  # the poller asks again
            then = "retry when it has ended" if trigger.retry else "the feed runs once more when it has ended"
            reason = f"{feed.open_imports[0]} is still open; {then}"
            record = record.ended(State.SKIPPED, reason=reason, cause="open")
            wished = feed.run_again is not None or trigger.retry is not None
            waiting = {} if wished else {"run_again": trigger.import_id, "run_again_at": now}
            if trigger.confirm_deletes is not None:
                waiting |= {"run_again_confirm": trigger.confirm_deletes}
            # Written even where nothing changes: it must not have ended meanwhile.
            store.save(record, feed.changed(**waiting))
            return record, False
        record = record.changed(
            claimed_by=invocation.id, claimed_until=invocation.deadline, open=OPEN, previous=feed.last_complete
        )
        # A retry does not read the feed, so it fulfils no wish to run it again.
        fulfilled = {} if trigger.retry else {"run_again": None, "run_again_at": None, "run_again_confirm": None}
        store.save(
            record,
            feed.changed(
                open_imports=[record.import_id],
                last_import=record.import_id,
                last_request=invocation.id,
                **fulfilled,
            ),
        )
        return record.changed(revision=1), True

    return agreed(attempt)


def _take_over(found: Import, invocation: Invocation, world: World) -> tuple[Import, bool]:
    """The import that this trigger has already, claimed if it was left in the middle."""
    if found.state not in (State.PREPARING, State.SUBMITTING):
        return found, False
    if found.claimed_by != invocation.id and found.is_claimed(world.now()):
        return found, False
    taken = found.changed(claimed_by=invocation.id, claimed_until=invocation.deadline)
    world.store.save(taken)
    return taken.changed(revision=found.revision + 1), True


def _run(first: Import, world: World) -> Iterator[Import]:
    """All imports of the run that `first` begins."""
    yield first
    for number in range(2, first.parts + 1):
        part = world.store.get(part_id(first.import_id, number))
        if part is not None:
            yield part


def _block(record: Import, error: FeedError | SecretError, world: World) -> Import:
    """Nothing is sent: a person has to mend what the error says."""

    def change(current: Import, feed: Feed) -> Sequence[Import | Feed]:
        if current.state is not State.PREPARING or current.claimed_by != record.claimed_by:
            return ()
        invalid = error.invalid if isinstance(error, FeedInvalidError) else 0
        blocked = current.ended(State.BLOCKED, reason=str(error)[:_REASON], cause=error.cause, invalid=invalid)
        return blocked, feed.without(current.import_id)

    return move(world.store, record.import_id, change)


# Sending


def send(record: Import, invocation: Invocation, world: World) -> Import:
    """Sends one import that is ready, or may have been sent before; another is left as it is.

    Raises:
        BoardUnknownError: it may have reached the board.
        ArchiveGoneError, SecretError: it was not sent.
        BoardRefusedError, BoardUnreachableError: the board does not take it now, though it may have before.
    """
    if not _may_send(record, invocation, world):
        return record
    if world.now() + MARGIN > invocation.deadline:
        raise ConflictError(f"no time is left to send {record.import_id}: the next attempt goes on")
    before = record
    try:
        with workspace() as directory:
            jobs = _unpack(record, world, directory)
            url = callback_url(world.callbacks, record.import_id, world.signing_key())
            account = account_of(record, world.accounts, fresh=record.delete_jobs)
            changes = held_back(record, account, world) if record.delete_jobs else {}
            key_mark = account.key_mark(world.signing_key())
            if key_mark != record.key_mark:
                changes |= {"key_mark": key_mark, "announced_at": None}  # of the key that is used now
            record = move(world.store, record.import_id, _submitting(invocation, changes, world))
            if record.state is not State.SUBMITTING or record.claimed_by != invocation.id:
                return record
            body = RequestBody(jobs, url, delete_jobs=record.delete_jobs)
            answer = _deliver(body, record, account, invocation, world)
    except (ArchiveGoneError, BoardRefusedError, BoardUnreachableError, SecretError) as error:
        rejected = move(world.store, record.import_id, _rejected(before, error, invocation))
        if rejected.state is not State.REJECTED:
            raise
        return rejected
    return _accept(record, answer, world)


def _may_send(record: Import, invocation: Invocation, world: World) -> bool:
    if record.state not in (State.PREPARING, State.SUBMITTING):
        return False
    return record.claimed_by == invocation.id or not record.is_claimed(world.now())


def _submitting(invocation: Invocation, changes: dict[str, Any], world: World) -> Change:
    def change(current: Import, _: Feed) -> Sequence[Import | Feed]:
        if not _may_send(current, invocation, world):
            return ()
        return [
            current.changed(
                **changes,
                state=State.SUBMITTING,
                attempts=current.attempts + 1,
                submitted_at=current.submitted_at or world.now(),
                claimed_by=invocation.id,
                claimed_until=invocation.deadline,
            )
        ]

    return change


def _deliver(body: RequestBody, record: Import, account: Account, invocation: Invocation, world: World) -> JobImport:
    """Sends an import until the board accepts, refuses, or the time is over."""
    asked_anew = False
    wait = 1.0
    while True:
        seconds = min(REQUEST_SECONDS, (invocation.deadline - MARGIN - world.now()).total_seconds())
        try:
            return world.boards(account).create(body, max(seconds, 1.0))
        except BoardRefusedError as error:
            if error.status != UNAUTHORIZED or asked_anew or record.delete_jobs:
                raise  # another key may be of another account, where nothing was announced
            asked_anew = True  # the key may have been rotated since it was read
            account = account_of(record, world.accounts, fresh=True)
        except BoardUnreachableError as error:
            asked = error.retry_after.total_seconds() if error.retry_after is not None else 0.0
            pause = max(asked, wait * random.uniform(0.5, 1.0))  # noqa: S311  # apart in time, nothing secret
            if world.now() + timedelta(seconds=pause) + 2 * MARGIN > invocation.deadline:
                if asked > wait:
                    raise _longer_than_we_have(error, asked) from error
                raise
            world.sleep(pause)
            wait = min(wait * 2, _LONGEST_WAIT)


def _longer_than_we_have(error: BoardUnreachableError, seconds: float) -> BoardUnreachableError:
    words = f"{error}, and asked to be left alone for {seconds / 60:,.0f} minutes, longer than the function may run"
    return BoardUnreachableError(words, error.retry_after, error.status)


def _unpack(record: Import, world: World, directory: Path) -> Path:
    """The jobs as they are sent, from the archive."""
    packed, jobs = directory / "payload.jsonl.gz", directory / "payload.jsonl"
    if record.payload is None or not world.bucket.fetch(record.payload, packed):
        raise ArchiveGoneError(f"the jobs that were made ready are gone from the bucket: {record.payload}")
    with igzip.open(packed, "rb") as source, jobs.open("wb") as target:  # type: ignore[no-untyped-call]
        shutil.copyfileobj(source, target, CHUNK)
    packed.unlink()
    return jobs


def _accept(record: Import, answer: JobImport, world: World) -> Import:
    """The board has the import; its result may have come before, or somebody may have given it up."""

    def change(current: Import, feed: Feed) -> Sequence[Import | Feed]:
        known = {"board_import_id": answer.id, "requested_at": answer.requested_at}
        if current.state in (State.SUBMITTING, State.REJECTED, State.EXPIRED):
            released = {"claimed_by": None, "claimed_until": None, "reason": None, "cause": None, "open": OPEN}
            pending = current.changed(state=State.PENDING, **known, **released)
            if current.import_id in feed.open_imports:
                return [pending]
            return pending, feed.changed(open_imports=[*feed.open_imports, current.import_id])
        if not current.verified and current.board_import_id != answer.id:
            return [current.changed(**known)]
        return ()

    return move(world.store, record.import_id, change)


def _rejected(
    before: Import,
    error: ArchiveGoneError | BoardRefusedError | BoardUnreachableError | SecretError,
    invocation: Invocation,
) -> Change:
    """The import is rejected if nobody else sent it; otherwise what was said is kept, for whoever has to mend it."""

    def change(current: Import, feed: Feed) -> Sequence[Import | Feed]:
        if current.claimed_by != invocation.id or current.state not in (State.PREPARING, State.SUBMITTING):
            return ()
        why = {"reason": str(error)[:_REASON], "cause": error.cause}
        if before.state is State.SUBMITTING or current.attempts > 1:
            return [current.changed(**why)]
        rejected = current.ended(State.REJECTED, **why)
        # A board that said "later" has been known to mean "accepted": what was sent may be there.
        maybe = isinstance(error, BoardUnreachableError) and error.status is not None
        return rejected, feed.after(rejected) if maybe else feed.without(current.import_id)

    return change


# A dry run


def _dry_run(trigger: Trigger, world: World) -> Outcome:
    """Everything but the claim, the archive and the request."""
    with workspace() as directory:
        try:
            reading = read(trigger, world, directory)
        except (FeedError, SecretError) as error:
            return Outcome(None, State.DRY_RUN, reason=str(error))
        payload = reading.payload
        preview: dict[str, Any] = {"imports": len(payload.parts), "problems": first_problems(payload)}
        try:
            reading.require_sendable()
            deletions = plan(trigger, reading, trigger.confirm_deletes, world, directory).deletions
        except FeedError as error:
            return Outcome(None, State.DRY_RUN, 0, payload.invalid, str(error), preview=preview)
        preview |= {
            "deleteJobs": deletions.delete_jobs,
            "deletes": deletions.expected,
            "withheldDeletes": deletions.withheld,
            "withheldBecause": list(deletions.because),
            "confirmCode": deletions.confirm_code,
            "firstDeletes": [posting.model_dump(by_alias=True) for posting in deletions.postings],
        }
        return Outcome(None, State.DRY_RUN, payload.jobs, payload.invalid, preview=preview)
