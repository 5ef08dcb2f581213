"""JSON: where the jobs are, on which line each begins, and that one bad row costs one row."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.formats.json import read_array
from jobferry.feeds.rows import UnreadableRow
from tests.feeds import read

JOBS: list[dict[str, Any]] = [
    {"referenceNumber": f"LT-{number}", "title": "CRNA", "clinic": {"name": "{x"}} for number in range(6)
]
CLINICS = [{"id": 1, "name": "Clinic"}, {"id": 2, "name": "Other"}]


def references(content: Any, **settings: Any) -> list[str]:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return [job["referenceNumber"] for job in read("jobs.json", text, **settings)[0]]


ALL = [job["referenceNumber"] for job in JOBS]


# Where the jobs are


@pytest.mark.parametrize(
    "others", [{"total": 2}, {"errors": CLINICS[:0]}, {"facets": []}, {"meta": {"pages": CLINICS}}]
)
@pytest.mark.parametrize("first", [True, False])
def test_the_only_list_of_objects_is_the_jobs(others: dict[str, Any], first: bool) -> None:
    content = {**others, "data": JOBS} if first else {"data": JOBS, **others}
    jobs, problems, warnings = read("jobs.json", json.dumps(content).encode())

    assert (jobs, problems) == (JOBS, [])
    assert warnings[0].startswith('the jobs are read from "data", the object\'s only list of objects; confirm it')


@pytest.mark.parametrize("size", [10, 5_000_000], ids=["short", "long"])
def test_of_several_lists_none_is_taken(size: int) -> None:
    long = [*JOBS, {"referenceNumber": "z", "title": "x" * size}]
    for content in ({"results": long, "included": CLINICS}, {"included": CLINICS, "results": JOBS}):
        with pytest.raises(FeedUnreadableError, match=r'"rows": "(results|included)" or "rows": "(results|included)"'):
            references(content)


def test_jobs_are_preferred_to_other_lists() -> None:
    assert references({"included": CLINICS, "jobs": JOBS, "more": CLINICS}) == ALL
    assert references({"more": CLINICS, "included": CLINICS, "jobs": JOBS}) == ALL


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"data": {"items": JOBS}, "links": {"next": None}}, "data.items"),
        ({"jobs": {"job": JOBS}}, "jobs.job"),
        ({"departments": [{"name": "a", "jobs": JOBS[:2]}, {"name": "b", "jobs": []}, {"jobs": JOBS[2:]}]}, "departments.jobs"),
    ],
)  # fmt: skip
def test_a_deeper_list_is_suggested_and_then_read(content: Any, path: str) -> None:
    with pytest.raises(FeedUnreadableError) as caught:
        references(content)
    assert f'"rows": "{path}"' in str(caught.value)

    jobs, problems, warnings = read("jobs.json", json.dumps(content).encode(), rows=path)
    assert (jobs, problems, warnings) == (JOBS, [], [])


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"edges": [{"node": job} for job in JOBS], "more": 1}, "edges.node"),
        ([{"job": job} for job in JOBS], "job"),
        ({"a.b": {"c": JOBS}}, "a.b.c"),
        ({"included": CLINICS, "data": JOBS}, "data"),
        ({"jobs": CLINICS, "data": JOBS}, "data"),
    ],
)
def test_the_path_of_the_rows_leads_through_objects_and_lists(content: Any, path: str) -> None:
    assert references(content, rows=path) == ALL


def test_jobs_beside_the_path_are_a_problem() -> None:
    content = {"data": {"items": JOBS[:3], "featured": JOBS[3:]}}
    jobs, problems, _ = read("jobs.json", json.dumps(content).encode(), rows="data.items")

    assert len(jobs) == 3
    assert 'the object has 3 objects like a job in "data.featured", which cannot be read' in problems[0]


@pytest.mark.parametrize("content", [{"data": {"list": JOBS}}, {"data": {"items": None}}, {"items": JOBS}])
def test_a_path_that_is_not_there_is_an_error(content: Any) -> None:
    with pytest.raises(FeedUnreadableError, match=r'has no list under "data\.items"'):
        references(content, rows="data.items")


def test_a_job_alone_is_told_what_it_needs() -> None:
    with pytest.raises(FeedUnreadableError, match=r"A single job needs \[ and \] around it"):
        references(JOBS[0])


# Lines


def lines(content: bytes) -> list[int | None]:
    return [line for _, line, _ in read_array("jobs.json", iter([content]))]


def test_rows_have_lines_unless_they_are_on_the_first() -> None:
    assert lines(json.dumps(JOBS[:2]).encode()) == [None, None]
    assert lines(json.dumps(JOBS[:2], indent=1).encode()) == [2, 9]
    assert lines(json.dumps([{"a": 1}] * 3, indent=1).encode()) == [2, 5, 8]
    assert lines(b'{"x":\n1,"data":\n[{"a":1},\n{"a":2}]}')[1:] == [3, 4]


# One bad row


def spoiled(old: bytes, new: bytes) -> list[Any]:
    text = json.dumps(JOBS).encode()
    assert text.count(old) == 1
    return [row for _, _, row in read_array("jobs.json", iter([text.replace(old, new)]))]


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"LT-3"', b'LT-3"'), (b'"LT-3"', b'"LT-3'), (b'{"referenceNumber": "LT-3"', b'"referenceNumber": "LT-3"'), (b'"LT-3",', b'"LT-3"},')],
)  # fmt: skip
def test_reading_resumes_at_the_next_job(old: bytes, new: bytes) -> None:
    rows = spoiled(old, new)

    assert sum(isinstance(row, UnreadableRow) for row in rows) == 1
    assert all(json.loads(row) in JOBS for row in rows if isinstance(row, bytes))
    assert len(rows) >= 5


def test_an_object_within_a_bad_row_is_not_taken_for_a_job() -> None:
    jobs = [job | {"shifts": [{"referenceNumber": "no"}, {"referenceNumber": "never"}]} for job in JOBS]
    text = json.dumps(jobs).encode().replace(b'"LT-3"', b'"LT-3')

    assert references(text) == [each for each in ALL if each != "LT-3"]


def test_a_list_after_a_bad_last_job_is_not_taken_for_jobs() -> None:
    text = json.dumps({"jobs": JOBS, "closed": JOBS}).encode().replace(b'"LT-5"', b'"LT-5', 1)
    jobs, problems, _ = read("jobs.json", text)

    assert jobs == JOBS[:5]
    assert len(problems) == 2  # the bad row, and what looks like jobs


@pytest.mark.parametrize("bad", range(6))
@pytest.mark.parametrize("path", [(), ("jobs",), ("data", "jobs")])
def test_a_bad_row_within_lists_and_objects(bad: int, path: tuple[str, ...]) -> None:
    jobs = [job | {"dates": [{"from": 1}], "tags": ["a"]} for job in JOBS]
    text = json.dumps(jobs)
    for name in reversed(path):
        text = f'{{"{name}": {text}, "more": {{"ids": [1]}}}}'
    text = text.replace(f'"LT-{bad}"', f'"LT-{bad}')

    settings = {"rows": ".".join(path)} if path else {}
    assert references(text.encode(), **settings) == [each for each in ALL if each != ALL[bad]]


def test_a_row_that_was_cut_off_within_a_list_does_not_swallow_the_next() -> None:
    text = json.dumps([job | {"tags": ["a", "b"]} for job in JOBS]).replace('"b"]}', "", 1).encode()

    assert references(text.replace(b'"a", ,', b'"a",')) == ALL[1:]


def test_a_bad_row_without_another_in_sixteen_megabytes_refuses_the_feed() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'[{"referenceNumber": "a"}, {"referenceNumber": b}'
        for _ in range(40):
            yield b" " * 1_000_000

    with pytest.raises(FeedUnreadableError, match="no other job follows within 16,777,216 bytes"):
        list(read_array("jobs.json", pieces()))


def test_a_bad_row_before_very_many_other_objects_refuses_the_feed_soon() -> None:
    content = b'[{"a":1,"b":2,"c":3},{"a":x},' + b'{"y":[1,' * 200_000

    with pytest.raises(FeedUnreadableError, match="no other job follows within 16,777,216 bytes or 200 objects"):
        list(read_array("jobs.json", iter([content])))


def test_a_number_in_scientific_notation_is_no_reference_number() -> None:
    content = b'[{"referenceNumber": 1.23457E+11}, {"referenceNumber": 12.0, "payAmountMin": 1.5e+2}]'
    jobs, problems, _ = read("jobs.json", content)
    assert jobs == [{"referenceNumber": "12", "payAmountMin": "150.00"}]
    [problem] = problems
    assert "referenceNumber 1.23457E+11 was shortened by a spreadsheet" in problem


@pytest.mark.parametrize("about", [{"total": 3}, {"page": {"totalRecords": 3, "size": 2}}, {"total": 3, "next": None}])
def test_a_total_of_more_jobs_than_there_are_is_a_problem(about: dict[str, Any]) -> None:
    jobs = [{"referenceNumber": "a"}, {"referenceNumber": "b"}]
    for document in (about | {"jobs": jobs}, {"jobs": jobs} | about):
        found, [problem], _ = read("jobs.json", json.dumps(document).encode())
        assert (found, "3, but 2 jobs; was it exported completely?" in problem) == (jobs, True)
        whole = json.dumps({**document, "jobs": [*jobs, {"referenceNumber": "c"}]}).encode()
        assert read("jobs.json", whole)[1] == []


def test_totals_within_lists_are_about_something_else() -> None:
    document = {
        "jobs": [{"referenceNumber": "a"}],
        "states": [{"state": "TX", "total": 12}],
        "sum": {"TX": {"total": 12}},
    }
    assert read("jobs.json", json.dumps(document).encode())[1] == []
