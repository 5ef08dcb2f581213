"""The whole system on this machine, made from the real template: what `make demo`, `make serve` and the system tests run."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from local import ROOT, events
from local.board import Fault, SandboxBoard
from local.cloud import Cloud
from local.dynamodb_items import plain_item
from local.functions import FunctionError, Functions, Outcome
from local.http_api import HttpApi
from local.invocations import Invocations
from local.lambda_api import LambdaApi
from local.resources import Resources
from local.stream import StreamReader
from local.template import Resource, Stack, expand

API_KEY: Final = "sandbox-api-key-5QK2vZ8w"
AGENCY: Final = "Demo Agency"
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Notice:
    """A message on the topic. `versions` are its texts by protocol, `default` among them."""

    subject: str
    versions: Mapping[str, str]
    attributes: Mapping[str, str]

    @property
    def text(self) -> str:
        """What a person gets by e-mail."""
        return self.versions.get("email", self.versions["default"])


class LocalSystem:
    """jobferry on this machine, from entering to leaving the `with` block.

    Args:
        template: its functions and layers are found beside it.
        folder: where the functions' logs go; a temporary one, gone at the end, if not given.
        seed: of the board's ids.
        speed: what Lambda and EventBridge wait is divided by it. 60 makes seconds of minutes.
        callbacks: whether the board sends any.
        poller: whether PollImports runs at its rate (by `speed`); `poll()` runs it in any case.
        parameters: of the template, beside `BoardUrl`, which is the sandbox board's.
        host: what the servers bind to; 0.0.0.0 to be reached from containers.
        processing_seconds: how long the board takes for an import.
    """

    def __init__(
        self,
        *,
        template: Path = ROOT / "template.yaml",
        folder: Path | None = None,
        stack: str = "jobferry",
        seed: int | None = None,
        speed: float = 60,
        callbacks: bool = True,
        poller: bool = False,
        parameters: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        processing_seconds: float = 0.2,
    ) -> None:
        self._template = template
        self._folder = folder
        self._stack_name = stack
        self._speed = speed
        self._poller = poller
        self._given = dict(parameters or {})
        self._host = host
        self._stopping = threading.Event()
        self._ending = ExitStack()
        self._dead_letters: list[Any] = []
        self.board = SandboxBoard({API_KEY: AGENCY}, host=host, seed=seed, processing_seconds=processing_seconds)
        if not callbacks:
            self.board.faults.add(Fault("no_callback", times=None))

    # Life

    def __enter__(self) -> Self:
        with ExitStack() as ending:
            self._start(ending)
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def _start(self, ending: ExitStack) -> None:
        folder = self._folder or Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="jobferry-")))
        self.logs_folder = folder / "logs"
        self.logs_folder.mkdir(parents=True, exist_ok=True)
        for old in self.logs_folder.glob("*.log"):
            old.unlink()
        self.cloud = ending.enter_context(Cloud(self._host))  # starts while the template is expanded
        ending.enter_context(self.board)
        self.http_api = ending.enter_context(HttpApi(self._host))
        self.lambda_api = ending.enter_context(LambdaApi(self._host))
        self.stack = self._make_stack()
        self.functions = ending.enter_context(
            Functions(self.stack, self._template.parent, self.endpoints(), self.logs_folder)
        )
        self.invocations = Invocations(self.stack, self.functions, self.cloud, self._speed, self._stopping)
        self.lambda_api.connect(self.functions, self.invocations)
        for api in self.stack.of_type("AWS::ApiGatewayV2::Api"):
            self.http_api.connect(api, self.functions)
        self._run_events(ending)

    def _make_stack(self) -> Stack:
        expanded = expand(self._template)
        parameters = self._given
        if "BoardUrl" in expanded.get("Parameters", {}):
            parameters = {"BoardUrl": self.board.url} | parameters
        resources = Resources(self.cloud, self._stack_name, self.http_api.url)
        stack = Stack(self._stack_name, expanded, parameters, resources.make)
        if "BoardApiKey" in stack.resources:
            self.cloud.client("secretsmanager").put_secret_value(
                SecretId=stack.resource("BoardApiKey").ref, SecretString=API_KEY
            )
        return stack

    def _run_events(self, ending: ExitStack) -> None:
        # Leaving goes backwards: first nothing new is begun, then what runs is ended, then its threads are waited for.
        for mapping in self.stack.of_type("AWS::Lambda::EventSourceMapping"):
            function = self.functions[mapping.properties["FunctionName"]]
            reader = StreamReader(mapping, function, self.stack, self.cloud, self._speed, self._stopping)
            reader.start()
            ending.callback(reader.join)
        bus = events.Bus(self.stack, self.cloud, self.invocations.start, self._stopping)
        bus.start()
        ending.callback(bus.join)
        if self._poller:
            for rule in self._rules():
                thread = threading.Thread(target=self._fire, args=[rule], name="rule", daemon=True)
                thread.start()
                ending.callback(thread.join)
        ending.callback(self.invocations.wait_until_idle, 10)
        ending.callback(self.functions.stop)
        ending.callback(self._stopping.set)

    def _rules(self) -> list[Resource]:
        """Those that fire by themselves."""
        return [
            rule for rule in self.stack.of_type("AWS::Events::Rule") if events.period(rule) and events.enabled(rule)
        ]

    def _fire(self, rule: Resource) -> None:
        while not self._stopping.wait((events.period(rule) or 0) / self._speed):
            for target in rule.properties["Targets"]:
                self.invocations.start(target["Arn"], events.scheduled_event(rule, datetime.now(UTC)))

    def endpoints(self, reached_as: str = "127.0.0.1") -> dict[str, str]:
        """The environment variables that lead boto3 here, from where this machine is reached by that name."""
        return {
            "AWS_ENDPOINT_URL": self.cloud.url.replace("127.0.0.1", reached_as),
            "AWS_ENDPOINT_URL_LAMBDA": self.lambda_api.url.replace("127.0.0.1", reached_as),
        }

    # Events

    def put_feed(self, key: str, body: bytes) -> None:
        """Put an object into the bucket. Where the template's rule for uploads is enabled, it hears of it."""
        self.cloud.client("s3").put_object(Bucket=self.stack.resource("FeedsBucket").ref, Key=key, Body=body)

    def fire_schedule(
        self, at: datetime | None = None, schedule: str = "SubmitImportFunctionNightly"
    ) -> Future[Outcome]:
        """Send the schedule's event as at that time; now, if none is given. Seconds count, fractions are cut."""
        return self.invocations.start(*self.schedule_event(at or datetime.now(UTC), schedule))

    def schedule_event(self, at: datetime, schedule: str = "SubmitImportFunctionNightly") -> tuple[str, Any]:
        """The function that a schedule starts at that time, and what it sends."""
        resource = self.stack.resource(schedule)
        return resource.properties["Target"]["Arn"], events.scheduled_input(resource, at)

    def poll(self) -> Any:
        """Run PollImports once, as its rule does, and wait for its answer. Raises FunctionError."""
        function, event = self.poll_event()
        return self.invoke(function, event)

    def poll_event(self) -> tuple[str, Any]:
        """The function that the one rule with a rate starts, and what it sends."""
        [rule] = self._rules()
        [target] = rule.properties["Targets"]
        return target["Arn"], events.scheduled_event(rule, datetime.now(UTC))

    def invoke(self, function: str, event: Any) -> Any:
        """Run a function (SubmitImport, say) and return what it returned. Raises FunctionError when it fails."""
        outcome = self.functions[function].invoke(event)
        if outcome.failed:
            raise FunctionError(function, outcome.payload)
        return outcome.payload

    def invoke_async(self, function: str, event: Any) -> Future[Outcome]:
        """Run a function as Lambda does when nobody waits, with its retries; the future is the last outcome."""
        return self.invocations.start(function, event)

    def add_account(self, name: str, api_key: str) -> None:
        """An account on the board, named so, and the secret of that name under the stack's prefix which opens it."""
        self.board.api_keys[api_key] = name
        secret = f"{self.stack.name}/accounts/{name}"
        self.cloud.client("secretsmanager").create_secret(Name=secret, SecretString=api_key)

    def crash(self, function: str) -> None:
        """Kill the function's processes, whatever they are doing."""
        self.functions[function].crash()

    # What came of it

    def record(self, import_id: str) -> dict[str, Any] | None:
        """The import's record, None when there is none. Numbers are int or float."""
        key = {"importId": {"S": import_id}, "item": {"S": "import"}}
        answer = self.cloud.client("dynamodb").get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return plain_item(answer["Item"]) if "Item" in answer else None

    def items(self, import_id: str) -> list[dict[str, Any]]:
        """Every item of the import, by sort key: `error#…`, `import`, `invalid#…`."""
        pages = (
            self.cloud.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._table,
                KeyConditionExpression="importId = :id",
                ExpressionAttributeValues={":id": {"S": import_id}},
                ConsistentRead=True,
            )
        )
        return [plain_item(item) for page in pages for item in page["Items"]]

    def imports(self) -> list[dict[str, Any]]:
        """The record of every import, oldest first."""
        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=self._table)
        records = [plain_item(item) for page in pages for item in page["Items"] if item["item"] == {"S": "import"}]
        return sorted(records, key=lambda record: str(record["createdAt"]))

    def wait_for_import(
        self, import_id: str, states: Collection[str] = ("complete",), timeout: float = 20
    ) -> dict[str, Any]:
        """The record, once it is in one of the states. Raises TimeoutError, which says in which it is."""
        end = time.monotonic() + timeout
        while True:
            record = self.record(import_id)
            if record and record["state"] in states:
                return record
            if time.monotonic() > end:
                raise TimeoutError(
                    f"{import_id} is {record['state'] if record else 'not there'}, not {' or '.join(states)}"
                )
            time.sleep(_POLL_SECONDS)

    def notices(self) -> list[Notice]:
        """What was published on the topic, oldest first."""
        return [_notice(each) for each in self.cloud.published(self.stack.resource("NoticesTopic").ref)]

    def wait_for_notices(self, count: int, timeout: float = 20) -> list[Notice]:
        """The notices, once there are so many. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while len(notices := self.notices()) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"there are {len(notices)} notices, not {count}")
            time.sleep(_POLL_SECONDS)
        return notices

    def wait_until_told(self, import_id: str, timeout: float = 20) -> None:
        """Wait until the import's notice is out, and its record says so. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while not (self.record(import_id) or {}).get("notifiedAt"):
            if time.monotonic() > end:
                raise TimeoutError(f"nobody was told of {import_id}")
            time.sleep(_POLL_SECONDS)

    def wait_until_idle(self, timeout: float = 20) -> None:
        """Wait until no asynchronous invocation is under way or to be tried again. Raises TimeoutError."""
        if not self.invocations.wait_until_idle(timeout):
            raise TimeoutError("an invocation is still under way")

    def dead_letters(self) -> list[Any]:
        """What failed on every attempt, oldest first."""
        sqs, queue = self.cloud.client("sqs"), self.stack.resource("DeadLetterQueue").ref
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._dead_letters.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return list(self._dead_letters)

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """The bucket's objects by their keys."""
        s3, bucket = self.cloud.client("s3"), self.stack.resource("FeedsBucket").ref
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def logs(self, function: str | None = None) -> str:
        """What a function printed and logged, or all of them; with the names of those that call it so."""
        chosen = [self.functions[function]] if function else list(self.functions)
        return "".join(each.log.read_text(errors="replace") for each in chosen if each.log.exists())

    @property
    def _table(self) -> str:
        return self.stack.resource("ImportsTable").ref


def _notice(published: Mapping[str, Any]) -> Notice:
    message = published["message"]
    versions = json.loads(message) if message.startswith("{") else {"default": message}
    attributes = {name: str(value.get("Value", value)) for name, value in (published["attributes"] or {}).items()}
    return Notice(published["subject"] or "", versions, attributes)
