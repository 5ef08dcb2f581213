"""Following imports until they end."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobferry.cli.following import Progress, follow
from jobferry.errors import CannotBeDoneError
from jobferry.records.imports import Import, State
from tests.fakes import Clock
from tests.records import an_import

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
ID = "default-20261124T020000Z"


class Records:
    """Records that are another each time that one looks; the last of them stays."""

    def __init__(self, **stories: list[Import | None]) -> None:
        self._stories = {
            f"{ID}{name.removeprefix('first').replace('_', '-')}": story for name, story in stories.items()
        }

    def get(self, import_id: str) -> Import | None:
        story = self._stories[import_id]
        return story.pop(0) if len(story) > 1 else story[0]


def record(state: State, suffix: str = "", **known: Any) -> Import:
    return an_import(import_id=ID + suffix, feed="default", created_at=NOW, state=state, jobs=200, **known)


def run(records: Records, clock: Clock | None = None) -> tuple[list[Import], list[str]]:
    clock = clock or Clock(NOW)
    stream = io.StringIO()
    found = follow([ID], records, Progress(stream, terminal=False), now=clock, sleep=clock.sleep)
    return found, [line.split("  ", 1)[1] for line in stream.getvalue().splitlines()]


def test_each_change_is_told_once() -> None:
    results = {"added": 5, "updated": 1_000, "unchanged": 0, "failed": 2, "deleted": 3}
    found, told = run(
        Records(
            first=[
                None,
                record(State.PREPARING),
                record(State.PREPARING),
                record(State.SUBMITTING),
                record(State.PENDING),
                record(State.RUNNING),
                record(State.COMPLETE, results=results),
            ]
        )
    )
    assert [each.state for each in found] == [State.COMPLETE]
    assert told == [
        f"{ID}  preparing: the feed is being read",
        f"{ID}  submitting: 200 jobs on the way to the board",
        f"{ID}  pending: the board has 200 jobs and has not begun",
        f"{ID}  running: the board is working on 200 jobs",
        f"{ID}  complete: 5 added, 1,000 updated, 0 unchanged, 2 failed, 3 deleted",
    ]


def test_the_parts_of_a_split_run_are_followed_too() -> None:
    found, told = run(
        Records(
            first=[record(State.PREPARING), record(State.COMPLETE, parts=2)],
            first_2=[None, record(State.PENDING, "-2"), record(State.REJECTED, "-2", reason="the board answered 401")],
        )
    )
    assert [(each.import_id, each.state) for each in found] == [(ID, State.COMPLETE), (f"{ID}-2", State.REJECTED)]
    assert told[-1] == f"{ID}-2  rejected: the board answered 401"


def test_what_a_reason_holds_does_nothing_to_the_terminal() -> None:
    _, told = run(Records(first=[record(State.BLOCKED, reason="\x1b]0;x\x07\x1b[31mred\r\nnext\u202e")]))
    assert told == [f"{ID}  blocked: �]0;x��[31mred next"]


@pytest.mark.parametrize("asked", [timedelta(0), timedelta(days=30)])
def test_one_that_does_not_begin_is_not_waited_for_for_ever(asked: timedelta) -> None:
    clock = Clock(NOW + asked)
    with pytest.raises(CannotBeDoneError, match=f"there is no import {ID}. If it was started just now"):
        run(Records(first=[None]), clock)
    waited = clock() - NOW - asked
    assert waited == timedelta(0) if asked else timedelta(minutes=2) <= waited < timedelta(minutes=2, seconds=10)


def test_a_terminal_shows_for_how_long_nothing_has_happened(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(NOW)
    told = Progress(io.StringIO(), terminal=True)
    story: list[Import | None] = [record(State.PENDING)] * 200
    follow([ID], Records(first=[*story, record(State.COMPLETE)]), told, now=clock, sleep=clock.sleep)
    shown = capsys.readouterr().err
    assert "\r          waiting, 3 s  " in shown
    assert "\r          waiting, 12 min  " in shown
    assert shown.endswith("\r" + " " * 40 + "\r")
