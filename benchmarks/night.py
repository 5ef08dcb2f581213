"""Measure a night with many feeds at once: `python -m benchmarks.night --feeds 1000`. Loopback only; it ends by itself.

The package's code for the four functions runs unchanged, in threads of one process, with --concurrency SubmitImports at
once. The sandbox board has an account for each feed. It is called over HTTP and calls back over HTTP, through the
template's throttle of the API. The table, the bucket, the secrets and the topic are in memory. The figures therefore
leave out the time of DynamoDB and S3, cold starts and report pages.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache

from werkzeug.wrappers import Request, Response

from benchmarks.memory import peak_here
from jobferry.adapters.http_board import HttpBoard
from jobferry.board.accounts import Account
from jobferry.errors import CallbackError, ConflictError
from jobferry.notices.notice import publish
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, State
from jobferry.results.callbacks import Callback, Receiver, receive
from jobferry.results.polling import Polled, Poller, poll
from jobferry.runs.submission import submit
from jobferry.runs.triggers import parse_trigger
from jobferry.runs.world import Invocation, World
from local.board import Fault, SandboxBoard
from local.web import WebServer, json_response
from tests.fakes import MemoryAccounts, MemoryBucket, MemoryStore, MemoryTopic
from tests.stack import make_stack
from tests.stage import SIGNING_KEY, STACK, job, lines

SCHEDULED_AT = "2026-11-24T07:00:00Z"
#: The timeouts of SubmitImport and PollImports in the template.
SUBMIT_TIMEOUT, POLL_TIMEOUT = timedelta(seconds=900), timedelta(seconds=240)
#: Stop polling, or waiting for PublishNotice, after this many seconds.
PATIENCE = 300.0
#: No more callbacks are coming when none has settled an import for this many seconds.
QUIET_SECONDS = 10
ENDED = {State.COMPLETE, State.BLOCKED, State.REJECTED, State.EXPIRED}


def now() -> datetime:
    return datetime.now(UTC)


class CountingStore(MemoryStore):
    """Count the conflicts, and stream the ended imports that pass PublishNotice's filter."""

    def __init__(self) -> None:
        super().__init__()
        self.conflicts = 0
        self.stream: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def save(self, *records: Import | Feed) -> None:
        try:
            super().save(*records)
        except ConflictError:
            self.conflicts += 1
            raise
        for record in records:
            if isinstance(record, Import) and record.state in ENDED and not record.open and not record.notified_at:
                self.stream.put(record.import_id)


class CountingAccounts(MemoryAccounts):
    """Count how often Secrets Manager would be called."""

    reads = 0

    def get(self, name: str, *, fresh: bool = False) -> Account:
        self.reads += fresh
        return super().get(name, fresh=fresh)


class Throttle:
    """Limit requests like API Gateway: a token bucket with the template's rate and burst."""

    def __init__(self) -> None:
        [stage] = make_stack().of_type("AWS::ApiGatewayV2::Stage")
        settings = stage.properties["DefaultRouteSettings"]
        self.rate, self.burst = float(settings["ThrottlingRateLimit"]), float(settings["ThrottlingBurstLimit"])
        self._tokens, self._refilled_at, self._lock = self.burst, time.monotonic(), threading.Lock()

    def admits(self) -> bool:
        with self._lock:
            refilled_at = time.monotonic()
            self._tokens = min(self.burst, self._tokens + (refilled_at - self._refilled_at) * self.rate)
            self._refilled_at = refilled_at
            admitted = self._tokens >= 1
            self._tokens -= admitted
            return admitted


class Night:
    """One run of every feed."""

    def __init__(self, feeds: int, jobs: int, *, full_sync: bool) -> None:
        self.names = [f"agency-{number:05d}" for number in range(feeds)]
        self.store, self.bucket, self.topic = CountingStore(), MemoryBucket(), MemoryTopic()
        account_by_key = {f"key-of-{name}": name for name in self.names}
        self.board = SandboxBoard(account_by_key, seed=1, processing_seconds=1).start()
        self.accounts = CountingAccounts({name: key for key, name in account_by_key.items()}, self.board.url)
        for name in self.names:
            settings = {"apiKeySecret": name, "deleteJobs": full_sync, "notifyOnSuccess": True}
            self.bucket.contents[f"feeds/{name}/feed.json"] = json.dumps(settings).encode()
            rows = [job(f"{name}-{number}") for number in range(jobs)]
            self.bucket.contents[f"feeds/{name}/jobs.jsonl"] = lines(*rows)
        self.boards = cache(HttpBoard)
        self.callback_statuses: Counter[int] = Counter()
        self.throttle = Throttle()
        self.failures: list[str] = []
        self.seconds_to_submit: dict[str, float] = {}
        self.receiver = Receiver(self.store, self.bucket, self.accounts, self.boards, lambda: SIGNING_KEY)

    # The functions

    def submit(self, feed: str, callback_url: str, started_at: float) -> None:
        trigger = parse_trigger({"feed": feed, "scheduledAt": SCHEDULED_AT}, now())
        world = World(self.store, self.bucket, self.accounts, self.boards, callback_url, lambda: SIGNING_KEY)
        try:
            submit(trigger, Invocation(f"request-{feed}", now() + SUBMIT_TIMEOUT), world)
        except Exception as error:  # noqa: BLE001  # the report counts it
            self.failures.append(f"{feed}: {error!r}")
        self.seconds_to_submit[feed] = time.monotonic() - started_at

    def call_back(self, request: Request) -> Response:
        if not self.throttle.admits():
            self.callback_statuses[429] += 1
            return json_response(429, {"message": "Too Many Requests"})
        callback = Callback(request.path.rsplit("/", 1)[1], request.args.get("token"), request.get_data())
        try:
            status = receive(callback, self.receiver, now()).status
        except CallbackError as error:
            status = error.status
        self.callback_statuses[int(status)] += 1
        return json_response(status, {})

    def publish(self) -> None:
        while import_id := self.store.stream.get():
            publish(self.store, self.topic, import_id, now(), STACK)

    def poll(self) -> Polled:
        poller = Poller(self.store, self.bucket, self.accounts, self.boards, self, now, self._not_polled)
        return poll(poller, now() + POLL_TIMEOUT)

    def run_again(self, feed: str, skipped: str) -> None:
        self.failures.append(f"{feed}: {skipped} was skipped")

    def resume(self, feed: str, import_id: str) -> None:
        self.failures.append(f"{feed}: {import_id} had to be resumed")

    def _not_polled(self, record: Import | Feed, error: Exception) -> None:
        self.failures.append(f"{record.feed}: {error!r}")

    # The outcome

    def open_imports(self) -> int:
        return len(self.store.open_records().imports)

    def complete_feeds(self) -> int:
        newest = (next(self.store.history(name), None) for name in self.names)
        return sum(record is not None and record.state is State.COMPLETE for record in newest)


@contextmanager
def running(night: Night) -> Iterator[str]:
    """Run the callback API and PublishNotice, and stop the board at the end; yield the callback URL.

    PublishNotice handles one import at a time, like a stream with one shard.
    """
    publisher = threading.Thread(target=night.publish)
    api = WebServer(night.call_back, "127.0.0.1")
    try:
        with api:
            publisher.start()
            yield f"{api.url}/callbacks"
    finally:
        night.board.stop()
        night.store.stream.put(None)
        publisher.join(PATIENCE)


def submit_all(night: Night, callback_url: str, concurrency: int, started_at: float) -> None:
    with ThreadPoolExecutor(concurrency) as executor:
        for feed in night.names:
            executor.submit(night.submit, feed, callback_url, started_at)


def wait_for_callbacks(night: Night) -> float:
    """Wait until no more callbacks come, and return the time at which the last one settled an import."""
    open_imports, last_settled_at = night.open_imports(), time.monotonic()
    while open_imports and time.monotonic() - last_settled_at < QUIET_SECONDS:
        time.sleep(0.2)
        if (still_open := night.open_imports()) < open_imports:
            open_imports, last_settled_at = still_open, time.monotonic()
    return last_settled_at


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.night", description="Run many feeds at once.")
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=20, help="jobs in each feed")
    parser.add_argument("--concurrency", type=int, default=100, help="SubmitImports at once")
    parser.add_argument("--full-sync", action="store_true", help="give every feed deleteJobs: true")
    parser.add_argument("--no-callbacks", action="store_true", help="let the poller fetch every result")
    options = parser.parse_args()
    night = Night(options.feeds, options.jobs, full_sync=options.full_sync)
    if options.no_callbacks:
        night.board.faults.add(Fault("no_callback", times=None))
    processor_at_start, started_at = time.process_time(), time.monotonic()
    with running(night) as callback_url:
        submit_all(night, callback_url, options.concurrency, started_at)
        sent_after = time.monotonic() - started_at
        if options.no_callbacks:
            last_callback_at = time.monotonic()
            time.sleep(2)  # until the board has processed the imports
        else:
            last_callback_at = wait_for_callbacks(night)
        by_callback = options.feeds - night.open_imports()
        polls, polling_since = [], time.monotonic()
        while night.open_imports() and time.monotonic() - started_at < PATIENCE:
            polls.append(night.poll())
        polled = time.monotonic() - polling_since
    submitted = night.seconds_to_submit.values()
    processor_seconds = time.process_time() - processor_at_start
    print(f"{options.feeds:,} feeds of {options.jobs} jobs, {options.concurrency} SubmitImports at once")
    print(
        f"sent: all after {sent_after:.1f} s; first feed after {min(submitted):.1f} s, last after {max(submitted):.1f} s"
    )
    print(f"by callback: {by_callback:,}, the last after {last_callback_at - started_at:.1f} s")
    print(f"callback API's answers: {dict(night.callback_statuses)}")
    print(f"by the poller: {sum(len(each.settled) for each in polls):,} in {len(polls)} runs, {polled:.1f} s")
    print(f"complete: {night.complete_feeds():,}; notices: {len(night.topic.published):,}")
    print(f"conflicts: {night.store.conflicts}; failures: {len(night.failures)} {night.failures[:3]}")
    print(f"secrets read: {night.accounts.reads:,}")
    print(f"processor: {processor_seconds:.1f} s; peak memory, board included: {peak_here() / 1e6:.0f} MB")
    return 0 if night.complete_feeds() == options.feeds else 1


if __name__ == "__main__":
    sys.exit(main())
