"""A person confirms withheld deletions: that very list, or none."""

from __future__ import annotations

import pytest

from jobferry.errors import BoardUnknownError, EventError
from jobferry.records.imports import Import, State
from tests.stage import Stage, job, jobs, lines

REFERENCES = [f"J{number:02d}" for number in range(40)]


@pytest.fixture
def stage() -> Stage:
    """A full sync from whose feed 30 of 40 jobs are gone."""
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put_jobs(*REFERENCES)
    stage.complete()
    stage.complete()
    stage.put_jobs(*REFERENCES[30:])
    return stage


def code(record: Import) -> str:
    assert record.deletions.confirm_code is not None
    return record.deletions.confirm_code


def assert_refused(stage: Stage, confirmed: str, words: str) -> None:
    before = stage.sent()
    record = stage.complete(confirmDeletes=confirmed)
    assert (record.state, record.ending.cause) == (State.BLOCKED, "confirmation")
    assert record.ending.reason is not None
    assert words in record.ending.reason
    assert stage.sent() == before


def test_the_code_of_the_notice_sends_the_deletions(stage: Stage) -> None:
    withheld = stage.complete()

    record = stage.complete(confirmDeletes=code(withheld))

    assert (record.state, record.deletions.delete_jobs, record.deletions.expected, record.deletions.withheld) == (
        State.COMPLETE,
        True,
        30,
        0,
    )
    assert (record.deletions.because, record.deletions.confirm_code) == ([], None)
    assert stage.postings() == REFERENCES[30:] == stage.live_set()


def test_it_may_be_typed_in_any_way(stage: Stage) -> None:
    typed = code(stage.complete()).replace("-", " ").lower()

    assert stage.complete(confirmDeletes=f" {typed} ").deletions.delete_jobs


def test_another_code_sends_nothing(stage: Stage) -> None:
    right = code(stage.complete())
    wrong = right.replace(right[0], "B" if right[0] != "B" else "C", 1)

    assert_refused(stage, wrong, "the code does not match the current list of 30 deletions")
    assert stage.postings() == REFERENCES


@pytest.mark.parametrize("now", [REFERENCES[29:], REFERENCES[31:], [*REFERENCES[:1], *REFERENCES[31:]]])
def test_a_code_of_another_list_sends_nothing(stage: Stage, now: list[str]) -> None:
    stale = code(stage.complete())
    stage.put_jobs(*now)

    assert_refused(stage, stale, "the code does not match the current list of")
    assert stage.postings() == REFERENCES


def test_the_same_list_may_come_from_another_feed(stage: Stage) -> None:
    """What is confirmed is what goes, so jobs that are new meanwhile do not matter, nor does the order."""
    known = code(stage.complete())
    stage.put_jobs("new", *reversed(REFERENCES[30:]))

    assert stage.complete(confirmDeletes=known).deletions.delete_jobs
    assert stage.postings() == [*REFERENCES[30:], "new"]


def test_a_code_does_not_serve_twice(stage: Stage) -> None:
    known = code(stage.complete())
    stage.complete(confirmDeletes=known)

    assert_refused(stage, known, "there is nothing left to delete")


def test_a_confirmed_import_that_the_board_refused_may_be_confirmed_again(stage: Stage) -> None:
    known = code(stage.complete())
    keys = set(stage.board.keys)
    stage.board.keys.clear()
    assert stage.complete(confirmDeletes=known).state is State.REJECTED
    stage.board.keys |= keys

    assert stage.complete(confirmDeletes=known).deletions.delete_jobs
    assert stage.postings() == REFERENCES[30:]


def test_rows_that_protect_nothing_and_lost_objects_can_be_confirmed(stage: Stage) -> None:
    stage.put("more.jsonl", lines(job("J00")))
    stage.complete()
    stage.remove("more.jsonl")
    stage.put("jobs.jsonl", lines(*jobs(*REFERENCES[30:]), job(None)))
    withheld = stage.complete()
    assert withheld.deletions.because == ["unprotected-rows", "fewer-objects", "fewer-rows", "too-many"]

    assert stage.complete(confirmDeletes=code(withheld)).deletions.delete_jobs
    assert stage.postings() == REFERENCES[30:]


def test_the_first_full_sync_has_nothing_to_confirm() -> None:
    stage = Stage()
    stage.put_jobs(*REFERENCES)
    stage.complete()
    stage.settings(deleteJobs=True)
    stage.put_jobs("J00")

    assert_refused(stage, "AAAA-AAAA-AAAA-A", "deletions are not announced yet for this account and key")
    assert stage.complete().deletions.confirm_code is None


def test_without_full_sync_there_is_nothing_to_confirm(stage: Stage) -> None:
    known = code(stage.complete())
    stage.settings(deleteJobs=False)

    assert_refused(stage, known, "the feed's deleteJobs is off")


def test_while_the_account_is_shared_nothing_can_be_confirmed(stage: Stage) -> None:
    known = code(stage.complete())
    stage.settings("second")

    assert_refused(stage, known, "cannot be confirmed while another feed uses the same account: second")
    stage.remove("feed.json", "second")
    assert stage.complete(confirmDeletes=known).deletions.delete_jobs


@pytest.mark.parametrize("nothing", ["", "  ", 5, ["A"]])
def test_a_code_that_is_none_is_no_run_without_one(stage: Stage, nothing: object) -> None:
    with pytest.raises(EventError):
        stage.complete(confirmDeletes=nothing)


def test_a_dry_run_says_what_would_go_and_how_to_confirm_it(stage: Stage) -> None:
    before = dict(stage.bucket.contents), stage.store.saves, stage.sent()

    outcome = stage.event({"feed": "default", "dryRun": True})

    assert (dict(stage.bucket.contents), stage.store.saves, stage.sent()) == before
    assert outcome.preview is not None
    assert outcome.preview["withheldBecause"] == ["fewer-rows", "too-many"]
    assert outcome.preview["withheldDeletes"] == 30
    assert outcome.preview["confirmCode"] == code(stage.complete())
    confirmed = stage.event({"feed": "default", "dryRun": True, "confirmDeletes": outcome.preview["confirmCode"]})
    assert confirmed.preview is not None
    assert (confirmed.preview["deleteJobs"], confirmed.preview["deletes"]) == (True, 30)
    assert len(stage.postings()) == 40


def withheld_code(stage: Stage) -> str:
    return code(stage.complete())


def test_a_code_survives_a_schedule_that_claims_the_feed_first(stage: Stage) -> None:
    """The person's run is skipped, and the schedule's next one begins before the poller could make up for it."""
    given = withheld_code(stage)
    stage.run()
    assert stage.run(confirmDeletes=given).state is State.SKIPPED
    stage.finish()
    nightly = stage.complete(scheduledAt="2026-11-24T07:00:00Z")
    assert nightly.deletions.because
    assert stage.store.get_feed("default").run_again_confirm == given

    stage.poll()
    [outcome] = stage.start()
    stage.finish()

    made_up_for = stage.record(outcome.import_id or "")
    assert (made_up_for.by_person, made_up_for.deletions.delete_jobs) == (True, True)
    assert stage.postings() == REFERENCES[30:]
    assert stage.poll().started == []


def test_a_run_with_a_code_is_a_persons_whatever_else_its_event_says(stage: Stage) -> None:
    given = withheld_code(stage)
    at = "2026-11-24T07:00:00Z"
    nightly = stage.complete(scheduledAt=at)
    confirmed = stage.complete(scheduledAt=at, confirmDeletes=given)
    assert confirmed.import_id != nightly.import_id
    assert (nightly.by_person, confirmed.by_person, confirmed.deletions.delete_jobs) == (False, True, True)


def test_two_runs_by_hand_within_one_second_are_two(stage: Stage) -> None:
    given = withheld_code(stage)
    invocation = stage.invocation()
    first = stage.event_at_once({"feed": "default"})
    second = stage.event_at_once({"feed": "default", "confirmDeletes": given}, invocation)
    assert (first.state, second.state) == (State.PENDING, State.SKIPPED)
    assert first.import_id != second.import_id
    stage.finish()
    stage.poll()
    stage.start()
    stage.finish()
    assert stage.postings() == REFERENCES[30:]


def test_lambdas_retry_of_a_run_by_hand_finds_its_own_record(stage: Stage) -> None:
    stage.board.before_create = lambda _: (_ for _ in ()).throw(BoardUnknownError("no answer"))
    invocation = stage.invocation()
    with pytest.raises(BoardUnknownError):
        stage.event({"feed": "default"}, invocation)
    stage.board.before_create = lambda _: None
    stage.clock.forward(minutes=1)
    outcome = stage.event({"feed": "default"}, invocation)
    assert stage.record(outcome.import_id or "").sent.attempts == 2
    assert len(stage.store.imports()) == 3


def test_a_code_works_within_twelve_hours_of_the_announcement(stage: Stage) -> None:
    """Even if the run that it was given with was skipped, and the poller makes up for it."""
    given = withheld_code(stage)
    stage.run()
    stage.run(confirmDeletes=given)
    stage.finish()
    stage.poll()
    [outcome] = stage.start()
    assert stage.record(outcome.import_id or "").deletions.delete_jobs


@pytest.mark.parametrize("event", [{"confirmDeletes": "ABCD"}, {"dryRun": True}])
def test_an_import_that_is_resumed_takes_no_code(stage: Stage, event: dict[str, object]) -> None:
    with pytest.raises(EventError, match="resumed as it was prepared"):
        stage.run(resume="default-20261124T020001Z", **event)


@pytest.mark.parametrize("name", ["confirmDeletes", "confirmFields"])
def test_the_notice_of_a_run_that_failed_gives_the_code_of_the_person_again(stage: Stage, name: str) -> None:
    """Otherwise, the command of the notice would run the feed without what the person had confirmed."""
    del stage.accounts.secrets["BoardApiKey"]

    record = stage.complete(**{name: "ABCD-EFGH"})

    assert (record.state, record.ending.cause) == (State.BLOCKED, "secret")
    step = stage.topic.published[-1].data["whatToDo"][0]
    assert f'"{name}": "ABCD-EFGH"' in step["command"]
    assert "without it, the run does not do what you confirmed" in step["text"]
