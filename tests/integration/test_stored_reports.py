"""PublishNotice writes reports into the bucket, as its role allows, and links them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.s3 import LINKING, FeedsBucket
from jobferry.records.failed_jobs import FailedKind
from jobferry.records.imports import Import
from local.permissions import accesses, permits, statements
from local.template import Stack
from tests.events import load_event
from tests.integration.inprocess import InProcess, in_process
from tests.integration.test_topic import IMPORT_ID, Inbox, _Context, app, log, store
from tests.stack import expanded
from tests.unit.notices.cases import STATE, complete, job, results

__all__ = ["app", "log", "store"]  # fixtures

PAGE = f"archive/default/{IMPORT_ID}.report.html"
TABLE = f"archive/default/{IMPORT_ID}.report.csv"


@pytest.fixture
def made() -> Iterator[tuple[Stack, InProcess]]:
    with in_process(*expanded()["Resources"]) as made:
        yield made


def save(store: ImportsTable, **changes: Any) -> Import:
    record = complete(results(48, 22, 129, 1), import_id=IMPORT_ID, previous=None, **changes)
    store.save(record)
    store.write_failed(IMPORT_ID, FailedKind.ERROR, [job(14, STATE)], record.expires)
    return record


def test_a_report_is_in_the_bucket_and_its_links_are_in_the_notice_and_nowhere_else(
    app: ModuleType,
    store: ImportsTable,
    stack: Stack,
    cloud: InProcess,
    log: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inbox = Inbox(stack, cloud)
    save(store)
    app.handler(load_event("notice-complete"), _Context())
    bucket = stack.resource("FeedsBucket").ref
    page = cloud.client("s3").get_object(Bucket=bucket, Key=PAGE)
    assert page["ContentType"] == "text/html; charset=utf-8"
    assert STATE in page["Body"].read().decode()
    table = cloud.client("s3").get_object(Bucket=bucket, Key=TABLE)
    assert table["ContentType"] == "text/csv; charset=utf-8"
    assert table["Body"].read().startswith(b"\xef\xbb\xbf")
    [envelope] = inbox.read()
    report = json.loads(envelope["Message"])["report"]
    for name, key in (("html", PAGE), ("csv", TABLE)):
        assert urlsplit(report[name]).path == f"/{key}"
        assert parse_qs(urlsplit(report[name]).query)["X-Amz-Expires"] == ["43200"]
        assert report[f"{name}Object"] == f"s3://{bucket}/{key}"
    logged = log.getvalue() + capsys.readouterr().out
    assert "notice published" in logged
    assert "X-Amz" not in logged
    assert "Signature" not in logged


def test_a_report_that_cannot_be_written_holds_back_no_notice(
    app: ModuleType,
    store: ImportsTable,
    stack: Stack,
    cloud: InProcess,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: Any, *__: Any, **___: Any) -> None:
        raise TimeoutError("S3 is slow today")

    monkeypatch.setattr(FeedsBucket, "store", refuse)
    inbox = Inbox(stack, cloud)
    save(store)
    assert app.handler(load_event("notice-complete"), _Context()) == {"batchItemFailures": []}
    [envelope] = inbox.read()
    assert json.loads(envelope["Message"])["report"] is None
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("ERROR", "report not written"),
        ("INFO", "notice published"),
    ]


def test_the_role_allows_all_that_is_asked_for(
    app: ModuleType, store: ImportsTable, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    for client in (app.imports._client, app.topic._client, app.archive._client):

        def note(params: Any, model: Any, **_: Any) -> None:
            asked.extend(accesses(model.service_model.service_name, model.name, params))

        client.meta.events.register("before-parameter-build", note)
    save(store, withheld_deletes=3, withheld_because=["too-many"])
    app.handler(load_event("notice-complete"), _Context())
    allowed = statements(stack, stack.resource("PublishNoticeFunction").properties["Role"])
    assert [access for access in asked if not permits(allowed, *access)] == []
    bucket, table = stack.resource("FeedsBucket").ref, stack.resource("ImportsTable").ref
    assert {(action, arn.rpartition(":")[2]) for action, arn in asked} >= {
        ("s3:PutObject", f"{bucket}/{PAGE}"),
        ("s3:PutObject", f"{bucket}/{TABLE}"),
        ("s3:GetObject", f"{bucket}/archive/default/default-20261124T070000Z.deletes.jsonl.gz"),
        ("dynamodb:Query", f"table/{table}/index/feed-createdAt"),
    }


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1"])
def test_a_link_is_signed_for_the_buckets_own_host(region: str) -> None:
    client = boto3.Session("key", "secret", "token", region_name=region).client("s3", config=LINKING)
    link = urlsplit(FeedsBucket(client, "jobferry-feeds").link(PAGE, timedelta(hours=12)))
    assert (link.scheme, link.netloc, link.path) == (
        "https",
        f"jobferry-feeds.s3.{region}.amazonaws.com",
        f"/{PAGE}",
    )
    query = parse_qs(link.query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Security-Token"] == ["token"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
