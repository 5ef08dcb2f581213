"""What a payload says about how well the feed is understood."""

from pathlib import Path
from typing import Any

import pytest

from jobferry.payload.understanding import FieldUse, Understanding
from tests.feeds import jsonl, payload_of, table

JOB = {"title": "CRNA", "city": "York", "state": "PA", "description": "d"}


@pytest.fixture(params=["jobs.jsonl", "jobs.csv"])
def understood(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    def understand(*rows: dict[str, Any], **settings: Any) -> Understanding:
        content = (jsonl if request.param == "jobs.jsonl" else table)(*rows)
        return payload_of({request.param: content}, tmp_path, **settings).understanding

    return understand


def test_each_field_has_its_jobs_and_its_columns(understood: Any) -> None:
    rows = [
        {"Job ID": "a", "Title": "CRNA", "city": "York", "Notes": "n", "state": "PA"},
        {"Job ID": "b", "Title": "CRNA", "city": "", "Town": "Reading"},
        {"Job ID": "c", "Title": "CRNA", "city": "York", "Town": "", "state": "XX"},
    ]

    found = understood(*rows, fields={"Job ID": "referenceNumber", "Town": "city"}, defaults={"state": "TX"})

    assert found.jobs == 3
    assert found.fields == {
        "referenceNumber": FieldUse(3, ["Job ID"], False),
        "title": FieldUse(3, ["Title"], False),
        "city": FieldUse(3, ["city", "Town"], False),
        "state": FieldUse(3, ["state"], True),
    }
    assert found.unknown == ["Notes"]


def test_rows_with_one_field_in_different_columns_are_told_apart(understood: Any) -> None:
    found = understood(
        {"referenceNumber": "a", "title": "CRNA"}, {"referenceNumber": "b", "Job": "NP"}, fields={"Job": "title"}
    )

    assert found.fields["title"] == FieldUse(2, ["title", "Job"], False)


@pytest.mark.parametrize("more", [{}, {"Notes": "n"}])
def test_a_feed_that_is_understood_has_no_warnings(understood: Any, more: dict[str, str]) -> None:
    found = understood({"Job ID": "a", **JOB, **more}, fields={"Job ID": "referenceNumber"})

    assert found.warnings == []


@pytest.mark.parametrize(
    ("row", "settings", "warnings"),
    [
        (
            {"Position ID": "p", **JOB},
            {"fields": {"Pay Rate": "payAmountMin"}},
            ['no job has "Pay Rate", which feed.json maps to payAmountMin'],
        ),
        (
            {"Pay rate": "80", **JOB},
            {"fields": {"Pay Rate": "payAmountMin"}},
            ['no job has "Pay Rate", which feed.json maps to payAmountMin: is it "Pay rate" now?'],
        ),
        (
            {"zip": "17603", **JOB},
            {},
            [
                '"zip" is not a field of the board: if it is postalCode, write "fields": {"zip": "postalCode"} in feed.json'
            ],
        ),
        ({"zip": "17603", "postalCode": "17603", **JOB}, {}, []),
        (
            {"locaton/zip": "17603", "benefitz": "x", **JOB},
            {},
            [
                '"benefitz" is not a field of the board: if it is benefits, write "fields": {"benefitz": "benefits"} in feed.json'
            ],
        ),
        (
            {"Pay": "80", **JOB},
            {"fields": {"Pay": "payMin"}, "values": {"Specialty": {"a": "b"}}, "defaults": {"zzz": "1"}},
            [
                'feed.json maps "Pay" to "payMin", which is not a field of the board: did you mean payAmountMin?',
                'feed.json has values for "Specialty", which is not a field of the board: did you mean specialty?',
                'feed.json has defaults for "zzz", which is not a field of the board',
            ],
        ),
        ({**JOB, "title": ""}, {}, ["1 of 1 job has no title"]),
    ],
)
def test_what_seems_wrong_with_names_is_said_once(
    understood: Any, row: dict[str, str], settings: dict[str, Any], warnings: list[str]
) -> None:
    assert understood({"referenceNumber": "a", **row}, **settings).warnings == warnings


@pytest.mark.parametrize(("lacking", "warnings"), [(1, []), (2, ["2 of 20 jobs have no city"])])
def test_a_field_that_many_jobs_lack_is_told(understood: Any, lacking: int, warnings: list[str]) -> None:
    rows = [{"referenceNumber": str(n), **JOB, "city": "" if n < lacking else "York"} for n in range(20)]

    assert understood(*rows).warnings == warnings


def test_a_mapped_key_is_there_even_if_all_of_its_values_are_empty(tmp_path: Path) -> None:
    rows = jsonl({"referenceNumber": "a", **JOB, "Perks": None}, {"referenceNumber": "b", **JOB, "Perks": ""})

    assert payload_of({"jobs.jsonl": rows}, tmp_path, fields={"Perks": "benefits"}).understanding.warnings == []


def test_rows_with_errors_are_understood_too(tmp_path: Path) -> None:
    found = payload_of({"jobs.jsonl": jsonl({"title": "CRNA"}, {"Title": "NP"})}, tmp_path).understanding

    assert (found.jobs, found.fields) == (2, {"title": FieldUse(2, ["title", "Title"], False)})


def test_columns_of_all_objects_are_told_together(tmp_path: Path) -> None:
    objects = {
        "a.csv": table({"referenceNumber": "a", **JOB, "Perks": "x"}),
        "b.jsonl": jsonl({"referenceNumber": "b", **JOB, "benefits": "x", "q": 1}),
    }

    payload = payload_of(objects, tmp_path, fields={"Perks": "benefits"})

    assert payload.understanding.fields["benefits"] == FieldUse(2, ["Perks", "benefits"], False)
    assert (payload.understanding.unknown, payload.understanding.warnings) == (["q"], [])
    assert [source["fields"]["benefits"] for source in payload.sources] == [1, 1]
