"""Retry failed jobs: write them from the archive into a file that a person corrects, and send that file."""

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from isal import igzip

from jobferry.cli.screen import text
from jobferry.cli.stack import Stack
from jobferry.cli.validate import FeedFolder
from jobferry.errors import CannotBeDoneError
from jobferry.feeds.objects import FeedObject
from jobferry.feeds.settings import FeedSettings, parse_settings
from jobferry.jobs.vocabulary import vocabulary_of
from jobferry.notices.details import read_details
from jobferry.notices.failures import Failure, Verdict, failures_of
from jobferry.payload.build import spool
from jobferry.payload.payload import Payload
from jobferry.records import transitions
from jobferry.records.archive import retry_key
from jobferry.records.imports import Import
from jobferry.runs.triggers import parse_trigger
from jobferry.text import counted, one_line

SUFFIX: Final = ".jsonl"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        jobs: the jobs in the order of the file's lines.
        held_back: jobs that were held back before sending: the archive does not have them.
        unnamed: failed jobs that the board does not identify.
    """

    jobs: list[Failure]
    held_back: int
    unnamed: int


def export(record: Import, stack: Stack, path: Path) -> Exported:
    """Write the jobs that the board refused into a new file, a line each, as they were sent.

    Raises:
        CannotBeDoneError: there are none, the archive no longer has them, or the file exists already.
    """
    require_retryable(record, stack)
    with read_details(stack.table, record) as details:
        failures = list(failures_of(details))
    refused = [each for each in failures if each.verdict.is_refusal]
    known = {each.job.number: each for each in refused if each.job.number < record.prepared.jobs}
    held_back = sum(each.verdict is Verdict.HELD_BACK for each in failures)
    if not known:
        also = f"; {held_back:,} were held back before sending: fix those in the export" if held_back else ""
        raise CannotBeDoneError(f"the board refused no job of {record.import_id} that is in the archive{also}")
    with _archived(record, stack) as archived:
        try:
            with path.open("xb") as file:
                file.writelines(line for number, line in enumerate(archived) if number in known)
        except FileExistsError as error:
            raise CannotBeDoneError(f"{path} already exists: name another file, or remove it") from error
    return Exported([known[number] for number in sorted(known)], held_back, len(refused) - len(known))


def data(done: Exported) -> dict[str, Any]:
    """Return what was written, for programs."""
    jobs = [
        {
            "line": line,
            "referenceNumber": each.job.reference_number,
            "title": each.job.title,
            "messages": each.job.messages,
            "toFix": each.own_messages,
        }
        for line, each in enumerate(done.jobs, 1)
    ]
    return {"jobs": jobs, "heldBack": done.held_back, "notNamed": done.unnamed}


def lines(done: Exported, record: Import, stack: Stack, path: Path) -> Iterator[str]:
    """Yield what was written, and what to do next, for a person."""
    file = one_line(path, 400)
    yield from (f"{counted(len(done.jobs), 'job')} in {file}, one per line:", "")
    for number, each in enumerate(done.jobs, 1):
        name = ", ".join(filter(None, (each.job.reference_number, each.job.title))) or "no reference number"
        yield from text(name, "        ", f"  {number:>4}  ")
        yield from text("; ".join(each.own_messages or each.job.messages), "        ")
    yield ""
    if done.held_back:
        yield f"{counted(done.held_back, 'job')} held back before sending: fix them in the export."
    if done.unnamed:
        show = stack.command(f"show {record.import_id}")
        yield f"{counted(done.unnamed, 'other failed job')} cannot be matched to the archive: see `{show}`."
    yield f"Fix the file, then: {stack.command(f'retry {record.import_id} {shlex.quote(file)}')}"


@contextmanager
def _archived(record: Import, stack: Stack) -> Iterator[Iterator[bytes]]:
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        packed = Path(directory) / "payload.jsonl.gz"
        if record.prepared.payload is None or not stack.bucket.fetch(record.prepared.payload, packed):
            raise CannotBeDoneError(
                f"the jobs of {record.import_id} are no longer in the archive, which keeps them for 90 days"
            )
        with igzip.open(packed, "rb") as archived:  # type: ignore[no-untyped-call]
            yield archived


def require_retryable(record: Import, stack: Stack) -> None:
    """Raise CannotBeDoneError unless the import is the newest with a result: older jobs would undo newer changes."""
    if reason := transitions.why_not_to_retry(stack.table.get_feed(record.feed), record):
        raise CannotBeDoneError(reason)


@contextmanager
def checked(path: Path, record: Import, stack: Stack) -> Iterator[tuple[Payload, FeedSettings]]:
    """Read corrected jobs as SubmitImport will. Raise FeedError or CannotBeDoneError."""
    if path.suffix != SUFFIX:
        raise CannotBeDoneError(
            f"{path} is not a {SUFFIX} file like those that --export writes: one job on each line, as JSON"
        )
    key, written = stack.bucket.settings(record.feed)
    settings = parse_settings(written, key).for_retry()
    if settings.paused:
        raise CannotBeDoneError(f"{record.feed} is paused: `{stack.command(f'resume {record.feed}')}` first")
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        obj = FeedObject(path.name, "", path.stat().st_size)
        vocabulary = vocabulary_of(record.destination.board or "")
        yield spool([obj], FeedFolder(path.parent), settings, Path(directory), vocabulary), settings


def submit(path: Path, record: Import, stack: Stack, now: datetime) -> str:
    """Upload corrected jobs, start their retry and return its import's id. Raise CannotBeDoneError while a run is open."""
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
