"""The sample feed: three mistakes in valid jobs, and the changes of a day."""

import json
from datetime import date
from pathlib import Path

import pytest

from jobferry.cli import validate
from jobferry.jobs.vocabulary import LISTED_TERMS
from local import sample_feed

LOCUMS = LISTED_TERMS["www.locumjobsonline.com"]


def check(
    folder: Path, rows: list[sample_feed.SampleRow], capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, object]]:
    (folder / "feed.json").write_text(json.dumps(sample_feed.SAMPLE_SETTINGS))
    (folder / "jobs.csv").write_bytes(sample_feed.as_csv(rows))
    status = validate.check(folder, None, LOCUMS, as_json=True)
    return status, json.loads(capsys.readouterr().out)


def test_every_job_is_valid_and_uses_the_boards_vocabulary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = sample_feed.make_rows()
    status, found = check(tmp_path, rows, capsys)
    assert (status, found["jobs"], found["problems"]) == (0, 200, [])
    assert {sample_feed.ABBREVIATIONS["specialty"].get(row["Specialty"], row["Specialty"]) for row in rows} <= LOCUMS[
        "specialty"
    ]
    assert {row["License"] for row in rows} <= LOCUMS["license"]
    assert not any("specialty" in str(warning) or "license" in str(warning) for warning in found["warnings"])  # type: ignore[attr-defined]


def test_three_mistakes_are_in_the_rows_that_the_demonstration_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = check(tmp_path, sample_feed.break_three(sample_feed.make_rows()), capsys)
    assert (status, found["jobs"]) == (1, 200)
    assert [problem["source"]["row"] for problem in found["problems"]] == [58, 114, 173]  # type: ignore[attr-defined]


def test_a_day_later_two_are_gone_five_changed_and_four_new() -> None:
    before = {row["Job ID"]: row for row in sample_feed.make_rows()}
    after = {row["Job ID"]: row for row in sample_feed.next_day(sample_feed.make_rows())}
    assert len(before.keys() - after.keys()) == 2
    assert len(after.keys() - before.keys()) == 4
    assert sum(after[number] != before[number] for number in after.keys() & before.keys()) == 5


def test_the_same_seed_makes_the_same_feed() -> None:
    assert sample_feed.make_rows(30, 7) == sample_feed.make_rows(30, 7) != sample_feed.make_rows(30, 8)
    assert sample_feed.make_rows(5, today=date(2027, 1, 1))[0]["Start"].endswith("2027")
    assert len({row["Job ID"] for row in sample_feed.make_rows(5000)}) == 5000
