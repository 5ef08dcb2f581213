"""The body of a create request, and the key with which an import is retrieved."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobferry.board.accounts import Account
from jobferry.board.client import RequestBody, retrieve
from jobferry.board.job_imports import JobImport
from jobferry.errors import BoardError, BoardRefusedError, BoardUnreachableError, SecretError
from jobferry.records.imports import State
from tests.records import an_import

BOARD = "https://board.example/api"


@pytest.mark.parametrize("count", [0, 1, 2, 50_000])
def test_the_body_is_what_the_page_says_and_as_long_as_it_says(tmp_path: Path, count: int) -> None:
    jobs = [{"referenceNumber": f"R{number}", "title": "a\nb"} for number in range(count)]
    path = tmp_path / "jobs.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    body = RequestBody(path, 'https://x/callbacks/a?token="0', delete_jobs=count == 2)
    for _ in range(2):  # a second attempt sends it again
        text = b"".join(body)
        assert len(text) == len(body)
        assert json.loads(text) == {
            "callbackUrl": 'https://x/callbacks/a?token="0',
            "deleteJobs": count == 2,
            "jobs": jobs,
        }


class Rotated:
    """A secret whose key was replaced after it was remembered, and a board that knows some keys."""

    def __init__(self, current: str | None, error: BoardError) -> None:
        self.current, self.error = current, error
        self.asked: list[str] = []

    def get(self, name: str, *, fresh: bool = False) -> Account:
        if fresh and self.current is None:
            raise SecretError("the secret is gone")
        return Account(name, BOARD, self.current or "" if fresh else "old")

    def __call__(self, account: Account) -> Any:
        world = self

        class Board:
            def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
                world.asked.append(account.api_key)
                if account.api_key == "old":
                    raise world.error
                return JobImport(id=board_import_id, status="pending")

        return Board()

    def retrieve(self) -> JobImport:
        at = datetime(2026, 11, 24, 2, tzinfo=UTC)
        record = an_import(
            import_id="a-1", feed="a", created_at=at, state=State.PENDING, board=BOARD, account="BoardApiKey"
        )
        return retrieve(record, "B-1", self, self, 5)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_that_was_rotated_is_replaced(status: int) -> None:
    world = Rotated("new", BoardRefusedError("no", status))
    assert world.retrieve().id == "B-1"
    assert world.asked == ["old", "new"]


@pytest.mark.parametrize(
    ("current", "error"),
    [
        ("old", BoardRefusedError("no", 404)),
        (None, BoardRefusedError("no", 404)),
        ("new", BoardRefusedError("no", 400)),
        ("new", BoardUnreachableError("busy", None, 429)),
    ],
)
def test_the_board_is_asked_again_only_if_the_key_may_be_wrong_and_has_changed(
    current: str | None, error: BoardError
) -> None:
    world = Rotated(current, error)
    with pytest.raises(BoardError) as caught:
        world.retrieve()
    assert caught.value is error
    assert world.asked == ["old"]
