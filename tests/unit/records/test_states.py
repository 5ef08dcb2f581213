"""docs/states.md has just the transitions that the code has: every function is called on every state, in every variant."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from inspect import getmembers, isfunction
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from jobferry.errors import Cause
from jobferry.records import transitions
from jobferry.records.feeds import Feed
from jobferry.records.imports import Claim, Deletions, Ending, Import, ListEnd, Open, Result, State
from tests.records import an_import

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
CLAIM = Claim(by="me", until=NOW + timedelta(minutes=15))
ENDING = Ending(cause=Cause.BOARD_REFUSED, reason="refused")
PAGE = (Path(__file__).parents[3] / "docs/states.md").read_text()
STATES = {state for state in State if state is not State.DRY_RUN}
#: Functions of the module that only answer a question.
QUESTIONS = {
    "may_send", "has_open_list", "may_delete", "works_on_list", "takes_result", "is_awaited_late", "account_id",
    "announces", "why_not_to_retry",
}  # fmt: skip

CALLS: dict[str, list[Callable[[Import, Feed], transitions.Records]]] = {
    "claim_run": [
        lambda _, feed: transitions.claim_run(feed, "f-20261124T150000Z", CLAIM, NOW),
        lambda _, feed: transitions.claim_run(feed.changed(open_imports=[]), "f-20261124T150000Z", CLAIM, NOW),
        lambda _, feed: transitions.claim_run(feed, "f-20261124T150000Z", CLAIM, NOW, retry="key"),
    ],
    "hold_back": [lambda record, feed: transitions.hold_back(record, feed, "me", ENDING, NOW)],
    "note_answer": [lambda record, _: transitions.note_answer(record, "me", ENDING)],
    "take_over": [lambda record, _: transitions.take_over(record, CLAIM, NOW)],
    "make_ready": [lambda record, feed: transitions.make_ready(record, feed, record)],
    "drop_part": [transitions.drop_part],
    "block": [lambda record, feed: transitions.block(record, feed, "me", ENDING)],
    "abandon": [lambda record, feed: transitions.abandon(record, feed, NOW + timedelta(hours=1))],
    "start_sending": [
        lambda record, feed: transitions.start_sending(record, feed, CLAIM, NOW, deletions=Deletions(), key_mark="k")
    ],
    "accept": [lambda record, feed: transitions.accept(record, feed, "b", NOW)],
    "reject": [
        lambda record, feed, arrived=arrived, before=before: transitions.reject(  # type: ignore[misc]
            record, feed, "me", ENDING, sent_before=before, may_have_arrived=arrived
        )
        for arrived, before in product((True, False), repeat=2)
    ],
    "progress": [
        lambda record, _, word=word: transitions.progress(record, word, "b", NOW)  # type: ignore[misc]
        for word in ("pending", "running", "paused")
    ],
    "complete": [
        lambda record, feed, verified=verified: transitions.complete(  # type: ignore[misc]
            record, feed, Result(counts={"added": 1}, verified=verified, settled_at=NOW), "b", NOW
        )
        for verified in (True, False)
    ],
    "add_earlier_deletions": [lambda record, _: transitions.add_earlier_deletions(record, 3)],
    "begin_list": [lambda record, _: transitions.begin_list(record, CLAIM, NOW)],
    "note_deleted": [
        lambda record, feed, deleted=deleted: transitions.note_deleted(record, feed, "me", deleted)  # type: ignore[misc]
        for deleted in (1, 2)
    ],
    "end_list": [lambda record, feed: transitions.end_list(record, feed, "me", ListEnd.REFUSED, "refused")],
    "withhold_list": [lambda record, feed: transitions.withhold_list(record, feed, "me", Deletions(listed=True))],
    "note_poll": [lambda record, _: transitions.note_poll(record, NOW)],
    "note_poll_handled": [lambda record, _: transitions.note_poll_handled(record)],
    "stop_asking": [lambda record, _: transitions.stop_asking(record, NOW + timedelta(hours=48))],
    "expire": [lambda record, feed: transitions.expire(record, feed, NOW)],
    "mark_notified": [lambda record, feed: transitions.mark_notified(record, feed, record.state, NOW, subscribed=True)],
}


def variants(state: State) -> Iterator[Import]:
    """Return records of one state: claimed by anybody or nobody, the first of a run or not, confirmed or not."""
    claims: list[dict[str, Any]] = [
        {},
        {"claimed_by": "me", "claimed_until": NOW + timedelta(minutes=5)},
        {"claimed_by": "other", "claimed_until": NOW + timedelta(minutes=5)},
        {"claimed_by": "other", "claimed_until": NOW - timedelta(minutes=5)},
    ]
    # Only an expired import is open for a late result.
    values = (Open.LATE, None) if state is State.EXPIRED else (Open.OPEN, None)
    for claim, run, verified, opened, listed in product(
        claims, (None, "f-20261124T020000Z"), (True, False), values, (0, 2)
    ):
        yield an_import(
            import_id="f-20261124T020000Z-2",
            feed="f",
            created_at=NOW - timedelta(hours=13),
            state=state,
            run=run,
            verified=verified,
            open=opened,
            unanswered=1,
            listed=listed > 0,
            expected_deletes=listed,
            results={"added": 1, "deleted": 0} if state is State.COMPLETE else None,
            **claim,
        )


def moves(name: str, state: State) -> set[State] | None:
    """Return the states to which a transition leads from one; None if it leaves every record of it as it is."""
    moved: set[State] = set()
    changed = False
    for record, call in product(variants(state), CALLS[name]):
        for each in call(record, Feed(feed="f", open_imports=[record.import_id])):
            if isinstance(each, Import):
                changed = True
                moved |= {each.state} - {state}
    return moved if changed else None


def rows(columns: int) -> list[list[str]]:
    """Return the rows of the page's tables that have this many columns."""
    lines = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line] for line in lines if len(line) == columns]


def words(cell: str) -> set[str]:
    return set(re.findall("|".join(STATES), cell))


def test_the_tables_know_every_state_and_every_transition() -> None:
    functions = {name for name, each in getmembers(transitions, isfunction) if not name.startswith("_")} - QUESTIONS
    assert set(CALLS) == functions
    assert {row[0].strip("`") for row in rows(4)} == functions
    assert {row[0].strip("`") for row in rows(3)} == STATES


@pytest.mark.parametrize("name", CALLS)
def test_a_transition_leads_where_the_page_says(name: str) -> None:
    [row] = [row for row in rows(4) if row[0] == f"`{name}`"]
    if name == "claim_run":  # it begins without an import
        feed = Feed(feed="f", open_imports=["another"])
        written = [each for call in CALLS[name] for each in call(next(variants(State.PENDING)), feed)]
        assert {each.state for each in written if isinstance(each, Import)} == words(row[2])
        return
    found = {state: moved for state in STATES if (moved := moves(name, state)) is not None}
    assert set(found) == (STATES if row[1] == "any" else words(row[1]))
    assert set().union(*found.values()) == words(row[2])


def test_a_state_leads_where_the_page_says() -> None:
    found: dict[str, set[State]] = defaultdict(set)
    for name, state in product(CALLS, STATES):
        if name != "claim_run":
            found[state] |= moves(name, state) or set()
    assert {row[0].strip("`"): words(row[2]) for row in rows(3)} == {state: found[state] for state in STATES}
