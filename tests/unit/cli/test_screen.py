"""What a person sees."""

from __future__ import annotations

import pytest

from jobferry.cli.screen import answer, complain, pairs, table, text
from jobferry.text import duration


def test_columns_are_aligned_numbers_to_the_right() -> None:
    assert table(("FEED", "JOBS", "STATE"), [["a", 1_200, "complete"], ["nurses", None, ""], ["b", 7, "x"]]) == [
        "FEED     JOBS  STATE",
        "a       1,200  complete",
        "nurses      -  -",
        "b           7  x",
    ]


def test_a_table_may_be_empty() -> None:
    assert table(("FEED", "JOBS"), []) == ["FEED  JOBS"]


def test_names_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert pairs({"state": "complete", "reason": "word " * 15, "none": None}) == [
        "  state   complete",
        "  reason  word word word word word word word word word word",
        "          word word word word word",
    ]


HOSTILE = "\x1b[2J\x9b1m\u202eevil\u2066\nline\x07"


def test_nothing_that_is_shown_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    complain(HOSTILE)
    answer({"title": HOSTILE})
    out, err = capsys.readouterr()
    shown = [
        *table(("A",), [[HOSTILE]]),
        *pairs({"a": HOSTILE}),
        *text(HOSTILE),
        err.rstrip("\n"),
        out.replace("\n", ""),
    ]
    assert shown[1] == "�[2J�1mevil line�"
    for line in shown:
        assert all(character.isprintable() for character in line), line
        assert "\u202e" not in line


@pytest.mark.parametrize(("seconds", "said"), [(4.4, "4 s"), (99, "99 s"), (720, "12 min"), (12_000, "3 h 20 min")])
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
