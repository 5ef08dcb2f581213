"""The everyday case: an export that is half written, empty, replaced while it is read, or without one of its files."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any
from xml.sax.saxutils import escape

import pytest

from jobferry.feeds.objects import FeedObject
from jobferry.records.imports import State
from tests.stage import FEED, Stage, job, jobs, lines

REFERENCES = [f"J{number:03d}" for number in range(200)]


def table(delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["referenceNumber", "title", "state"])
    writer.writerows([each["referenceNumber"], each["title"], each["state"]] for each in jobs(*REFERENCES))
    return text.getvalue().encode()


def document() -> bytes:
    rows = "".join(
        f"<job>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in each.items())}</job>\n"
        for each in jobs(*REFERENCES)
    )
    return f'<?xml version="1.0"?>\n<jobs>\n{rows}</jobs>\n'.encode()


WHOLE: dict[str, bytes] = {
    "jobs.json": json.dumps(jobs(*REFERENCES)).encode(),
    "wrapped.json": json.dumps({"at": "2026-11-24", "jobs": jobs(*REFERENCES)}).encode(),
    "jobs.jsonl": lines(*jobs(*REFERENCES)),
    "jobs.csv": table(),
    "jobs.tsv": table("\t"),
    "jobs.xml": document(),
}


def full_sync(name: str, content: bytes) -> Stage:
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put(name, content)
    stage.complete()
    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == REFERENCES
    return stage


@pytest.mark.parametrize("name", WHOLE)
def test_a_feed_that_is_cut_off_anywhere_deletes_at_most_what_always_may_go(name: str) -> None:
    """Most cuts are seen, and nothing is sent. Where one is not (between two lines), the rules for many hold."""
    whole = WHOLE[name]
    stage = full_sync(name, whole)
    unseen = []
    for at in sorted({*range(0, len(whole), 997), *range(len(whole) - 120, len(whole), 7)}):
        stage.put(name, whole[:at])
        record = stage.complete()
        gone = len(REFERENCES) - len(stage.postings())
        if record.state is State.BLOCKED:
            assert record.ending.cause in ("feed-unreadable", "feed-invalid"), record.ending.reason
            assert gone == 0
        else:
            assert record.state is State.COMPLETE
            unseen.append(at)
            assert gone <= 40  # maxDeletePercent
            assert gone == record.deletions.expected
            stage.put(name, whole)
            stage.complete()
            assert stage.postings() == REFERENCES
    if name.endswith((".json", ".xml")):
        assert all(not whole[at:].strip(b" \r\n") for at in unseen), "a cut in it is always seen"


@pytest.mark.parametrize("name", WHOLE)
def test_a_gzip_that_is_cut_off_sends_nothing(name: str) -> None:
    whole = gzip.compress(WHOLE[name])
    stage = full_sync(f"{name}.gz", whole)
    before = stage.sent()
    for at in (1, 2, 9, 10, 18, len(whole) // 2, len(whole) - 8, len(whole) - 4, len(whole) - 1):
        stage.put(f"{name}.gz", whole[:at])
        record = stage.complete()
        assert (record.state, record.ending.cause) == (State.BLOCKED, "feed-unreadable"), (at, record.ending.reason)
        assert f"feeds/{FEED}/{name}.gz" in (record.ending.reason or "")
    assert stage.sent() == before
    assert stage.postings() == REFERENCES


def test_a_table_that_ends_in_a_quoted_field_deletes_nothing() -> None:
    stage = full_sync("jobs.csv", table())
    stage.put("jobs.csv", table().rpartition(b'"')[0])

    record = stage.complete()

    assert "unprotected-rows" in record.deletions.because
    assert stage.postings() == REFERENCES


@pytest.mark.parametrize("name", ["b.jsonl", "b.json", "b.csv", "b.xml", "b.csv.gz"])
@pytest.mark.parametrize("content", [b"", b" \r\n"], ids=["zero-bytes", "blank"])
def test_an_empty_object_beside_a_good_one_sends_nothing(name: str, content: bytes) -> None:
    stage = full_sync("jobs.jsonl", WHOLE["jobs.jsonl"])
    stage.put(name, content)

    record = stage.complete()

    assert (record.state, record.ending.cause) == (State.BLOCKED, "feed-unreadable")
    assert f"feeds/{FEED}/{name}" in (record.ending.reason or "")
    assert stage.postings() == REFERENCES


def test_an_object_that_became_empty_of_jobs_is_like_many_that_are_gone() -> None:
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put("a.jsonl", lines(*jobs(*REFERENCES[:100])))
    stage.put("b.json", json.dumps(jobs(*REFERENCES[100:])).encode())
    stage.complete()
    stage.complete()
    stage.put("b.json", b"[]")

    record = stage.complete()

    assert (record.deletions.delete_jobs, record.deletions.withheld, record.deletions.because) == (
        False,
        100,
        ["fewer-rows", "too-many"],
    )
    assert stage.postings() == REFERENCES


@pytest.mark.parametrize("end", [0, 150, 199])
def test_rows_that_cannot_be_read_withhold_whatever_the_rest_says(end: int) -> None:
    stage = full_sync("jobs.jsonl", WHOLE["jobs.jsonl"])
    rows: list[Any] = list(jobs(*REFERENCES[:195]))
    rows.insert(end, b'{"referenceNumber": "J199", "title": "he said "yes""}')
    stage.put("jobs.jsonl", lines(*rows))

    record = stage.complete()

    assert (record.deletions.delete_jobs, record.deletions.withheld, record.deletions.because) == (
        False,
        5,
        ["unprotected-rows"],
    )
    assert stage.postings() == REFERENCES


# Replaced while it is read


def test_a_feed_that_is_replaced_while_it_is_read_is_read_again() -> None:
    stage = full_sync("a.jsonl", lines(*jobs(*REFERENCES)))
    stage.put("b.jsonl", lines(job("extra")))
    opened = []

    def replace(obj: FeedObject) -> None:
        opened.append(obj.key.rpartition("/")[2])
        if opened == ["a.jsonl", "b.jsonl"]:  # after a was read, before b is
            stage.put("a.jsonl", lines(*jobs(*REFERENCES[:199])))
            stage.put("b.jsonl", lines(job("other")))

    stage.bucket.before_open = replace
    record = stage.complete()

    assert opened == ["a.jsonl", "b.jsonl", "a.jsonl", "b.jsonl"]
    assert stage.sent()[-1] == ([*REFERENCES[:199], "other"], True)
    assert [source["etag"] for source in record.prepared.sources] == [obj.etag for obj in stage.bucket.objects(FEED)]


def test_a_feed_that_is_replaced_again_and_again_sends_nothing() -> None:
    stage = full_sync("jobs.jsonl", WHOLE["jobs.jsonl"])
    number = iter(range(100))
    before = stage.sent()
    stage.bucket.before_open = lambda _: stage.put("jobs.jsonl", lines(job(f"N{next(number)}")))

    record = stage.complete()

    assert (record.state, record.ending.cause) == (State.BLOCKED, "feed-changed")
    assert record.ending.reason is not None
    assert record.ending.reason.startswith("feeds/default/jobs.jsonl was replaced or deleted while")
    assert next(number) == 3
    assert stage.sent() == before


def test_an_object_that_is_deleted_between_listing_and_reading_is_as_one_that_is_gone() -> None:
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put("a.jsonl", lines(*jobs(*REFERENCES[:195])))
    stage.put("b.jsonl", lines(*jobs(*REFERENCES[195:])))
    stage.complete()
    stage.complete()

    def delete(_: FeedObject) -> None:
        stage.bucket.contents.pop(f"feeds/{FEED}/b.jsonl", None)

    stage.bucket.before_open = delete

    record = stage.complete()

    assert (record.deletions.delete_jobs, record.deletions.withheld, record.deletions.because) == (
        False,
        5,
        ["fewer-objects"],
    )
    assert stage.postings() == REFERENCES
