"""A feed whose feed.json has disappeared sends nothing: its jobs could overwrite the postings of another account."""

from __future__ import annotations

import pytest

from jobferry.records.imports import Import, OtherFeed, State, Unreadable
from tests.stage import Stage, job, lines

#: The account that feeds use by default, and that of the feed `west`.
DEFAULT = "key-of-the-agency"
WEST = "key-of-the-west"


@pytest.fixture
def stage() -> Stage:
    """Two feeds of two accounts, which number their jobs alike."""
    stage = Stage()
    stage.accounts.secrets["West"] = WEST
    stage.board.keys.add(WEST)
    stage.settings("west", apiKeySecret="West")
    stage.put("jobs.jsonl", lines(job("1", title="In the west"), job("2", title="In the west")), "west")
    stage.put("jobs.jsonl", lines(job("1", title="In the east"), job("2", title="In the east")))
    stage.complete()
    return stage


def assert_blocked(stage: Stage, record: Import, cause: str) -> None:
    assert (record.state, record.ending.cause) == (State.BLOCKED, cause), record.ending.reason
    assert {each["title"] for each in stage.board.postings(DEFAULT).values()} == {"In the east"}


def test_without_feed_json_nothing_is_sent_until_it_is_back(stage: Stage) -> None:
    assert stage.complete("west").state is State.COMPLETE
    stage.remove("feed.json", "west")

    for _ in range(2):
        record = stage.complete("west")
        assert_blocked(stage, record, "settings-missing")
    assert record.ending.reason is not None
    assert record.ending.reason.startswith("feeds/west/feed.json has disappeared")
    outcome = stage.event({"feed": "west", "dryRun": True})
    assert outcome.reason == record.ending.reason

    stage.settings("west", apiKeySecret="West")
    assert stage.complete("west").state is State.COMPLETE


def test_a_feed_that_has_sent_nothing_yet_is_protected_too(stage: Stage) -> None:
    stage.board.keys.remove(WEST)
    assert stage.complete("west").state is State.REJECTED
    stage.remove("feed.json", "west")
    assert_blocked(stage, stage.complete("west"), "settings-missing")


def test_a_paused_feed_is_protected_too(stage: Stage) -> None:
    stage.settings("west", apiKeySecret="West", paused=True)
    assert stage.complete("west").ending.cause == "paused"
    stage.remove("feed.json", "west")
    assert_blocked(stage, stage.complete("west"), "settings-missing")


def test_a_feed_that_never_had_settings_needs_none(stage: Stage) -> None:
    assert stage.complete().state is State.COMPLETE


def test_a_dry_run_remembers_nothing(stage: Stage) -> None:
    stage.event({"feed": "west", "dryRun": True})
    assert stage.store.get_feed("west").revision == 0


def test_an_empty_object_ends_it_if_no_account_was_named(stage: Stage) -> None:
    stage.settings(maxInvalidPercent=50)
    stage.complete()
    stage.remove("feed.json")
    assert_blocked(stage, stage.complete(), "settings-missing")
    stage.settings()
    assert stage.complete().state is State.COMPLETE


@pytest.mark.parametrize("content", [b"", b" \n", b'{"apiKeySecret": "We', b"null", b"[]", b"\x00" * 30])
def test_settings_that_are_cut_or_emptied_send_nothing(stage: Stage, content: bytes) -> None:
    stage.complete("west")
    stage.put("feed.json", content, "west")
    assert_blocked(stage, stage.complete("west"), "settings")


@pytest.mark.parametrize("content", [b"{}", b'{"deleteJobs": true}', b'{"fields": {"a": "b"}}'])
def test_settings_that_name_no_account_any_more_send_nothing(stage: Stage, content: bytes) -> None:
    """Such as another feed's feed.json, which an export copied."""
    stage.complete("west")
    stage.put("feed.json", content, "west")

    record = stage.complete("west")

    assert_blocked(stage, record, "settings")
    assert record.ending.reason is not None
    assert "no longer has apiKeySecret, which was West" in record.ending.reason
    assert '"apiKeySecret": "BoardApiKey"' in record.ending.reason


def test_a_person_may_name_another_account(stage: Stage) -> None:
    stage.complete("west")
    stage.settings("west", apiKeySecret="BoardApiKey")
    stage.put_jobs("3", feed="west")
    assert stage.complete("west").state is State.COMPLETE
    assert "3" in stage.postings(DEFAULT)
    stage.settings("west")  # which is the same account
    assert stage.complete("west").state is State.COMPLETE


def test_another_feed_whose_settings_disappeared_may_be_of_the_account(stage: Stage) -> None:
    """It seems to use the default account, though its postings are elsewhere: on the account of this full sync, perhaps."""
    stage.accounts.secrets["North"] = WEST
    stage.settings("north", apiKeySecret="North")
    stage.put_jobs("N1", feed="north")
    assert stage.complete("north").state is State.COMPLETE
    stage.remove("feed.json", "north")
    stage.settings("west", apiKeySecret="West", deleteJobs=True)

    for _ in range(3):
        record = stage.complete("west")
        assert record.deletions.because[0] != "first" or "shared-account" in record.deletions.because
        assert record.deletions.shared_with == [OtherFeed(feed="north", unreadable=Unreadable.SETTINGS)]
    assert "N1" in stage.postings(WEST)


def test_a_retry_is_not_sent_to_another_account(stage: Stage) -> None:
    first = stage.complete("west")
    key = f"archive/west/{first.import_id}.retry-20261124T020500Z.jsonl"
    stage.bucket.contents[key] = lines(job("1", title="Corrected"))
    stage.remove("feed.json", "west")
    assert_blocked(stage, stage.complete("west", retry=key), "settings-missing")


def test_an_import_whose_settings_disappear_before_it_is_sent_is_not_sent(stage: Stage) -> None:
    stage.settings("west", apiKeySecret="West", deleteJobs=True)
    stage.put_jobs("1", "2", "3", feed="west")
    stage.complete("west")
    stage.complete("west")
    stage.put_jobs("1", "2", feed="west")

    def lose(_: object) -> None:
        stage.bucket.before_open = lambda _: None
        stage.remove("feed.json", "west")

    stage.bucket.before_open = lose
    sent = stage.sent()
    record = stage.complete("west")

    assert_blocked(stage, record, "settings-missing")
    assert stage.sent() == sent
    assert stage.postings(WEST) == ["1", "2", "3"]
