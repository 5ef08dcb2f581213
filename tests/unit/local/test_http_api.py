"""The HTTP API: requests become events of payload format 2.0, and what functions return becomes responses."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.functions import InvocationResult
from local.http_api import HttpApi, response
from local.template import Resource

ARN = "arn:aws:lambda:us-east-1:123456789012:function:F"
INTEGRATION = {"uri": f"arn:aws:apigateway:r:lambda:path/functions/{ARN}/invocations", "payloadFormatVersion": "2.0"}
API = Resource(
    "Api",
    "AWS::ApiGatewayV2::Api",
    {"Body": {"paths": {"/hooks/{name}": {"post": {"x-amazon-apigateway-integration": INTEGRATION}}}}},
    "the-api",
    {},
)


class Echo:
    """Returns the event as the body of a response, and fails if the event's body is `fail`."""

    def invoke(self, event: Any) -> InvocationResult:
        return InvocationResult("r", {"statusCode": 202, "body": json.dumps(event)}, failed=event.get("body") == "fail")


@pytest.fixture(scope="module")
def api() -> Iterator[HttpApi]:
    with HttpApi("127.0.0.1") as api:
        api.connect(API, {ARN: Echo()})  # type: ignore[arg-type]
        yield api


def test_a_request_becomes_an_event(api: HttpApi) -> None:
    answer = requests.post(f"{api.url}/hooks/a%20b?token=x%2Fy&token=z&empty=", json={"a": 1}, timeout=10)
    assert answer.status_code == 202
    event = answer.json()
    assert event["routeKey"] == "POST /hooks/{name}"
    assert event["rawPath"] == "/hooks/a%20b"
    assert event["rawQueryString"] == "token=x%2Fy&token=z&empty="
    assert event["queryStringParameters"] == {"token": "x/y,z", "empty": ""}
    assert event["pathParameters"] == {"name": "a b"}
    assert event["headers"]["content-type"] == "application/json"
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"


def test_a_binary_body_becomes_base64(api: HttpApi) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    event = requests.post(f"{api.url}/hooks/x", b"\xff\x00", headers=headers, timeout=10).json()
    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/hooks/x", b"", 404, "Not Found"),
        ("POST", "/hooks/x/y", b"", 404, "Not Found"),
        ("POST", "/", b"", 404, "Not Found"),
        ("POST", "/hooks/x", b"fail", 500, "Internal Server Error"),
        ("POST", "/hooks/x", b"x" * (10 * 2**20 + 1), 413, "Request Entity Too Large"),
        ("POST", "/hooks/x", b"x" * (6 * 2**20), 413, "Request Entity Too Large"),
    ],
    ids=["method", "path", "root", "function-error", "over-10-mb", "over-lambda's-6-mb"],
)
def test_the_api_answers_for_the_function(
    api: HttpApi, method: str, path: str, body: bytes, status: int, message: str
) -> None:
    answer = requests.request(method, api.url + path, data=body, headers={"Content-Type": "text/plain"}, timeout=10)
    assert (answer.status_code, answer.json()) == (status, {"message": message})


@pytest.mark.parametrize(
    ("payload", "status", "body", "content_type"),
    [
        ({"statusCode": 204}, 204, b"", "text/plain;charset=UTF-8"),
        ({"statusCode": "201", "body": "é", "headers": {"content-type": "a/b"}}, 201, "é".encode(), "a/b"),
        ({"statusCode": 200, "body": "/wA=", "isBase64Encoded": True}, 200, b"\xff\x00", "text/plain;charset=UTF-8"),
        ({"no": "status"}, 200, b'{"no": "status"}', "application/json"),
        ({"statusCode": "many"}, 500, b'{"message": "Internal Server Error"}', "application/json"),
        ({"statusCode": 200, "body": {}}, 200, b"", "text/plain;charset=UTF-8"),
        ({"statusCode": 200, "body": {"a": 1}}, 500, b'{"message": "Internal Server Error"}', "application/json"),
    ],
)
def test_what_a_function_returns_becomes_a_response(payload: Any, status: int, body: bytes, content_type: str) -> None:
    made = response(InvocationResult("r", payload))
    assert (made.status_code, made.get_data(), made.headers["Content-Type"]) == (status, body, content_type)
