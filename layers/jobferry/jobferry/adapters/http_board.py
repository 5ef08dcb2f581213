"""The board's API over HTTP."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import certifi
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as TooSlowError

from jobferry.board.accounts import Account
from jobferry.board.answers import parse_retry_after, read_created, read_retrieved
from jobferry.board.client import RequestBody
from jobferry.board.job_imports import JobImport
from jobferry.errors import BoardUnknownError, BoardUnreachableError

CONNECT_SECONDS: Final = 5.0
#: An answer may be that large: some 100,000 errors. Bytes.
MAX_ANSWER: Final = 32 << 20
_USER_AGENT: Final = "jobferry"


class HttpBoard:
    """One account of a board, asked over HTTP with its API key as the user name and no password."""

    def __init__(self, account: Account) -> None:
        self._account = account
        # urllib3, which boto3 has loaded anyway: requests on top of it takes a tenth of a cold start. It knows nothing of
        # proxies and .netrc in the environment either: the key goes to the board and nowhere else.
        self._pool = PoolManager(ca_certs=certifi.where())
        credentials = base64.b64encode(f"{account.api_key}:".encode()).decode()
        self._secrets = (account.api_key.encode(), credentials.encode())
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Authorization": f"Basic {credentials}",  # RFC 7617
            "User-Agent": _USER_AGENT,
        }

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        """See `boards.Board`."""
        # A connection that was kept while Lambda slept may be dead, and then nobody knows what became of the request.
        self._pool.clear()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return read_created(*self._ask("POST", f"{self._account.board_url}/job-imports", seconds, headers, body))

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        """See `boards.Board`."""
        url = f"{self._account.board_url}/job-imports/{quote(board_import_id, safe='')}"
        return read_retrieved(*self._ask("GET", url, seconds, {}, None))

    def _ask(
        self, method: str, url: str, seconds: float, headers: dict[str, str], body: RequestBody | None
    ) -> tuple[int, bytes, timedelta | None]:
        end = time.monotonic() + seconds
        begun = threading.Event()

        def ask() -> tuple[int, bytes, timedelta | None]:
            with self._pool.request(
                method,
                url,
                headers=self._headers | headers,
                body=None if body is None else _until(end, body, begun),
                timeout=Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            ) as answer:
                retry_after = parse_retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
                text = _read(answer, end)
                if answer.status >= 300:  # a board that repeats the key would bring it into records and notices
                    for secret in self._secrets:
                        text = text.replace(secret, b"(the API key)")
                return answer.status, text, retry_after

        try:
            return _within(seconds, ask)
        except HTTPError as error:
            # Without the body, whatever it was that failed (the name, the connection, the certificate), nothing was accepted.
            if not begun.is_set():
                raise BoardUnreachableError(f"no connection to the board: {_kind(error)}") from error
            raise BoardUnknownError(f"no answer from the board: {_kind(error)}") from error
        except TimeoutError as error:
            raise BoardUnknownError(f"no answer from the board within {seconds:.0f} s") from error


def _until(end: float, body: RequestBody, begun: threading.Event) -> Iterator[bytes]:
    """The chunks of a request's body, none of them beyond an instant; `begun` says that the first was asked for."""
    begun.set()
    for chunk in body:
        if time.monotonic() > end:
            raise TimeoutError
        yield chunk


def _read(answer: BaseHTTPResponse, end: float) -> bytes:
    body = bytearray()
    # What has come, be it a byte, so that the time is looked at however slowly it comes.
    while chunk := answer.read1(1 << 16, decode_content=True):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise BoardUnknownError(f"the board's answer is larger than {MAX_ANSWER:,} bytes")
        if time.monotonic() > end:
            raise TimeoutError
    return bytes(body)


def _within[T](seconds: float, act: Callable[[], T]) -> T:
    """The result of `act`. Raises TimeoutError when it takes longer.

    A socket's timeout is for each read: a board that drips one byte a second outlasts every one of them. What then
    still waits for it is a thread that ends with the connection.
    """
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((act(), None))
        except BaseException as error:  # noqa: BLE001  # it is raised below, in the thread that asked
            outcome.append((None, error))

    thread = threading.Thread(target=run, name="board", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError
    result, error = outcome[0]
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _kind(error: HTTPError) -> str:
    """What kind of failure it was, without the URL, in which a token may be."""
    match error:
        case SSLError():
            return "its certificate is not trusted"
        case NewConnectionError():  # a ConnectTimeoutError, too
            return "it refuses connections, or its name is not known"
        case ConnectTimeoutError():
            return "it took too long to connect"
        case TooSlowError():
            return "it took too long to answer"
        case _:
            return "the connection was cut"
