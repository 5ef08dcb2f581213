"""A small HTTP server on this machine, a thread for each connection."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

log = logging.getLogger(__name__)

#: What is read of a body that is too large, so that its sender hears the answer.
_DRAINED: Final = 64 * 2**20


@dataclass(frozen=True)
class Request:
    """`target` is the path with its query, as it came."""

    method: str
    target: str
    headers: Message
    body: bytes
    source: str


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(status: int, value: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class WebServer:
    """Serves what `answer` makes of a request, at a free port.

    A body over `limit` bytes gets `too_large`, unread.
    """

    def __init__(self, answer: Callable[[Request], Answer], host: str, limit: int, too_large: Answer) -> None:
        self._server = _Server((host, 0), _Handler)
        self._server.answer, self._server.limit, self._server.too_large = answer, limit, too_large
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # The threads wait for functions, which end first; one that still talks to its client need not hold anybody up.
    block_on_close = False
    request_queue_size = 128
    answer: Callable[[Request], Answer]
    limit: int
    too_large: Answer

    def server_bind(self) -> None:
        # HTTPServer's own looks the host's name up, which takes seconds where there is no DNS.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  socketserver's signature
        log.debug("a request failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > self.server.limit:
            self.close_connection = True
            self.rfile.read(min(size, _DRAINED))
            answer = self.server.too_large
        else:
            body = self.rfile.read(size)
            answer = self.server.answer(Request(self.command, self.path, self.headers, body, self.client_address[0]))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    # The base class looks a method up by this name.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's signature
        log.debug(format, *args)
