"""An object of a feed that is there, and has lost its rows, deletes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobferry.deletions.rules import reduced_objects
from jobferry.records.imports import Import, ReducedObject
from tests.stage import FEED, Stage, jobs, lines

REFERENCES = [f"J{number:03d}" for number in range(100)]


def table(*references: str) -> bytes:
    rows = "".join(f"{each},Job {each},PA\n" for each in references)
    return f"referenceNumber,title,state\n{rows}".encode()


def full_sync(small: str = "b.csv", content: bytes | None = None) -> Stage:
    """A feed of two objects, of which the second one has five jobs: so few that rule 4 lets them be deleted."""
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put("a.csv", table(*REFERENCES[:95]))
    stage.put(small, content or table(*REFERENCES[95:]))
    stage.complete()
    assert stage.complete().deletions.delete_jobs
    return stage


def assert_withheld(record: Import, *objections: str) -> None:
    assert (record.deletions.delete_jobs, record.deletions.because) == (False, list(objections))
    assert record.deletions.confirm_code


def test_an_error_instead_of_rows_withholds_the_deletions_twice_over() -> None:
    rows = [{"referenceNumber": each, "title": f"Job {each}", "state": "PA"} for each in REFERENCES[95:]]
    stage = full_sync("b.json", json.dumps({"jobs": rows}).encode())
    stage.put("b.json", json.dumps({"error": "upstream timed out", "jobs": []}).encode())

    record = stage.complete()

    assert record.deletions.because == ["unprotected-rows", "fewer-rows"]
    assert record.deletions.reduced == [ReducedObject(key=f"feeds/{FEED}/b.json", rows=0, rows_before=5)]
    assert stage.postings() == REFERENCES


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("b.csv", b"referenceNumber,title,state\n"),
        ("b.json", b"[]"),
        ("b.xml", b"<?xml version='1.0'?>\n<jobs></jobs>"),
    ],
)
def test_an_object_without_rows_withholds_the_deletions(name: str, empty: bytes) -> None:
    rows = [{"referenceNumber": each, "title": f"Job {each}", "state": "PA"} for each in REFERENCES[95:]]
    whole = {
        "b.csv": table(*REFERENCES[95:]),
        "b.json": json.dumps(rows).encode(),
        "b.xml": b"<jobs>%s</jobs>"
        % b"".join(
            b"<job>%s</job>" % "".join(f"<{key}>{value}</{key}>" for key, value in row.items()).encode() for row in rows
        ),
    }
    stage = full_sync(name, whole[name])
    stage.put(name, empty)

    for _ in range(3):  # every night
        record = stage.complete()
        assert_withheld(record, "fewer-rows")
        assert record.deletions.reduced == [ReducedObject(key=f"feeds/{FEED}/{name}", rows=0, rows_before=5)]
        stage.clock.forward(hours=24)
    assert stage.postings() == REFERENCES

    assert stage.complete(confirmDeletes=record.deletions.confirm_code).deletions.delete_jobs
    assert stage.postings() == REFERENCES[:95]
    assert stage.complete().deletions.delete_jobs


@pytest.mark.parametrize(("left", "because"), [(3, []), (2, ["fewer-rows"])])
def test_more_than_half_of_the_rows(left: int, because: list[str]) -> None:
    stage = full_sync()
    stage.put("b.csv", table(*REFERENCES[95 : 95 + left]))
    assert stage.complete().deletions.because == because


def test_jobs_that_moved_to_another_object_are_not_missing() -> None:
    stage = full_sync()
    stage.put("a.csv", table(*REFERENCES))
    stage.put("b.csv", table())
    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == REFERENCES


def test_dated_names_are_compared_in_their_order() -> None:
    stage = Stage()
    stage.settings(deleteJobs=True)
    for night, small in ((24, 5), (25, 5), (26, 0)):
        for name in [each.key.rpartition("/")[2] for each in stage.bucket.objects(FEED)]:
            stage.remove(name)
        stage.put(f"a-2026-11-{night}.csv", table(*REFERENCES[:95]))
        stage.put(f"b-2026-11-{night}.csv", table(*REFERENCES[95 : 95 + small]))
        record = stage.complete()
    assert_withheld(record, "fewer-rows")


def test_while_deletions_are_withheld_a_new_object_is_watched_too() -> None:
    """The first run to compare with has no c.jsonl; the last one has."""
    stage = full_sync()
    stage.put("b.csv", table())
    assert_withheld(stage.complete(), "fewer-rows")
    stage.put("c.jsonl", lines(*jobs("N1", "N2", "N3")))
    assert_withheld(stage.complete(), "fewer-rows")
    stage.put("b.csv", table(*REFERENCES[95:]))
    stage.remove("c.jsonl")

    assert_withheld(stage.complete(), "fewer-objects")
    assert len(stage.postings()) == 103


@pytest.mark.parametrize(
    ("before", "now", "reduced"),
    [
        ({"a": 2}, {"a": 1}, []),
        ({"a": 1}, {"a": 0}, ["a"]),
        ({"a": 3}, {"a": 1}, ["a"]),
        ({"a": 0}, {"a": 0}, []),
        ({}, {"a": 0}, []),
        ({"a": 9, "b1": 5, "c1": 7}, {"a": 9, "b2": 5, "c2": 0}, ["c2"]),
        ({"a": 9, "b1": 5}, {"a": 9, "b2": 5, "c2": 0}, []),  # one more than before
        ({"a1": 9, "b": 5}, {"b": 5}, []),  # fewer objects is another objection
    ],
)
def test_which_objects_are_reduced(before: dict[str, int], now: dict[str, int], reduced: list[str]) -> None:
    def sources(rows: dict[str, int]) -> list[dict[str, Any]]:
        return [{"key": key, "rows": count} for key, count in rows.items()]

    assert [each.key for each in reduced_objects(sources(before), sources(now))] == reduced


def test_a_record_from_before_rows_were_counted_is_compared_by_its_objects_alone() -> None:
    assert reduced_objects([{"key": "a", "etag": "e", "bytes": 5}], [{"key": "a", "rows": 0}]) == []


def test_the_last_of_many_objects_is_compared_too() -> None:
    """The import's record has no room for the fields of them all. Their numbers of rows matter more."""
    stage = Stage()
    names = "city description requirements license specialty shift internalCode benefits payFrequency startDate endDate"
    stage.settings(deleteJobs=True, defaults=dict.fromkeys(names.split(), "2027-01-02"), maxInvalidPercent=100)
    for number in range(700):
        stage.put(f"{number:03}.csv", table(f"{number}-1", f"{number}-2"))
    stage.complete()
    assert len(json.dumps(stage.complete().to_item())) < 300_000
    stage.put("699.csv", table())

    assert_withheld(stage.complete(), "fewer-rows")
