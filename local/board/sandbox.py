"""The sandbox board: a job board served over HTTP on this machine."""

from typing import Self

from local.board.job_board import JobBoard
from local.board.server import Server


class SandboxBoard(JobBoard):
    """A job board with the API v2.0 of the board's page, served on this machine, that misbehaves on request.

    `api_keys` names the account of each key, and may be changed while the board runs (a rotation). `processing_seconds`
    is the time from pending to complete. `clock` gives the dates and times in answers and ends a `stay_pending`. `seed`
    fixes the ids and what `probability` decides. A stopped board keeps everything, and starts again at the same port.
    """

    _server: Server | None = None

    def start(self) -> Self:
        """Serve the API. `port` is then the real one."""
        super().start()
        self._server = Server(self)
        self.port = self._server.server_address[1]
        self._server.start()
        return self

    def stop(self) -> None:
        """End every request, wait and callback under way, and every thread."""
        super().stop()
        if self._server:
            self._server.stop()
            self._server = None
