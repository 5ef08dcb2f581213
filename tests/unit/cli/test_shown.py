"""What the command line shows of imports and feeds, for every state that they may be in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.person import Person
from tests.unit.notices.cases import CASES

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
