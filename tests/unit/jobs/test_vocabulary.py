"""A board's documented lists belong to its host; nothing is warned about on a board without lists."""

from typing import Any

import pytest

from jobferry.jobs.vocabulary import LISTED_TERMS, vocabulary_of
from tests.feeds import jsonl, read, table

LOCUMS = "https://www.locumjobsonline.com/api/v2.0"
NURSES = "https://www.travelnursesource.com/api/v2.0"
ALLIED = "https://www.alliedtravelcareers.com/api/v2.0"
SANDBOX = "http://127.0.0.1:8080/api/v2.0"


def warnings(board: str, **fields: Any) -> list[str]:
    """Return the warnings about one job with these fields, the same from JSON and from a table."""
    job = {"referenceNumber": "a", **fields}
    vocabulary = vocabulary_of(board)
    typed = read("jobs.jsonl", jsonl(job), vocabulary)[2]
    untyped = read("jobs.csv", table(job), vocabulary)[2]
    assert [each.partition(" (")[0] for each in typed] == [each.partition(" (")[0] for each in untyped]
    return [each.partition(" is not on")[0] for each in typed]


@pytest.mark.parametrize(
    "board", [LOCUMS, "https://WWW.LocumJobsOnline.com:443/other", "https://www.locumjobsonline.com"]
)
def test_the_lists_of_locumjobsonline(board: str) -> None:
    assert warnings(board, license="MD", specialty="Urology") == []
    assert warnings(board, license="RN", specialty="ICU") == ['license "RN"', 'specialty "ICU"']


@pytest.mark.parametrize("license_", ["RN", "LPN / LVN", "CNA"])
def test_a_nurses_job_on_travelnursesource_has_no_warning(license_: str) -> None:
    assert warnings(NURSES, license=license_, specialty="ICU - Intensive Care Unit") == []


def test_a_physicians_license_is_not_on_travelnursesources_list() -> None:
    assert warnings(NURSES, license="MD", specialty="Urology") == ['license "MD"']


@pytest.mark.parametrize(
    "board",
    [
        ALLIED,
        SANDBOX,
        "https://board.example.com/www.locumjobsonline.com",
        "https://www.locumjobsonline.com.example.com/api/v2.0",
        "https://staging.locumjobsonline.com/api/v2.0",
        "",
    ],
)
def test_nothing_is_warned_about_on_a_board_without_lists(board: str) -> None:
    assert warnings(board, license="RN", specialty="Zoology") == []


def test_each_list_is_of_a_field_and_not_empty() -> None:
    assert LISTED_TERMS
    for vocabulary in LISTED_TERMS.values():
        assert vocabulary.keys() <= {"license", "specialty"}
        assert all(vocabulary.values())
