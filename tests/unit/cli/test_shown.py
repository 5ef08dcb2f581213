"""What the command line shows of imports and feeds, for every state that they may be in."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobferry.cli import details
from jobferry.imports import State
from tests.unit.cli.person import Person
from tests.unit.notices.cases import CASES, complete, postings, results, sent

ID = "default-20261124T070000Z"


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(monkeypatch, capsys)


def test_a_report_is_read_where_no_command_line_is(person: Person, tmp_path: Path) -> None:
    person.have(CASES["blocked-feed-missing"].record)
    person("report", ID, "-o", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert "in AWS CloudShell or a terminal with the AWS CLI" in page
    assert "aws lambda invoke --function-name jobferry-SubmitImport" in page
    assert "jobferry submit" not in page
    assert "      jobferry submit default" in person.lines("show", ID)


def test_the_postings_that_the_advice_speaks_of_are_shown(person: Person) -> None:
    person.have(complete(full_sync=True, withheld_deletes=20, withheld_because=["too-many"], deletes=postings(20)))
    lines = person.lines("show", ID)
    assert "under WOULD GO" in " ".join(lines)
    listed = lines[lines.index("WOULD GO (20)") + 1 :]
    assert listed[:2] == ["  POSTING   TITLE", "  LT-20000  Hospitalist nights, Lancaster"]
    assert len(listed) == 21


def test_of_many_postings_the_first_are_shown_and_where_all_of_them_are(person: Person) -> None:
    person.have(complete(full_sync=True, withheld_deletes=80, withheld_because=["too-many"], deletes=postings(80)))
    lines = person.lines("show", ID)
    assert len(lines[lines.index(f"WOULD GO (the first 25 of 80; all of them: jobferry report {ID})") :]) == 1 + 1 + 25


@pytest.mark.parametrize(
    ("state", "deleted", "heading"),
    [(State.EXPIRED, 0, "WERE TO GO (5)"), (State.COMPLETE, 5, "WENT (5)"), (State.COMPLETE, 9, "WERE TO GO (5)")],
)
def test_postings_that_were_to_be_deleted_are_shown(person: Person, state: State, deleted: int, heading: str) -> None:
    deletes = {"full_sync": True, "delete_jobs": True, "expected_deletes": 5, "deletes": postings(5)}
    ended = complete(results(deleted=deleted), **deletes)
    person.have(ended if state is State.COMPLETE else sent(state, "no-result", "no result", **deletes))
    lines = person.lines("show", ID)
    assert len(lines[lines.index(heading) :]) == 1 + 1 + 5


def test_a_dry_run_says_that_it_names_the_first_postings_only() -> None:
    named = [each.model_dump(by_alias=True) for each in postings(25)]
    found = {"jobs": 20, "deleteJobs": False, "withheldDeletes": 80, "firstDeletes": named, "invalid": 0}
    assert "Not in the feed any more (the first 25 of 80)" in details.preview(found)
    assert "Would go (25)" in details.preview(found | {"deleteJobs": True, "deletes": 25})
