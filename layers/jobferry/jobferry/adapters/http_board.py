"""The board's API over HTTP."""

import base64
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

import requests
from pydantic_core import to_json
from urllib3.exceptions import HTTPError, MaxRetryError

from jobferry.board.accounts import Account
from jobferry.board.answers import is_success, parse_retry_after, read_created, read_retrieved, require_deleted
from jobferry.board.client import RequestBody
from jobferry.board.job_imports import JobImport
from jobferry.errors import BoardUnknownError, BoardUnreachableError

BOARD_CONNECT_SECONDS: Final = 5.0
#: The largest answer that is read, in bytes. It has room for some 100,000 errors.
MAX_ANSWER: Final = 32 << 20
#: The window size with which zlib expects the header of gzip.
_GZIP: Final = 16 + zlib.MAX_WBITS

type Answer = tuple[int, bytes, timedelta | None]


class HttpBoard:
    """One account of a board over HTTP. The API key is the user name; there is no password (RFC 7617)."""

    def __init__(self, account: Account) -> None:
        self._imports_url = f"{account.board_url}/job-imports"
        self._jobs_url = f"{account.board_url}/jobs.json"
        credentials = base64.b64encode(f"{account.api_key}:".encode()).decode()
        self._secrets = (account.api_key.encode(), credentials.encode())
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Authorization": f"Basic {credentials}",
            "User-Agent": "jobferry",
        }

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        """Implement `Board`."""
        return read_created(*self._send("POST", self._imports_url, seconds, body, len(body)))

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        """Implement `Board`."""
        return read_retrieved(*self._send("GET", f"{self._imports_url}/{quote(board_import_id, safe='')}", seconds))

    def delete_postings(self, reference_numbers: Sequence[str], seconds: float) -> None:
        """Implement `Board`."""
        if not reference_numbers:
            return  # The board's pages do not say what an empty list deletes.
        body = to_json(reference_numbers)
        require_deleted(*self._send("DELETE", self._jobs_url, seconds, [body], len(body)))

    def _send(
        self, method: str, url: str, seconds: float, body: Iterable[bytes] | None = None, length: int = 0
    ) -> Answer:
        deadline = time.monotonic() + seconds
        upload = None if body is None else _Upload(body, length, deadline)
        timeout = (min(BOARD_CONNECT_SECONDS, seconds), seconds)
        headers = self._headers if body is None else self._headers | {"Content-Type": "application/json"}

        def exchange() -> Answer:
            # A new session for each request: a connection that was kept while Lambda slept may be dead, and then it
            # is unknown whether the board received the request.
            with (
                _Session() as session,
                session.request(
                    method, url, headers=headers, data=upload, timeout=timeout, allow_redirects=False, stream=True
                ) as response,
            ):
                # A 2xx means deleted, even if the rest of the answer cannot be read.
                text = b"" if method == "DELETE" and is_success(response.status_code) else _read(response, deadline)
                retry_after = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
                return response.status_code, text, retry_after

        try:
            status, text, retry_after = _within(seconds, exchange)
        except (requests.RequestException, HTTPError) as error:
            # As long as no byte of the body was sent, the board cannot have accepted anything.
            if upload is None or not upload.begun:
                raise BoardUnreachableError(f"no connection to the board: {_reason(error)}") from error
            raise BoardUnknownError(f"no answer from the board: {_reason(error)}") from error
        except TimeoutError as error:
            raise BoardUnknownError(f"no answer from the board within {seconds:.0f} s") from error
        if status >= 300:  # its words go into records and notices, and it may repeat the key in them
            for secret in self._secrets:
                text = text.replace(secret, b"(the API key)")
        return status, text, retry_after


class _Session(requests.Session):
    """A session that sends the key to the board and nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # no proxy and no .netrc

    def get_redirect_target(self, _: requests.Response) -> None:
        """Ignore a Location: requests prepares the next request even if it is not to follow it."""


class _Upload:
    """The body of a request, which stops at a deadline.

    Attributes:
        begun: whether the first chunk was asked for, and so may have been sent.
    """

    def __init__(self, body: Iterable[bytes], length: int, deadline: float) -> None:
        self._body = body
        self._length = length
        self._deadline = deadline
        self.begun = False

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        for chunk in self._body:
            if time.monotonic() > self._deadline:
                raise TimeoutError
            yield chunk


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read the body, at most MAX_ANSWER bytes. Unpack gzip here, because urllib3 unpacks without a limit."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        return b""  # it was not asked for, and the status says enough
    unpack = None if encoding == "identity" else zlib.decompressobj(_GZIP)
    body = bytearray()
    # iter_content waits until a piece is full. read1 returns what is there, so even a slow answer meets the deadline.
    while chunk := response.raw.read1(1 << 16, decode_content=False):
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, MAX_ANSWER + 1 - len(body))
        except zlib.error as error:
            raise BoardUnknownError("the board's answer is not valid gzip") from error
        if len(body) > MAX_ANSWER:
            raise BoardUnknownError(f"the board's answer is larger than {MAX_ANSWER:,} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    if unpack is not None and body and not unpack.eof:
        raise BoardUnknownError("the board's answer ends in the middle")
    return bytes(body)


def _within[T](seconds: float, act: Callable[[], T]) -> T:
    """Return the result of `act`. Raise TimeoutError if it takes longer.

    A socket's timeout applies to each read, so a board that sends one byte a second never reaches it. The thread that
    still waits for such a board ends with the connection.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
            future.set_exception(error)

    threading.Thread(target=run, name="board", daemon=True).start()
    return future.result(seconds)


def _reason(error: Exception) -> str:
    """Say what failed, without the URL, which may contain a token."""
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not trusted"
        case requests.ConnectTimeout():
            return "it took too long to connect"
        case requests.Timeout():
            return "it took too long to answer"
        case requests.ConnectionError(args=(MaxRetryError(), *_)):
            return "it refuses connections, or its name is not known"
        case _:
            return "the connection was cut"
