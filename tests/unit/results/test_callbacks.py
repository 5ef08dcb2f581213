"""Who may come in by the callback's door, and what is made of what they say."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobferry.board.accounts import Account
from jobferry.board.callback_urls import token
from jobferry.board.client import RequestBody
from jobferry.board.job_imports import JobImport
from jobferry.errors import (
    BoardRefusedError,
    BoardUnknownError,
    CallbackError,
    CallbackForbiddenError,
    CallbackMalformedError,
    CallbackMismatchError,
    SecretError,
)
from jobferry.records.failed_jobs import FailedKind
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, Open, State
from jobferry.results.callbacks import Receiver, parse_callback, receive
from tests.events import load_event
from tests.fakes import MemoryStore
from tests.records import an_import

BEGAN = datetime(2026, 11, 24, 2, tzinfo=UTC)
NOW = BEGAN + timedelta(minutes=4)
ID = "default-20261124T020000Z"
KEY = "signing-key"
BOARD = "https://board.example/api"


def said(board_id: str = "B1", status: str = "complete", failed: int = 1, **data: Any) -> dict[str, Any]:
    errors = [{"index": 0, "messages": ["State is invalid"], "referenceNumber": "J-0"}] * failed
    results = {"processed": 10, "added": 10 - failed, "failed": failed, "errors": errors}
    at = "2026-11-24T02:00:30.000000Z"
    return {
        "id": board_id,
        "status": status,
        "requestedAt": at,
        "results": results if status == "complete" else None,
    } | data


class World:
    """A record, and a board that answers as it is told."""

    def __init__(self, **changes: Any) -> None:
        self.store = MemoryStore()
        record = an_import(
            **(
                {
                    "import_id": ID,
                    "feed": "default",
                    "created_at": BEGAN,
                    "state": State.PENDING,
                    "board": BOARD,
                    "account": "BoardApiKey",
                    "board_import_id": "B1",
                    "submitted_at": BEGAN + timedelta(seconds=20),
                    "jobs": 10,
                    "open": Open.OPEN,
                }
                | changes
            )
        )
        self.store.save(record, Feed(feed="default", open_imports=[ID]))
        self.asked: list[str] = []
        self.answer: Callable[[str], JobImport] = lambda board_id: JobImport.model_validate(said(board_id))
        self.secret: Callable[[], Account] = lambda: Account("BoardApiKey", BOARD, "key")

    # The receiver's ports

    def fetch(self, key: str, path: Path) -> bool:
        return False

    def get(self, name: str, *, fresh: bool = False) -> Account:
        assert name == "BoardApiKey"
        return self.secret()

    def create(self, body: RequestBody, seconds: float) -> JobImport:
        raise AssertionError("a callback sends nothing")

    def retrieve(self, board_import_id: str, seconds: float) -> JobImport:
        assert seconds <= 5
        self.asked.append(board_import_id)
        return self.answer(board_import_id)

    def receive(self, body: Any, **changes: Any) -> tuple[int, Import]:
        event = {
            "pathParameters": {"importId": ID},
            "queryStringParameters": {"token": token(ID, KEY)},
            "body": body if isinstance(body, str) else json.dumps({"data": body}),
            "isBase64Encoded": False,
        } | changes
        receiver = Receiver(self.store, self, self, lambda _: self, lambda: KEY)
        received = receive(parse_callback(event), receiver, NOW)
        return received.status, received.record

    def record(self) -> Import:
        found = self.store.get(ID)
        assert found is not None
        return found


def raises(error: Exception) -> Callable[..., Any]:
    def act(*_: object) -> Any:
        raise error

    return act


def test_what_is_recorded_is_what_the_board_answers() -> None:
    world = World()
    forged = said(failed=0) | {"results": {"processed": 10, "added": 10, "deleted": 999}}
    status, record = world.receive(forged)
    assert (status, record.state, record.result.verified, record.open) == (200, State.COMPLETE, True, None)
    assert record.result.counts is not None
    assert (record.result.counts["failed"], record.result.counts["deleted"]) == (1, 0)
    assert world.asked == ["B1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"queryStringParameters": {"token": "0" * 64}},
        {"queryStringParameters": {}},
        {"queryStringParameters": None},
        {},
        {"pathParameters": {"importId": "default-20261124T020001Z"}},
        {"pathParameters": None},
        {"queryStringParameters": {"token": token("default-20261124T020001Z", KEY)}},
    ],
)
def test_wrong_missing_and_unknown_are_one_answer(changes: dict[str, Any]) -> None:
    world = World()
    if not changes:  # the right token of an import that does not exist
        unknown = "default-20261124T999999Z"
        changes = {"pathParameters": {"importId": unknown}, "queryStringParameters": {"token": token(unknown, KEY)}}
    before = world.record()
    with pytest.raises(CallbackForbiddenError) as caught:
        world.receive(said(), **changes)
    assert (caught.value.status, caught.value.word) == (403, "forbidden")
    assert world.asked == []
    assert world.record() == before


def test_an_import_that_was_never_sent_has_no_door() -> None:
    with pytest.raises(CallbackForbiddenError):
        World(account=None, state=State.BLOCKED).receive(said())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("not json", CallbackMalformedError),
        ("{}", CallbackMalformedError),
        ("", CallbackMalformedError),
        (said(board_id="B2"), CallbackMismatchError),
    ],
)
def test_a_body_that_is_not_this_import(body: Any, error: type[CallbackError]) -> None:
    world = World()
    with pytest.raises(error):
        world.receive(body)
    assert world.record().state is State.PENDING


def test_a_base64_body_is_read_and_a_broken_one_refused() -> None:
    world = World()
    text = base64.b64encode(json.dumps({"data": said()}).encode()).decode()
    assert world.receive(text, isBase64Encoded=True)[0] == 200
    with pytest.raises(CallbackMalformedError):
        World().receive("%%%", isBase64Encoded=True)


def test_a_result_that_is_known_already_asks_nobody() -> None:
    world = World()
    world.receive(said())
    before = world.record()
    assert world.receive(said()) == (200, before)
    assert world.asked == ["B1"]


def test_the_board_says_that_it_is_not_complete() -> None:
    world = World()
    world.answer = lambda board_id: JobImport.model_validate(said(board_id, "running"))
    status, record = world.receive(said())
    assert (status, record.state, record.open) == (202, State.RUNNING, Open.OPEN)


@pytest.mark.parametrize(
    "error", [BoardUnknownError("no answer"), BoardRefusedError("401", 401), BoardRefusedError("404", 404)]
)
def test_where_the_board_cannot_be_asked_the_callbacks_word_is_kept_for_the_poller(error: Exception) -> None:
    world = World()
    world.answer = raises(error)
    status, record = world.receive(said())
    assert (status, record.state, record.result.verified, record.open) == (200, State.COMPLETE, False, Open.OPEN)
    assert [each.messages for each in world.store.read_failed(ID, FailedKind.UNVERIFIED)] == [["State is invalid"]]
    assert not list(world.store.read_failed(ID, FailedKind.ERROR))


def test_without_a_key_the_callbacks_word_is_kept() -> None:
    world = World()
    world.secret = raises(SecretError("the secret BoardApiKey is empty"))
    assert world.receive(said())[1].result.verified is False


class TestBeforeTheBoardsAnswerToTheRequest:
    """No id is known yet: the callback is the first that is heard of the import."""

    def world(self) -> World:
        return World(state=State.SUBMITTING, board_import_id=None)

    def test_it_settles(self) -> None:
        status, record = self.world().receive(said("B7"))
        assert (status, record.state, record.sent.board_import_id, record.result.verified) == (
            200,
            State.COMPLETE,
            "B7",
            True,
        )

    @pytest.mark.parametrize(
        "other",
        [
            {"requestedAt": "2026-11-24T01:50:00Z"},
            {"requestedAt": None},
            {"results": {"processed": 11, "added": 11}},
        ],
    )
    def test_another_imports_result_is_not_taken_for_this_ones(self, other: dict[str, Any]) -> None:
        world = self.world()
        world.answer = lambda board_id: JobImport.model_validate(said(board_id) | other)
        with pytest.raises(CallbackMismatchError):
            world.receive(said("B7"))
        assert (world.record().state, world.record().sent.board_import_id) == (State.SUBMITTING, None)

    def test_an_id_that_the_board_does_not_know_is_refused(self) -> None:
        world = self.world()
        world.answer = raises(BoardRefusedError("404", 404))
        with pytest.raises(CallbackMismatchError):
            world.receive(said("B7"))


@pytest.mark.parametrize("name", ["callback", "callback-base64"])
def test_the_real_events_open_the_door(name: str) -> None:
    callback = parse_callback(load_event(name))
    assert callback.import_id.startswith("default-")
    assert callback.token is not None
    assert json.loads(callback.body)["data"]["status"] == "complete"


@pytest.mark.parametrize("import_id", ["\ud800", f"{ID}\ud800", "\0", "x" * 10_000, ""])
def test_a_path_that_is_no_import_is_refused_like_any_other(import_id: str) -> None:
    world = World()
    with pytest.raises(CallbackForbiddenError):
        world.receive(said(), pathParameters={"importId": import_id})


def test_half_a_character_in_the_body_costs_no_result() -> None:
    body = json.dumps({"data": said()}).replace("State is invalid", "\ud83d is invalid")
    assert World().receive(body)[1].state is State.COMPLETE


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+01:00"])
def test_a_time_that_nobody_can_calculate_with_costs_no_result(time: str) -> None:
    world = World()
    world.answer = lambda board_id: JobImport.model_validate(said(board_id, requestedAt=time, completedAt=time))
    assert world.receive(said(requestedAt=time, completedAt=time))[1].state is State.COMPLETE
    assert world.record().result.completed_at is None
