"""The events are what AWS sends, and what the template lets through; and `load_event` makes others of them."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from boto3.dynamodb.types import TypeDeserializer

from jobferry.board.callback_urls import is_token
from jobferry.board.job_imports import parse_job_import
from jobferry.records.imports import Import, State
from jobferry.runs.triggers import parse_trigger
from local.patterns import matches
from local.system import SIGNING_KEY
from local.template import Stack
from tests.events import EVENTS, load_event
from tests.stack import make_stack

CALLBACKS: Final = sorted(path.stem for path in EVENTS.glob("callback*.json"))


@pytest.fixture(scope="module")
def stack() -> Stack:
    return make_stack()


def test_every_event_is_of_a_trigger() -> None:
    names = {path.stem.split("-")[0] for path in EVENTS.glob("*.json")}
    assert names == {"submit", "callback", "poll", "notice"}
    for path in EVENTS.glob("*.json"):
        assert isinstance(json.loads(path.read_text()), dict), path.name


def test_the_page_lists_every_event() -> None:
    listed = re.findall(r"^\| `(.+?\.json)` \|", (EVENTS / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in EVENTS.glob("*.json"))


# SubmitImport


def test_the_scheduled_event_is_the_schedules_input(stack: Stack) -> None:
    schedule = stack.resources["SubmitImportFunctionNightly"].properties["Target"]["Input"]
    event = load_event("submit-scheduled")
    assert json.loads(schedule.replace("<aws.scheduler.scheduled-time>", event["scheduledAt"])) == event


@pytest.mark.parametrize(
    ("name", "import_id"),
    [
        ("submit-scheduled", "default-20261124T020000Z"),
        ("submit-by-hand", "default-20261125T080910Z"),
        ("submit-confirm-deletes", "default-20261125T080910Z"),
        ("submit-confirm-fields", "default-20261125T080910Z"),
        ("submit-dry-run", "default-20261125T080910Z"),
        ("submit-resume", "default-20261124T020000Z"),
        ("submit-run-again", "default-20261124T021500Z-5c1f0a9b3e-again"),
    ],
)
def test_the_events_of_submit_import_are_understood(name: str, import_id: str) -> None:
    trigger = parse_trigger(load_event(name), datetime(2026, 11, 25, 8, 9, 10, tzinfo=UTC))
    assert (trigger.feed, trigger.import_id) == ("default", import_id)


def test_the_rule_lets_uploads_to_feeds_through_and_nothing_else(stack: Stack) -> None:
    pattern = stack.resources["SubmitImportFunctionUpload"].properties["EventPattern"]

    def passes(key: str, bucket: str = "FeedsBucket") -> bool:
        event = load_event("submit-upload", key=key)
        event["detail"]["bucket"]["name"] = bucket
        return matches(pattern, event)

    assert passes("feeds/default/jobs.csv")
    assert passes("feeds/north/2026/jobs.json.gz")
    assert not passes("feeds/default/jobs.csv", bucket="another")
    assert not passes("feeds/default/feed.json")
    assert not passes("feeds/default/")
    assert not passes("archive/default/default-20261124T020000Z.jsonl.gz")
    assert not matches(pattern, load_event("submit-upload") | {"detail-type": "Object Deleted"})


# ReceiveCallback


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_comes_by_the_apis_route(stack: Stack, name: str) -> None:
    [(path, methods)] = stack.resources["CallbackApi"].properties["Body"]["paths"].items()
    event = load_event(name)
    assert event["version"] == methods["post"]["x-amazon-apigateway-integration"]["payloadFormatVersion"]
    assert event["routeKey"] == event["requestContext"]["routeKey"] == f"POST {path}"
    import_id = event["pathParameters"]["importId"]
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == path.replace("{importId}", import_id)
    token = event.get("queryStringParameters", {}).get("token", "")
    assert event["rawQueryString"] == (f"token={token}" if token else "")
    assert int(event["headers"]["content-length"]) == len(body_of(event))
    assert is_token(token, import_id, SIGNING_KEY) == (name not in ("callback-wrong-token", "callback-no-token"))


def body_of(event: Any) -> bytes:
    body: str = event["body"]
    return base64.b64decode(body) if event["isBase64Encoded"] else body.encode()


@pytest.mark.parametrize("name", sorted(set(CALLBACKS) - {"callback-not-an-import"}))
def test_the_body_of_a_callback_is_a_job_import(name: str) -> None:
    answer = parse_job_import(body_of(load_event(name)))
    assert answer.status == ("running" if name == "callback-running" else "complete")
    assert (answer.id == "44eJr7YHDO9PqC834E_q5") == (name != "callback-other-id")


def test_a_body_in_base64_is_the_same() -> None:
    encoded = load_event("callback-base64")
    assert encoded["isBase64Encoded"] is True
    assert body_of(encoded) == body_of(load_event("callback"))


# PollImports


def test_the_pollers_event_is_a_schedules(stack: Stack) -> None:
    event = load_event("poll")
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert ":rule/" in event["resources"][0]
    assert "Input" not in stack.resources["PollImportsFunctionPoll"].properties["Targets"][0]


# PublishNotice


def passes_filter(stack: Stack, record: Any) -> bool:
    filters = stack.resources["PublishNoticeFunctionRecords"].properties["FilterCriteria"]["Filters"]
    return any(matches(json.loads(each["Pattern"]), record) for each in filters)


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("notice-complete", [State.COMPLETE]),
        ("notice-blocked", [State.BLOCKED]),
        ("notice-expired", [State.EXPIRED]),
        ("notice-paused", [State.BLOCKED]),
        ("notice-batch", [State.COMPLETE, State.BLOCKED, State.EXPIRED]),
    ],
)
def test_the_stream_brings_imports_that_have_ended(stack: Stack, name: str, states: list[State]) -> None:
    records = load_event(name)["Records"]
    assert [import_of(record).state for record in records] == states
    assert all(passes_filter(stack, record) for record in records)
    assert len({record["eventID"] for record in records}) == len(records)
    for record in records:
        image = record["dynamodb"]["NewImage"]
        assert record["dynamodb"]["Keys"] == {key: image[key] for key in ("importId", "item")}


def import_of(record: Any) -> Import:
    deserialize = TypeDeserializer().deserialize
    return Import.model_validate({key: deserialize(value) for key, value in record["dynamodb"]["NewImage"].items()})


@pytest.mark.parametrize(
    "more",
    [
        {"open": {"S": "open"}},  # its result, or its verification, is awaited; so is its notice
        {"notifiedAt": {"S": "2026-11-24T02:03:44.000000Z"}},
        {"state": {"S": "pending"}},
        {"state": {"S": "skipped"}},
        {"item": {"S": "error#0000001"}},
    ],
)
def test_the_stream_brings_nothing_else(stack: Stack, more: dict[str, Any]) -> None:
    [record] = load_event("notice-complete")["Records"]
    assert passes_filter(stack, record)
    record["dynamodb"]["NewImage"] |= more
    assert not passes_filter(stack, record)


def test_the_streams_filter_uses_only_the_key_that_lambda_supports(stack: Stack) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html"""
    [mapping] = stack.of_type("AWS::Lambda::EventSourceMapping")
    for each in mapping.properties["FilterCriteria"]["Filters"]:
        assert list(json.loads(each["Pattern"])) == ["dynamodb"]


def test_the_stream_brings_an_expired_import_whose_result_is_still_asked_for(stack: Stack) -> None:
    [record] = load_event("notice-expired")["Records"]
    record["dynamodb"]["NewImage"] |= {"open": {"S": "late"}}
    assert passes_filter(stack, record)
    for more in ({"notifiedAt": {"S": "2026-11-24T02:03:44.000000Z"}}, {"state": {"S": "complete"}}):
        changed = record | {"dynamodb": record["dynamodb"] | {"NewImage": record["dynamodb"]["NewImage"] | more}}
        assert not passes_filter(stack, changed)


def test_the_stream_brings_no_item_but_the_imports(stack: Stack) -> None:
    [record] = load_event("notice-unrelated")["Records"]
    assert not passes_filter(stack, record)
    [removed] = load_event("notice-complete", eventName="REMOVE")["Records"]
    del removed["dynamodb"]["NewImage"]  # it only has its key
    assert not passes_filter(stack, removed)


# load_event


def test_a_replacement_reaches_every_place() -> None:
    event = load_event("callback", importId="north-20261124T030000Z", token="t0ken")
    assert event["pathParameters"] == {"importId": "north-20261124T030000Z"}
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/callbacks/north-20261124T030000Z"
    assert event["queryStringParameters"] == {"token": "t0ken"}
    assert event["rawQueryString"] == "token=t0ken"
    assert "default-20261124T020000Z" not in json.dumps(event)


def test_a_replacement_keeps_dynamodbs_types() -> None:
    event = load_event("notice-batch", state="rejected", results={"M": {}})
    assert [record["dynamodb"]["NewImage"]["state"] for record in event["Records"]] == [{"S": "rejected"}] * 3
    assert event["Records"][0]["dynamodb"]["NewImage"]["results"] == {"M": {}}


def test_an_event_is_read_anew_each_time() -> None:
    load_event("submit-by-hand")["feed"] = "spoiled"
    assert load_event("submit-by-hand", feed="north") == {"feed": "north"}
    assert load_event("submit-by-hand") == {"feed": "default"}


def test_a_replacement_of_nothing_is_an_error() -> None:
    with pytest.raises(KeyError, match="submit-by-hand has no token"):
        load_event("submit-by-hand", token="t0ken")
