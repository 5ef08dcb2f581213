"""The rules that protect live postings, each by its number in the design's *Deletions*."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from jobferry.records.archive import deletion_list_key
from jobferry.records.failed_jobs import FailedKind
from jobferry.records.imports import Import, OtherFeed, Posting, State, Unreadable
from tests.stage import FEED, KEY, Stage, job, jobs, lines

TWENTY = [f"J{number:02d}" for number in range(20)]


def full_sync(*references: str, **settings: Any) -> Stage:
    """A feed whose full sync is under way: the first was announced, the second done."""
    stage = Stage()
    stage.settings(deleteJobs=True, **settings)
    stage.put_jobs(*references)
    assert stage.complete().deletions.because == ["first"]
    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == sorted(references)
    return stage


def withheld(record: Import) -> tuple[State, bool, int, list[str], bool, list[str]]:
    """What a notice needs to say of deletions: `complete`, deleteJobs as sent, how many, why, confirmable, which."""
    return (
        record.state,
        record.deletions.delete_jobs,
        record.deletions.withheld,
        record.deletions.because,
        record.deletions.confirm_code is not None,
        [each.reference_number for each in record.deletions.postings],
    )


# Rule 1


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [job("J00", state="MC"), job("J01", postalCode="0")],
        [job(None), job("")],
        [b"not a row"],
        [job("J00"), job("J00", title="another")],
    ],
    ids=["none", "invalid", "nameless", "unreadable", "contradictory"],
)
def test_1_without_a_valid_job_nothing_is_sent(rows: list[Any]) -> None:
    stage = full_sync(*TWENTY)
    stage.settings(deleteJobs=True, maxInvalidPercent=100)
    stage.put("jobs.jsonl", b"[]" if not rows else lines(*rows))
    if not rows:
        stage.remove("jobs.jsonl")
        stage.put("jobs.json", b"[]")
    before = stage.sent()

    record = stage.complete()

    assert (record.state, record.ending.cause, record.prepared.jobs) == (State.BLOCKED, "feed-invalid", 0)
    assert record.ending.reason is not None
    assert record.ending.reason.startswith("the feed has no valid job" if rows else "the feed's files contain no job")
    assert record.prepared.invalid == len(rows)
    assert stage.sent() == before
    assert stage.postings() == TWENTY
    assert stage.live_set() == TWENTY


def test_1_emptied_on_purpose_is_blocked_and_says_so() -> None:
    stage = full_sync(*TWENTY)
    stage.remove("jobs.jsonl")

    record = stage.complete()

    assert (record.state, record.ending.cause) == (State.BLOCKED, "feed-missing")
    assert stage.postings() == TWENTY


# Rule 2


def test_2_an_invalid_job_is_sent_as_it_is_so_that_its_posting_stays() -> None:
    stage = full_sync(*TWENTY)
    stage.put("jobs.jsonl", lines(job("J00", state="MC"), *jobs(*TWENTY[1:19])))  # J19 is gone

    record = stage.complete()

    assert record.deletions.delete_jobs
    assert record.prepared.invalid == 1
    assert stage.sent()[-1] == (TWENTY[:19], True)
    assert stage.postings() == TWENTY[:19]
    assert [each.reference_number for each in stage.store.read_failed(record.import_id, FailedKind.INVALID)] == ["J00"]
    assert [
        (each.reference_number, each.messages) for each in stage.store.read_failed(record.import_id, FailedKind.ERROR)
    ] == [("J00", ["State is invalid. Value passed was: MC"])]
    assert stage.live_set() == TWENTY[:19]


def test_2_without_full_sync_an_invalid_job_is_held_back_and_reported() -> None:
    stage = Stage()
    stage.put("jobs.jsonl", lines(job("J00", state="MC"), *jobs(*TWENTY[1:])))

    record = stage.complete()

    assert stage.sent() == [(TWENTY[1:], False)]
    assert [each.reference_number for each in stage.store.read_failed(record.import_id, FailedKind.INVALID)] == ["J00"]


@pytest.mark.parametrize(
    "row",
    [job(None), job("  "), b'{"referenceNumber": "J19", "tit', b'["J19"]', b'{"referenceNumber": "J19", "x": NaN}'],
    ids=["none", "blank", "cut", "list", "nan"],
)
def test_2_a_row_that_protects_no_posting_withholds_the_deletions(row: Any) -> None:
    stage = full_sync(*TWENTY)
    stage.put("jobs.jsonl", lines(*jobs(*TWENTY[:10]), row, *jobs(*TWENTY[10:18])))

    record = stage.complete()

    assert withheld(record) == (State.COMPLETE, False, 2, ["unprotected-rows"], True, ["J18", "J19"])
    assert stage.postings() == TWENTY
    assert stage.live_set() == TWENTY


def test_2_rows_that_contradict_each_other_protect_their_posting_too() -> None:
    stage = full_sync(*TWENTY)
    stage.put("jobs.jsonl", lines(*jobs(*TWENTY), job("J19", title="another")))

    record = stage.complete()

    assert withheld(record) == (State.COMPLETE, False, 1, ["unprotected-rows"], True, ["J19"])
    assert stage.postings() == TWENTY


def test_2_also_where_nothing_of_ours_would_go() -> None:
    """A posting that the live set does not know would."""
    stage = full_sync(*TWENTY)
    stage.board.postings(KEY)["by-hand"] = job("by-hand")
    stage.put("jobs.jsonl", lines(*jobs(*TWENTY), job(None)))

    record = stage.complete()

    assert withheld(record) == (State.COMPLETE, False, 0, ["unprotected-rows"], False, [])
    assert "by-hand" in stage.postings()


# Rule 3


def test_3_the_first_full_sync_deletes_nothing_and_announces_the_next() -> None:
    stage = Stage()
    stage.board.postings(KEY)["by-hand"] = job("by-hand")
    stage.settings(deleteJobs=True)
    stage.put_jobs("A", "B")

    first = stage.complete()
    assert withheld(first) == (State.COMPLETE, False, 0, ["first"], False, [])
    assert first.deletions.full_sync
    assert stage.postings() == ["A", "B", "by-hand"]

    second = stage.complete()
    assert (second.deletions.delete_jobs, second.deletions.because) == (True, [])
    assert stage.postings() == ["A", "B"]


def test_3_full_sync_turned_on_after_add_only_runs_is_announced() -> None:
    stage = Stage()
    stage.put_jobs("A", "B")
    stage.complete()
    stage.put_jobs("B")
    stage.settings(deleteJobs=True)

    assert withheld(stage.complete()) == (State.COMPLETE, False, 1, ["first"], False, ["A"])
    assert stage.postings() == ["A", "B"]
    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == ["B"]


def test_3_turned_off_and_on_again_is_announced_again() -> None:
    stage = full_sync("A", "B")
    stage.settings(deleteJobs=False)
    stage.put_jobs("B", "C")
    off = stage.complete()
    assert (off.deletions.delete_jobs, off.deletions.withheld, off.deletions.because) == (False, 0, [])
    assert stage.live_set() == ["A", "B", "C"]
    stage.settings(deleteJobs=True)

    assert withheld(stage.complete()) == (State.COMPLETE, False, 1, ["first"], False, ["A"])
    assert stage.postings() == ["A", "B", "C"]


def test_3_a_new_account_is_announced_and_so_is_the_old_one_on_return() -> None:
    stage = full_sync("A", "B")
    stage.accounts.secrets["Other"] = "key-of-another"
    stage.board.keys.add("key-of-another")
    stage.board.postings("key-of-another")["X"] = job("X")
    stage.settings(deleteJobs=True, apiKeySecret="Other")

    assert withheld(stage.complete()) == (State.COMPLETE, False, 0, ["first"], False, [])
    assert stage.postings("key-of-another") == ["A", "B", "X"]
    stage.settings(deleteJobs=True, apiKeySecret="BoardApiKey")
    stage.put_jobs("B")
    assert stage.complete().deletions.because == ["first"]
    assert stage.postings() == ["A", "B"]


def test_3_another_key_in_the_same_secret_is_announced_and_forgets_no_posting() -> None:
    """A trial account's key that is replaced by the real one, above all. But it may only have been rotated."""
    stage = full_sync(*TWENTY)
    stage.accounts.secrets["BoardApiKey"] = "the-real-key"
    stage.board.keys.add("the-real-key")
    stage.board.postings("the-real-key")["by-hand"] = job("by-hand")
    stage.put_jobs(*TWENTY[:5])

    first = stage.complete()

    assert withheld(first) == (State.COMPLETE, False, 15, ["first", "fewer-rows", "too-many"], False, TWENTY[5:])
    assert stage.postings("the-real-key") == [*TWENTY[:5], "by-hand"]
    assert stage.postings() == TWENTY
    assert withheld(stage.complete()) == (State.COMPLETE, False, 15, ["fewer-rows", "too-many"], True, TWENTY[5:])


def test_3_the_same_key_in_another_secret_is_the_same_account() -> None:
    stage = full_sync(*TWENTY)
    stage.accounts.secrets["Renamed"] = KEY
    stage.settings(deleteJobs=True, apiKeySecret="Renamed")
    stage.put_jobs(*TWENTY[:5])

    assert withheld(stage.complete()) == (State.COMPLETE, False, 15, ["fewer-rows", "too-many"], True, TWENTY[5:])
    assert stage.postings() == TWENTY


def test_3_a_record_does_not_tell_the_key() -> None:
    stage = full_sync("A")
    record = stage.complete()
    assert record.destination.key_mark == stage.accounts.get("BoardApiKey").key_mark("signing-key")
    assert len(record.destination.key_mark) == 16
    assert stage.accounts.get("BoardApiKey").key_mark("another") != record.destination.key_mark
    assert KEY not in record.model_dump_json() + stage.store.get_feed(FEED).model_dump_json()


def test_3_a_renamed_feed_is_announced() -> None:
    stage = full_sync("A", "B")
    for name in ("jobs.jsonl", "feed.json"):
        stage.bucket.contents[f"feeds/renamed/{name}"] = stage.bucket.contents.pop(f"feeds/{FEED}/{name}")
    stage.put_jobs("B", feed="renamed")

    assert withheld(stage.complete("renamed")) == (State.COMPLETE, False, 0, ["first"], False, [])
    assert stage.postings() == ["A", "B"]
    assert stage.complete("renamed").deletions.delete_jobs


def test_3_a_live_set_that_left_the_archive_is_as_none() -> None:
    stage = full_sync(*TWENTY)
    for key in [each for each in stage.bucket.contents if each.endswith(".live.jsonl.gz")]:
        del stage.bucket.contents[key]
    stage.put_jobs("J00")

    assert withheld(stage.complete()) == (State.COMPLETE, False, 0, ["first"], False, [])
    assert stage.postings() == TWENTY


def test_3_a_first_import_that_did_not_arrive_announces_nothing() -> None:
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put_jobs("A")
    stage.board.keys.clear()
    assert stage.complete().state is State.REJECTED
    stage.board.keys.add(KEY)

    assert stage.complete().deletions.because == ["first"]


def test_3_a_lost_live_set_and_a_lost_result_announce_nothing() -> None:
    stage = full_sync(*TWENTY)
    for key in [each for each in stage.bucket.contents if each.endswith(".live.jsonl.gz")]:
        del stage.bucket.contents[key]
    stage.put_jobs("J00")
    first = stage.run()
    stage.clock.forward(hours=12)
    stage.poll()
    assert (stage.record(first.import_id).state, first.deletions.because) == (State.EXPIRED, ["first"])

    assert stage.complete().deletions.because == ["first"]
    assert stage.postings() == TWENTY


# Rule 4


@pytest.mark.parametrize(
    ("size", "gone", "percent", "goes"),
    [
        (20, 10, 20, True),  # ten pass regardless
        (20, 11, 20, False),
        (19, 10, 20, False),  # but not more than half
        (19, 9, 20, True),
        (11, 10, 20, False),
        (2, 1, 20, True),
        (3, 2, 20, False),
        (1, 1, 20, False),
        (1, 1, 100, True),
        (55, 11, 20, True),  # exactly 20 %
        (54, 11, 20, False),
        (55, 12, 20, False),
        (12, 11, 100, True),
        (1000, 1, 0, False),
        (1000, 2, 1, True),
        (150, 11, 7, False),
        (158, 11, 7, True),
    ],
)
def test_4_more_than_a_share_is_withheld(size: int, gone: int, percent: int, goes: bool) -> None:
    references = [f"J{number:04d}" for number in range(size)]
    stage = full_sync(*references, maxDeletePercent=percent, maxWeeklyDeletePercent=100)
    others = [f"N{number:04d}" for number in range(gone)]  # so that the file keeps its rows
    stage.put_jobs(*references[gone:], *others)

    record = stage.complete()

    if goes:
        assert (record.deletions.delete_jobs, record.deletions.expected, record.deletions.withheld) == (True, gone, 0)
        assert [each.reference_number for each in record.deletions.postings] == references[:gone][:25]
        assert record.result.counts is not None
        assert record.result.counts["deleted"] == gone
        assert stage.postings() == [*references[gone:], *others]
    else:
        assert withheld(record) == (State.COMPLETE, False, gone, ["too-many"], True, references[:gone][:25])
        assert record.deletions.expected == 0
        assert stage.postings() == [*references, *others]


def test_4_what_was_withheld_is_withheld_again_and_listed_whole() -> None:
    references = [f"J{number:02d}" for number in range(60)]
    stage = full_sync(*references)
    stage.put_jobs(*references[30:])

    first = stage.complete()
    again = stage.complete()

    assert first.deletions.confirm_code == again.deletions.confirm_code
    assert again.deletions.withheld == 30
    assert again.deletions.postings[0] == Posting(reference_number="J00", title="Job J00")
    assert len(again.deletions.postings) == 25
    listed = gzip.decompress(stage.bucket.contents[deletion_list_key(again.prepared) or ""])
    assert [json.loads(line)["referenceNumber"] for line in listed.splitlines()] == references[:30]
    assert stage.live_set() == references
    assert stage.postings() == references


def test_4_what_was_withheld_counts_with_what_goes_missing_later() -> None:
    references = [f"J{number:03d}" for number in range(100)]
    stage = full_sync(*references, maxDeletePercent=15)
    stage.put_jobs(*references[16:])
    assert stage.complete().deletions.withheld == 16
    stage.put_jobs(*references[18:])

    record = stage.complete()

    assert (record.deletions.withheld, record.deletions.because) == (18, ["too-many"])
    assert {each.reference_number for each in record.deletions.postings} == set(references[:18])


# The rule beside them: fewer objects


def two_objects() -> Stage:
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put("a.jsonl", lines(*jobs(*TWENTY[:18])))
    stage.put("b.jsonl", lines(*jobs(*TWENTY[18:])))
    stage.complete()
    assert stage.complete().deletions.delete_jobs
    return stage


def test_an_object_that_is_gone_withholds_the_deletions_every_night_until_they_are_confirmed() -> None:
    stage = two_objects()
    stage.remove("b.jsonl")

    for _ in range(3):
        record = stage.complete()
        assert withheld(record) == (State.COMPLETE, False, 2, ["fewer-objects"], True, ["J18", "J19"])
        assert stage.postings() == TWENTY
    done = stage.complete(confirmDeletes=record.deletions.confirm_code)

    assert (done.deletions.delete_jobs, done.deletions.expected) == (True, 2)
    assert stage.postings() == TWENTY[:18]
    assert stage.complete().deletions.delete_jobs


def test_fewer_objects_with_all_the_jobs_are_nothing_to_worry_about() -> None:
    stage = two_objects()
    stage.remove("b.jsonl")
    stage.put("a.jsonl", lines(*jobs(*TWENTY)))

    assert stage.complete().deletions.delete_jobs
    stage.put("a.jsonl", lines(*jobs(*TWENTY[:18])))
    assert stage.complete().deletions.delete_jobs  # one object is what it has now
    assert stage.postings() == TWENTY[:18]


# Rule 5


def shared(secret: str | None, **other: Any) -> Stage:
    """A full sync, beside a second feed whose account is of that secret."""
    stage = full_sync("A", "B", "C", "D")
    stage.settings("second", **({"apiKeySecret": secret} if secret else {}), **other)
    return stage


@pytest.mark.parametrize("secret", [None, "BoardApiKey", "SameKey", "SameKeyWritten"])
def test_5_two_feeds_of_one_account_do_not_delete_each_others_jobs(secret: str | None) -> None:
    stage = shared(secret)
    stage.accounts.secrets["SameKey"] = f" {KEY}\n"
    stage.accounts.secrets["SameKeyWritten"] = json.dumps(
        {"apiKey": KEY, "boardUrl": "https://board.example/api/v2.0/"}
    )
    stage.put_jobs("X", "Y", feed="second")
    assert stage.complete("second").state is State.COMPLETE
    stage.put_jobs("A", "B")

    record = stage.complete()

    assert withheld(record) == (State.COMPLETE, False, 2, ["shared-account"], False, ["C", "D"])
    assert record.deletions.shared_with == [OtherFeed(feed="second")]
    assert stage.postings() == ["A", "B", "C", "D", "X", "Y"]
    refused = stage.complete(confirmDeletes="AAAA-AAAA-AAAA-A")
    assert (refused.state, refused.ending.cause) == (State.BLOCKED, "confirmation")
    assert refused.ending.reason == "deletions cannot be confirmed while another feed uses the same account: second"


@pytest.mark.parametrize("folder", ["", "Nurses", "a b", "n\u00e4"])
def test_5_a_folder_that_cannot_be_a_feed_shares_nothing(folder: str) -> None:
    stage = full_sync("A", "B", "C")
    stage.bucket.contents[f"feeds/{folder}/x.csv"] = b"referenceNumber,title\nX,t\n"
    stage.put_jobs("A", "B")

    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == ["A", "B"]


def test_5_another_key_is_another_account_however_the_boards_url_is_written() -> None:
    stage = shared("Other")
    stage.put_jobs("X", feed="second")
    stage.accounts.secrets["Other"] = "another-key"
    assert stage.complete().deletions.delete_jobs
    stage.accounts.secrets["Other"] = json.dumps({"apiKey": KEY, "boardUrl": "https://BOARD.example:443/api/v2.0"})
    stage.accounts.forget()
    assert stage.complete().deletions.because == ["shared-account"]


def test_5_when_nobody_shares_any_more_it_is_announced_anew() -> None:
    """Or a feed whose objects are away for a moment, while they are exported anew, would lose its postings."""
    stage = shared("Other")
    stage.accounts.secrets["Other"] = KEY
    stage.put_jobs("X", feed="second")
    stage.settings("second", apiKeySecret="Other")
    assert stage.complete("second").state is State.COMPLETE
    assert stage.complete().deletions.because == ["shared-account"]
    stage.remove("jobs.jsonl", feed="second")
    stage.remove("feed.json", feed="second")
    assert stage.complete().deletions.because == ["first"]
    assert "X" in stage.postings()


def test_5_a_feed_that_cannot_be_understood_may_be_of_the_account() -> None:
    stage = shared(None)
    stage.put("feed.json", b"{", feed="second")

    record = stage.complete()

    assert (record.deletions.because, record.deletions.shared_with) == (
        ["shared-account"],
        [OtherFeed(feed="second", unreadable=Unreadable.SETTINGS)],
    )


@pytest.mark.parametrize("text", [None, "", "{"])
def test_5_a_feed_whose_secret_cannot_be_read_may_be_of_the_account(text: str | None) -> None:
    stage = shared("Same")
    stage.accounts.secrets["Same"] = KEY
    stage.put_jobs("X", feed="second")
    stage.complete("second")
    if text is None:
        del stage.accounts.secrets["Same"]
    else:
        stage.accounts.secrets["Same"] = text
    stage.accounts.forget()
    stage.put_jobs("A", "B")

    record = stage.complete()

    assert (record.deletions.because, record.deletions.shared_with) == (
        ["shared-account"],
        [OtherFeed(feed="second", unreadable=Unreadable.SECRET)],
    )
    assert stage.postings() == ["A", "B", "C", "D", "X"]


def test_5_keys_are_compared_as_they_are_now_and_not_as_a_warm_function_knows_them() -> None:
    stage = shared("Other")
    stage.accounts.secrets["Other"] = "another-key"
    assert stage.complete().deletions.delete_jobs
    stage.accounts.secrets["Other"] = KEY
    assert stage.complete().deletions.because == ["shared-account"]
    stage.accounts.secrets |= {"Other": "rotated", "BoardApiKey": "rotated"}
    stage.board.keys.add("rotated")
    assert "shared-account" in stage.complete().deletions.because


def test_5_is_over_when_the_other_feed_is() -> None:
    stage = shared(None)
    stage.put_jobs("A", "B")
    assert not stage.complete().deletions.delete_jobs
    stage.remove("feed.json", "second")

    assert stage.complete().deletions.because == ["first"]
    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == ["A", "B"]


# Rule 6: single flight is in test_single_flight


def test_6_a_full_sync_is_never_split() -> None:
    stage = full_sync("A", "B", "C")
    stage.settings(deleteJobs=True, maxJobsPerImport=2)

    record = stage.complete()

    assert (record.state, record.ending.cause) == (State.BLOCKED, "settings")
    assert "deleteJobs true and maxJobsPerImport exclude each other" in (record.ending.reason or "")
    assert stage.postings() == ["A", "B", "C"]


def test_6_a_split_feed_has_one_live_set() -> None:
    stage = Stage()
    stage.settings(maxJobsPerImport=2)
    stage.put_jobs("A", "B", "C", "D", "E")
    stage.complete()
    assert [references for references, _ in stage.sent()] == [["A", "B"], ["C", "D"], ["E"]]
    assert stage.live_set() == ["A", "B", "C", "D", "E"]
    stage.settings(deleteJobs=True)
    stage.put_jobs("A", "B", "C")

    assert withheld(stage.complete()) == (State.COMPLETE, False, 2, ["first"], False, ["D", "E"])


# Rule 7


def test_7_more_deleted_than_was_to_come_can_be_told_from_the_record() -> None:
    stage = full_sync("A", "B", "C")
    stage.board.postings(KEY)["by-hand"] = job("by-hand")
    stage.put_jobs("A", "B")

    record = stage.complete()

    assert record.result.counts is not None
    assert (record.deletions.expected, record.result.counts["deleted"]) == (1, 2)
    assert record.deletions.postings == [Posting(reference_number="C", title="Job C")]
