"""What the board says of an import: the page's own examples, and what must not cost a result."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobferry.adapters.http_board import MAX_ANSWER
from jobferry.board import job_imports
from jobferry.board.job_imports import JobError, JobImportError, Results, parse_job_import

CONTRACT = Path(__file__).parents[2] / "contract"


def contract(name: str) -> Any:
    return json.loads((CONTRACT / f"{name}.json").read_text())


def body(**data: Any) -> bytes:
    return json.dumps({"data": {"id": "44eJr7YHDO9PqC834E_q5", "status": "complete", "results": {}} | data}).encode()


@pytest.mark.parametrize("name", ["create_response", "retrieve_response"])
def test_the_pages_answers(name: str) -> None:
    answer = parse_job_import(json.dumps(contract(name)))
    assert answer.id == contract(name)["data"]["id"]
    assert answer.status == "pending"
    assert not answer.is_complete
    assert answer.requested_at == datetime(2024, 3, 2, 11, 0, 54, tzinfo=UTC)
    assert answer.completed_at is None
    assert answer.results is None


def test_the_pages_results() -> None:
    results = Results.model_validate(contract("job_import_results"))
    assert (results.added, results.updated, results.unchanged, results.failed) == (48, 22, 4343, 3)
    assert (results.deleted, results.processed) == (0, 4416)
    assert results.ignored_values == []
    assert [(each.index, each.reference_number, each.messages) for each in results.errors] == [
        (227, None, ["Job ID is missing"]),
        (3142, "pAQT29bmBL7H", ["State is invalid. Value passed was: MC"]),
        (3178, "q3IVj4CLstkO", ["Zip is invalid. Value passed was: 0"]),
    ]
    assert results.unaccounted(4416) == 0
    assert JobError.model_validate(contract("job_import_error")).reference_number == "mqnQS38eLwnz"


@pytest.mark.parametrize(
    ("sent", "counts", "unaccounted"),
    [
        (10, {"processed": 10, "added": 4, "updated": 3, "unchanged": 2, "failed": 1}, 0),
        (12, {"processed": 10, "added": 10}, 2),
        (10, {"processed": 10, "added": 7}, 3),
        (10, {"processed": 11, "added": 11}, 1),
        (10, {"processed": 8, "added": 10}, 2),
        (10, {"processed": 8, "added": 8}, 2),
        (10, {}, 10),
    ],
)
def test_a_remainder_is_counted(sent: int, counts: dict[str, int], unaccounted: int) -> None:
    assert Results.model_validate(counts).unaccounted(sent) == unaccounted


def test_what_the_page_does_not_have_is_kept() -> None:
    answer = parse_job_import(body(results={"added": 1, "paused": 3, "ignoredValues": {"shift": ["x"]}}, queue="q7"))
    assert answer.results is not None
    assert answer.results.model_extra == {"paused": 3}
    assert answer.results.ignored_values == {"shift": ["x"]}
    assert answer.model_extra == {"queue": "q7"}


@pytest.mark.parametrize(
    ("errors", "read"),
    [
        (None, []),
        ("all wrong", [(None, ["all wrong"], None)]),
        ({}, []),
        ({"index": 3, "messages": ["one"]}, [(3, ["one"], None)]),
        ({"messages": "one"}, [(None, ["one"], None)]),
        (
            {"0": {"messages": ["a"]}, "227": "b", "J-7": ["c", "d"], "9": {"index": 8, "referenceNumber": "J-8"}},
            [(0, ["a"], None), (227, ["b"], None), (None, ["c", "d"], "J-7"), (8, [], "J-8")],
        ),
        ([{"index": 3, "messages": "one text"}], [(3, ["one text"], None)]),
        ([{"index": -1, "referenceNumber": 77}], [(None, [], "77")]),
        ([{"index": 3, "message": "one"}], [(3, ["one"], None)]),
        ({"message": "one"}, [(None, ["one"], None)]),
        (["only words"], [(None, ["only words"], None)]),
        ([{"index": True, "messages": [None, 5]}], [(None, ["None", "5"], None)]),
    ],
)
def test_a_strange_list_of_errors_costs_no_result(errors: Any, read: list[Any]) -> None:
    answer = parse_job_import(body(results={"added": 2, "errors": errors}))
    assert answer.results is not None
    assert answer.results.added == 2
    assert [(each.index, each.messages, each.reference_number) for each in answer.results.errors] == read


@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        5,
        10**30,
        float("nan"),
        float("inf"),
        "9999-12-31T23:59:59-05:00",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+01:00",
        "0001-01-01",
        "\ud800",
        {},
    ],
)
def test_a_date_that_is_none_costs_no_result(time: Any) -> None:
    answer = parse_job_import(body(requestedAt=time, completedAt=time))
    assert answer.requested_at is None
    assert answer.completed_at is None
    assert answer.is_complete


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", "1e400", "9" * 60, "9" * 6000, '"\\ud800"', '"\\u0000"', "[" * 3000 + "]" * 3000]
)
@pytest.mark.parametrize("field", ["added", "ignoredValues", "more", "errors", "completedAt"])
def test_no_value_costs_the_result(field: str, text: str) -> None:
    results = f'{{"updated": 2, "{field}": {text}}}'
    answer = parse_job_import(
        f'{{"data": {{"id": "a", "status": "Complete ", "{field}": {text}, "results": {results}}}}}'
    )
    assert answer.is_complete
    assert answer.results is not None
    assert answer.results.updated == 2


def test_an_answer_of_very_many_values_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of 10 million empty objects has 32 MB as a text, and a gigabyte in memory."""
    many = body(results={"errors": [{}] * 10})
    parse_job_import(many)
    monkeypatch.setattr(job_imports, "_MAX_VALUES", 10)
    monkeypatch.setattr(job_imports, "from_json", None)
    with pytest.raises(JobImportError, match="it has more than 10 values"):
        parse_job_import(many)


def test_the_largest_answer_of_errors_has_room() -> None:
    error = b'{"index":227,"messages":["Job ID is missing"],"referenceNumber":null},'
    values = sum(map(error.count, (b",", b"[", b"{", b":")))
    assert MAX_ANSWER // len(error) * values < job_imports._MAX_VALUES * 1.5


def test_long_texts_are_cut() -> None:
    answer = parse_job_import(body(results={"errors": [{"messages": ["x" * 50_000], "referenceNumber": "y" * 50_000}]}))
    assert answer.results is not None
    (error,) = answer.results.errors
    assert len(error.messages[0]) == len(error.reference_number or "") == 4000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<html>", "it is not JSON"),
        (b'{"data": NaN}', "it is an object without an import in data"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "it is not JSON"),
        (b"[]", "it is a list without an import in data"),
        (b'{"data": []}', "it is an object without an import in data"),
        (b'{"data": {"status": "complete"}}', "its data is not an import: id"),
        (body(id="a/../b"), "its data is not an import: id"),
        (body(id=""), "its data is not an import: id"),
        (body(status=None), "its data is not an import: status"),
        (body(results=None), "complete, but without results"),
        (b"\xff\xfe", "it is not JSON"),
    ],
)
def test_what_is_no_import_is_told_without_its_content(text: bytes, message: str) -> None:
    with pytest.raises(JobImportError, match=message) as caught:
        parse_job_import(text)
    assert "input_value" not in str(caught.value.__cause__), "a traceback shows the cause"
