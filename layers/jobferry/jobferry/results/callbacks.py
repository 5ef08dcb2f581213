"""A callback of the board: who may come in, and what is made of what they say.

A caller proves nothing but that it has the URL. So what is recorded is what the board answers when it is asked for that
import; the callback's own word only where the board cannot be asked.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from jobferry.board.accounts import Accounts
from jobferry.board.callback_urls import is_token
from jobferry.board.client import NOT_FOUND, Boards, retrieve
from jobferry.board.job_imports import JobImport, JobImportError, parse_job_import
from jobferry.errors import (
    BoardError,
    BoardRefusedError,
    CallbackForbiddenError,
    CallbackMalformedError,
    CallbackMismatchError,
    SecretError,
)
from jobferry.records.imports import SETTLES, Import, ImportStore, State
from jobferry.results.settlement import CALLBACK, Archive, add_deleted, settle
from jobferry.runs.triggers import IMPORT_ID

#: The board is asked for so long. Seconds.
ASK_SECONDS: Final = 5.0
#: An import that the board took earlier than we sent it, by more than clocks differ, is another one.
_CLOCKS: Final = timedelta(minutes=2)

OK, NOTED = 200, 202


@dataclass(frozen=True)
class Callback:
    """What came in.

    Attributes:
        import_id: of the path.
        token: of the query string; None when it is missing.
        body: as it was sent.
    """

    import_id: str
    token: str | None
    body: bytes


@dataclass(frozen=True)
class Receiver:
    """What it takes to receive callbacks.

    Attributes:
        store: the records.
        archive: what was sent.
        accounts: the secrets.
        boards: of the accounts.
        signing_key: signs the callback URLs.
    """

    store: ImportStore
    archive: Archive
    accounts: Accounts
    boards: Boards
    signing_key: Callable[[], str]


def parse_callback(event: dict[str, Any]) -> Callback:
    """The callback in an event of the HTTP API, payload format 2.0. Raises CallbackMalformedError."""
    body = event.get("body") or ""
    try:
        content = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError) as error:
        raise CallbackMalformedError("the body is not what the API says it is") from error
    path, query = event.get("pathParameters") or {}, event.get("queryStringParameters") or {}
    return Callback(str(path.get("importId", "")), query.get("token"), content)


@dataclass(frozen=True)
class Received:
    """What became of a callback.

    Attributes:
        status: 200 when the result is recorded, or was already; 202 when the board says that it is not complete.
        record: of the import.
        settled: this callback brought the board's own result.
    """

    status: int
    record: Import
    settled: bool = False


def receive(callback: Callback, receiver: Receiver, now: datetime) -> Received:
    """Records the result that a callback announces.

    Raises:
        CallbackForbiddenError: wrong token, missing token, or an import that does not exist.
        CallbackMalformedError: the body is not an import.
        CallbackMismatchError: it is an import, but not this one.
    """
    record = _let_in(callback, receiver)
    said = _parse(callback.body)
    if record.board_import_id not in (None, said.id):
        return _earlier(record, said, receiver)
    if record.state not in SETTLES and record.verified:
        return Received(OK, record)
    answer, verified = said, False
    try:
        answer = retrieve(record, said.id, receiver.accounts, receiver.boards, ASK_SECONDS)
        verified = True
    except BoardRefusedError as error:
        if error.status == NOT_FOUND and record.board_import_id is None:  # the board has no such import
            raise CallbackMismatchError("the board does not know that import") from error
    except (BoardError, SecretError):
        pass  # the callback's own word is better than none, and the poller asks later
    if record.board_import_id is None:
        _require_ours(record, answer)
    settled = settle(
        receiver.store, receiver.archive, record.import_id, answer, by=CALLBACK, verified=verified, now=now
    )
    complete = settled.state is State.COMPLETE
    return Received(OK if complete else NOTED, settled, complete and settled.verified and settled.settled_at == now)


def _let_in(callback: Callback, receiver: Receiver) -> Import:
    """The import, if the token is its own. One answer for all that is wrong, so that a caller learns nothing."""
    right = is_token(callback.token, callback.import_id, receiver.signing_key())
    if not right or not IMPORT_ID.fullmatch(callback.import_id):
        raise CallbackForbiddenError("the token is not this import's")
    record = receiver.store.get(callback.import_id)
    if record is None or record.account is None:
        raise CallbackForbiddenError("there is no such import, or it was never sent")
    return record


def _parse(body: bytes) -> JobImport:
    try:
        return parse_job_import(body)
    except JobImportError as error:
        raise CallbackMalformedError(f"the body is not an import: {error}") from error


def _earlier(record: Import, said: JobImport, receiver: Receiver) -> Received:
    """The result of an earlier sending of the import, whose answer was lost; another import's is a mismatch.

    The jobs' result is that of the last sending. But what was deleted is gone, whichever sending did it.
    """
    try:
        if record.attempts < 2:  # there was no earlier one
            raise CallbackMismatchError("the body is of another import")
        answer = retrieve(record, said.id, receiver.accounts, receiver.boards, ASK_SECONDS)
    except (BoardError, SecretError) as error:
        raise CallbackMismatchError("the body is of an import that the board does not tell of") from error
    _require_ours(record, answer)
    deleted = answer.results.deleted if answer.results is not None else 0
    return Received(OK, add_deleted(receiver.store, record.import_id, deleted))


def _require_ours(record: Import, answer: JobImport) -> None:
    """The result is there before the board's 202: it has to fit what was sent, since no id says that it is ours."""
    sent_at = record.submitted_at
    asked_at = answer.requested_at
    early = sent_at is None or asked_at is None or asked_at < sent_at - _CLOCKS
    other = answer.results is not None and answer.results.processed != record.jobs
    if early or other:
        raise CallbackMismatchError("the body is not of the import that was sent")
