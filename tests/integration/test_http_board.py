"""HttpBoard against the sandbox board with each of its faults, and against a wire where every byte counts."""

from __future__ import annotations

import base64
import datetime as dates
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jobferry.adapters import http_board as adapter
from jobferry.adapters.http_board import HttpBoard
from jobferry.board.accounts import Account
from jobferry.board.client import RequestBody
from jobferry.errors import (
    BoardError,
    BoardRefusedError,
    BoardUnknownError,
    BoardUnreachableError,
    DeletionNotOfferedError,
)
from local.board import Fault, SandboxBoard

KEY = "k3y-5QK2vZ8w"
BASIC = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
JOBS = [{"referenceNumber": f"A-{number}", "title": "Hospitalist", "state": "PA"} for number in range(3)]
CALLBACK = "https://callbacks.example.com/callbacks/i?token=0"
ANSWER = {"data": {"id": "44eJr7YHDO9PqC834E_q5", "status": "pending"}}


@pytest.fixture
def sandbox() -> Iterator[SandboxBoard]:
    with SandboxBoard({KEY: "Acme"}, seed=1, processing_seconds=0) as board:
        yield board


@pytest.fixture
def body(tmp_path: Path) -> RequestBody:
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_bytes(b"".join(json.dumps(job, separators=(",", ":")).encode() + b"\n" for job in JOBS))
    return RequestBody(jobs, CALLBACK, delete_jobs=True)


def client(url: str, key: str = KEY) -> HttpBoard:
    return HttpBoard(Account("BoardApiKey", url, key))


def threads() -> int:
    return sum(thread.name == "board" for thread in threading.enumerate())


class Wire:
    """A server that records the bytes of each request and sends the given answers, one on each connection.

    With `keep`, it leaves each connection open after its answer, but never answers on it again.
    """

    def __init__(self, *answers: bytes, tls: ssl.SSLContext | None = None, keep: bool = False) -> None:
        self._answers = list(answers)
        self._tls = tls
        self._kept: list[socket.socket] | None = [] if keep else None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}/api"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        for connection in self._kept or []:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                self._answer(self._tls.wrap_socket(connection, server_side=True) if self._tls else connection)
            except OSError:
                pass
            finally:
                if self._kept is None:
                    connection.close()
                else:
                    self._kept.append(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            head = b""
            while not head.endswith(b"\r\n\r\n") and (line := file.readline()):
                head += line
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
            )
            self.requests.append(head + file.read(length))
        connection.sendall(self._answers.pop(0) if self._answers else b"")


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


# What goes over the wire


def test_a_request_is_what_the_boards_page_says(body: RequestBody) -> None:
    with Wire(http(202, json.dumps(ANSWER).encode())) as wire:
        created = client(wire.url).create(body, 5)
    assert created.id == "44eJr7YHDO9PqC834E_q5"
    (request,) = wire.requests
    head, _, sent = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0] == "POST /api/job-imports HTTP/1.1"
    assert headers["Authorization"] == BASIC
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept"] == "application/json"
    assert headers["Content-Length"] == str(len(sent)) == str(len(body))
    assert "Transfer-Encoding" not in headers
    assert json.loads(sent) == {"callbackUrl": CALLBACK, "deleteJobs": True, "jobs": JOBS}


def test_a_board_that_repeats_the_key_does_not_bring_it_into_a_record(body: RequestBody) -> None:
    with Wire(http(401, f"unknown key {KEY}!".encode())) as wire, pytest.raises(BoardRefusedError) as caught:
        client(wire.url).create(body, 5)
    assert str(caught.value).endswith("unknown key (the API key)!")


def test_an_id_stays_within_its_place_in_the_path() -> None:
    with Wire(http(404)) as wire, pytest.raises(BoardRefusedError):
        client(wire.url).retrieve("../accounts?x=1#y/z", 5)
    assert wire.requests[0].startswith(b"GET /api/job-imports/..%2Faccounts%3Fx%3D1%23y%2Fz HTTP/1.1\r\n")


def test_a_key_of_any_letters_is_sent_as_utf_8() -> None:
    with Wire(http(404)) as wire, pytest.raises(BoardRefusedError):
        client(wire.url, "schlüssel-€").retrieve("i", 5)
    expected = base64.b64encode("schlüssel-€:".encode())
    assert b"Authorization: Basic " + expected + b"\r\n" in wire.requests[0]


def test_a_large_body_is_read_as_it_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobferry.board.client.CHUNK", 1000)
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_bytes(b'{"referenceNumber":"A"}\n' * 10_000)
    body = RequestBody(jobs, CALLBACK, delete_jobs=False)
    largest = max(len(chunk) for chunk in body)
    with Wire(http(202, json.dumps(ANSWER).encode())) as wire:
        client(wire.url).create(body, 5)
    sent = wire.requests[0].partition(b"\r\n\r\n")[2]
    assert largest <= 1000
    assert len(sent) == len(body)
    assert len(json.loads(sent)["jobs"]) == 10_000


def test_neither_a_proxy_nor_a_netrc_of_the_environment_gets_the_key(
    body: RequestBody, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password secret\n")
    with Wire(http(500)) as proxy, Wire(http(202, json.dumps(ANSWER).encode())) as wire:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NETRC", str(netrc))
        client(wire.url).create(body, 5)
    assert proxy.requests == []
    assert f"Authorization: {BASIC}".encode() in wire.requests[0]


def test_a_redirect_is_not_followed(sandbox: SandboxBoard, body: RequestBody) -> None:
    with Wire(http(200, json.dumps(ANSWER).encode())) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            sandbox.faults.add(Fault("redirect", status=status, location=elsewhere.url, on="any", times=2))
            with pytest.raises(BoardRefusedError, match=f"answered {status}, a redirect"):
                client(sandbox.url).create(body, 5)
            with pytest.raises(BoardRefusedError):
                client(sandbox.url).retrieve("i", 5)
    assert elsewhere.requests == []
    assert len(sandbox.requests) == 10


@pytest.mark.parametrize("location", ["http://[", "http://\xff", "/" * 100, ""])
def test_a_redirect_is_not_even_prepared(body: RequestBody, location: str) -> None:
    head = f"HTTP/1.1 307 Word\r\nLocation: {location}\r\nContent-Length: 5\r\n\r\nshort".encode("latin-1")
    with Wire(head) as wire, pytest.raises(BoardRefusedError, match="answered 307, a redirect"):
        client(wire.url).create(body, 5)


def test_a_redirect_beyond_the_largest_answer_is_given_up(body: RequestBody, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "MAX_ANSWER", 1000)
    with Wire(http(307, b" " * 1001, Location="/")) as wire, pytest.raises(BoardUnknownError, match="larger than"):
        client(wire.url).create(body, 5)


def test_no_request_uses_the_connection_of_an_earlier_one(body: RequestBody) -> None:
    answers = [http(202, json.dumps(ANSWER).encode())] * 2
    with Wire(*answers, http(404), keep=True) as wire:
        board = client(wire.url)
        for _ in answers:
            assert board.create(body, 2).status == "pending"
        with pytest.raises(BoardRefusedError):
            board.retrieve("i", 2)


def test_a_cookie_of_one_account_is_no_others() -> None:
    answer = http(404, Set_Cookie="session=1; Path=/")
    with Wire(answer, answer) as wire:
        for _ in range(2):
            with pytest.raises(BoardRefusedError):
                client(wire.url).retrieve("i", 5)
    assert b"cookie" not in wire.requests[1].lower()


# Certainly not accepted


def test_a_refused_connection_is_certain(body: RequestBody) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(BoardUnreachableError, match="refuses connections") as raised:
        client(f"http://127.0.0.1:{port}/api").create(body, 5)
    assert "token" not in str(raised.value)


def test_an_unknown_name_is_certain(body: RequestBody, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(BoardUnreachableError, match="its name is not known"):
        client("https://board.example.com/api").create(body, 5)


def test_a_connection_that_is_never_made_is_certain(body: RequestBody, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "BOARD_CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        with pytest.raises(BoardUnreachableError, match="too long to connect"):
            client(f"http://127.0.0.1:{address[1]}/api").create(body, 5)
        for each in waiting:
            each.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Signed by itself, so nobody trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path_factory.mktemp("tls") / "pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_a_board_that_cannot_prove_who_it_is_gets_nothing(body: RequestBody, certificate: ssl.SSLContext) -> None:
    with Wire(http(202), tls=certificate) as wire:
        with pytest.raises(BoardUnreachableError, match="certificate is not trusted"):
            client(wire.url).create(body, 5)
        assert wire.requests == []


def test_tls_to_a_board_without_is_certain(sandbox: SandboxBoard, body: RequestBody) -> None:
    with pytest.raises(BoardUnreachableError):
        client(sandbox.url.replace("http:", "https:")).create(body, 5)


@pytest.mark.parametrize(
    ("fault", "status", "seconds"),
    [
        (Fault("too_many_requests", retry_after=30), 429, 30),
        (Fault("too_many_requests", retry_after=30, as_date=True), 429, 30),
        (Fault("too_many_requests", retry_after=None), 429, None),
        (Fault("error_before", status=503, retry_after=7), 503, 7),
        (Fault("error_before", status=503), 503, None),
    ],
    ids=lambda value: f"{value.name}-{value.parameters}" if isinstance(value, Fault) else None,
)
def test_later_is_certain_and_says_when(
    sandbox: SandboxBoard, body: RequestBody, fault: Fault, status: int, seconds: float | None
) -> None:
    sandbox.faults.add(fault)
    with pytest.raises(BoardUnreachableError) as raised:
        client(sandbox.url).create(body, 5)
    assert raised.value.status == status
    if seconds is None:
        assert raised.value.retry_after is None
    else:
        assert raised.value.retry_after is not None
        assert seconds - 2 < raised.value.retry_after.total_seconds() <= seconds
    assert sandbox.account(KEY) == {}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 499])
def test_a_refusal_has_the_boards_words(body: RequestBody, status: int) -> None:
    words = b'{"error": "jobs[3] \x07must be\n an object"}'
    with Wire(http(status, words)) as wire, pytest.raises(BoardRefusedError, match="must be an object") as raised:
        client(wire.url).create(body, 5)
    assert raised.value.status == status
    assert str(raised.value).isprintable()


# Unknown


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        (Fault("error_before", status=500), False),
        (Fault("error_before", status=502), False),
        (Fault("error_before", status=504), False),
        (Fault("error_after", status=500), True),
        (Fault("error_after", status=502), True),
        (Fault("error_after", status=504), True),
        (Fault("reset_before"), False),
        (Fault("reset_after"), True),
        (Fault("lost_response"), True),
        (Fault("garbage"), True),
        (Fault("half_body"), True),
        (Fault("no_id"), True),
        (Fault("slow", seconds=30), True),
        (Fault("drip", seconds_per_byte=0.2), True),
    ],
    ids=lambda value: f"{value.name}-{value.parameters}" if isinstance(value, Fault) else None,
)
def test_what_may_have_been_accepted_is_unknown(
    sandbox: SandboxBoard, body: RequestBody, fault: Fault, accepted: bool
) -> None:
    sandbox.faults.add(fault)
    began = time.monotonic()
    with pytest.raises(BoardUnknownError) as raised:
        client(sandbox.url).create(body, 1)
    assert time.monotonic() - began < 1.5
    assert raised.value.retryable
    assert KEY not in str(raised.value)
    assert "token" not in str(raised.value)
    assert bool(sandbox.imports) == accepted
    assert client(sandbox.url).create(body, 5).status == "pending", "it is sent again"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("too_many_requests", on="GET"),
        Fault("error_before", on="GET"),
        Fault("unauthorized"),
        Fault("not_found"),
        Fault("reset_before", on="GET"),
        Fault("slow", seconds=30, on="GET"),
        Fault("drip", seconds_per_byte=0.2, on="GET"),
        Fault("lost_response", on="GET"),
        Fault("reset_after", on="GET"),
        Fault("garbage", on="GET"),
        Fault("half_body", on="GET"),
        Fault("no_id", on="GET"),
    ],
    ids=lambda fault: fault.name,
)
def test_an_import_that_cannot_be_asked_for_is_an_error_of_the_board(
    sandbox: SandboxBoard, body: RequestBody, fault: Fault
) -> None:
    board = client(sandbox.url)
    board_import_id = board.create(body, 5).id
    sandbox.faults.add(fault)
    began = time.monotonic()
    with pytest.raises(BoardError):
        board.retrieve(board_import_id, 1)
    assert time.monotonic() - began < 1.5
    assert board.retrieve(board_import_id, 5).id == board_import_id


def test_the_type_of_an_answer_does_not_matter(sandbox: SandboxBoard, body: RequestBody) -> None:
    sandbox.faults.add(Fault("wrong_content_type", on="any", times=2))
    created = client(sandbox.url).create(body, 5)
    assert client(sandbox.url).retrieve(created.id, 5).id == created.id


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_success_with_an_import_is_an_acceptance(body: RequestBody, status: int) -> None:
    with Wire(http(status, json.dumps(ANSWER).encode())) as wire:
        assert client(wire.url).create(body, 5).id == ANSWER["data"]["id"]


@pytest.mark.parametrize("status", [203, 204, 206, 304, 100, 600, 700])
def test_no_other_status_is_an_acceptance(body: RequestBody, status: int) -> None:
    with Wire(http(status, json.dumps(ANSWER).encode())) as wire, pytest.raises(BoardError):
        client(wire.url).create(body, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
        b"HTTP/1.1 202 Accepted\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_what_is_no_http_is_unknown(body: RequestBody, answer: bytes) -> None:
    with Wire(answer) as wire, pytest.raises(BoardUnknownError):
        client(wire.url).create(body, 2)


# Bounds


def test_a_drip_outlasts_neither_the_time_given_nor_its_thread(sandbox: SandboxBoard, body: RequestBody) -> None:
    before = threads()
    sandbox.faults.add(Fault("drip", seconds_per_byte=0.002))
    with pytest.raises(BoardUnknownError, match="within 0 s"):
        client(sandbox.url).create(body, 0.45)
    _until(lambda: threads() == before, 2)


def test_a_body_that_is_not_taken_is_not_sent_for_ever(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_bytes(b'{"referenceNumber":"A"}\n' * 1_000_000)  # more than any socket's buffers
    before = threads()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        board = client(f"http://127.0.0.1:{deaf.getsockname()[1]}/api")
        began = time.monotonic()
        with pytest.raises(BoardUnknownError):
            board.create(RequestBody(jobs, CALLBACK, delete_jobs=False), 0.5)
        assert time.monotonic() - began < 1
    _until(lambda: threads() == before, 2)


def _until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_answer_beyond_all_measure_is_given_up(
    sandbox: SandboxBoard, body: RequestBody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "MAX_ANSWER", 100_000)
    sandbox.faults.add(Fault("oversized_result", errors=1000, message_length=1000))
    board = client(sandbox.url)
    created = board.create(body, 5)
    sandbox.wait(created.id)
    with pytest.raises(BoardUnknownError, match="larger than 100,000 bytes"):
        board.retrieve(created.id, 5)


def test_a_packed_answer_is_measured_as_it_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "MAX_ANSWER", 100_000)
    packed = gzip.compress(b" " * 50_000_000)
    assert len(packed) < 100_000
    answer = http(200, packed, Content_Encoding="gzip")
    with Wire(answer) as wire, pytest.raises(BoardUnknownError, match="larger than"):
        client(wire.url).retrieve("i", 5)


def test_a_packed_answer_is_read(body: RequestBody) -> None:
    packed = gzip.compress(json.dumps(ANSWER).encode())
    with Wire(http(202, packed, Content_Encoding="gzip")) as wire:
        assert client(wire.url).create(body, 5).id == "44eJr7YHDO9PqC834E_q5"


def test_a_result_of_20_000_errors_is_read(sandbox: SandboxBoard, body: RequestBody) -> None:
    sandbox.faults.add(Fault("oversized_result", errors=20_000, message_length=100))
    board = client(sandbox.url)
    created = board.create(body, 5)
    sandbox.wait(created.id)
    results = board.retrieve(created.id, 10).results
    assert results is not None
    assert len(results.errors) == results.failed == 20_000


def test_the_clock_of_a_retry_after_is_the_real_one() -> None:
    now = dates.datetime.now(UTC)
    at = (now + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with Wire(http(429, Retry_After=at)) as wire, pytest.raises(BoardUnreachableError) as raised:
        client(wire.url).retrieve("i", 5)
    assert raised.value.retry_after is not None
    assert 85 <= raised.value.retry_after.total_seconds() <= 90


# Deletion by reference number


@pytest.fixture
def posted(sandbox: SandboxBoard) -> SandboxBoard:
    """A board with postings of this feed, A-0 to A-2, and one of somebody else."""
    for job in [*JOBS, {"referenceNumber": "by hand"}]:
        sandbox.post_by_hand(KEY, job)
    return sandbox


def test_exactly_the_listed_postings_are_deleted(posted: SandboxBoard) -> None:
    client(posted.url).delete_postings(["A-0", "A-2", "never posted"], 5)
    assert list(posted.account(KEY)) == ["A-1", "by hand"]


def test_a_deletion_is_what_the_boards_pages_say() -> None:
    numbers = ["abcd1234", 'a"b', "é", "123"]
    with Wire(http(204)) as wire:
        client(wire.url).delete_postings(numbers, 5)
    (request,) = wire.requests
    head, _, sent = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0] == "DELETE /api/jobs.json HTTP/1.1"
    assert headers["Authorization"] == BASIC
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(sent))
    assert json.loads(sent) == numbers


def test_an_empty_list_is_never_sent() -> None:
    with Wire(http(500)) as wire:
        client(wire.url).delete_postings([], 5)
    assert wire.requests == []


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207, 299])
@pytest.mark.parametrize("body", [b"", b"\x00\xff{]", b'{"error": "A-0 is unknown"}', b"<html>"])
def test_a_deletion_is_done_whatever_the_body_says(status: int, body: bytes) -> None:
    with Wire(http(status, body)) as wire:
        client(wire.url).delete_postings(["A-0"], 5)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
        http(200, b" " * 1001),
    ],
)
def test_a_deletion_is_done_even_if_the_body_cannot_be_read(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "MAX_ANSWER", 1000)
    with Wire(answer) as wire:
        client(wire.url).delete_postings(["A-0"], 5)


@pytest.mark.parametrize("status", [404, 405])
def test_a_board_that_does_not_offer_deletion_says_so(posted: SandboxBoard, status: int) -> None:
    posted.faults.add(Fault("error_before", status=status, on="DELETE"))
    with pytest.raises(DeletionNotOfferedError, match="does not offer") as raised:
        client(posted.url).delete_postings(["A-0"], 5)
    assert raised.value.status == status
    assert not raised.value.retryable
    assert len(posted.account(KEY)) == 4


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 409, 413, 415, 422])
def test_a_refused_deletion_has_the_boards_words(status: int) -> None:
    with Wire(http(status, f"no, {KEY}".encode())) as wire, pytest.raises(BoardRefusedError) as raised:
        client(wire.url).delete_postings(["A-0"], 5)
    assert raised.value.status == status
    assert not isinstance(raised.value, DeletionNotOfferedError)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "status", "seconds"),
    [
        (Fault("too_many_requests", on="DELETE", retry_after=30), 429, 30),
        (Fault("error_before", on="DELETE", status=503), 503, None),
    ],
    ids=["429", "503"],
)
def test_a_deletion_for_later_deletes_nothing_and_says_when(
    posted: SandboxBoard, fault: Fault, status: int, seconds: int | None
) -> None:
    posted.faults.add(fault)
    with pytest.raises(BoardUnreachableError) as raised:
        client(posted.url).delete_postings(["A-0"], 5)
    assert (raised.value.status, raised.value.retry_after) == (status, seconds and timedelta(seconds=seconds))
    assert len(posted.account(KEY)) == 4


def test_a_deletion_without_a_connection_deletes_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(BoardUnreachableError, match="refuses connections"):
        client(f"http://127.0.0.1:{port}/api").delete_postings(["A-0"], 5)


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Fault("error_before", on="DELETE", status=500), 4),
        (Fault("error_after", on="DELETE", status=502), 2),
        (Fault("reset_before", on="DELETE"), 4),
        (Fault("reset_after", on="DELETE"), 2),
        (Fault("lost_response", on="DELETE"), 2),
        (Fault("slow", on="DELETE", seconds=30), 2),
        (Fault("drip", on="DELETE", seconds_per_byte=0.2), 2),
    ],
    ids=lambda value: f"{value.name}-{value.parameters}" if isinstance(value, Fault) else None,
)
def test_a_deletion_that_may_be_done_is_unknown_and_the_same_list_again_is_harmless(
    posted: SandboxBoard, fault: Fault, left: int
) -> None:
    posted.faults.add(fault)
    with pytest.raises(BoardUnknownError) as raised:
        client(posted.url).delete_postings(["A-0", "A-1"], 1)
    assert raised.value.retryable
    assert len(posted.account(KEY)) == left
    client(posted.url).delete_postings(["A-0", "A-1"], 5)
    assert list(posted.account(KEY)) == ["A-2", "by hand"]
