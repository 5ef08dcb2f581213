"""An import and its failed jobs, read from the table once and streamed as often as needed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Final

from isal import igzip

from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.imports import Import, State
from jobferry.records.store import ImportStore, failing_since
from jobferry.workspace import workspace

#: Jobs that are written to the file at once.
_BATCH: Final = 1000


@dataclass(frozen=True)
class ImportDetails:
    """An import, and what is known about its jobs.

    Attributes:
        record: the import.
        failed: the jobs that the board refused. These and the next can be iterated repeatedly.
        invalid: the jobs that had an error before sending.
        previously: identities of the jobs that failed at the last complete import; None if there is nothing to compare
            with.
        history: the feed's imports, newest first. It can be iterated once, and may lack the newest ones.
        adjusted_before: the fields whose values were corrected in the import before it.
    """

    record: Import
    failed: Iterable[FailedJob] = ()
    invalid: Iterable[FailedJob] = ()
    previously: frozenset[str] | None = None
    history: Iterable[Import] = ()
    adjusted_before: frozenset[str] = frozenset()


@contextmanager
def read_details(store: ImportStore, record: Import) -> Iterator[ImportDetails]:
    """Read what the table has about an import into temporary files: there may be hundreds of thousands of jobs."""
    # A part of a split feed had other jobs than the import before it, so it cannot tell what was fixed.
    is_part = record.parts > 1 or record.run is not None
    is_comparable = record.state is State.COMPLETE and not is_part and record.retry is None
    previous = record.previous if is_comparable else None
    before = store.get(record.previous) if record.previous else None
    with workspace() as directory:

        def copy(kind: FailedKind) -> _StoredJobs:
            return _StoredJobs(directory / kind, store.read_failed(record.import_id, kind))

        yield ImportDetails(
            record,
            failed=copy(FailedKind.ERROR if record.result.verified else FailedKind.UNVERIFIED),
            invalid=copy(FailedKind.INVALID),
            adjusted_before=frozenset(before.prepared.adjusted if before else ()),
            previously=None if previous is None else frozenset(failing_since(store, previous)),
            history=store.history(record.feed),
        )


class _StoredJobs:
    """Failed jobs in a file. Each iteration begins anew."""

    def __init__(self, path: Path, jobs: Iterable[FailedJob]) -> None:
        self._path = path
        with igzip.open(path, "wb", compresslevel=1) as file:  # type: ignore[no-untyped-call]
            for several in batched(jobs, _BATCH, strict=False):
                file.write("".join(f"{job.model_dump_json(by_alias=True)}\n" for job in several).encode())

    def __iter__(self) -> Iterator[FailedJob]:
        with igzip.open(self._path, "rb") as lines:  # type: ignore[no-untyped-call]
            for line in lines:
                yield FailedJob.model_validate_json(line)
