"""Retries: corrected jobs of an import are sent alone, and the feed's own runs go on as if nothing had happened."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from jobferry.adapters.metrics import add_settled
from jobferry.errors import EventError
from jobferry.notices.advice.commands import Commands
from jobferry.records.archive import retry_key
from jobferry.records.failed_jobs import FailedKind
from jobferry.records.imports import Import, State
from jobferry.runs.triggers import parse_trigger
from tests.fakes import Killed
from tests.stage import FEED, KEY, Stage, job, jobs, lines

NOW = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
COMMANDS = Commands("SubmitImport", "table", "bucket", "jobferry/accounts/", "us-east-1", "https://example.org/runbook")


@pytest.fixture
def stage() -> Stage:
    """A full sync that is under way, its last run with two jobs that the board refused."""
    stage = Stage()
    stage.settings(deleteJobs=True, maxInvalidPercent=60)
    stage.put("jobs.jsonl", lines(*jobs("a", "b", "c"), bad("d"), bad("e")))
    stage.complete()
    stage.complete()
    return stage


def bad(reference: str) -> dict[str, Any]:
    """A job that a full sync sends as it is, and the board refuses."""
    return job(reference, state="Atlantis")


def retry(stage: Stage, *fixed: dict[str, Any], retried: str | None = None) -> Import:
    """A retry as far as it goes without the board."""
    import_id = retried or stage.store.get_feed(FEED).last_complete
    assert import_id is not None
    stage.clock.forward(minutes=1)
    key = retry_key(FEED, import_id, stage.clock())
    stage.bucket.contents[key] = lines(*fixed)
    outcome = stage.event({"feed": FEED, "retry": key})
    assert outcome.import_id is not None
    return stage.record(outcome.import_id)


def test_only_the_fixed_jobs_go_and_nothing_is_deleted(stage: Stage) -> None:
    before = stage.store.get_feed(FEED)
    record = retry(stage, job("d"))
    stage.finish()

    record = stage.record(record.import_id)
    assert record.import_id == f"{FEED}-20261124T020102Z-retry"
    assert (record.state, record.prepared.jobs, record.deletions.delete_jobs, record.deletions.full_sync) == (
        State.COMPLETE,
        1,
        False,
        False,
    )
    assert stage.sent()[-1] == (["d"], False)
    assert stage.postings() == ["a", "b", "c", "d"]
    # The feed's own record: its last run is still the last, its full sync still announced, and the live set has grown.
    after = stage.store.get_feed(FEED)
    assert (after.last_complete, after.last_complete_at) == (before.last_complete, before.last_complete_at)
    assert after.baseline == before.baseline
    assert after.open_imports == []
    assert after.live_set is not None
    assert after.live_set.announced_at
    assert stage.live_set() == ["a", "b", "c", "d", "e"]


def test_the_next_run_deletes_what_it_would_have_deleted(stage: Stage) -> None:
    retry(stage, job("d"))
    stage.finish()
    stage.put("jobs.jsonl", lines(*jobs("a", "b"), job("d"), bad("e")))

    record = stage.complete()

    assert (record.deletions.delete_jobs, record.deletions.expected, record.deletions.because) == (True, 1, [])
    assert stage.postings() == ["a", "b", "d"]
    assert stage.live_set() == ["a", "b", "d", "e"]


def test_a_posting_that_only_a_retry_made_is_in_the_live_set_and_so_among_the_deletions(stage: Stage) -> None:
    retry(stage, job("d"))
    stage.finish()
    stage.put("jobs.jsonl", lines(*jobs("a", "b", "c")))

    record = stage.complete()

    assert [each.reference_number for each in record.deletions.postings] == ["d", "e"]
    assert stage.postings() == ["a", "b", "c"]


def test_since_when_a_job_fails_is_counted_from_run_to_run(stage: Stage) -> None:
    first = stage.store.get_feed(FEED).last_complete
    assert first is not None
    since = {each.reference_number: each.since for each in stage.store.read_failed(first, FailedKind.ERROR)}
    assert set(since) == {"d", "e"}
    retried = retry(stage, job("d"))
    stage.finish()

    record = stage.complete()  # the export is not fixed yet

    assert record.previous == first
    assert {
        each.reference_number: each.since for each in stage.store.read_failed(record.import_id, FailedKind.ERROR)
    } == since
    assert retried.previous == first


def test_the_notice_of_a_retry_does_not_call_fixed_what_was_not_in_it(stage: Stage) -> None:
    stage.settings(deleteJobs=True, maxInvalidPercent=60, notifyOnSuccess=True)
    record = retry(stage, job("d"))
    stage.finish()

    notice = stage.topic.published[-1]
    assert notice.data["importId"] == record.import_id
    assert notice.data["failing"]["fixed"] is None
    assert "The job of the retry is on the board." in notice.text


def test_a_retry_does_not_quiet_the_alarm_that_waits_for_a_run(stage: Stage) -> None:
    counted: dict[str, float] = {}
    metrics: Any = SimpleNamespace(add_metric=lambda name, unit, value: counted.update({name: value}))
    record = retry(stage, job("d"))
    stage.finish()
    add_settled(metrics, stage.record(record.import_id))
    assert counted["ImportsCompleted"] == 0
    add_settled(metrics, stage.complete())
    assert counted["ImportsCompleted"] == 1


def test_jobs_of_the_archive_are_not_mapped_again(stage: Stage) -> None:
    stage.settings(
        fields={"title": "description", "name": "title"},
        values={"shift": {"Day": "Night", "Night": "Day"}},
        defaults={"city": "York"},
        encoding="utf-16-le",
    )
    retry(stage, job("d", title="Locum é", shift="Day"))

    [sent] = stage.board.requests[-1][1].jobs
    assert sent == {"referenceNumber": "d", "title": "Locum é", "shift": "Day", "state": "PA"}


def test_what_is_not_fixed_is_held_back(stage: Stage) -> None:
    record = retry(stage, job("d"), bad("e"))

    assert (record.prepared.jobs, record.prepared.invalid) == (1, 1)
    assert stage.sent()[-1] == (["d"], False)


def test_a_retry_waits_for_no_run_and_no_run_for_it(stage: Stage) -> None:
    open_import = stage.run()
    record = retry(stage, job("d"))

    assert (record.state, record.ending.cause) == (State.SKIPPED, "open")
    assert record.ending.reason == f"{open_import.import_id} is still open; retry when it has ended"
    assert stage.store.get_feed(FEED).run_again is None
    stage.finish()
    assert stage.poll().started == []


def test_a_retry_does_not_swallow_the_run_that_was_skipped(stage: Stage) -> None:
    stage.run()
    skipped = stage.run()
    assert skipped.state is State.SKIPPED
    stage.finish()

    record = retry(stage, job("d"))
    assert record.state is State.PENDING
    assert stage.store.get_feed(FEED).run_again == skipped.import_id
    assert stage.poll().started == []  # one run at a time
    stage.finish()

    assert stage.poll().started == [FEED]
    [again] = stage.start()
    assert again.jobs == 5


def test_a_run_that_meets_a_retry_comes_after_it(stage: Stage) -> None:
    retry(stage, job("d"))
    skipped = stage.run()
    assert skipped.state is State.SKIPPED
    stage.finish()

    assert stage.poll().started == [FEED]


def test_a_retry_without_result_may_have_reached_the_board(stage: Stage) -> None:
    record = retry(stage, job("f"))
    stage.clock.forward(hours=13)
    stage.poll()

    assert stage.record(record.import_id).state is State.EXPIRED
    after = stage.store.get_feed(FEED)
    assert after.live_set is not None
    assert after.live_set.announced_at
    assert stage.live_set() == ["a", "b", "c", "d", "e", "f"]


def test_where_the_live_set_is_gone_a_retry_does_not_pass_for_one(stage: Stage) -> None:
    before = stage.store.get_feed(FEED).live_set
    assert before is not None
    del stage.bucket.contents[before.key]
    record = retry(stage, job("d"))
    stage.finish()

    assert stage.record(record.import_id).state is State.COMPLETE
    assert stage.store.get_feed(FEED).live_set == before
    following = stage.complete()
    assert (following.deletions.delete_jobs, following.deletions.because) == (False, ["first"])


def test_a_full_sync_that_was_not_announced_is_not_announced_by_a_retry() -> None:
    stage = Stage()
    stage.settings(maxInvalidPercent=60)
    stage.put("jobs.jsonl", lines(*jobs("a"), bad("b")))
    stage.complete()
    retry(stage, job("b"))
    stage.finish()
    assert stage.live_set() == ["a", "b"]
    stage.settings(deleteJobs=True)
    stage.put_jobs("a")

    record = stage.complete()

    assert (record.deletions.delete_jobs, record.deletions.because, record.deletions.withheld) == (False, ["first"], 1)
    assert stage.postings(KEY) == ["a", "b"]


def test_a_retry_that_is_delivered_twice_is_one_import(stage: Stage) -> None:
    record = retry(stage, job("d"))
    assert record.retry is not None
    again = stage.event({"feed": FEED, "retry": record.retry})

    assert again.import_id == record.import_id
    assert len(stage.sent()) == 3


def test_a_retry_without_its_jobs_sends_nothing(stage: Stage) -> None:
    key = retry_key(FEED, stage.store.get_feed(FEED).last_complete or "", NOW)
    outcome = stage.event({"feed": FEED, "retry": key})

    assert (outcome.state, len(stage.sent())) == (State.BLOCKED, 2)
    assert outcome.reason == f"{key} is missing: the corrected jobs were not uploaded, or deleted after 90 days"
    assert stage.store.get_feed(FEED).open_imports == []


def test_a_dry_run_of_a_retry_sends_nothing(stage: Stage) -> None:
    key = retry_key(FEED, stage.store.get_feed(FEED).last_complete or "", NOW)
    stage.bucket.contents[key] = lines(job("d"))
    outcome = stage.event({"feed": FEED, "retry": key, "dryRun": True})

    assert (outcome.state, outcome.jobs, len(stage.sent())) == (State.DRY_RUN, 1, 2)


@pytest.mark.parametrize(
    "key",
    [
        f"archive/other/{FEED}-20261124T020000Z.retry-20261124T101500Z.jsonl",
        f"archive/{FEED}/other-20261124T020000Z.retry-20261124T101500Z.jsonl",
        f"archive/{FEED}/{FEED}-20261124T020000Z.jsonl.gz",
        f"archive/{FEED}/{FEED}-20261124T020000Z.jsonl",
        f"archive/{FEED}/{FEED}-20261124T020000Z.retry-20261124T101500Z.jsonl.gz",
        f"archive/{FEED}/{FEED}-20261124T020000Z.retry-20261124T101500Z.jsonl\n",
        f"archive/{FEED}/../{FEED}/{FEED}-20261124T020000Z.retry-20261124T101500Z.jsonl",
        f"archive/{FEED}/{FEED}-20261124T020000Z.retry-2026112401015000Z.jsonl",
        f"archive/{FEED}/{FEED}-20261124T020000Z.retry-\u0662\u0660261124T101500Z.jsonl",
        f"feeds/{FEED}/{FEED}-20261124T020000Z.retry-20261124T101500Z.jsonl",
        "",
        7,
        None,
    ],
)
def test_nothing_else_can_be_read_through_a_retry(key: Any) -> None:
    with pytest.raises(EventError, match=r"^retry (must be|is not) "):
        parse_trigger({"feed": FEED, "retry": key}, NOW)


def test_a_retry_confirms_no_deletions() -> None:
    key = retry_key(FEED, f"{FEED}-20261124T020000Z", NOW)
    with pytest.raises(EventError, match="a retry deletes nothing"):
        parse_trigger({"feed": FEED, "retry": key, "confirmDeletes": "ABCD"}, NOW)


def late_retry(stage: Stage, retried: str, *corrected: dict[str, Any]) -> Import:
    """Deliver a retry of an import, whose jobs were uploaded long ago."""
    key = retry_key(FEED, retried, NOW)
    stage.bucket.contents[key] = lines(*corrected)
    outcome = stage.event({"feed": FEED, "retry": key})
    assert outcome.import_id is not None
    stage.publish_notices()
    return stage.record(outcome.import_id)


def test_a_retry_that_is_delivered_after_a_newer_run_is_refused(stage: Stage) -> None:
    retried = stage.store.get_feed(FEED).last_complete or ""
    stage.put("jobs.jsonl", lines(job("a", title="new"), *jobs("b", "c")))
    newer = stage.complete()
    sent = stage.sent()

    record = late_retry(stage, retried, job("a", title="old"), job("d"))

    assert (record.state, record.ending.cause) == (State.BLOCKED, "retry-outdated")
    assert record.ending.reason == (
        f"{newer.import_id} has completed since, and its jobs are newer: retry that one instead"
    )
    assert stage.sent() == sent
    assert stage.store.get_feed(FEED).open_imports == []
    notice = stage.topic.published[-1]
    assert notice.data["severity"] == "warning"
    assert "with the latest import" in notice.data["whatToDo"][0]["text"]
    dry = stage.event({"feed": FEED, "retry": record.retry, "dryRun": True})
    assert (dry.state, dry.reason) == (State.DRY_RUN, record.ending.reason)


def test_a_newer_run_without_a_result_counts_too(stage: Stage) -> None:
    retried = stage.store.get_feed(FEED).last_complete or ""
    newer = stage.run()
    stage.poll(13 * 60)
    assert stage.record(newer.import_id).state is State.EXPIRED

    record = late_retry(stage, retried, job("d"))

    assert (record.state, record.ending.cause) == (State.BLOCKED, "retry-outdated")


def test_a_retry_of_an_import_that_is_not_known_is_refused(stage: Stage) -> None:
    assert late_retry(stage, f"{FEED}-20250101T000000Z", job("d")).ending.cause == "retry-outdated"


def test_one_import_may_be_retried_twice(stage: Stage) -> None:
    retried = stage.store.get_feed(FEED).last_complete
    retry(stage, job("d"), retried=retried)
    stage.finish()
    second = retry(stage, job("e"), retried=retried)
    assert second.state is State.PENDING


def test_a_retry_that_is_delivered_after_a_newer_retry_is_refused(stage: Stage) -> None:
    """A person corrected the same job twice, and the first event comes last."""
    retried = stage.store.get_feed(FEED).last_complete or ""
    late = retry_key(FEED, retried, stage.clock())
    stage.bucket.contents[late] = lines(job("d", title="corrected once"))
    retry(stage, job("d", title="corrected twice"), retried=retried)
    stage.finish()

    record = stage.complete(retry=late)

    assert (record.state, record.ending.cause) == (State.BLOCKED, "retry-outdated")
    assert stage.board.postings(KEY)["d"]["title"] == "corrected twice"
    dry = stage.event({"feed": FEED, "retry": late, "dryRun": True})
    assert dry.reason == record.ending.reason


def test_a_retry_that_is_resumed_before_it_was_read_does_not_become_a_run_of_the_feed(stage: Stage) -> None:
    key = retry_key(FEED, stage.store.get_feed(FEED).last_complete or "", NOW)
    stage.bucket.contents[key] = lines(job("d"))
    saves = iter(range(1, 100))

    def kill(_: object) -> None:
        if next(saves) == 2:
            raise Killed

    stage.store.before_save = kill
    with pytest.raises(Killed):
        stage.event({"feed": FEED, "retry": key})
    stage.store.before_save = lambda _: None
    stage.clock.forward(minutes=20)
    [import_id] = stage.store.get_feed(FEED).open_imports
    stage.event({"feed": FEED, "resume": import_id})
    assert stage.sent()[-1] == (["d"], False)
