"""The sandbox board: a job board served over HTTP on this machine, with the faults that requests meet."""

from __future__ import annotations

from typing import Final, Self

from werkzeug.exceptions import HTTPException, LengthRequired
from werkzeug.wrappers import Request, Response

from local.board import admin, api
from local.board.connection import FaultyConnection
from local.board.faults import Fault
from local.board.job_board import API_PATH, JobBoard
from local.board.messages import ReceivedRequest, error_response
from local.board.wrong_answers import refusal, spoiled_response
from local.web import WebServer

_UNANSWERED: Final = ("lost_response", "reset_after")


class SandboxBoard(JobBoard):
    """A job board with the API v2.0 of the board's page, served on this machine, that misbehaves on request.

    `api_keys` names the account of each key, and may be changed while the board runs (a rotation). `processing_seconds`
    is the time from pending to complete. `clock` gives the dates and times in answers and ends a `stay_pending`. `seed`
    fixes the ids and what `probability` decides. A stopped board keeps everything, and starts again at the same port.
    """

    _server: WebServer | None = None

    def start(self) -> Self:
        """Serve the API. `port` is then the real one."""
        super().start()
        self._server = WebServer(self._answer, self.host, self.port, FaultyConnection).__enter__()
        self.port = self._server.port
        return self

    def stop(self) -> None:
        """End every request, wait and callback under way, and every thread."""
        super().stop()
        if self._server:
            self._server.__exit__()
            self._server = None

    def _answer(self, request: Request) -> Response:
        request.max_content_length = self.max_body_bytes
        if request.path == "/" or request.path.startswith("/_sandbox"):
            return _read_body(request) or admin.answer(self, request)
        fault = self.faults.for_request(request.method) if request.path.startswith(f"{API_PATH}/") else None
        received = self._record(request, fault)
        if fault and fault.name == "reset_before":
            FaultyConnection.of(request).reset()
        if refused := _read_body(request):
            received.status = refused.status_code
            return refused
        self.keep_body(received, request.get_data())
        response = (fault and refusal(fault, self)) or self._route(request)
        if fault:
            response = spoiled_response(response, fault)
        received.status = None if fault and fault.name in _UNANSWERED else response.status_code
        if fault:
            self._disturb(FaultyConnection.of(request), fault)
        return response

    def _record(self, request: Request, fault: Fault | None) -> ReceivedRequest:
        account = self.account_name(api.api_key(request.headers.get("Authorization")))
        headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
        name = fault.name if fault else None
        received = ReceivedRequest(self.clock(), request.method, request.path, headers, account, fault=name)
        self.receive(received)
        return received

    def _route(self, request: Request) -> Response:
        if request.path.startswith(f"{API_PATH}/"):
            return api.answer(self, request)
        return error_response(404, "Not found")

    def _disturb(self, connection: FaultyConnection, fault: Fault) -> None:
        """Do to the connection what the fault does to it."""
        match fault.name:
            case "lost_response":
                connection.close()
            case "reset_after":
                connection.reset()
            case "drip":
                connection.drip(fault["seconds_per_byte"], self.stopping)
            case "slow" if self.stopping.wait(fault["seconds"]):
                connection.close()


def _read_body(request: Request) -> Response | None:
    """Read the body, which the request then keeps; return the response if it cannot be read."""
    unlimited = request.content_length is None and not request.environ.get("wsgi.input_terminated")
    try:
        if unlimited and request.method in ("POST", "PUT"):
            raise LengthRequired
        request.get_data()
        request.stream.read(1)  # raises if a chunked body was cut off at the limit
    except HTTPException as error:
        return error_response(error.code or 400, error.description or "")
    return None
