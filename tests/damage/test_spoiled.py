"""One fault in a feed costs a row or two, and nothing is wrong in silence."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.damage.spoiled import Spoiled, outcome, table
from tests.damage.spoiled.delimited import Table, spoiled_feeds, tables

_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
#: Of all spoiled feeds, one in so many is tried. A prime number meets all kinds and places in turn.
_ONE_IN = 1 if _THOROUGH else 71
#: Percent of the feeds of which all but at most two rows are sent.
GOAL = 95

FORMATS: dict[str, Callable[[], Iterator[Spoiled]]] = {"csv": spoiled_feeds}


@pytest.mark.parametrize("well_made", tables(), ids=lambda each: each.name)
def test_the_feeds_are_well_made(well_made: Table) -> None:
    found = outcome(well_made.spoiled("", "", well_made.write()))

    assert found.verdict == "exact"


@pytest.mark.parametrize("spoil", FORMATS.values(), ids=FORMATS)
def test_one_fault_is_told_and_costs_a_row_or_two(spoil: Callable[[], Iterator[Spoiled]]) -> None:
    outcomes = [(each, outcome(each)) for number, each in enumerate(spoil()) if number % _ONE_IN == 0]

    print(table((each.kind, found) for each, found in outcomes))  # shown with -s, and for docs/feeds.md
    silent = [f"{each.kind}, {each.place}: {found.why}" for each, found in outcomes if found.verdict == "silent"]
    assert not silent, "\n".join(silent[:20])
    assert sum(found.is_good for _, found in outcomes) * 100 >= GOAL * len(outcomes)
