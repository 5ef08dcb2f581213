"""The local system itself, on a little stack that has one of everything that it plays."""

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local.functions import FunctionError
from local.system import LocalSystem

LITTLE = Path(__file__).parent / "little" / "template.yaml"


@pytest.fixture(scope="module")
def system() -> Iterator[LocalSystem]:
    with LocalSystem(template=LITTLE, speed=1000, parameters={"ImportOnUpload": "true"}) as system:
        yield system


def about(system: LocalSystem) -> Any:
    return system.invoke("Act", {"about": "it"})


def test_a_function_has_its_environment_and_no_other(system: LocalSystem) -> None:
    found = about(system)
    environment = found["environment"]
    assert environment["BUCKET"] == system.stack.resource("FeedsBucket").ref
    assert environment["URL"] == f"{system.http_api.url}/hooks"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "jobferry-Act"
    assert found["context"][1:] == ["jobferry-Act", "256"]
    assert 1000 < found["remaining"] <= 2000
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert "PYTEST_CURRENT_TEST" not in environment


def test_a_function_finds_its_layer_and_not_this_repository(system: LocalSystem) -> None:
    found = about(system)
    assert found["layer"] == "from the layer"
    assert found["path"][:2] == [str(LITTLE.parent / "functions"), str(LITTLE.parent / "layer")]
    assert str(LITTLE.parents[3]) not in found["path"]


def test_a_process_is_kept_until_it_crashes(system: LocalSystem) -> None:
    first = about(system)["invocations"]
    assert about(system)["invocations"] == first + 1
    system.crash("Act")
    assert about(system)["invocations"] == 1


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"fail": "no luck"}, ("ValueError", "no luck")),
        ({"exit": 3}, ("Runtime.ExitError", "Runtime exited with error")),
        ({"sleep": 5}, ("Sandbox.Timedout", "Task timed out after 2.00 seconds")),
    ],
)
def test_failures_are_told_as_lambda_tells_them(system: LocalSystem, event: Any, error: tuple[str, str]) -> None:
    with pytest.raises(FunctionError) as raised:
        system.invoke("Act", event)
    assert raised.value.payload["errorType"] == error[0]
    assert error[1] in raised.value.payload["errorMessage"]
    assert about(system)["layer"], "the next invocation runs"


def test_what_a_function_prints_is_in_its_log(system: LocalSystem) -> None:
    with pytest.raises(FunctionError):
        system.invoke("Act", {"fail": "a word to find"})
    assert 'handling {"fail": "a word to find"}' in system.logs("Act")
    assert "[ERROR] ValueError: a word to find" in system.logs()


def test_a_retry_has_the_same_request_id(system: LocalSystem, tmp_path: Path) -> None:
    outcome = system.invoke_async("Act", {"failUntil": str(tmp_path / "flag")}).result(10)
    assert not outcome.failed
    assert outcome.payload == outcome.request_id
    assert system.logs("Act").count(f"START RequestId: {outcome.request_id}") == 2


def test_what_fails_on_every_try_is_a_dead_letter(system: LocalSystem) -> None:
    outcome = system.invoke_async("Act", {"fail": "for good"}).result(10)
    letter = system.dead_letters()[-1]
    assert letter["requestPayload"] == {"fail": "for good"}
    assert letter["responsePayload"]["errorMessage"] == "for good"
    assert letter["requestContext"] == {
        "requestId": outcome.request_id,
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:jobferry-Act:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert system.logs("Act").count(f"START RequestId: {outcome.request_id}") == 3


def test_boto3_in_a_function_invokes_functions_here(system: LocalSystem) -> None:
    system.invoke("Act", {"invoke": {"echo": "called by boto3"}})
    system.wait_until_idle()
    assert 'handling {"echo": "called by boto3"}' in system.logs("Act")


def test_the_schedule_fires_with_its_time(system: LocalSystem) -> None:
    at = datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert system.fire_schedule(at, "ActFunctionDaily").result(10).payload == {"echo": "2026-11-24T02:00:00Z"}


def test_the_rate_sends_a_scheduled_event(system: LocalSystem) -> None:
    event = system.poll()
    assert event["detail-type"] == "Scheduled Event"
    assert event["resources"] == [system.stack.resource("ActFunctionOften").arn]


def test_a_notice_is_read_as_it_was_published(system: LocalSystem) -> None:
    system.invoke("Act", {"publish": json.dumps({"default": "all", "email": "people", "sqs": '{"for": "programs"}'})})
    notice = system.wait_for_notices(1)[-1]
    assert (notice.subject, notice.text) == ("S", "people")
    assert notice.versions["sqs"] == '{"for": "programs"}'


def test_a_role_is_held_to(system: LocalSystem) -> None:
    system.invoke("Act", {"put": "allowed/x"})
    assert system.objects("allowed/") == {"allowed/x": b""}
    with pytest.raises(FunctionError, match=r"does not allow s3:PutObject on arn:aws:s3:::.*/other/x"):
        system.invoke("Act", {"put": "other/x"})
    assert system.objects("other/") == {}


def uploads(system: LocalSystem) -> dict[str, Any]:
    """The events that were sent for uploads, by key."""
    lines = [line.removeprefix("handling ") for line in system.logs("Act").splitlines() if "Object Created" in line]
    events = [json.loads(line) for line in lines]
    return {event["detail"]["object"]["key"]: event for event in events}


def test_an_upload_starts_what_its_rule_names(system: LocalSystem) -> None:
    system.put_feed("archive/no.json", b"[]")
    system.put_feed("feeds/a/jobs 1.json", b"[1]")
    deadline = time.monotonic() + 10
    while "feeds/a/jobs 1.json" not in uploads(system):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "archive/no.json" not in uploads(system)
    event = uploads(system)["feeds/a/jobs 1.json"]
    found = event["detail"]["object"]
    assert (found["size"], found["etag"]) == (3, "35dba5d75538a9bbe0b4da4422759a0e")
    assert found["version-id"]
    assert event["detail"]["reason"] == "PutObject"
    assert event["detail"]["bucket"] == {"name": system.stack.resource("FeedsBucket").ref}


# The HTTP API


def test_a_request_becomes_an_event_of_format_2(system: LocalSystem) -> None:
    answer = requests.post(f"{system.http_api.url}/hooks/a%20b?token=x%2Fy&token=z&empty=", json={"a": 1}, timeout=10)
    assert answer.status_code == 202
    assert answer.headers["X-Name"] == "a b"
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


def test_a_body_that_is_no_text_comes_as_base64(system: LocalSystem) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    event = requests.post(f"{system.http_api.url}/hooks/x", b"\xff\x00", headers=headers, timeout=10).json()
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
def test_what_the_api_itself_answers(
    system: LocalSystem, method: str, path: str, body: bytes, status: int, message: str
) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = requests.request(method, system.http_api.url + path, data=body, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()) == (status, {"message": message})


# Lambda's API


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "error"),
    [
        ("Nobody/invocations", b"{}", "Event", 404, "ResourceNotFoundException"),
        ("jobferry-Act", b"{}", "Event", 404, "ResourceNotFoundException"),
        ("jobferry-Act/invocations", b"{", "Event", 400, "InvalidRequestContentException"),
        ("jobferry-Act/invocations", b'"' + b"x" * 2**20 + b'"', "Event", 413, "RequestTooLargeException"),
        (
            "jobferry-Act/invocations",
            b'"' + b"x" * 6 * 2**20 + b'"',
            "RequestResponse",
            413,
            "RequestTooLargeException",
        ),
    ],
    ids=["unknown", "not-invoke", "not-json", "event-too-large", "request-too-large"],
)
def test_invocations_that_are_refused(
    system: LocalSystem, path: str, body: bytes, kind: str, status: int, error: str
) -> None:
    url = f"{system.lambda_api.url}/2015-03-31/functions/{path}"
    answer = requests.post(url, body, headers={"X-Amz-Invocation-Type": kind}, timeout=10)
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (status, error)


def test_a_synchronous_invocation_says_that_the_function_failed(system: LocalSystem) -> None:
    url = f"{system.lambda_api.url}/2015-03-31/functions/jobferry-Act/invocations"
    answer = requests.post(url, b'{"fail": "oh"}', timeout=10)
    assert answer.status_code == 200
    assert answer.headers["X-Amz-Function-Error"] == "Unhandled"
    assert answer.json()["errorMessage"] == "oh"


# The stream


def write(system: LocalSystem, *names: str, item: str = "seen", **more: dict[str, str]) -> None:
    dynamodb, table = system.cloud.client("dynamodb"), system.stack.resource("ImportsTable").ref
    for name in names:
        dynamodb.put_item(TableName=table, Item={"importId": {"S": name}, "item": {"S": item}, **more})


def reads(system: LocalSystem) -> list[list[str]]:
    return [line.split()[1:] for line in system.logs("Read").splitlines() if line.startswith("read ")]


def read_until(system: LocalSystem, last: str) -> list[list[str]]:
    """What the stream's function was given, batch by batch, once `last` came through; what came before is left out."""
    before = len(reads(system)) - sum(last in batch for batch in reads(system))
    deadline = time.monotonic() + 10
    while not any(last in batch for batch in reads(system)[before:]):
        assert time.monotonic() < deadline, reads(system)
        time.sleep(0.05)
    return reads(system)


def test_the_filter_keeps_records_back(system: LocalSystem) -> None:
    write(system, "other-item", item="unseen")
    write(system, "has-done", done={"S": "x"})
    write(system, "wanted")
    read = {name for batch in read_until(system, "wanted") for name in batch}
    assert not read & {"other-item", "has-done"}


def test_a_reported_record_is_tried_again_with_those_after_it_then_given_up(system: LocalSystem) -> None:
    write(system, "fails")
    write(system, "after-fails")
    read_until(system, "after-fails")
    deadline = time.monotonic() + 10
    while not (letters := [each for each in system.dead_letters() if "DDBStreamBatchInfo" in each]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sum("fails" in batch for batch in reads(system)) == 2
    assert letters[0]["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert (
        letters[0]["DDBStreamBatchInfo"]["streamArn"] == system.stack.resource("ImportsTable").attributes["StreamArn"]
    )


# The end


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    threads, processes = set(threading.enumerate()), set(psutil.Process().children(recursive=True))
    with LocalSystem(template=LITTLE, folder=tmp_path, poller=True, speed=300) as system:
        running = system.invoke_async("Act", {"sleep": 1.9})
        ports = [system.http_api.port, system.lambda_api.port, system.board.port, system.cloud.port]
        deadline = time.monotonic() + 10
        while system.logs("Act").count("Scheduled Event") < 2:
            assert time.monotonic() < deadline, "the rate fires by itself"
            time.sleep(0.05)
    assert running.done()
    assert set(threading.enumerate()) <= threads
    assert set(psutil.Process().children(recursive=True)) <= processes
    for port in ports:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/", timeout=1)
    assert "Scheduled Event" in (tmp_path / "logs" / "Act.log").read_text()
