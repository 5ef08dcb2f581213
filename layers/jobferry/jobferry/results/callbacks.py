"""Callbacks: who may call, and what is recorded.

A caller proves only that it knows the URL. So what is recorded is what the board answers when it is asked for that
import; what the callback says is recorded only if the board cannot be asked.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from jobferry.board.accounts import Accounts
from jobferry.board.callback_urls import is_token
from jobferry.board.client import Boards, retrieve
from jobferry.board.job_imports import JobImport, JobImportError, parse_job_import
from jobferry.errors import (
    BoardError,
    BoardRefusedError,
    CallbackForbiddenError,
    CallbackMalformedError,
    CallbackMismatchError,
    SecretError,
)
from jobferry.records import transitions
from jobferry.records.imports import IMPORT_ID, Import, SettledBy, State
from jobferry.records.store import ImportStore, apply
from jobferry.results.settlement import ArchiveReader, settle

#: The board has this long to answer.
ANSWER_SECONDS: Final = 5.0
#: Tolerated difference of clocks. An import that the board took earlier than we sent ours is another one.
_CLOCK_SKEW: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class Callback:
    """A request to the callback URL.

    Attributes:
        import_id: from the path.
        token: from the query string; None if it is missing.
        body: as it was sent.
    """

    import_id: str
    token: str | None
    body: bytes


@dataclass(frozen=True)
class Receiver:
    """The dependencies of `receive`. `signing_key` signs the callback URLs."""

    store: ImportStore
    archive: ArchiveReader
    accounts: Accounts
    boards: Boards
    signing_key: Callable[[], str]


def parse_callback(event: dict[str, Any]) -> Callback:
    """Read the callback in an event of the HTTP API, payload format 2.0. Raises CallbackMalformedError."""
    body = event.get("body") or ""
    try:
        text = body.encode(errors="replace")  # half a character must not lose a result
        content = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text
    except (binascii.Error, ValueError) as error:
        raise CallbackMalformedError("the body is not valid base64") from error
    path, query = event.get("pathParameters") or {}, event.get("queryStringParameters") or {}
    return Callback(str(path.get("importId", "")), query.get("token"), content)


@dataclass(frozen=True)
class Received:
    """What became of a callback.

    Attributes:
        status: 200 if the result is recorded, or was already; 202 if the board says that it is not complete.
        record: of the import.
        settled: this callback recorded a verified result.
    """

    status: HTTPStatus
    record: Import
    settled: bool = False


def receive(callback: Callback, receiver: Receiver, now: datetime) -> Received:
    """Record the result that a callback announces.

    Raises:
        CallbackForbiddenError: wrong token, missing token, or an import that does not exist.
        CallbackMalformedError: the body is not an import.
        CallbackMismatchError: it is an import, but not this one.
    """
    record = _authenticate(callback, receiver)
    said = _parse(callback.body)
    if record.sent.board_import_id not in (None, said.id):
        return _receive_earlier(record, said, receiver)
    if record.is_confirmed:
        return Received(HTTPStatus.OK, record)
    answer, verified = said, False
    try:
        answer = retrieve(record, said.id, receiver.accounts, receiver.boards, ANSWER_SECONDS)
        verified = True
    except BoardRefusedError as error:
        if error.status == HTTPStatus.NOT_FOUND and record.sent.board_import_id is None:
            raise CallbackMismatchError("the board does not know that import") from error
    except (BoardError, SecretError):
        pass  # what the callback says is better than nothing, and the poller asks later
    if record.sent.board_import_id is None:
        _require_ours(record, answer)
    settled = settle(
        receiver.store, receiver.archive, record.import_id, answer, by=SettledBy.CALLBACK, verified=verified, now=now
    )
    status = HTTPStatus.OK if settled.state is State.COMPLETE else HTTPStatus.ACCEPTED
    return Received(status, settled, settled=settled.is_confirmed and settled.result.settled_at == now)


def _authenticate(callback: Callback, receiver: Receiver) -> Import:
    """Return the import if the token is its own. Every refusal is the same, so that a caller learns nothing."""
    if not IMPORT_ID.fullmatch(callback.import_id) or not is_token(
        callback.token, callback.import_id, receiver.signing_key()
    ):
        raise CallbackForbiddenError("the token does not belong to this import")
    record = receiver.store.get(callback.import_id)
    if record is None or record.destination.account is None:
        raise CallbackForbiddenError("the import does not exist, or was never sent")
    return record


def _parse(body: bytes) -> JobImport:
    try:
        return parse_job_import(body)
    except JobImportError as error:
        raise CallbackMalformedError(f"the body is not an import: {error}") from error


def _receive_earlier(record: Import, said: JobImport, receiver: Receiver) -> Received:
    """Record the result of an earlier request whose answer was lost; another import's result is a mismatch.

    The job counts come from the last request. The deletions of earlier ones are added, because those postings are gone.
    """
    try:
        if record.sent.attempts < 2:  # there was no earlier request
            raise CallbackMismatchError("the body belongs to another import")
        answer = retrieve(record, said.id, receiver.accounts, receiver.boards, ANSWER_SECONDS)
    except (BoardError, SecretError) as error:
        raise CallbackMismatchError("the body belongs to an import that the board does not know") from error
    _require_ours(record, answer)
    deleted = answer.results.deleted if answer.results is not None else 0
    counted = apply(
        receiver.store, record.import_id, lambda current, _: transitions.add_earlier_deletions(current, deleted)
    )
    return Received(HTTPStatus.OK, counted)


def _require_ours(record: Import, answer: JobImport) -> None:
    """Raise CallbackMismatchError unless the time and the number of jobs match what was sent.

    The result came before the board's 202, so the import's id at the board is not known yet.
    """
    sent_at = record.sent.submitted_at
    requested_at = answer.requested_at
    early = sent_at is None or requested_at is None or requested_at < sent_at - _CLOCK_SKEW
    other = answer.results is not None and answer.results.processed != record.prepared.jobs
    if early or other:
        raise CallbackMismatchError("the body does not belong to the import that was sent")
