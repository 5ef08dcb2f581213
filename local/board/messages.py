"""A request as it came, and an answer before it goes."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is none, NaN included."""
        try:
            return json.loads(self.body.decode(), parse_constant=_no_constant)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Received:
    """A request that the board received. Keys are never in it; of the bodies, the newest 64 MiB are kept."""

    at: datetime
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    account: str | None
    size: int = 0
    body: bytes = field(default=b"", repr=False)
    status: int | None = None
    """The status answered, None when there was no answer."""
    fault: str | None = None


def json_answer(status: int, value: object, **headers: str) -> Answer:
    """An answer with a JSON body; `Retry_After="1"` is the header `Retry-After: 1`."""
    return Answer(status, json.dumps(value).encode(), headers={k.replace("_", "-"): v for k, v in headers.items()})


def error_answer(status: int, message: str, **headers: str) -> Answer:
    """An error. The board's page does not show one, so clients should rely on the status alone."""
    return json_answer(status, {"error": {"status": status, "message": message}}, **headers)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
