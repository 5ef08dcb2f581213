"""Each function's role allows what the function does, and nothing else.

The system tests run under the same roles (local/permissions.py refuses what they do not allow). Here the calls that the
functions make in every scene of the fault matrix are held against the roles' statements, both ways.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, Final

import pytest

from local import permissions
from local.permissions import Access, accesses, permits, statements
from tests.faults.machine import FOLDERS, Machine
from tests.faults.saved import Saved
from tests.faults.scenes import SCENES, look_for_overdue_feeds, submit, until_idle

#: Allowed, though no call of ours needs it: who does, and when.
OTHERS: Final = {
    "logs:CreateLogStream": "Lambda, for the function's log",
    "logs:PutLogEvents": "Lambda, for the function's log",
    "sqs:SendMessage": "Lambda, for what failed on every attempt",
    "dynamodb:DescribeStream": "Lambda's event source mapping",
    "dynamodb:GetRecords": "Lambda's event source mapping",
    "dynamodb:GetShardIterator": "Lambda's event source mapping",
    "dynamodb:ListStreams": "Lambda's event source mapping",
    "kms:GenerateDataKey": "SNS in the publisher's name, since the topic is encrypted",
    "kms:Decrypt": "SNS in the publisher's name, since the topic is encrypted",
    "s3:AbortMultipartUpload": "boto3, when a large upload breaks off",
    "s3:ListBucket": "S3, which calls a missing object forbidden without it",
}


@pytest.fixture(scope="module")
def used(prepared: tuple[Machine, Saved]) -> dict[str, set[Access]]:
    """What each function asked for, in every scene."""
    machine, saved = prepared
    found: dict[str, set[Access]] = {name: set() for name in FOLDERS}
    machine.watch = lambda function, service, operation, params: found[function].update(
        accesses(service, operation, params)
    )
    for scene in SCENES.values():
        for way in scene.ways.values():
            reduce(machine.play, (scene.prepare, scene.act, *way, until_idle), saved)
    machine.restore(saved)
    machine.delete_archive()  # so that deletions are announced again
    submit(machine)
    machine.call_back()
    machine.deliver_stream()
    machine.restore(saved)
    machine.invoke("SubmitImport", {"feed": "other", "scheduledAt": "2026-11-26T02:00:00Z"})  # which has no file
    machine.pass_time(3 * 86400)
    look_for_overdue_feeds(machine)
    machine.watch = None
    return found


def role(machine: Machine, function: str) -> list[Any]:
    return list(statements(machine.stack, machine.stack.resource(f"{function}Function").properties["Role"]))


@pytest.mark.parametrize("function", FOLDERS)
def test_the_role_allows_what_the_function_does(machine: Machine, used: dict[str, set[Access]], function: str) -> None:
    allowed = role(machine, function)
    assert used[function]
    assert [access for access in used[function] if not permits(allowed, *access)] == []


@pytest.mark.parametrize("function", FOLDERS)
def test_the_role_allows_nothing_else(machine: Machine, used: dict[str, set[Access]], function: str) -> None:
    unused = [
        f"{statement['Sid']}: {action} on {resource}"
        for statement in role(machine, function)
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
        if action not in OTHERS
        and not any(
            permissions.permits([{"Effect": "Allow", "Action": action, "Resource": resource}], *access)
            for access in used[function]
        )
    ]
    assert unused == []


@pytest.mark.parametrize("function", FOLDERS)
def test_an_action_that_is_taken_away_is_missed(machine: Machine, used: dict[str, set[Access]], function: str) -> None:
    allowed = role(machine, function)
    for action in {action for action, _ in used[function]}:
        less = [
            statement | {"Action": [each for each in _listed(statement["Action"]) if each != action]}
            for statement in allowed
        ]
        assert [access for access in used[function] if access[0] == action and not permits(less, *access)], action


def test_no_exception_is_without_a_statement(machine: Machine) -> None:
    actions = {action for name in FOLDERS for each in role(machine, name) for action in _listed(each["Action"])}
    assert OTHERS.keys() <= actions


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
