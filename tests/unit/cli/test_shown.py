"""What the command line shows of imports and feeds, for every state that they may be in."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobferry.cli import showing
from jobferry.cli.outcomes import words
from jobferry.cli.stack import Stack
from jobferry.records.failed_jobs import FailedKind
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, State
from jobferry.runs.triggers import parse_trigger
from tests.records import changed
from tests.unit.cli.person import Person
from tests.unit.notices.cases import CASES, CREATED, blocked, complete, postings, results, sent

ID = "default-20261124T070000Z"


@pytest.fixture
def split(person: Person) -> Person:
    """A run of three imports: of the second two jobs failed, the third the board refused."""
    person.have(
        complete(results(40, 0, 0), parts=3),
        complete(results(38, 0, 0, 2), import_id=f"{ID}-2", run=ID),
        sent(State.REJECTED, "board-refused", "the board answered 422", import_id=f"{ID}-3", run=ID, jobs=7),
        Feed(feed="default", last_import=ID, last_complete=ID, last_complete_at=CREATED),
    )
    return person


def test_a_report_is_read_where_no_command_line_is(person: Person, tmp_path: Path) -> None:
    person.have(CASES["blocked-feed-missing"].record)
    person("report", ID, "-o", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert "in AWS CloudShell or a terminal with the AWS CLI" in page
    assert "aws lambda invoke --function-name jobferry-SubmitImport" in page
    assert "jobferry submit" not in page
    assert "      jobferry submit default" in person.lines("show", ID)


def test_the_status_of_a_blocked_feed_says_why_and_what_to_do(person: Person) -> None:
    reason = "feeds/default/jobs.csv.gz is cut off: its gzip data has no end"
    person.have(blocked("feed-unreadable", reason), Feed(feed="default", last_import=ID))
    lines = person.lines("status")
    assert lines[1].split()[:2] == ["default", "blocked"]
    assert lines[-3:] == [f"default: blocked: {reason}", "", f"What to do for default: jobferry show {ID}"]


def test_a_list_of_deletions_is_shown_while_it_is_open_and_when_it_has_ended(person: Person) -> None:
    listed: dict[str, Any] = {"listed": True, "expected_deletes": 5, "deleted_by_list": 3, "deletes": postings(5)}
    still_open = complete(open="open", **listed)
    assert words(still_open).endswith("3 deleted; 2 deletions by list on the way")
    person.have(still_open)
    assert "3 of 5 deleted by list, the rest is on its way" in " ".join(person.lines("show", ID))
    person.have(complete(list_end="unanswered", list_reason="no answer", revision=1, **listed))
    shown = " ".join(person.lines("show", ID))
    assert "3 of 5 deleted by list; the next run tries the rest again" in shown
    assert "WERE TO BE DELETED (5)" in shown


def test_the_postings_that_the_advice_speaks_of_are_shown(person: Person) -> None:
    person.have(complete(full_sync=True, withheld_deletes=20, withheld_because=["too-many"], deletes=postings(20)))
    lines = person.lines("show", ID)
    assert "under WOULD BE DELETED" in " ".join(lines)
    listed = lines[lines.index("WOULD BE DELETED (20)") + 1 :]
    assert listed[:2] == ["  POSTING   TITLE", "  LT-20000  Hospitalist nights, Lancaster"]
    assert len(listed) == 21


def test_of_many_postings_the_first_are_shown_and_where_all_of_them_are(person: Person) -> None:
    person.have(complete(full_sync=True, withheld_deletes=80, withheld_because=["too-many"], deletes=postings(80)))
    lines = person.lines("show", ID)
    assert (
        len(lines[lines.index(f"WOULD BE DELETED (the first 25 of 80; all of them: jobferry report {ID})") :])
        == 1 + 1 + 25
    )


@pytest.mark.parametrize(
    ("state", "deleted", "heading"),
    [
        (State.EXPIRED, 0, "WERE TO BE DELETED (5)"),
        (State.COMPLETE, 5, "DELETED (5)"),
        (State.COMPLETE, 9, "WERE TO BE DELETED (5)"),
    ],
)
def test_postings_that_were_to_be_deleted_are_shown(person: Person, state: State, deleted: int, heading: str) -> None:
    deletes = {"full_sync": True, "delete_jobs": True, "expected_deletes": 5, "deletes": postings(5)}
    ended = complete(results(deleted=deleted), **deletes)
    person.have(ended if state is State.COMPLETE else sent(state, "no-result", "no result", **deletes))
    lines = person.lines("show", ID)
    assert len(lines[lines.index(heading) :]) == 1 + 1 + 5


def test_a_dry_run_says_that_it_names_the_first_postings_only() -> None:
    named = [each.model_dump(by_alias=True) for each in postings(25)]
    found = {"jobs": 20, "deleteJobs": False, "withheldDeletes": 80, "firstDeletes": named, "invalid": 0}
    assert "Not in the feed any more (the first 25 of 80)" in showing.preview(found)
    assert "Would be deleted (25)" in showing.preview(found | {"deleteJobs": True, "deletes": 25})


def test_a_dry_run_shows_how_the_feed_is_understood() -> None:
    found = {
        "jobs": 2,
        "invalid": 0,
        "understood": {
            "jobs": 2,
            "fields": {
                "referenceNumber": {"jobs": 2, "columns": ["Job ID"], "default": False},
                "state": {"jobs": 2, "columns": ["State", "ST"], "default": True},
            },
            "unknownColumns": ["Notes\x1b"],
        },
        "warnings": ["2 of 2 jobs have no title"],
    }
    lines = [" ".join(line.split()) for line in showing.preview(found)]
    assert lines[:6] == [
        "2 jobs would be sent, without deletions.",
        "",
        "The board's fields in 2 jobs:",
        "FIELD JOBS COLUMN",
        "referenceNumber 2 Job ID",
        "state 2 State, ST, the defaults in feed.json",
    ]
    assert "Not fields of the board, sent as they are: Notes�" in lines
    assert lines[-2:] == ["Notes", "2 of 2 jobs have no title"]


def test_a_split_run_is_as_its_worst_import_in_the_overview(split: Person) -> None:
    lines = split.lines("status")
    assert split.status == 1
    assert lines[1].split() == ["default", "rejected", "2026-11-24", "07:06", "87", "2", "0", "-", "-"]
    assert "default: rejected: the board answered 422" in lines
    assert lines[-2:] == [
        f"What to do for default: jobferry show {ID}-2",
        f"What to do for default: jobferry show {ID}-3",
    ]


def test_the_first_import_of_a_split_run_shows_the_whole_run(split: Person) -> None:
    lines = split.lines("show", ID)
    assert split.status == 1
    assert lines[0] == f"{ID}: {ID}-3 of this run is rejected: the board answered 422"
    facts = [" ".join(line.split()) for line in lines]
    assert "state rejected" in facts
    assert "run 3 imports, and this is the first; in total 87 jobs, 2 failed" in facts
    assert lines[lines.index("What to do") :] == [
        "What to do",
        f"  - Check {ID}-2, another import of this run: complete.",
        f"      jobferry show {ID}-2",
        f"  - Check {ID}-3, another import of this run: rejected.",
        f"      jobferry show {ID}-3",
    ]
    assert f'"command": "jobferry show {ID}-3"' in split("show", ID, "--json")
    further = [line.split() for line in split.lines("show", f"{ID}-2")]
    assert ["run", "another", "import", "of", "the", "run", ID] in further


def test_a_split_run_of_which_all_is_well(person: Person) -> None:
    person.have(
        complete(results(40, 0, 0), parts=2),
        complete(results(38, 0, 0), import_id=f"{ID}-2", run=ID),
        Feed(feed="default", last_import=ID, last_complete=ID, last_complete_at=CREATED),
    )
    assert person.lines("show", ID)[0] == f"{ID}: part 1 of 2: all 40 jobs are on the board"
    assert person.status == 0
    assert person.lines("status")[1].split()[1:6] == ["complete", "2026-11-24", "07:06", "78", "0"]
    assert person.status == 0


def test_an_import_of_a_run_that_never_went_is_to_be_looked_at(person: Person) -> None:
    left = blocked("abandoned", "cut off", import_id=f"{ID}-2", run=ID, state=State.SKIPPED)
    person.have(complete(parts=2), left)
    assert person.lines("show", ID)[0] == f"{ID}: {ID}-2 of this run is skipped: cut off"
    assert person.status == 1


@pytest.mark.parametrize(
    ("before", "after", "options"),
    [
        ([], [], ""),
        (["--stack", "jobferry-prod"], [], " --stack jobferry-prod"),
        ([], ["--region", "eu-west-1", "--profile", "my own"], " --profile 'my own' --region eu-west-1"),
        (["--stack", "a", "--region", "r-1"], ["--stack", "b"], " --stack b --region r-1"),
    ],
)
def test_a_command_that_is_shown_names_the_stack_as_it_was_named(
    split: Person, monkeypatch: pytest.MonkeyPatch, before: list[str], after: list[str], options: str
) -> None:
    monkeypatch.setenv("JOBFERRY_STACK", "there")  # whoever pastes the command has it, too
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    assert split.lines(*before, "status", *after)[-1] == f"What to do for default: jobferry{options} show {ID}-3"
    assert f"      jobferry{options} show {ID}-3" in split.lines(*before, "show", ID, *after)
    assert split.lines(*before, "watch", f"{ID}-3", *after)[-1] == f"What to do: jobferry{options} show {ID}-3"
    assert f"      jobferry{options} submit default" in split.lines(*before, "show", f"{ID}-3", *after)


def test_an_import_whose_answer_was_lost_says_when_it_is_sent_again(person: Person) -> None:
    lost = sent(State.SUBMITTING, None, "", jobs=3, attempts=3, claimed_until=CREATED + timedelta(minutes=15))
    person.have(lost)
    assert " ".join(person("show", ID).split("\n\n")[0].split()) == (
        f"{ID}: submitting: 3 jobs sent 3 times, and the answer of the board was lost; the import is sent again by itself "
        "soon after 07:25 UTC"
    )
    assert words(changed(lost, attempts=1)) == "submitting: 3 jobs on the way to the board"
    assert words(changed(lost, reason="the board answered 503")).endswith("; the last answer: the board answered 503")
    late = changed(lost, claimed_until=lost.deadline)
    assert "the import is given up soon after 19:10 UTC" in words(late)


def test_a_retry_does_not_hide_what_is_wrong_with_the_run(person: Person) -> None:
    retry = f"{ID[:-1]}-retry"
    person.have(
        complete(results(failed=2), full_sync=True, withheld_deletes=20, withheld_because=["too-many"]),
        complete(results(0, 1, 0), import_id=retry, retry=f"archive/default/{ID}.retry-20261124T080000Z.jsonl"),
        Feed(feed="default", last_import=retry, last_complete=ID, last_complete_at=CREATED),
    )
    assert person.lines("status")[-1] == f"What to do for default: jobferry show {ID}"
    assert person.status == 1


def test_a_run_does_not_remember_the_one_before(person: Person) -> None:
    later = ID.replace("070000", "080000")
    person.have(
        complete(results(failed=2)),
        sent(State.PENDING, None, "", import_id=later),
        Feed(feed="default", last_import=later, last_complete=ID, last_complete_at=CREATED, open_imports=[later]),
    )
    assert "What to do" not in person("status")
    assert person.status == 0


def test_a_job_that_the_board_took_is_not_among_those_that_failed(person: Person) -> None:
    case = CASES["found-and-refused"]
    person.have(case.record)
    person.have_failed(case.record, FailedKind.ERROR, *case.failed)
    person.have_failed(case.record, FailedKind.INVALID, *case.invalid)
    lines = person.lines("show", ID)
    assert "1 of 199 jobs failed" in lines[0]
    failed, taken = lines.index("Failed (1)"), lines.index("Published, but check (1)")
    assert [line.split()[1] for line in lines[failed:taken] if line.startswith("  - ")] == ["LT-10014,"]
    assert [line.split()[1] for line in lines[taken:] if line.startswith("  - ")] == ["LT-10015,"]


def test_a_paused_feed_is_resumed_with_a_command(person: Person) -> None:
    person.have(blocked("paused", "the feed is paused"))
    lines = person.lines("--region", "eu-west-1", "show", ID)
    assert lines[lines.index("What to do") + 1 :] == [
        "  - To send the feed again:",
        "      jobferry --region eu-west-1 resume default",
    ]


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (blocked("feed-invalid", "the feed has no valid job"), ["blocked", "the feed looks broken"]),
        (sent(State.REJECTED, "board-refused", "it answered 422"), ["rejected", "the board refused the import"]),
        (
            sent(State.REJECTED, "board-refused", "it answered 401", board_status=401),
            ["rejected", "the board refused the API key"],
        ),
        (sent(State.REJECTED, "secret", "no key"), ["rejected", "the API key is not usable"]),
        (sent(State.EXPIRED, "no-result", "none"), ["expired", "no result from the board within 12 hours"]),
        (blocked("open", "another is still open", state=State.SKIPPED), ["skipped", "an import was still open"]),
        (sent(State.SUBMITTING, "board-refused", "it answered 503"), ["submitting"]),
        (complete(), ["complete"]),
    ],
)
def test_the_history_says_in_words_why_nothing_came_of_an_import(
    person: Person, record: Import, state: list[str]
) -> None:
    person.have(record)
    header, row, *reason = person.lines("history", "default")
    assert [row[header.index("STATE") :].split()[0], *map(str.strip, reason)] == state


def test_the_history_fits_into_a_narrow_window(person: Person) -> None:
    person.have(
        complete(results(12_345, 12_345, 12_345, 1_234), jobs=38_269, full_sync=True, withheld_deletes=12_345),
        sent(State.REJECTED, "secret", "no key", import_id=ID.replace("Z", "123456Z")),
    )
    assert max(map(len, person.lines("history", "default"))) <= 100


def test_jobs_that_were_corrected_and_accepted_in_a_retry_no_longer_fail(person: Person) -> None:
    """The retry of a retry counts, too; a job that failed again does not."""
    first, second = "default-20261124T080000Z-retry", "default-20261124T090000Z-retry"
    run = complete(results(failed=3, updated=197))
    partly = complete(
        results(0, 2, 0, 1),
        import_id=first,
        created_at=CREATED + timedelta(hours=1),
        retry=f"archive/default/{ID}.retry-20261124T080000Z.jsonl",
    )
    feed = Feed(feed="default", last_import=first, last_complete=ID, last_complete_at=CREATED)
    person.have(run, partly, feed)
    header, row = person.lines("status")[:2]
    assert row[header.index("JOBS") :].split()[1] == "1"
    assert person.status == 1

    wholly = complete(
        results(0, 1, 0),
        import_id=second,
        created_at=CREATED + timedelta(hours=2),
        retry=f"archive/default/{first}.retry-20261124T090000Z.jsonl",
    )
    person.have(wholly, feed.changed(last_import=second, revision=1))
    header, row = person.lines("status")[:2]
    assert row[header.index("JOBS") :].split()[1] == "0"
    assert "What to do" not in person("status")
    assert person.status == 0


def test_programs_get_every_import_of_a_split_run(split: Person) -> None:
    [status] = json.loads(split("status", "--json"))["feeds"]
    for run in (status["lastRun"], status["lastCompleteRun"], json.loads(split("show", ID, "--json"))["run"]):
        assert [each["importId"] for each in run] == [ID, f"{ID}-2", f"{ID}-3"]


def test_a_run_is_a_persons_and_has_an_id_of_its_own(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known before the run begins, though another run may begin within the same second."""
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(Stack, "start", lambda _, event: started.append(event))

    said = [person("confirm", "default", "ABCD-EFGH") for _ in range(3)]

    triggers = [parse_trigger(event, CREATED) for event in started]
    assert all(each.by_person for each in triggers)
    assert len({each.import_id for each in triggers}) == 3
    assert all(f"Started {each.import_id}." in words for each, words in zip(triggers, said, strict=True))
