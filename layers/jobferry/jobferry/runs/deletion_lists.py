"""Deletions by list: after the board has accepted an import, delete exactly the postings that the feed no longer has.

The list was archived with the import, and the record says how much of it is deleted. So any invocation can continue,
and what it sends a second time is harmless.
"""

from collections.abc import Iterator
from itertools import batched, islice
from pathlib import Path
from typing import Final

from isal import igzip
from pydantic_core import from_json

from jobferry.board.accounts import Account, account_of
from jobferry.errors import (
    ArchiveGoneError,
    BoardError,
    BoardRefusedError,
    BoardUnreachableError,
    DeletionNotOfferedError,
    FeedError,
    SecretError,
)
from jobferry.jobs.warnings import quoted
from jobferry.records import transitions
from jobferry.records.archive import deletion_list_key
from jobferry.records.imports import MAX_LIST_ATTEMPTS, Import, ListEnd
from jobferry.records.store import apply
from jobferry.runs.loading import settings_to_send
from jobferry.runs.pauses import MARGIN, Pauses, request_seconds
from jobferry.runs.planning import plan_again, sent_by_others
from jobferry.runs.world import Invocation, World
from jobferry.workspace import workspace

#: Postings in one request. The board does not say how many it allows. With these, a request has some 10 KB, which any server
#: takes, and a fifth of 10,000 postings needs seven requests.
AT_ONCE: Final = 300
#: Characters of a reason that a record keeps.
_REASON_LENGTH: Final = 1000


def delete_list(record: Import, invocation: Invocation, world: World) -> Import:
    """Delete the rest of an import's list, if it has one. First check again what a person or another run may have changed.

    If the board does not answer until time runs out, a later invocation continues, and after the last one the next run
    lists what is left.
    """
    if not transitions.may_delete(record, invocation.id, world.now()) or world.now() + MARGIN > invocation.deadline:
        return record
    record = apply(
        world.store,
        record.import_id,
        lambda current, _: transitions.begin_list(current, invocation.claim, world.now()),
    )
    if not transitions.works_on_list(record, invocation.id):
        return record
    try:
        return _delete_rest(record, invocation, world)
    except (FeedError, SecretError, ArchiveGoneError) as error:
        return _end(record, ListEnd.HELD_BACK, error, invocation, world)
    except DeletionNotOfferedError as error:
        return _end(record, ListEnd.NOT_OFFERED, error, invocation, world)
    except BoardRefusedError as error:
        return _end(record, ListEnd.REFUSED, error, invocation, world)
    except BoardError as error:
        if record.deletions.list_attempts < MAX_LIST_ATTEMPTS:
            return world.store.get(record.import_id) or record
        return _end(record, ListEnd.UNANSWERED, error, invocation, world)


def _delete_rest(record: Import, invocation: Invocation, world: World) -> Import:
    settings, account = settings_to_send(record, world), account_of(record, world.accounts, fresh=True)
    key_mark = account.key_mark(world.signing_key())
    deletions = plan_again(record, settings, account, key_mark, world)
    if not deletions.list_is_open:
        return apply(
            world.store,
            record.import_id,
            lambda current, feed: transitions.withhold_list(current, feed, invocation.id, deletions),
        )
    with workspace() as directory:
        others = sent_by_others(record.feed, key_mark, directory, world)
        for batch in batched(_read_list(record, world, directory), AT_ONCE, strict=False):
            if not transitions.works_on_list(record, invocation.id) or world.now() + MARGIN > invocation.deadline:
                break
            if theirs := [each for each in batch if each in others]:
                reason = f"another feed of the account has sent {quoted(theirs[0])} since; nothing has to be fixed"
                return _end(record, ListEnd.HELD_BACK, reason, invocation, world)
            _delete(batch, account, invocation, world)
            record = _note_deleted(record, len(batch), invocation, world)
    return record


def _read_list(record: Import, world: World, directory: Path) -> Iterator[str]:
    """Yield the reference numbers of the list that are not deleted yet, from the archive."""
    path, key = directory / "deletes.jsonl.gz", deletion_list_key(record.prepared)
    if key is None or not world.bucket.fetch(key, path):
        raise ArchiveGoneError(f"the archived list of deletions is missing from the bucket: {key}")
    with igzip.open(path, "rb") as lines:  # type: ignore[no-untyped-call]
        for line in islice(lines, record.deletions.deleted, None):
            yield from_json(line)["referenceNumber"]


def _delete(reference_numbers: tuple[str, ...], account: Account, invocation: Invocation, world: World) -> None:
    """Send some of the list until the board confirms or refuses it, or time runs out."""
    pauses = Pauses(invocation, world)
    while True:
        try:
            return world.boards(account).delete_postings(reference_numbers, request_seconds(invocation, world))
        except BoardRefusedError:
            raise
        except BoardError as error:
            retry_after = error.retry_after if isinstance(error, BoardUnreachableError) else None
            if not pauses.pause(retry_after):
                raise


def _note_deleted(record: Import, deleted: int, invocation: Invocation, world: World) -> Import:
    total = record.deletions.deleted + deleted
    return apply(
        world.store,
        record.import_id,
        lambda current, feed: transitions.note_deleted(current, feed, invocation.id, total),
    )


def _end(record: Import, end: ListEnd, error: Exception | str, invocation: Invocation, world: World) -> Import:
    reason = str(error)[:_REASON_LENGTH]
    return apply(
        world.store,
        record.import_id,
        lambda current, feed: transitions.end_list(current, feed, invocation.id, end, reason),
    )
