"""What the board says of an import: the page's own examples, and what must not cost a result."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

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
        ("all wrong", []),
        ([{"index": 3, "messages": "one text"}], [(3, ["one text"], None)]),
        ([{"index": -1, "referenceNumber": 77}], [(None, [], "77")]),
        (["only words"], [(None, ["only words"], None)]),
        ([{"index": True, "messages": [None, 5]}], [(None, ["None", "5"], None)]),
    ],
)
def test_a_strange_list_of_errors_costs_no_result(errors: Any, read: list[Any]) -> None:
    answer = parse_job_import(body(results={"added": 2, "errors": errors}))
    assert answer.results is not None
    assert answer.results.added == 2
    assert [(each.index, each.messages, each.reference_number) for each in answer.results.errors] == read


def test_a_date_that_is_none_costs_no_result() -> None:
    answer = parse_job_import(body(requestedAt="yesterday", completedAt=5))
    assert answer.requested_at is None
    assert answer.completed_at is None
    assert answer.is_complete


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<html>", "it is not JSON"),
        (b'{"data": NaN}', "it is not JSON"),
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
    with pytest.raises(JobImportError, match=message):
        parse_job_import(text)
