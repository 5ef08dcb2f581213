"""The failed jobs of an import, out of the archive into a file for a person to mend, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from isal import igzip

from jobferry.cli.faults import CannotBeDoneError
from jobferry.cli.stack import Stack
from jobferry.cli.validate import FeedFolder
from jobferry.feeds.objects import FeedObject
from jobferry.feeds.settings import FeedSettings, parse_settings
from jobferry.notices.failures import Failing, failing_jobs
from jobferry.payload.build import Payload, spool
from jobferry.records.imports import ERROR, INVALID, UNVERIFIED, Import, State
from jobferry.runs.triggers import parse_trigger, retry_key

SUFFIX: Final = ".jsonl"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        jobs: what failed, in the order of the file's lines.
        held: jobs that were held back before sending: the archive does not have them.
        nameless: failed jobs of which the board does not say which they are.
    """

    jobs: list[Failing]
    held: int
    nameless: int


def export(record: Import, stack: Stack, path: Path) -> Exported:
    """Writes the jobs that the board refused into a new file, a line each, as they were sent.

    Raises:
        CannotBeDoneError: there is none, the archive has them no more, or the file is there already.
    """
    require_retryable(record, stack)
    failed = stack.table.read_failed(record.import_id, ERROR if record.verified else UNVERIFIED)
    invalid = list(stack.table.read_failed(record.import_id, INVALID))
    failing = list(failing_jobs(record, failed, invalid))
    refused = [each for each in failing if each.by_board]
    known = {each.job.number: each for each in refused if each.job.number < record.jobs}
    held = sum(1 for each in failing if not each.by_board and not each.taken)
    if not known:
        also = f"; {held:,} were held back before sending: mend those in the export" if held else ""
        raise CannotBeDoneError(f"the board refused no job of {record.import_id} that is in the archive{also}")
    with _archived(record, stack) as lines:
        try:
            with path.open("xb") as file:
                file.writelines(line for number, line in enumerate(lines) if number in known)
        except FileExistsError as error:
            raise CannotBeDoneError(f"{path} is there already: name another file, or remove it") from error
    return Exported([known[number] for number in sorted(known)], held, len(refused) - len(known))


@contextmanager
def _archived(record: Import, stack: Stack) -> Iterator[Iterator[bytes]]:
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        packed = Path(directory) / "payload.jsonl.gz"
        if record.payload is None or not stack.bucket.fetch(record.payload, packed):
            raise CannotBeDoneError(f"what was sent with {record.import_id} is gone: the archive keeps it for 90 days")
        with igzip.open(packed, "rb") as lines:  # type: ignore[no-untyped-call]
            yield lines


def require_retryable(record: Import, stack: Stack) -> None:
    """Raises CannotBeDoneError unless the import is the newest with a result: older jobs would undo newer changes."""
    if record.state is not State.COMPLETE:
        raise CannotBeDoneError(
            f"{record.import_id} is {record.state}: only a complete import has failed jobs to retry"
        )
    feed = stack.table.get_feed(record.feed)
    if feed.last_complete_at is not None and record.created_at < feed.last_complete_at:
        raise CannotBeDoneError(
            f"{feed.last_complete} has completed since, and its jobs are newer: retry that one instead"
        )


@contextmanager
def checked(path: Path, record: Import, stack: Stack) -> Iterator[tuple[Payload, FeedSettings]]:
    """The mended jobs, read as SubmitImport is going to. Raises FeedError, CannotBeDoneError."""
    if path.suffix != SUFFIX:
        raise CannotBeDoneError(f"{path} is no {SUFFIX} file, as --export writes one: a job a line, as JSON")
    key, text = stack.bucket.settings(record.feed)
    settings = (FeedSettings() if text is None else parse_settings(text, key)).for_retry()
    if settings.paused:
        raise CannotBeDoneError(f"{record.feed} is paused: `{stack.command(f'resume {record.feed}')}` first")
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        obj = FeedObject(path.name, "", path.stat().st_size)
        yield spool([obj], FeedFolder(path.parent), settings, Path(directory)), settings


def submit(path: Path, record: Import, stack: Stack, now: datetime) -> str:
    """Uploads mended jobs and starts their retry; its import's id. Raises CannotBeDoneError while a run is open."""
    require_retryable(record, stack)
    if still_open := stack.table.get_feed(record.feed).open_imports:
        raise CannotBeDoneError(
            f"{still_open[0]} is still open, and a feed has one run at a time: "
            f"`{stack.command(f'watch {record.feed}')}`, then retry again. Nothing was sent"
        )
    key = retry_key(record.feed, record.import_id, now)
    stack.bucket.store(key, path)
    stack.start({"feed": record.feed, "retry": key})
    return parse_trigger({"feed": record.feed, "retry": key}, now).import_id
