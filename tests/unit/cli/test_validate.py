"""`jobferry validate`: the same checks on a laptop, for people and for scripts."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobferry.cli.commands import app
from tests.feeds import jsonl, table

MC = 'state "MC" is not a state of the USA: its two-letter code is needed, such as PA'


def main(arguments: list[str]) -> int:
    """Run `jobferry validate` and return its exit status."""
    with pytest.raises(SystemExit) as ended:
        app(["validate", *arguments], prog_name="jobferry")
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    folder = tmp_path / "feed"
    folder.mkdir()
    return folder


def test_a_clean_feed(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = {"title": "CRNA", "city": "York", "state": "PA", "description": "d"}
    (feed / "jobs.csv").write_bytes(table({"referenceNumber": "a"} | job, {"referenceNumber": "b"} | job))

    assert main([str(feed / "jobs.csv")]) == 0

    out, err = capsys.readouterr()
    assert out.splitlines()[:9] == [
        "1 file, 2 rows: 2 jobs would be sent, 0 with problems",
        "",
        "The board's fields in 2 jobs:",
        "  FIELD            JOBS  COLUMN",
        "  referenceNumber     2  referenceNumber",
        "  title               2  title",
        "  city                2  city",
        "  state               2  state",
        "  description         2  description",
    ]
    assert " ".join(out.split()).endswith("durationUnit, startDate, benefits.")
    assert err == ""


def test_a_feed_with_problems(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (feed / "feed.json").write_text('{"deleteJobs": true, "maxInvalidPercent": 50}')
    (feed / "b.csv").write_bytes(
        table(
            {"referenceNumber": "a", "title": "Locum at York", "state": "MC"},
            {"referenceNumber": "", "title": "t", "state": "PA"},
            {"referenceNumber": "c", "title": "t", "state": "Texas"},
            {"referenceNumber": "d", "title": "t", "state": "Texas"},
        )
    )
    (feed / "nested").mkdir()
    (feed / "nested" / "a.jsonl.gz").write_bytes(
        gzip.compress(jsonl({"referenceNumber": "e", "specialty": "Zoology"}, {"referenceNumber": "f"}))
    )
    (feed / ".DS_Store").write_bytes(b"\0\0")

    assert main([str(feed), "--board", "www.locumjobsonline.com"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "2 files, 6 rows: 5 jobs would be sent, 2 with problems",
        "1 problem cannot be matched to a posting: with deleteJobs, deletions would be withheld",
        "",
        "The board's fields in 6 jobs:",
    ]
    assert lines[lines.index("To fix:") :] == [
        "To fix:",
        f"  b.csv row 2 (a Locum at York): {MC}; it is sent anyway, so that its posting is not",
        "      deleted: the board decides",
        "  b.csv row 3 (t): referenceNumber is missing",
        "",
        "Notes:",
        "  2 of 6 jobs have no title",
        "  6 of 6 jobs have no city",
        "  2 of 6 jobs have no state",
        "  6 of 6 jobs have no description",
        '  state: "Texas" is sent as "TX" (2 times, first in b.csv row 4)',
        '  specialty "Zoology" is not on the board\'s documented list: the board decides (nested/a.jsonl.gz row 1)',
    ]


@pytest.mark.parametrize(
    ("board", "unlisted"),
    [
        ([], []),
        (["--board", "www.travelnursesource.com"], ['license "MD"']),
        (["--board", "www.locumjobsonline.com"], ['license "RN"', 'specialty "ICU"']),
    ],
)
def test_terms_are_compared_with_the_lists_of_the_board_that_is_named(
    feed: Path, capsys: pytest.CaptureFixture[str], board: list[str], unlisted: list[str]
) -> None:
    jobs = [{"referenceNumber": "a", "license": "RN", "specialty": "ICU"}, {"referenceNumber": "b", "license": "MD"}]
    (feed / "jobs.jsonl").write_bytes(jsonl(*jobs))

    assert main([str(feed), "--json", *board]) == 0

    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert [each["message"].partition(" is not on")[0] for each in warnings if "list" in each["message"]] == unlisted


def test_a_board_without_lists_is_refused(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (feed / "jobs.jsonl").write_bytes(jsonl({"referenceNumber": "a"}))

    assert main([str(feed), "--board", "www.alliedtravelcareers.com"]) == 2

    assert capsys.readouterr().err == (
        "jobferry: www.alliedtravelcareers.com has no lists of terms that jobferry knows. Use www.locumjobsonline.com or "
        "www.travelnursesource.com\n"
    )


def test_settings_beside_and_given(feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (feed / "feed.json").write_text('{"fields": {"Job": "title"}}')
    (feed / "jobs.jsonl").write_bytes(jsonl({"Job": "a"}, {"Job": "b"}, {"Job": "c"}))
    other = tmp_path / "other.json"
    other.write_text('{"fields": {"Job": "referenceNumber"}, "maxJobsPerImport": 2}')

    assert main([str(feed)]) == 1
    assert "Nothing would be sent: the feed has no valid job" in capsys.readouterr().out
    assert main(["--settings", str(other), str(feed)]) == 0
    assert capsys.readouterr().out.startswith("1 file, 3 rows: 3 jobs would be sent in 2 imports, 0 with problems\n")


def test_too_many_problems(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (feed / "jobs.jsonl").write_bytes(jsonl({"referenceNumber": "z"}, *[{"title": f"t{n}"} for n in range(120)]))

    assert main([str(feed / "jobs.jsonl")]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Nothing would be sent: 120 of 121 jobs have problems, more than 20 % (maxInvalidPercent)"
    assert [line for line in lines if "referenceNumber is missing" in line] == [
        *[f"  jobs.jsonl row {number} (t{number - 2}): referenceNumber is missing" for number in range(2, 7)],
        "  … and 115 more rows: referenceNumber is missing",
    ]
    assert "  120 in total: --json has every one" in lines


def test_a_problem_of_many_rows_does_not_hide_another(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*[{"title": f"t{n}"} for n in range(120)], {"referenceNumber": "z", "state": "MC"}]
    (feed / "jobs.jsonl").write_bytes(jsonl(*rows))

    assert main([str(feed)]) == 1

    assert 'jobs.jsonl row 121 (z): state "MC"' in capsys.readouterr().out


def test_of_many_different_problems_the_first_are_listed(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (feed / "jobs.jsonl").write_bytes(jsonl(*[{"referenceNumber": f"z{n}", "state": f"MC{n}"} for n in range(120)]))

    assert main([str(feed)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("  jobs.jsonl row")]) == 50
    assert "  120 in total: --json has every one" in lines


def test_without_settings_a_person_is_told_how_to_use_some(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = feed / "jobs.csv"
    file.write_text("Job\na\n")
    assert main([str(file)]) == 1
    assert capsys.readouterr().out.endswith(f"To have them proposed:\n  jobferry suggest {file}\n")

    (feed / "feed.json").write_text('{"fields": {"Job": "referenceNumber"}}')
    assert main([str(file)]) == 1
    said = capsys.readouterr().out
    assert said.endswith(f"beside the file:\n  jobferry validate {file} --settings {feed / 'feed.json'}\n")
    assert main([str(feed)]) == 0
    assert "No settings were used" not in capsys.readouterr().out


def test_json_for_programs(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[Any] = [{"referenceNumber": "a", "title": "t", "state": "MC"}, {"referenceNumber": "b"}, 7]
    (feed / "jobs.jsonl").write_bytes(jsonl(*rows, {"referenceNumber": "c", "state": "Texas"}))

    assert main(["--json", str(feed)]) == 1

    assert json.loads(capsys.readouterr().out) == {
        "objects": ["jobs.jsonl"],
        "rows": 4,
        "jobs": 2,
        "imports": 1,
        "invalid": 2,
        "unprotected": 1,
        "reason": "2 of 4 jobs have problems, more than 20 % (maxInvalidPercent)",
        "understood": {
            "jobs": 3,
            "fields": {
                "referenceNumber": {"jobs": 3, "columns": ["referenceNumber"], "default": False},
                "title": {"jobs": 1, "columns": ["title"], "default": False},
                "state": {"jobs": 2, "columns": ["state"], "default": False},
            },
            "unknownColumns": [],
        },
        "warnings": [
            *(
                {"message": message, "count": 1, "first": {"key": "jobs.jsonl", "row": None, "line": None}}
                for message in (
                    "2 of 3 jobs have no title",
                    "3 of 3 jobs have no city",
                    "1 of 3 jobs has no state",
                    "3 of 3 jobs have no description",
                )
            ),
            {
                "message": 'state: "Texas" is sent as "TX"',
                "count": 1,
                "first": {"key": "jobs.jsonl", "row": 4, "line": None},
            },
        ],
        "firstJobs": [{"referenceNumber": "b"}, {"referenceNumber": "c", "state": "TX"}],
        "problems": [
            {
                "source": {"key": "jobs.jsonl", "row": 1, "line": None},
                "referenceNumber": "a",
                "title": "t",
                "messages": [MC],
                "sent": False,
            },
            {
                "source": {"key": "jobs.jsonl", "row": 3, "line": None},
                "referenceNumber": None,
                "title": None,
                "messages": ["the row is a number, not an object with a job's fields"],
                "sent": False,
            },
        ],
    }


@pytest.mark.parametrize(("arguments", "shown"), [([], 50), (["--show", "0"], 0), (["--show", "55"], 55)])
def test_the_first_jobs_are_in_the_json_exactly_as_they_would_be_sent(
    feed: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], shown: int
) -> None:
    (feed / "feed.json").write_text('{"maxJobsPerImport": 40}')
    jobs = [{"referenceNumber": str(n), "payAmountMin": "1.10", "ratio": 1.1, "tags": [None, "é"]} for n in range(60)]
    (feed / "jobs.jsonl").write_bytes(jsonl(*jobs))

    assert main([str(feed), "--json", *arguments]) == 0

    assert json.loads(capsys.readouterr().out)["firstJobs"] == jobs[:shown]


def test_people_see_the_first_jobs_if_they_want_to(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (feed / "jobs.csv").write_bytes(
        table({"referenceNumber": "a", "title": "Café"}, {"referenceNumber": "b", "title": "NP"})
    )

    assert main([str(feed), "--show", "1"]) == 0

    assert capsys.readouterr().out.splitlines()[-6:] == [
        "",
        "Job 1, as it would be sent:",
        "  {",
        '    "referenceNumber": "a",',
        '    "title": "Café"',
        "  }",
    ]


def test_json_of_a_clean_feed(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (feed / "jobs.jsonl").write_bytes(jsonl({"referenceNumber": "a"}))

    assert main(["--json", str(feed)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["problems"], found["reason"]) == ([], None)


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "settings", "message"),
    [
        ("jobs.json", b"<html>", "{}", "jobs.json is not JSON: it begins with '<'"),
        ("jobs.doc", b"x", "{}", "jobs.doc has a name that ends in none of a feed's formats"),
        ("jobs.csv", b"", "{}", "jobs.csv is empty (0 bytes): was the export cut off?"),
        ("jobs.csv", b"referenceNumber\na\n", '{"paused": 1}', "feed.json: paused is 1, it should be true or false"),
        ("jobs.csv", b"referenceNumber\na\n", '{"maxFeedBytes": 3}', "jobs.csv: the feed has more than 3 bytes"),
    ],
)
def test_what_cannot_be_read(
    feed: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    settings: str,
    message: str,
    as_json: bool,
) -> None:
    (feed / name).write_bytes(content)
    (feed / "feed.json").write_text(settings)

    assert main([str(feed), *(["--json"] if as_json else [])]) == 2

    out, err = capsys.readouterr()
    assert message in err
    assert message in json.loads(out)["error"] if as_json else out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: No such file or directory"),
        (["nowhere.csv"], "nowhere.csv: No such file or directory"),
        (["--settings", "nowhere.json", "."], "nowhere.json cannot be read: No such file or directory"),
        (["."], "the feed's folder has no feed file"),
    ],
)
def test_what_is_not_there(
    feed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(feed)

    assert main(arguments) == 2

    assert message in capsys.readouterr().err


def test_a_file_that_may_not_be_read(
    feed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (feed / "jobs.csv").write_bytes(b"referenceNumber\na\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "jobs.csv")

    monkeypatch.setattr(Path, "open", refuse)

    assert main([str(feed)]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_nothing_of_a_feed_reaches_the_terminal_as_a_command(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07 \u202etxt.exe \x9b31m \u2066x\r\n"
    rows = [
        {"referenceNumber": evil, "title": evil, "state": evil},
        {"referenceNumber": "b", "specialty": evil},
        {evil: "x", "job id\x1b[0m": "y"},
    ]
    (feed / "a\x1b[5mb.jsonl").write_bytes(jsonl(*rows))
    (feed / "c.json").write_bytes(evil.encode())

    for path in (feed, feed / "a\x1b[5mb.jsonl"):
        main([str(path), "--show", "9"])
        out, err = capsys.readouterr()
        assert out + err
        assert not set("\x1b\x07\x9b\r\u202e\u2066") & set(out + err)


def test_names_of_files_that_are_no_text(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsencode(feed) + b"/jobs-\xe9.csv"
    try:
        Path(os.fsdecode(name)).write_bytes(table({"referenceNumber": "a", "state": "MC"}))
    except OSError:
        pytest.skip("this file system has no such names")

    assert main([str(feed)]) == 2
    assert "jobs-" in capsys.readouterr().err


def test_as_a_command(feed: Path) -> None:
    (feed / "jobs.jsonl").write_bytes(
        jsonl({"referenceNumber": "é", "state": "MC"}, *[{"referenceNumber": str(n)} for n in range(9)])
    )

    ended = subprocess.run(
        [sys.executable, "-m", "jobferry.cli", "validate", str(feed)],
        capture_output=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii", "PATH": os.environ["PATH"]},
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert b"9 jobs would be sent, 1 with problem" in ended.stdout
    assert b'state "MC" is not a state' in ended.stdout
    assert b"Traceback" not in ended.stderr
