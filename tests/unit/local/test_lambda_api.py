"""Lambda's Invoke API, as boto3 in the functions calls it."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from local.functions import InvocationResult
from local.lambda_api import LambdaApi

STARTED: list[Any] = []


class Function:
    name = "F"

    def invoke(self, event: Any) -> InvocationResult:
        return InvocationResult("r", event, failed="fail" in event)


class Invocations:
    def start(self, name: str, event: Any) -> None:
        STARTED.append((name, event))


@pytest.fixture(scope="module")
def api() -> Iterator[LambdaApi]:
    with LambdaApi("127.0.0.1") as api:
        api.connect({"F": Function(), "arn:aws:lambda:f": Function()}, Invocations())  # type: ignore[arg-type]
        yield api


@pytest.fixture(scope="module")
def client(api: LambdaApi) -> Any:
    return boto3.Session("local", "local", region_name="us-east-1").client("lambda", endpoint_url=api.url)


@pytest.mark.parametrize("name", ["F", "arn:aws:lambda:f"])
def test_a_synchronous_invocation_returns_what_the_function_returned(client: Any, name: str) -> None:
    answer = client.invoke(FunctionName=name, Payload=b'{"a": 1}')
    assert (answer["StatusCode"], answer["Payload"].read(), answer.get("FunctionError")) == (200, b'{"a": 1}', None)


def test_a_synchronous_invocation_says_that_the_function_failed(client: Any) -> None:
    assert client.invoke(FunctionName="F", Payload=b'{"fail": 1}')["FunctionError"] == "Unhandled"


def test_an_asynchronous_invocation_is_started(client: Any) -> None:
    assert client.invoke(FunctionName="F", InvocationType="Event", Payload=b'{"a": 2}')["StatusCode"] == 202
    assert STARTED == [("F", {"a": 2})]


def test_another_operation_is_refused(client: Any) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_function(FunctionName="F")


@pytest.mark.parametrize(
    ("name", "body", "kind", "status", "error"),
    [
        ("Unknown", b"{}", "Event", 404, "ResourceNotFoundException"),
        ("F", b"{", "Event", 400, "InvalidRequestContentException"),
        ("F", b'"' + b"x" * 2**20 + b'"', "Event", 413, "RequestTooLargeException"),
        ("F", b'"' + b"x" * 6 * 2**20 + b'"', "RequestResponse", 413, "RequestTooLargeException"),
    ],
    ids=["unknown", "not-json", "event-too-large", "request-too-large"],
)
def test_refused_invocations(api: LambdaApi, name: str, body: bytes, kind: str, status: int, error: str) -> None:
    url = f"{api.url}/2015-03-31/functions/{name}/invocations"
    answer = requests.post(url, body, headers={"X-Amz-Invocation-Type": kind}, timeout=10)
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (status, error)
