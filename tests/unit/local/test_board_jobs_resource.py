"""The jobs resource of the sandbox board: `GET`, `POST` and `DELETE {base}/jobs.json`, and its faults."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from board_support import AUTH, JOB, KEY

from local.board import Fault, SandboxBoard


@pytest.fixture
def board() -> Iterator[SandboxBoard]:
    with SandboxBoard({KEY: "Acme", "other-key": "Other"}, seed=1, processing_seconds=0) as board:
        for number in ("A-1", "A-2", "A-3"):
            board.post_by_hand(KEY, {"referenceNumber": number})
        board.post_by_hand("other-key", {"referenceNumber": "A-1"})
        yield board


def ask(board: SandboxBoard, method: str, key: str = KEY, **options: Any) -> requests.Response:
    return requests.request(method, f"{board.url}/jobs.json", auth=(key, ""), timeout=5, **options)


def delete(board: SandboxBoard, *numbers: object, key: str = KEY) -> requests.Response:
    return ask(board, "DELETE", key, json=list(numbers))


def numbers(board: SandboxBoard, key: str = KEY) -> list[str]:
    return list(board.account(key))


def test_get_lists_the_accounts_postings(board: SandboxBoard) -> None:
    answer = ask(board, "GET")

    assert answer.status_code == 200
    assert answer.json() == [{"referenceNumber": "A-1"}, {"referenceNumber": "A-2"}, {"referenceNumber": "A-3"}]
    assert ask(board, "GET", "other-key").json() == [{"referenceNumber": "A-1"}]


def test_post_adds_and_updates_and_refuses_as_an_import_does(board: SandboxBoard) -> None:
    changed = {"referenceNumber": "A-1", "title": "Changed"}

    answer = ask(board, "POST", json=[changed, JOB, {"referenceNumber": "A-2", "state": "MC"}])

    assert answer.status_code == 200
    assert (answer.json()["added"], answer.json()["updated"], answer.json()["failed"]) == (1, 1, 1)
    assert answer.json()["errors"][0]["messages"] == ["State is invalid. Value passed was: MC"]
    assert board.account(KEY) == {
        "A-1": changed,
        "A-2": {"referenceNumber": "A-2"},
        "A-3": {"referenceNumber": "A-3"},
        JOB["referenceNumber"]: JOB,
    }


def test_delete_deletes_exactly_what_is_listed_in_this_account(board: SandboxBoard) -> None:
    answer = delete(board, "A-1", "A-3")

    assert (answer.status_code, answer.json()) == (200, {"deleted": 2})
    assert numbers(board) == ["A-2"]
    assert numbers(board, "other-key") == ["A-1"]


def test_a_number_that_is_not_there_is_no_failure(board: SandboxBoard) -> None:
    assert delete(board, "A-2", "never-posted", "A-2").json() == {"deleted": 1}
    assert delete(board, "A-2").json() == {"deleted": 0}
    assert delete(board).json() == {"deleted": 0}
    assert numbers(board) == ["A-1", "A-3"]


def test_a_number_may_be_a_json_number_as_in_a_job(board: SandboxBoard) -> None:
    board.post_by_hand(KEY, {"referenceNumber": 7})

    assert delete(board, 7).json() == {"deleted": 1}
    assert numbers(board) == ["A-1", "A-2", "A-3"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": "[", "headers": {"Content-Type": "application/json"}}, 400),
        ({"headers": {"Content-Type": "application/json"}}, 400),
        ({"data": "[]", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"json": {"jobs": []}}, 422),
        ({"json": [None]}, 422),
        ({"json": ["A-1", True]}, 422),
        ({"json": ["A-1", ["A-2"]]}, 422),
    ],
)
def test_what_is_not_a_list_as_it_should_be_changes_nothing(
    board: SandboxBoard, method: str, options: dict[str, Any], status: int
) -> None:
    assert ask(board, method, **options).status_code == status
    assert numbers(board) == ["A-1", "A-2", "A-3"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_wrong_key_gets_and_changes_nothing(board: SandboxBoard, method: str) -> None:
    assert ask(board, method, "wrong", json=["A-1"]).status_code == 401
    assert numbers(board) == ["A-1", "A-2", "A-3"]


def test_other_methods_are_not_allowed(board: SandboxBoard) -> None:
    answer = ask(board, "PUT", json=[])

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST, DELETE")


@pytest.mark.parametrize(
    ("fault", "outcome", "left"),
    [
        (Fault("error_before", on="DELETE", status=500), 500, 3),
        (Fault("error_before", on="DELETE", status=404), 404, 3),
        (Fault("error_before", on="DELETE", status=405), 405, 3),
        (Fault("too_many_requests", on="DELETE", retry_after=7), 429, 3),
        (Fault("unauthorized"), 401, 3),
        (Fault("redirect", on="DELETE"), 301, 3),
        (Fault("reset_before", on="DELETE"), requests.ConnectionError, 3),
        (Fault("lost_response", on="DELETE"), requests.ConnectionError, 1),
        (Fault("reset_after", on="any"), requests.ConnectionError, 1),
        (Fault("error_after", on="DELETE", status=502), 502, 1),
        (Fault("slow", on="DELETE", seconds=0.2), 200, 1),
        (Fault("garbage", on="DELETE"), 200, 1),
        (Fault("half_body", on="DELETE"), requests.exceptions.ChunkedEncodingError, 1),
        (Fault("no_id", on="DELETE"), 200, 1),
    ],
    ids=lambda value: f"{value.name}-{value.parameters}" if isinstance(value, Fault) else None,
)
def test_faults_can_affect_delete(board: SandboxBoard, fault: Fault, outcome: int | type[Exception], left: int) -> None:
    board.faults.add(fault)

    if isinstance(outcome, int):
        answer = requests.delete(
            f"{board.url}/jobs.json", json=["A-1", "A-2"], auth=AUTH, timeout=5, allow_redirects=False
        )
        assert answer.status_code == outcome
    else:
        with pytest.raises(outcome):
            delete(board, "A-1", "A-2")
    assert len(numbers(board)) == left
    assert delete(board, "A-1", "A-2").status_code == 200, "the same list again is harmless"
    assert numbers(board) == ["A-3"]


def test_a_fault_of_imports_leaves_deletions_alone(board: SandboxBoard) -> None:
    board.faults.add(Fault("lost_response"), Fault("not_found"))

    assert delete(board, "A-1").status_code == 200


def test_the_page_shows_what_was_deleted(board: SandboxBoard) -> None:
    delete(board, "A-1", "A-9")
    delete(board, *(f"<{number}>" for number in range(12)))

    page = requests.get(f"{board.origin}/", timeout=5).text

    assert "2 deletions, newest first" in page
    assert "<td>2</td><td>1</td><td>A-1</td>" in page
    assert "<td>12</td><td>0</td><td></td>" in page
    assert "<0>" not in page
