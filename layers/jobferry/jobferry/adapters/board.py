"""The board's API over HTTP."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from jobferry.accounts import Account
from jobferry.boards import RequestBody, accepted, found
from jobferry.errors import BoardUnknownError, BoardUnreachableError
from jobferry.job_imports import JobImport

CONNECT_SECONDS: Final = 5.0
#: An answer may be that large: some 100,000 errors. Bytes.
MAX_ANSWER: Final = 64 << 20
_USER_AGENT: Final = "jobferry"


class HttpBoard:
    """One account of a board, asked over HTTP with its API key as the user name and no password."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._session = requests.Session()
        # No proxy and no .netrc of the environment: the key goes to the board and nowhere else.
        self._session.trust_env = False
        # RFC 7617; not through `auth`, which knows Latin-1 alone.
        credentials = base64.b64encode(f"{account.api_key}:".encode()).decode()
        self._session.headers.update(
            {"Accept": "application/json", "Authorization": f"Basic {credentials}", "User-Agent": _USER_AGENT}
        )

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        """See `boards.Board`."""
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        answer = self._ask("POST", f"{self._account.board_url}/job-imports", seconds, headers, body)
        return accepted(*answer, datetime.now(UTC))

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        """See `boards.Board`."""
        url = f"{self._account.board_url}/job-imports/{quote(board_import_id, safe='')}"
        return found(*self._ask("GET", url, seconds, {}, None), datetime.now(UTC))

    def _ask(
        self, method: str, url: str, seconds: float, headers: dict[str, str], body: RequestBody | None
    ) -> tuple[int, dict[str, str], bytes]:
        end = time.monotonic() + seconds

        def ask() -> tuple[int, dict[str, str], bytes]:
            with self._session.request(
                method,
                url,
                headers=headers,
                data=None if body is None else _until(end, body),
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                stream=True,
            ) as answer:
                names = {name.lower(): value for name, value in answer.headers.items()}
                # A board that repeats the key in what it says would bring it into records and notices.
                text = _read(answer, end).replace(self._account.api_key.encode(), b"(the API key)")
                return answer.status_code, names, text

        try:
            return _within(seconds, ask)
        except requests.RequestException as error:
            if _never_connected(error):
                raise BoardUnreachableError(f"no connection to the board: {_kind(error)}") from error
            raise BoardUnknownError(f"no answer from the board: {_kind(error)}") from error
        except TimeoutError as error:
            raise BoardUnknownError(f"no answer from the board within {seconds:.0f} s") from error


class _until:  # noqa: N801  # reads as what it does, and `requests` needs an object with a length
    """A request's body that is not sent beyond an instant."""

    def __init__(self, end: float, body: RequestBody) -> None:
        self._end = end
        self._body = body

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._body:
            if time.monotonic() > self._end:
                raise TimeoutError
            yield chunk


def _read(answer: requests.Response, end: float) -> bytes:
    body = bytearray()
    try:
        # What has come, be it a byte, so that the time is looked at however slowly it comes.
        while chunk := answer.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if len(body) > MAX_ANSWER:
                raise BoardUnknownError(f"the board's answer is larger than {MAX_ANSWER:,} bytes")
            if time.monotonic() > end:
                raise TimeoutError
    except HTTPError as error:
        raise requests.ConnectionError(error) from error
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


def _never_connected(error: requests.RequestException) -> bool:
    """Whether the request certainly did not reach the board: no name, no connection, no trust."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    cause: BaseException | None = error
    seen = []
    while cause is not None and cause not in seen:
        seen.append(cause)
        if type(cause).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError"):
            return True
        reason = getattr(cause, "reason", None)
        inner = [each for each in (*cause.args, reason) if isinstance(each, BaseException)]
        cause = inner[0] if inner else cause.__cause__
    return False


def _kind(error: BaseException) -> str:
    """What kind of failure it was, without the URL, in which a token may be."""
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not trusted"
        case requests.ConnectTimeout():
            return "it took too long to connect"
        case requests.Timeout():
            return "it took too long to answer"
        case _ if isinstance(error, requests.RequestException) and _never_connected(error):
            return "it refuses connections, or its name is not known"
        case _:
            return "the connection was cut"
