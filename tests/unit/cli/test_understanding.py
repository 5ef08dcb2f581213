"""How the command line understands what it is told."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import webbrowser
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from jobferry.cli import application, commands, completion
from jobferry.errors import CannotBeDoneError
from tests.unit.cli.person import Person
from tests.unit.notices.cases import complete

ID = "default-20261124T070000Z"


@pytest.fixture(autouse=True)
def _nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "JOBFERRY_"))]:
        monkeypatch.delenv(name)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["jobferry", *arguments])
    with pytest.raises(SystemExit) as exit_:
        commands.main()
    return int(exit_.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "environment", "place"),
    [
        (["status"], {}, ("jobferry", None, None)),
        (["--stack", "s", "--profile", "p", "--region", "r", "status"], {}, ("s", "p", "r")),
        (["status", "--stack", "s", "--profile", "p", "--region", "r"], {}, ("s", "p", "r")),
        (["--stack", "before", "history", "default", "--stack", "after"], {}, ("after", None, None)),
        (["status"], {"JOBFERRY_STACK": "s", "AWS_PROFILE": "p", "AWS_REGION": "r"}, ("s", "p", "r")),
        (["--stack", "given", "status"], {"JOBFERRY_STACK": "s"}, ("given", None, None)),
        (["status", "--profile", "given"], {"AWS_PROFILE": "p"}, ("jobferry", "given", None)),
    ],
)
def test_the_stack_is_named_before_or_after_the_command_or_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: dict[str, str], place: Any
) -> None:
    asked: list[Any] = []

    def find(*given: Any) -> Any:
        asked.append(given)
        raise CannotBeDoneError("no")

    monkeypatch.setattr(application, "find", find)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run(monkeypatch, *arguments) == 2
    assert asked == [place]


def test_what_cannot_be_done_is_said_to_people_and_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(*_: Any) -> Any:
        raise CannotBeDoneError("there is no stack \x1b[31mx")

    monkeypatch.setattr(application, "find", find)
    assert run(monkeypatch, "status") == 2
    assert capsys.readouterr() == ("", "jobferry: there is no stack �[31mx\n")
    assert run(monkeypatch, "status", "--json") == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "there is no stack \x1b[31mx"}
    assert err == "jobferry: there is no stack �[31mx\n"


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["history"], ["history", "a", "--limit", "0"], ["status", "--no"]]
)
def test_what_is_not_understood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert "Usage: jobferry" in capsys.readouterr().err


def test_retry_needs_one_of_two(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "retry", "default-20261124T020000Z") == 2
    assert "--export fix.jsonl" in capsys.readouterr().err
    assert run(monkeypatch, "retry", "default-20261124T020000Z", "a.jsonl", "--export", "b.jsonl") == 2


def test_every_command_says_what_it_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--help") == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    names = "validate suggest status submit confirm watch history show report retry pause resume schedule unschedule".split()  # noqa: SIM905
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line.strip()][
        : len(names)
    ] == names
    assert "..." not in listed  # each in a line that is not cut
    for name in names:
        assert run(monkeypatch, name, "--help") == 0
        words = set(capsys.readouterr().out.split())
        assert "--json" in words
        needs_aws = name not in ("validate", "suggest")
        assert {"--stack", "--profile", "--region"} & words == (
            {"--stack", "--profile", "--region"} if needs_aws else set()
        )


def test_a_command_that_needs_no_aws_takes_the_options_that_find_the_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jobs.csv").write_text("referenceNumber,title\na,t\n")
    plain = run(monkeypatch, "validate", str(tmp_path))
    assert run(monkeypatch, "validate", str(tmp_path), "--stack", "s", "--profile", "p", "--region", "r") == plain != 2


def test_validate_is_what_make_validate_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "jobs.csv").write_text("Job,title,state\na,t,MC\nb,t,PA\n")
    settings = tmp_path / "other.json"
    settings.write_text('{"fields": {"Job": "referenceNumber"}, "maxInvalidPercent": 50}')
    path = str(tmp_path / "jobs.csv")

    assert run(monkeypatch, "validate", path, "--settings", str(settings)) == 1
    out = capsys.readouterr().out
    assert out.startswith("1 file, 2 rows: 1 job would be sent, 1 with problems\n")
    assert 'jobs.csv row 2 (a t): state "MC" is not a state of the USA' in out
    assert run(monkeypatch, "validate", path, "--settings", str(settings), "--json") == 1
    assert json.loads(capsys.readouterr().out)["problems"][0]["source"] == {"key": "jobs.csv", "row": 2, "line": None}
    assert run(monkeypatch, "validate", str(tmp_path / "none.csv")) == 2


def test_the_installed_command_completes_itself() -> None:
    command = [sys.executable, "-m", "jobferry.cli"]
    environment = {**os.environ, "COMP_WORDS": "jobferry st", "COMP_CWORD": "1", "_JOBFERRY_COMPLETE": "bash_complete"}
    done = subprocess.run([Path(sys.executable).with_name("jobferry")], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["plain,status"]
    assert subprocess.run([*command, "frobnicate"], capture_output=True).returncode == 2


def test_feeds_and_imports_are_completed_from_the_stack(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person.have(complete(), complete(import_id=f"{ID}-2"))
    monkeypatch.setattr(completion, "find", vars(application)["find"])

    def complete_words(*words: str) -> list[str]:
        shell = ShellComplete(commands.app, {}, "jobferry", "_JOBFERRY_COMPLETE")
        return [each.value for each in shell.get_completions(list(words[:-1]), words[-1])]

    assert complete_words("submit", "de") == ["default"]
    assert complete_words("--stack", "mine", "submit", "x") == []
    assert complete_words("show", "default-2") == [ID, f"{ID}-2"]
    monkeypatch.setattr(completion, "find", fail_to_find)
    assert complete_words("submit", "de") == []


def fail_to_find(*_: Any) -> Any:
    raise CannotBeDoneError("there is no such stack")


@pytest.mark.parametrize("options", ["--json", "--show 5000"])
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(tmp_path: Path, options: str) -> None:
    (tmp_path / "jobs.jsonl").write_text("".join(f'{{"referenceNumber": "{n}", "state": "MC"}}\n' for n in range(5000)))
    command = f"{shlex.quote(sys.executable)} -m jobferry.cli validate {tmp_path} {options} | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)  # a pipe of our own
    assert (len(done.stdout), done.stderr) == (10, "")


def test_the_version_is_the_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"jobferry {metadata.version('jobferry')}\n"


def test_a_report_that_no_browser_opens_says_so(
    person: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    person.have(complete())
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert "open the file yourself" in person("report", ID, "-o", str(tmp_path / "page.html"), "--open")
