"""The records in DynamoDB: moto for what it does, stubs for where it is kinder than DynamoDB."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from jobferry.adapters import dynamodb as adapter
from jobferry.adapters.dynamodb import ImportsTable
from jobferry.errors import ConflictError, StoreError
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.feeds import Deleted, Feed, LiveSet, Resurfaced
from jobferry.records.imports import Import, Open, OtherFeed, Posting, ReducedObject, State, Unreadable
from local.template import Stack
from tests.events import load_event
from tests.integration.inprocess import InProcess, Stub
from tests.records import an_import, changed

NOW = datetime(2026, 11, 24, 2, 0, 1, 204511, UTC)
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
ITEM_LIMIT = 400 * 1024


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(adapter.time, "sleep", waits.append)
    return waits


@pytest.fixture
def table(stack: Stack, cloud: InProcess) -> ImportsTable:
    return ImportsTable(cloud.client("dynamodb"), stack.resource("ImportsTable").ref)


def stubbed(stack: Stack, cloud: InProcess, **played: Any) -> ImportsTable:
    return ImportsTable(Stub(cloud.client("dynamodb"), **played), stack.resource("ImportsTable").ref)  # type: ignore[arg-type]


def items(stack: Stack, cloud: InProcess) -> list[dict[str, Any]]:
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=stack.resource("ImportsTable").ref)
    return [item for page in pages for item in page["Items"]]


def preparing(import_id: str = "default-20261124T020000Z", **changes: Any) -> Import:
    return an_import(
        **{"import_id": import_id, "feed": "default", "created_at": NOW, "state": State.PREPARING} | changes
    )


def full_import() -> Import:
    """One with a value in every attribute, and none of them its default."""
    return preparing(
        state=State.COMPLETE,
        board="https://board.example.com/api",
        account="BoardApiKey",
        board_import_id="44eJr7YHDO9PqC834E_q5",
        delete_jobs=True,
        full_sync=True,
        listed=True,
        deleted_by_list=3,
        list_attempts=2,
        list_end="refused",
        list_reason="the board answered 403",
        former=2,
        first_former=["A-8", "A-9"],
        not_offered=True,
        jobs=4416,
        invalid=2,
        warnings=3,
        warned=["a ZIP was put right (3 times, first in feeds/default/a.csv row 2)"],
        expected_deletes=4,
        withheld_deletes=5,
        withheld_because=["too-many"],
        live_before=9,
        reduced=[ReducedObject(key="feeds/default/jobs.csv", rows=1, rows_before=9)],
        shared_with=[OtherFeed(feed="other", unreadable=Unreadable.SECRET)],
        sharing=1,
        confirm_code="K7QD-3M2A",
        deletes=[Posting(reference_number="A-1", title="Hospitalist"), Posting(reference_number="A-2")],
        objects=2,
        sources=[{"key": "feeds/default/jobs.csv", "etag": '"e"', "bytes": 12, "rows": 2, "fields": {"title": 2}}],
        fields={"title": 2},
        fields_code="4QXE-W2NA",
        notify_on_deletes=True,
        payload="archive/default/p",
        manifest="archive/default/m",
        live_set="archive/default/l",
        attempts=2,
        claimed_by="request-1",
        claimed_until=NOW + timedelta(minutes=15),
        previous="default-20261123T020000Z",
        confirm_deletes="K7QD-3M2A",
        announced_at=NOW,
        run="default-20261124T020000Z",
        key_mark="0123456789abcdef",
        retry="archive/default/default-20261123T020000Z.retry-20261124T010000Z.jsonl",
        by_person=True,
        confirm_fields="4QXE-W2NA",
        listing="0123456789abcdef0123456789abcdef",
        nobody_subscribed=True,
        deletes_again_at=NOW,
        board_answers={"500": 2},
        overtaken=True,
        parts=3,
        submitted_at=NOW,
        requested_at=NOW,
        completed_at=NOW,
        polled_at=NOW,
        unanswered=2,
        settled_at=NOW,
        settled_by="poll",
        verified=True,
        late=True,
        deleted_before=1,
        results={"added": 48, "deleted": 0, "ignoredValues": [{"a": 1.5, "b": None, "c": True}], "processed": 4416},
        unaccounted=1,
        reason="why",
        cause="no-result",
        notify_on_success=True,
        notified_at=NOW,
        open=Open.OPEN,
    )


def full_feed() -> Feed:
    live_set = LiveSet(
        key="k",
        import_id="i",
        created_at=NOW,
        account="b a",
        key_mark="m",
        whole=True,
        deleted=3,
        announced_at=NOW,
        listed=True,
    )
    return Feed(
        feed="default",
        open_imports=["default-20261124T020000Z"],
        last_import="default-20261124T020000Z",
        last_request="request-1",
        last_complete="default-20261123T020000Z",
        last_complete_at=NOW,
        live_set=live_set,
        last_sent_at=NOW,
        last_retry_at=NOW,
        baseline="default-20261122T020000Z",
        deletions=[Deleted(at=NOW, live_before=9, postings=1)],
        secret="BoardApiKey",
        resurfaced=[Resurfaced(key="k", at=NOW)],
        not_offered="https://board.example.com/api",
        runs_again=2,
        run_again="default-20261124T030000Z",
        run_again_at=NOW,
        run_again_confirm="K7QD-3M2A",
        run_again_confirm_fields="4QXE-W2NA",
    )


# Records


def test_a_record_comes_back_as_it_went_in_but_for_its_revision(table: ImportsTable) -> None:
    record, feed = full_import(), full_feed()
    assert {name for name, value in record if value == Import.model_fields[name].default} == {"revision"}
    assert {name for name, value in feed if value == Feed.model_fields[name].default} == {"revision"}
    table.save(record, feed)
    assert table.get(record.import_id) == record.changed(revision=1)
    assert table.get_feed("default") == feed.changed(revision=1)


def test_what_is_not_there_is_none_or_new(table: ImportsTable) -> None:
    assert table.get("default-20261124T020000Z") is None
    assert table.get_feed("default") == Feed(feed="default", revision=0)


def test_an_item_has_the_designs_names_and_its_end(table: ImportsTable, stack: Stack, cloud: InProcess) -> None:
    table.save(preparing(open=Open.OPEN), full_feed())
    by_item = {item["item"]["S"]: item for item in items(stack, cloud)}
    assert by_item["import"] | {"revision": {"N": "1"}} == by_item["import"]
    assert by_item["import"]["importId"] == {"S": "default-20261124T020000Z"}
    assert by_item["import"]["createdAt"] == {"S": "2026-11-24T02:00:01.204511Z"}
    assert int(by_item["import"]["expiresAt"]["N"]) == int((NOW + timedelta(days=400)).timestamp())
    assert "notifiedAt" not in by_item["import"], "the stream's filter asks whether it exists"
    assert by_item["feed"]["importId"] == {"S": "feed#default"}
    assert "expiresAt" not in by_item["feed"], "a feed's record is never given up"
    assert "feed" not in by_item["feed"], "it would be in the index of the feed's imports"


def test_a_record_is_written_only_over_the_one_that_was_read(table: ImportsTable) -> None:
    table.save(preparing())
    first, second = table.get("default-20261124T020000Z"), table.get("default-20261124T020000Z")
    assert first is not None
    assert second is not None
    table.save(changed(first, jobs=1))
    with pytest.raises(ConflictError):
        table.save(changed(second, jobs=2))
    with pytest.raises(ConflictError):
        table.save(preparing(jobs=3))
    assert table.get("default-20261124T020000Z") == changed(first, jobs=1, revision=2)


def test_all_are_written_or_none(table: ImportsTable) -> None:
    table.save(Feed(feed="default"))
    with pytest.raises(ConflictError):
        table.save(preparing(), Feed(feed="default", run_again="x"))
    assert table.get("default-20261124T020000Z") is None
    assert table.get_feed("default") == Feed(feed="default", revision=1)


@pytest.mark.parametrize(
    ("code", "reasons", "expected"),
    [
        ("TransactionCanceledException", ["None", "ConditionalCheckFailed"], ConflictError),
        ("TransactionCanceledException", ["TransactionConflict", "None"], ConflictError),
        ("TransactionCanceledException", ["ThrottlingError"], ConflictError),
        ("TransactionCanceledException", ["ProvisionedThroughputExceeded", "None"], ClientError),
        ("TransactionCanceledException", ["ItemCollectionSizeLimitExceeded"], ClientError),
        ("TransactionCanceledException", ["ValidationError"], ClientError),
        ("TransactionCanceledException", [], ClientError),
        ("TransactionInProgressException", [], ClientError),
        ("ThrottlingException", [], ClientError),
        ("ProvisionedThroughputExceededException", [], ClientError),
        ("InternalServerError", [], ClientError),
    ],
)
def test_only_a_condition_or_a_conflict_is_somebody_else(
    stack: Stack, cloud: InProcess, code: str, reasons: list[str], expected: type[Exception]
) -> None:
    def refuse(_real: Any, **_: Any) -> Any:
        answer = {"Error": {"Code": code, "Message": "m"}, "CancellationReasons": [{"Code": each} for each in reasons]}
        raise ClientError(answer, "TransactWriteItems")  # type: ignore[arg-type]

    with pytest.raises(Exception) as raised:  # noqa: PT011  # its very class is asserted
        stubbed(stack, cloud, transact_write_items=refuse).save(preparing())
    assert type(raised.value) is expected


def test_one_token_goes_with_every_try_of_the_sdk(stack: Stack) -> None:
    """DynamoDB takes a transaction once by its token, so a try after a lost answer does not meet its own write."""
    tries = []

    def lose(request: Any, **_: Any) -> None:
        tries.append(json.loads(request.body)["ClientRequestToken"])
        if len(tries) < 3:
            raise ConnectionClosedError(endpoint_url="https://dynamodb.example.com")

    client = boto3.Session("test", "test", region_name="us-east-1").client("dynamodb")
    client.meta.events.register_first("before-send.dynamodb.TransactWriteItems", lose)
    ImportsTable(client, stack.resource("ImportsTable").ref).save(preparing())
    assert len(tries) == 3
    assert len(set(tries)) == 1


# Failed jobs


def a_failed_job(number: int, **changes: Any) -> FailedJob:
    return FailedJob(
        number=number,
        messages=[f"State is invalid. Value passed was: {number}"],
        reference_number=f"A-{number}",
        title="Hospitalist",
        key="feeds/default/jobs.csv",
        row=number + 2,
        since=NOW,
    ).model_copy(update=changes)


def test_failed_jobs_come_back_by_number_each_kind_apart(table: ImportsTable) -> None:
    errors = [a_failed_job(number) for number in (1000, 9, 10, 0)]
    nameless = a_failed_job(3, reference_number=None, title=None, key=None, row=None, since=None)
    table.write_failed("i", FailedKind.ERROR, errors, NOW)
    table.write_failed("i", FailedKind.INVALID, [nameless], NOW)
    table.write_failed("other", FailedKind.ERROR, [a_failed_job(1)], NOW)
    assert list(table.read_failed("i", FailedKind.ERROR)) == sorted(errors, key=lambda each: each.number)
    assert list(table.read_failed("i", FailedKind.INVALID)) == [nameless]
    table.delete_failed("i", FailedKind.ERROR)
    assert list(table.read_failed("i", FailedKind.ERROR)) == []
    assert list(table.read_failed("i", FailedKind.INVALID)) == [nameless]
    assert list(table.read_failed("other", FailedKind.ERROR)) == [a_failed_job(1)]


def test_a_batch_has_25_at_most_and_nothing_twice(stack: Stack, cloud: InProcess) -> None:
    sizes = []

    def strict(real: Any, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803  # boto3's name
        (writes,) = RequestItems.values()
        keys = [str(each.get("PutRequest", {}).get("Item", each.get("DeleteRequest"))) for each in writes]
        assert len(set(keys)) == len(keys)
        assert len(writes) <= 25
        sizes.append(len(writes))
        return real(RequestItems=RequestItems)

    table = stubbed(stack, cloud, batch_write_item=strict)
    table.write_failed("i", FailedKind.ERROR, (a_failed_job(number) for number in range(60)), NOW)
    assert sizes == [25, 25, 10]
    table.delete_failed("i", FailedKind.ERROR)
    assert sizes == [25, 25, 10, 25, 25, 10]
    table.write_failed("i", FailedKind.ERROR, [], NOW)
    assert len(sizes) == 6


def test_what_a_batch_leaves_over_is_written_again(stack: Stack, cloud: InProcess, no_waiting: list[float]) -> None:
    def reluctant(real: Any, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803
        ((name, writes),) = RequestItems.items()
        real(RequestItems={name: writes[:2]})
        return {"UnprocessedItems": {name: writes[2:]}} if writes[2:] else {"UnprocessedItems": {}}

    table = stubbed(stack, cloud, batch_write_item=reluctant)
    jobs = [a_failed_job(number) for number in range(23)]
    table.write_failed("i", FailedKind.ERROR, jobs, NOW)
    assert list(table.read_failed("i", FailedKind.ERROR)) == jobs
    assert len(no_waiting) == 11
    assert max(no_waiting) <= 10


def test_what_is_left_over_for_ever_is_an_error(stack: Stack, cloud: InProcess, no_waiting: list[float]) -> None:
    table = stubbed(stack, cloud, batch_write_item=lambda _, **asked: {"UnprocessedItems": asked["RequestItems"]})
    with pytest.raises(StoreError, match="left 1 items unwritten after 12 attempts"):
        table.write_failed("i", FailedKind.ERROR, [a_failed_job(1)], NOW)
    assert sum(no_waiting) < 60


def test_the_records_of_many_feeds_are_read_a_hundred_at_once(
    stack: Stack, cloud: InProcess, no_waiting: list[float]
) -> None:
    """100 at most: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html."""
    asked: list[int] = []

    def reluctant(real: Any, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803
        ((name, request),) = RequestItems.items()
        keys = request["Keys"]
        asked.append(len(keys))
        answer = real(RequestItems={name: {"Keys": keys[:40]}})
        return answer | {"UnprocessedKeys": {name: {"Keys": keys[40:]}} if keys[40:] else {}}

    table = stubbed(stack, cloud, batch_get_item=reluctant)
    feeds = [full_feed().changed(feed=f"feed-{number}") for number in range(0, 130, 2)]
    for feed in feeds:
        table.save(feed)
    found = table.feeds(f"feed-{number}" for number in range(130))
    assert sorted(found, key=lambda each: each.feed) == sorted(
        [each.changed(revision=1) for each in feeds], key=lambda each: each.feed
    )
    assert asked == [100, 60, 20, 30]
    assert len(no_waiting) == 2
    assert list(table.feeds([])) == []


def test_feeds_that_are_left_unread_for_ever_are_an_error(
    stack: Stack, cloud: InProcess, no_waiting: list[float]
) -> None:
    refused = {"Responses": {}}
    table = stubbed(
        stack, cloud, batch_get_item=lambda _, **asked: refused | {"UnprocessedKeys": asked["RequestItems"]}
    )
    with pytest.raises(StoreError, match="left 1 items unread after 12 attempts"):
        list(table.feeds(["default"]))
    assert sum(no_waiting) < 60


def test_a_page_after_another_is_read(stack: Stack, cloud: InProcess) -> None:
    asked = []

    def page(_real: Any, name: str) -> Any:
        real = _real(name)

        class Small:
            def paginate(self, **arguments: Any) -> Any:
                asked.append(arguments)
                return real.paginate(**arguments, PaginationConfig={"PageSize": 7})

        return Small()

    client = cloud.client("dynamodb")
    stub = Stub(client)
    stub.get_paginator = lambda name: page(client.get_paginator, name)  # type: ignore[attr-defined]
    table = ImportsTable(stub, stack.resource("ImportsTable").ref)  # type: ignore[arg-type]
    jobs = [a_failed_job(number) for number in range(30)]
    table.write_failed("i", FailedKind.ERROR, jobs, NOW)
    assert list(table.read_failed("i", FailedKind.ERROR)) == jobs
    for number in range(20):
        created = NOW + timedelta(minutes=20 - number)
        table.save(preparing(f"default-{number}", created_at=created, open=Open.OPEN))
    assert [each.import_id for each in table.open_records().imports] == [f"default-{19 - each}" for each in range(20)]
    assert [each.import_id for each in table.history("default")] == [f"default-{each}" for each in range(20)]
    table.delete_failed("i", FailedKind.ERROR)
    assert list(table.read_failed("i", FailedKind.ERROR)) == []
    assert all(each.get("ConsistentRead") or "IndexName" in each for each in asked)


def test_the_poller_sees_what_is_open_and_feeds_that_run_again(table: ImportsTable) -> None:
    opened = preparing("a-20261124T020000Z", open=Open.OPEN)
    closed = preparing("b-20261124T020000Z", state=State.COMPLETE)
    waiting, idle = full_feed(), Feed(feed="idle", open_imports=["x"])
    for record in (opened, closed, waiting, idle):
        table.save(record)
    found = table.open_records()
    assert found.imports == [opened.changed(revision=1)]
    assert found.feeds == [waiting.changed(revision=1)]
    table.save(waiting.changed(revision=1, run_again=None, run_again_at=None))
    assert table.open_records().feeds == []


def test_an_expired_import_whose_result_may_still_come_is_listed_only_when_asked_for(table: ImportsTable) -> None:
    late = preparing("a-20261124T020000Z", state=State.EXPIRED, open=Open.LATE)
    table.save(late)
    assert table.open_records().imports == []
    assert table.open_records(late=True).imports == [late.changed(revision=1)]


def test_a_record_that_cannot_be_read_hides_no_other(table: ImportsTable, stack: Stack, cloud: InProcess) -> None:
    """Such as one that a newer version wrote, of which the stack was rolled back."""
    opened, waiting = preparing("a-20261124T020000Z", open=Open.OPEN), full_feed()
    for record in (
        opened,
        preparing("b-20261124T020000Z", feed="b", open=Open.OPEN),
        waiting,
        waiting.changed(feed="c"),
    ):
        table.save(record)
    for import_id, item, name in (("b-20261124T020000Z", "import", "state"), ("feed#c", "feed", "openImports")):
        cloud.client("dynamodb").update_item(
            TableName=stack.resource("ImportsTable").ref,
            Key={"importId": {"S": import_id}, "item": {"S": item}},
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": {"S": "unheard-of"}},
        )
    found = table.open_records()
    assert found.imports == [opened.changed(revision=1)]
    assert found.feeds == [waiting.changed(revision=1)]
    assert sorted(each[:2] for each in found.broken) == [("b-20261124T020000Z", "b"), ("feed#c", "c")]
    assert not any("unheard-of" in str(each.error) for each in found.broken), "the error reaches the log"


# Sizes


def size(value: Any) -> int:
    """Bytes of an item, or of one of its values, as DynamoDB counts them, rounded up."""
    match value:
        case {"S": str(text)}:
            return len(text.encode())
        case {"N": str(number)}:
            return len(number) // 2 + 2
        case {"L": list(members)}:
            return 3 + sum(1 + size(each) for each in members)
        case {"M": dict(members)}:
            return 3 + sum(1 + len(name.encode()) + size(each) for name, each in members.items())
        case {"BOOL": _} | {"NULL": _}:
            return 1
    return sum(len(name.encode()) + size(each) for name, each in value.items())


@pytest.mark.parametrize("letter", ["x", "é", "🩺"])
def test_a_failed_job_fits_into_an_item_whatever_the_board_says(
    table: ImportsTable, stack: Stack, cloud: InProcess, letter: str
) -> None:
    failed = a_failed_job(
        1, messages=[letter * 5_000] * 2_000, reference_number=letter * 500_000, title=letter * 500_000
    )
    table.write_failed("i", FailedKind.ERROR, [failed], NOW)
    (item,) = items(stack, cloud)
    assert size(item) < ITEM_LIMIT / 2
    (read,) = table.read_failed("i", FailedKind.ERROR)
    assert read.messages[0].startswith(letter * 400)
    assert read.messages[-1] == "… and 1,950 more messages"
    assert read.reference_number is not None
    assert read.reference_number.startswith(letter * 200)


def test_25_of_the_largest_fit_into_a_batch(stack: Stack, cloud: InProcess) -> None:
    """16 MB at most: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html."""
    sizes = []

    def weigh(real: Any, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803
        (writes,) = RequestItems.values()
        sizes.append(sum(size(each["PutRequest"]["Item"]) for each in writes))
        return real(RequestItems=RequestItems)

    table = stubbed(stack, cloud, batch_write_item=weigh)
    long = ["🩺" * 5_000] * 2_000
    table.write_failed("i", FailedKind.ERROR, [a_failed_job(number, messages=long) for number in range(25)], NOW)
    assert max(sizes) < 16 * 2**20


def test_a_record_fits_into_an_item_whatever_the_feed_has(table: ImportsTable, stack: Stack, cloud: InProcess) -> None:
    long = "🩺" * 100_000
    table.save(
        changed(
            full_import(),
            deletes=[Posting(reference_number=long, title=long) for _ in range(25)],
            reason=long,
            warned=[long] * 20,
        )
    )
    (item,) = items(stack, cloud)
    assert size(item) < ITEM_LIMIT


def test_numbers_that_no_item_can_hold_become_texts(table: ImportsTable) -> None:
    huge = 10**60 + 1
    table.save(changed(full_import(), results={"added": huge, "more": [1e300, 0.1, -(10**37)]}))
    record = table.get("default-20261124T020000Z")
    assert record is not None
    assert record.result.counts == {"added": str(huge), "more": ["1e+300", 0.1, -(10**37)]}


@pytest.mark.parametrize(
    "name", ["notice-complete", "notice-blocked", "notice-expired", "notice-paused", "notice-batch"]
)
def test_the_events_of_the_stream_have_the_records_as_they_are_written(
    table: ImportsTable, stack: Stack, cloud: InProcess, name: str
) -> None:
    images = [record["dynamodb"]["NewImage"] for record in load_event(name)["Records"]]
    for image in images:
        cloud.client("dynamodb").put_item(TableName=stack.resource("ImportsTable").ref, Item=image)
        record = table.get(image["importId"]["S"])
        assert record is not None
        table.save(record)
        assert record.destination.account in (None, "BoardApiKey"), "the name as feed.json has it"
        archived = rf"archive/{record.feed}/{record.import_id}\.[0-9a-f]{{10}}\.jsonl\.gz"
        assert record.prepared.payload is None or re.fullmatch(archived, record.prepared.payload)
    written = {item["importId"]["S"]: item | {"revision": None} for item in items(stack, cloud)}
    assert written == {image["importId"]["S"]: image | {"revision": None} for image in images}
