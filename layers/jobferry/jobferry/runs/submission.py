"""A run: a feed is claimed, read, archived, recorded and sent to the board.

Each step is recorded before the next one begins. So after a crash, Lambda's own retry, a second delivery of the event,
or the poller can continue:

- `preparing` without a payload: nothing was sent, so the feed is read again;
- `preparing` with a payload: it is in the archive, and is sent from there;
- `submitting`: it may have reached the board, and is sent again from the archive, which the board's upsert makes safe;
- later, with an open list of deletions: the rest of the list is sent, see `runs.deletion_lists`.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from isal import igzip

from jobferry.board.accounts import Account, account_of
from jobferry.board.callback_urls import callback_url
from jobferry.board.client import RequestBody
from jobferry.board.job_imports import JobImport
from jobferry.errors import (
    ArchiveGoneError,
    BoardRefusedError,
    BoardUnknownError,
    BoardUnreachableError,
    ConflictError,
    EventError,
    FeedError,
    FeedInvalidError,
    FieldsGoneError,
    SecretError,
)
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import CHUNK
from jobferry.records import transitions
from jobferry.records.imports import Ending, Import, State, part_id
from jobferry.records.store import apply, retry_on_conflict, save_changes
from jobferry.runs.deletion_lists import delete_list
from jobferry.runs.loading import load, settings_to_send
from jobferry.runs.pauses import MARGIN, Pauses, request_seconds
from jobferry.runs.planning import Wishes, plan, plan_again
from jobferry.runs.preparation import first_problems, prepare, warned
from jobferry.runs.triggers import Trigger
from jobferry.runs.world import Invocation, World
from jobferry.workspace import workspace

#: Characters of a reason that a record keeps.
_REASON_LENGTH: Final = 4000

#: What the number of deletions in a dry run leaves out.
_ONLY_KNOWN: Final = (
    "deletes counts this feed's own postings. The board also deletes every other posting of the account, made by hand or by "
    "another system; jobferry cannot count those."
)

type NotSentError = ArchiveGoneError | BoardRefusedError | BoardUnreachableError | SecretError


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        import_id: of its first import; None for a dry run, and if there was nothing to do.
        state: the first import's state.
        jobs: sent, or to be sent, by all its imports.
        invalid: rows that have an error.
        reason: why nothing was sent, if nothing was.
        submitted: imports that this invocation brought to the board.
        withheld: deletions that were withheld.
        deleted: postings of its list that this invocation deleted.
        preview: of a dry run: the first problems and warnings, how the feed is understood, and the planned deletions.
    """

    import_id: str | None
    state: State
    jobs: int = 0
    invalid: int = 0
    reason: str | None = None
    submitted: int = 0
    withheld: int = 0
    deleted: int = 0
    preview: dict[str, Any] | None = None

    def answer(self) -> dict[str, Any]:
        """Return what SubmitImport answers."""
        known = {
            "importId": self.import_id,
            "state": self.state,
            "jobs": self.jobs,
            "invalid": self.invalid,
            "reason": self.reason,
        }
        return known | (self.preview or {})


def submit(trigger: Trigger, invocation: Invocation, world: World) -> Outcome:
    """Run a feed, or continue a run that was left in the middle.

    Raises:
        EventError: the import to resume does not exist.
        BoardUnknownError: the request may have reached the board; Lambda's retry continues.
        ConflictError, StoreError, and AWS's own errors: Lambda's retry continues.
    """
    if trigger.dry_run:
        return _dry_run(trigger, world)
    first, claimed = _claim(trigger, invocation, world)
    if first is None:
        return Outcome(None, State.SKIPPED, reason="the feed has run since")
    if claimed and first.state is State.PREPARING and first.prepared.payload is None:
        # A resumed run stays what it was: a retry does not become a run of the feed.
        trigger = replace(trigger, retry=first.retry)
        try:
            first = prepare(first, trigger, invocation, world)
        except (FeedError, SecretError) as error:
            first = _block(first, error, world)
    before = list(_imports_of_run(first, world)) if first.prepared.payload else [first]
    after = [send(each, invocation, world) for each in before]
    after[0] = delete_list(after[0], invocation, world)
    accepted = sum(
        one.sent.board_import_id != other.sent.board_import_id for one, other in zip(before, after, strict=True)
    )
    return Outcome(
        first.import_id,
        after[0].state,
        sum(each.prepared.jobs for each in after if each.state is not State.BLOCKED),
        first.prepared.invalid,
        after[0].ending.reason,
        submitted=accepted,
        withheld=first.deletions.withheld if claimed else 0,
        deleted=after[0].deletions.deleted - before[0].deletions.deleted,
    )


# The claim


def _claim(trigger: Trigger, invocation: Invocation, world: World) -> tuple[Import | None, bool]:
    """Return the run's first import, and whether this invocation works on it.

    There is no import if the poller starts a skipped run that a later run has already made up for.
    """
    store = world.store

    def attempt() -> tuple[Import | None, bool]:
        now = world.now()
        feed = store.get_feed(trigger.feed)
        record = store.get(trigger.import_id)
        if record is None and feed.last_request == invocation.id and feed.last_import is not None:
            # Lambda's retry of a run by hand, whose id comes from the time of the call: the retry has another id.
            record = store.get(feed.last_import)
        if record is None:
            if trigger.resume:
                raise EventError(f"there is no import {trigger.import_id} to resume")
            changes = transitions.claim_run(
                feed,
                trigger.import_id,
                invocation.claim,
                now,
                by_person=trigger.by_person,
                retry=trigger.retry,
                retried=store.get(trigger.retried) if trigger.retried else None,
                corrected_at=trigger.corrected_at,
                confirmed_with=trigger.confirm_deletes,
                confirm_fields=trigger.confirm_fields,
                run_again=trigger.run_again,
            )
        elif record.feed != trigger.feed:
            raise EventError(f"{trigger.import_id} is not an import of {trigger.feed}")
        else:
            changes = transitions.take_over(record, invocation.claim, now)
        claimed = save_changes(store, changes)
        if claimed is None:
            return record, False
        return claimed, claimed.state in transitions.MAY_BE_SENT

    return retry_on_conflict(attempt)


def _imports_of_run(first: Import, world: World) -> Iterator[Import]:
    yield first
    for number in range(2, first.parts + 1):
        part = world.store.get(part_id(first.import_id, number))
        if part is not None:
            yield part


def _block(record: Import, error: FeedError | SecretError, world: World) -> Import:
    """Record that nothing is sent until a person fixes what the error says."""
    ending = Ending(
        cause=error.cause,
        reason=str(error)[:_REASON_LENGTH],
        feed_is_empty=isinstance(error, FeedError) and error.feed_is_empty,
        fields_code=error.code if isinstance(error, FieldsGoneError) else None,
    )
    valid, invalid = (error.valid, error.invalid) if isinstance(error, FeedInvalidError) else (0, 0)
    return apply(
        world.store,
        record.import_id,
        lambda current, feed: transitions.block(current, feed, record.claim.by, ending, valid=valid, invalid=invalid),
    )


# Sending


def send(record: Import, invocation: Invocation, world: World) -> Import:
    """Send one import that is ready, or may have been sent before; leave any other as it is.

    First check again everything that a person or another run may have changed since it was prepared.

    Raises:
        BoardUnknownError: it may have reached the board.
        ArchiveGoneError, SecretError: it was not sent.
        BoardRefusedError, BoardUnreachableError: the board does not take it now, though it may have before.
    """
    if not transitions.may_send(record, invocation.id, world.now()):
        return record
    if world.now() + MARGIN > invocation.deadline:
        raise ConflictError(f"no time is left to send {record.import_id}: the next attempt continues")
    sent_before = record.state is State.SUBMITTING
    try:
        with workspace() as directory:
            jobs = _unpack(record, world, directory)
            url = callback_url(world.callbacks, record.import_id, world.signing_key())
            settings = settings_to_send(record, world)
            account = account_of(record, world.accounts, fresh=record.deletions.deletes)
            record = _start_sending(record, settings, account, invocation, world)
            if record.state is not State.SUBMITTING or record.claim.by != invocation.id:
                return record
            body = RequestBody(jobs, url, delete_jobs=record.deletions.delete_jobs)
            answer = _deliver(body, record, account, invocation, world)
    except FeedError as error:
        return _hold_back(record, error, invocation, world)
    except BoardUnknownError as error:
        _note_answer(record, error, invocation, world)
        raise
    except (ArchiveGoneError, BoardRefusedError, BoardUnreachableError, SecretError) as error:
        rejected = _reject(record, error, invocation, world, sent_before=sent_before)
        if rejected.state is not State.REJECTED:
            raise
        return rejected
    return apply(
        world.store,
        record.import_id,
        lambda current, feed: transitions.accept(current, feed, answer.id, answer.requested_at),
    )


def _start_sending(
    record: Import, settings: FeedSettings, account: Account, invocation: Invocation, world: World
) -> Import:
    key_mark = account.key_mark(world.signing_key())
    deletions = plan_again(record, settings, account, key_mark, world)
    if key_mark != record.destination.key_mark:
        deletions = deletions.changed(announced_at=None)  # announcements hold for one key
    return apply(
        world.store,
        record.import_id,
        lambda current, feed: transitions.start_sending(
            current, feed, invocation.claim, world.now(), deletions=deletions, key_mark=key_mark
        ),
    )


def _hold_back(record: Import, error: FeedError, invocation: Invocation, world: World) -> Import:
    ending = Ending(cause=error.cause, reason=str(error)[:_REASON_LENGTH])
    return apply(
        world.store,
        record.import_id,
        lambda current, feed: transitions.hold_back(current, feed, invocation.id, ending, world.now()),
    )


def _note_answer(record: Import, error: BoardUnknownError, invocation: Invocation, world: World) -> None:
    ending = Ending(reason=str(error)[:_REASON_LENGTH], status=error.status)
    apply(
        world.store,
        record.import_id,
        lambda current, _: transitions.note_answer(current, invocation.id, ending),
    )


def _deliver(body: RequestBody, record: Import, account: Account, invocation: Invocation, world: World) -> JobImport:
    """Send an import until the board accepts it, refuses it, or time runs out."""
    key_read_again = False
    pauses = Pauses(invocation, world)
    while True:
        try:
            return world.boards(account).create(body, request_seconds(invocation, world))
        except BoardRefusedError as error:
            if error.status != HTTPStatus.UNAUTHORIZED or key_read_again or record.deletions.deletes:
                raise  # a new key may belong to another account, for which no deletions were announced
            key_read_again = True  # it may have been rotated since it was read
            account = account_of(record, world.accounts, fresh=True)
        except BoardUnreachableError as error:
            is_long = pauses.is_long(error.retry_after)
            if pauses.pause(error.retry_after):
                continue
            if is_long:
                raise _wait_too_long(error) from error
            raise


def _wait_too_long(error: BoardUnreachableError) -> BoardUnreachableError:
    minutes = (error.retry_after or timedelta()) / timedelta(minutes=1)
    message = f"{error}, and asked to wait {minutes:,.0f} minutes, longer than the function may run"
    return BoardUnreachableError(message, error.retry_after, error.status)


def _unpack(record: Import, world: World, directory: Path) -> Path:
    """Fetch the jobs as they are sent from the archive."""
    packed, jobs = directory / "payload.jsonl.gz", directory / "payload.jsonl"
    payload = record.prepared.payload
    if payload is None or not world.bucket.fetch(payload, packed):
        raise ArchiveGoneError(f"the archived jobs are missing from the bucket: {payload}")
    with igzip.open(packed, "rb") as source, jobs.open("wb") as target:  # type: ignore[no-untyped-call]
        shutil.copyfileobj(source, target, CHUNK)
    packed.unlink()
    return jobs


def _reject(record: Import, error: NotSentError, invocation: Invocation, world: World, *, sent_before: bool) -> Import:
    status = error.status if isinstance(error, BoardRefusedError | BoardUnreachableError) else None
    ending = Ending(cause=error.cause, reason=str(error)[:_REASON_LENGTH], status=status)
    may_have_arrived = isinstance(error, BoardUnreachableError) and status is not None
    return apply(
        world.store,
        record.import_id,
        lambda current, feed: transitions.reject(
            current, feed, invocation.id, ending, sent_before=sent_before, may_have_arrived=may_have_arrived
        ),
    )


# A dry run


def _dry_run(trigger: Trigger, world: World) -> Outcome:
    """Do everything but the claim, the archive and the request."""
    if trigger.retry:
        retried = world.store.get(trigger.retried) if trigger.retried else None
        if reason := transitions.why_not_to_retry(world.store.get_feed(trigger.feed), retried, trigger.corrected_at):
            return Outcome(None, State.DRY_RUN, reason=reason)
    with workspace() as directory:
        try:
            loaded = load(trigger, world, directory)
        except (FeedError, SecretError) as error:
            return Outcome(None, State.DRY_RUN, reason=str(error))
        payload = loaded.payload
        preview: dict[str, Any] = {
            "imports": len(payload.parts),
            "problems": first_problems(payload),
            "understood": payload.understanding.data(),
            "warnings": warned(payload),
        }
        try:
            loaded.require_sendable()
            wishes = Wishes(trigger.confirm_deletes, trigger.confirm_fields, by_person=trigger.by_person)
            deletions = plan(trigger, loaded, wishes, world, directory).deletions
        except FeedError as error:
            preview["fieldsCode"] = error.code if isinstance(error, FieldsGoneError) else None
            return Outcome(None, State.DRY_RUN, 0, payload.invalid, str(error), preview=preview)
        preview |= {
            "deleteJobs": deletions.delete_jobs,
            "listed": deletions.listed,
            "note": _ONLY_KNOWN if deletions.delete_jobs else None,
            "deletes": deletions.expected,
            "withheldDeletes": deletions.withheld,
            "withheldBecause": list(deletions.because),
            "confirmCode": deletions.confirm_code,
            "firstDeletes": [posting.model_dump(by_alias=True) for posting in deletions.postings],
        }
        return Outcome(None, State.DRY_RUN, payload.jobs, payload.invalid, preview=preview)
