"""Each fault of the sandbox board, and how it chooses faults."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from board_support import AUTH, JOB, KEY, Receiver, send

from local.board import KINDS, Fault, Faults, SandboxBoard

DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Iterator[SandboxBoard]:
    with SandboxBoard({KEY: "Acme"}, clock=clock, seed=1, processing_seconds=0, callback_retries=(0.01, 0.01)) as board:
        yield board


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def get(board: SandboxBoard, import_id: str) -> requests.Response:
    return requests.get(f"{board.url}/job-imports/{import_id}", auth=AUTH, timeout=5, allow_redirects=False)


def accepted(board: SandboxBoard, receiver: Receiver | None = None, *jobs: object) -> str:
    """Send an import, with a callback if there is a receiver; return its id."""
    settings = {"callbackUrl": receiver.url} if receiver else {}
    answer = send(board, *(jobs or (JOB,)), **settings)
    assert answer.status_code == 202
    return str(answer.json()["data"]["id"])


def callbacks(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body)["data"] for body in receiver.bodies]


class TestRequestIsRefused:
    def test_too_many_requests_with_seconds(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("too_many_requests", times=2, retry_after=7))

        answers = [send(board, JOB) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [429, 429, 202]
        assert answers[0].headers["Retry-After"] == "7"
        assert len(board.imports) == 1

    def test_too_many_requests_with_a_date(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("too_many_requests", retry_after=90, as_date=True))

        assert send(board, JOB).headers["Retry-After"] == "Tue, 24 Nov 2026 02:01:30 GMT"

    def test_too_many_requests_without_retry_after(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("too_many_requests", retry_after=None))

        assert "Retry-After" not in send(board, JOB).headers

    def test_error_before(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("error_before", status=503, retry_after=3))

        answer = send(board, JOB)

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
        assert board.imports == []

    @pytest.mark.parametrize("status", [301, 307])
    def test_redirect(self, board: SandboxBoard, status: int) -> None:
        board.faults.add(Fault("redirect", status=status), Fault("redirect", location="http://127.0.0.1:1/x"))

        answers = [send(board, JOB), send(board, JOB)]

        assert answers[0].status_code == status
        assert answers[0].headers["Location"] == f"{board.origin}/elsewhere"
        assert answers[1].headers["Location"] == "http://127.0.0.1:1/x"
        assert board.imports == []

    def test_unauthorized_whatever_the_method(self, board: SandboxBoard) -> None:
        import_id = accepted(board)
        board.faults.add(Fault("unauthorized", times=2))

        assert [send(board, JOB).status_code, get(board, import_id).status_code] == [401, 401]
        assert get(board, import_id).status_code == 200

    def test_not_found_for_an_id_that_it_gave(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("not_found"))
        import_id = accepted(board)

        assert [get(board, import_id).status_code for _ in range(2)] == [404, 200]

    def test_reset_before(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("reset_before"))

        # If the reset comes while the body is being sent, urllib3 hides it and reads on until the end.
        with pytest.raises(requests.ConnectionError, match=r"reset by peer|Broken pipe|closed connection"):
            send(board, JOB)

        assert board.imports == []
        assert (board.requests[-1].status, board.requests[-1].fault) == (None, "reset_before")


class TestAnswerGoesWrong:
    def only_import(self, board: SandboxBoard) -> None:
        (job_import,) = board.imports
        board.wait(job_import.id)
        assert board.account(KEY) == {"u9FE7VIZ": JOB}

    def test_slow(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("slow", seconds=0.2))
        started = time.monotonic()

        assert send(board, JOB).status_code == 202

        assert time.monotonic() - started >= 0.2
        self.only_import(board)

    def test_drip(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("drip", seconds_per_byte=0.0005))

        answer = send(board, JOB)

        assert answer.json()["data"]["status"] == "pending"
        assert answer.elapsed.total_seconds() >= 0.05
        self.only_import(board)

    def test_error_after(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("error_after", status=502))

        assert send(board, JOB).status_code == 502
        self.only_import(board)

    def test_lost_response(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("lost_response"))

        with pytest.raises(requests.ConnectionError, match="Remote end closed connection without response"):
            send(board, JOB)

        self.only_import(board)
        assert board.requests[-1].status is None

    def test_reset_after(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("reset_after"))

        with pytest.raises(requests.ConnectionError, match="reset by peer"):
            send(board, JOB)

        self.only_import(board)

    def test_garbage(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("garbage"))

        answer = send(board, JOB)

        assert answer.status_code == 202
        assert answer.content == b"\x00\xff{]not JSON"
        self.only_import(board)

    def test_half_body(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("half_body"))

        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            send(board, JOB)

        self.only_import(board)

    def test_wrong_content_type(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("wrong_content_type", content_type="application/xml"))

        answer = send(board, JOB)

        assert (answer.status_code, answer.headers["Content-Type"]) == (202, "application/xml")
        self.only_import(board)

    def test_no_id(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("no_id"))

        answer = send(board, JOB)

        assert answer.status_code == 202
        assert sorted(answer.json()["data"]) == ["completedAt", "requestedAt", "results", "status"]
        self.only_import(board)

    @pytest.mark.parametrize(
        ("fault", "outcome"),
        [
            (Fault("too_many_requests", on="GET"), 429),
            (Fault("error_before", on="GET", status=500), 500),
            (Fault("redirect", on="GET"), 301),
            (Fault("unauthorized", on="GET"), 401),
            (Fault("garbage", on="GET"), requests.JSONDecodeError),
            (Fault("half_body", on="GET"), requests.exceptions.ChunkedEncodingError),
            (Fault("lost_response", on="any"), requests.ConnectionError),
            (Fault("reset_before", on="GET"), requests.ConnectionError),
        ],
    )
    def test_faults_can_affect_get(self, board: SandboxBoard, fault: Fault, outcome: int | type[Exception]) -> None:
        import_id = accepted(board)
        board.faults.add(fault)

        if isinstance(outcome, int):
            assert get(board, import_id).status_code == outcome
        else:
            with pytest.raises(outcome):
                get(board, import_id).json()
        assert get(board, import_id).json()["data"]["id"] == import_id


class TestImportGoesWrong:
    @pytest.mark.parametrize("status", ["pending", "running"])
    def test_stay_pending_until_released(self, board: SandboxBoard, status: str) -> None:
        board.faults.add(Fault("stay_pending", status=status))
        import_id = accepted(board)
        time.sleep(0.1)
        assert get(board, import_id).json()["data"]["status"] == status
        board.wait(accepted(board))

        assert board.release(import_id)
        assert not board.release(import_id)

        assert board.wait(import_id).status == "complete"

    def test_stay_pending_until_the_clock_says_so(self, board: SandboxBoard, clock: Clock) -> None:
        board.faults.add(Fault("stay_pending", seconds=3600))
        import_id = accepted(board)
        time.sleep(0.1)
        assert get(board, import_id).json()["data"]["status"] == "pending"

        clock.now += timedelta(hours=1)

        assert board.wait(import_id).completed_at == clock.now

    def test_release_before_its_time(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("stay_pending", seconds=3600))
        import_id = accepted(board)
        time.sleep(0.1)

        assert board.release(import_id)

        assert board.wait(import_id).results == board.imports[0].results
        assert [job["referenceNumber"] for job in board.account(KEY).values()] == ["u9FE7VIZ"]

    def test_wrong_sums(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("wrong_sums", by=-2), Fault("wrong_sums", count="failed", by=3))

        first, second = (board.wait(accepted(board)).results for _ in range(2))

        assert first is not None
        assert (first["processed"], first["added"]) == (-1, 1)
        assert second is not None
        assert (second["processed"], second["unchanged"], second["failed"], second["errors"]) == (1, 1, 3, [])

    def test_oversized_result(self, board: SandboxBoard) -> None:
        board.faults.add(Fault("oversized_result", errors=1000, message_length=300))
        import_id = accepted(board, None, JOB, {"state": "PA"})
        board.wait(import_id)

        found = get(board, import_id).json()["data"]["results"]

        assert (found["processed"], found["added"], found["failed"], len(found["errors"])) == (1002, 1, 1001, 1001)
        assert found["errors"][0]["messages"] == ["Job ID is missing"]
        assert found["errors"][1] == {"index": 2, "messages": ["x" * 300], "referenceNumber": "oversized-2"}


class TestCallbackGoesWrong:
    def test_no_callback(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("no_callback"))

        job_import = board.wait(accepted(board, receiver))

        assert (receiver.bodies, job_import.attempts, job_import.status) == ([], [], "complete")

    def test_duplicate_callback(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("duplicate_callback", copies=3))

        job_import = board.wait(accepted(board, receiver))

        assert [attempt.what for attempt in job_import.attempts] == ["genuine", "duplicate", "duplicate"]
        assert len(receiver.bodies) == 3
        assert len(set(receiver.bodies)) == 1

    def test_early_callback_comes_before_the_202(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("early_callback"))
        answered: list[object] = []
        receiver.before = lambda: answered.append(board.requests[-1].status)

        answer = send(board, JOB, callbackUrl=receiver.url)

        assert answered == [None]
        assert answer.json()["data"]["status"] == "pending"
        assert callbacks(receiver)[0]["id"] == answer.json()["data"]["id"]
        assert callbacks(receiver)[0]["status"] == "complete"

    def test_late_callback(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("late_callback", seconds=0.8))
        import_id = accepted(board, receiver)
        time.sleep(0.1)
        assert get(board, import_id).json()["data"]["status"] == "complete"
        assert receiver.bodies == []

        board.wait(import_id)

        assert [data["id"] for data in callbacks(receiver)] == [import_id]

    def test_unfinished_callback(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("unfinished_callback"))
        board.wait(accepted(board, receiver))

        unfinished, genuine = callbacks(receiver)
        assert (unfinished["status"], unfinished["results"], unfinished["completedAt"]) == ("running", None, None)
        assert genuine["status"] == "complete"

    def test_forged_results(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("forged_callback"))
        import_id = accepted(board, receiver, JOB, {"state": "PA"})
        board.wait(import_id)

        forged, genuine = callbacks(receiver)
        assert forged["id"] == genuine["id"] == import_id
        assert (forged["results"]["failed"], forged["results"]["errors"]) == (0, [])
        assert forged["results"]["deleted"] == 1000
        assert genuine == get(board, import_id).json()["data"]

    def test_forged_token(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("forged_callback", what="token"), Fault("no_callback"))
        import_id = accepted(board, receiver)
        board.wait(import_id)

        assert receiver.paths == ["/hook?token=forged"]
        assert callbacks(receiver) == [get(board, import_id).json()["data"]]

    def test_forged_id(self, board: SandboxBoard, receiver: Receiver) -> None:
        other = accepted(board)
        board.wait(other)
        board.faults.add(Fault("forged_callback", what="id"))
        import_id = accepted(board, receiver)
        board.wait(import_id)

        forged, genuine = callbacks(receiver)
        assert (forged["id"], forged["results"]) == (other, genuine["results"])

    def test_a_forged_callback_is_not_retried(self, board: SandboxBoard, receiver: Receiver) -> None:
        receiver.statuses = [403, 500, 200]
        board.faults.add(Fault("forged_callback", what="token"))
        attempts = board.wait(accepted(board, receiver)).attempts

        assert [(attempt.what, attempt.status) for attempt in attempts] == [
            ("forged token", 403),
            ("genuine", 500),
            ("genuine", 200),
        ]

    def test_misdirected_callback(self, board: SandboxBoard, receiver: Receiver) -> None:
        other = accepted(board)
        board.wait(other)
        board.faults.add(Fault("misdirected_callback"))
        board.wait(accepted(board, receiver))

        assert callbacks(receiver)[0] == get(board, other).json()["data"]
        assert receiver.paths == ["/hook?token=secret"] * 2

    def test_misdirected_callback_of_an_import_that_never_was(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("misdirected_callback"))
        import_id = accepted(board, receiver)
        board.wait(import_id)

        invented, genuine = (data["id"] for data in callbacks(receiver))
        assert genuine == import_id
        assert re.fullmatch(r"[A-Za-z0-9_-]{21}", invented)
        assert get(board, invented).status_code == 404

    def test_reordered_callbacks(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("reordered_callbacks"))
        first = accepted(board, receiver)
        with pytest.raises(TimeoutError):
            board.wait(first, timeout=0.1)
        second = accepted(board, receiver)

        board.wait(first)

        assert [data["id"] for data in callbacks(receiver)] == [second, first]

    def test_oversized_callback(self, board: SandboxBoard, receiver: Receiver) -> None:
        board.faults.add(Fault("oversized_callback", bytes=100_000))
        import_id = accepted(board, receiver)
        board.wait(import_id)

        assert len(receiver.bodies[0]) > 100_000
        assert callbacks(receiver) == [get(board, import_id).json()["data"]]


class TestStop:
    """No fault keeps a board from stopping."""

    @pytest.mark.parametrize(
        "fault",
        [
            Fault("slow", seconds=3600),
            Fault("drip"),
            Fault("late_callback", seconds=3600),
            Fault("stay_pending"),
            Fault("stay_pending", seconds=3600),
        ],
    )
    def test_stop_ends_every_wait(self, receiver: Receiver, fault: Fault) -> None:
        board = SandboxBoard({KEY: "Acme"}, processing_seconds=0).start()
        board.faults.add(fault)
        body = {"jobs": [JOB], "callbackUrl": receiver.url}
        with suppress(requests.ReadTimeout):  # the faults of an import let its request be answered
            requests.post(f"{board.url}/job-imports", json=body, auth=AUTH, timeout=0.2)

        started = time.monotonic()
        board.stop()

        assert time.monotonic() - started < 1

    def test_stop_ends_a_callback_under_way(self, receiver: Receiver) -> None:
        board = SandboxBoard({KEY: "Acme"}, processing_seconds=0, callback_timeout=60).start()
        receiver.before = lambda: time.sleep(1)
        send(board, JOB, callbackUrl=receiver.url)
        time.sleep(0.1)

        started = time.monotonic()
        board.stop()

        assert time.monotonic() - started < 0.8


class TestChoice:
    def faults(self, *faults: Fault) -> Faults:
        chosen = Faults(random.Random(1))
        chosen.add(*faults)
        return chosen

    def names(self, choose: Callable[[], Fault | None], count: int) -> list[str | None]:
        return [fault and fault.name for fault in (choose() for _ in range(count))]

    def test_in_order_one_for_each_request(self) -> None:
        faults = self.faults(Fault("slow"), Fault("not_found"), Fault("no_callback"), Fault("garbage", times=2))

        assert self.names(lambda: faults.for_request("POST"), 4) == ["slow", "garbage", "garbage", None]
        assert self.names(lambda: faults.for_request("GET"), 2) == ["not_found", None]

    def test_one_of_each_name_for_an_import(self) -> None:
        faults = self.faults(Fault("no_callback", times=2), Fault("wrong_sums", by=5), Fault("wrong_sums", by=6))

        first, second, third = (faults.for_import() for _ in range(3))

        assert (sorted(first), first["wrong_sums"]["by"]) == (["no_callback", "wrong_sums"], 5)
        assert (sorted(second), second["wrong_sums"]["by"]) == (["no_callback", "wrong_sums"], 6)
        assert third == {}

    def test_the_same_fault_twice_is_two_faults(self) -> None:
        fault = Fault("slow")
        faults = self.faults(fault, fault)

        assert self.names(lambda: faults.for_request("POST"), 3) == ["slow", "slow", None]

    def test_until_cleared(self) -> None:
        faults = self.faults(Fault("slow", times=None))
        assert self.names(lambda: faults.for_request("POST"), 5) == ["slow"] * 5

        faults.clear()

        assert faults.for_request("POST") is None

    def test_at_random_by_the_seed(self) -> None:
        def draw() -> list[str | None]:
            faults = self.faults(Fault("slow", times=None, probability=0.2))
            return self.names(lambda: faults.for_request("POST"), 1000)

        drawn = [draw(), draw()]

        assert drawn[0] == drawn[1]
        assert 150 < drawn[0].count("slow") < 250

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("slow", 'a fault is an object with a "name"'),
            ({}, 'a fault is an object with a "name"'),
            ({"name": "sloth"}, "There is no fault 'sloth'"),
            ({"name": ["slow"]}, "There is no fault"),
            ({"name": "slow", "second": 1}, "slow has no second. It has: seconds"),
            ({"name": "slow", "self": 1}, "slow has no self"),
            ({"name": "slow", "seconds": "1"}, "seconds must be"),
            ({"name": "slow", "seconds": -1}, "seconds must be a number of 0 or more"),
            ({"name": "slow", "seconds": True}, "seconds must be"),
            ({"name": "slow", "times": 0}, "times must be 1 or more"),
            ({"name": "slow", "times": 1.5}, "times must be"),
            ({"name": "slow", "probability": 1.5}, "probability from 0 to 1"),
            ({"name": "slow", "on": "PUT"}, "on must be one of POST, GET, DELETE, any"),
            ({"name": "no_callback", "on": "POST"}, "takes no 'on'"),
            ({"name": "wrong_sums", "count": "errors"}, "count must be one of processed, added"),
            ({"name": "too_many_requests", "as_date": 1}, "as_date must be"),
        ],
    )
    def test_wrong_fault_is_explained(self, value: object, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            Fault.from_json(value)


class TestDocs:
    def test_every_fault_is_documented_with_its_parameters_and_an_example(self) -> None:
        rows = re.findall(r"^\| `(\w+)` \|(.*?)\|.*\| `(\{.*\})` \|$", DOCS.read_text(), re.MULTILINE)

        documented = {name: set(re.findall(r"`(\w+)`", parameters)) for name, parameters, _ in rows}
        assert documented == {name: set(kind.parameters) for name, kind in KINDS.items()}
        for name, _, example in rows:
            assert Fault.from_json(json.loads(example)).name == name
