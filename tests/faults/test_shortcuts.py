"""The shortcuts to moto lead to the same states as moto's own ways."""

from __future__ import annotations

from functools import reduce

import pytest
from botocore.exceptions import ClientError

from tests.faults.machine import Machine, running
from tests.faults.saved import Saved
from tests.faults.scenes import ID, SCENES, play_two_nights, submit, until_idle


def test_nights_end_in_the_same_states() -> None:
    assert _play(shortened=True) == _play(shortened=False)


def _play(*, shortened: bool) -> list[Saved]:
    """Return the states after all ways of two scenes, in which each function runs."""
    with running(shortened=shortened) as machine:
        saved = play_two_nights(machine)
        return [
            reduce(machine.play, (scene.prepare, scene.act, *way, until_idle), saved)
            for scene in (SCENES["SubmitImport, deleting by list"], SCENES["PollImports, starting a feed"])
            for way in scene.ways.values()
        ]


def test_a_refused_transaction_writes_nothing(machine: Machine) -> None:
    submit(machine)
    before = machine.save()
    key = {"importId": {"S": ID}, "item": {"S": "import"}}
    puts = [
        {"Put": {"TableName": machine.table, "Item": key | {"item": {"S": "error#0000000"}}}},
        {"Put": {"TableName": machine.table, "Item": key, "ConditionExpression": "attribute_not_exists(importId)"}},
    ]
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        machine.cloud.client("dynamodb").transact_write_items(TransactItems=puts)
    assert machine.save() == before
