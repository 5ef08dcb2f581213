"""The page of a report: what it says, that nothing in it is code but its own, and that it stays small."""

from __future__ import annotations

import re
import tracemalloc
from base64 import b64encode
from collections import Counter
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobferry.notices.failures import Verdict, failures_of
from jobferry.notices.report.page import ROWS, SIZE, html
from jobferry.records.failed_jobs import FailedJob
from jobferry.records.imports import Posting, State
from tests.records import an_import, changed
from tests.unit.notices.cases import (
    CASES,
    COMMANDS,
    CREATED,
    EARLIER,
    NOT_A_STATE,
    STATE,
    ZIP,
    complete,
    job,
    results,
    view_of,
)
from tests.unit.notices.report.given import HOSTILE, history, hostile, many, of_case, page
from tests.unit.notices.test_notices import _jobs as jobs_of_any_kind

VOID = {"meta", "link", "input", "br", "line", "rect", "circle", "path"}


class Read(HTMLParser):
    """What a page has: its tags with their attributes, and its words without those of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.code: dict[str, str] = {}
        self.open: list[str] = []
        self._words: list[str] = []
        self.feed(text)
        self.close()

    @property
    def words(self) -> str:
        return " ".join("".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        self._words.append(" " if tag == "br" else "")  # which has no end

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._words.append(" ")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.code[self.open[-1]] = self.code.get(self.open[-1], "") + data
        else:
            self._words.append(data)


def is_sound(text: str) -> Read:
    """Asserts that a page holds only what this project wrote as code, and asks for nothing."""
    read = Read(text)
    assert read.open == []
    assert (read.tags["script"], read.tags["style"], read.tags["meta"], read.tags["link"]) == (1, 1, 6, 1)
    assert not {"base", "iframe", "img", "object", "embed", "video", "audio"} & set(read.tags)
    for tag, name, value in read.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("src", "srcset", "action", "style", "autofocus", "background", "ping"), (tag, name)
        if name == "href":
            assert re.fullmatch(r"#[a-z]+|data:,", value)
    policy = next(value for _, name, value in read.attributes if name == "content")
    for kind in ("style", "script"):
        digest = b64encode(sha256(read.code[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    ids = [value for _, name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    referred = [value for _, name, value in read.attributes if name in ("aria-labelledby", "data-by")]
    assert set(referred) <= set(ids)
    # Angle brackets of others are written as others; so any here was meant to be one, and has become one twice.
    assert not re.search("[<>]", read.words)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\x00-\x08\x0b-\x1f\ud800-\udfff]", text)
    return read


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_import_has_a_page_that_says_what_to_do_in_the_notices_words(name: str) -> None:
    read = is_sound(page(of_case(name)))
    notice = CASES[name].notice()
    for step in notice.data["whatToDo"]:
        assert " ".join(step["text"].split()) in read.words
        assert step["command"] is None or " ".join(step["command"].split()) in read.words
    headline = notice.subject.partition(": ")[2]
    assert headline.lower() in read.words.lower()


@pytest.mark.parametrize("name", ["withheld-too-many", "expired-with-deletions", "success-with-deletions"])
def test_the_headings_are_those_to_which_the_steps_refer(name: str) -> None:
    title = {"withheld-too-many": "Would be deleted (512)", "expired-with-deletions": "Were to be deleted (5)"}.get(
        name, "Deleted (5)"
    )
    words = Read(page(of_case(name))).words
    assert title in words
    for referred in re.findall(r"under ([A-Z ]+[A-Z])", str(CASES[name].notice().data["whatToDo"])):
        assert title.upper().startswith(referred)


def test_all_jobs_are_there_new_ones_first() -> None:
    text = page(view_of(complete(results(failed=313)), many(313)))
    assert "Jobs that failed (313)" in text
    rows = re.findall(r'<tr role="row" class="([ns]) b" data-r="(\d+)"><td role="cell" class="ref">LT-(\d+)<', text)
    new = [("n", f"{10000 + each}") for each in range(313) if each % 5]
    still = [("s", f"{10000 + each}") for each in range(0, 313, 5)]
    assert [(kind, number) for kind, _, number in rows] == new + still
    assert {(reason, int(number) % 3 == 10000 % 3) for _, reason, number in rows} == {("0", False), ("1", True)}
    assert '<time datetime="2026-11-20">November 20, 2026</time>' in text


def test_the_reasons_are_counted_and_named_with_where_they_are() -> None:
    words = Read(page(view_of(complete(results(failed=30)), many(30)))).words
    assert f"20 {STATE} In jobs.csv row 3, jobs.csv row 4, jobs.csv row 6 and more." in words
    assert f"10 {ZIP} In jobs.csv row 2, jobs.csv row 5, jobs.csv row 8 and more." in words


def test_who_refused_a_job_is_said_where_it_differs() -> None:
    failed, held = [job(1, STATE)], [job(2, NOT_A_STATE)]
    both = Read(page(view_of(complete(results(failed=1), invalid=1), failed, held))).words
    assert f"The board says: {STATE}" in both
    assert f"Not sent: {NOT_A_STATE}" in both
    one = Read(page(view_of(complete(results(failed=1)), failed))).words
    assert f"Why, says the board Since LT-10001 Hospitalist nights, Lancaster jobs.csv row 3 {STATE} New" in one
    doubtful = Read(page(view_of(complete(results(failed=1), verified=False), failed))).words
    assert "Why, says the callback" in doubtful


def test_what_we_found_is_beside_the_boards_words_and_what_the_board_took_is_apart() -> None:
    words = Read(page(of_case("found-and-refused"))).words
    assert f"{STATE} To fix: {NOT_A_STATE}" in words
    taken = words.index("Published, but check (1)", words.index("Jobs that failed (1) Search"))
    assert words.index("LT-10015") > taken > words.index("LT-10014")


def test_counts_are_the_boards_own() -> None:
    words = Read(page(of_case("deleted-more"))).words
    assert (
        "added 3 updated 7 unchanged 390 failed 0 in total, matching what was sent 400 postings deleted, 5 expected 50"
        in words
    )
    assert "4 jobs that failed before are fixed." in Read(page(of_case("new-and-still-and-fixed"))).words


def test_the_postings_that_would_go_are_all_there_and_before_the_jobs() -> None:
    deletes = [Posting(reference_number=f"P-{each}", title="Nights & days") for each in range(512)]
    text = page(of_case("withheld-fewer-objects-and-too-many"), deletes)
    assert re.findall(r'class="ref">(P-\d+)<', text) == [f"P-{each}" for each in range(512)]
    assert text.index('id="deletions"') < text.index('id="jobs"')
    sent = page(of_case("found-and-refused"), deletes)
    assert sent.index('id="deletions"') > sent.index('id="jobs"')


def test_a_list_that_is_too_long_says_so_and_where_all_of_it_is() -> None:
    failed = many(ROWS + 500)
    text = page(view_of(complete(results(failed=len(failed))), failed))
    assert text.count('<tr role="row" class="') == ROWS
    words = Read(text).words
    assert f"The first 5,000 of {len(failed):,} are here, new ones first." in words
    assert f"aws s3 cp s3://{COMMANDS.bucket}/archive/default/default-20261124T070000Z.report.csv ." in words
    deletes = (Posting(reference_number=str(each)) for each in range(ROWS + 7))
    record = changed(CASES["withheld-too-many"].record, withheld_deletes=ROWS + 7)
    words = Read(page(view_of(record), deletes)).words
    assert "5,007 postings not in the feed, and kept. The first 5,000 of them are here." in words
    assert "default-20261124T070000Z.deletes.jsonl.gz" in words


def test_new_jobs_are_there_even_behind_thousands_of_known_ones() -> None:
    failed = [job(each, STATE, since=EARLIER if each < ROWS else CREATED) for each in range(ROWS + 3)]
    text = page(view_of(complete(results(failed=len(failed))), failed))
    assert all(f">LT-{10000 + each}<" in text for each in range(ROWS, ROWS + 3))
    assert f">LT-{10000 + ROWS - 4}<" in text
    assert f">LT-{10000 + ROWS - 3}<" not in text


class TestHistory:
    def test_is_there_as_a_chart_and_as_a_table(self) -> None:
        text = page(of_case("one-failed", history(40)))
        words = Read(text).words
        assert "30 imports: 1 job failed now, 40 at most; 1 without a result." in words
        assert text.count('<rect class="bar"') == 1 + 27  # one is of the legend
        assert text.count('<rect class="this"') == 2
        assert text.count('<rect class="none"') == 1
        assert text.count('<circle class="good"') == 2
        assert "07:00 UTC on November 24, 2026 (this import) complete 200 1 0" in words
        assert "07:00 UTC on November 20, 2026 nothing was sent, the feed has no file 0" in words
        assert "October 25, 2026" not in words

    def test_leaves_out_what_came_later_what_is_open_and_an_old_copy_of_this_one(self) -> None:
        record = CASES["one-failed"].record
        later = complete(results(failed=999), import_id="later", created_at=CREATED + timedelta(hours=1))
        open_one = complete(results(failed=998), import_id="open", created_at=EARLIER, state=State.RUNNING)
        stale = changed(record, state=State.SUBMITTING, results=None)
        words = Read(page(of_case("one-failed", [later, stale, *history(1), open_one]))).words
        assert "2 imports: 1 job failed now, 8 at most; 0 without a result." in words

    def test_of_a_first_import_is_none(self) -> None:
        record = CASES["one-failed"].record
        assert 'id="history"' not in page(of_case("one-failed", [record]))


class TestHostile:
    def test_text_is_only_text(self) -> None:
        read = is_sound(page(hostile()))
        assert "\u2039/script\u203a\u2039script\u203aalert(2)\u2039/script\u203a" in read.words
        assert "&lt;script&gt;alert(6)" in read.words  # as it was written, not what it would mean
        assert "gnp.exe right to left" in read.words
        assert "x" * 601 not in read.words

    @settings(deadline=None)  # of a busy machine
    @given(
        failed=jobs_of_any_kind,
        invalid=jobs_of_any_kind,
        full_sync=st.booleans(),
        text=st.text(max_size=200) | st.sampled_from(HOSTILE),
        state=st.sampled_from([State.COMPLETE, State.BLOCKED, State.REJECTED, State.EXPIRED]),
        counts=st.dictionaries(
            st.sampled_from(["added", "failed", "deleted", "processed"]), st.integers(0, 10**9) | st.text()
        ),
    )
    def test_a_page_is_sound_whatever_was_recorded(
        self, failed: list[FailedJob], invalid: list[FailedJob], full_sync: bool, text: str, state: State, counts: dict[str, Any]
    ) -> None:  # fmt: skip
        record = an_import(
            import_id="default-20261124T070000Z", feed="default", created_at=CREATED, state=state, cause=None,
            reason=text, results=counts, full_sync=full_sync, warned=[text], board=text, board_import_id=text,
            withheld_deletes=1, sources=[{"key": text, "bytes": text}],
        )  # fmt: skip
        is_sound(page(view_of(record, failed, invalid, {text}), [Posting(reference_number=text, title=text)]))


@settings(deadline=None)  # of a busy machine
@given(failed=jobs_of_any_kind, invalid=jobs_of_any_kind, full_sync=st.booleans(), has_results=st.booleans())
def test_a_report_lists_just_the_jobs_that_a_notice_counts(
    failed: list[FailedJob], invalid: list[FailedJob], full_sync: bool, has_results: bool
) -> None:
    invalid = [each.model_copy(update={"sent": bool(each.number % 2)}) for each in invalid]
    record = complete(results(), full_sync=full_sync)
    record = record if has_results else changed(record, results=None)
    view = view_of(record, failed, invalid)
    counted, listed = view.failures, list(failures_of(view.details))
    assert Counter(each.verdict for each in listed) == Counter(
        {
            Verdict.REFUSED: counted.refused,
            Verdict.HELD_BACK: counted.held_back,
            Verdict.ACCEPTED: counted.accepted,
        }
    )
    assert sum(each.is_new for each in listed if each.verdict is not Verdict.ACCEPTED) == counted.new


def test_memory_does_not_grow_with_the_failures() -> None:
    class Streamed:
        """Jobs that are only made when they are asked for, each with the longest message."""

        def __init__(self, count: int) -> None:
            self.count = count

        def __iter__(self) -> Any:
            return (job(each, f"Specialty is invalid. {'&' * 1800}") for each in range(self.count))

    def peak(count: int) -> tuple[int, int]:
        tracemalloc.start()
        size = sum(len(part) for part in html(view_of(complete(results(failed=count)), Streamed(count)), ()))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found, size

    few, many_ = peak(3000), peak(6000)
    assert many_[1] < SIZE * 1.1
    assert many_[0] < few[0] * 1.1 + 1_000_000
    assert many_[0] < 40_000_000


def test_a_severity_has_its_words() -> None:
    assert "Urgent" in page(of_case("expired"))
    assert 'class="state critical"' in page(of_case("expired"))
    assert "For your information" in page(of_case("success"))
