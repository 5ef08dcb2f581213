"""What the tests of the command line share."""

import pytest

from tests.unit.cli.person import Person


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(monkeypatch, capsys)
