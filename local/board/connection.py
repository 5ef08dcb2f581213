"""Connections of the sandbox board that go wrong: what a WSGI application cannot do by itself."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
from typing import Any, Final, NoReturn

from werkzeug.wrappers import Request

from local.web import Connection

#: Where a request's environment has its connection.
_VARIABLE: Final = "sandbox.connection"


class FaultyConnection(Connection):
    """A connection that can be closed, reset, or slowed to a drip."""

    def make_environ(self) -> dict[str, Any]:
        return super().make_environ() | {_VARIABLE: self}

    @staticmethod
    def of(request: Request) -> FaultyConnection:
        connection: FaultyConnection = request.environ[_VARIABLE]
        return connection

    def close(self) -> NoReturn:
        """Close without a response."""
        raise ConnectionAbortedError

    def reset(self) -> NoReturn:
        """Close with RST. Detach the socket first, since closing it the usual way would send FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        raise ConnectionAbortedError

    def drip(self, seconds_per_byte: float, stopping: threading.Event) -> None:
        """Send everything from now on byte by byte, until the board stops."""
        self.wfile = _Drip(self.connection, seconds_per_byte, stopping)


class _Drip(io.BufferedIOBase):
    def __init__(self, connection: socket.socket, seconds_per_byte: float, stopping: threading.Event) -> None:
        self._connection = connection
        self._seconds_per_byte = seconds_per_byte
        self._stopping = stopping

    def write(self, data: Any) -> int:
        for byte in data:
            self._connection.sendall(bytes([byte]))
            if self._stopping.wait(self._seconds_per_byte):
                raise ConnectionAbortedError
        return len(data)
