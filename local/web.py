"""A web server on this machine: werkzeug's, with a thread for each connection."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

log = logging.getLogger(__name__)


class Connection(WSGIRequestHandler):
    """One connection. A ConnectionError in the application ends it without a response."""

    timeout = 60
    disable_nagle_algorithm = True  # otherwise a body waits until the client acknowledges its headers

    # The unused arguments here and below are the base class's.
    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ARG002
        log.debug(message, *args)


class WebServer(ThreadedWSGIServer):
    """Serves what `answer` makes of each request, until the end of its `with` block, which ends every connection."""

    daemon_threads = False  # the end waits for them

    def __init__(
        self,
        answer: Callable[[Request], Response],
        host: str,
        port: int = 0,
        connection: type[Connection] = Connection,
    ) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            return answer(Request(environ))(environ, start_response)

        super().__init__(host, port, application, connection)
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="web-server", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()  # it has waited for every connection's thread

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self._open.discard(request)
        super().close_request(request)


def json_response(status: int, value: object, **headers: str) -> Response:
    """Make a JSON response; `Retry_After="1"` becomes the header `Retry-After: 1`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(json.dumps(value), status, named, content_type="application/json")
