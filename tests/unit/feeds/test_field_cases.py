"""Exports as agencies' systems really write them: what `jobferry validate` makes of each folder of field_cases/.

Its README.md says what is right, and what the keys of an expect.json mean.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobferry.cli.validate import check
from jobferry.jobs.vocabulary import NOTHING_LISTED
from jobferry.text import row_place

CASES = Path(__file__).parent / "field_cases"
KEYS = {"why", "exit", "jobs", "invalid", "sent", "says", "silent"}


@pytest.mark.parametrize("name", sorted(path.parent.name for path in CASES.glob("*/expect.json")))
def test_an_export_as_it_comes(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = json.loads((CASES / name / "expect.json").read_bytes())
    folder = shutil.copytree(CASES / name, tmp_path / "feed", ignore=shutil.ignore_patterns("expect.json"))

    status = check(folder, None, NOTHING_LISTED, as_json=True)

    answer = json.loads(capsys.readouterr().out)
    said = list(_said(answer))
    found = {"exit": status, "jobs": answer.get("jobs", 0), "invalid": answer.get("invalid", 0)}
    assert expected.keys() <= KEYS
    assert {key: found[key] for key in found if key in expected} == {
        key: expected[key] for key in found if key in expected
    }
    jobs = answer.get("firstJobs", [])
    sent = expected.get("sent", [])
    assert len(jobs) >= len(sent)
    for job, fields in zip(jobs, sent, strict=False):
        assert [each for each in fields.items() if not _alike(each[1], job.get(each[0]))] == []
    assert [
        pattern
        for pattern in expected.get("says", [])
        if not any(re.search(pattern, each, re.IGNORECASE | re.DOTALL) for each in said)
    ] == []
    assert not (expected.get("silent") and said)


def _alike(expected: Any, sent: Any) -> bool:
    """Decide whether a value is the expected one, or matches its pattern."""
    if isinstance(expected, dict) and expected.keys() == {"matches"}:
        return isinstance(sent, str) and re.fullmatch(expected["matches"], sent, re.DOTALL) is not None
    return type(expected) is type(sent) and expected == sent


def _said(answer: dict[str, Any]) -> Iterator[str]:
    """Yield everything that a person is told, with its place."""
    yield from (answer[key] for key in ("error", "reason") if answer.get(key))
    for each in answer.get("warnings", []):
        yield f"{each['message']} ({row_place(each['first']['key'], each['first']['row'])})"
    for problem in answer.get("problems", []):
        place = row_place(problem["source"]["key"], problem["source"]["row"])
        yield from (f"{place}: {message}" for message in problem["messages"])


def test_every_case_is_there() -> None:
    assert len(list(CASES.glob("*/expect.json"))) == 42
