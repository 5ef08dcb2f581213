"""What there is to tell of an import that has ended: read from the table once, gone through as often as is needed."""

from __future__ import annotations

import tempfile
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

#: Jobs that are written to the file at once.
_BATCH: Final = 1000


@dataclass(frozen=True)
class Findings:
    """An import, and what is known of its jobs.

    Attributes:
        record: the import.
        failed: the jobs that the board refused. These and the next can be gone through again and again.
        invalid: the jobs that were found to be wrong before sending.
        previously: identities of the jobs that failed at the last complete import; None: there is none to compare with.
        history: the feed's imports, newest first. Can be gone through once; an import that is asked for late may miss.
    """

    record: Import
    failed: Iterable[FailedJob]
    invalid: Iterable[FailedJob]
    previously: frozenset[str] | None
    history: Iterable[Import]


@contextmanager
def gather(store: ImportStore, record: Import) -> Iterator[Findings]:
    """Reads what the table has of an import into temporary files, since there may be hundreds of thousands of jobs."""
    whole = not _is_part(record) and record.retry is None
    known = record.state is State.COMPLETE and record.previous is not None and whole
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        kind = FailedKind.ERROR if record.result.verified else FailedKind.UNVERIFIED
        yield Findings(
            record,
            failed=_Kept(Path(directory) / kind, store.read_failed(record.import_id, kind)),
            invalid=_Kept(
                Path(directory) / FailedKind.INVALID, store.read_failed(record.import_id, FailedKind.INVALID)
            ),
            previously=frozenset(failing_since(store, record.previous)) if known else None,
            history=store.history(record.feed),
        )


def _is_part(record: Import) -> bool:
    """Of a split feed. The import before it had other jobs, so it cannot tell what was mended."""
    return record.parts > 1 or record.run is not None


class _Kept:
    """Failed jobs in a file. Each iteration is a new one."""

    def __init__(self, path: Path, jobs: Iterable[FailedJob]) -> None:
        self._path = path
        with igzip.open(path, "wb", compresslevel=1) as file:  # type: ignore[no-untyped-call]
            for several in batched(jobs, _BATCH, strict=False):
                file.write("".join(f"{job.model_dump_json(by_alias=True)}\n" for job in several).encode())

    def __iter__(self) -> Iterator[FailedJob]:
        with igzip.open(self._path, "rb") as lines:  # type: ignore[no-untyped-call]
            for line in lines:
                yield FailedJob.model_validate_json(line)
