"""The record store, and optimistic writes: read, decide, write if nothing has changed, otherwise repeat."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from jobferry.errors import ConflictError
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, part_id

_ATTEMPTS: Final = 20


class BrokenRecord(NamedTuple):
    """A record that cannot be read, for instance because a newer version of jobferry wrote it."""

    import_id: str
    feed: str
    error: Exception


class OpenRecords(NamedTuple):
    """What the poller has to check."""

    imports: list[Import]
    feeds: list[Feed]
    broken: Sequence[BrokenRecord] = ()


class ImportStore(Protocol):
    """The records. Reads return the latest state unless they say otherwise."""

    def get(self, import_id: str) -> Import | None: ...

    def get_feed(self, feed: str) -> Feed:
        """Return the feed's record; one of revision 0 if there is none."""

    def save(self, *records: Import | Feed) -> None:
        """Write all records or none, each only if its revision is still that of the store. Raises ConflictError."""

    def read_failed(self, import_id: str, kind: FailedKind) -> Iterator[FailedJob]: ...

    def write_failed(self, import_id: str, kind: FailedKind, failed: Iterable[FailedJob], expires: datetime) -> None:
        """Write failed jobs, replacing those with the same numbers."""

    def delete_failed(self, import_id: str, kind: FailedKind) -> None: ...

    def open_records(self, *, late: bool = False) -> OpenRecords:
        """Return the records that the poller has to check; `late` adds expired imports whose result may still come."""

    def history(self, feed: str) -> Iterator[Import]:
        """Return the feed's imports, newest first. They may be a moment behind."""


#: What the import and its feed become, or nothing if they stay as they are; one of `records.transitions`.
type Transition = Callable[[Import, Feed], Sequence[Import | Feed]]


def apply(store: ImportStore, import_id: str, transition: Transition) -> Import:
    """Apply a transition to an import and its feed, and save the result.

    Args:
        store: where the records are.
        import_id: of a record that exists.
        transition: decides. It is asked again if somebody else wrote in between.

    Returns:
        The import as it then is.

    Raises:
        ConflictError: others wrote in between repeatedly.
    """

    def attempt() -> Import:
        before = store.get(import_id)
        if before is None:
            raise ConflictError(f"the record of {import_id} is gone")
        return save_changes(store, transition(before, store.get_feed(before.feed))) or before

    return retry_on_conflict(attempt)


def save_changes(store: ImportStore, records: Sequence[Import | Feed]) -> Import | None:
    """Save what a transition returned. Return the import as it then is; None if the transition changed nothing.

    Raises:
        ConflictError: one of the records has changed since it was read.
    """
    if not records:
        return None
    store.save(*records)
    saved = next(each for each in records if isinstance(each, Import))
    return saved.changed(revision=saved.revision + 1)


def retry_on_conflict[T](attempt: Callable[[], T]) -> T:
    """Repeat an attempt while it raises ConflictError, up to twenty times."""
    for number in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except ConflictError:
            time.sleep(random.uniform(0, min(1.0, 0.02 * 2**number)))  # noqa: S311  # not a secret, only a spread
    return attempt()


def failing_since(store: ImportStore, previous: str | None) -> dict[str, datetime]:
    """Return since when the jobs that failed in an earlier run have been failing, by their identities."""
    first = None if previous is None else store.get(previous)
    if first is None:
        return {}
    failed = (
        each
        for number in range(1, first.parts + 1)
        for kind in FailedKind
        for each in store.read_failed(part_id(first.import_id, number), kind)
    )
    return {each.identity: each.since for each in failed if each.since is not None}
