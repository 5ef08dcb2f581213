"""Callbacks: which ones an import causes, and how they are sent."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from local.board.faults import Fault

type Body = dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One callback to send. `what` says whether it is the genuine one. A forged one is sent once, whatever the answer."""

    url: str
    body: Body
    what: str = "genuine"
    delay: float = 0
    is_retried: bool = True


@dataclass(frozen=True)
class Attempt:
    """One try to deliver a callback. Its URL lacks the query, which holds the client's token."""

    at: datetime
    url: str
    what: str
    status: int | None
    error: str | None = None


def plan(url: str, body: Body, faults: dict[str, Fault], other: Body) -> list[Delivery]:
    """Plan an import's callbacks. `body` is the genuine one's body, `other` that of another import."""
    deliveries = []
    if "unfinished_callback" in faults:
        deliveries.append(Delivery(url, _with(body, status="running", results=None, completedAt=None), "unfinished"))
    if forged := faults.get("forged_callback"):
        deliveries.append(_forged(forged["what"], url, body, other))
    if "misdirected_callback" in faults:
        deliveries.append(Delivery(url, other, "misdirected"))
    if "no_callback" not in faults:
        if oversized := faults.get("oversized_callback"):
            body = body | {"padding": "x" * oversized["bytes"]}
        delay = late["seconds"] if (late := faults.get("late_callback")) else 0
        copies = duplicate["copies"] if (duplicate := faults.get("duplicate_callback")) else 1
        deliveries += [Delivery(url, body, "genuine", delay)] + [Delivery(url, body, "duplicate")] * (copies - 1)
    return deliveries


def _with(body: Body, **changes: Any) -> Body:
    return body | {"data": body["data"] | changes}


def _forged(what: str, url: str, body: Body, other: Body) -> Delivery:
    """Forge a callback, as someone could who knows or guesses the URL."""
    match what:
        case "results":
            results = body["data"]["results"]
            all_succeeded = {"added": results["processed"], "updated": 0, "unchanged": 0, "failed": 0, "errors": []}
            body = _with(body, results=results | all_succeeded | {"deleted": results["deleted"] + 1000})
        case "id":
            body = _with(body, id=other["data"]["id"])
        case "token":
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query)) | {"token": "forged"}
            url = urlunsplit(parts._replace(query=urlencode(query)))
    return Delivery(url, body, f"forged {what}", is_retried=False)


class Courier:
    """Sends callbacks. Any response but a 2xx is a failure. Most are then retried after each of the seconds in `retries`."""

    def __init__(
        self, *, timeout: float, retries: Sequence[float], allow_any_host: bool, stopping: threading.Event
    ) -> None:
        self._timeout = timeout
        self._retries = retries
        self._allow_any_host = allow_any_host
        self._stopping = stopping
        self._open: set[http.client.HTTPConnection] = set()

    def deliver(self, delivery: Delivery) -> Iterator[tuple[int | None, str | None]]:
        """Send one callback; yield the status or the error of each try, until one succeeds or the board stops."""
        if not self._allow_any_host and not _on_this_machine(delivery.url):
            yield None, "not sent: the host is not this machine (allow_any_callback_host)"
            return
        payload = json.dumps(delivery.body).encode()
        retries = self._retries if delivery.is_retried else ()
        for wait in (delivery.delay, *retries):
            if self._stopping.wait(wait):
                return
            status, error = self._post(delivery.url, payload)
            yield status, error
            if status is not None and 200 <= status < 300:
                return

    def abort(self) -> None:
        """End every request that is being sent."""
        for connection in list(self._open):
            _hang_up(connection)

    def _post(self, url: str, payload: bytes) -> tuple[int | None, str | None]:
        parts = urlsplit(url)
        scheme = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = scheme(parts.hostname or "", parts.port, timeout=self._timeout)
        # A socket's timeout holds for each read, so a receiver that drips its response needs a limit on the whole.
        deadline = threading.Timer(self._timeout, _hang_up, [connection])
        deadline.daemon = True
        self._open.add(connection)
        deadline.start()
        try:
            if self._stopping.is_set():
                return None, "the board stopped"
            headers = {"Content-Type": "application/json", "User-Agent": "sandbox-board"}
            path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request("POST", path, payload, headers)
            return connection.getresponse().status, None
        except (OSError, http.client.HTTPException, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"
        finally:
            deadline.cancel()
            self._open.discard(connection)
            connection.close()


def _hang_up(connection: http.client.HTTPConnection) -> None:
    with contextlib.suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _on_this_machine(url: str) -> bool:
    """Check whether every address of the URL's host belongs to this machine: no other address can be bound."""
    try:
        found = socket.getaddrinfo(urlsplit(url).hostname, 0, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(address)
    except OSError:
        return False
    return True
