"""Which field of the board a name of the feed is; and what people are told about names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobferry.feeds.rows import plain_name
from jobferry.jobs.fields import FIELDS
from jobferry.jobs.names import FeedNames
from tests.feeds import array, elements, jsonl, read, table

_READ_AS = "the names differ only in case, spaces, hyphens and the like"


def about_names(warnings: list[str]) -> list[str]:
    return [each for each in warnings if _READ_AS in each or "is not read as" in each or "is mapped to" in each]


_examples = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@_examples
@given(
    field=st.sampled_from(sorted(FIELDS)),
    marks=st.lists(st.sampled_from(["", " ", "_", "-", "\xa0", "\ufeff", "\u200b", "\u2011", "\t"]), min_size=30),
    upper=st.lists(st.booleans(), min_size=30),
)
def test_a_field_written_differently_is_that_field(field: str, marks: list[str], upper: list[bool]) -> None:
    written = "".join(
        mark + (letter.upper() if up else letter) for mark, letter, up in zip(marks, field, upper, strict=False)
    )
    row = FeedNames({}).of_row((written,))
    assert row.columns == {field: written}
    assert plain_name(written) == field.lower()


@pytest.mark.parametrize("name", ["job_title", "jobtitle", "title*", "@title", "title/b", "titles", "ti.tle", "zip"])
def test_a_name_that_is_only_similar_is_no_field(name: str) -> None:
    assert FeedNames({}).of_row((name,)).columns == {}


@pytest.mark.parametrize(
    ("key", "write"), [("jobs.jsonl", jsonl), ("jobs.json", array), ("jobs.csv", table), ("jobs.xml", elements)]
)
def test_near_names_are_read_in_every_format_with_one_warning_each(key: str, write: Any) -> None:
    rows = [{"Reference_Number": str(n), "TITLE": "CRNA", "Shifts-Per-Week": 4, "Notes": "n"} for n in range(3)]

    jobs, problems, warnings = read(key, write(*rows))

    expected = {"title": "CRNA", "shiftsPerWeek": 4, "Notes": "n"}
    assert jobs == [{"referenceNumber": str(n)} | expected for n in range(3)]
    assert problems == []
    first = f"{key} row 1"  # of a table, that is its header
    assert sorted(about_names(warnings)) == [
        f'"Reference_Number" is read as referenceNumber: {_READ_AS} (1, {first})',
        f'"Shifts-Per-Week" is read as shiftsPerWeek: {_READ_AS} (1, {first})',
        f'"TITLE" is read as title: {_READ_AS} (1, {first})',
    ]


def test_the_exact_name_wins_and_the_other_is_sent_as_it_is() -> None:
    rows = [{"referenceNumber": "a", "title": "right", "Title": "other"}, {"referenceNumber": "b", "Title": "alone"}]

    jobs, problems, warnings = read("jobs.jsonl", jsonl(*rows))

    assert jobs == [
        {"referenceNumber": "a", "title": "right", "Title": "other"},
        {"referenceNumber": "b", "title": "alone"},
    ]
    assert problems == []
    assert about_names(warnings)[0] == (
        '"Title" is not read as title, because "title" is: it is sent as an unknown field (1, jobs.jsonl row 1)'
    )


@pytest.mark.parametrize("empty", [None, "", " "])
def test_the_exact_name_wins_even_without_a_value(empty: str | None) -> None:
    jobs, _, _ = read("jobs.jsonl", jsonl({"referenceNumber": "a", "title": empty, "Title": "other"}))

    assert jobs == [{"referenceNumber": "a", "Title": "other"}]


def test_a_column_of_the_header_wins_in_rows_where_it_is_empty() -> None:
    names = FeedNames({"Job": "city"})
    names.begin(("referenceNumber", "title", "Title", "Job", "City"))
    assert len(names.take_warnings()) == 2

    row = names.of_row(("referenceNumber", "Title", "City"))

    assert (row.renames, names.take_warnings(), names.missing) == ({}, [], set())
    names.begin()
    assert names.of_row(("referenceNumber", "Title", "City")).renames == {"Title": "title", "City": "city"}


def test_two_near_names_with_different_values_are_a_problem() -> None:
    rows = [
        {"referenceNumber": "a", "Title": "CRNA", "TITLE": "CRNA"},
        {"referenceNumber": "b", "Title": "CRNA", "TITLE": "NP"},
        {"referenceNumber": "c", "Title": "CRNA", "TITLE": None},
    ]

    jobs, problems, _ = read("jobs.jsonl", jsonl(*rows))

    assert jobs == [{"referenceNumber": "a", "title": "CRNA"}, {"referenceNumber": "c", "title": "CRNA"}]
    assert problems == ['jobs.jsonl row 2: the row has two different values for title, in "Title" and "TITLE"']


def test_a_mapped_name_is_compared_exactly_and_wins() -> None:
    rows = [{"referenceNumber": "a", "Job": "mapped", "Title": "near"}, {"referenceNumber": "b", "JOB": "x"}]

    jobs, _, warnings = read("jobs.jsonl", jsonl(*rows), fields={"Job": "title"})

    assert jobs == [{"referenceNumber": "a", "Title": "near", "title": "mapped"}, {"referenceNumber": "b", "JOB": "x"}]
    assert len(about_names(warnings)) == 1


def test_a_value_that_a_mapped_name_replaces_is_told() -> None:
    row = {"referenceNumber": "a", "title": "lost", "Job": "sent"}

    jobs, _, warnings = read("jobs.jsonl", jsonl(row), fields={"Job": "title"})

    assert jobs == [{"referenceNumber": "a", "title": "sent"}]
    assert about_names(warnings) == [
        '"Job" is mapped to title in feed.json: where it has a value, the feed\'s own "title" is left out (1, jobs.jsonl row 1)'
    ]


def test_names_that_trade_places_lose_nothing() -> None:
    jobs, _, warnings = read(
        "jobs.jsonl",
        jsonl({"referenceNumber": "a", "title": "x", "city": "y"}),
        fields={"title": "city", "city": "title"},
    )

    assert jobs == [{"referenceNumber": "a", "city": "x", "title": "y"}]
    assert about_names(warnings) == []


def test_rows_with_ever_new_names_take_bounded_memory() -> None:
    names = FeedNames({})
    for number in range(2000):
        names.of_row((f"x{number}", "t-" * number + "itle"))
    assert len(names._rows) + len(names.unknown) + len(names._warned) < 1000


_NAMES = ("title", "Title", "TITLE", "job", "Job", "city", "CITY", "x", "address", "address.city")
_SETTINGS: tuple[dict[str, str], ...] = (
    {},
    {"job": "title"},
    {"job": "title", "Job": "title"},
    {"title": "city", "x": "y"},
    {"address.city": "city"},
)


@_examples
@given(
    rows=st.lists(st.lists(st.sampled_from(_NAMES), unique=True), min_size=1, max_size=4),
    fields=st.sampled_from(_SETTINGS),
    equal=st.booleans(),
)
def test_no_value_is_dropped_without_a_word(rows: list[list[str]], fields: dict[str, str], equal: bool) -> None:
    def value(row: int, name: str) -> Any:
        text = f"v{row}" if equal else f"v{row}{name}"
        return {"city": text, "zip": text} if name == "address" else text

    content = [{"referenceNumber": str(n)} | {name: value(n, name) for name in row} for n, row in enumerate(rows)]

    jobs, problems, warnings = read("jobs.jsonl", jsonl(*content), fields=fields)

    sent = {int(job["referenceNumber"]): json.dumps(job) for job in jobs}
    told = " ".join(problems + warnings)
    for number in sent:
        for name in rows[number]:
            is_sent = json.dumps(value(number, name)) in sent[number] or name == "address"
            assert is_sent or f'"{name}"' in told
    assert len(jobs) + len(problems) == len(rows)


_ADDRESS = {"city": "Lancaster", "zip": "17603", "geo": {"state": "PA"}}
_PATHS = {"address.city": "city", "address.zip": "postalCode", "address.geo.state": "state"}


@pytest.mark.parametrize(
    ("row", "sent"),
    [
        ({"address": _ADDRESS}, {"city": "Lancaster", "postalCode": "17603", "state": "PA"}),
        (
            {"address": _ADDRESS | {"country": 1, "line2": ""}},
            {"address": {"country": 1, "line2": ""}, "city": "Lancaster", "postalCode": "17603", "state": "PA"},
        ),
        (
            {"address": {"city": " York ", "line2": "", "geo": {"lat": None}}},
            {"address": {"line2": "", "geo": {"lat": None}}, "city": "York"},
        ),
        ({"address": {"city": None, "zip": ""}}, {}),
        ({"address": "Lancaster, PA"}, {"address": "Lancaster, PA"}),
        ({"address": [{"city": "York"}]}, {"address": [{"city": "York"}]}),
        ({"address": {"city": "York"}, "address.city": "Reading"}, {"address": {"city": "York"}, "city": "Reading"}),
    ],
)
def test_values_inside_objects_are_mapped_by_their_paths(row: dict[str, Any], sent: dict[str, Any]) -> None:
    for key, content in (
        ("jobs.jsonl", jsonl({"referenceNumber": "a"} | row)),
        ("jobs.json", array({"referenceNumber": "a"} | row)),
    ):
        jobs, problems, _ = read(key, content, fields=_PATHS)
        assert (jobs, problems) == ([{"referenceNumber": "a"} | sent], [])


def test_a_reference_number_inside_an_object_is_found() -> None:
    rows = json.dumps([{"job": {"id": n, "name": "CRNA"}} for n in (1, 2)]).encode()

    jobs, problems, _ = read("jobs.json", rows, fields={"job.id": "referenceNumber", "job.name": "title"})

    assert (jobs, problems) == ([{"referenceNumber": str(n), "title": "CRNA"} for n in (1, 2)], [])
