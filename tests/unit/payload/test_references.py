"""Reference numbers: those that are there twice, those that are missing, and which postings are protected."""

import random
from pathlib import Path
from typing import Any

import pytest

from jobferry.payload.reference_set import ReferenceSet
from tests.feeds import jobs_of, jsonl, payload_of, problems_of, read, table, warnings_of


def test_rows_that_are_alike_are_sent_once() -> None:
    rows = [
        {"referenceNumber": "a", "title": "t"},
        {"referenceNumber": "b"},
        {"title": "t", "referenceNumber": "a"},  # the order of its fields does not count
        {"referenceNumber": "a", "title": "  t  "},
    ]

    assert read("jobs.jsonl", jsonl(*rows)) == (
        [{"referenceNumber": "a", "title": "t"}, {"referenceNumber": "b"}],
        [],
        ['referenceNumber "a" is in 3 identical rows: one is sent (2, jobs.jsonl row 3)'],
    )


def test_rows_that_differ_are_errors_all_of_them(tmp_path: Path) -> None:
    objects = {
        "a.jsonl": jsonl({"referenceNumber": "a", "title": "t"}, {"referenceNumber": "b"}),
        "b.csv": table({"referenceNumber": "c", "title": "u"}, {"referenceNumber": "a", "title": "u"}),
        "c.csv": table({"referenceNumber": "a", "title": "t"}),
    }

    payload = payload_of(objects, tmp_path)

    assert jobs_of(payload) == [{"referenceNumber": "b"}, {"referenceNumber": "c", "title": "u"}]
    message = (
        'referenceNumber "a" is in 3 rows that differ, a.jsonl row 1 and b.csv row 3: none is sent, because jobferry cannot know '
        "which is right"
    )
    assert problems_of(payload) == [f"{where}: {message}" for where in ("a.jsonl row 1", "b.csv row 3", "c.csv row 2")]
    assert (payload.rows, payload.jobs, payload.invalid, payload.unprotected) == (5, 2, 3, 3)
    assert "a" not in payload.references
    assert "b" in payload.references
    assert len(payload.references) == 2
    problem = next(payload.read_problems())
    assert (problem.reference_number, problem.title) == ("a", "t")


@pytest.mark.parametrize("delete_jobs", [False, True])
def test_a_row_that_contradicts_an_invalid_one(tmp_path: Path, delete_jobs: bool) -> None:
    rows = [{"referenceNumber": "a"}, {"referenceNumber": "b"}, {"referenceNumber": "a", "state": "MC"}]

    payload = payload_of({"jobs.jsonl": jsonl(*rows)}, tmp_path, deleteJobs=delete_jobs)

    assert jobs_of(payload) == [{"referenceNumber": "b"}]
    differ = 'referenceNumber "a" is in 2 rows that differ, jobs.jsonl row 1 and jobs.jsonl row 3: none is sent'
    state = 'state "MC" is not a state of the USA: its two-letter code is needed, such as PA'
    problems = {problem.place.row: problem.messages for problem in payload.read_problems()}
    assert problems[1][0].startswith(differ)
    assert problems[3][0] == state
    assert not any(problem.sent for problem in payload.read_problems())
    assert (payload.invalid, payload.jobs) == (2, 1)
    if delete_jobs:
        assert problems[3][1].startswith(differ)
        assert payload.unprotected == 2


def test_with_delete_jobs_an_invalid_job_is_sent_as_it_is(tmp_path: Path) -> None:
    rows: list[Any] = [
        {"referenceNumber": "a", "state": "MC", "shiftsPerWeek": "x", "postalCode": 2134},
        {"referenceNumber": "b"},
        {"title": "no number"},
        ["not an object"],
        {"referenceNumber": {"a": 1}},
    ]

    payload = payload_of({"jobs.jsonl": jsonl(*rows)}, tmp_path, deleteJobs=True)

    assert jobs_of(payload) == [
        {"referenceNumber": "a", "state": "MC", "shiftsPerWeek": "x", "postalCode": "02134"},
        {"referenceNumber": "b"},
    ]
    assert problems_of(payload) == [
        (
            'jobs.jsonl row 1: state "MC" is not a state of the USA: its two-letter code is needed, such as PA; '
            'shiftsPerWeek "x" is not a whole number'
        ),
        "jobs.jsonl row 3: referenceNumber is missing",
        "jobs.jsonl row 4: the row is a list, not an object with a job's fields",
        'jobs.jsonl row 5: referenceNumber is an object, a text is needed: {"a":1}',
    ]
    assert [problem.sent for problem in payload.read_problems()] == [True, False, False, False]
    assert (payload.rows, payload.jobs, payload.invalid, payload.unprotected) == (5, 2, 4, 3)
    assert "a" in payload.references


def test_an_invalid_job_of_a_table_is_sent_with_its_numbers_as_numbers(tmp_path: Path) -> None:
    rows = [{"referenceNumber": "a", "state": "MC", "hoursPerShift": "12"}, {"referenceNumber": "b"}]

    payload = payload_of({"jobs.csv": table(*rows)}, tmp_path, deleteJobs=True)

    assert jobs_of(payload)[0] == {"referenceNumber": "a", "state": "MC", "hoursPerShift": 12}


def test_without_delete_jobs_an_invalid_job_is_held_back(tmp_path: Path) -> None:
    payload = payload_of(
        {"jobs.jsonl": jsonl({"referenceNumber": "a", "state": "MC", "title": "t"}, {"referenceNumber": "b"})}, tmp_path
    )

    assert jobs_of(payload) == [{"referenceNumber": "b"}]
    assert (payload.rows, payload.jobs, payload.invalid, payload.unprotected) == (2, 1, 1, 0)
    assert "a" not in payload.references
    (problem,) = payload.read_problems()
    assert (problem.reference_number, problem.title) == ("a", "t")


def test_invalid_rows_that_are_alike_are_sent_once_with_delete_jobs(tmp_path: Path) -> None:
    row = {"referenceNumber": "a", "state": "MC"}

    payload = payload_of({"jobs.jsonl": jsonl(row, row, {"referenceNumber": "b"})}, tmp_path, deleteJobs=True)

    assert jobs_of(payload) == [row, {"referenceNumber": "b"}]
    assert (payload.rows, payload.jobs, payload.invalid, payload.unprotected) == (3, 2, 2, 0)
    assert warnings_of(payload) == ['referenceNumber "a" is in 2 identical rows: one is sent (1, jobs.jsonl row 2)']


def test_reference_numbers_that_look_alike_are_not() -> None:
    rows = [{"referenceNumber": each} for each in ("1", "01", "1.5", "a", "A", "é", "e\u0301", "=1", " 2")]

    jobs, problems, warnings = read("jobs.jsonl", jsonl(*rows))

    assert [job["referenceNumber"] for job in jobs] == ["1", "01", "1.5", "a", "A", "é", "e\u0301", "=1", "2"]
    assert problems == warnings == []


def test_long_reference_numbers_are_not_held_in_memory(tmp_path: Path) -> None:
    import tracemalloc

    long = [f"{number}{'x' * 1_000_000}" for number in range(60)]
    content = jsonl(*({"referenceNumber": each} for each in long))
    tracemalloc.start()
    try:
        payload = payload_of({"jobs.jsonl": content}, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert payload.jobs == 60
    assert peak < 20_000_000  # of 60


class TestReferenceSet:
    def test_it_is_a_set(self) -> None:
        draw = random.Random(4)
        texts = [str(draw.randrange(5_000)) for _ in range(10_000)]
        references = ReferenceSet()
        for text in texts:
            references.add(text)

        there = set(texts)
        assert len(references) == len(there)
        assert all(text in references for text in there)
        assert not any(f"{text}x" in references for text in there)
        repeated = references.repeated()
        assert {text for text in there if text in repeated} == {text for text in there if texts.count(text) > 1}
        gone = set(draw.sample(sorted(there), 1_000))
        references.discard(gone | {"never there"})
        assert {text for text in there if text in references} == there - gone
        assert len(references) == len(there) - 1_000

    def test_it_can_be_added_to_after_it_was_asked(self) -> None:
        references = ReferenceSet()
        references.add("b")
        assert "b" in references
        references.add("a")
        assert "a" in references
        assert "b" in references
        assert len(references.repeated()) == 0

    def test_each_takes_eight_bytes(self) -> None:
        import tracemalloc

        tracemalloc.start()
        try:
            references = ReferenceSet()
            for number in range(50_000):
                references.add(f"a reference number that is rather long, for one, {number}")
            assert len(references) == 50_000
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 50_000 * 24  # the texts alone would be 5 MB
