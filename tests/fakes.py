"""In-memory fakes of the domain's protocols. Callers cannot tell them from the real ones."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from jobferry.board.accounts import Account, parse_account
from jobferry.board.client import Board, RequestBody
from jobferry.board.job_imports import JobImport, parse_job_import
from jobferry.errors import BoardRefusedError, BoardUnreachableError, ConflictError, FeedChangedError, SecretError
from jobferry.feeds.objects import FeedObject, is_of_feed
from jobferry.notices.notice import Notice
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, Open
from jobferry.records.store import OpenRecords
from local.board.imports import Postings, SandboxImport, run


class Killed(BaseException):
    """Ends the process, as Lambda's timeout does. No code may catch it."""


class MemoryStore:
    """An ImportStore in memory. A save is all or nothing and fails if a record's revision has changed.

    Attributes:
        before_save: is called before each save, to write in between or to kill.
        saves: the number of saves so far.
    """

    def __init__(self) -> None:
        self._imports: dict[str, Import] = {}
        self._feeds: dict[str, Feed] = {}
        self._failed: dict[tuple[str, str], dict[int, FailedJob]] = {}
        self.before_save: Callable[[tuple[Import | Feed, ...]], None] = lambda _: None
        self.saves = 0
        self._lock = threading.Lock()

    def get(self, import_id: str) -> Import | None:
        return self._imports.get(import_id)

    def get_feed(self, feed: str) -> Feed:
        return self._feeds.get(feed) or Feed(feed=feed)

    def feeds(self, names: Iterable[str]) -> Iterator[Feed]:
        yield from (self._feeds[name] for name in names if name in self._feeds)

    def save(self, *records: Import | Feed) -> None:
        self.before_save(records)
        with self._lock:
            for record in records:
                now = self.get(record.import_id) if isinstance(record, Import) else self._feeds.get(record.feed)
                if (now.revision if now else 0) != record.revision:
                    raise ConflictError("another process changed the record first")
            self.saves += 1
            for record in records:
                written = type(record).from_item(json.loads(_stored(record)))
                if isinstance(written, Import):
                    self._imports[written.import_id] = written
                else:
                    self._feeds[written.feed] = written

    def read_failed(self, import_id: str, kind: FailedKind) -> Iterator[FailedJob]:
        items = self._failed.get((import_id, kind), {})
        for number in sorted(items):
            yield items[number]

    def write_failed(self, import_id: str, kind: FailedKind, failed: Iterable[FailedJob], expires: datetime) -> None:
        assert expires.tzinfo is not None
        for each in failed:
            self._failed.setdefault((import_id, kind), {})[each.number] = each

    def delete_failed(self, import_id: str, kind: FailedKind) -> None:
        self._failed.pop((import_id, kind), None)

    def open_records(self, *, late: bool = False) -> OpenRecords:
        imports = [
            each for each in self._imports.values() if each.open is Open.OPEN or (late and each.open is Open.LATE)
        ]
        feeds = [each for each in self._feeds.values() if each.run_again_at is not None]
        return OpenRecords(
            sorted(imports, key=lambda each: each.created_at), sorted(feeds, key=lambda each: str(each.run_again_at))
        )

    def imports(self) -> list[Import]:
        """Return all imports."""
        return list(self._imports.values())

    def history(self, feed: str) -> Iterator[Import]:
        found = [each for each in self._imports.values() if each.feed == feed]
        yield from sorted(found, key=lambda each: each.created_at, reverse=True)


def _stored(record: Import | Feed) -> str:
    """Return the record as JSON. What JSON cannot hold, no table can store."""
    return json.dumps(record.changed(revision=record.revision + 1).to_item())


class MemoryTopic:
    """A topic that keeps the published notices.

    Attributes:
        published: the notices, oldest first.
        before_publish: is called before each notice, to fail or to kill.
        subscribers: confirmed subscriptions.
    """

    def __init__(self) -> None:
        self.published: list[Notice] = []
        self.before_publish: Callable[[Notice], None] = lambda _: None
        self.subscribers = 1

    def has_subscribers(self) -> bool:
        return self.subscribers > 0

    def publish(self, notice: Notice) -> None:
        self.before_publish(notice)
        self.published.append(notice)


class Contents(dict[str, bytes]):
    """Objects by their keys.

    Attributes:
        modified: when each was put there.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.modified: dict[str, datetime] = {}
        self._now = now

    def __setitem__(self, key: str, content: bytes) -> None:
        super().__setitem__(key, content)
        self.modified[key] = self._now()


class MemoryBucket:
    """A FeedStore in memory. As in S3, reading fails if the object is not the listed version any more.

    Attributes:
        contents: the objects' bytes, by key. Each remembers when it was put there, by the clock.
        before_open: is called before an object is opened, for instance to replace it.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.contents: Contents = Contents(now)
        self.before_open: Callable[[FeedObject], None] = lambda _: None

    def feeds(self) -> list[str]:
        return sorted({key.split("/")[1] for key in self.contents if key.startswith("feeds/")})

    def objects(self, feed: str) -> list[FeedObject]:
        prefix = f"feeds/{feed}/"
        return [
            FeedObject(key, etag(content), len(content), self.contents.modified[key])
            for key, content in sorted(self.contents.items())
            if key.startswith(prefix) and is_of_feed(key.removeprefix(prefix))
        ]

    def settings(self, feed: str) -> tuple[str, bytes | None]:
        key = f"feeds/{feed}/feed.json"
        return key, self.contents.get(key)

    def find(self, key: str) -> FeedObject | None:
        content = self.contents.get(key)
        return None if content is None else FeedObject(key, etag(content), len(content), self.contents.modified[key])

    def open_object(self, obj: FeedObject) -> BinaryIO:
        self.before_open(obj)
        content = self.contents.get(obj.key)
        if content is None or etag(content) != obj.etag:
            raise FeedChangedError(f"{obj.key} was replaced or deleted while the feed was being read")
        return io.BytesIO(content)

    def store(self, key: str, path: Path) -> None:
        assert key.startswith("archive/")
        self.contents[key] = path.read_bytes()

    def fetch(self, key: str, path: Path) -> bool:
        content = self.contents.get(key)
        if content is not None:
            path.write_bytes(content)
        return content is not None


def etag(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class MemoryAccounts:
    """The accounts' secrets in memory. Each is read once until `forget`, as in one container of a function.

    Attributes:
        secrets: their texts, by name.
    """

    def __init__(self, secrets: dict[str, str], board_url: str) -> None:
        self.secrets = secrets
        self._board_url = board_url
        self._known: dict[str, Account] = {}

    def get(self, name: str, *, fresh: bool = False) -> Account:
        if fresh or name not in self._known:
            if name not in self.secrets:
                raise SecretError(f"the secret {name} does not exist or has no value yet")
            self._known[name] = parse_account(name, self.secrets[name], self._board_url)
        return self._known[name]

    def forget(self) -> None:
        """Forget what was read, as a new container does."""
        self._known.clear()


@dataclass(frozen=True)
class Request:
    """A request to create an import, as the board received it."""

    key: str
    jobs: list[dict[str, Any]]
    delete_jobs: bool
    callback_url: str

    @property
    def import_id(self) -> str:
        return self.callback_url.rpartition("/")[2].partition("?")[0]


@dataclass(frozen=True)
class Deletion:
    """A request to delete postings, as the board received it."""

    key: str
    reference_numbers: list[str]


class MemoryBoard:
    """The board in memory. It queues imports, and processes them with the sandbox board's own rules.

    Attributes:
        keys: the API keys that it knows, one for each account.
        is_down: whether it leaves every request unanswered.
        requests: the accepted requests, each with the id of its import.
        deletions: the requests to delete postings that it did.
        before_create, after_create: are called before and after a request is accepted, to refuse it or to lose the answer.
        before_delete, after_delete: the same for a request to delete postings.
        before_retrieve: is called before an import is retrieved.
    """

    def __init__(self, keys: Iterable[str], now: Callable[[], datetime]) -> None:
        self.keys = set(keys)
        self.is_down = False
        self.requests: list[tuple[str, Request]] = []
        self.deletions: list[Deletion] = []
        self.before_create: Callable[[Request], None] = lambda _: None
        self.after_create: Callable[[Request], None] = lambda _: None
        self.before_delete: Callable[[Deletion], None] = lambda _: None
        self.after_delete: Callable[[Deletion], None] = lambda _: None
        self.before_retrieve: Callable[[], None] = lambda: None
        self._now = now
        self._postings: dict[str, Postings] = defaultdict(dict)
        self._imports: dict[str, SandboxImport] = {}
        self._queue: deque[str] = deque()

    def __call__(self, account: Account) -> Board:
        return _BoardAccount(self, account.api_key)

    def postings(self, key: str) -> Postings:
        """Return the postings of an account. A test may add some by hand."""
        return self._postings[key]

    def create(self, key: str, text: bytes) -> JobImport:
        body = json.loads(text)
        request = Request(key, body["jobs"], body["deleteJobs"], body["callbackUrl"])
        self._require_up()
        self.before_create(request)
        if key not in self.keys:
            raise BoardRefusedError("the board answered 401 (it does not know the API key)", 401)
        made = SandboxImport(
            id=f"board{len(self._imports) + 1}",
            account=key,
            requested_at=self._now(),
            jobs=body["jobs"],
            delete_jobs=body["deleteJobs"],
            callback_url=body["callbackUrl"],
            job_count=len(body["jobs"]),
        )
        self._imports[made.id] = made
        self._queue.append(made.id)
        self.requests.append((made.id, request))
        accepted = parse_job_import(self.describe(made.id))
        self.after_create(request)
        return accepted

    def retrieve(self, key: str, board_import_id: str) -> JobImport:
        self._require_up()
        self.before_retrieve()
        if key not in self.keys:
            raise BoardRefusedError("the board answered 401 (it does not know the API key)", 401)
        made = self._imports.get(board_import_id)
        if made is None or made.account != key:
            raise BoardRefusedError("the board answered 404", 404)
        return parse_job_import(self.describe(board_import_id))

    def delete(self, key: str, reference_numbers: Sequence[str]) -> None:
        request = Deletion(key, list(reference_numbers))
        self._require_up()
        self.before_delete(request)
        if key not in self.keys:
            raise BoardRefusedError("the board answered 401 (it does not know the API key)", 401)
        for number in reference_numbers:
            self._postings[key].pop(number, None)
        self.deletions.append(request)
        self.after_delete(request)

    def copy(self) -> MemoryBoard:
        """Return a board with the same state. Both have the same requests, jobs and results, which are never changed."""
        twin = copy.copy(self)
        twin.keys, twin.requests, twin.deletions = set(self.keys), list(self.requests), list(self.deletions)
        twin._postings = defaultdict(dict, {key: dict(postings) for key, postings in self._postings.items()})
        twin._imports = {name: replace(made) for name, made in self._imports.items()}
        twin._queue = deque(self._queue)
        return twin

    def state(self) -> list[Any]:
        """Return everything that requests and processing change."""
        imports = [made.as_data() for made in self._imports.values()]
        return [sorted(self.keys), self.is_down, self.requests, self.deletions, self._postings, imports, self._queue]

    def _require_up(self) -> None:
        if self.is_down:
            raise BoardUnreachableError("the board is down")

    def describe(self, board_import_id: str) -> bytes:
        """Return the body of the answer to GET, which a callback carries too."""
        return json.dumps({"data": self._imports[board_import_id].as_data()}).encode()

    def results(self, board_import_id: str) -> dict[str, Any] | None:
        """Return the results of an import, None while it is waiting."""
        return self._imports[board_import_id].results

    def made(self) -> list[str]:
        """Return the ids of all imports, oldest first."""
        return list(self._imports)

    def waiting(self) -> list[str]:
        """Return the ids of the imports that are not done yet, oldest first."""
        return list(self._queue)

    def process(self) -> str | None:
        """Process the oldest waiting import and return its id; None if none is waiting."""
        if not self._queue:
            return None
        made = self._imports[self._queue.popleft()]
        made.results = run(self._postings[made.account], made.jobs, delete_jobs=made.delete_jobs)
        made.status, made.completed_at = "complete", self._now()
        return made.id


class _BoardAccount:
    def __init__(self, board: MemoryBoard, key: str) -> None:
        self._board = board
        self._key = key

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        assert seconds > 0
        text = b"".join(body)
        assert len(text) == len(body)
        return self._board.create(self._key, text)

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        assert seconds > 0
        return self._board.retrieve(self._key, board_import_id)

    def delete_postings(self, reference_numbers: Sequence[str], seconds: float) -> None:
        assert seconds > 0
        self._board.delete(self._key, reference_numbers)


class Clock:
    """A clock that stands still until a test moves it or code sleeps."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def forward(self, **time: float) -> None:
        """Move the clock by days, hours, minutes or seconds."""
        self._now += timedelta(**time)
