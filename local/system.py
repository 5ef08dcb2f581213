"""The whole system on this machine, made from the real template. `make demo`, `make serve` and system tests run it."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
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
from local.functions import FunctionError, Functions, InvocationResult
from local.http_api import HttpApi
from local.invocations import Invocations
from local.lambda_api import LambdaApi
from local.resources import Resources
from local.stream import StreamReader
from local.template import Resource, Stack, expand

API_KEY: Final = "sandbox-api-key-5QK2vZ8w"
#: With it, the tokens in events/callback*.json are valid.
SIGNING_KEY: Final = "local-signing-key"
AGENCY: Final = "Demo Agency"
STACK: Final = "jobferry"
_CHECK_SECONDS: Final = 0.05
#: What a wait may take. On a busy machine, everything takes many times as long.
PATIENCE: Final = 120.0


def wait_until(holds: Callable[[], object], otherwise: Callable[[], str], seconds: float = PATIENCE) -> None:
    """Wait until `holds` returns something true. Raises TimeoutError with what `otherwise` says."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(otherwise())
        time.sleep(_CHECK_SECONDS)


@dataclass(frozen=True)
class PublishedNotice:
    """A message on the topic. `versions` holds its text for each protocol, including `default`."""

    subject: str
    versions: Mapping[str, str]
    attributes: Mapping[str, str]

    @property
    def text(self) -> str:
        """Return what a person receives by e-mail."""
        return self.versions.get("email", self.versions["default"])


class LocalSystem:
    """Runs jobferry on this machine during its `with` block.

    Args:
        template: the template. The code of its functions and layers is found relative to it.
        folder: where the functions' logs go. Without it, they go to a temporary folder that is deleted at the end.
        seed: fixes the board's ids.
        speed: divides all waits of Lambda and EventBridge. With 60, minutes become seconds.
        callbacks: whether the board sends callbacks.
        poller: whether PollImports runs at its rate (divided by `speed`). `poll()` runs it in any case.
        parameters: parameters of the template, besides `BoardUrl`, which is the sandbox board's URL.
        automatic: whether uploads, the stream and the poller's rate start functions.
        board_host: this machine's name in the board's URL.
        processing_seconds: how long the board takes to process an import.
    """

    def __init__(
        self,
        *,
        template: Path = ROOT / "template.yaml",
        folder: Path | None = None,
        seed: int | None = None,
        speed: float = 60,
        callbacks: bool = True,
        poller: bool = False,
        parameters: Mapping[str, str] | None = None,
        automatic: bool = True,
        board_host: str = "127.0.0.1",
        processing_seconds: float = 0.2,
    ) -> None:
        self._template = template
        self._folder = folder
        self._speed = speed
        self._poller = poller
        self._parameters = dict(parameters or {})
        self._automatic = automatic
        self._stopping = threading.Event()
        self._ending = ExitStack()
        self._dead_letters: list[Any] = []
        self.board = SandboxBoard(
            {API_KEY: AGENCY},
            host=board_host,
            seed=seed,
            processing_seconds=processing_seconds,
            callback_timeout=PATIENCE,  # on a busy machine, a function takes long to start
        )
        if not callbacks:
            self.board.faults.add(Fault("no_callback", times=None))

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
        self.cloud = ending.enter_context(Cloud())  # starts while the template is expanded
        ending.enter_context(self.board)
        self.http_api = ending.enter_context(HttpApi())
        self.lambda_api = ending.enter_context(LambdaApi())
        self.stack = self._make_stack()
        self.functions = ending.enter_context(
            Functions(self.stack, self._template.parent, self.endpoints(), self.logs_folder)
        )
        self.invocations = Invocations(self.stack, self.functions, self.cloud, self._speed, self._stopping)
        self.lambda_api.connect(self.functions, self.invocations)
        for api in self.stack.of_type("AWS::ApiGatewayV2::Api"):
            self.http_api.connect(api, self.functions)
        if self._automatic:
            self._run_events(ending)
        # The stack unwinds backwards: first nothing new starts, then running functions are killed, then threads are joined.
        ending.callback(self.invocations.wait_until_idle, 10)
        ending.callback(self.functions.stop)
        ending.callback(self._stopping.set)

    def _make_stack(self) -> Stack:
        expanded = expand(self._template)
        resources = Resources(self.cloud, STACK, self.http_api.url)
        stack = Stack(STACK, expanded, {"BoardUrl": self.board.url} | self._parameters, resources.make)
        for secret, value in (("BoardApiKey", API_KEY), ("CallbackSigningKey", SIGNING_KEY)):
            self.cloud.client("secretsmanager").put_secret_value(
                SecretId=stack.resource(secret).ref, SecretString=value
            )
        return stack

    def _run_events(self, ending: ExitStack) -> None:
        for mapping in self.stack.of_type("AWS::Lambda::EventSourceMapping"):
            function = self.functions[mapping.properties["FunctionName"]]
            reader = StreamReader(mapping, function, self.stack, self.cloud, self._speed, self._stopping)
            reader.start()
            ending.callback(reader.join)
        bus = events.Bus(self.stack, self.cloud, self.invocations.start, self._stopping)
        bus.start()
        ending.callback(bus.join)
        if self._poller:
            for rule in self._rules_with_a_rate():
                thread = threading.Thread(target=self._fire_at_rate, args=[rule], name="rule", daemon=True)
                thread.start()
                ending.callback(thread.join)

    def _rules_with_a_rate(self) -> list[Resource]:
        return [
            rule for rule in self.stack.of_type("AWS::Events::Rule") if events.period(rule) and events.enabled(rule)
        ]

    def _fire_at_rate(self, rule: Resource) -> None:
        while not self._stopping.wait((events.period(rule) or 0) / self._speed):
            for target in rule.properties["Targets"]:
                self.invocations.start(target["Arn"], events.scheduled_event(rule, datetime.now(UTC)))

    def endpoints(self) -> dict[str, str]:
        """Return the environment variables that make boto3 and the AWS CLI use this system."""
        return {"AWS_ENDPOINT_URL": self.cloud.url, "AWS_ENDPOINT_URL_LAMBDA": self.lambda_api.url}

    # Events

    def put_feed(self, key: str, body: bytes) -> None:
        """Put an object into the bucket. This starts an import if the template's rule for uploads is enabled."""
        self.cloud.client("s3").put_object(Bucket=self.stack.resource("FeedsBucket").ref, Key=key, Body=body)

    def put_item(self, item: Mapping[str, Any]) -> None:
        """Put an item, in DynamoDB's JSON, into the table."""
        self.cloud.client("dynamodb").put_item(TableName=self._table, Item=item)

    def fire_schedule(self, at: datetime) -> Future[InvocationResult]:
        """Send the nightly schedule's event with this time."""
        schedule = self.stack.resource("SubmitImportFunctionNightly")
        return self.invocations.start(schedule.properties["Target"]["Arn"], events.scheduled_input(schedule, at))

    def poll(self) -> Any:
        """Run PollImports once, as its rule does, and return its answer. Raises FunctionError."""
        return self.invoke(*self.poll_event())

    def poll_event(self) -> tuple[str, Any]:
        """Return the function that the one rule with a rate starts, and the event that it sends."""
        [rule] = self._rules_with_a_rate()
        [target] = rule.properties["Targets"]
        return target["Arn"], events.scheduled_event(rule, datetime.now(UTC))

    def invoke(self, function: str, event: Any) -> Any:
        """Run a function, such as SubmitImport, and return its answer. Raises FunctionError if it fails."""
        outcome = self.functions[function].invoke(event)
        if outcome.failed:
            raise FunctionError(function, outcome.payload)
        return outcome.payload

    def invoke_async(self, function: str, event: Any) -> Future[InvocationResult]:
        """Invoke a function asynchronously, with Lambda's retries. The future holds the last outcome."""
        return self.invocations.start(function, event)

    def add_account(self, name: str, api_key: str) -> None:
        """Add an account to the board, and the secret of the same name with its API key."""
        self.board.api_keys[api_key] = name
        secret = f"{self.stack.name}/accounts/{name}"
        self.cloud.client("secretsmanager").create_secret(Name=secret, SecretString=api_key)

    def crash(self, function: str) -> None:
        """Kill the function's processes, even busy ones."""
        self.functions[function].crash()

    # Results

    def record(self, import_id: str) -> dict[str, Any] | None:
        """Return the import's record, or None. Numbers are int or float."""
        key = {"importId": {"S": import_id}, "item": {"S": "import"}}
        answer = self.cloud.client("dynamodb").get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return plain_item(answer["Item"]) if "Item" in answer else None

    def items(self, import_id: str) -> list[dict[str, Any]]:
        """Return every item of the import, ordered by sort key: `error#…`, `import`, `invalid#…`."""
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
        """Return the record of every import, oldest first."""
        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=self._table)
        records = [plain_item(item) for page in pages for item in page["Items"] if item["item"] == {"S": "import"}]
        return sorted(records, key=lambda record: str(record["createdAt"]))

    def wait_for_import(
        self, import_id: str, states: Collection[str] = ("complete",), timeout: float = PATIENCE
    ) -> dict[str, Any]:
        """Wait until the import is in one of the states, and return its record. Raises TimeoutError."""

        def state() -> str:
            return str((self.record(import_id) or {}).get("state", "missing"))

        wait_until(lambda: state() in states, lambda: f"{import_id} is {state()}, not {' or '.join(states)}", timeout)
        return self.record(import_id) or {}

    def notices(self) -> list[PublishedNotice]:
        """Return what was published on the topic, oldest first."""
        return [_notice(each) for each in self.cloud.published(self.stack.resource("NoticesTopic").ref)]

    def wait_for_notices(self, count: int, timeout: float = PATIENCE) -> list[PublishedNotice]:
        """Wait until there are at least this many notices, and return all. Raises TimeoutError."""
        wait_until(
            lambda: len(self.notices()) >= count,
            lambda: f"{len(self.notices())} notices were published, not {count}",
            timeout,
        )
        return self.notices()

    def wait_until_notified(self, import_id: str, timeout: float = PATIENCE) -> None:
        """Wait until the import's record says that its notice was published. Raises TimeoutError."""
        wait_until(
            lambda: (self.record(import_id) or {}).get("notifiedAt"),
            lambda: f"no notice of {import_id} was published",
            timeout,
        )

    def wait_until_idle(self, timeout: float = PATIENCE) -> None:
        """Wait until no asynchronous invocation is running or waiting for a retry. Raises TimeoutError."""
        if not self.invocations.wait_until_idle(timeout):
            raise TimeoutError("an invocation is still running")

    def dead_letters(self) -> list[Any]:
        """Return the events that failed on every attempt, oldest first."""
        sqs, queue = self.cloud.client("sqs"), self.stack.resource("DeadLetterQueue").ref
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._dead_letters.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return list(self._dead_letters)

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the bucket's objects by key."""
        s3, bucket = self.cloud.client("s3"), self.stack.resource("FeedsBucket").ref
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def logs(self, function: str | None = None) -> str:
        """Return the log of one function, or of all."""
        chosen = [self.functions[function]] if function else list(self.functions)
        return "".join(each.log.read_text(errors="replace") for each in chosen if each.log.exists())

    @property
    def _table(self) -> str:
        return self.stack.resource("ImportsTable").ref


def _notice(published: Mapping[str, Any]) -> PublishedNotice:
    message = published["message"]
    versions = json.loads(message) if message.startswith("{") else {"default": message}
    attributes = {name: str(value.get("Value", value)) for name, value in (published["attributes"] or {}).items()}
    return PublishedNotice(published["subject"] or "", versions, attributes)
