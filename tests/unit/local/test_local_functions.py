"""Functions in processes of their own: what they see, how they fail, and how Lambda retries them."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.functions import Function, Functions, InvocationResult
from local.invocations import Invocations
from local.template import Properties, Stack

ROOT = Path(__file__).parents[3]
APP = """
import json, os, sys, time
import boto3, shared

count = 0

def handler(event, context):
    global count
    count += 1
    print("handling", json.dumps(event))
    match event:
        case {"fail": message}:
            raise ValueError(message)
        case {"exit": status}:
            os._exit(status)
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"send": url}:
            boto3.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    remaining = context.get_remaining_time_in_millis()
    return {"environment": dict(os.environ), "path": sys.path, "layer": shared.WORD, "count": count, "remaining": remaining}
"""
TEMPLATE = {
    "Resources": {
        "Role": {
            "Type": "Role",
            "Properties": {
                "Policies": [
                    {"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*:allowed"}]}}
                ]
            },
        },
        "Layer": {"Type": "Layer", "Properties": {"Content": {"S3Key": "layer"}}},
        "ActFunction": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "app.handler",
                "Timeout": 2,
                "Code": {"S3Key": "code"},
                "Layers": ["arn:Layer"],
                "Role": "arn:Role",
                "Environment": {"Variables": {"WORD": "w"}},
            },
        },
    }
}


def make(_type: str, logical_id: str, _properties: Properties) -> tuple[str, Mapping[str, str]]:
    return f"s-{logical_id}", {"Arn": f"arn:{logical_id}"}


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    folder = tmp_path_factory.mktemp("functions")
    for name, text in (("code/app.py", APP), ("layer/shared.py", 'WORD = "from the layer"')):
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    with Functions(Stack("s", TEMPLATE, {}, make), folder, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, folder) as all_:
        yield all_["Act"]


def test_a_function_has_its_environment_and_no_other(function: Function) -> None:
    found = function.invoke({}).payload
    environment = found["environment"]
    assert (environment["WORD"], environment["AWS_ENDPOINT_URL"]) == ("w", "http://127.0.0.1:9")
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "s-ActFunction"
    assert 1000 < found["remaining"] <= 2000
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert "PYTEST_CURRENT_TEST" not in environment


def test_a_function_finds_its_layer_but_not_this_repository(function: Function) -> None:
    found = function.invoke({}).payload
    assert found["layer"] == "from the layer"
    assert [Path(path).name for path in found["path"][:2]] == ["code", "layer"]
    assert str(ROOT) not in found["path"]


def test_a_process_is_kept_until_it_crashes(function: Function) -> None:
    first = function.invoke({}).payload["count"]
    assert function.invoke({}).payload["count"] == first + 1
    function.crash()
    assert function.invoke({}).payload["count"] == 1


@pytest.mark.parametrize(
    ("event", "error", "message"),
    [
        ({"fail": "no luck"}, "ValueError", "no luck"),
        ({"exit": 3}, "Runtime.ExitError", "Runtime exited with error"),
        ({"sleep": 5}, "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
    ],
)
def test_a_failure_is_described_as_lambda_describes_it(
    function: Function, event: Any, error: str, message: str
) -> None:
    outcome = function.invoke(event)
    assert (outcome.failed, outcome.payload["errorType"]) == (True, error)
    assert message in outcome.payload["errorMessage"]
    assert not function.invoke({}).failed


def test_what_a_function_prints_is_in_its_log(function: Function) -> None:
    function.invoke({"fail": "a word to find"})
    assert 'handling {"fail": "a word to find"}' in function.log.read_text()
    assert "[ERROR] ValueError: a word to find" in function.log.read_text()


def test_a_call_that_the_role_does_not_allow_is_refused(function: Function) -> None:
    refused = function.invoke({"send": "http://127.0.0.1:9/123456789012/other"}).payload["errorMessage"]
    assert "the role does not allow sqs:SendMessage on arn:aws:sqs:us-east-1:123456789012:other" in refused


# Asynchronous invocations


class FailingFunction:
    """Fails so many times."""

    name, arn = "F", "arn:F"

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.request_ids: list[str] = []

    def invoke(self, _event: Any, request_id: str) -> InvocationResult:
        self.request_ids.append(request_id)
        return InvocationResult(request_id, {"errorMessage": "no"}, failed=len(self.request_ids) <= self.failures)


class DeadLetterQueue:
    def __init__(self) -> None:
        self.letters: list[Any] = []

    def client(self, _service: str) -> "DeadLetterQueue":
        return self

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        self.letters.append((QueueUrl, json.loads(MessageBody)))


CONFIGURATION = {
    "Resources": {
        "Queue": {"Type": "Queue", "Properties": {}},
        "Configuration": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {"FunctionName": "F", "DestinationConfig": {"OnFailure": {"Destination": "arn:Queue"}}},
        },
    }
}


def invoke_asynchronously(function: FailingFunction) -> tuple[InvocationResult, list[Any]]:
    queue, stack = DeadLetterQueue(), Stack("s", CONFIGURATION, {}, make)
    invocations = Invocations(stack, {"F": function}, queue, 1e6, threading.Event())  # type: ignore[arg-type]
    outcome = invocations.start("F", {"feed": "f"}).result(10)
    assert invocations.wait_until_idle(10)
    return outcome, queue.letters


def test_an_asynchronous_invocation_is_retried_with_the_same_request_id() -> None:
    function = FailingFunction(2)
    outcome, letters = invoke_asynchronously(function)
    assert (outcome.failed, letters) == (False, [])
    assert function.request_ids == [outcome.request_id] * 3


def test_an_invocation_that_fails_on_every_try_becomes_a_dead_letter() -> None:
    function = FailingFunction(3)
    outcome, [(url, letter)] = invoke_asynchronously(function)
    assert (outcome.failed, len(function.request_ids), url) == (True, 3, "s-Queue")
    assert (letter["requestPayload"], letter["responsePayload"]) == ({"feed": "f"}, {"errorMessage": "no"})
    assert letter["requestContext"] == {
        "requestId": outcome.request_id,
        "functionArn": "arn:F:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
