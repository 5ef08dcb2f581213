"""What people are told about deletions, and how large a record and a notice can become."""

from __future__ import annotations

import json

from jobferry.cli import showing
from jobferry.notices.advice.causes import why_withheld
from jobferry.notices.details import read_details
from jobferry.notices.view import ImportView
from jobferry.records.imports import OTHERS_NAMED, Objection
from tests.stage import COMMANDS, FEED, Stage, jobs, lines

REFERENCES = [f"J{number:02d}" for number in range(40)]


def full_sync(**settings: object) -> Stage:
    stage = Stage()
    stage.settings(deleteJobs=True, **settings)
    stage.put_jobs(*REFERENCES)
    stage.complete()
    stage.clock.forward(hours=24)
    stage.complete()
    stage.topic.published.clear()
    return stage


def test_deletions_as_expected_are_told_with_their_list() -> None:
    stage = full_sync()
    stage.put_jobs(*REFERENCES[5:])
    stage.complete()
    (notice,) = stage.topic.published
    assert notice.subject == "jobferry default: 5 postings deleted"
    assert (notice.data["about"], notice.data["severity"]) == (["deleted"], "info")
    assert all(f"- {each}, Job {each}\n" in notice.text for each in REFERENCES[:5])


def test_a_feed_may_do_without_that_notice() -> None:
    stage = full_sync(notifyOnDeletes=False)
    stage.put_jobs(*REFERENCES[5:])
    stage.complete()
    assert stage.topic.published == []


def test_without_deletions_there_is_no_such_notice() -> None:
    stage = full_sync()
    stage.complete()
    assert stage.topic.published == []


def test_a_dry_run_says_that_it_counts_this_feeds_postings_only() -> None:
    stage = full_sync()
    outcome = stage.event({"feed": FEED, "dryRun": True})
    assert outcome.preview is not None
    assert outcome.preview["deletes"] == 0
    assert "deletes every other posting of the account" in outcome.preview["note"]
    shown = " ".join(" ".join(showing.preview(outcome.answer())).split())
    assert "with 0 deletions of this feed's postings" in shown
    assert "The board also deletes every other posting of the account" in shown


def test_a_dry_run_that_deletes_nothing_says_nothing_of_others() -> None:
    stage = full_sync()
    stage.put_jobs(*REFERENCES[:3])
    outcome = stage.event({"feed": FEED, "dryRun": True})
    assert outcome.preview is not None
    assert outcome.preview["note"] is None


def test_what_stays_is_not_said_to_be_deleted_by_the_next_import() -> None:
    """A first full sync that another rule withholds too."""
    stage = Stage()
    stage.put_jobs(*REFERENCES)
    stage.complete()
    stage.settings(deleteJobs=True)
    stage.put_jobs(*REFERENCES[:5])
    record = stage.complete()
    assert record.deletions.because == ["first", "fewer-rows", "too-many"]
    assert why_withheld(record.deletions.because) == why_withheld([Objection.FEWER_ROWS, Objection.TOO_MANY])
    with read_details(stage.store, record) as details:
        facts = ImportView.of(details, COMMANDS).facts
    assert "announced" not in facts["sent"]


# How large it can become


def test_a_record_names_the_first_feeds_of_an_account_and_counts_all() -> None:
    stage = full_sync()
    for number in range(300):
        stage.settings(f"other-{number:03d}-{'x' * 50}", apiKeySecret="BoardApiKey")
    record = stage.complete()
    assert record.deletions.because == ["shared-account"]
    assert (len(record.deletions.shared_with), record.deletions.sharing) == (OTHERS_NAMED, 300)
    (notice,) = stage.topic.published
    assert "and 295 more are on the same account" in notice.text
    refused = stage.complete(confirmDeletes="AAAA")
    assert refused.ending.reason is not None
    assert refused.ending.reason.endswith("and 280 more")


def test_a_record_of_many_objects_stays_below_dynamodbs_limit() -> None:
    stage = Stage()
    stage.settings(deleteJobs=True, notifyOnSuccess=True)
    for number in range(6000):
        stage.put(f"{number}.jsonl", lines(*jobs(f"J{number}")))
    record = stage.complete()
    assert record.prepared.objects == 6000
    assert len(json.dumps(record.to_item())) < 300_000
