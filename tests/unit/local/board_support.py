"""A client and a receiver of callbacks, for the tests of the sandbox board."""

from collections.abc import Callable

import requests
from werkzeug.wrappers import Request, Response

from local.board import SandboxBoard
from local.web import WebServer

KEY = "the-key"
AUTH = (KEY, "")
JOB = {"referenceNumber": "u9FE7VIZ", "title": "Job Title", "state": "PA", "postalCode": "17603"}


def send(board: SandboxBoard, *jobs: object, key: str = KEY, **settings: object) -> requests.Response:
    """Create an import of these jobs, without following redirects."""
    body = {"jobs": list(jobs), **settings}
    return requests.post(f"{board.url}/job-imports", json=body, auth=(key, ""), timeout=5, allow_redirects=False)


class Receiver(WebServer):
    """Receives callbacks. It answers each with the next of `statuses`, then with 200."""

    def __init__(self) -> None:
        super().__init__(self._receive, "127.0.0.1")
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.statuses: list[int] = []
        self.before: Callable[[], object] = lambda: None

    @property
    def url(self) -> str:
        return f"{super().url}/hook?token=secret"

    def _receive(self, request: Request) -> Response:
        body = request.get_data()
        self.before()
        self.bodies.append(body)
        self.paths.append(request.environ["RAW_URI"])
        return Response(status=self.statuses.pop(0) if self.statuses else 200)
