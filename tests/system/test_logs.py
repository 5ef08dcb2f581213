"""What a whole run logs: ids, and nothing that is secret, a job's text or a query string."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Final

import pytest
import requests

from local.board import Fault
from local.system import AGENCY, API_KEY, PATIENCE, LocalSystem, wait_until

ROTATED: Final = "rotated-key-8fJ2kQ"
DESCRIPTION: Final = "a description that nobody is to read in a log"
REFUSED: Final = "a title that the board refuses"

pytestmark = pytest.mark.xdist_group("logs")


@pytest.fixture(scope="module")
def system() -> Iterator[LocalSystem]:
    with LocalSystem(speed=1000, seed=1, processing_seconds=0.05) as system:
        system.board.api_keys[ROTATED] = AGENCY
        yield system


@pytest.fixture(scope="module")
def logged(system: LocalSystem) -> str:
    """The logs of a run in which much goes wrong."""
    feed = [
        {"referenceNumber": "A-1", "title": "Hospitalist", "state": "PA", "description": DESCRIPTION},
        {"referenceNumber": "A-2", "title": REFUSED, "state": "MC", "description": DESCRIPTION},
    ]
    system.put_feed("feeds/default/jobs.json", json.dumps(feed).encode())
    system.put_feed("feeds/default/feed.json", b'{"maxInvalidPercent": 100, "deleteJobs": false}')
    run(system, None)
    for fault in ("garbage", "error_after", "reset_after", "lost_response", "no_id", "half_body"):
        run(system, Fault(fault))  # each fails once, with a traceback, and is tried again
    run(system, Fault("error_after", times=4))  # for good: a dead letter
    run(system, Fault("unauthorized"))
    secrets = system.cloud.client("secretsmanager")
    secrets.put_secret_value(SecretId=system.stack.resource("BoardApiKey").ref, SecretString=ROTATED)
    del system.board.api_keys[API_KEY]
    for name in ("garbage", "error_before"):
        system.board.faults.add(Fault(name, on="GET"))
    run(system, None)  # with the new key, after a 401
    url = str(system.board.imports[-1].callback_url)
    for query in ("", "?token=forged-token", f"?{url.partition('?')[2]}"):
        requests.post(url.partition("?")[0] + query, DESCRIPTION, timeout=10)
    close_all(system)  # while the key can be read
    secrets.put_secret_value(SecretId=system.stack.resource("BoardApiKey").ref, SecretString=f'{{"apiKey": "{ROTATED}"')
    for name in ("SubmitImport", "PollImports"):
        system.crash(name)
    run(system, None)  # the secret is no JSON
    system.poll()
    return system.logs()


def close_all(system: LocalSystem) -> None:
    """Poll until no import is open, and nothing runs that the poller started again: the next run must not be skipped."""

    def still_open() -> list[str]:
        system.wait_until_idle()
        return [each["importId"] for each in system.imports() if each.get("open")]

    def is_closed() -> bool:
        return not still_open() and system.poll()["started"] == 0 and not still_open()

    wait_until(is_closed, lambda: f"still open: {still_open()}")


def run(system: LocalSystem, fault: Fault | None) -> None:
    close_all(system)  # a run would only wait for what is open
    if fault is not None:
        system.board.faults.add(fault)
    number = len(system.imports())
    event = {"feed": "default", "scheduledAt": f"2026-11-24T{number:02}:00:00Z"}
    system.invoke_async("SubmitImport", event).result(PATIENCE)
    system.poll()


def test_much_was_logged(logged: str, system: LocalSystem) -> None:
    assert logged.count("Traceback") >= 8  # of ten; one for each fault at the least
    for function in ("SubmitImport", "ReceiveCallback", "PollImports", "PublishNotice"):
        wait_until(
            lambda name=function: '"level":"INFO"' in system.logs(name),
            lambda name=function: f"{name} logged nothing",
        )
    assert "refused" in system.logs("ReceiveCallback")
    assert "BoardUnknownError" in logged
    states = {record["state"] for record in system.imports()}
    assert {"complete", "blocked"} <= states


def test_no_secret_is_in_it(logged: str, system: LocalSystem) -> None:
    signing_key = system.cloud.client("secretsmanager").get_secret_value(
        SecretId=system.stack.resource("CallbackSigningKey").ref
    )["SecretString"]
    tokens = [str(each.callback_url).partition("token=")[2] for each in system.board.imports]
    basic = [base64.b64encode(f"{key}:".encode()).decode().rstrip("=") for key in (API_KEY, ROTATED)]
    for secret in (API_KEY, ROTATED, signing_key, *basic, *tokens):
        assert len(secret) > 10
        assert secret not in logged
    assert "Authorization" not in logged
    assert "Basic " not in logged


def test_no_job_and_no_query_string_is_in_it(logged: str) -> None:
    for text in (DESCRIPTION, REFUSED, "token=", "forged-token", "rawQueryString", "queryStringParameters"):
        assert text not in logged
