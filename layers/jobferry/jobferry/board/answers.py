"""What the board's answer to a request means."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from jobferry.board.job_imports import JobImport, JobImportError, parse_created, parse_job_import
from jobferry.errors import (
    BoardError,
    BoardRefusedError,
    BoardUnknownError,
    BoardUnreachableError,
    DeletionNotOfferedError,
)
from jobferry.text import without_secrets

#: The API's page promises 202 to a create request and 200 to a retrieve request. A proper import counts with each of them.
_SUCCESS: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
#: With these the board accepted or deleted nothing, and may accept the same request later.
_TRY_LATER: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
#: Characters of the board's own words that are kept.
_MAX_WORDS: Final = 300
_LONGEST_WAIT: Final = timedelta(days=1)


def read_created(status: int, body: bytes, retry_after: timedelta | None) -> JobImport:
    """Return the import from the answer to a create request. A success with an import's id is an acceptance.

    Raises:
        BoardRefusedError, BoardUnreachableError: the board did not accept the import.
        BoardUnknownError: the board may have accepted it.
    """
    return _read(parse_created, status, body, retry_after)


def read_retrieved(status: int, body: bytes, retry_after: timedelta | None) -> JobImport:
    """Return the import from the answer to a retrieve request.

    Raises:
        BoardError: the answer is not an import.
    """
    return _read(parse_job_import, status, body, retry_after)


def require_deleted(status: int, body: bytes, retry_after: timedelta | None) -> None:
    """Check the answer to a deletion by reference number. Any 2xx means done, whatever the body says.

    Raises:
        DeletionNotOfferedError: the board does not offer this.
        BoardRefusedError, BoardUnreachableError: the board deleted nothing.
        BoardUnknownError: the board may have deleted the postings.
    """
    if is_success(status):
        return
    # The board's pages do not say what an unknown number gets, but a 404 or 405 refuses the whole request.
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        raise DeletionNotOfferedError(
            f"the board answered {status}: it does not offer deletion by reference number", status
        )
    raise _error(status, body, retry_after)


def is_success(status: int) -> bool:
    """Check whether a status is a 2xx, even one that HTTP does not define."""
    return 200 <= status < 300


def _read(parse: Callable[[bytes], JobImport], status: int, body: bytes, retry_after: timedelta | None) -> JobImport:
    if status not in _SUCCESS:
        raise _error(status, body, retry_after)
    try:
        return parse(body)
    except JobImportError as error:
        raise BoardUnknownError(f"the board answered {status}, but {error}", status) from error


def _error(status: int, body: bytes, retry_after: timedelta | None) -> BoardError:
    if status in _TRY_LATER:
        return BoardUnreachableError(f"the board answered {status}", retry_after, status)
    if 300 <= status < 400:  # not followed, since the key would be sent along
        return BoardRefusedError(f"the board answered {status}, a redirect: is its URL right?", status)
    if 400 <= status < 500:
        return BoardRefusedError(f"the board answered {status}{_meaning(status)}: {_words(body)}", status)
    return BoardUnknownError(f"the board answered {status}", status)


def _meaning(status: int) -> str:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return " (it does not know the API key, or the key may not do this)"
        case HTTPStatus.NOT_FOUND:
            return " (there is nothing at that address)"
        case HTTPStatus.CONTENT_TOO_LARGE:
            return " (the request is too large for it)"
        case _:
            return ""


def _words(body: bytes) -> str:
    """Return the board's own words on one line, cut. An HTML page does not count as words."""
    text = " ".join(without_secrets(body[: _MAX_WORDS * 4].decode(errors="replace")).split())
    if not text or text.startswith("<"):
        return "it gives no details"
    clean = "".join(character for character in text if character.isprintable())
    return clean if len(clean) <= _MAX_WORDS else f"{clean[:_MAX_WORDS]}…"


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for, in seconds or as a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _LONGEST_WAIT)
    try:
        return min(max(parsedate_to_datetime(text) - now, timedelta()), _LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return None
