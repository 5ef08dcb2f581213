"""The callback API does what docs/callback-api.yaml says and lets nobody else in."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis.checks import CHECKS

from jobferry.board.callback_urls import TOKEN_LENGTH, callback_url, is_token, token
from jobferry.board.job_imports import JobError, JobImport, Results
from jobferry.errors import CallbackError
from jobferry.records.imports import State
from jobferry.records.transitions import MAY_COMPLETE
from local.system import LocalSystem
from tests.stack import TEMPLATE, make_stack

PAGE: Final = TEMPLATE.parent / "docs" / "callback-api.yaml"
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(PAGE.read_text())
PATH: Final = "/callbacks/{importId}"
OPERATION: Final = DOCUMENT["paths"][PATH]["post"]
ID: Final = "default-20261124T020000Z"

pytestmark = pytest.mark.xdist_group("callback-api")


# The document against the template and the code


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)


def test_the_template_has_the_documents_routes_and_no_other() -> None:
    (api,) = make_stack().of_type("AWS::ApiGatewayV2::Api")
    routes = {(path, method) for path, methods in api.properties["Body"]["paths"].items() for method in methods}
    assert routes == {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}


def test_the_document_has_the_answers_of_the_code() -> None:
    errors = {(str(each.status), each.word) for each in CallbackError.__subclasses__()}
    words = set(DOCUMENT["components"]["schemas"]["Answer"]["properties"]["status"]["enum"])
    assert {status for status, _ in errors} < set(OPERATION["responses"])
    assert words == {word for _, word in errors} | {*MAY_COMPLETE, State.COMPLETE}


@pytest.mark.parametrize(
    ("name", "model", "also"),
    [
        ("JobImport", JobImport, set()),
        ("Results", Results, set()),
        ("JobError", JobError, set()),
    ],
)
def test_the_document_has_the_attributes_of_the_code(name: str, model: Any, also: set[str]) -> None:
    schemas = DOCUMENT["components"]["schemas"]
    schema = schemas["Results"]["properties"]["errors"]["items"] if name == "JobError" else schemas[name]
    fields = {field.alias or each for each, field in model.model_fields.items()}
    assert set(schema["properties"]) == fields | also
    required = {field.alias or each for each, field in model.model_fields.items() if field.is_required()}
    assert set(schema.get("required", [])) == required


def test_the_document_has_the_token_of_the_code() -> None:
    scheme = DOCUMENT["components"]["securitySchemes"]["token"]
    url = urlsplit(callback_url("https://api.example.com/callbacks", ID, "key"))
    assert scheme["in"] == "query"
    assert url.query.startswith(f"{scheme['name']}=")
    assert len(url.query) == len("token=") + TOKEN_LENGTH
    assert f"{TOKEN_LENGTH} hexadecimal digits" in scheme["description"]


def test_the_api_is_throttled_and_its_log_has_no_query() -> None:
    stack = make_stack()
    (stage,) = stack.of_type("AWS::ApiGatewayV2::Stage")
    limits = stage.properties["DefaultRouteSettings"]
    assert 0 < limits["ThrottlingRateLimit"] <= limits["ThrottlingBurstLimit"] <= 100
    log = json.loads(stage.properties["AccessLogSettings"]["Format"])
    # What can hold a query string, a header or a body: https://docs.aws.amazon.com/apigateway/latest/developerguide/
    # http-api-logging-variables.html
    assert not [
        value
        for value in log.values()
        if any(each in value for each in ("query", "$context.routeKey", "header", "body"))
    ]
    assert log["path"] == "$context.path"
    assert set(log) == {"requestId", "time", "ip", "method", "path", "status", "bytes", "milliseconds", "error"}


# Against the whole system


@pytest.fixture(scope="module")
def system() -> Iterator[LocalSystem]:
    with LocalSystem(speed=1000, seed=1, callbacks=False, processing_seconds=0) as system:
        feed = [{"referenceNumber": "A-1", "title": "Hospitalist", "state": "PA"}]
        system.put_feed("feeds/default/jobs.json", json.dumps(feed).encode())
        yield system


@pytest.fixture(scope="module")
def awaited(system: LocalSystem) -> tuple[str, str]:
    """Return the id of an import that awaits its result, and its token."""
    import_id: str = system.invoke("SubmitImport", {"feed": "default"})["importId"]
    secret = system.stack.resource("CallbackSigningKey").ref
    key = system.cloud.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    return import_id, token(import_id, key)


SCHEMA: Final = schemathesis.openapi.from_dict(DOCUMENT)
#: HTTP APIs answer 404 instead of 405, and the API does not tell which headers or methods it knows.
CHECKED: Final = [
    check
    for check in CHECKS.get_all()
    if check.__name__ not in ("unsupported_method", "missing_required_header", "positive_data_acceptance")
]


@SCHEMA.parametrize()
@settings(
    max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
def test_no_request_does_what_the_document_does_not_say(case: Any, system: LocalSystem) -> None:
    case.call_and_validate(base_url=system.http_api.url, checks=CHECKED, timeout=120)


@SCHEMA.parametrize()
@settings(
    max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
def test_no_request_with_a_token_does_either(case: Any, system: LocalSystem, awaited: tuple[str, str]) -> None:
    case.path_parameters = {"importId": awaited[0]}
    case.query = {"token": awaited[1]}
    before = system.record(awaited[0])
    response = case.call_and_validate(
        base_url=system.http_api.url, checks=[each for each in CHECKED if each.__name__ != "ignored_auth"], timeout=120
    )
    assert response.status_code in (400, 409), "the token was right, and the body was not the board's"
    assert system.record(awaited[0]) == before


def post(system: LocalSystem, path: str, body: bytes = b"{}", **headers: str) -> requests.Response:
    return requests.post(system.http_api.url + path, body, headers=headers, timeout=120)


def test_wrong_missing_and_unknown_are_one_answer_to_the_byte(system: LocalSystem, awaited: tuple[str, str]) -> None:
    import_id, right = awaited
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    body = json.dumps({"data": {"id": "x", "status": "pending"}}).encode()
    attempts = [
        post(system, f"/callbacks/{import_id}?token={wrong}", body),
        post(system, f"/callbacks/{import_id}", body),
        post(system, f"/callbacks/{import_id}?token=", body),
        post(system, f"/callbacks/{import_id}?token={right.upper()}", body),
        post(system, f"/callbacks/{import_id}?token={right}&token={right}", body),
        post(system, f"/callbacks/{import_id}?Token={right}", body),
        post(system, f"/callbacks/{import_id}?token={right}%00", body),
        post(system, f"/callbacks/{import_id}?token=%ED%A0%80", body),
        post(system, f"/callbacks/default-20200101T000000Z?token={right}", body),
        post(system, f"/callbacks/feed%23default?token={right}", body),
        post(system, f"/callbacks/{import_id}%2F?token={right}", body),
        post(system, f"/callbacks/{import_id}?token={wrong}", b""),
        post(system, f"/callbacks/{import_id}?token={wrong}", b"\xff\x00"),
    ]
    answers = {
        (
            each.status_code,
            each.content,
            *((name, each.headers[name]) for name in sorted(each.headers) if name != "Date"),
        )
        for each in attempts
    }
    assert len(answers) == 1, answers
    assert attempts[0].status_code == 403
    assert attempts[0].json() == {"status": "forbidden"}


def test_a_body_that_is_too_large_reaches_no_function(system: LocalSystem, awaited: tuple[str, str]) -> None:
    before = system.logs("ReceiveCallback")
    path = f"/callbacks/{awaited[0]}?token={awaited[1]}"
    assert post(system, path, b"x" * (11 << 20)).status_code == 413
    assert post(system, path, b"x" * (7 << 20)).status_code == 413
    assert system.logs("ReceiveCallback") == before


def test_the_largest_bodies_are_answered_within_seconds(system: LocalSystem, awaited: tuple[str, str]) -> None:
    errors = b",".join(b'{"index": %d, "messages": ["%s"]}' % (number, b"x" * 200) for number in range(20_000))
    body = b'{"data": {"id": "x", "status": "complete", "results": {"errors": [%s]}}}' % errors
    deep = b'{"data": ' * 100_000
    began = time.monotonic()
    assert post(system, f"/callbacks/{awaited[0]}?token={awaited[1]}", body).status_code == 409
    assert post(system, f"/callbacks/{awaited[0]}?token={awaited[1]}", deep).status_code == 400
    assert time.monotonic() - began < 60  # quadratic work would take minutes


def test_other_methods_and_paths_are_not_found(system: LocalSystem, awaited: tuple[str, str]) -> None:
    host = urlsplit(system.http_api.url).netloc
    for method, path in [
        ("GET", f"/callbacks/{awaited[0]}"),
        ("PUT", f"/callbacks/{awaited[0]}"),
        ("POST", "/callbacks/"),
        ("POST", "/"),
    ]:
        connection = http.client.HTTPConnection(host, timeout=120)
        connection.request(method, f"{path}?token={awaited[1]}", b"{}")
        assert connection.getresponse().status == 404
        connection.close()


# Time


def test_the_time_does_not_tell_how_much_of_a_token_is_right() -> None:
    """Medians of many, taken in turns, so that what else the machine does befalls both; a comparison that ends at the first
    wrong letter is told from one that does not by the letters it looks at, which `compare_digest` is called for."""
    right = token(ID, "key")
    attempts = {"first": "x" + right[1:], "last": right[:-1] + "x", "short": right[:1]}

    def measure() -> dict[str, float]:
        times: dict[str, list[int]] = {name: [] for name in attempts}
        for _ in range(2000):
            for name, given in attempts.items():
                began = time.perf_counter_ns()
                assert not is_token(given, ID, "key")
                times[name].append(time.perf_counter_ns() - began)
        return {name: median(each) for name, each in times.items()}

    for _ in range(5):  # one quiet moment is enough
        found = measure()
        if max(found.values()) < 1.15 * min(found.values()):
            return
    pytest.fail(f"nanoseconds: {found}")
