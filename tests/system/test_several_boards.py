"""Several boards in one stack: each feed goes to the board of its own account, with the key of that account."""

import json
from collections.abc import Iterator

import pytest

from local.board import SandboxBoard
from local.board.messages import ReceivedRequest
from local.system import PATIENCE, LocalSystem

AT = "2026-11-24T07:00:00Z"
KEYS = {"east": "key-of-east-7Qw2", "west": "key-of-west-9Zx4"}


@pytest.fixture
def boards() -> Iterator[dict[str, SandboxBoard]]:
    with (
        SandboxBoard({KEYS["east"]: "East"}, seed=1, processing_seconds=0.1) as east,
        SandboxBoard({KEYS["west"]: "West"}, seed=2, processing_seconds=0.1) as west,
    ):
        yield {"east": east, "west": west}


def asked(board: SandboxBoard) -> list[ReceivedRequest]:
    return [each for each in board.requests if "job-imports" in each.path]


def test_feeds_of_two_boards_never_meet(boards: dict[str, SandboxBoard]) -> None:
    with LocalSystem(seed=3, speed=200, processing_seconds=0.1) as system:
        secrets = system.cloud.client("secretsmanager")
        for name, board in boards.items():
            secrets.create_secret(
                Name=f"{system.stack.name}/accounts/{name}",
                SecretString=json.dumps({"apiKey": KEYS[name], "boardUrl": board.url}),
            )
            jobs = [{"referenceNumber": f"{name}-{number}", "title": "Hospitalist"} for number in range(3)]
            settings = {"apiKeySecret": name, "deleteJobs": True}
            system.put_feed(f"feeds/{name}/feed.json", json.dumps(settings).encode())
            system.put_feed(f"feeds/{name}/jobs.json", json.dumps(jobs).encode())
        runs = [system.invoke_async("SubmitImport", {"feed": name, "scheduledAt": AT}) for name in boards]
        ids = [run.result(PATIENCE).payload["importId"] for run in runs]
        records = {record["feed"]: record for record in map(system.wait_for_import, ids)}

        for name, board in boards.items():
            assert records[name]["board"] == board.url
            assert records[name]["verified"], "the right board was asked for the result"
            assert set(board.account(KEYS[name])) == {f"{name}-{number}" for number in range(3)}
            # A key of another board would be nobody's here, and refused.
            assert {(each.account, each.status) for each in asked(board)} == {(name.title(), 202), (name.title(), 200)}
        assert not asked(system.board), "the stack's own board has no part in it"
        for key in KEYS.values():
            assert key not in system.logs()
