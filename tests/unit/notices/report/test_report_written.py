"""Where a report goes, what it is made of, and that a notice goes out with or without it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from isal import igzip

from jobferry.adapters.sns import message
from jobferry.notices import report as reports
from jobferry.notices.details import read_details
from jobferry.notices.notice import publish
from jobferry.notices.report import Links, read_deletes
from jobferry.notices.view import ImportView
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.imports import Import, Posting, State
from tests.fakes import MemoryStore, MemoryTopic
from tests.unit.notices.cases import (
    CASES,
    COMMANDS,
    CREATED,
    LINKS,
    NOT_A_STATE,
    STATE,
    ZIP,
    blocked,
    complete,
    job,
    results,
    sent,
)
from tests.unit.notices.report.given import of_case

NOW = CREATED + timedelta(minutes=7)
ID = "default-20261124T070000Z"


class MemoryArchive:
    """An Archive in memory.

    Attributes:
        stored: what was stored, with its type, by key.
        deletes: the file with the deletions, if there is one.
    """

    def __init__(self, deletes: bytes | None = None) -> None:
        self.stored: dict[str, tuple[str, bytes]] = {}
        self.deletes = deletes

    def fetch(self, key: str, path: Path) -> bool:
        assert key == f"archive/default/{ID}.deletes.jsonl.gz"
        if self.deletes is not None:
            path.write_bytes(self.deletes)
        return self.deletes is not None

    def store(self, key: str, path: Path, content_type: str) -> None:
        self.stored[key] = (content_type, path.read_bytes())

    def link(self, key: str, time: timedelta) -> str:
        return f"https://bucket/{key}?X-Amz-Expires={time.total_seconds():.0f}"


class TestStore:
    def test_puts_both_parts_beside_the_archive_and_says_where_they_are(self) -> None:
        archive = MemoryArchive()
        links = reports.store(of_case("one-failed"), archive, NOW)
        page, table = f"archive/default/{ID}.report.html", f"archive/default/{ID}.report.csv"
        assert links == Links(
            html=f"https://bucket/{page}?X-Amz-Expires=43200",
            csv=f"https://bucket/{table}?X-Amz-Expires=43200",
            until=NOW + timedelta(hours=12),
            html_key=page,
            csv_key=table,
        )
        assert {key: kind for key, (kind, _) in archive.stored.items()} == {
            page: "text/html; charset=utf-8",
            table: "text/csv; charset=utf-8",
        }
        assert archive.stored[page][1].startswith(b"<!doctype html>\n")
        assert archive.stored[page][1].endswith(b"</html>\n")
        assert archive.stored[table][1] == "".join(reports.csv(of_case("one-failed"))).encode()

    def test_lists_the_deletions_of_the_archive_or_else_the_first_of_them(self) -> None:
        lines = b"".join(b'{"referenceNumber":"P-%d","title":null}\n' % each for each in range(512))
        archive = MemoryArchive(igzip.compress(lines))
        links = reports.store(of_case("withheld-too-many"), archive, NOW)
        assert archive.stored[links.html_key][1].count(b'class="ref">P-') == 512
        archive.deletes = None
        reports.store(of_case("withheld-too-many"), archive, NOW)
        assert archive.stored[links.html_key][1].count(b'class="ref">LT-') == 25
        assert b"512 postings not in the feed, and kept. The first 25" in archive.stored[links.html_key][1]

    def test_asks_for_no_deletions_where_there_are_none(self, tmp_path: Path) -> None:
        class NoArchive(MemoryArchive):
            def fetch(self, key: str, path: Path) -> bool:
                raise AssertionError(key)

        assert read_deletes(NoArchive(), CASES["one-failed"].record, tmp_path) == []


class TestGather:
    def store(self, record: Import) -> MemoryStore:
        store = MemoryStore()
        store.save(record)
        return store

    def test_gives_all_kinds_and_again(self) -> None:
        record = complete(results(failed=2500), invalid=2, previous="before")
        store = self.store(record)
        store.save(complete(import_id="before", created_at=record.created_at - timedelta(days=1)))
        refused, held = [job(each, STATE) for each in range(2500)], [job(0, NOT_A_STATE), job(1, ZIP)]
        store.write_failed(ID, FailedKind.ERROR, refused, record.expires)
        store.write_failed(ID, FailedKind.INVALID, held, record.expires)
        store.write_failed(ID, FailedKind.UNVERIFIED, [job(7, "not the board's word")], record.expires)
        store.write_failed("before", FailedKind.ERROR, [job(3, STATE)], record.expires)
        with read_details(store, record) as found:
            for _ in range(2):
                assert list(found.failed) == refused
                assert list(found.invalid) == held
            assert found.previously == frozenset({"LT-10003"})
            assert [each.import_id for each in found.history] == [ID, "before"]

    def test_takes_the_callbacks_word_while_there_is_no_other(self) -> None:
        record = complete(results(failed=1), verified=False)
        store = self.store(record)
        store.write_failed(ID, FailedKind.UNVERIFIED, [job(7, STATE)], record.expires)
        with read_details(store, record) as found:
            assert list(found.failed) == [job(7, STATE)]

    @pytest.mark.parametrize(
        "record",
        [
            complete(parts=3),
            complete(import_id=f"{ID}-2", run=ID),
            complete(previous=None),
            complete(retry="archive/default/x.retry.jsonl.gz"),
            sent(State.EXPIRED, "no-result", "no result"),
        ],
    )
    def test_compares_with_nothing_that_had_other_jobs(self, record: Import) -> None:
        with read_details(self.store(record), record) as found:
            assert found.previously is None

    def test_leaves_nothing_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with read_details(self.store(complete()), complete()):
            assert list(tmp_path.glob("*/*"))
        assert list(tmp_path.glob("*/*")) == []


class TestNotice:
    def publish(
        self, record: Import, failed: list[FailedJob], links: Links | None
    ) -> tuple[bool, MemoryTopic, list[ImportView]]:
        store, topic, seen = MemoryStore(), MemoryTopic(), list[ImportView]()
        store.save(record)
        store.write_failed(record.import_id, FailedKind.ERROR, failed, record.expires)

        def report(found: ImportView) -> Links | None:
            assert topic.published == []
            seen.append(found)
            return links

        return publish(store, topic, record.import_id, NOW, COMMANDS, report) is not None, topic, seen

    def test_links_the_report_that_was_written_before_it(self) -> None:
        published, topic, seen = self.publish(complete(results(failed=1)), [job(14, STATE)], LINKS)
        assert (published, [found.record.import_id for found in seen]) == (True, [ID])
        [notice] = topic.published
        assert f"\n   {LINKS.html}\n" in notice.text
        assert notice.data["report"] == {
            "html": LINKS.html,
            "csv": LINKS.csv,
            "until": "2026-11-24T19:06:01.000000Z",
            "htmlObject": f"s3://{COMMANDS.bucket}/archive/default/{ID}.report.html",
            "csvObject": f"s3://{COMMANDS.bucket}/archive/default/{ID}.report.csv",
        }

    def test_goes_out_without_a_report_that_could_not_be_written(self) -> None:
        published, topic, _ = self.publish(complete(results(failed=1)), [job(14, STATE)], None)
        [notice] = topic.published
        assert published
        assert notice.data["report"] is None
        assert "THE REPORT" not in notice.text

    def test_names_no_table_where_no_job_failed(self) -> None:
        _, topic, _ = self.publish(complete(notify_on_success=True), [], LINKS)
        assert LINKS.html in topic.published[0].text
        assert ".csv" not in topic.published[0].text

    @pytest.mark.parametrize("record", [complete(), blocked("paused", "it is paused")])
    def test_of_which_nobody_hears_has_its_report_all_the_same(self, record: Import) -> None:
        published, topic, seen = self.publish(record, [], LINKS)
        assert (published, topic.published, len(seen)) == (False, [], 1)

    @pytest.mark.parametrize(
        "record", [complete(open="open", verified=False), complete(state=State.RUNNING), complete(notified_at=NOW)]
    )
    def test_has_no_report_before_the_end_and_none_twice(self, record: Import) -> None:
        assert self.publish(record, [], LINKS)[2] == []

    def test_fits_with_the_longest_links(self) -> None:
        long = Links(
            f"https://{'x' * 4000}", f"https://{'y' * 4000}", NOW, f"archive/{'k' * 900}", f"archive/{'k' * 900}"
        )
        _, topic, _ = self.publish(complete(results(failed=40)), [job(each, STATE * 99) for each in range(40)], long)
        assert len(message(topic.published[0]).encode()) < 256 * 1024 * 0.9


def test_the_files_are_the_same_whoever_writes_them(tmp_path: Path) -> None:
    files = reports.write(of_case("one-failed"), MemoryArchive(), tmp_path)
    assert (files.html.name, files.csv.name) == ("report.html", "report.csv")
    assert files.html.read_text(encoding="utf-8") == "".join(reports.html(of_case("one-failed"), ()))
    assert files.csv.read_bytes().startswith(b"\xef\xbb\xbf")


def test_the_list_of_deletions_is_that_of_the_archive(tmp_path: Path) -> None:
    lines = b'{"referenceNumber":"P-1","title":"Nights","carried":true}\n'
    record = CASES["withheld-one"].record
    found = read_deletes(MemoryArchive(igzip.compress(lines)), record, tmp_path)
    assert list(found) == [Posting(reference_number="P-1", title="Nights")]
