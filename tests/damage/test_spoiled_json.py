"""One fault in JSON or JSON Lines costs a row or two, and nothing is wrong in silence."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.damage.spoiled import Spoiled, outcome, table
from tests.damage.spoiled.of_json import Document, arrays, lines, spoiled_arrays, spoiled_lines

#: Of all spoiled feeds, one in this many is tried. A prime number meets all kinds and places in turn.
_ONE_IN = 11 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 499
#: Percent of the feeds of which all but at most two rows are sent.
_GOAL = 95


@pytest.mark.parametrize("document", [*arrays(), *lines()], ids=lambda each: f"{each.key} {each.name}")
def test_the_feeds_are_well_made(document: Document) -> None:
    assert outcome(document.spoiled("", 0, 0, "")).verdict == "exact"


@pytest.mark.parametrize("spoil", [spoiled_arrays, spoiled_lines], ids=["json", "jsonl"])
def test_one_fault_is_told_and_costs_a_row_or_two(spoil: Callable[[], Iterator[Spoiled]]) -> None:
    outcomes = [(each, outcome(each)) for number, each in enumerate(spoil()) if number % _ONE_IN == 0]

    print(table((each.kind, found) for each, found in outcomes))  # shown with -s, and for docs/feeds.md
    silent = [f"{each.kind}, {each.place}: {found.why}" for each, found in outcomes if found.verdict == "silent"]
    assert not silent, "\n".join(silent[:20])
    assert sum(found.is_good for _, found in outcomes) * 100 >= _GOAL * len(outcomes)
