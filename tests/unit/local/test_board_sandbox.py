"""The sandbox board as the board's page describes it: requests, responses, imports, callbacks."""

import base64
import gzip
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from board_support import AUTH, JOB, KEY, Receiver, send

from local.board import SandboxBoard
from local.board.imports import Postings, run
from local.board.jobs import problems

ROOT = Path(__file__).parents[3]


def contract(name: str) -> Any:
    return json.loads((ROOT / "tests" / "contract" / f"{name}.json").read_text())


@pytest.fixture
def board() -> Iterator[SandboxBoard]:
    keys = {KEY: "Acme", "acme-new-key": "Acme", "other-key": "Other"}
    with SandboxBoard(keys, seed=1, processing_seconds=0, callback_retries=(0.01, 0.01)) as board:
        yield board


def results(board: SandboxBoard, *jobs: object, **settings: object) -> dict[str, Any]:
    """Send an import and wait for its results."""
    answer = send(board, *jobs, **settings)
    assert answer.status_code == 202
    found = board.wait(answer.json()["data"]["id"]).results
    assert found is not None
    return found


def raw(board: SandboxBoard, head: str, body: bytes = b"") -> str:
    """Send these bytes; return the board's response."""
    with socket.create_connection(("127.0.0.1", board.port), timeout=5) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


class TestContract:
    """The examples of the board's page."""

    def test_example_request_is_answered_in_the_shape_of_the_example_response(self, board: SandboxBoard) -> None:
        example = contract("create_response")

        answer = requests.post(
            f"{board.url}/job-imports", json=contract("create_request") | {"callbackUrl": None}, auth=AUTH, timeout=5
        )

        body = answer.json()
        assert answer.status_code == 202
        assert answer.headers["Content-Type"] == "application/json"
        assert list(body) == list(example)
        assert list(body["data"]) == list(example["data"])
        assert (body["data"]["status"], body["data"]["results"], body["data"]["completedAt"]) == ("pending", None, None)
        assert re.fullmatch(r"[A-Za-z0-9_-]{21}", body["data"]["id"])
        assert body["links"] == {"self": f"{board.url}/job-imports/{body['data']['id']}"}

    def test_import_is_retrieved_in_the_shape_of_the_example(self, board: SandboxBoard) -> None:
        url = send(board, JOB).json()["links"]["self"]
        board.wait(url.rpartition("/")[2])

        answer = requests.get(url, auth=AUTH, timeout=5)

        data = answer.json()["data"]
        assert answer.status_code == 200
        assert list(data) == list(contract("retrieve_response")["data"]) == list(contract("job_import"))
        assert data["status"] == "complete"
        assert list(data["results"]) == list(contract("job_import_results"))
        assert data["results"] == {
            "added": 1,
            "deleted": 0,
            "errors": [],
            "failed": 0,
            "ignoredValues": [],
            "processed": 1,
            "unchanged": 0,
            "updated": 0,
        }

    def test_example_results(self) -> None:
        """4,343 unchanged, 22 updated, 48 added and the page's three errors, at their indexes."""
        jobs: list[dict[str, Any]] = [{"referenceNumber": f"r{index}", "state": "PA"} for index in range(4416)]
        jobs[227] = {"title": "No number"}
        jobs[3142] = {"referenceNumber": "pAQT29bmBL7H", "state": "MC"}
        jobs[3178] = {"referenceNumber": "q3IVj4CLstkO", "postalCode": "0"}
        known = [job for job in jobs[:-48] if job.get("referenceNumber", "").startswith("r")]
        postings: Postings = {job["referenceNumber"]: dict(job) for job in known}
        for job in known[:22]:
            postings[job["referenceNumber"]] = job | {"state": "NJ"}

        assert run(postings, jobs, delete_jobs=False) == contract("job_import_results")

    def test_example_error(self) -> None:
        jobs = [{"referenceNumber": str(index)} for index in range(3142)]
        failing = {"referenceNumber": "mqnQS38eLwnz", "state": "MC"}

        assert run({}, [*jobs, failing], delete_jobs=False)["errors"] == [contract("job_import_error")]

    def test_the_clock_fixes_dates_and_the_seed_ids(self) -> None:
        def clock() -> datetime:
            return datetime(2024, 3, 2, 11, 0, 54, tzinfo=UTC)

        ids = []
        for _ in range(2):
            with SandboxBoard({KEY: "Acme"}, seed=7, clock=clock) as board:
                data = send(board, JOB).json()["data"]
                assert data["requestedAt"] == contract("create_response")["data"]["requestedAt"]
                ids.append(data["id"])

        assert ids[0] == ids[1]


class TestRequests:
    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            basic("wrong-key"),
            f"Bearer {KEY}",
            "Basic ???",
            "Basic",
            "Basic " + base64.b64encode(KEY.encode() + b":password").decode(),
            "Basic " + base64.b64encode(b"\xff:").decode(),
        ],
    )
    def test_401_without_the_right_key(self, board: SandboxBoard, authorization: str | None) -> None:
        headers = {"Authorization": authorization} if authorization else {}

        answer = requests.post(f"{board.url}/job-imports", json={"jobs": [JOB]}, headers=headers, timeout=5)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert answer.json()["error"]["status"] == 401
        assert board.account(KEY) == {}

    def test_404_for_an_unknown_import_and_for_another_accounts(self, board: SandboxBoard) -> None:
        url = send(board, JOB).json()["links"]["self"]

        assert requests.get(url, auth=("acme-new-key", ""), timeout=5).status_code == 200
        assert requests.get(url, auth=("other-key", ""), timeout=5).status_code == 404
        assert requests.get(f"{board.url}/job-imports/unknown", auth=AUTH, timeout=5).status_code == 404
        assert requests.get(f"{board.url}/jobs", auth=AUTH, timeout=5).status_code == 404
        assert requests.get(f"{board.origin}/elsewhere", auth=AUTH, timeout=5).status_code == 404

    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [("GET", "job-imports", "POST"), ("PUT", "job-imports", "POST"), ("DELETE", "job-imports/x", "GET")],
    )
    def test_405(self, board: SandboxBoard, method: str, path: str, allow: str) -> None:
        answer = requests.request(method, f"{board.url}/{path}", data=b"", auth=AUTH, timeout=5)

        assert answer.status_code == 405
        assert answer.headers["Allow"] == allow

    @pytest.mark.parametrize("body", [b"", b"{", b'{"jobs": [NaN]}', b"\xff", b"[" * 100_000, b'{"jobs": []} x'])
    def test_400_for_what_is_not_json(self, board: SandboxBoard, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}

        answer = requests.post(f"{board.url}/job-imports", body, headers=headers, auth=AUTH, timeout=5)

        assert answer.status_code == 400
        assert "not JSON" in answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ([], "The body must be an object"),
            ({}, "jobs is required and must be a list of objects"),
            ({"jobs": {}}, "jobs is required and must be a list of objects"),
            ({"jobs": [{}, "x"]}, "jobs[1] must be an object"),
            ({"jobs": [], "deleteJobs": "true"}, "deleteJobs must be a boolean"),
            ({"jobs": [], "callbackUrl": 1}, "callbackUrl must be an http or https URL"),
            ({"jobs": [], "callbackUrl": "ftp://127.0.0.1/"}, "callbackUrl must be an http or https URL"),
            ({"jobs": [], "callbackUrl": "http://127.0.0.1:x/"}, "callbackUrl must be an http or https URL"),
            ({"jobs": [], "callbackUrl": "http://127.0.0.1/\r\nX: y"}, "callbackUrl must be an http or https URL"),
        ],
    )
    def test_422_for_wrong_types(self, board: SandboxBoard, body: object, message: str) -> None:
        answer = requests.post(f"{board.url}/job-imports", json=body, auth=AUTH, timeout=5)

        assert answer.status_code == 422
        assert answer.json() == {"error": {"status": 422, "message": message}}
        assert board.imports == []

    def test_415_for_a_form_and_for_a_compressed_body(self, board: SandboxBoard) -> None:
        url = f"{board.url}/job-imports"
        zipped = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

        assert requests.post(url, {"jobs": "x"}, auth=AUTH, timeout=5).status_code == 415
        assert requests.post(url, gzip.compress(b"{}"), headers=zipped, auth=AUTH, timeout=5).status_code == 415

    def test_chunked_body(self, board: SandboxBoard) -> None:
        body = json.dumps({"jobs": [JOB]}).encode()
        pieces = (body[index : index + 10] for index in range(0, len(body), 10))
        headers = {"Content-Type": "application/json"}

        answer = requests.post(f"{board.url}/job-imports", pieces, headers=headers, auth=AUTH, timeout=5)

        assert answer.status_code == 202
        assert board.requests[-1].body == body

    @pytest.mark.parametrize(
        ("headers", "body", "status"),
        [
            ("X-Y: z", b"", 411),
            ("Transfer-Encoding: gzip", b"", 411),
            ("Transfer-Encoding: chunked", b"zz\r\n", 400),
            ("Content-Length: 9999999999", b"{}", 413),
        ],
    )
    def test_body_that_cannot_be_read(self, board: SandboxBoard, headers: str, body: bytes, status: int) -> None:
        answer = raw(board, f"POST /api/v2.0/job-imports HTTP/1.1\nHost: x\n{headers}", body)

        assert answer.startswith(f"HTTP/1.1 {status} ")
        assert "Connection: close" in answer
        assert board.requests[-1].status == status

    def test_413_reaches_a_client_that_sends_everything_first(self) -> None:
        with SandboxBoard({KEY: "Acme"}, max_body_bytes=1000) as board:
            answer = send(board, {"referenceNumber": "a", "description": "x" * 3_000_000})

        assert answer.status_code == 413

    def test_413_for_a_chunked_body(self) -> None:
        with SandboxBoard({KEY: "Acme"}, max_body_bytes=1000) as board:
            pieces = (b"x" * 600 for _ in range(2))
            answer = requests.post(f"{board.url}/job-imports", pieces, auth=AUTH, timeout=5)

        assert answer.status_code == 413

    def test_many_requests_in_one_session(self, board: SandboxBoard) -> None:
        with requests.Session() as session:
            statuses = [
                session.post(f"{board.url}/job-imports", json={"jobs": []}, auth=("no", ""), timeout=5).status_code
                for _ in range(3)
            ]

        assert statuses == [401] * 3

    def test_received_requests_are_kept_without_keys(self, board: SandboxBoard) -> None:
        send(board, JOB)

        (received,) = board.requests
        assert (received.method, received.path, received.account) == ("POST", "/api/v2.0/job-imports", "Acme")
        assert received.status == 202
        assert json.loads(received.body) == {"jobs": [JOB]}
        assert "authorization" not in {name.lower() for name in received.headers}


class TestJobs:
    @pytest.mark.parametrize(
        ("job", "messages"),
        [
            ({"referenceNumber": "a"}, []),
            ({"referenceNumber": 17}, []),
            ({"referenceNumber": "a", "state": "DC", "postalCode": "20001-1234"}, []),
            ({"referenceNumber": "a", "state": "PR", "postalCode": "00501"}, []),
            ({"referenceNumber": "a", "state": None, "postalCode": ""}, []),
            ({"referenceNumber": "a", "license": "Wizard", "anything": {"else": 1}}, []),
            ({}, ["Job ID is missing"]),
            ({"referenceNumber": None}, ["Job ID is missing"]),
            ({"referenceNumber": " "}, ["Job ID is missing"]),
            ({"referenceNumber": True}, ["Job ID is missing"]),
            ({"referenceNumber": "a", "state": "MC"}, ["State is invalid. Value passed was: MC"]),
            ({"referenceNumber": "a", "state": "Ohio"}, ["State is invalid. Value passed was: Ohio"]),
            ({"referenceNumber": "a", "state": ["PA"]}, ['State is invalid. Value passed was: ["PA"]']),
            ({"referenceNumber": "a", "postalCode": "0"}, ["Zip is invalid. Value passed was: 0"]),
            ({"referenceNumber": "a", "postalCode": 0}, ["Zip is invalid. Value passed was: 0"]),
            ({"referenceNumber": "a", "postalCode": "00000"}, ["Zip is invalid. Value passed was: 00000"]),
            ({"referenceNumber": "a", "postalCode": "1760"}, ["Zip is invalid. Value passed was: 1760"]),
            ({"referenceNumber": "a", "postalCode": "17603\n"}, ["Zip is invalid. Value passed was: 17603\n"]),
            (
                {"state": "MC", "postalCode": "0"},
                [
                    "Job ID is missing",
                    "State is invalid. Value passed was: MC",
                    "Zip is invalid. Value passed was: 0",
                ],
            ),
        ],
    )
    def test_what_is_refused(self, job: dict[str, Any], messages: list[str]) -> None:
        assert problems(job) == messages


class TestImports:
    def test_upsert_by_reference_number(self, board: SandboxBoard) -> None:
        first = results(board, {"referenceNumber": "a", "title": "1"}, {"referenceNumber": "b"})
        second = results(
            board, {"referenceNumber": "a", "title": "2"}, {"referenceNumber": "b"}, {"referenceNumber": "c"}
        )

        assert (first["added"], first["updated"], first["unchanged"]) == (2, 0, 0)
        assert (second["added"], second["updated"], second["unchanged"]) == (1, 1, 1)
        assert board.account(KEY) == {
            "a": {"referenceNumber": "a", "title": "2"},
            "b": {"referenceNumber": "b"},
            "c": {"referenceNumber": "c"},
        }
        assert board.account("other-key") == {}

    def test_delete_jobs_deletes_every_posting_that_was_not_provided(self, board: SandboxBoard) -> None:
        results(board, {"referenceNumber": "kept"}, {"referenceNumber": "left out"})
        results(board, {"referenceNumber": "of the other account"}, key="other-key")
        board.post_by_hand(KEY, {"referenceNumber": "by hand"})

        outcome = results(board, {"referenceNumber": "kept"}, {"referenceNumber": "new"}, deleteJobs=True)

        assert (outcome["deleted"], outcome["processed"], outcome["unchanged"], outcome["added"]) == (2, 2, 1, 1)
        assert sorted(board.account(KEY)) == ["kept", "new"]
        assert sorted(board.account("other-key")) == ["of the other account"]

    def test_failed_jobs_posting_stays_as_it_was(self, board: SandboxBoard) -> None:
        results(board, JOB)

        outcome = results(board, JOB | {"state": "MC", "title": "New"}, {"title": "No number"}, deleteJobs=True)

        assert board.account(KEY) == {"u9FE7VIZ": JOB}
        assert (outcome["failed"], outcome["deleted"]) == (2, 0)
        assert outcome["errors"][1] == {"index": 1, "messages": ["Job ID is missing"], "referenceNumber": None}

    def test_an_empty_import_with_delete_jobs_empties_the_account(self, board: SandboxBoard) -> None:
        results(board, JOB)

        assert results(board, deleteJobs=True)["deleted"] == 1
        assert board.account(KEY) == {}

    def test_pending_running_complete(self) -> None:
        with SandboxBoard({KEY: "Acme"}, processing_seconds=0.6) as board:
            url = send(board, JOB).json()["links"]["self"]
            seen = []
            while "complete" not in seen:
                status = requests.get(url, auth=AUTH, timeout=5).json()["data"]["status"]
                if status not in seen:
                    seen.append(status)

        assert seen == ["pending", "running", "complete"]

    def test_posting_by_hand_is_refused_like_any_other(self, board: SandboxBoard) -> None:
        with pytest.raises(ValueError, match="Job ID is missing; State is invalid"):
            board.post_by_hand(KEY, {"state": "MC"})
        with pytest.raises(ValueError, match="Zip is invalid"):
            board.post_by_hand(KEY, {"referenceNumber": "a", "postalCode": "0"})

    def test_rotated_key_opens_the_same_account(self, board: SandboxBoard) -> None:
        results(board, JOB)
        del board.api_keys[KEY]
        board.api_keys["newest"] = "Acme"

        assert send(board, JOB).status_code == 401
        assert results(board, JOB, key="newest")["unchanged"] == 1

    def test_fifty_thousand_jobs(self, board: SandboxBoard) -> None:
        jobs = [{"referenceNumber": f"r{index}", "state": "PA", "title": "Hospitalist"} for index in range(50_000)]

        assert results(board, *jobs)["added"] == 50_000
        assert board.imports[-1].job_count == 50_000
        assert board.imports[-1].jobs == []


class TestCallbacks:
    def test_callback_is_what_get_answers(self, board: SandboxBoard, receiver: Receiver) -> None:
        answer = send(board, JOB, callbackUrl=receiver.url)
        job_import = board.wait(answer.json()["data"]["id"])

        got = requests.get(answer.json()["links"]["self"], auth=AUTH, timeout=5).content
        assert receiver.bodies == [got]
        assert receiver.paths == ["/hook?token=secret"]
        (attempt,) = job_import.attempts
        assert (attempt.what, attempt.status, attempt.error) == ("genuine", 200, None)
        assert "secret" not in attempt.url

    def test_failed_callback_is_tried_again(self, board: SandboxBoard, receiver: Receiver) -> None:
        receiver.statuses = [500, 302]
        job_import = board.wait(send(board, JOB, callbackUrl=receiver.url).json()["data"]["id"])

        assert [attempt.status for attempt in job_import.attempts] == [500, 302, 200]
        assert len(set(receiver.bodies)) == 1

    def test_callback_is_given_up(self, board: SandboxBoard) -> None:
        job_import = board.wait(send(board, JOB, callbackUrl="http://127.0.0.1:9/").json()["data"]["id"])

        assert [attempt.status for attempt in job_import.attempts] == [None] * 3
        assert job_import.attempts[0].error is not None
        assert "refused" in job_import.attempts[0].error

    def test_slow_receiver_is_cut_off(self, receiver: Receiver) -> None:
        receiver.before = lambda: time.sleep(0.3)
        with SandboxBoard({KEY: "Acme"}, processing_seconds=0, callback_timeout=0.1, callback_retries=()) as board:
            job_import = board.wait(send(board, JOB, callbackUrl=receiver.url).json()["data"]["id"])

        assert [attempt.status for attempt in job_import.attempts] == [None]

    @pytest.mark.parametrize("url", ["http://192.0.2.1/hook", "https://[2001:db8::1]/hook"])
    def test_callback_stays_on_this_machine(self, board: SandboxBoard, url: str) -> None:
        job_import = board.wait(send(board, JOB, callbackUrl=url).json()["data"]["id"])

        (attempt,) = job_import.attempts
        assert attempt.error == "not sent: the host is not this machine (allow_any_callback_host)"
        assert job_import.status == "complete"


class TestLife:
    def test_stopped_board_is_gone_and_comes_back_with_everything(self, board: SandboxBoard) -> None:
        results(board, JOB)
        url = board.url
        board.stop()
        with pytest.raises(requests.ConnectionError):
            send(board, JOB)

        board.start()

        assert board.url == url
        assert results(board, JOB)["unchanged"] == 1

    def test_stop_ends_idle_connections_at_once(self) -> None:
        board = SandboxBoard({KEY: "Acme"}).start()
        with socket.create_connection(("127.0.0.1", board.port)) as connection:
            connection.sendall(b"POST /api/v2.0/job-imports HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
            started = time.monotonic()
            board.stop()

        assert time.monotonic() - started < 1

    def test_alone(self) -> None:
        command = [sys.executable, "-m", "local.board", "--port", "0", "--api-key", f"{KEY}=Acme", "--seed", "1"]
        fault = ["--fault", '{"name": "error_before", "status": 503}']
        with subprocess.Popen([*command, *fault], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            line = process.stdout.readline()
            found = re.search(r"http://\S+/api/v2.0", line)
            assert found, line
            answers = [
                requests.post(f"{found[0]}/job-imports", json={"jobs": [JOB]}, auth=AUTH, timeout=5) for _ in range(2)
            ]
            process.terminate()

        assert [answer.status_code for answer in answers] == [503, 202]
        assert process.returncode == 0

    def test_wrong_fault_is_explained(self) -> None:
        command = [sys.executable, "-m", "local.board", "--api-key", KEY, "--fault", '{"name": "sloth"}']
        outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

        assert outcome.returncode == 2
        assert "There is no fault 'sloth'" in outcome.stderr
