"""No call of a function outlasts it: neither to AWS nor to the board."""

from __future__ import annotations

import ast
import socket
import threading
from typing import Final

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from jobferry.adapters.aws import ATTEMPTS, CONFIG, CONNECT_SECONDS, READ_SECONDS
from jobferry.results import callbacks, polling
from jobferry.runs import pauses
from tests.stack import TEMPLATE, make_stack

APPS: Final = sorted((TEMPLATE.parent / "functions").glob("*/app.py"))
#: A call that AWS never answers: every attempt to its end, and the longest waits of botocore's standard mode between them.
LONGEST: Final = ATTEMPTS * max(CONNECT_SECONDS, READ_SECONDS) + sum(2**retry for retry in range(ATTEMPTS - 1))


def seconds(function: str) -> int:
    value = make_stack().resource(f"{function}Function").properties["Timeout"]
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize("path", APPS, ids=lambda path: path.parent.name)
def test_every_client_has_the_projects_timeouts(path: object) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "boto3.client"
    ]
    assert calls
    for call in calls:
        (config,) = [ast.unparse(each.value) for each in call.keywords if each.arg == "config"]
        assert config.startswith("CONFIG"), ast.unparse(call)


def test_a_callback_is_answered_though_one_call_hangs_and_the_board_too() -> None:
    asked_twice = 2 * callbacks.ANSWER_SECONDS  # the second time with the key as it is after a 401
    assert asked_twice + LONGEST < seconds("ReceiveCallback")


def test_the_poller_ends_before_its_time() -> None:
    assert polling._MARGIN.total_seconds() > 2 * polling.POLL_SECONDS, "and settling has some of it"
    assert polling._MARGIN.total_seconds() + LONGEST < seconds("PollImports")


def test_a_request_leaves_time_to_record_what_came_of_it() -> None:
    assert pauses.MARGIN.total_seconds() > LONGEST
    assert pauses.REQUEST_SECONDS + pauses.MARGIN.total_seconds() < seconds("SubmitImport")


def test_publishing_one_notice_fits() -> None:
    assert seconds("PublishNotice") > 3 * LONGEST


def test_a_call_that_is_never_answered_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        threading.Thread(
            target=lambda: [connections.append(deaf.accept()) for _ in range(ATTEMPTS)], daemon=True
        ).start()
        client = boto3.Session("test", "test", region_name="us-east-1").client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{deaf.getsockname()[1]}",
            config=CONFIG.merge(Config(read_timeout=0.1)),
        )
        with pytest.raises(ReadTimeoutError):
            client.get_item(TableName="t", Key={"importId": {"S": "i"}})
    assert len(connections) == ATTEMPTS
    for connection, _ in connections:
        connection.close()
