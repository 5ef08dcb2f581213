"""Feeds and the archive in S3."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError

from jobferry.adapters.s3 import FeedsBucket
from jobferry.errors import FeedChangedError, FeedUnreadableError
from jobferry.feeds.objects import FeedObject, read_rows
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import Allowance
from local.template import Stack
from tests.integration.inprocess import InProcess, Stub


@pytest.fixture
def bucket(stack: Stack, cloud: InProcess) -> FeedsBucket:
    return FeedsBucket(cloud.client("s3"), stack.resource("FeedsBucket").ref)


@pytest.fixture
def put(stack: Stack, cloud: InProcess) -> Any:
    return lambda key, body=b"x": cloud.client("s3").put_object(
        Bucket=stack.resource("FeedsBucket").ref, Key=key, Body=body
    )


def stubbed(stack: Stack, cloud: InProcess, **played: Any) -> FeedsBucket:
    return FeedsBucket(Stub(cloud.client("s3"), **played), stack.resource("FeedsBucket").ref)  # type: ignore[arg-type]


def refuse(code: str) -> Any:
    def play(_real: Any, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "GetObject")

    return play


def test_a_feeds_objects_in_key_order_without_what_is_no_part_of_it(bucket: FeedsBucket, put: Any) -> None:
    for key in (
        "feeds/a/",
        "feeds/a/feed.json",
        "feeds/a/z.csv",
        "feeds/a/b/",
        "feeds/a/b/c.csv",
        "feeds/ab/d.csv",
        "feeds/a/_SUCCESS",
    ):
        put(key, key.encode())
    put("archive/a/e.csv")
    found = bucket.objects("a")
    assert [(each.key, each.size) for each in found] == [("feeds/a/b/c.csv", 15), ("feeds/a/z.csv", 13)]
    assert all(each.etag.startswith('"') for each in found)
    assert bucket.objects("none") == []


def test_one_object_is_found_by_its_whole_key(bucket: FeedsBucket, put: Any) -> None:
    put("archive/a/b.jsonl.gz")
    assert bucket.find("archive/a/b.jsonl") is None
    etag = put("archive/a/b.jsonl", b"four")["ETag"]
    found = bucket.find("archive/a/b.jsonl")
    assert found is not None
    assert found.modified is not None
    assert found == FeedObject("archive/a/b.jsonl", etag, 4, found.modified)


def test_every_page_of_a_listing_is_read(bucket: FeedsBucket, put: Any) -> None:
    for number in range(1_003):
        put(f"feeds/many/{number:04}.csv")
        if number % 100 == 0:
            put(f"feeds/f{number:04}/feed.json")
    assert [each.key for each in bucket.objects("many")] == [f"feeds/many/{number:04}.csv" for number in range(1_003)]
    assert bucket.feeds() == [*(f"f{number:04}" for number in range(0, 1_003, 100)), "many"]


def test_settings_or_none(bucket: FeedsBucket, put: Any) -> None:
    assert bucket.settings("a") == ("feeds/a/feed.json", None)
    put("feeds/a/feed.json", b'{"paused": true}')
    assert bucket.settings("a") == ("feeds/a/feed.json", b'{"paused": true}')
    put("feeds/a/feed.json", b"x" * (3 << 20))
    assert len(bucket.settings("a")[1] or b"") == 1 << 20


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidObjectState", "KMS.DisabledException"])
def test_an_object_that_may_not_be_read_is_a_fault_of_the_feed(stack: Stack, cloud: InProcess, code: str) -> None:
    bucket = stubbed(stack, cloud, get_object=refuse(code))
    with pytest.raises(FeedUnreadableError, match=rf"^feeds/a/b.csv may not be read \({code}\)"):
        bucket.open_object(FeedObject("feeds/a/b.csv", '"e"', 1))


@pytest.mark.parametrize("code", ["SlowDown", "InternalError"])
def test_what_cannot_be_asked_is_not_taken_for_missing(
    stack: Stack, cloud: InProcess, tmp_path: Path, code: str
) -> None:
    bucket = stubbed(stack, cloud, get_object=refuse(code))
    with pytest.raises(ClientError, match=code):
        bucket.settings("a")
    with pytest.raises(ClientError, match=code):
        bucket.open_object(FeedObject("feeds/a/b.csv", '"e"', 1))
    with pytest.raises(ClientError, match=code):
        bucket.fetch("archive/a/b", tmp_path / "b")


def test_the_version_that_was_listed_is_read_or_none(bucket: FeedsBucket, put: Any, stack: Stack) -> None:
    put("feeds/a/b.csv", b"first")
    (listed,) = bucket.objects("a")
    with bucket.open_object(listed) as stream:
        assert stream.read() == b"first"
    put("feeds/a/b.csv", b"second")
    with pytest.raises(FeedChangedError, match=r"feeds/a/b\.csv was replaced or deleted") as raised:
        bucket.open_object(listed)
    assert raised.value.retryable
    assert raised.value.__cause__ is not None


def test_an_object_that_is_gone_has_changed(bucket: FeedsBucket) -> None:
    with pytest.raises(FeedChangedError, match="was replaced or deleted"):
        bucket.open_object(FeedObject("feeds/a/b.csv", '"e"', 1))


class Cut:
    """A body of which the connection breaks after its first bytes."""

    def __init__(self, error: Exception | None) -> None:
        self._content = io.BytesIO(b"referenceNumber,title\nA-1,Hospitalist\n")
        self._error = error
        self.closed = False

    def read(self, size: int | None = None) -> bytes:
        content = self._content.read(size)
        if not content and self._error is not None:
            raise self._error
        return content

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    "error",
    [
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ReadTimeoutError(endpoint_url="x"),
        ConnectionResetError("reset"),
        TimeoutError("timed out"),
    ],
)
def test_a_body_that_is_cut_in_the_middle_is_no_feed(stack: Stack, cloud: InProcess, error: Exception) -> None:
    body = Cut(error)
    bucket = stubbed(stack, cloud, get_object=lambda _real, **_: {"Body": body})
    obj = FeedObject("feeds/a/b.csv", '"e"', 100)
    with (
        bucket.open_object(obj) as stream,
        pytest.raises(FeedChangedError, match=r"feeds/a/b\.csv could not be read to its end"),
    ):
        list(read_rows(obj, stream, FeedSettings(), Allowance(1 << 20)))
    assert body.closed


def test_a_body_that_ends_early_without_a_word_is_no_feed(stack: Stack, cloud: InProcess) -> None:
    bucket = stubbed(stack, cloud, get_object=lambda _real, **_: {"Body": Cut(None)})
    obj = FeedObject("feeds/a/b.csv", '"e"', 100)
    with bucket.open_object(obj) as stream, pytest.raises(FeedUnreadableError):
        list(read_rows(obj, stream, FeedSettings(), Allowance(1 << 20)))


def test_the_archive_gives_back_what_was_stored(bucket: FeedsBucket, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000  # above 8 MiB: boto3 sends it in parts
    (tmp_path / "a").write_bytes(content)
    bucket.store("archive/a/i.jsonl.gz", tmp_path / "a")
    assert bucket.fetch("archive/a/i.jsonl.gz", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == content
    assert not bucket.fetch("archive/a/other", tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    "error", [IncompleteReadError(actual_bytes=1, expected_bytes=2), ConnectionResetError("reset")]
)
def test_an_archived_object_that_is_cut_is_not_taken_for_whole(
    stack: Stack, cloud: InProcess, tmp_path: Path, error: Exception
) -> None:
    bucket = stubbed(stack, cloud, get_object=lambda _real, **_: {"Body": Cut(error)})
    with pytest.raises(type(error)):
        bucket.fetch("archive/a/i", tmp_path / "b")
