"""Many feeds at two in the morning: `python -m benchmarks.night --feeds 1000`. Loopback only; it ends by itself.

The code of the four functions runs as it is, in threads of one process: as many at once as Lambda would let run. The
sandbox board is asked over HTTP, with an account for each feed, and calls back over HTTP through the throttle that the
template gives the API. The table, the bucket, the secrets and the topic are in memory, so neither DynamoDB's nor S3's
time is in the figures, nor a cold start, nor a report page.
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

AT = "2026-11-24T07:00:00Z"
#: Of SubmitImport and of the poller, as the template has them.
SUBMIT, POLL = timedelta(seconds=900), timedelta(seconds=240)
#: Nothing is waited for longer. Seconds.
PATIENCE = 300.0
ENDED = {State.COMPLETE, State.BLOCKED, State.REJECTED, State.EXPIRED}


def now() -> datetime:
    return datetime.now(UTC)


class Store(MemoryStore):
    """Counts conflicts, and has a stream of imports that have ended, as PublishNotice's filter lets them through."""

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


class Accounts(MemoryAccounts):
    """Counts how often Secrets Manager would be asked."""

    reads = 0

    def get(self, name: str, *, fresh: bool = False) -> Account:
        self.reads += fresh
        return super().get(name, fresh=fresh)


class Throttle:
    """API Gateway's bucket of tokens, as large as the template has it."""

    def __init__(self) -> None:
        [stage] = make_stack().of_type("AWS::ApiGatewayV2::Stage")
        settings = stage.properties["DefaultRouteSettings"]
        self.rate, self.burst = float(settings["ThrottlingRateLimit"]), float(settings["ThrottlingBurstLimit"])
        self._tokens, self._at, self._lock = self.burst, time.monotonic(), threading.Lock()

    def admits(self) -> bool:
        with self._lock:
            at = time.monotonic()
            self._tokens = min(self.burst, self._tokens + (at - self._at) * self.rate)
            self._at = at
            admitted = self._tokens >= 1
            self._tokens -= admitted
            return admitted


class Night:
    """One run of every feed."""

    def __init__(self, feeds: int, jobs: int, *, full_sync: bool) -> None:
        self.names = [f"agency-{number:05d}" for number in range(feeds)]
        self.store, self.bucket, self.topic = Store(), MemoryBucket(), MemoryTopic()
        self.keys = {f"key-of-{name}": name for name in self.names}
        self.board = SandboxBoard(self.keys, seed=1, processing_seconds=1).start()
        self.accounts = Accounts({name: key for key, name in self.keys.items()}, self.board.url)
        for name in self.names:
            settings = {"apiKeySecret": name, "deleteJobs": full_sync, "notifyOnSuccess": True}
            self.bucket.contents[f"feeds/{name}/feed.json"] = json.dumps(settings).encode()
            rows = [job(f"{name}-{number}") for number in range(jobs)]
            self.bucket.contents[f"feeds/{name}/jobs.jsonl"] = lines(*rows)
        self.boards = cache(HttpBoard)
        self.callbacks: Counter[int] = Counter()
        self.throttle = Throttle()
        self.failures: list[str] = []
        self.submitted: dict[str, float] = {}
        self.receiver = Receiver(self.store, self.bucket, self.accounts, self.boards, lambda: SIGNING_KEY)

    # The functions

    def submit(self, feed: str, url: str, began: float) -> None:
        trigger = parse_trigger({"feed": feed, "scheduledAt": AT}, now())
        world = World(self.store, self.bucket, self.accounts, self.boards, url, lambda: SIGNING_KEY)
        try:
            submit(trigger, Invocation(f"request-{feed}", now() + SUBMIT), world)
        except Exception as error:  # noqa: BLE001  # it is a figure
            self.failures.append(f"{feed}: {error!r}")
        self.submitted[feed] = time.monotonic() - began

    def call_back(self, request: Request) -> Response:
        if not self.throttle.admits():
            self.callbacks[429] += 1
            return json_response(429, {"message": "Too Many Requests"})
        callback = Callback(request.path.rsplit("/", 1)[1], request.args.get("token"), request.get_data())
        try:
            status = receive(callback, self.receiver, now()).status
        except CallbackError as error:
            status = error.status
        self.callbacks[status] += 1
        return json_response(status, {})

    def publish(self) -> None:
        while import_id := self.store.stream.get():
            publish(self.store, self.topic, import_id, now(), STACK)

    def poll(self) -> Polled:
        poller = Poller(self.store, self.bucket, self.accounts, self.boards, self, now, self._not_polled)
        return poll(poller, now() + POLL)

    def run_again(self, feed: str, skipped: str) -> None:
        self.failures.append(f"{feed}: {skipped} was skipped")

    def resume(self, feed: str, import_id: str) -> None:
        self.failures.append(f"{feed}: {import_id} was left in the middle")

    def _not_polled(self, record: Import | Feed, error: Exception) -> None:
        self.failures.append(f"{record.feed}: {error!r}")

    # What came of it

    def open(self) -> int:
        return len(self.store.open_records().imports)

    def complete(self) -> int:
        found = (next(self.store.history(name), None) for name in self.names)
        return sum(record is not None and record.state is State.COMPLETE for record in found)


@contextmanager
def running(night: Night) -> Iterator[str]:
    """The board, the callbacks' API, and PublishNotice, one at a time as for a stream of one shard."""
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


def start_all(night: Night, url: str, concurrency: int, began: float) -> None:
    with ThreadPoolExecutor(concurrency) as lambdas:
        for feed in night.names:
            lambdas.submit(night.submit, feed, url, began)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.night", description="Runs many feeds at once.")
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=20, help="of each feed")
    parser.add_argument("--concurrency", type=int, default=100, help="SubmitImports at once")
    parser.add_argument("--full-sync", action="store_true", help="every feed has deleteJobs")
    parser.add_argument("--no-callbacks", action="store_true", help="the poller has to fetch every result")
    options = parser.parse_args()
    night = Night(options.feeds, options.jobs, full_sync=options.full_sync)
    if options.no_callbacks:
        night.board.faults.add(Fault("no_callback", times=None))
    processor, began = time.process_time(), time.monotonic()
    with running(night) as url:
        start_all(night, url, options.concurrency, began)
        sent = time.monotonic() - began
        last, quiet = night.open(), time.monotonic()
        while last and not options.no_callbacks and time.monotonic() - quiet < 10:  # then callbacks bring no more
            time.sleep(0.2)
            if (still := night.open()) < last:
                last, quiet = still, time.monotonic()
        by_callback = options.feeds - night.open()
        called = (quiet if by_callback else time.monotonic()) - began
        time.sleep(2 if options.no_callbacks else 0)  # the board is done
        polls, polling = [], time.monotonic()
        while night.open() and time.monotonic() - began < PATIENCE:
            polls.append(night.poll())
        polled = time.monotonic() - polling
    first, slowest = min(night.submitted.values()), max(night.submitted.values())
    print(f"{options.feeds:,} feeds of {options.jobs} jobs, {options.concurrency} SubmitImports at once")
    print(f"sent: all after {sent:.1f} s; the first feed after {first:.1f} s, the last after {slowest:.1f} s")
    print(f"by callback: {by_callback:,}, the last after {called:.1f} s; the API's answers: {dict(night.callbacks)}")
    print(f"by the poller: {sum(len(each.settled) for each in polls):,} in {len(polls)} runs, {polled:.1f} s")
    print(f"complete: {night.complete():,}; notices: {len(night.topic.published):,}")
    print(f"conflicts: {night.store.conflicts}; failures: {len(night.failures)} {night.failures[:3]}")
    print(f"secrets read: {night.accounts.reads:,}")
    print(
        f"processor: {time.process_time() - processor:.1f} s; peak memory, board included: {peak_here() / 1e6:.0f} MB"
    )
    return 0 if night.complete() == options.feeds else 1


if __name__ == "__main__":
    sys.exit(main())
