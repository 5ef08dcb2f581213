"""The fault matrix: every call of every function fails in every way, followed by every way to continue.

The calls are those of a run without faults, so a new call is covered automatically. docs/fault-matrix.md has the tables.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

import pytest

from jobferry.deletions.live_set import read_live_set
from tests.faults import report
from tests.faults.machine import (
    CONFLICT,
    KEY,
    KILLED_AFTER,
    KINDS,
    LEFT_OVER,
    TIMEOUT_AFTER,
    Call,
    Interference,
    Machine,
)
from tests.faults.saved import Saved
from tests.faults.scenes import GONE, ID, SCENES, Scene, until_idle


@dataclass(frozen=True)
class End:
    """How a way ended.

    Attributes:
        note: what a person may notice, although nothing was lost.
        copies: the notices beyond one for each end of an import.
    """

    note: str
    copies: int


@dataclass(frozen=True)
class Rehearsal:
    """A scene before its fault.

    Attributes:
        start: the machine before the function runs.
        calls: the calls of the function without a fault.
        good_night: what is there after a night without faults.
        ends: how ways ended, by their names and the states that they led to.
    """

    name: str
    scene: Scene
    start: Saved
    calls: list[Call]
    good_night: dict[str, Any]
    ends: dict[tuple[str, Saved], End] = field(default_factory=dict)


@pytest.fixture(scope="module", params=SCENES)
def rehearsal(
    request: pytest.FixtureRequest, prepared: tuple[Machine, Saved], good_nights: dict[bool, dict[str, Any]]
) -> Rehearsal:
    machine, saved = prepared
    scene = SCENES[request.param]
    start = machine.play(saved, scene.prepare)
    machine.restore(start)
    scene.act(machine)
    calls = machine.interference.calls
    # The calls of what the poller starts belong to another scene.
    started = [at for at, call in enumerate(calls, 1) if call.name.startswith("Invoke")]
    calls = calls[: started[0]] if started and scene.function == "PollImports" else calls
    assert calls
    return Rehearsal(request.param, scene, start, calls, good_nights[scene.listed])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost(machine: Machine, rehearsal: Rehearsal, kind: str) -> None:
    calls = rehearsal.calls
    cells = {number: _try(machine, rehearsal, number, kind) for number, call in enumerate(calls) if kind in call.kinds}
    report.compare(rehearsal.name, kind, [call.name for call in calls], cells)


@pytest.fixture(scope="module")
def good_nights(prepared: tuple[Machine, Saved]) -> dict[bool, dict[str, Any]]:
    """Return the failed jobs, postings and live set after a night without faults, in a full sync and with a list."""
    machine, saved = prepared
    nights = {}
    for scene in (SCENES["SubmitImport"], SCENES["SubmitImport, deleting by list"]):
        machine.restore(reduce(machine.play, (scene.prepare, scene.act, *scene.ways["retry, callback"]), saved))
        night = {"failed": _failed(machine, ID), "postings": machine.board.postings(KEY), "live": _live(machine)}
        assert GONE not in {*night["postings"], *night["live"]}
        nights[scene.listed] = night
    return nights


def _try(machine: Machine, rehearsal: Rehearsal, number: int, kind: str) -> str:
    """Make one call fail in one way, try each way to continue, and return the cell of the table."""
    scene, calls, ends = rehearsal.scene, rehearsal.calls, rehearsal.ends
    where = f"{calls[number].name} (call {number + 1} of {len(calls)}) {kind}"
    machine.restore(rehearsal.start)
    machine.interference = Interference(number=number, kind=kind)
    scene.act(machine)
    assert machine.interference.struck, f"{where}: it was not reached again"
    struck = machine.save()
    notes = set()
    for way, steps in scene.ways.items():
        here = f"{where}, then {way or 'the stream alone'}"
        state = reduce(machine.play, (*steps, until_idle), struck)
        if (way, state) not in ends:
            ends[way, state] = _end(machine.restore(state), scene, way, rehearsal.good_night, here)
        end = ends[way, state]
        may = _may_be_told_twice(calls, number, kind)
        assert end.copies == may, f"{here}: {end.copies} more notices"
        notes.add(report.TWICE if may else end.note)
    return " ".join([str(len(scene.ways)), *sorted(notes - {""})])


def _end(machine: Machine, scene: Scene, way: str, good_night: dict[str, Any], where: str) -> End:
    """Assert what must hold at the end, whatever failed."""
    items = machine.items()
    records = {item["importId"]["S"]: item for item in items if item["item"] == {"S": "import"}}
    (feed,) = (item for item in items if item["item"] == {"S": "feed"})
    states = {import_id: record["state"]["S"] for import_id, record in records.items()}
    note = ""
    # An expired import whose result may still come is open for that, but its feed is idle.
    opened = {item["importId"]["S"] for item in items if item.get("open", {"S": "late"}) != {"S": "late"}}
    assert opened == set(), f"{where}: nothing is stuck"
    assert feed["openImports"] == {"L": []}, f"{where}: the feed is idle"
    assert "runAgain" not in feed, f"{where}: no run is owed"
    assert machine.dead_letters == [], where
    assert not {"preparing", "submitting", "pending", "running"} & set(states.values()), f"{where}: {states}"
    notices, copies = _notices(machine), 0
    wanted = scene.ends.get(way, "complete")
    for import_id in scene.imports:
        record = _import(records, import_id)
        if record is None:
            assert "abandoned" in wanted, f"{where}: {import_id} is not there"
            note = report.NOT_BEGUN
            continue
        state = record["state"]["S"]
        if state == "rejected":
            assert record["cause"] == {"S": "board-refused"}, where
            assert "401" in record["reason"]["S"], where
            note = report.WRONG_KEY
        elif "abandoned" in wanted and state == "blocked":
            assert record["cause"] == {"S": "abandoned"}, where
            note = report.NOTHING_SENT
        elif wanted == "expired":
            assert state == "expired", where
        else:
            assert state == "complete", f"{where}: {import_id} is {state}: {record.get('reason')}"
            _check_complete(machine, record, good_night, where)
        transitions = _transitions(machine, record["importId"]["S"])
        assert transitions in ([state], ["expired", "complete"]), f"{where}: {transitions}"
        copies += notices[record["importId"]["S"]] - len(transitions)
    if states.get(scene.imports[0]) == "complete":
        refused = "listEnd" in records[scene.imports[0]]
        if refused:
            assert records[scene.imports[0]]["listEnd"] == {"S": "refused"}, where
            assert "401" in records[scene.imports[0]]["listReason"]["S"], where
            note = report.LEFT
        left = {GONE} if refused else set()
        assert machine.board.postings(KEY).keys() - good_night["postings"].keys() == left, where
        assert good_night["postings"].items() <= machine.board.postings(KEY).items(), where
        assert set(_live(machine)) == {*good_night["live"], *left}, where
    return End(note, copies)


def _import(records: dict[str, Any], import_id: str) -> Any:
    """Return the import, or the one that replaced it after it was skipped."""
    again = records.get(f"{import_id}-again")
    record = records.get(import_id)
    return again if again is not None and (record is None or record["state"] == {"S": "skipped"}) else record


def _check_complete(machine: Machine, record: Any, good_night: dict[str, Any], where: str) -> None:
    import_id = record["importId"]["S"]
    answer = machine.board.results(record["boardImportId"]["S"]) or {}
    results = {name: value for name, value in record["results"]["M"].items() if name != "ignoredValues"}
    counts = {name: int(value["N"]) for name, value in results.items()}
    # What an earlier sending deleted, whose answer was lost, is counted beside.
    counts["deleted"] -= int(record.get("deletedBefore", {"N": "0"})["N"])
    assert counts == {name: answer[name] for name in counts}, f"{where}: the result is the board's"
    assert set(answer) - set(counts) == {"errors", "ignoredValues"}, where
    assert record["unaccounted"] == {"N": "0"}, where
    assert record["verified"] == {"BOOL": True}, where
    assert "notifiedAt" in record, where
    assert "claimedUntil" not in record, where
    failed = _failed(machine, import_id)
    if import_id == ID:
        assert failed == good_night["failed"], f"{where}: all failed jobs, and no other"
    said = {(each["index"], each["referenceNumber"], *each["messages"]) for each in answer["errors"]}
    assert {(index, number, *messages) for kind, index, number, messages, *_ in failed if kind == "error"} == said, (
        where
    )
    assert not any(kind == "unverified" for kind, *_ in failed), where


def _failed(machine: Machine, import_id: str) -> list[Any]:
    """Return the items of failed jobs. A job that is new has `now` as the time of its first failure."""
    items = [item for item in machine.items() if item["importId"] == {"S": import_id}]
    created = next((item["createdAt"] for item in items if item["item"] == {"S": "import"}), None)
    return [
        (
            item["item"]["S"].partition("#")[0],
            int(item["index"]["N"]),
            item["referenceNumber"]["S"],
            [message["S"] for message in item["messages"]["L"]],
            item["title"]["S"],
            item["source"]["M"]["row"]["N"],
            "now" if item["since"] == created else item["since"]["S"],
        )
        for item in items
        if "#" in item["item"]["S"]
    ]


def _live(machine: Machine) -> list[str]:
    """Return the feed's live set."""
    (feed,) = (item for item in machine.items() if item["item"] == {"S": "feed"})
    live_set = feed["liveSet"]["M"]
    stream = io.BytesIO(machine.object(live_set["key"]["S"]))
    known = read_live_set(stream, whole=live_set["whole"]["BOOL"], deleted=int(live_set["deleted"]["N"]))
    return [each.reference_number for each in known]


_ENDED: Final = frozenset({"complete", "blocked", "rejected", "expired"})


def _transitions(machine: Machine, import_id: str) -> list[str]:
    """Return the states in which the import ended, from the table's stream."""
    states = [
        image["state"]["S"]
        for image in (record["dynamodb"].get("NewImage", {}) for record in machine.stream())
        if image.get("importId") == {"S": import_id} and image.get("item") == {"S": "import"}
    ]
    return [state for before, state in zip(["", *states], states, strict=False) if state != before and state in _ENDED]


def _notices(machine: Machine) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for _, message, *_ in machine.notices:
        counts[json.loads(json.loads(message)["default"])["importId"]] += 1
    return counts


def _may_be_told_twice(calls: list[Call], number: int, kind: str) -> bool:
    """Whether the fault lies between publishing and marking, when nothing can tell whether the notice was published."""
    names = [call.name for call in calls]
    if "Publish" not in names:
        return False
    published, marked = names.index("Publish"), len(names) - 1
    if kind in (KILLED_AFTER, TIMEOUT_AFTER):
        return published <= number < marked
    return published < number <= marked and kind not in (CONFLICT, LEFT_OVER)


def test_the_page_has_every_scene_and_no_other() -> None:
    if not report.updates():
        assert report.scenes() == list(SCENES)
