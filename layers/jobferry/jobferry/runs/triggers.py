"""What starts a run: the schedule, an upload, a person, or the poller.

An import's id is derived from its trigger, so that a duplicate event finds the existing record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from jobferry.errors import EventError, FeedNameError, StrayObjectError
from jobferry.feeds.objects import is_of_feed
from jobferry.feeds.settings import check_feed_name
from jobferry.records.archive import RETRY_KEY
from jobferry.records.imports import IMPORT_ID, id_time

_KNOWN: Final = frozenset({
    "feed", "scheduledAt", "requestedAt", "confirmDeletes", "confirmFields", "dryRun", "runAgain", "resume", "retry",
})  # fmt: skip
#: Length of the mark that tells runs within one second apart.
_MARK_BYTES: Final = 5


@dataclass(frozen=True)
class Trigger:
    """What starts a run.

    Attributes:
        feed: the feed's name.
        import_id: of the run's first import.
        confirm_deletes: the code of deletions that a person confirms.
        confirm_fields: the code of fields that are gone, which a person confirms.
        dry_run: do everything but the claim, the archive and the request.
        run_again: the import after which the poller runs the feed again, because that one was skipped, for instance.
        resume: the import exists already, and was left in the middle.
        retry: the key of corrected jobs that are sent instead of the feed, deleting nothing.
        retried: the import whose jobs were corrected.
        corrected_at: when those jobs were uploaded.
        by_person: a person started it, so that person can foresee its deletions.
    """

    feed: str
    import_id: str
    confirm_deletes: str | None = None
    confirm_fields: str | None = None
    dry_run: bool = False
    run_again: str | None = None
    resume: bool = False
    retry: str | None = None
    retried: str | None = None
    corrected_at: datetime | None = None
    by_person: bool = False


def parse_trigger(event: object, now: datetime, request: str = "") -> Trigger:
    """Read the event that starts a run.

    Args:
        event: as Lambda gets it: ours, or EventBridge's `Object Created`.
        now: for a run by hand, whose id is derived from the time of the call.
        request: the id of the Lambda request, which tells two runs by hand within one second apart.

    Raises:
        FeedNameError: the feed's name is not allowed.
        StrayObjectError: the object that was uploaded belongs to no feed.
        EventError: the event has an unknown shape; the message says which are known.
    """
    if not isinstance(event, Mapping):
        raise EventError('an object such as {"feed": "default"} is needed')
    if event.get("source") == "aws.s3":
        return _upload(event)
    unknown = sorted(str(name) for name in set(event) - _KNOWN)
    if unknown:
        raise EventError(f"the event has {', '.join(unknown)[:200]}; known are {', '.join(sorted(_KNOWN))}")
    feed = check_feed_name(event.get("feed", ""))
    dry_run = event.get("dryRun", False)
    if not isinstance(dry_run, bool):
        raise EventError("dryRun is true or false")
    confirm_deletes, confirm_fields = _code(event, "confirmDeletes"), _code(event, "confirmFields")
    has_code = bool(confirm_deletes or confirm_fields)
    if "resume" in event:
        if has_code or dry_run:
            raise EventError("an import is resumed as it was prepared: without a code and without dryRun")
        return Trigger(feed, _import_id(event["resume"], feed, "resume"), resume=True)
    if "runAgain" in event:
        before = _import_id(event["runAgain"], feed, "runAgain")
        return Trigger(
            feed,
            f"{before}-again",
            confirm_deletes=confirm_deletes,
            confirm_fields=confirm_fields,
            dry_run=dry_run,
            run_again=before,
            by_person=has_code,
        )
    if "retry" in event:
        if confirm_deletes is not None:
            raise EventError("a retry deletes nothing: there is nothing to confirm with confirmDeletes")
        if confirm_fields is not None:
            raise EventError("a retry does not read the feed: there is nothing to confirm with confirmFields")
        return _retry(event["retry"], feed, dry_run=dry_run)
    run = _run(event, feed, has_code, now, request)
    return replace(run, confirm_deletes=confirm_deletes, confirm_fields=confirm_fields, dry_run=dry_run)


def _code(event: Mapping[str, Any], name: str) -> str | None:
    code = event.get(name)
    if name in event and (not isinstance(code, str) or not code.strip()):
        raise EventError(f"{name} must be the code from a notice")
    return code


def _run(event: Mapping[str, Any], feed: str, has_code: bool, now: datetime, request: str) -> Trigger:
    """Read a run of the schedule or of a person. A run with a code is a person's, even if the event has the schedule's time.

    The schedule's id has no mark, so that an event that is delivered twice meets its own record. A person's has one: two
    people, or a person and the schedule, may start a run within the same second.
    """
    by_person = has_code or "scheduledAt" not in event
    given = next((name for name in ("scheduledAt", "requestedAt") if name in event), None)
    at = _instant(event[given], given) if given else now
    mark = str(event[given]) if given == "requestedAt" else request
    import_id = f"{feed}-{id_time(at)}"
    if by_person and mark:
        import_id = f"{import_id}-{_short(mark)}"
    return Trigger(feed, import_id, by_person=by_person)


def _upload(event: Mapping[str, Any]) -> Trigger:
    try:
        found = event["detail"]["object"]
        key = str(found["key"])
        version = f"{key} {found.get('version-id')} {found.get('etag')} {found.get('sequencer')}"
        at = _instant(event["time"], "time")
    except (KeyError, TypeError, AttributeError) as error:
        raise EventError("the event from S3 has no object, or no time") from error
    parts = key.split("/")
    if len(parts) < 3 or parts[0] != "feeds":  # feeds/{feed}/{object}
        raise StrayObjectError(f"the object {key[:200]!r} belongs to no feed: feeds/{{feed}}/… is needed")
    try:
        feed = check_feed_name(parts[1])
    except FeedNameError as error:
        # Not an error of the function: trying again would not help, and a dead letter would not show the reason.
        raise StrayObjectError(
            f"the object {key[:200]!r} is in a folder that cannot be a feed: {error}", misplaced=True
        ) from error
    if not is_of_feed("/".join(parts[2:])):
        raise StrayObjectError(f"the object {key[:200]!r} is not part of its feed: its name says so")
    return Trigger(feed, f"{feed}-{id_time(at)}-{_short(version)}")


def _short(text: str) -> str:
    """Return a short mark of a text, to tell runs apart."""
    return blake2b(text.encode(), digest_size=_MARK_BYTES).hexdigest()


def _retry(key: object, feed: str, *, dry_run: bool) -> Trigger:
    """Read the key of corrected jobs. Nothing but corrected jobs of this feed can be read through such a key."""
    match = RETRY_KEY.fullmatch(key) if isinstance(key, str) else None
    if match is None or match["feed"] != feed:
        raise EventError(
            f"retry must be the key of corrected jobs, such as archive/{feed}/{{importId}}.retry-{{time}}.jsonl"
        )
    retried = _import_id(match["retried"], feed, "retry")
    return Trigger(
        feed,
        f"{feed}-{match['time']}-retry",
        dry_run=dry_run,
        retry=match[0],
        retried=retried,
        corrected_at=_instant(match["time"], "the time in retry"),
        by_person=True,
    )


def _import_id(value: object, feed: str, name: str) -> str:
    if not isinstance(value, str) or not IMPORT_ID.fullmatch(value) or not value.startswith(f"{feed}-"):
        raise EventError(f"{name} is not the id of an import of {feed}")
    return value


def _instant(value: object, name: str) -> datetime:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise EventError(f"{name} is not a date and time of RFC 3339, such as 2026-11-24T02:00:00Z") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
