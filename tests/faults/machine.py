"""The four functions with their real handlers and adapters, on moto and a board in memory. Any call can fail.

The machine has its own time, and chance always has the same outcome. A function's process is its `app.py`, which is
loaded again after each crash.
"""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partialmethod
from types import ModuleType
from typing import Any, Final, Self

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError, ResponseStreamingError

from jobferry.adapters import http_board
from jobferry.adapters.sns import NoticesTopic
from jobferry.board.accounts import Account
from jobferry.board.client import RequestBody
from jobferry.board.job_imports import JobImport
from jobferry.errors import BoardRefusedError, BoardUnknownError, BoardUnreachableError
from jobferry.runs import world as runs
from local.aws_account import ACCOUNT, REGION
from local.board.imports import rfc3339
from local.patterns import matches
from local.template import Stack
from tests.fakes import Killed, MemoryBoard, Request
from tests.faults import shortcuts
from tests.faults.saved import Saved
from tests.integration.inprocess import NAME, InProcess, in_process
from tests.stack import TEMPLATE

START: Final = datetime(2026, 11, 24, 2, tzinfo=UTC)
KEY: Final = "k3y-5QK2vZ8w"
FOLDERS: Final = {
    "SubmitImport": "submit_import",
    "ReceiveCallback": "receive_callback",
    "PollImports": "poll_imports",
    "PublishNotice": "publish_notice",
}
#: The faults that a call can have.
REFUSED, UNAUTHORIZED, CONFLICT, LEFT_OVER, CUT = "refused", "unauthorized", "conflict", "left over", "cut off"
TIMEOUT_BEFORE, TIMEOUT_AFTER = "timeout before", "timeout after"
KILLED_BEFORE, KILLED_AFTER = "killed before", "killed after"
KINDS: Final = (
    REFUSED,
    UNAUTHORIZED,
    CONFLICT,
    LEFT_OVER,
    CUT,
    TIMEOUT_BEFORE,
    TIMEOUT_AFTER,
    KILLED_BEFORE,
    KILLED_AFTER,
)
_EVERY: Final = frozenset({REFUSED, TIMEOUT_BEFORE, TIMEOUT_AFTER, KILLED_BEFORE, KILLED_AFTER})
_MORE: Final = {"TransactWriteItems": CONFLICT, "BatchWriteItem": LEFT_OVER, "GetObject": CUT}
_REAL_TIME: Final = "ApproximateCreationDateTime"
_THROTTLED: Final = {"s3": "SlowDown", "sns": "Throttled", "lambda": "TooManyRequestsException"}


@dataclass(frozen=True)
class Call:
    """A call that a function made, the faults that it can have, and the import, feed or object that it is about."""

    name: str
    kinds: frozenset[str]
    subject: str = ""


@dataclass
class Interference:
    """Counts the calls of the running process, and makes one of them fail.

    Attributes:
        calls: the calls so far.
        number, kind: the call that fails, counted from 0, and how it fails.
        struck: whether it has failed.
        dead: whether the process was killed, so that it makes no more calls.
    """

    calls: list[Call] = field(default_factory=list)
    number: int = -1
    kind: str = ""
    struck: bool = False
    dead: bool = False

    def strikes(self, call: Call) -> str:
        """Return how this call fails; empty if it does not."""
        self.require_life()
        self.calls.append(call)
        if len(self.calls) - 1 != self.number:
            return ""
        assert self.kind in call.kinds, f"{call.name} cannot be {self.kind}"
        self.struck = True
        return self.kind

    def kill(self) -> None:
        self.dead = True
        raise Killed

    def require_life(self) -> None:
        if self.dead:
            raise Killed


@dataclass
class Curse(Interference):
    """Kills the process at every call of one name about one subject, whatever process makes it.

    Attributes:
        name, subject: the calls.
        deaths: how often it has killed.
    """

    name: str = ""
    subject: str = ""
    deaths: int = 0

    def strikes(self, call: Call) -> str:
        self.require_life()
        if (call.name, call.subject) != (self.name, self.subject):
            return ""
        self.deaths += 1
        return self.kind


class FaultyAccount:
    """An account on the board in memory, any call to which can fail."""

    def __init__(self, machine: Machine, account: Account) -> None:
        self._machine = machine
        self._board = machine.board(account)

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        return self._call("board POST", lambda: self._board.create(body, seconds))

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        return self._call("board GET", lambda: self._board.retrieve(board_import_id, seconds), board_import_id)

    def delete_postings(self, reference_numbers: Sequence[str], seconds: float) -> None:
        self._call("board DELETE", lambda: self._board.delete_postings(reference_numbers, seconds))

    def _call[T](self, name: str, call: Callable[[], T], subject: str = "") -> T:
        interference = self._machine.interference
        kind = interference.strikes(Call(name, _EVERY | {UNAUTHORIZED}, subject))
        match kind:
            case "refused":
                raise BoardUnreachableError("503", None, 503)
            case "unauthorized":
                raise BoardRefusedError("401", 401)
            case "timeout before":
                raise BoardUnknownError("reset")
            case "killed before":
                interference.kill()
        answer = call()
        if kind == KILLED_AFTER:
            interference.kill()
        if kind == TIMEOUT_AFTER:
            raise BoardUnknownError("timed out")
        return answer


class Context:
    """Lambda's context."""

    function_name = "function"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn"

    def __init__(self, machine: Machine, request_id: str, timeout: float) -> None:
        self.aws_request_id = request_id
        self._machine = machine
        self._end = machine.now + timedelta(seconds=timeout)

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - self._machine.now).total_seconds() * 1000)


class Machine:
    """The functions and what they run on. Made by `running`."""

    def __init__(self, stack: Stack, cloud: InProcess) -> None:
        self.stack = stack
        self.cloud = cloud
        self.now = START
        self.board = MemoryBoard([KEY], lambda: self.now)
        self.board.before_create = _make_refusable
        self.board.after_create = lambda _: self.board.process()
        self.interference = Interference()
        #: Is called for each call with its function, service, operation and parameters.
        self.watch: Callable[[str, str, str, dict[str, Any]], object] | None = None
        #: The states after the steps that were played.
        self._played: dict[Any, Saved] = {}
        self._running = ""
        self._processes: dict[str, ModuleType] = {}
        self._delivered = 0
        self.queue: list[tuple[str, Any]] = []
        self.dead_letters: list[Any] = []
        self.table = stack.resource("ImportsTable").ref
        self.bucket = stack.resource("FeedsBucket").ref
        self._topic = stack.resource("NoticesTopic").ref
        (mapping,) = stack.of_type("AWS::Lambda::EventSourceMapping")
        self._mapping = mapping.properties
        self._filters = [json.loads(each["Pattern"]) for each in mapping.properties["FilterCriteria"]["Filters"]]

    # Time

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # Calls

    def call(self, real: Callable[..., Any], client: BaseClient, operation: str, params: dict[str, Any]) -> Any:
        """Make a call of boto3, with its fault if it has one."""
        service = client.meta.service_model.service_name
        if not self._running:
            return real(client, operation, params)
        if self.watch is not None:
            self.watch(self._running, service, operation, params)
        interference = self.interference
        more = {_MORE[operation]} if operation in _MORE else set()
        kind = interference.strikes(Call(_describe(operation, params), _EVERY | more, _subject(operation, params)))
        match kind:
            case "refused":
                code = _THROTTLED.get(service, "ThrottlingException")
                raise ClientError({"Error": {"Code": code, "Message": "slower"}}, operation)
            case "timeout before":
                raise ReadTimeoutError(endpoint_url=service)
            case "killed before":
                interference.kill()
            case "conflict":
                reasons = [{"Code": "ConditionalCheckFailed"}, *({"Code": "None"} for _ in params["TransactItems"][1:])]
                error = {"Code": "TransactionCanceledException", "Message": "canceled"}
                raise ClientError({"Error": error, "CancellationReasons": reasons}, operation)  # type: ignore[typeddict-unknown-key]
        if service == "lambda":
            self.queue.append((params["FunctionName"], json.loads(params["Payload"])))
            answer: Any = {"StatusCode": 202}
        elif kind == LEFT_OVER:
            ((name, writes),) = params["RequestItems"].items()
            half = len(writes) // 2
            if half:
                real(client, operation, {"RequestItems": {name: writes[:half]}})
            answer = {"UnprocessedItems": {name: writes[half:]}}
        else:
            answer = real(client, operation, params)
        match kind:
            case "killed after":
                interference.kill()
            case "timeout after":
                raise ReadTimeoutError(endpoint_url=service)
            case "cut off":
                answer = answer | {"Body": _Cut(answer["Body"].read())}
        return answer

    # Functions

    def invoke(self, name: str, event: Any, request_id: str = "") -> Any:
        """Run a function once. Raise what it raises, or Killed if the process was killed."""
        resource = self.stack.resource(f"{name}Function")
        if name not in self._processes:
            self._processes[name] = _start(name, self)
        context = Context(self, request_id, float(resource.properties["Timeout"]))
        before, self._running = self._running, name
        try:
            answer = self._processes[name].handler(json.loads(json.dumps(event)), context)
            self.interference.require_life()  # a thread may have been killed, and that is the process
        except Killed:
            del self._processes[name]
            raise
        finally:
            self._running = before
            self.interference.dead = False
        return json.loads(json.dumps(answer))

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Act while a function is waiting, without counting these calls as its own."""
        interference, self.interference = self.interference, Interference()
        act()
        self.interference = interference

    def tries(self, name: str, event: Any, request_id: str, waits: tuple[int, ...] = (0, 60, 120)) -> bool:
        """Run a function asynchronously, with Lambda's retries; return whether one succeeded. Otherwise the event is a dead letter."""
        for wait in waits:
            self.pass_time(wait)
            if self.once(name, event, request_id):
                return True
        self.dead_letters.append(event)
        return False

    def once(self, name: str, event: Any, request_id: str) -> bool:
        """Run a function once and return whether it succeeded."""
        try:
            self.invoke(name, event, request_id)
        except (Killed, Exception):  # noqa: BLE001  # Lambda retries after any error
            return False
        return True

    def submit_event(self) -> dict[str, Any]:
        return {"feed": "default", "scheduledAt": rfc3339(self.now)[:19] + "Z"}

    def poll(self) -> bool:
        """Run the poller and what it starts; return whether the poller succeeded."""
        succeeded = self.once("PollImports", {}, f"poll at {self.now}")
        while self.queue:
            name, event = self.queue.pop(0)
            self.tries(self.short(name), event, f"{event} at {self.now}")
        return succeeded

    def short(self, name: str) -> str:
        return next(each for each in FOLDERS if self.stack.resource(f"{each}Function").ref == name)

    def call_back(self, tries: int = 4) -> bool:
        """Deliver the callbacks of all imports, with retries; return whether all were taken."""
        taken = [self._deliver(made, request.callback_url, tries) for made, request in self.board.requests]
        return all(taken)

    def _deliver(self, board_import_id: str, url: str, tries: int) -> bool:
        path, _, token = url.partition("?token=")
        event = {
            "version": "2.0",
            "pathParameters": {"importId": path.rsplit("/", 1)[1]},
            "queryStringParameters": {"token": token},
            "body": self.board.describe(board_import_id).decode(),
            "isBase64Encoded": False,
        }
        for _ in range(tries):
            self.pass_time(1)
            try:
                answer = self.invoke("ReceiveCallback", event)
            except (Killed, Exception):  # noqa: BLE001  # the API answers 500
                continue
            if answer["statusCode"] in (200, 409):
                return True
        return False

    def deliver_stream(self) -> None:
        """Deliver the stream to PublishNotice as the template's mapping says."""
        records = [each for each in self.stream() if any(matches(one, each) for one in self._filters)]
        while self._delivered < len(records):
            batch = records[self._delivered : self._delivered + self._mapping["BatchSize"]]
            for _ in range(self._mapping["MaximumRetryAttempts"] + 1):
                done = self._publish(batch)
                self._delivered += done
                batch = batch[done:]
                if not batch:
                    break
            else:
                self.dead_letters.append(batch)
                self._delivered += len(batch)

    def _publish(self, batch: list[Any]) -> int:
        """Run PublishNotice and return how many records of the batch are done."""
        try:
            answer = self.invoke("PublishNotice", {"Records": batch})
        except (Killed, Exception):  # noqa: BLE001  # Lambda retries the batch
            return 0
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        numbers = [each["dynamodb"]["SequenceNumber"] for each in batch]
        return min((numbers.index(each) for each in failed), default=len(batch))

    # What is there

    def _table(self) -> Any:
        from moto.dynamodb.models import dynamodb_backends

        return dynamodb_backends[ACCOUNT][REGION].tables[self.table]

    def _moto_topic(self) -> Any:
        from moto.sns.models import sns_backends

        return sns_backends[ACCOUNT][REGION].topics[self._topic]

    def stream(self) -> list[dict[str, Any]]:
        """Return the records of the table's stream, but for the time of the real clock in them."""
        records = [each.to_json() for each in self._table().stream_shard.items]
        return [
            each | {"dynamodb": {name: value for name, value in each["dynamodb"].items() if name != _REAL_TIME}}
            for each in records
        ]

    def items(self) -> list[dict[str, Any]]:
        found = [item.to_json()["Attributes"] for items in self._table().items.values() for item in items.values()]
        return sorted(found, key=lambda item: (item["importId"]["S"], item["item"]["S"]))

    @property
    def notices(self) -> list[Any]:
        return list(self._moto_topic().sent_notifications)

    def _objects(self) -> Any:
        from moto.s3.models import s3_backends

        return s3_backends[ACCOUNT]["aws"].buckets[self.bucket].keys

    def object(self, key: str) -> bytes:
        body = self.cloud.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        assert isinstance(body, bytes)
        return body

    def delete_archive(self) -> None:
        """Delete what the bucket's lifecycle rule deletes after 90 days."""
        s3 = self.cloud.client("s3")
        for each in s3.list_objects_v2(Bucket=self.bucket, Prefix="archive/")["Contents"]:
            s3.delete_object(Bucket=self.bucket, Key=each["Key"])

    def put(self, key: str, body: bytes) -> None:
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    # Saved states

    def save(self) -> Saved:
        table = self._table()
        return Saved(
            now=self.now,
            items={key: dict(items) for key, items in table.items.items()},
            stream=list(table.stream_shard.items),
            objects={key: list(versions) for key, versions in dict.items(self._objects())},
            board=self.board.copy(),
            notices=self.notices,
            delivered=self._delivered,
            queue=list(self.queue),
            dead_letters=list(self.dead_letters),
        )

    def restore(self, saved: Saved) -> Self:
        """Return to a saved state, with no process running."""
        table = self._table()
        table.items.clear()
        table.items.update({key: dict(items) for key, items in saved.items.items()})
        table.stream_shard.items = list(saved.stream)
        objects = self._objects()
        dict.clear(objects)
        dict.update(objects, {key: list(versions) for key, versions in saved.objects.items()})
        self.board = saved.board.copy()
        self._moto_topic().sent_notifications[:] = saved.notices
        self.now, self._delivered = saved.now, saved.delivered
        self.queue, self.dead_letters = list(saved.queue), list(saved.dead_letters)
        self._processes.clear()
        self.interference = Interference()
        return self

    def play(self, saved: Saved, step: Callable[[Machine], object]) -> Saved:
        """Return the state after a step, for which new processes are started. From equal states it is taken only once."""
        beginning = saved, step, saved.board.after_create  # which a scene may replace
        if beginning not in self._played:
            self.restore(saved)
            step(self)
            self._played[beginning] = self.save()
        return self._played[beginning]

    def forget(self) -> None:
        """Empty the stream, the notices and the callbacks."""
        self._table().stream_shard.items = []
        self._moto_topic().sent_notifications.clear()
        self._delivered = 0
        self.board.requests.clear()


class _Cut:
    """A body whose connection breaks half way. As in urllib3, a read that gets too little fails."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content[: len(content) // 2])

    def read(self, size: int | None = None) -> bytes:
        content = self._content.read(size)
        if size is None or len(content) < size:
            raise ResponseStreamingError(error="cut")
        return content

    def close(self) -> None:
        self._content.close()


def _make_refusable(request: Request) -> None:
    """Make the board refuse jobs with the title "Refused", which a feed's own check lets through."""
    for job in request.jobs:
        if job.get("title") == "Refused":
            job["state"] = "MC"


def _describe(operation: str, params: dict[str, Any]) -> str:
    """Describe a call and its subject in a few words."""

    def item(key: dict[str, Any]) -> str:
        return str(key["item"]["S"]).partition("#")[0]

    match operation:
        case "GetItem":
            what = item(params["Key"])
        case "TransactWriteItems":
            what = ", ".join(item(each["Put"]["Item"]) for each in params["TransactItems"])
        case "BatchWriteItem":
            ((_, writes),) = params["RequestItems"].items()
            requests = [next(iter(each.items())) for each in writes]
            what = f"{item(requests[0][1].get('Item') or requests[0][1]['Key'])}, {requests[0][0][:3].lower()}"
        case "Query":
            kind = params["ExpressionAttributeValues"].get(":kind", {"S": ""})["S"].rstrip("#")
            what = params.get("IndexName", kind)
        case "GetObject" | "PutObject":
            what = re.sub(r"default-[0-9TZ]+([.][0-9a-f]{10})?", "…", params["Key"])
        case "ListObjectsV2":
            what = params["Prefix"]
        case "GetSecretValue":
            what = params["SecretId"].rpartition(":")[2].rpartition("/")[2].partition("-")[0]
        case "Invoke":
            what = json.loads(params["Payload"]).keys() - {"feed"}
            what = ", ".join(what)
        case _:
            what = ""
    return f"{operation} {what}".strip()


def _subject(operation: str, params: dict[str, Any]) -> str:
    """Return the id or key of what a call is about."""
    match operation:
        case "GetItem":
            return str(params["Key"]["importId"]["S"])
        case "TransactWriteItems":
            return str(params["TransactItems"][0]["Put"]["Item"]["importId"]["S"])
        case "BatchWriteItem":
            ((_, writes),) = params["RequestItems"].items()
            request = next(iter(writes[0].values()))
            return str((request.get("Item") or request["Key"])["importId"]["S"])
        case "Query":
            return str(params["ExpressionAttributeValues"].get(":id", {"S": ""})["S"])
        case "GetObject":
            return str(params["Key"])
        case _:
            return ""


def _start(name: str, machine: Machine) -> ModuleType:
    """Start a new process of a function."""
    path = TEMPLATE.parent / "functions" / FOLDERS[name] / "app.py"
    spec = importlib.util.spec_from_file_location(f"app_of_{FOLDERS[name]}", path)
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    app.datetime = _clock(machine)  # type: ignore[attr-defined]
    if name == "SubmitImport":
        app.world = replace(app.world, sleep=machine.pass_time)  # type: ignore[attr-defined]
    return app


def _clock(machine: Machine) -> type[datetime]:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return machine.now.astimezone(tz)

    return Clock


@contextmanager
def running(*, shortened: bool = True) -> Iterator[Machine]:
    """Make a machine with all resources of the template, and with shortcuts to moto unless a test compares them."""
    with in_process() as (stack, cloud), pytest.MonkeyPatch.context() as patch:
        machine = Machine(stack, cloud)
        for name in FOLDERS:
            variables = stack.resource(f"{name}Function").properties["Environment"]["Variables"]
            for variable, value in variables.items():
                patch.setenv(variable, value)
        patch.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
        patch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
        if shortened:
            shortcuts.install(patch)
        real = BaseClient._make_api_call
        patch.setattr(BaseClient, "_make_api_call", lambda client, *call: machine.call(real, client, *call))
        patch.setattr(boto3, "client", lambda service, **_: cloud.client(service))
        patch.setattr(http_board, "HttpBoard", lambda account: FaultyAccount(machine, account))
        patch.setattr(runs, "datetime", _clock(machine))
        # Its clock and its sleep are defaults of arguments, which it has had since it was imported.
        own_time = {"clock": lambda: machine.now.timestamp(), "sleep": machine.pass_time}
        patch.setattr(NoticesTopic, "__init__", partialmethod(NoticesTopic.__init__, **own_time))
        patch.setattr(time, "sleep", machine.pass_time)
        patch.setattr(random, "uniform", lambda _, longest: longest)
        try:
            yield machine
        finally:
            # Powertools has one logger for a name in a process, with the level that it was first given.
            logging.Logger.manager.loggerDict.pop(NAME, None)
