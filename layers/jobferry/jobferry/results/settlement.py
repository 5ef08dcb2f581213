"""Settlement: the board's answer becomes the import's result, whichever way it came.

The errors are written first, then the record, so `complete` means that everything is there. Settling is idempotent:
repeats, crashes, and a callback and a poll at the same time all lead to the same result.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, cast

from isal.igzip_lib import IsalError
from pydantic_core import from_json, to_json

from jobferry.board.job_imports import JobImport, Results
from jobferry.payload.manifest import read_manifest
from jobferry.records import transitions
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.imports import Import, Result, SettledBy
from jobferry.records.store import ImportStore, apply, failing_since
from jobferry.workspace import workspace

#: Bytes of what the board says beside its counts that a record keeps; DynamoDB's limit is 400 KB an item.
_EXTRA_BYTES: Final = 50_000
#: Levels of nesting that a record keeps; DynamoDB's limit is 32.
_EXTRA_DEPTH: Final = 20
#: Errors without an index that are recorded.
_WITHOUT_INDEX: Final = 1000
#: Failed jobs that are recorded. Writing more would outlast the function.
_MAX_RECORDED: Final = 50_000
#: What reading a damaged manifest raises.
_DAMAGE: Final[tuple[type[Exception], ...]] = (EOFError, OSError, ValueError, cast("type[Exception]", IsalError))


class ArchiveReader(Protocol):
    """Where what was sent is kept."""

    def fetch(self, key: str, path: Path) -> bool:
        """Fetch an object into a file; return False if it is gone."""


def settle(
    store: ImportStore,
    archive: ArchiveReader,
    import_id: str,
    answer: JobImport,
    *,
    by: SettledBy,
    verified: bool,
    now: datetime,
) -> Import:
    """Record what the board says of an import, and return the record.

    Args:
        store: where the records are.
        archive: has the manifest, which names each job's row.
        import_id: of a record that exists.
        answer: the board's.
        by: which way it came.
        verified: the board itself gave the answer. If not, the poller keeps asking.
        now: the time.
    """
    record = store.get(import_id)
    if record is None or not transitions.takes_result(record, verified=verified):
        return apply(store, import_id, lambda *_: ())  # reads the record again
    results = answer.results
    if results is None or not answer.is_complete:
        return apply(
            store,
            import_id,
            lambda current, _: transitions.progress(current, answer.status, answer.id, answer.requested_at),
        )
    kind = FailedKind.ERROR if verified else FailedKind.UNVERIFIED
    store.write_failed(import_id, kind, _failed_jobs(store, archive, record, results), record.expires)
    if verified:
        store.delete_failed(import_id, FailedKind.UNVERIFIED)
    result = Result(
        counts=_storable_counts(results),
        unaccounted=results.unaccounted(record.prepared.jobs),
        completed_at=answer.completed_at,
        settled_at=now,
        settled_by=by,
        verified=verified,
    )
    settled = apply(
        store,
        import_id,
        lambda current, feed: transitions.complete(current, feed, result, answer.id, answer.requested_at),
    )
    if not verified and settled.result.verified:
        store.delete_failed(import_id, FailedKind.UNVERIFIED)  # the board's own answer came first
    return settled


def _storable_counts(results: Results) -> dict[str, Any]:
    """Return the counts plus any extra fields, minus what DynamoDB cannot store."""
    counts = results.model_dump(by_alias=True, mode="json", exclude={"errors", *(results.model_extra or {})})
    extra = {"ignoredValues": counts.pop("ignoredValues"), **(results.model_extra or {})}
    text = to_json(extra, inf_nan_mode="null")
    if len(text) > _EXTRA_BYTES or not _is_storable(extra, 0):
        return counts | {"ignoredValues": None, "more": text[:_EXTRA_BYTES].decode(errors="ignore")}
    kept: dict[str, Any] = counts | from_json(text)
    return kept


def _is_storable(value: Any, depth: int) -> bool:
    match value:
        case dict():
            return depth < _EXTRA_DEPTH and all(key and _is_storable(each, depth + 1) for key, each in value.items())
        case list():
            return depth < _EXTRA_DEPTH and all(_is_storable(each, depth + 1) for each in value)
        case _:
            return True


def _failed_jobs(store: ImportStore, archive: ArchiveReader, record: Import, results: Results) -> Iterator[FailedJob]:
    """Return the jobs that the board refused, with their places in the feed and since when they have been failing."""
    known = _failing_since(store, record.previous)
    jobs = record.prepared.jobs
    messages: dict[int, list[str]] = {}
    references: dict[int, str] = {}
    # An error without an index is numbered after the jobs.
    without_index = jobs
    # Two errors for each job and some without an index: more than that is noise, and must not fill the memory.
    for error in islice(results.errors, 2 * jobs + _WITHOUT_INDEX):
        number = error.index
        if number is None:
            number, without_index = without_index, without_index + 1
        if number not in messages and len(messages) == _MAX_RECORDED:
            continue
        messages.setdefault(number, []).extend(error.messages)  # in place, as many errors may have the same index
        if error.reference_number:
            references[number] = error.reference_number
    places = _places(archive, record, {number for number in messages if number < jobs})
    for number in sorted(messages):
        place = places.get(number, {})
        failed = FailedJob(
            number=number,
            messages=messages[number],
            reference_number=references.get(number) or place.get("referenceNumber"),
            title=place.get("title"),
            key=place.get("key"),
            row=place.get("row"),
            line=place.get("line"),
            since=record.created_at,
        )
        yield failed.dated(known)


def _failing_since(store: ImportStore, previous: str | None) -> dict[str, datetime]:
    """Return since when jobs have been failing; nothing if the earlier run's records cannot be read."""
    try:
        return failing_since(store, previous)
    except ValueError:
        return {}


def _places(archive: ArchiveReader, record: Import, indexes: set[int]) -> dict[int, dict[str, Any]]:
    """Return the manifest's entries of some of the jobs; those before the damage if it is damaged, none if it is gone."""
    manifest = record.prepared.manifest
    if not indexes or manifest is None:
        return {}
    with workspace() as directory:
        packed = directory / "manifest.jsonl.gz"
        if not archive.fetch(manifest, packed):
            return {}
        found: dict[int, dict[str, Any]] = {}
        entries = enumerate(islice(read_manifest(packed), max(indexes) + 1))
        with suppress(*_DAMAGE):  # without places, the result still has the board's words
            found.update((index, entry) for index, entry in entries if index in indexes)
        return found
