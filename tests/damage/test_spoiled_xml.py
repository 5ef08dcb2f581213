"""One fault in an XML document costs a row or two, and nothing is wrong in silence."""

import os

import pytest

from tests.damage.spoiled import outcome
from tests.damage.spoiled.of_xml import Document, documents, spoiled_feeds

#: Of all spoiled documents, one in so many is tried. A prime number meets all kinds and places in turn.
_ONE_IN = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 97


@pytest.mark.parametrize("document", documents(), ids=lambda each: each.name)
def test_the_documents_are_well_made(document: Document) -> None:
    assert outcome(document.spoiled("", "", document.write())).verdict == "exact"


def test_one_fault_is_told_and_costs_a_row_or_two() -> None:
    outcomes = [(each, outcome(each)) for number, each in enumerate(spoiled_feeds()) if number % _ONE_IN == 0]

    silent = [f"{each.kind}, {each.place}: {found.why}" for each, found in outcomes if found.verdict == "silent"]
    assert not silent, "\n".join(silent[:20])
    assert sum(found.is_good for _, found in outcomes) * 100 >= 95 * len(outcomes)
