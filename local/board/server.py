"""HTTP: requests in, answers out, and the faults that befall them on the way."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import socketserver
import struct
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from local.board import admin, api
from local.board.faults import Fault
from local.board.faulty import instead_of, spoiled
from local.board.job_board import API_PATH, JobBoard
from local.board.messages import Answer, Received, Request, error_answer

log = logging.getLogger(__name__)

CHUNK_LINE_BYTES = 1024
DRAIN_SECONDS = 5
UNANSWERED = ("lost_response", "reset_after")


class BodyRefusedError(Exception):
    """The body cannot be read; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Server(ThreadingHTTPServer):
    """Serves a board, a thread for each connection; `stop` ends them all."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, board: JobBoard) -> None:
        self.board = board
        self._open: dict[threading.Thread, socket.socket] = {}
        super().__init__((board.host, board.port), Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.02,), name="sandbox-board-server", daemon=True
        )

    def server_bind(self) -> None:
        # HTTPServer's own looks the host's name up, which takes seconds where there is no DNS.
        socketserver.TCPServer.server_bind(self)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        for thread, connection in list(self._open.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="sandbox-board-request", daemon=True
        )
        self._open[thread] = request
        thread.start()

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            del self._open[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  socketserver's signature
        log.exception("a request failed")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's signature
        log.debug(format, *args)

    def handle(self) -> None:
        # A client that goes away in the middle is what half of the faults are for.
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/_sandbox") or path == "/":
            self._answer_look(path)
        else:
            self._answer_api(path)

    # The base class looks a method up by this name.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _answer_look(self, path: str) -> None:
        try:
            request = Request(self.command, path, self.headers, self._read_body())
        except BodyRefusedError as refused:
            self._refuse(refused.answer)
        else:
            self._send(admin.answer(self.server.board, request))

    def _answer_api(self, path: str) -> None:
        board = self.server.board
        fault = board.faults.for_request(self.command) if path.startswith(API_PATH + "/") else None
        received = self._receive(path, fault)
        if fault and fault.name == "reset_before":
            self._reset()
            return
        try:
            body = self._read_body()
        except BodyRefusedError as refused:
            received.status = refused.answer.status
            self._refuse(refused.answer)
            return
        board.keep_body(received, body)
        request = Request(self.command, path, self.headers, body)
        answer = (instead_of(fault, board) if fault else None) or self._route(request)
        if fault is None:
            received.status = answer.status
            self._send(answer)
        else:
            answer = spoiled(answer, fault)
            received.status = None if fault.name in UNANSWERED else answer.status
            self._send_with(fault, answer)

    def _route(self, request: Request) -> Answer:
        if request.path.startswith(API_PATH + "/"):
            return api.answer(self.server.board, request)
        return error_answer(404, "Not found")

    def _receive(self, path: str, fault: Fault | None) -> Received:
        board = self.server.board
        headers = {name: value for name, value in self.headers.items() if name.lower() != "authorization"}
        account = board.account_name(api.api_key(self.headers.get("Authorization")))
        received = Received(board.clock(), self.command, path, headers, account, fault=fault.name if fault else None)
        board.receive(received)
        return received

    # Bodies in

    def _read_body(self) -> bytes:
        coding, length = self.headers.get("Transfer-Encoding"), self.headers.get("Content-Length")
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise BodyRefusedError(error_answer(400, "Transfer-Encoding must be chunked, without Content-Length"))
            return self._read_chunks()
        if length is None:
            if self.command in ("POST", "PUT"):
                raise BodyRefusedError(error_answer(411, "Content-Length is missing"))
            return b""
        if not (length.isascii() and length.isdigit()):
            raise BodyRefusedError(error_answer(400, "Content-Length is not a number"))
        return self._read(int(length), already=0)

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := self._chunk_size():
            body += self._read(size, already=len(body))
            self.rfile.readline(CHUNK_LINE_BYTES)
        while self.rfile.readline(CHUNK_LINE_BYTES).strip():
            pass  # trailers mean nothing here
        return bytes(body)

    def _chunk_size(self) -> int:
        line = self.rfile.readline(CHUNK_LINE_BYTES)
        try:
            return int(line.partition(b";")[0].strip().decode("ascii"), 16)
        except ValueError as error:
            raise BodyRefusedError(error_answer(400, "A chunk's size is not a number")) from error

    def _read(self, size: int, already: int) -> bytes:
        if size < 0 or already + size > self.server.board.max_body_bytes:
            raise BodyRefusedError(error_answer(413, "The body is too large"))
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("the client went away")
        return data

    # Answers out

    def _refuse(self, answer: Answer) -> None:
        """Answer without having read the body, then read on a little: closing at once would reset the connection."""
        self.close_connection = True
        self._send(answer)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1)
        end = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < end and self.rfile.read1(2**20):
            pass

    def _send_with(self, fault: Fault, answer: Answer) -> None:
        """Send the answer in the fault's way, if at all."""
        stopping = self.server.board.stopping
        match fault.name:
            case "lost_response":
                self.close_connection = True
            case "reset_after":
                self._reset()
            case "half_body":
                message = self._render(answer, close=True)
                self.wfile.write(message[: len(message) - (len(answer.body) + 1) // 2])
            case "drip":
                for byte in self._render(answer, close=True):
                    self.wfile.write(bytes([byte]))
                    if stopping.wait(fault["seconds_per_byte"]):
                        break
            case "slow" if stopping.wait(fault["seconds"]):
                self.close_connection = True
            case _:
                self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.wfile.write(self._render(answer, close=self.close_connection))

    def _render(self, answer: Answer, *, close: bool) -> bytes:
        self.close_connection = close
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            **answer.headers,
        }
        if close:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head if self.command == "HEAD" else head + answer.body

    def _reset(self) -> None:
        """Close with RST. The socket is detached, since closing it the usual way would send FIN first."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
