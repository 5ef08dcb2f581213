"""The whole system in memory, made of the fakes: bucket, records, accounts, board, poller and clock."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from jobferry.board.callback_urls import token
from jobferry.deletions.live_set import read_live_set
from jobferry.notices.advice.commands import Commands
from jobferry.notices.notice import publish
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import
from jobferry.results.callbacks import Callback, Received, Receiver, receive
from jobferry.results.polling import Polled, Poller, poll
from jobferry.runs.submission import Outcome, submit
from jobferry.runs.triggers import parse_trigger
from jobferry.runs.world import Invocation, World
from tests.fakes import Clock, MemoryAccounts, MemoryBoard, MemoryBucket, MemoryStore, MemoryTopic

BOARD_URL = "https://board.example/api/v2.0"
SIGNING_KEY = "signing-key"
FEED = "default"
#: The API key of the account that feeds use by default.
KEY = "key-of-the-agency"
COMMANDS = Commands(
    "jobferry-SubmitImport", "imports", "feeds", "jobferry/accounts/", "us-east-1", "https://example.org/runbook"
)
#: SubmitImport's timeout.
TIMEOUT = timedelta(seconds=900)


def job(reference: str | None, **fields: Any) -> dict[str, Any]:
    """Return a job that is valid if it has a reference number."""
    return {"referenceNumber": reference, "title": f"Job {reference}", "state": "PA"} | fields


def jobs(*references: str) -> list[dict[str, Any]]:
    return [job(each) for each in references]


def lines(*rows: dict[str, Any] | bytes) -> bytes:
    """Return JSON Lines. Rows that are bytes are kept as they are."""
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


class Stage:
    """The system in memory. Its parts are attributes that tests read and change.

    Attributes:
        starts: the events that the poller sent to SubmitImport.
        faults: the errors that the poller reported.
    """

    def __init__(self, now: datetime = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)) -> None:
        self.clock = Clock(now)
        self.store = MemoryStore()
        self.bucket = MemoryBucket(self.clock)
        self.accounts = MemoryAccounts({"BoardApiKey": KEY}, BOARD_URL)
        self.board = MemoryBoard([KEY], self.clock)
        self.topic = MemoryTopic()
        self.starts: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.world = World(
            self.store,
            self.bucket,
            self.accounts,
            self.board,
            "https://callbacks.example/callbacks",
            lambda: SIGNING_KEY,
            self.clock,
            self.clock.sleep,
        )
        self._requests = 0

    # The agency

    def put(self, name: str, content: bytes, feed: str = FEED) -> None:
        self.bucket.contents[f"feeds/{feed}/{name}"] = content

    def put_jobs(self, *references: str, feed: str = FEED) -> None:
        """Make the feed one object with these jobs."""
        self.put("jobs.jsonl", lines(*jobs(*references)), feed)

    def remove(self, name: str, feed: str = FEED) -> None:
        del self.bucket.contents[f"feeds/{feed}/{name}"]

    def settings(self, feed: str = FEED, **settings: Any) -> None:
        """Write feed.json, with the names that it has there."""
        self.put("feed.json", json.dumps(settings).encode(), feed)

    # The functions

    def invocation(self) -> Invocation:
        """Return a new Lambda request."""
        self._requests += 1
        return Invocation(f"request-{self._requests}", self.clock() + TIMEOUT)

    def event(self, event: dict[str, Any], invocation: Invocation | None = None) -> Outcome:
        """Invoke SubmitImport a second later."""
        self.clock.forward(seconds=1)
        return self.event_at_once(event, invocation)

    def event_at_once(self, event: dict[str, Any], invocation: Invocation | None = None) -> Outcome:
        """Invoke SubmitImport while the clock stands still."""
        invocation = invocation or self.invocation()
        return submit(parse_trigger(event, self.clock(), invocation.id), invocation, self.world)

    def run(self, feed: str = FEED, **event: Any) -> Import:
        """Start a run by hand and return its record, before the board processes it."""
        outcome = self.event({"feed": feed, **event})
        assert outcome.import_id is not None
        return self.record(outcome.import_id)

    def complete(self, feed: str = FEED, **event: Any) -> Import:
        """Start a run by hand, finish it, and return its record."""
        record = self.run(feed, **event)
        self.finish()
        return self.record(record.import_id)

    def finish(self) -> None:
        """Let the board process all imports and call back, then publish the notices."""
        while board_import_id := self.board.process():
            self.call_back(board_import_id)
        self.publish_notices()

    def publish_notices(self) -> None:
        """Invoke PublishNotice for every import."""
        for each in self.store.imports():
            publish(self.store, self.topic, each.import_id, self.clock(), COMMANDS)

    def call_back(self, board_import_id: str) -> Received:
        """Deliver the board's callback for an import."""
        url = next(request for made, request in self.board.requests if made == board_import_id)
        callback = Callback(url.import_id, token(url.import_id, SIGNING_KEY), self.board.describe(board_import_id))
        receiver = Receiver(self.store, self.bucket, self.accounts, self.board, lambda: SIGNING_KEY)
        return receive(callback, receiver, self.clock())

    def poll(self, minutes: float = 5) -> Polled:
        """Run the poller. The events that it sends are in `starts`."""
        self.clock.forward(minutes=minutes)
        poller = Poller(self.store, self.bucket, self.accounts, self.board, self, self.clock, self._failed)
        return poll(poller, self.clock() + timedelta(seconds=240))

    def start(self) -> list[Outcome]:
        """Invoke SubmitImport with the events that the poller sent."""
        starts, self.starts = self.starts, []
        return [self.event(each) for each in starts]

    def run_again(self, feed: str, skipped: str) -> None:
        """See `polling.Feeds`."""
        self.starts.append({"feed": feed, "runAgain": skipped})

    def resume(self, feed: str, import_id: str) -> None:
        """See `polling.Feeds`."""
        self.starts.append({"feed": feed, "resume": import_id})

    def _failed(self, record: Import | Feed, error: Exception) -> None:
        self.faults.append(f"{record.feed}: {error}")

    # What the tests compare

    def record(self, import_id: str) -> Import:
        found = self.store.get(import_id)
        assert found is not None, f"there is no import {import_id}"
        return found

    def live_set(self, feed: str = FEED) -> list[str]:
        """Return the reference numbers of the feed's live set."""
        live = self.store.get_feed(feed).live_set
        assert live is not None, f"{feed} has no live set"
        stream = io.BytesIO(self.bucket.contents[live.key])
        known = read_live_set(stream, whole=live.whole, deleted=live.deleted)
        return sorted(each.reference_number for each in known)

    def postings(self, key: str = KEY) -> list[str]:
        """Return the reference numbers on the board."""
        return sorted(self.board.postings(key))

    def deleted(self) -> list[list[str]]:
        """Return the lists of reference numbers that the board deleted, oldest first."""
        return [each.reference_numbers for each in self.board.deletions]

    def sent(self) -> list[tuple[list[str | None], bool]]:
        """Return what the board accepted, oldest first: the reference numbers and deleteJobs."""
        return [
            ([each.get("referenceNumber") for each in request.jobs], request.delete_jobs)
            for _, request in self.board.requests
        ]
