"""What the tests of the sandbox board share: a client, and a receiver of callbacks."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Self

import requests

from local.board import SandboxBoard

KEY = "the-key"
AUTH = (KEY, "")
JOB = {"referenceNumber": "u9FE7VIZ", "title": "Job Title", "state": "PA", "postalCode": "17603"}


def send(board: SandboxBoard, *jobs: object, key: str = KEY, **settings: object) -> requests.Response:
    """Create an import of these jobs; redirects are not followed."""
    body = {"jobs": list(jobs), **settings}
    return requests.post(f"{board.url}/job-imports", json=body, auth=(key, ""), timeout=5, allow_redirects=False)


class Receiver(HTTPServer):
    """Receives callbacks, and answers each with the next of `statuses`, then with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.statuses: list[int] = []
        self.before: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        self._thread = Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?token=secret"

    def server_bind(self) -> None:
        super(HTTPServer, self).server_bind()


class _Receive(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.before()
        self.server.bodies.append(body)
        self.server.paths.append(self.path)
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
