"""The board behind the API: accounts, postings, imports, and the callbacks that they cause."""

import random
import string
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Self

from local.board.action_queue import ActionQueue
from local.board.callbacks import Attempt, Body, Courier, Delivery, plan
from local.board.faults import Fault, Faults
from local.board.imports import ImportResults, Postings, SandboxImport, run
from local.board.jobs import BoardJob, problems, reference_number
from local.board.messages import Deletion, ReceivedRequest

API_PATH = "/api/v2.0"
ID_ALPHABET = string.ascii_letters + string.digits + "_-"
REQUESTS_KEPT = 1000
BODY_BYTES_KEPT = 64 * 2**20


def utc_now() -> datetime:
    return datetime.now(UTC)


class JobBoard:
    """A job board without its API: accounts, their postings, and their imports with callbacks and faults."""

    def __init__(
        self,
        api_keys: Mapping[str, str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], datetime] = utc_now,
        seed: int | None = None,
        processing_seconds: float = 0.2,
        callback_timeout: float = 5.0,
        callback_retries: Sequence[float] = (0.2, 0.5, 1.0),
        allow_any_callback_host: bool = False,
        max_body_bytes: int = 256 * 2**20,
    ) -> None:
        self.api_keys = dict(api_keys)
        self.host = host
        self.port = port
        self.clock = clock
        self.max_body_bytes = max_body_bytes
        self.stopping = threading.Event()
        chance = random.Random(seed)  # noqa: S311  reproducible ids and faults, nothing secret
        self.faults = Faults(random.Random(chance.random()))  # noqa: S311
        self._chance = chance
        #: The id of the next import, if somebody wants a certain one.
        self.next_id: str | None = None
        self._processing_seconds = processing_seconds
        self._courier = Courier(
            timeout=callback_timeout,
            retries=callback_retries,
            allow_any_host=allow_any_callback_host,
            stopping=self.stopping,
        )
        self._changed = threading.Condition(threading.RLock())
        self._postings: dict[str, Postings] = {name: {} for name in self.api_keys.values()}
        self._imports: dict[str, SandboxImport] = {}
        self._held_callbacks: list[tuple[SandboxImport, list[Delivery]]] = []
        self._requests: deque[ReceivedRequest] = deque(maxlen=REQUESTS_KEPT)
        self._deletions: deque[Deletion] = deque(maxlen=REQUESTS_KEPT)
        self._queue = ActionQueue()
        self._threads: set[threading.Thread] = set()

    def start(self) -> Self:
        """Process imports."""
        self.stopping.clear()
        self._queue.start()
        return self

    def stop(self) -> None:
        """End every wait and every callback under way, and every thread."""
        self.stopping.set()
        self._courier.abort()
        self._queue.stop()
        for thread in list(self._threads):
            while thread.is_alive():
                self._courier.abort()  # repeatedly: a connection has no socket to close until it is made
                thread.join(0.05)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def origin(self) -> str:
        """The URL of the page; `/_sandbox` is under it."""
        host = "127.0.0.1" if self.host in ("", "0.0.0.0") else self.host  # noqa: S104
        return f"http://{host}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL of the API, as an agency's settings name it."""
        return self.origin + API_PATH

    # State

    @property
    def accounts(self) -> list[str]:
        with self._changed:
            return list(dict.fromkeys([*self._postings, *self.api_keys.values()]))

    @property
    def imports(self) -> list[SandboxImport]:
        """Return every import, oldest first."""
        with self._changed:
            return list(self._imports.values())

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Return the last thousand requests to the API, oldest first."""
        with self._changed:
            return list(self._requests)

    @property
    def deletions(self) -> list[Deletion]:
        """Return the last thousand deletions by reference number, oldest first."""
        with self._changed:
            return list(self._deletions)

    def account(self, key: str) -> Postings:
        """Return the current postings of a key's account, by reference number. Raises KeyError for an unknown key."""
        return self.postings(self.api_keys[key])

    def postings(self, account: str) -> Postings:
        """Return the current postings of an account."""
        with self._changed:
            return dict(self._postings.get(account, {}))

    def account_name(self, key: str | None) -> str | None:
        return self.api_keys.get(key) if key is not None else None

    def find(self, import_id: str) -> SandboxImport | None:
        with self._changed:
            return self._imports.get(import_id)

    def describe(self, job_import: SandboxImport) -> Body:
        """Return the body of the response to GET for an import, which is also its callback's body."""
        with self._changed:
            return {"data": job_import.as_data(), "links": {"self": f"{self.url}/job-imports/{job_import.id}"}}

    def wait(self, import_id: str, timeout: float = 120) -> SandboxImport:
        """Wait until an import is complete and its callbacks are delivered or given up. Raises TimeoutError."""
        job_import = self._imports[import_id]
        with self._changed:
            if not self._changed.wait_for(lambda: job_import.settled, timeout):
                raise TimeoutError(f"import {import_id} is {job_import.status}")
        return job_import

    # Changes

    def post_by_hand(self, key: str, job: BoardJob) -> None:
        """Post a job as a person would on the board's site. Raises ValueError if the board refuses it."""
        self.post_to(self.api_keys[key], job)

    def post_to(self, account: str, job: BoardJob) -> None:
        """Post a job by hand to the account of this name."""
        number = reference_number(job)
        if number is None or (messages := problems(job)):
            raise ValueError("; ".join(messages if number else problems(job)))
        with self._changed:
            self._postings.setdefault(account, {})[number] = job

    def accept(self, account: str, jobs: list[BoardJob], *, delete_jobs: bool, callback_url: str | None) -> Body:
        """Queue an import; return the body of the response."""
        with self._changed:
            job_import = SandboxImport(
                id=self.next_id or self._new_id(),
                account=account,
                requested_at=self.clock(),
                jobs=jobs,
                delete_jobs=delete_jobs,
                callback_url=callback_url,
                faults=self.faults.for_import(),
                job_count=len(jobs),
            )
            self.next_id = None
            self._imports[job_import.id] = job_import
            body = self.describe(job_import)
        if "early_callback" in job_import.faults:
            self._deliver(job_import, self._complete(job_import))
        else:
            self._advance_later(job_import)
        return body

    def release(self, import_id: str) -> bool:
        """Let an import continue that was to stay pending or running. Return False if there is no such import."""
        with self._changed:
            job_import = self._imports.get(import_id)
            if job_import is None or "stay_pending" not in job_import.faults or job_import.status == "complete":
                return False
            del job_import.faults["stay_pending"]
            self._advance_later(job_import)
            return True

    def upsert(self, account: str, jobs: list[BoardJob]) -> ImportResults:
        """Add or update postings at once; return what an import of these jobs would result in."""
        with self._changed:
            return run(self._postings.setdefault(account, {}), jobs, delete_jobs=False)

    def delete(self, account: str, numbers: list[str]) -> list[str]:
        """Delete the postings with these reference numbers and no others; return the numbers that were posted."""
        with self._changed:
            postings = self._postings.setdefault(account, {})
            deleted = [number for number in dict.fromkeys(numbers) if postings.pop(number, None) is not None]
            self._deletions.append(Deletion(self.clock(), account, len(numbers), deleted))
            return deleted

    def receive(self, received: ReceivedRequest) -> None:
        """Record a request."""
        with self._changed:
            self._requests.append(received)

    def keep_body(self, received: ReceivedRequest, body: bytes) -> None:
        """Keep the body of a request; drop the oldest bodies when they take too much memory."""
        with self._changed:
            received.size, received.body = len(body), body
            kept = 0
            for request in reversed(self._requests):
                kept += len(request.body)
                if kept > BODY_BYTES_KEPT:
                    request.body = b""

    # Processing

    def _new_id(self) -> str:
        return "".join(self._chance.choices(ID_ALPHABET, k=21))

    def _advance_later(self, job_import: SandboxImport, seconds: float | None = None) -> None:
        wait = self._processing_seconds / 2 if seconds is None else seconds
        self._queue.after(wait, partial(self._advance, job_import))

    def _advance(self, job_import: SandboxImport) -> None:
        """Move an import to its next status, unless a fault keeps it."""
        with self._changed:
            if self._stays(job_import) or job_import.status == "complete":
                return
            if job_import.status == "pending":
                job_import.status = "running"
                self._advance_later(job_import)
                return
        deliveries = self._complete(job_import)
        if deliveries:
            self._in_background(partial(self._deliver, job_import, deliveries))
        else:
            self._deliver(job_import, deliveries)

    def _stays(self, job_import: SandboxImport) -> bool:
        fault = job_import.faults.get("stay_pending")
        if fault is None or fault["status"] != job_import.status:
            return False
        if fault["seconds"] is None:
            return True
        if self.clock() >= job_import.requested_at + timedelta(seconds=fault["seconds"]):
            return False
        # The clock may be a test's, so its time can change at any moment: check again soon.
        self._advance_later(job_import, 0.05)
        return True

    def _complete(self, job_import: SandboxImport) -> list[Delivery]:
        """Run an import; return its callbacks."""
        with self._changed:
            postings = self._postings.setdefault(job_import.account, {})
            results = run(postings, job_import.jobs, delete_jobs=job_import.delete_jobs)
            job_import.results = spoiled_results(results, job_import.faults)
            job_import.status = "complete"
            job_import.completed_at = self.clock()
            job_import.jobs = []
            if job_import.callback_url is None:
                return []
            other = self._another(job_import)
            return plan(job_import.callback_url, self.describe(job_import), job_import.faults, other)

    def _another(self, job_import: SandboxImport) -> Body:
        """Return the body of another import, or of an invented one if there is no other."""
        others = [other for other in self._imports.values() if other is not job_import]
        others.sort(key=lambda other: other.status == "complete")
        if others:
            return self.describe(others[-1])
        body = self.describe(job_import)
        return body | {"data": body["data"] | {"id": self._new_id()}}

    # Callbacks

    def _deliver(self, job_import: SandboxImport, deliveries: list[Delivery]) -> None:
        with self._changed:
            if "reordered_callbacks" in job_import.faults and not self._held_callbacks and deliveries:
                self._held_callbacks.append((job_import, deliveries))
                return
        self._send(job_import, deliveries)
        if not deliveries:
            return
        with self._changed:
            held, self._held_callbacks = self._held_callbacks, []
        for held_import, held_deliveries in held:
            self._send(held_import, held_deliveries)

    def _send(self, job_import: SandboxImport, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            for status, error in self._courier.deliver(delivery):
                url = delivery.url.partition("?")[0]
                with self._changed:
                    job_import.attempts.append(Attempt(self.clock(), url, delivery.what, status, error))
        with self._changed:
            job_import.settled = not self.stopping.is_set()
            self._changed.notify_all()

    def _in_background(self, action: Callable[[], None]) -> None:
        def act() -> None:
            try:
                action()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=act, name="sandbox-board-callback", daemon=True)
        self._threads.add(thread)
        thread.start()


def spoiled_results(results: ImportResults, faults: dict[str, Fault]) -> ImportResults:
    """Change the results as the faults demand."""
    if oversized := faults.get("oversized_result"):
        first, count = results["processed"], oversized["errors"]
        text = "x" * oversized["message_length"]
        extra = [
            {"index": index, "messages": [text], "referenceNumber": f"oversized-{index}"}
            for index in range(first, first + count)
        ]
        results = results | {
            "errors": results["errors"] + extra,
            "failed": results["failed"] + count,
            "processed": results["processed"] + count,
        }
    if wrong := faults.get("wrong_sums"):
        results = results | {wrong["count"]: results[wrong["count"]] + wrong["by"]}
    return results
