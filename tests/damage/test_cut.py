"""Objects that end too early, or change while they are read: nobody knows what else they held, so nothing is sent."""

import gzip
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from jobferry.errors import FeedMissingError, FeedUnreadableError
from jobferry.feeds.objects import FeedObject
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.vocabulary import NOTHING_LISTED
from jobferry.payload.build import build
from tests.feeds import FORMATS, JOBS, Objects, jsonl, listed, read, table

ROWS = [{"referenceNumber": f"job {number}", "title": 'The "title", of one', "city": "York"} for number in range(3)]


@pytest.mark.parametrize(("key", "write"), FORMATS.items(), ids=FORMATS)
def test_an_object_is_never_taken_for_whole_when_it_was_cut(key: str, write: Callable[..., bytes]) -> None:
    """Cut anywhere but at the end of a row, which only some formats can tell."""
    content = write(*ROWS)
    whole, _, _ = read(key, content)
    taken = []
    for end in range(0, len(content), 3 if key.endswith("xlsx") else 1):
        try:
            jobs, problems, _ = read(key, content[:end])
        except FeedUnreadableError as error:
            assert str(error).startswith(key)  # noqa: PT017  # most are refused, those that are not are looked at
        else:
            assert len(jobs) <= len(whole)
            if not any("cut off" in problem or "quotation mark" in problem for problem in problems):
                taken.append(content[:end])
    if key.endswith(("json", "xml", "rss", "xlsx")) and not key.endswith("ndjson"):
        # Only what comes after the last bracket can be missing.
        assert taken in ([], [content[:-1]] if content[-1:].isspace() else [])
    elif key.endswith(("jsonl", "ndjson")):
        assert all(each.endswith((b"}", b"}\n")) for each in taken)
    else:
        # A table has no end: its header, and its very last cell can be cut.
        assert all(
            b"\n" not in each or re.search(rb'(city|of one"*[,;|\t](Y|Yo|Yor|York)?)\r?\n?$', each) for each in taken
        )


@pytest.mark.parametrize(("key", "write"), FORMATS.items(), ids=FORMATS)
def test_a_gzip_that_was_cut(key: str, write: Callable[..., bytes]) -> None:
    content = gzip.compress(write(*ROWS))
    for end in (len(content) - 1, len(content) - 8, len(content) - 9, len(content) // 2, 12):
        with pytest.raises(FeedUnreadableError, match=r"cut off|no end|not a workbook"):
            read(f"{key}.gz", content[:end])


def test_a_gzip_that_was_damaged() -> None:
    content = bytearray(gzip.compress(jsonl(*ROWS)))
    content[-6] ^= 1  # its checksum

    with pytest.raises(FeedUnreadableError, match=r"^a\.jsonl\.gz is damaged: its gzip data cannot be unpacked"):
        read("a.jsonl.gz", bytes(content))
    with pytest.raises(FeedUnreadableError, match=r"^a\.jsonl\.gz is damaged: its gzip data cannot be unpacked"):
        read("a.jsonl.gz", gzip.compress(jsonl(*ROWS)) + b"and something else")


def test_a_name_that_promises_gzip() -> None:
    with pytest.raises(FeedUnreadableError, match=r"^a\.csv\.gz is not gzip, though its name ends in \.gz$"):
        read("a.csv.gz", b"referenceNumber\na\n")


def test_gzip_that_no_name_promises() -> None:
    assert read("a.csv", gzip.compress(b"referenceNumber\na\n"))[0] == [{"referenceNumber": "a"}]


@pytest.mark.parametrize("key", [*FORMATS, *(f"{key}.gz" for key in FORMATS)])
def test_nothing_at_all(key: str) -> None:
    with pytest.raises(FeedUnreadableError) as caught:
        read(key, gzip.compress(b"") if key.endswith(".gz") else b"")

    assert str(caught.value) == f"{key} is empty (0 bytes): was the export cut off?"


@pytest.mark.parametrize("key", [key for key in FORMATS if not key.endswith("xlsx")])
@pytest.mark.parametrize("content", [b" ", b"\n\r\n\t\n", b"\xef\xbb\xbf", b"\xff\xfe"], ids=repr)
def test_nothing_but_white_space_or_a_mark(key: str, content: bytes) -> None:
    with pytest.raises(FeedUnreadableError, match=r"has only white space|has no header|not well-formed XML"):
        read(key, content)


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("a.json", b'[{"referenceNumber":"a"},{"referenceNumber":"b"', "a.json is cut off at row 2: its JSON has no end"),
        ("a.json", b'[{"referenceNumber":"a"},{"referenceNumber":"b"}', "a.json is cut off at row 2: its JSON has no end"),
        ("a.json", b'[{"referenceNumber":"a"},', "a.json is cut off at row 2: its JSON has no end"),
        ("a.json", b'{"jobs":[{"referenceNumber":"a"}]', "a.json is cut off at the end of jobs: its JSON has no end"),
        ("a.json", b'{"jo', "a.json is cut off at the beginning: its JSON has no end"),
        ("a.jsonl", b'{"referenceNumber":"a"}\n{"refer', "a.jsonl is cut off in row 2: the row is not JSON: "),
        ("a.xml", b"<jobs><job><referenceNumber>a</referenceNumber></job>", "a.xml is not well-formed XML"),
    ],
)  # fmt: skip
def test_where_it_was_cut_is_said(key: str, content: bytes, message: str) -> None:
    with pytest.raises(FeedUnreadableError) as caught:
        read(key, content)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("end", [b'b,"an end', b"b", b'b,t,"u\nv'])
def test_a_table_that_was_cut_says_so_in_its_last_row(end: bytes) -> None:
    jobs, problems, _ = read("a.csv", b"referenceNumber,title,city\na,t,York\n" + end, maxInvalidPercent=100)

    assert jobs == [{"referenceNumber": "a", "title": "t", "city": "York"}]
    assert problems[0].startswith("a.csv row 3: the row ")
    assert "cut off" in problems[0]


def test_a_last_row_without_a_line_end_is_whole() -> None:
    assert read("a.csv", b"referenceNumber,title\na,t\nb,u")[0][1] == {"referenceNumber": "b", "title": "u"}
    assert read("a.csv", b'referenceNumber,title\na,t\nb,"u"')[0][1] == {"referenceNumber": "b", "title": "u"}
    assert read("a.jsonl", b'{"referenceNumber":"a"}\n{"referenceNumber":"b"} ')[0][1] == {"referenceNumber": "b"}


@pytest.mark.parametrize(("key", "write"), FORMATS.items(), ids=FORMATS)
def test_a_transfer_that_ends_early_or_late(key: str, write: Callable[..., bytes], tmp_path: Path) -> None:
    """The bucket said how many bytes the object has: another number is another object, or half of one."""
    content = write(*JOBS)
    for size in (len(content) + 1, len(content) - 1):
        with pytest.raises(
            FeedUnreadableError, match=rf"^{key} ended after {len(content):,} bytes, it should have {size:,}$"
        ):
            build([FeedObject(key, "etag", size)], Objects({key: content}), FeedSettings(), tmp_path, NOTHING_LISTED)


def test_an_object_that_was_replaced_while_it_was_read(tmp_path: Path) -> None:
    class Replaced(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise FeedUnreadableError("b.csv was replaced while it was read")
            return super().read(5)

    class Reader(Objects):
        def open_object(self, obj: FeedObject) -> BinaryIO:
            return Replaced(b"x" * 40) if obj.key == "b.csv" else super().open_object(obj)

    objects = {"a.csv": table({"referenceNumber": "a"}), "b.csv": b"x" * 40}
    with pytest.raises(FeedUnreadableError, match=r"^b\.csv was replaced while it was read$"):
        build(listed(objects), Reader(objects), FeedSettings(), tmp_path, NOTHING_LISTED)


def test_no_object(tmp_path: Path) -> None:
    with pytest.raises(FeedMissingError, match="the feed's folder has no feed file"):
        build([], Objects({}), FeedSettings(), tmp_path, NOTHING_LISTED)
