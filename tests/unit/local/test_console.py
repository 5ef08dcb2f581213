"""The commands' errors, and what the console prints."""

import sys
from pathlib import Path

import pytest

from local import __main__ as commands
from local import demo
from local.console import Console, counts, e_mail
from local.system import PublishedNotice
from local.template import TemplateError


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["local", *arguments])
    return commands.main()


@pytest.mark.parametrize(
    "error",
    [demo.UnexpectedResultError("rows: 1, not 2"), TimeoutError("it is pending"), TemplateError("there is no X")],
)
def test_a_failed_demonstration_prints_why(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_folder: Path) -> None:
        raise error

    monkeypatch.setattr(demo, "run", fail)
    assert call(monkeypatch, "demo") == 1
    assert f"The demonstration failed. {error}" in capsys.readouterr().err


def test_an_unexpected_result_is_an_error() -> None:
    with pytest.raises(demo.UnexpectedResultError, match="notices: 1, not 2"):
        demo.check("notices", 1, 2)


def test_a_parameter_is_a_name_and_a_value(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call(monkeypatch, "serve", "--parameter", "ImportOnUpload")
    assert "NAME=VALUE was expected" in capsys.readouterr().err


def test_a_notice_is_printed_as_an_e_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = "TO DO\n1. " + "mend it " * 12 + "\n\n  0 updated\n"
    notice = PublishedNotice("3 failed", {"default": "{}", "email": text}, {})
    assert list(e_mail(notice)) == [
        "Subject: 3 failed",
        "",
        "TO DO",
        "1. mend it mend it mend it mend it mend it mend it mend it mend it",
        "   mend it mend it mend it mend it",
        "",
        "  0 updated",
    ]


def test_lines_have_times_and_tables_have_columns(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.line("It starts.")
    console.table("Rows:", [("row 5", "a"), ("row 123", "bc")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  0.0 s  It starts."
    assert lines[2:] == ["           row 5    a", "           row 123  bc"]


def test_counts_of_a_result_that_lacks_some() -> None:
    assert counts({"results": {"added": 1, "failed": 2}}) == "1 added, ? updated, ? unchanged, 2 failed, ? deleted"
