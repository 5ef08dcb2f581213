"""The table of a report: as Excel opens it, and with nothing in it that Excel would run."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobferry.notices import report as reports
from jobferry.notices.report.csv_table import COLUMNS
from jobferry.notices.view import ImportView
from jobferry.records.failed_jobs import FailedJob
from tests.unit.notices.cases import CREATED, EARLIER, NOT_A_STATE, STATE, ZIP, complete, job, results, view_of
from tests.unit.notices.report.given import many, of_case


def text_of(given: ImportView) -> str:
    return "".join(reports.csv(given))


def rows_of(given: ImportView) -> list[dict[str, str]]:
    text = text_of(given)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))


def test_it_has_all_jobs_new_ones_first() -> None:
    rows = rows_of(view_of(complete(results(failed=9000)), many(9000)))
    new = [f"LT-{10000 + each}" for each in range(9000) if each % 5]
    still = [f"LT-{10000 + each}" for each in range(0, 9000, 5)]
    assert [row["Reference number"] for row in rows] == new + still
    assert rows[0] == {
        "Reference number": "LT-10001",
        "Title": "Emergency Medicine, Erie",
        "File": "feeds/default/jobs.csv",
        "Row": "3",
        "Line": "",
        "Refused by": "the board",
        "Why": STATE,
        "To fix": "",
        "New": "new",
        "Failing since (UTC)": "2026-11-24",
    }
    assert (rows[-1]["New"], rows[-1]["Failing since (UTC)"]) == ("still failing", "2026-11-17")


def test_it_says_who_refused_a_job() -> None:
    held = view_of(complete(results(failed=1), invalid=1), [job(1, STATE, ZIP)], [job(2, NOT_A_STATE)])
    assert [(row["Refused by"], row["Why"]) for row in rows_of(held)] == [
        ("the board", f"{STATE}; {ZIP}"),
        ("jobferry, before sending", NOT_A_STATE),
    ]
    [row] = rows_of(view_of(complete(results(failed=1), verified=False), [job(1, STATE)]))
    assert row["Refused by"] == "the board's callback, not confirmed"


def test_it_says_what_we_found_beside_the_boards_words_and_lists_last_what_only_looks_wrong() -> None:
    first, last = rows_of(of_case("found-and-refused"))
    assert (first["Why"], first["To fix"]) == (STATE, NOT_A_STATE)
    assert last["Refused by"] == "not refused: the board published it, but it looks wrong"
    assert last["Why"].startswith('postalCode "00000"')
    assert "it is sent" not in text_of(of_case("found-and-refused"))


def test_the_bytes_are_those_that_excel_expects() -> None:
    text = text_of(view_of(complete(results(failed=1)), [job(1, 'He said "no"', title="Médecin, nuit")]))
    lines = text.encode().split(b"\r\n")
    assert lines[0].startswith(b'\xef\xbb\xbf"Reference number","Title"')
    assert '"LT-10001","Médecin, nuit",'.encode() in lines[1]
    assert b'"He said ""no"""' in lines[1]
    assert lines[2:] == [b""]
    assert b"\n" not in b"".join(lines)


def test_without_a_failed_job_it_has_its_heading() -> None:
    assert rows_of(view_of(complete())) == []
    assert text_of(view_of(complete())).count("\r\n") == 1


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        ("\r=1", "'=1"),
        ("\u200b=1", "'=1"),
        ("\N{FULLWIDTH EQUALS SIGN}1", "'\N{FULLWIDTH EQUALS SIGN}1"),
        ("Nights; =HYPERLINK(1)", "Nights; '=HYPERLINK(1)"),
        ("Nights;-1", "Nights;'-1"),
        ('bad;"=1+1;x', """bad;'"=1+1;x"""),
        ('bad; " "@x', """bad; '" "@x"""),
        ('"=1+1"', """'"=1+1\""""),
        ('x",=1', 'x",=1'),
        ("LT-1 = ok", "LT-1 = ok"),
        ("00501", "00501"),
    ],
)
def test_no_cell_is_a_formula(given: str, safe: str) -> None:
    [row] = rows_of(view_of(complete(results(failed=1)), [job(1, given, title=given, reference_number=given)]))
    assert (row["Reference number"], row["Title"], row["Why"]) == (safe, safe, safe)


_texts = st.text(max_size=60) | st.builds(
    lambda start, rest: start + rest, st.sampled_from("=+-@\t\r\n;\",'\u202e"), st.text(max_size=20)
)


@settings(deadline=None)  # of a busy machine
@given(st.lists(st.builds(lambda number, text: job(number, text, reference_number=text, title=text, key=text, row=None,
                                                   since=CREATED if number % 2 else EARLIER), st.integers(0, 99), _texts)))  # fmt: skip
def test_whatever_a_feed_holds_each_job_is_one_line_of_harmless_cells(jobs: list[FailedJob]) -> None:
    given = view_of(complete(results(failed=len(jobs))), jobs)
    rows = rows_of(given)
    assert len(rows) == len(jobs) == text_of(given).count("\r\n") - 1
    for row in rows:
        assert tuple(row) == COLUMNS
        for cell in row.values():
            assert "\n" not in cell
            assert "\r" not in cell
            # As Excel reads it where it parts at commas, and where it parts at semicolons.
            for part in cell.split(";"):
                assert not part.strip(' "').startswith(("=", "+", "-", "@", "\t"))


def test_memory_does_not_grow_with_the_failures() -> None:
    class Streamed:
        def __iter__(self) -> Iterator[FailedJob]:
            return (job(each, ZIP, since=EARLIER if each % 2 else CREATED) for each in range(5000))

    given = view_of(complete(results(failed=5000)), Streamed())
    tracemalloc.start()
    lines = sum(1 for _ in reports.csv(given))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == 5001
    assert peak < 700_000
