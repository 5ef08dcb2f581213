"""The state of feeds: what runs, how the last run ended, what may be on the board, and when they run next."""

import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from jobferry.cli.faults import is_denied
from jobferry.cli.outcomes import FINE, NEEDS_FIXING, exit_status, import_data, run_of, words, worst
from jobferry.cli.schedules import Schedule
from jobferry.cli.screen import moment, table, text
from jobferry.cli.stack import Stack
from jobferry.deletions.live_set import read_live_set
from jobferry.errors import Cause, SettingsError
from jobferry.feeds.settings import FeedSettings, parse_settings
from jobferry.records.feeds import LiveSet
from jobferry.records.imports import Import, State, timestamp
from jobferry.results.overdue_feeds import is_overdue
from jobferry.runs.triggers import parse_trigger
from jobferry.text import counted

_AT_ONCE: Final = 8


@dataclass(frozen=True)
class FeedStatus:
    """The current state of a feed.

    Attributes:
        fault: why its settings cannot be used; None if they can.
        open_imports: the imports of the run that is under way.
        last_run: the imports of the latest run that was not skipped; several if the feed was split.
        last_complete_run: the imports of the latest run with a result.
        failing: how many of its jobs the board has refused, without those that were corrected and retried since.
        invalid: how many of its rows are invalid, without those that the board has accepted in a retry.
        live_set: how many postings may be on the board; None if that is unknown.
        schedule: its schedule; None if it has none, or if the person may not read it.
        next_run: when it runs by itself; None if the time is unknown.
        overdue: how long nothing was completed although it is not paused; None if it is not overdue.
    """

    feed: str
    paused: bool
    fault: str | None
    open_imports: list[Import]
    last_run: list[Import]
    last_complete_run: list[Import]
    failing: int
    invalid: int
    live_set: int | None
    schedule: Schedule | None
    next_run: datetime | None
    overdue: timedelta | None

    @property
    def state(self) -> str:
        """Return the state in a word or two."""
        if self.open_imports:
            first = self.open_imports[0]
            state = "deleting by list" if first.state is State.COMPLETE else first.state.value
        else:
            state = worst(self.last_run).state.value if self.last_run else "never ran"
        return f"paused ({state})" if self.paused else f"{state}, overdue" if self.overdue else state

    @property
    def exit_status(self) -> int:
        """Return FINE if nothing needs to be fixed."""
        return NEEDS_FIXING if self.fault or self.overdue or self.faulty_imports else FINE

    @property
    def faulty_imports(self) -> list[Import]:
        """Return the imports that need a person's attention."""
        faulty = [each for each in self.last_run if each.ending.cause is not Cause.PAUSED and exit_status(each) != FINE]
        if any(each.retry for each in self.last_run):  # it may have fixed some of the run's jobs, and no deletions
            corrected = not self.failing and not self.invalid
            faulty += [each for each in self.last_complete_run if exit_status(each, corrected=corrected) != FINE]
        return faulty


def look(stack: Stack, feeds: Iterable[str], now: datetime) -> list[FeedStatus]:
    """Read the state of feeds, several at once."""
    _ = stack.table, stack.bucket, stack.scheduler  # make the clients here, since making them is not thread-safe
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda feed: _look_at(stack, feed, now), feeds))


def _look_at(stack: Stack, feed: str, now: datetime) -> FeedStatus:
    settings, fault = FeedSettings(), None
    key, content = stack.bucket.settings(feed)
    try:
        settings = parse_settings(content, key)
    except SettingsError as error:
        fault = str(error)
    record = stack.table.get_feed(feed)
    get = stack.table.get
    schedule = _schedule(stack, feed)
    last_run, last_complete_run = _run(stack, record.last_import), _run(stack, record.last_complete)
    retries = _retries(stack, last_run, last_complete_run)
    failing = sum(_failing(each, retries) for each in last_complete_run)
    invalid = last_complete_run[0].prepared.invalid if last_complete_run else 0
    late = not settings.paused and is_overdue(record, stack.table, now, stack.alarm_after)
    return FeedStatus(
        feed=feed,
        paused=settings.paused,
        fault=fault,
        open_imports=[found for each in record.open_imports if (found := get(each))],
        last_run=last_run,
        last_complete_run=last_complete_run,
        failing=failing,
        # A full sync sends invalid rows, so that they are among those that the board refuses.
        invalid=min(invalid, failing) if last_complete_run and last_complete_run[0].deletions.full_sync else invalid,
        live_set=_size(stack, record.live_set),
        schedule=schedule,
        next_run=schedule.next_run(now) if schedule else None,
        overdue=stack.alarm_after if late else None,
    )


def _run(stack: Stack, import_id: str | None) -> list[Import]:
    first = stack.table.get(import_id) if import_id else None
    return run_of(first, stack.table) if first else []


def _retries(stack: Stack, last_run: list[Import], run: list[Import]) -> dict[str, Import]:
    """Return the latest complete retry of each import that was retried since a run."""
    if not run or not any(each.retry for each in last_run):
        return {}
    retries: dict[str, Import] = {}
    for each in takewhile(lambda each: each.created_at > run[0].created_at, stack.table.history(run[0].feed)):
        if each.retry and each.state is State.COMPLETE:
            retried = parse_trigger({"feed": each.feed, "retry": each.retry}, each.created_at).retried
            retries.setdefault(retried or "", each)
    return retries


def _failing(record: Import, retries: Mapping[str, Import]) -> int:
    """Return how many of an import's jobs the board has refused, and has not accepted in its latest retry."""
    failed, retry = record.result.count("failed"), retries.get(record.import_id)
    return failed if retry is None else max(0, failed - retry.prepared.jobs + _failing(retry, retries))


def _schedule(stack: Stack, feed: str) -> Schedule | None:
    try:
        return stack.schedule(feed)
    except ClientError as error:
        if is_denied(error):  # not worth failing for
            return None
        raise


def _size(stack: Stack, live_set: LiveSet | None) -> int | None:
    if live_set is None:
        return None
    with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        path = Path(directory) / "live.jsonl.gz"
        if not stack.bucket.fetch(live_set.key, path):
            return None
        with path.open("rb") as stream:
            return sum(1 for _ in read_live_set(stream, whole=live_set.whole, deleted=live_set.deleted))


def lines(feeds: list[FeedStatus], stack: Stack) -> list[str]:
    """Return a table, and below it what needs attention."""
    header = ("FEED", "STATE", "LAST COMPLETE", "JOBS", "FAILED", "INVALID", "ON BOARD", "NEXT RUN")
    rows = [_row(each) for each in feeds]
    notes = [line for each in feeds for line in _notes(each, stack)]
    return [*table(header, rows), "", "Times are UTC. ON BOARD: postings of the feed that may be there.", *notes]


def _row(status: FeedStatus) -> list[object]:
    run = status.last_complete_run
    schedule = status.schedule.words() if status.schedule else None
    return [
        status.feed,
        status.state,
        moment(max((each.result.settled_at for each in run if each.result.settled_at), default=None)),
        sum(each.prepared.jobs for each in run) if run else None,
        status.failing if run else None,
        status.invalid if run else None,
        status.live_set,
        moment(status.next_run) or schedule,
    ]


def _notes(status: FeedStatus, stack: Stack) -> list[str]:
    found: list[str] = []
    if status.fault:
        found += ["", *text(status.fault, "    ", f"{status.feed}: ")]
    if status.overdue:
        hours = counted(int(status.overdue / timedelta(hours=1)), "hour")
        own = "" if status.schedule else ", and it has no known schedule"
        found += ["", *text(f"overdue: no completed import within {hours}{own}", "    ", f"{status.feed}: ")]
    if status.last_run and (last := worst(status.last_run)).state is not State.COMPLETE and status.exit_status:
        found += ["", *text(words(last), "    ", f"{status.feed}: ")]
    if faulty := status.faulty_imports or status.last_run[:1] * bool(status.fault):
        found += ["", *(f"What to do for {status.feed}: {stack.command(f'show {each.import_id}')}" for each in faulty)]
    elif status.overdue:
        found += ["", f"What to do for {status.feed}: {stack.command(f'submit {status.feed} --wait')}"]
    return found


def data(feeds: list[FeedStatus]) -> dict[str, Any]:
    """Return the same for programs."""
    return {"feeds": [_data(each) for each in feeds]}


def _data(status: FeedStatus) -> dict[str, Any]:
    return {
        "feed": status.feed,
        "paused": status.paused,
        "fault": status.fault,
        "openImports": [import_data(each) for each in status.open_imports],
        "lastRun": [import_data(each) for each in status.last_run],
        "lastCompleteRun": [import_data(each) for each in status.last_complete_run],
        "liveSet": status.live_set,
        "overdue": status.overdue is not None,
        **schedule_data(status.schedule, status.next_run),
    }


def schedule_data(schedule: Schedule | None, next_run: datetime | None) -> dict[str, Any]:
    """Return a feed's schedule for programs."""
    return {
        "schedule": schedule.expression if schedule else None,
        "scheduleTimezone": schedule.timezone if schedule else None,
        "nextRun": timestamp(next_run) if next_run else None,
    }
