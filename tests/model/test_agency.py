"""However an agency's exporter fails, no posting that its own system still has is deleted or damaged unforeseen.

JOBFERRY_HISTORIES says how many histories are tried (the default suits every commit).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.model.agency import FEED, Agency, Change, Finish, LoseSettings, Upload
from tests.model.exporter import FAULTS, STORED_FAULTS, WRITERS
from tests.model.history import Forget, Poll, Run, Step, Subscribe, Wait, Work

HISTORIES = int(os.environ.get("JOBFERRY_HISTORIES", "160"))

calls = st.integers(1, 110)
cuts = st.one_of(st.just((0,)), st.lists(st.one_of(st.just(0), calls), min_size=1, max_size=3).map(tuple))
requests = st.sampled_from(["lost", "unknown", "refused", "unreachable", "not offered"])
few = st.sampled_from([0, 0, 1, 2, 4])
person = st.one_of(
    st.builds(
        Change,
        st.sampled_from([None, 0, 5, 20, 100]),
        st.sampled_from([None, 0, 20, 50, 700]),
        st.sampled_from([None, True, False]),
        st.sampled_from([None, None, True, False]),
    ),
    st.builds(Run, st.just(FEED), st.sampled_from(["right", "right", "stale", "wrong", "fields", "hand"])),
    st.builds(Subscribe, st.integers(0, 1)),
)
works = st.builds(
    Work, st.integers(1, 2), st.sampled_from(["call", "call", "twice", "lose"]), st.sampled_from([0, 0, 5])
)
polls = st.builds(Poll, st.sampled_from([0, 0, 0, *range(1, 20)]), st.sampled_from([False, False, True]), cuts)
ways = st.sampled_from(["schedule", "schedule", "upload", "hand", "again"])
waits = st.builds(Wait, st.sampled_from([1, 9, 60, 13 * 60, 23 * 60]))


def histories_with(*faults: str | None) -> st.SearchStrategy[list[Step]]:
    """Return histories of an exporter that has these faults."""
    uploads = st.builds(
        Upload, few, few, st.sampled_from(faults), st.integers(0, 5000), st.sampled_from([0, 0, 0, 1, 2])
    )
    others = st.one_of(uploads, person, works, polls, st.builds(Finish), st.builds(LoseSettings), st.just(Forget(FEED)))
    runs = st.builds(
        Run,
        st.just(FEED),
        ways,
        cuts,
        st.one_of(st.none(), st.none(), st.tuples(calls, others)),
        st.lists(requests, max_size=3).map(tuple),
    )
    # What happens in a day: an export, a run of it, and more or less of what should follow.
    days = st.tuples(uploads, runs, st.lists(others, max_size=1), works, waits).map(
        lambda day: [day[0], day[1], *day[2], day[3], day[4]]
    )
    return st.lists(st.one_of(days, days, others.map(lambda step: [step])), min_size=2, max_size=6).map(
        lambda found: [step for each in found for step in each]
    )


histories = histories_with(None, *FAULTS, "yesterday", *STORED_FAULTS)


@dataclass(frozen=True)
class Exporter:
    """How the agency exports."""

    form: str
    objects: int
    packed: bool = False
    dated: bool = False


exporters = st.builds(Exporter, st.sampled_from(list(WRITERS)), st.integers(1, 3), st.booleans(), st.booleans())

#: A full sync that was announced a day ago.
UNDER_WAY: tuple[Step, ...] = (
    Upload(),
    Run(FEED, "schedule"),
    Work(),
    Poll(),
    Wait(23 * 60),
    Upload(),
    Run(FEED, "schedule"),
    Work(),
    Poll(),
    Wait(23 * 60),
)


def play(exporter: Exporter, history: list[Step], mode: bool | str = True) -> Agency:
    played = Agency(exporter.form, exporter.objects, packed=exporter.packed, dated=exporter.dated, mode=mode)
    for step in [*UNDER_WAY, *history]:
        played.play(step)
    played.end()
    return played


#: The ways of deleting.
MODES: Final = (True, "listed")


@pytest.mark.timeout(600 + HISTORIES)
@pytest.mark.parametrize("mode", MODES)
def test_no_fault_of_an_exporter_costs_a_posting(mode: bool | str) -> None:
    @settings(
        max_examples=HISTORIES // len(MODES),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
    )
    @given(exporters, histories)
    def holds(exporter: Exporter, history: list[Step]) -> None:
        play(exporter, history, mode)

    holds()


#: A night's run of what was exported, and the day after it.
NIGHT: tuple[Step, ...] = (Run(FEED, "schedule"), Work(), Poll(), Wait(23 * 60))


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("fault", [*FAULTS, *STORED_FAULTS])
def test_a_fault_in_one_night(fault: str, form: str) -> None:
    for number, mode in ((8, True), (211, "listed")):
        play(Exporter(form, 3, dated=number % 2 == 0), [Upload(1, 2, fault, number), *NIGHT], mode)


#: Histories that once broke the promise.
BROKE_IT: dict[str, tuple[Exporter, list[Step]]] = {
    "an object that was missing comes back without descriptions": (
        Exporter("json", 2),
        [Upload(fault="file_lost"), *NIGHT, Upload(fault="emptied_column_in_one_file", number=2), *NIGHT],
    ),
}


@pytest.mark.parametrize("name", BROKE_IT)
def test_a_history_that_once_broke_the_promise(name: str) -> None:
    play(*BROKE_IT[name])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", WRITERS)
def test_a_healthy_exporter(form: str, mode: bool | str) -> None:
    played = play(Exporter(form, 2), [Upload(2, 3), Run(FEED, "schedule"), Work(), Wait(23 * 60)], mode)
    assert played.losses, "the closed jobs were deleted"


def test_the_rest_of_an_export_and_the_beginning_of_the_next_are_not_one_export() -> None:
    """A history that the model found: the posting that moved between the two files was deleted."""
    half = Upload(pieces=1), Run(FEED, "schedule"), Work(), Wait(1), Finish()
    play(Exporter("csv", 2), [*half, Upload(0, 1, pieces=1), Run(FEED, "schedule"), Work()])
