"""The poller is killed at the same call in every run, for three simulated days, as by an answer of the board.

It must hold up nothing but the import that it was handling: other feeds run, their results come, and overdue feeds are
reported. The import itself expires and people are told, unless what kills is reading or writing its own record.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from jobferry.adapters import poller_log
from jobferry.adapters.dynamodb import ImportsTable
from jobferry.records.feeds import Feed
from tests.faults.machine import KILLED_AFTER, KILLED_BEFORE, Curse, Interference, Machine
from tests.faults.saved import Saved
from tests.faults.scenes import ID, submit

DAYS: Final = 3
#: The poller runs more often, but then this would take minutes. Every fourth of these runs is an hourly one.
_STEP: Final = 4500
_OTHER: Final = "other-20261126T020000Z"
_SKIPPED: Final = "third-20261126T010000Z"
_ROW: Final = b"referenceNumber,title,state,postalCode\nO-1,Hospitalist,PA,17603\n"
#: Calls about the record of the import itself, or its feed's.
_OWN: Final = frozenset(
    {"GetItem import", "GetItem feed", "TransactWriteItems import", "TransactWriteItems import, feed"}
)


def prepare(machine: Machine) -> None:
    """Leave an import with a result that no callback brought, one of another feed, and a feed that skipped a run."""
    machine.board.keys.add("another-key")
    submit(machine)
    for name in ("other", "third"):
        machine.put(f"feeds/{name}/feed.json", b'{"apiKeySecret": "Other", "notifyOnSuccess": true}')
        machine.put(f"feeds/{name}/jobs.csv", _ROW)
    machine.pass_time(60)
    assert machine.once("SubmitImport", {"feed": "other", "scheduledAt": "2026-11-26T02:00:00Z"}, "other")
    table = ImportsTable(machine.cloud.client("dynamodb"), machine.table)
    table.save(Feed(feed="third", run_again=_SKIPPED, run_again_at=machine.now))


def poll(machine: Machine, curse: Interference) -> None:
    """Run the poller once under the curse, and what it starts without it."""
    machine.interference = curse
    machine.once("PollImports", {"time": f"{machine.now:%Y-%m-%dT%H:%M:00Z}"}, str(machine.now))
    machine.interference = Interference()
    while machine.queue:
        name, event = machine.queue.pop(0)
        machine.tries(machine.short(name), event, str(event))


def calls_about_the_import(machine: Machine, saved: Saved) -> list[tuple[str, str]]:
    """Return the calls with which the poller fetches the import's result."""
    machine.restore(saved)
    machine.interference = Interference()
    machine.once("PollImports", {}, "good")
    about = {ID, "board3", "feed#default", "default-20261125T020000Z"}
    calls = machine.interference.calls
    return list(
        dict.fromkeys((each.name, each.subject) for each in calls if each.subject in about or ID in each.subject)
    )


def state(machine: Machine, import_id: str) -> dict[str, Any]:
    items = machine.items()
    return next(
        (each for each in items if each["importId"] == {"S": import_id} and each["item"] == {"S": "import"}), {}
    )


@pytest.fixture(scope="module")
def scene(prepared: tuple[Machine, Saved]) -> Saved:
    machine, saved = prepared
    machine.restore(saved)
    prepare(machine)
    return machine.save()


@pytest.mark.parametrize("kind", [KILLED_BEFORE, KILLED_AFTER])
def test_an_import_that_kills_the_poller_holds_up_nothing_else(
    machine: Machine, scene: Saved, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue: set[str] = set()
    monkeypatch.setattr(poller_log, "emit_overdue", overdue.update)
    calls = calls_about_the_import(machine, scene)
    assert {name for name, _ in calls} > _OWN | {"board GET", "BatchWriteItem error, put"}
    assert any(name.startswith("GetObject") for name, _ in calls)
    for name, subject in calls:
        where = f"{name} {subject} {kind}"
        machine.restore(scene)
        overdue.clear()
        curse = Curse(kind=kind, name=name, subject=subject)
        second = "other-20261127T020000Z"
        for step in range(DAYS * 86400 // _STEP):
            machine.pass_time(_STEP)
            poll(machine, curse)
            if step == 86400 // _STEP:
                machine.tries("SubmitImport", {"feed": "other", "scheduledAt": "2026-11-27T02:00:00Z"}, "second")
        machine.deliver_stream()
        assert curse.deaths, where
        assert state(machine, f"{_SKIPPED}-again"), f"{where}: the skipped run was made up for"
        assert "default" in overdue or state(machine, ID)["state"] == {"S": "complete"}, where
        for import_id in (_OTHER, second, f"{_SKIPPED}-again"):
            assert state(machine, import_id)["state"] == {"S": "complete"}, f"{where}: {import_id}"
        if name in _OWN and (kind == KILLED_BEFORE or name.startswith("GetItem")):
            continue
        record = state(machine, ID)
        assert record["state"]["S"] in ("expired", "complete"), where
        assert "open" not in record, where
        assert "notifiedAt" in record, f"{where}: people were told"
        assert curse.deaths <= 12, f"{where}: it killed {curse.deaths} runs"
        feed = next(each for each in machine.items() if each["importId"] == {"S": "feed#default"})
        assert feed["openImports"] == {"L": []}, f"{where}: the feed is free"
        told = {json.loads(json.loads(message)["default"])["importId"] for _, message, *_ in machine.notices}
        assert ID in told, where
