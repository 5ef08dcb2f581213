"""The sandbox board's page and the paths under `/_sandbox`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from board_support import JOB, KEY, Receiver, send

from local.board import Fault, SandboxBoard


@pytest.fixture
def board() -> Iterator[SandboxBoard]:
    def clock() -> datetime:
        return datetime(2024, 3, 2, 11, 0, 54, tzinfo=UTC)

    with SandboxBoard({KEY: "Acme & Sons", "other-key": "Other"}, clock=clock, processing_seconds=0) as board:
        yield board


def ask(board: SandboxBoard, method: str, path: str, status: int = 200, **options: Any) -> Any:
    answer = requests.request(method, f"{board.origin}/_sandbox/{path}", timeout=5, **options)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_accounts_and_postings(board: SandboxBoard) -> None:
    board.wait(send(board, JOB).json()["data"]["id"])

    assert ask(board, "GET", "accounts") == [
        {"name": "Acme & Sons", "postings": 1, "imports": 1},
        {"name": "Other", "postings": 0, "imports": 0},
    ]
    assert ask(board, "GET", "accounts/Acme%20%26%20Sons/postings") == {"u9FE7VIZ": JOB}
    ask(board, "GET", "accounts/Nobody/postings", status=404)


def test_posting_by_hand(board: SandboxBoard) -> None:
    assert ask(board, "POST", "accounts/Other/postings", json=JOB, status=201) == JOB
    assert board.account("other-key") == {"u9FE7VIZ": JOB}
    refused = ask(board, "POST", "accounts/Other/postings", json={"state": "MC"}, status=422)
    assert refused["error"]["message"] == "Job ID is missing; State is invalid. Value passed was: MC"
    ask(board, "POST", "accounts/Other/postings", json=[], status=422)
    ask(board, "POST", "accounts/Other/postings", data="{", status=422)


def test_imports_with_their_faults_and_callbacks(board: SandboxBoard) -> None:
    board.faults.add(Fault("wrong_sums", count="added"))
    with Receiver() as receiver:
        import_id = send(board, JOB, callbackUrl=receiver.url).json()["data"]["id"]
        found = board.wait(import_id)

    (shown,) = ask(board, "GET", "imports")

    assert shown == {
        "id": import_id,
        "completedAt": "2024-03-02T11:00:54.000000Z",
        "requestedAt": "2024-03-02T11:00:54.000000Z",
        "results": found.results,
        "status": "complete",
        "account": "Acme & Sons",
        "jobs": 1,
        "deleteJobs": False,
        "faults": [{"name": "wrong_sums", "times": 1, "probability": 1.0, "count": "added", "by": 1}],
        "callbacks": [
            {
                "at": "2024-03-02T11:00:54.000000Z",
                "url": receiver.url.partition("?")[0],
                "what": "genuine",
                "status": 200,
                "error": None,
            }
        ],
    }


def test_release(board: SandboxBoard) -> None:
    board.faults.add(Fault("stay_pending"))
    import_id = send(board, JOB).json()["data"]["id"]

    assert ask(board, "POST", f"imports/{import_id}/release", data=b"") == {"released": import_id}
    assert board.wait(import_id).status == "complete"
    ask(board, "POST", f"imports/{import_id}/release", data=b"", status=404)


def test_requests_show_no_key(board: SandboxBoard) -> None:
    send(board, JOB)

    (shown,) = ask(board, "GET", "requests")

    assert (shown["method"], shown["path"], shown["account"]) == ("POST", "/api/v2.0/job-imports", "Acme & Sons")
    assert (shown["status"], shown["fault"], shown["bytes"]) == (202, None, len(board.requests[0].body))
    assert KEY not in str(shown)
    assert "Authorization" not in shown["headers"]


def test_faults(board: SandboxBoard) -> None:
    slow = {"name": "slow", "times": 1, "probability": 1.0, "on": "POST", "seconds": 2}
    none = {"name": "no_callback", "times": None, "probability": 0.5}

    assert ask(board, "POST", "faults", json={"name": "slow", "seconds": 2}) == [slow]
    assert ask(board, "POST", "faults", json=[none]) == [slow, none]
    assert ask(board, "GET", "faults") == [slow, none]
    assert ask(board, "PUT", "faults", json=[none]) == [none]
    wrong = ask(board, "PUT", "faults", json=[slow, {"name": "sloth"}], status=422)
    assert "There is no fault 'sloth'" in wrong["error"]["message"]
    assert ask(board, "GET", "faults") == [none]
    assert ask(board, "DELETE", "faults") == []
    ask(board, "PATCH", "faults", data=b"", status=405)


def test_faults_do_not_affect_the_sandbox_itself(board: SandboxBoard) -> None:
    board.faults.add(Fault("error_before", on="any"))

    ask(board, "GET", "imports")

    assert send(board, JOB).status_code == 500


def test_pages_of_other_sites_are_refused(board: SandboxBoard) -> None:
    ask(board, "DELETE", "faults", headers={"Origin": "http://elsewhere.example"}, status=403)
    ask(board, "DELETE", "faults", headers={"Origin": board.origin})


def test_page_is_escaped(board: SandboxBoard) -> None:
    board.post_by_hand(KEY, {"referenceNumber": "a", "title": "<script>alert(1)</script>"})
    board.wait(send(board, {"referenceNumber": "<b>", "state": "<i>"}).json()["data"]["id"])
    board.faults.add(Fault("slow"))

    answer = requests.get(f"{board.origin}/", timeout=5)

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<h2>Acme &amp; Sons</h2>" in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    assert "0 &lt;b&gt;: State is invalid. Value passed was: &lt;i&gt;" in answer.text
    assert "slow (1)" in answer.text
    for tag in ("<script", "<b>", "<i>"):
        assert tag not in answer.text


def test_page_of_a_large_account(board: SandboxBoard) -> None:
    jobs = [{"referenceNumber": f"r{index}"} for index in range(201)] + [{"state": "PA"}] * 12
    board.wait(send(board, *jobs).json()["data"]["id"])

    page = requests.get(f"{board.origin}/", timeout=5).text

    assert "201 postings, the first 200 shown" in page
    assert "<td>r199</td>" in page
    assert "<td>r200</td>" not in page
    assert "210 None: Job ID is missing<br>and 2 more" in page
