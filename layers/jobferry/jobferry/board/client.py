"""What jobferry asks of a board: create an import, retrieve an import, delete postings by reference number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol

from pydantic_core import to_json

from jobferry.board.accounts import Account, Accounts, account_of
from jobferry.board.job_imports import JobImport
from jobferry.errors import BoardRefusedError, BoardUnknownError, SecretError
from jobferry.feeds.streams import CHUNK
from jobferry.records.imports import Import

#: With these statuses, a board may refuse a replaced key. If that key is now another account's, the answer may be 404.
_WRONG_KEY: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


class Board(Protocol):
    """One account of a board."""

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        """Send an import; give up after `seconds`.

        Raises:
            BoardRefusedError, BoardUnreachableError: the board did not accept the import.
            BoardUnknownError: the board may have accepted it.
        """

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        """Return the import as it is now; give up after `seconds`. Raise BoardError."""

    def delete_postings(self, reference_numbers: Sequence[str], seconds: float) -> None:
        """Delete exactly the postings with these reference numbers; give up after `seconds`.

        A number without a posting is not an error, so the same list can be sent again. The longest list that the board
        allows is not known: send a few hundred at a time.

        Raises:
            DeletionNotOfferedError: the board does not offer this. Nothing was deleted.
            BoardRefusedError, BoardUnreachableError: nothing was deleted.
            BoardUnknownError: the postings may have been deleted.
        """


#: Opens the board of an account.
type Boards = Callable[[Account], Board]


class RequestBody:
    """The body of a create request. It can be sent repeatedly, and reads the file of jobs while it is sent."""

    def __init__(self, jobs: Path, callback_url: str, *, delete_jobs: bool) -> None:
        self._jobs = jobs
        self._start = b'{"callbackUrl":%b,"deleteJobs":%b,"jobs":[' % (to_json(callback_url), to_json(delete_jobs))

    def __len__(self) -> int:
        # Each job ends with a line feed. All but the last become commas.
        return len(self._start) + max(self._jobs.stat().st_size - 1, 0) + len(b"]}")

    def __iter__(self) -> Iterator[bytes]:
        yield self._start
        with self._jobs.open("rb", 0) as jobs:
            left = max(self._jobs.stat().st_size - 1, 0)
            while left and (chunk := jobs.read(min(CHUNK, left))):
                left -= len(chunk)
                # JSON writes a line feed within a text as \n, so every one here ends a job.
                yield chunk.replace(b"\n", b",")
        yield b"]}"


def retrieve(record: Import, board_import_id: str, accounts: Accounts, boards: Boards, seconds: float) -> JobImport:
    """Retrieve an import from the board. If the board refuses a remembered key, ask once more with the current one.

    Raises:
        BoardError: the board cannot be asked, or does not know the import.
        SecretError: there is no key, or the secret's board URL has changed.
    """
    account = account_of(record, accounts)
    try:
        answer = boards(account).retrieve(board_import_id, seconds)
    except BoardRefusedError as error:
        if error.status not in _WRONG_KEY:
            raise
        try:
            current = account_of(record, accounts, fresh=True)
        except SecretError:
            raise error from None
        if current.api_key == account.api_key:
            raise
        answer = boards(current).retrieve(board_import_id, seconds)
    if answer.id != board_import_id:
        raise BoardUnknownError("the board answered with another import")
    return answer
