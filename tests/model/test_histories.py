"""No history of feeds, faults, crashes and late answers deletes a posting that the rules protect, or leaves a feed stuck.

JOBFERRY_HISTORIES says how many are tried (the default suits every commit), JOBFERRY_STEPS how long they may be.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.model.history import (
    KEYS,
    CallBack,
    Export,
    Forget,
    History,
    Lose,
    Poll,
    Post,
    Rekey,
    Run,
    Set,
    Step,
    Subscribe,
    Wait,
    Work,
)
from tests.model.rules import Wishes

HISTORIES = int(os.environ.get("JOBFERRY_HISTORIES", "400"))
STEPS = int(os.environ.get("JOBFERRY_STEPS", "12"))

feeds = st.sampled_from(["one", "one", "one", "two"])
numbers = st.integers(0, 40)
#: SubmitImport makes some seventy calls, and thirty more if it deletes by list.
calls = st.integers(1, 110)
cuts = st.one_of(st.just((0,)), st.lists(st.one_of(st.just(0), calls), min_size=1, max_size=3).map(tuple))


@st.composite
def exports(draw: st.DrawFn, feed: st.SearchStrategy[str] = feeds) -> Export:
    """Mostly what changes overnight, so that most of the rules let it pass; sometimes anything."""
    nearly = draw(st.sampled_from([True, True, True, False]))
    first = draw(st.sampled_from([0, 0, 1, 3, 8]) if nearly else numbers)
    last = draw(st.sampled_from([30, 30, 29, 27, 33, 40]) if nearly else numbers)
    return Export(
        draw(feed),
        min(first, last),
        max(first, last),
        draw(st.sampled_from([1, 2, 2, 3])),
        draw(st.sampled_from([0, 0, 0, 1, 3, 40])),
        draw(st.sampled_from([0, 0, 0, 0, 1])),
        draw(st.sampled_from([None, None, None, None, "cut", "empty"])),
    )


def wishes(mode: bool | str) -> st.SearchStrategy[Wishes]:
    """Return settings that mostly delete in one way."""
    return st.builds(
        Wishes,
        delete_jobs=st.sampled_from([*[mode] * 8, False, False, True, "listed"]),
        percent=st.sampled_from([20, 20, 0, 60, 100]),
        weekly=st.sampled_from([50, 50, 50, 0, 100, 700]),
        paused=st.sampled_from([False, False, False, False, True]),
        secret=st.sampled_from(["BoardApiKey", "BoardApiKey", "BoardApiKey", "Other", "Same"]),
        split=st.sampled_from([None, None, 7]),
    )


works = st.builds(
    Work,
    st.integers(1, 3),
    st.sampled_from(["call", "call", "call", "twice", "lose"]),
    st.sampled_from([0, 0, 0, *range(1, 20)]),
    st.sampled_from([False, False, False, True]),
)
polls = st.builds(Poll, st.sampled_from([0, 0, 0, *range(1, 20)]), st.sampled_from([False, False, True]), cuts)
plain_runs = st.builds(Run, feeds, st.sampled_from(["hand", "schedule", "upload", "again", "right", "stale"]))
requests = st.sampled_from(["lost", "unknown", "refused", "unreachable", "not offered"])


def histories_of(mode: bool | str) -> st.SearchStrategy[list[Step]]:
    """Return what may follow a beginning, with feeds that mostly delete in one way."""
    settings_written = st.builds(Set, feeds, wishes(mode))
    others = st.one_of(
        exports(),
        st.builds(Lose, feeds, everything=st.sampled_from([False, False, True])),
        settings_written,
        works,
        st.builds(CallBack, st.integers(0, 20), st.booleans()),
        st.builds(Wait, st.sampled_from([1, 15, 16, 60, 13 * 60])),
        st.builds(Post, st.sampled_from(sorted(set(KEYS.values()))), st.integers(0, 3)),
        st.builds(Rekey, st.sampled_from(["BoardApiKey", "BoardApiKey", "Same"]), st.sampled_from(["key-1", "key-2"])),
        st.builds(Forget, feeds),
        st.builds(Subscribe, st.sampled_from([0, 1, 1])),
    )
    runs = st.builds(
        Run,
        feeds,
        st.sampled_from(["hand", "hand", "schedule", "upload", "again", "right", "right", "stale", "wrong"]),
        cuts,
        st.one_of(st.none(), st.none(), st.tuples(calls, st.one_of(others, plain_runs, polls))),
        st.lists(requests, max_size=3).map(tuple),
    )
    #: As often as they are named here; `one_of` would take each once.
    kinds: list[st.SearchStrategy[Step]] = [
        *[runs] * 6,
        *[works] * 5,
        *[exports()] * 3,
        *[polls] * 2,
        *[others] * 3,
        *[settings_written] * 2,
    ]
    steps: st.SearchStrategy[Step] = st.integers(0, len(kinds) - 1).flatmap(kinds.__getitem__)
    return st.lists(steps, min_size=2, max_size=STEPS)


#: A full sync that is under way, since most histories would never come to one.
UNDER_WAY: tuple[Step, ...] = (
    Set("one", Wishes(delete_jobs=True)),
    Export("one", 0, 30, 2),
    Run("one"),
    Work(),
    Wait(13 * 60),
    Run("one"),
    Work(),
)
#: And a second feed, on another account so far.
TWO_FEEDS: tuple[Step, ...] = (
    *UNDER_WAY,
    Set("two", Wishes(secret="Other")),
    Export("two", 0, 5),
    Run("two"),
    Work(),
)
#: Two feeds that delete by list, on one account that also has postings by hand.
LISTED: tuple[Step, ...] = (
    Post("key-1", 0),
    Set("one", Wishes(delete_jobs="listed")),
    Set("two", Wishes(delete_jobs="listed")),
    Export("one", 0, 30, 2),
    Export("two", 0, 20),
    Run("one"),
    Run("two"),
    Work(2),
    Poll(),
    Wait(13 * 60),
)
#: What a history begins with, how its feeds mostly delete, and what part of the histories it is.
BEGINNINGS: dict[str, tuple[tuple[Step, ...], bool | str, float]] = {
    "from-nothing": ((), True, 0.1),
    "from-nothing-listed": ((), "listed", 0.1),
    "under-way": (UNDER_WAY, True, 0.3),
    "two-feeds": (TWO_FEEDS, True, 0.3),
    "listed": (LISTED, "listed", 0.4),
}


#: What follows the beginning of a full sync.
histories = histories_of(True)


def play(beginning: str, history: list[Step]) -> None:
    played = History()
    for step in [*BEGINNINGS[beginning][0], *history]:
        played.play(step)
    played.end()


@pytest.mark.timeout(600 + HISTORIES)
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_every_history_keeps_the_rules(beginning: str) -> None:
    _, mode, share = BEGINNINGS[beginning]

    @settings(
        max_examples=max(int(HISTORIES * share), 1),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
    )
    @given(histories_of(mode))
    def holds(history: list[Step]) -> None:
        play(beginning, history)

    holds()


def test_a_live_set_is_not_lost_while_its_import_is_open() -> None:
    """The archive keeps it for 90 days. The model once forgot it earlier, and expected what nobody could know."""
    play("under-way", [Run("one"), Work(silent=True), Forget("one")])
