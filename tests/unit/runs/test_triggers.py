"""Which run an event asks for, and the id that it gets."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jobferry.errors import EventError, FeedNameError, StrayObjectError
from jobferry.records.imports import IMPORT_ID, part_id
from jobferry.runs.triggers import Trigger, parse_trigger
from tests.events import load_event

NOW = datetime(2026, 11, 24, 2, 0, 7, 654321, tzinfo=UTC)


def upload(key: str, **changes: Any) -> dict[str, Any]:
    found = {"key": key, "version-id": "v1", "etag": "e1", "sequencer": "s1"} | changes
    return {"source": "aws.s3", "time": "2026-11-24T02:00:00Z", "detail": {"object": found}}


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        ({"feed": "default"}, Trigger("default", "default-20261124T020007Z", by_person=True)),
        (
            {"feed": "default", "scheduledAt": "2026-11-24T07:00:00Z"},
            Trigger("default", "default-20261124T070000Z"),
        ),
        (
            {"feed": "default", "scheduledAt": "2026-11-24T02:00:00-05:00"},
            Trigger("default", "default-20261124T070000Z"),
        ),
        (
            {"feed": "a-1", "confirmDeletes": "K7QD-3M2A"},
            Trigger("a-1", "a-1-20261124T020007Z", confirm_deletes="K7QD-3M2A", by_person=True),
        ),
        ({"feed": "a", "dryRun": True}, Trigger("a", "a-20261124T020007Z", dry_run=True, by_person=True)),
        (
            {"feed": "a", "runAgain": "a-20261124T020000Z-0a1b2c3d4e"},
            Trigger("a", "a-20261124T020000Z-0a1b2c3d4e-again", run_again="a-20261124T020000Z-0a1b2c3d4e"),
        ),
        ({"feed": "a", "resume": "a-20261124T020000Z-2"}, Trigger("a", "a-20261124T020000Z-2", resume=True)),
    ],
)
def test_the_run_that_an_event_asks_for(event: dict[str, Any], trigger: Trigger) -> None:
    assert parse_trigger(event, NOW) == trigger
    assert IMPORT_ID.fullmatch(trigger.import_id)


@pytest.mark.parametrize(
    "name", ["scheduled", "by-hand", "upload", "dry-run", "confirm-deletes", "run-again", "resume"]
)
def test_the_real_events_are_understood(name: str) -> None:
    trigger = parse_trigger(load_event(f"submit-{name}"), NOW)
    assert trigger.feed == "default"
    assert IMPORT_ID.fullmatch(trigger.import_id)


def test_an_upload_is_one_run_for_each_version_of_the_object() -> None:
    first = parse_trigger(upload("feeds/nightly/jobs.csv"), NOW)
    assert first.feed == "nightly"
    assert first.import_id.startswith("nightly-20261124T020000Z-")
    assert parse_trigger(upload("feeds/nightly/jobs.csv"), NOW) == first, "delivered twice, it meets its own record"
    others = [
        parse_trigger(upload("feeds/nightly/jobs.csv", **{"version-id": "v2"}), NOW),
        parse_trigger(upload("feeds/nightly/more.csv"), NOW),
    ]
    assert len({first.import_id, *(each.import_id for each in others)}) == 3, "within a second, each upload is a run"


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ([], "an object such as"),
        ({"feed": "a", "confirm": "x"}, "the event has confirm; known are confirmDeletes, confirmFields, dryRun, feed"),
        ({"feed": "a", "scheduledAt": "at two"}, "scheduledAt is not a date and time of RFC 3339"),
        ({"feed": "a", "confirmDeletes": ""}, "confirmDeletes must be the code from a notice"),
        ({"feed": "a", "dryRun": "yes"}, "dryRun is true or false"),
        ({"feed": "a", "resume": "b-20261124T020000Z"}, "resume is not the id of an import of a"),
        ({"feed": "a", "runAgain": "a-20261124T020000Z/../x"}, "runAgain is not the id of an import of a"),
        ({"source": "aws.s3"}, "has no object, or no time"),
    ],
)
def test_another_event_is_refused_in_words(event: Any, message: str) -> None:
    with pytest.raises(EventError, match=message):
        parse_trigger(event, NOW)


@pytest.mark.parametrize("key", ["archive/a/x.gz", "feeds/x.csv", "readme.txt"])
def test_an_object_of_no_feed_is_told_apart_since_nobody_has_to_act(key: str) -> None:
    with pytest.raises(StrayObjectError, match="belongs to no feed"):
        parse_trigger(upload(key), NOW)


@pytest.mark.parametrize("name", ["_SUCCESS", "x/.y.csv", "jobs.csv.filepart", "x/", "feed.json"])
def test_an_object_beside_the_feeds_own_starts_no_run(name: str) -> None:
    with pytest.raises(StrayObjectError, match="is not part of its feed") as caught:
        parse_trigger(upload(f"feeds/nightly/{name}"), NOW)
    assert not caught.value.misplaced


@pytest.mark.parametrize("key", ["feeds/Nurses/x.csv", "feeds//x.csv", "feeds/n\u00e4/x.csv", "feeds/a b/c"])
def test_an_upload_to_a_folder_that_cannot_be_a_feed_needs_a_person(key: str) -> None:
    with pytest.raises(
        StrayObjectError, match=r"in a folder that cannot be a feed: .* use at most 64 lower-case"
    ) as caught:
        parse_trigger(upload(key), NOW)
    assert caught.value.misplaced
    assert repr(key) in str(caught.value)


@pytest.mark.parametrize("feed", ["", "A", "a/b", "..", "a" * 65, "ä", None, 7, "a\n"])
def test_a_feed_that_cannot_exist_is_refused_before_any_access(feed: Any) -> None:
    with pytest.raises(FeedNameError):
        parse_trigger({"feed": feed}, NOW)
    if isinstance(feed, str) and "/" not in feed:
        with pytest.raises((FeedNameError, EventError)):
            parse_trigger(upload(f"feeds/{feed}/jobs.csv"), NOW)


def test_the_parts_of_a_run() -> None:
    assert [part_id("a-20261124T020000Z", number) for number in (1, 2, 3)] == [
        "a-20261124T020000Z",
        "a-20261124T020000Z-2",
        "a-20261124T020000Z-3",
    ]
