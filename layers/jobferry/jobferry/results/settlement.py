"""Settling: the board's answer becomes the import's result, whichever way it came.

The errors are written first, then the record, so `complete` means that all is there. Done twice, halfway, or from two
sides at once it ends in the same items and one transition.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic_core import from_json, to_json

from jobferry.board.job_imports import PENDING, RUNNING, JobImport, Results
from jobferry.payload.manifest import read_manifest
from jobferry.records.imports import (
    AWAITING,
    ERROR,
    SETTLES,
    UNVERIFIED,
    Change,
    FailedJob,
    Feed,
    Import,
    ImportStore,
    State,
    failing_since,
    move,
)

CALLBACK: Final = "callback"
POLL: Final = "poll"
#: Characters of what the board says beside its counts that a record keeps; DynamoDB's limit is 400 KB an item.
_MORE: Final = 50_000
_NAMELESS: Final = 1000
#: Levels of nesting that a record keeps; DynamoDB's limit is 32.
_DEPTH: Final = 20


def add_deleted(store: ImportStore, import_id: str, deleted: int) -> Import:
    """Counts postings that an earlier sending of an import deleted, whose answer was lost; once."""

    def change(current: Import, _: Feed) -> Sequence[Import | Feed]:
        if current.deleted_before or not deleted:
            return ()
        if current.results is None:
            return [current.changed(deleted_before=deleted)]
        results = current.results | {"deleted": current.results.get("deleted", 0) + deleted}
        return [current.changed(deleted_before=deleted, results=results, notified_at=None)]

    return move(store, import_id, change)


class Archive(Protocol):
    """Where what was sent is kept."""

    def fetch(self, key: str, path: Path) -> bool: ...


def settle(
    store: ImportStore,
    archive: Archive,
    import_id: str,
    answer: JobImport,
    *,
    by: str,
    verified: bool,
    now: datetime,
) -> Import:
    """Records what the board says of an import, and returns the record.

    Args:
        store: where the records are.
        archive: says where in the feed a failed job stands.
        import_id: of a record that exists.
        answer: the board's.
        by: CALLBACK or POLL.
        verified: the board itself said it when it was asked; otherwise it is the word of whoever called back, which
            stays in the poller's hands.
        now: the time.
    """
    record = store.get(import_id)
    if record is None or not _takes(record, verified=verified):
        return move(store, import_id, lambda *_: ())
    if answer.results is None or not answer.is_complete:
        return move(store, import_id, _progress(answer))
    kind = ERROR if verified else UNVERIFIED
    store.write_failed(import_id, kind, _failed(store, archive, record, answer.results), record.expires)
    if verified:
        store.delete_failed(import_id, UNVERIFIED)
    settled = move(store, import_id, _completed(answer, answer.results, by=by, verified=verified, now=now))
    if not verified and settled.verified:
        store.delete_failed(import_id, UNVERIFIED)  # the board was faster
    return settled


def _takes(record: Import, *, verified: bool) -> bool:
    """Whether a result still changes the record."""
    return record.state in SETTLES or (record.state is State.COMPLETE and verified and not record.verified)


def _progress(answer: JobImport) -> Change:
    """pending, or running."""

    def change(current: Import, _: Feed) -> Sequence[Import | Feed]:
        if current.state not in AWAITING or answer.status not in (PENDING, RUNNING):
            return ()
        known = {"board_import_id": answer.id, "requested_at": answer.requested_at or current.requested_at}
        if current.state == answer.status and current.board_import_id == answer.id:
            return ()
        return [current.changed(state=State(answer.status), **known)]

    return change


def _completed(answer: JobImport, results: Results, *, by: str, verified: bool, now: datetime) -> Change:
    def change(current: Import, feed: Feed) -> Sequence[Import | Feed]:
        if not _takes(current, verified=verified):
            return ()
        kept = _kept(results, current.deleted_before)
        corrected = current.notified_at is not None and current.results != kept
        late = corrected or current.state in (State.EXPIRED, State.REJECTED)
        settled = current.changed(
            state=State.COMPLETE,
            board_import_id=answer.id,
            requested_at=answer.requested_at or current.requested_at,
            completed_at=answer.completed_at,
            settled_at=now,
            settled_by=by,
            verified=verified,
            results=kept,
            unaccounted=results.unaccounted(current.jobs),
            reason=None,
            cause=None,
            late=late or current.late,
            notified_at=None if late else current.notified_at,
            claimed_by=None,
            claimed_until=None,
        )
        # Until it is verified, or nobody tries any more, the poller keeps it; then it goes out of the index.
        settled = settled.changed(open=None if verified else current.open)
        return settled, feed.after(settled)

    return change


def _kept(results: Results, deleted_before: int) -> dict[str, Any]:
    """The counts, and whatever else the board says beside them, as it comes but for what no record can hold."""
    counts = results.model_dump(by_alias=True, mode="json", exclude={"errors", *(results.model_extra or {})})
    counts["deleted"] += deleted_before
    more = {"ignoredValues": counts.pop("ignoredValues"), **(results.model_extra or {})}
    text = to_json(more, inf_nan_mode="null")
    if len(text) > _MORE or not _is_storable(more, 0):
        return counts | {"ignoredValues": None, "more": text[:_MORE].decode(errors="ignore")}
    kept: dict[str, Any] = counts | from_json(text)
    return kept


def _is_storable(value: Any, depth: int) -> bool:
    match value:
        case dict():
            return depth < _DEPTH and all(key and _is_storable(each, depth + 1) for key, each in value.items())
        case list():
            return depth < _DEPTH and all(_is_storable(each, depth + 1) for each in value)
        case _:
            return True


def _failed(store: ImportStore, archive: Archive, record: Import, results: Results) -> Iterator[FailedJob]:
    """The jobs that the board refused, with their places in the feed and since when they have been failing."""
    known = failing_since(store, record.previous)
    merged: dict[int, FailedJob] = {}
    # An error without an index is numbered after the jobs.
    nameless = record.jobs
    # Two errors for each job and some without any: more than that is noise, and must not fill the memory.
    for error in islice(results.errors, 2 * record.jobs + _NAMELESS):
        number = error.index
        if number is None:
            number, nameless = nameless, nameless + 1
        before = merged.get(number)
        merged[number] = FailedJob(
            number=number,
            messages=[*(before.messages if before else ()), *error.messages],
            reference_number=error.reference_number or (before.reference_number if before else None),
            since=record.created_at,
        )
    places = _places(archive, record, {number for number in merged if number < record.jobs})
    for number, failed in sorted(merged.items()):
        entry = places.get(number, {})
        placed = failed.model_copy(
            update={
                "reference_number": failed.reference_number or entry.get("referenceNumber"),
                "title": entry.get("title"),
                "key": entry.get("key"),
                "row": entry.get("row"),
            }
        )
        yield placed.since_known(known)


def _places(archive: Archive, record: Import, indexes: set[int]) -> dict[int, dict[str, Any]]:
    """The manifest's entries of some of the jobs; none when it is gone."""
    if not indexes or record.manifest is None:
        return {}
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        packed = Path(directory) / "manifest.jsonl.gz"
        if not archive.fetch(record.manifest, packed):
            return {}
        entries = enumerate(islice(read_manifest(packed), max(indexes) + 1))
        return {index: entry for index, entry in entries if index in indexes}
