"""What jobferry asks of a board, and what an answer means for an import that was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Protocol

from pydantic_core import to_json

from jobferry.board.accounts import Account, Accounts, account_of
from jobferry.board.job_imports import JobImport, JobImportError, parse_job_import
from jobferry.errors import BoardError, BoardRefusedError, BoardUnknownError, BoardUnreachableError
from jobferry.feeds.streams import CHUNK
from jobferry.records.imports import Import
from jobferry.text import without_secrets

ACCEPTED: Final = 202
UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404
TOO_MANY: Final = 429
#: Nothing was accepted, and later it may be.
_LATER: Final = frozenset({429, 503})
_SHOWN: Final = 300


class Board(Protocol):
    """One account of a board."""

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        """Sends an import; within so many seconds.

        Raises:
            BoardRefusedError, BoardUnreachableError: it was not accepted.
            BoardUnknownError: it may have been.
        """
        ...

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        """The import as it is now; within so many seconds. Raises BoardError."""
        ...


class RequestBody:
    """The body of a request that creates an import, read from the jobs' file as it is sent, as often as needed."""

    def __init__(self, jobs: Path, callback_url: str, *, delete_jobs: bool) -> None:
        self._jobs = jobs
        self._start = b'{"callbackUrl":%b,"deleteJobs":%b,"jobs":[' % (
            to_json(callback_url),
            b"true" if delete_jobs else b"false",
        )

    def __len__(self) -> int:
        # Each job ends with a line feed; all but the last become commas.
        return len(self._start) + max(self._jobs.stat().st_size - 1, 0) + len(b"]}")

    def __iter__(self) -> Iterator[bytes]:
        yield self._start
        with self._jobs.open("rb", 0) as jobs:
            left = max(self._jobs.stat().st_size - 1, 0)
            while left and (chunk := jobs.read(min(CHUNK, left))):
                left -= len(chunk)
                # A line feed stands nowhere else: within a text JSON writes it as \n.
                yield chunk.replace(b"\n", b",")
        yield b"]}"


def accepted(status: int, headers: dict[str, str], body: bytes, now: datetime) -> JobImport:
    """What the answer to a create request means; only a 202 with an id is an acceptance.

    Args:
        status: of HTTP.
        headers: their names in lower case.
        body: of the answer.
        now: for a Retry-After that is a date.

    Raises:
        BoardRefusedError, BoardUnreachableError: it was not accepted.
        BoardUnknownError: it may have been.
    """
    if status == ACCEPTED:
        try:
            return parse_job_import(body)
        except JobImportError as error:
            raise BoardUnknownError(f"the board answered 202, but {error}") from error
    raise _failure(status, headers, body, now)


def found(status: int, headers: dict[str, str], body: bytes, now: datetime) -> JobImport:
    """What the answer to a retrieve request means. Arguments as of `accepted`.

    Raises:
        BoardError: it is not an import.
    """
    if status == 200:
        try:
            return parse_job_import(body)
        except JobImportError as error:
            raise BoardUnknownError(f"the board answered, but {error}") from error
    raise _failure(status, headers, body, now)


def _failure(status: int, headers: dict[str, str], body: bytes, now: datetime) -> BoardError:
    if status in _LATER:
        return BoardUnreachableError(
            f"the board answered {status}", retry_after(headers.get("retry-after"), now), status
        )
    if 300 <= status < 400:
        # Where to is not followed, since the key would go with it.
        return BoardRefusedError(f"the board answered {status}, a redirect: is its URL right?", status)
    if 400 <= status < 500:
        return BoardRefusedError(f"the board answered {status}{_meaning(status)}: {_words(body)}", status)
    return BoardUnknownError(f"the board answered {status}")


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """How long to wait, by a Retry-After header: seconds, or a date (RFC 9110, 10.2.3). None: it does not say."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 86400))
    try:
        return max(parsedate_to_datetime(text) - now, timedelta())
    except (ValueError, TypeError, OverflowError):
        return None


def _meaning(status: int) -> str:
    match status:
        case 401 | 403:
            return " (it does not know the API key, or the key may not do this)"
        case 404:
            return " (there is nothing at that address)"
        case 413:
            return " (the import is too large for it)"
        case _:
            return ""


def _words(body: bytes) -> str:
    """The board's own words, cut, on one line; a page of HTML is no words."""
    text = " ".join(without_secrets(body[: _SHOWN * 4].decode(errors="replace")).split())
    if not text or text.startswith("<"):
        return "it says no more"
    clean = "".join(character for character in text if character.isprintable())
    return clean if len(clean) <= _SHOWN else f"{clean[:_SHOWN]}…"


#: The board of an account.
type Boards = Callable[[Account], Board]


def retrieve(record: Import, board_import_id: str, accounts: Accounts, boards: Boards, seconds: float) -> JobImport:
    """The board's word on an import; asked again with the key as it is now, if the one in memory is refused.

    Raises:
        BoardError: it cannot be asked, or does not know it.
        SecretError: there is no key, or it is for another board now.
    """
    try:
        answer = boards(account_of(record, accounts)).retrieve(board_import_id, seconds)
    except BoardRefusedError as error:
        if error.status != UNAUTHORIZED:
            raise
        answer = boards(account_of(record, accounts, fresh=True)).retrieve(board_import_id, seconds)
    if answer.id != board_import_id:
        raise BoardUnknownError("the board answered with another import")
    return answer
