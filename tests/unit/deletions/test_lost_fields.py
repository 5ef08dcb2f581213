"""A field that most jobs had, and that hardly any has now, blocks the run: live postings would lose it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from jobferry.deletions.lost_fields import require_fields
from jobferry.errors import EventError, FieldsGoneError
from jobferry.records.imports import Import, Prepared, State
from tests.fakes import Killed
from tests.stage import FEED, KEY, Stage, job, lines

COLUMNS = ("referenceNumber", "title", "city", "state", "benefits")


def table(header: tuple[str, ...] = COLUMNS, rows: int = 20, **emptied: str) -> bytes:
    text = ",".join(header) + "\n"
    for number in range(rows):
        row = {
            "referenceNumber": f"J{number:02d}", "title": f"Job {number}", "city": "Lancaster", "state": "PA",
            "benefits": "401k",
        } | emptied  # fmt: skip
        text += ",".join(row.values()) + "\n"
    return text.encode()


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.put("jobs.csv", table())
    assert stage.complete().state is State.COMPLETE
    return stage


def renamed(*names: str) -> tuple[str, ...]:
    return tuple(f"{each} (new)" if each in names else each for each in COLUMNS)


def code(stage: Stage, record: Import) -> str:
    assert (record.state, record.ending.cause) == (State.BLOCKED, "fields-gone"), record.ending.reason
    assert all(posting.get("title") for posting in stage.board.postings(KEY).values())
    assert record.ending.fields_code
    return record.ending.fields_code


def test_a_renamed_column_sends_nothing_until_it_is_fixed(stage: Stage) -> None:
    stage.put("jobs.csv", table(renamed("title")))
    for _ in range(2):
        record = stage.complete()
        code(stage, record)
    assert record.ending.reason == ("title is in 0 of 20 valid jobs, and was in 20 of 20 at the last complete import")

    stage.settings(fields={"title (new)": "title"})
    assert stage.complete().state is State.COMPLETE


def test_an_emptied_column_is_the_same(stage: Stage) -> None:
    stage.put("jobs.csv", table(title="", benefits=" "))
    record = stage.complete()
    code(stage, record)
    assert record.ending.reason is not None
    assert record.ending.reason.startswith("benefits is in 0 of 20 valid jobs")
    assert "; title is in 0 of 20" in record.ending.reason


@pytest.mark.parametrize("gone", [None, b"referenceNumber,title,city,state,benefits\n"])
def test_an_object_that_was_missing_must_not_come_back_without_titles(stage: Stage, gone: bytes | None) -> None:
    """Its postings are live, and the last complete import says nothing about it."""
    stage.put("more.csv", table(rows=30).replace(b"J", b"K"))
    stage.complete()
    if gone is None:
        stage.remove("more.csv")
    else:
        stage.put("more.csv", gone)
    stage.complete()
    stage.put("more.csv", table(renamed("title", "benefits"), rows=30).replace(b"J", b"K"))

    record = stage.complete()

    code(stage, record)
    assert record.ending.reason == (
        "title is in 0 of 30 valid jobs of feeds/default/more.csv, and was in 20 of 20 of the feed at the last complete import"
    )


def test_a_new_object_may_lack_what_not_every_job_has(stage: Stage) -> None:
    stage.put("more.csv", table(renamed("benefits"), rows=30).replace(b"J", b"K"))
    assert stage.complete().state is State.COMPLETE


@pytest.mark.parametrize("value", ["", None, " "])
def test_an_emptied_field_of_json_is_the_same(value: object) -> None:
    stage = Stage()
    stage.put("jobs.json", json.dumps([job(f"J{number}") for number in range(9)]).encode())
    stage.complete()
    stage.put("jobs.json", json.dumps([job(f"J{number}") | {"title": value} for number in range(9)]).encode())
    code(stage, stage.complete())


@pytest.mark.parametrize(
    "settings",
    [
        {"values": {"title": {f"Job {number}": None for number in range(20)}}},
        {"fields": {"title": "headline"}},
    ],
    ids=["values", "fields"],
)
def test_settings_that_empty_a_field_are_the_same(stage: Stage, settings: dict[str, Any]) -> None:
    stage.settings(**settings)
    code(stage, stage.complete())


def test_a_default_that_was_removed_is_the_same() -> None:
    stage = Stage()
    stage.settings(defaults={"benefits": "401k"})
    stage.put_jobs(*(f"J{number}" for number in range(9)))
    stage.complete()
    stage.settings()
    code(stage, stage.complete())


def test_a_person_confirms_these_very_fields(stage: Stage) -> None:
    stage.put("jobs.csv", table(renamed("benefits")))
    benefits = code(stage, stage.complete())
    stage.put("jobs.csv", table(renamed("benefits", "city")))
    both = code(stage, stage.complete())
    assert benefits != both
    for wrong in (benefits, "AAAA-AAAA-AAAA-A"):
        assert code(stage, stage.complete(confirmFields=wrong)) == both

    assert stage.complete(confirmFields=f" {both.lower().replace('-', '')}").state is State.COMPLETE
    assert "benefits" not in stage.board.postings(KEY)["J00"]
    assert stage.complete().state is State.COMPLETE, "from now on it is compared with this import"


def test_a_confirmation_that_is_not_needed_does_no_harm(stage: Stage) -> None:
    assert stage.complete(confirmFields="AAAA-AAAA-AAAA-A").state is State.COMPLETE


def test_a_confirmed_run_that_is_skipped_keeps_its_code(stage: Stage) -> None:
    stage.put("jobs.csv", table(renamed("benefits")))
    known = code(stage, stage.complete())
    stage.put("jobs.csv", table())
    stage.run()
    stage.put("jobs.csv", table(renamed("benefits")))
    assert stage.run(confirmFields=known).state is State.SKIPPED
    stage.finish()
    stage.poll()
    (outcome,) = stage.start()
    assert outcome.state is State.PENDING
    assert stage.store.get_feed(FEED).run_again_confirm_fields is None


def test_a_confirmed_run_that_was_cut_off_keeps_its_code(stage: Stage) -> None:
    stage.put("jobs.csv", table(renamed("benefits")))
    known = code(stage, stage.complete())

    def kill(_: object) -> None:
        raise Killed

    stage.bucket.before_open = kill
    with pytest.raises(Killed):
        stage.event({"feed": FEED, "confirmFields": known})
    stage.bucket.before_open = lambda _: None
    record = stage.store.get(stage.store.get_feed(FEED).last_import or "")
    assert record is not None
    assert record.confirm_fields == known


def test_a_dry_run_says_so_and_names_the_code(stage: Stage) -> None:
    stage.put("jobs.csv", table(renamed("title")))
    outcome = stage.event({"feed": FEED, "dryRun": True})
    assert outcome.reason is not None
    assert outcome.reason.startswith("title is in 0 of 20 valid jobs")
    assert outcome.preview is not None
    assert outcome.preview["fieldsCode"] == code(stage, stage.complete())
    assert stage.event({"feed": FEED, "dryRun": True, "confirmFields": outcome.preview["fieldsCode"]}).reason is None


def test_a_retry_is_no_run_of_the_feed(stage: Stage) -> None:
    key = f"archive/{FEED}/{stage.store.get_feed(FEED).last_complete}.retry-20261124T020500Z.jsonl"
    stage.bucket.contents[key] = lines({"referenceNumber": "J00", "state": "PA"})
    assert stage.complete(retry=key).state is State.COMPLETE
    with pytest.raises(EventError, match="confirmFields"):
        stage.complete(retry=key, confirmFields="AAAA")


def test_invalid_rows_do_not_count() -> None:
    stage = Stage()
    stage.settings(deleteJobs=True, maxInvalidPercent=100)
    rows = [job(f"J{number}") for number in range(9)]
    stage.put("jobs.jsonl", lines(*rows, *(job(f"X{number}", state="MC", benefits="401k") for number in range(90))))
    record = stage.complete()
    assert record.prepared.fields == {"referenceNumber": 9, "title": 9, "state": 9}


@pytest.mark.parametrize("nothing", ["", "  ", 5, ["A"], None])
def test_a_code_that_is_none_is_refused(stage: Stage, nothing: object) -> None:
    with pytest.raises(EventError, match="confirmFields must be the code from a notice"):
        stage.complete(confirmFields=nothing)


def require(before: dict[str, int], now: dict[str, int]) -> None:
    require_fields(Prepared(fields=before), now, [], None)


@pytest.mark.parametrize(
    ("before", "now", "gone"),
    [
        ((80, 100), (10, 100), True),
        ((79, 100), (0, 100), False),
        ((100, 100), (11, 100), False),
        ((100, 100), (0, 5), True),
        ((5, 5), (0, 5), True),
        ((100, 100), (0, 4), False),  # a few jobs may lack an optional field
        ((1, 1), (0, 100), False),
    ],
)
def test_what_most_and_hardly_any_means(before: tuple[int, int], now: tuple[int, int], *, gone: bool) -> None:
    def counts(having: int, jobs: int) -> dict[str, int]:
        return {"referenceNumber": jobs, "benefits": having}

    if gone:
        with pytest.raises(FieldsGoneError):
            require(counts(*before), counts(*now))
    else:
        require(counts(*before), counts(*now))


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_in_a_tiny_feed_a_field_that_every_job_has_counts(jobs: int) -> None:
    with pytest.raises(FieldsGoneError):
        require({"referenceNumber": jobs, "title": jobs}, {"referenceNumber": jobs})
    require({"referenceNumber": jobs, "license": jobs}, {"referenceNumber": jobs})


def test_one_file_of_two_is_enough() -> None:
    """So a column that is renamed in one file on Monday and in the other on Tuesday is noticed on Monday."""
    stage = Stage()
    rows = {name: [job(f"{name}{number}", benefits="401k") for number in range(9)] for name in "ab"}
    for name in "ab":
        stage.put(f"{name}.jsonl", lines(*rows[name]))
    stage.complete()
    without = [{key: value for key, value in row.items() if key != "title"} for row in rows["b"]]
    stage.put("b.jsonl", lines(*without))

    record = stage.complete()

    code(stage, record)
    assert record.ending.reason == (
        "title is in 0 of 9 valid jobs of feeds/default/b.jsonl, and was in 9 of 9 at the last complete import"
    )
    assert stage.complete(confirmFields=record.ending.fields_code).state is State.COMPLETE


def test_files_whose_names_change_are_not_compared_with_each_other() -> None:
    """Or two files that change places would each seem to have lost a field."""
    stage = Stage()
    with_benefits = lines(*(job(f"A{number}", benefits="401k") for number in range(9)))
    without = lines(*(job(f"B{number}") for number in range(9)))
    stage.put("1.jsonl", with_benefits)
    stage.put("2.jsonl", without)
    stage.complete()
    stage.remove("1.jsonl")
    stage.remove("2.jsonl")
    stage.put("3.jsonl", without)
    stage.put("4.jsonl", with_benefits)
    assert stage.complete().state is State.COMPLETE


def test_files_whose_names_have_a_date_are_compared() -> None:
    stage = Stage()
    for name, benefits in (("2026-11-24", "401k"), ("2026-11-25", None)):
        for each in [key for key in stage.bucket.contents if key.startswith("feeds/") and key.endswith(".jsonl")]:
            stage.remove(each.rpartition("/")[2])
        stage.put(f"nurses-{name}.jsonl", lines(*(job(f"A{number}", benefits="401k") for number in range(9))))
        stage.put(f"doctors-{name}.jsonl", lines(*(job(f"B{number}", benefits=benefits) for number in range(9))))
        record = stage.complete()

    assert (record.state, record.ending.cause) == (State.BLOCKED, "fields-gone")
    assert "benefits is in 0 of 9 valid jobs of feeds/default/doctors-2026-11-25.jsonl" in (record.ending.reason or "")


def test_without_a_complete_import_nothing_is_gone() -> None:
    require({}, {"referenceNumber": 5})


def test_fields_are_counted_whatever_fields_each_row_has() -> None:
    stage = Stage()
    optional = [{}, {"city": "Erie"}, {"city": "Erie", "benefits": "401k"}, {"benefits": "401k", "theirs": "x"}]
    rows = [job(f"J{number}", **optional[number * number % 7 % 4]) for number in range(100)]
    stage.put("jobs.jsonl", lines(*rows))
    counts = Counter(name for row in rows for name in row if name != "theirs")
    assert stage.complete().prepared.fields == counts
