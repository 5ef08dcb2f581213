"""Texts of others are harmless where they are shown, and times are in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobferry.text import counted, day, one_line, when


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("State is invalid. Value passed was: MC", "State is invalid. Value passed was: MC"),
        ("two\r\nlines\tand\u2028more", "two lines and more"),
        ("\x1b[31mred\x07", "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}"),
        ("gnp\u202eexe\u200b", "gnpexe"),
        ("half a pair \ud800", "half a pair \N{REPLACEMENT CHARACTER}"),
        ("Jos\u00e9 \N{GRINNING FACE}", "Jos\u00e9 \N{GRINNING FACE}"),
        ("callback https://x.example/callbacks/a?token=ab/c+d=&x=1", "callback https://x.example/callbacks/a?token=(hidden)&x=1"),
        ("Authorization: Basic c2VjcmV0LWtleTo=", "Authorization: Basic (hidden)"),
        ("https://key:word@board.example/x", "https://(hidden)@board.example/x"),
        ("Basic Cardiovascular Life Support", "Basic Cardiovascular Life Support"),
        ("https://board.example/x@y", "https://board.example/x@y"),
        (["a", 1], "['a', 1]"),
    ],
)  # fmt: skip
def test_one_line(text: object, shown: str) -> None:
    assert one_line(text, 200) == shown


def test_markup_becomes_what_only_looks_like_it() -> None:
    shown = one_line("<!channel> <b>", 20)
    assert "<" not in shown
    assert ">" not in shown
    assert "!channel" in shown


def test_a_long_text_is_cut_and_says_so() -> None:
    assert one_line("x" * 100, 10) == "xxxxxxxxx…"
    assert one_line("x" * 10, 10) == "x" * 10


@settings(deadline=None)  # of a busy machine
@given(st.text(), st.integers(1, 50))
def test_one_line_is_one_printable_line_of_its_length(text: str, limit: int) -> None:
    shown = one_line(text, limit)
    assert len(shown) <= limit
    assert all(character.isprintable() for character in shown)
    shown.encode()


def test_times_are_in_utc_and_in_words() -> None:
    new_york = datetime(2026, 11, 23, 21, 0, 5, tzinfo=timezone(timedelta(hours=-5)))
    assert when(new_york) == "02:00 UTC on November 24, 2026"
    assert day(datetime(2026, 3, 2, tzinfo=UTC)) == "March 2, 2026"


def test_counts() -> None:
    assert [counted(number, "job") for number in (0, 1, 4416)] == ["0 jobs", "1 job", "4,416 jobs"]
    assert counted(1, "job is", "jobs are") == "1 job is"
