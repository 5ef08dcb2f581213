"""Requests and responses of the sandbox board: JSON, errors, and the record of a request."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from local.web import json_response


@dataclass
class ReceivedRequest:
    """A request that the board received. It never holds a key; the newest 64 MiB of all bodies are kept."""

    at: datetime
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    account: str | None
    size: int = 0
    body: bytes = field(default=b"", repr=False)
    status: int | None = None
    """The status of the response; None if there was none."""
    fault: str | None = None


@dataclass(frozen=True)
class Deletion:
    """A request to delete postings by reference number.

    Attributes:
        at: its time.
        account: the account's name.
        listed: how many reference numbers the request listed.
        deleted: those that were posted.
    """

    at: datetime
    account: str
    listed: int
    deleted: list[str] = field(repr=False)


def parse_json(body: bytes) -> Any:
    """Parse JSON. Raise ValueError for anything else, including NaN."""
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def error_response(status: int, message: str, **headers: str) -> Response:
    """Make an error response. The board's page shows none, so clients should rely on the status alone."""
    return json_response(status, {"error": {"status": status, "message": message}}, **headers)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
