"""Preparing: a feed is read, checked, held against the live set, archived and recorded, so that it can be sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b, file_digest
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from jobferry.board.accounts import Account
from jobferry.deletions.live_set import Carried, carry_over, read_live_set
from jobferry.deletions.rules import Circumstances, Deletions, decide
from jobferry.errors import (
    ClaimTakenError,
    FeedError,
    FeedInvalidError,
    FeedMissingError,
    FeedPausedError,
    SecretError,
    SettingsError,
)
from jobferry.feeds.objects import FeedObject
from jobferry.feeds.settings import FeedSettings, parse_settings
from jobferry.payload.build import Payload, build, reason_not_to_send
from jobferry.payload.problems import Problem
from jobferry.records.imports import (
    INVALID,
    SHARED_ACCOUNT,
    UNREAD,
    FailedJob,
    Feed,
    Import,
    State,
    agreed,
    failing_since,
    move,
    part_id,
)
from jobferry.runs.triggers import Trigger
from jobferry.runs.world import Invocation, World, workspace

#: Readings of a feed whose objects are replaced meanwhile.
_READINGS: Final = 3
#: Kinds of warnings that a record names.
_SHOWN: Final = 20
_GZIP_HEADER: Final = 10
#: Problems that are recorded one by one; DynamoDB takes a thousand items of one import a second.
_RECORDED: Final = 50_000
#: Who was told that other postings go has so long to object before an upload, of which nobody knows, makes them go. A run
#: by hand or by the schedule is what people were told of.
_TIME_TO_READ: Final = timedelta(hours=12)
#: Bytes of the keys that a record names; DynamoDB's limit is 400 KB an item.
_SOURCES: Final = 50_000
#: A run has at most so many imports: their ids are in the feed's record.
MAX_PARTS: Final = 200


class Reading(NamedTuple):
    """A feed that was read.

    Attributes:
        settings: its own.
        account: where it goes.
        payload: what it comes to.
    """

    settings: FeedSettings
    account: Account
    payload: Payload

    def require_sendable(self) -> None:
        """Raises FeedInvalidError when too few of its jobs are valid, SettingsError when it has too many parts."""
        reason = reason_not_to_send(self.payload, self.settings)
        if reason is not None:
            raise FeedInvalidError(_with_examples(reason, self.payload), self.payload.invalid)
        if len(self.payload.parts) > MAX_PARTS:
            raise SettingsError(
                f"maxJobsPerImport {self.settings.max_jobs_per_import} splits the feed into "
                f"{len(self.payload.parts):,} imports, {MAX_PARTS:,} at most can be kept apart"
            )


class Plan(NamedTuple):
    """What is to be done with a feed that was read.

    Attributes:
        has_live_set: the feed has one of this account, and it can be read.
        carried: how it compares with what is sent.
        deletions: what was decided about them.
        shared_with: other feeds of the same account.
        key_mark: of the account's key.
        announced_at: when people were told that, with a full sync, other postings go.
    """

    has_live_set: bool
    carried: Carried
    deletions: Deletions
    shared_with: tuple[str, ...]
    key_mark: str
    announced_at: datetime | None


def prepare(record: Import, trigger: Trigger, invocation: Invocation, world: World) -> Import:
    """Reads the feed, archives what is to be sent and records it: from here on it can be sent by anybody.

    Raises:
        FeedError, SecretError: nothing can be sent.
        ClaimTakenError: another invocation has taken the import over.
    """
    with workspace() as directory:
        reading = read(trigger, world, directory)
        _record_invalid(record, reading.payload, world)
        reading.require_sendable()
        planned = plan(trigger, reading, record.confirm_deletes, world, directory)
        imports = _describe(record, reading, planned)
        _archive(imports, reading, planned, world)
        # The first import goes last: only when it has its payload, the run is ready to be sent.
        for part in reversed(imports[1:]):
            _record_part(part, record, invocation, world)
        _drop_parts(record, len(imports), world)
        return _record_part(imports[0], record, invocation, world)


def read(trigger: Trigger, world: World, directory: Path) -> Reading:
    """Reads a feed, or the mended jobs of a retry, again if it is replaced meanwhile. Raises FeedError, SecretError."""
    for attempt in range(1, _READINGS + 1):
        try:
            settings = _settings(trigger.feed, world)
            if settings.paused:
                raise FeedPausedError('the feed is paused: its feed.json says "paused": true')
            # Not from memory: the key may have been replaced, by one that another feed has too.
            account = world.accounts.get(settings.api_key_secret, fresh=True)
            if trigger.retry:
                settings, objects = settings.for_retry(), [_mended(trigger.retry, world)]
            else:
                objects = world.bucket.objects(trigger.feed)
            payload = build(objects, world.bucket, settings, directory)
            return Reading(settings, account, payload)
        except FeedError as error:
            if not error.retryable or attempt == _READINGS:
                raise
        world.sleep(float(attempt))
        for path in directory.iterdir():
            path.unlink()
    raise AssertionError("unreachable")


def _settings(feed: str, world: World) -> FeedSettings:
    key, text = world.bucket.settings(feed)
    return FeedSettings() if text is None else parse_settings(text, key)


def _mended(key: str, world: World) -> FeedObject:
    found = world.bucket.find(key)
    if found is None:
        raise FeedMissingError(f"{key} is not there: the mended jobs were not uploaded, or deleted after 90 days")
    return found


def plan(trigger: Trigger, reading: Reading, confirmed: str | None, world: World, directory: Path) -> Plan:
    """Holds what is to be sent against the live set. Raises ConfirmationError."""
    settings, payload = reading.settings, reading.payload
    state = world.store.get_feed(trigger.feed)
    key_mark = reading.account.key_mark(world.signing_key())
    live = state.live_set
    if live is not None and live.account != reading.account.id and live.key_mark != key_mark:
        live = None  # of another account: rule 3
    before = directory / "before.jsonl.gz"
    if live is not None and not world.bucket.fetch(live.key, before):
        live = None  # its 90 days in the archive are over: rule 3
    if live is None:
        carried = carry_over((), payload.parts, payload.references, directory)
    else:
        with before.open("rb") as stream:
            known = read_live_set(stream, whole=live.whole)
            carried = carry_over(known, payload.parts, payload.references, directory)
    shared_with = tuple(_sharing(trigger.feed, reading.account, world)) if settings.delete_jobs else ()
    # Another key in the same secret may be a new one of this account, or of another account. Nobody can tell, so the
    # live set is still held against the feed, and other postings go only after a notice.
    announced_at = live.announced_at if live is not None and live.key_mark == key_mark else None
    found = Circumstances(
        announced=announced_at is not None and not (trigger.unattended and world.now() < announced_at + _TIME_TO_READ),
        unprotected=payload.unprotected,
        objects=len(payload.sources),
        objects_before=state.objects,
        shared_with=shared_with,
    )
    deletions = decide(settings, carried, found, confirmed)
    return Plan(live is not None, carried, deletions, shared_with, key_mark, announced_at)


def held_back(record: Import, account: Account, world: World) -> dict[str, Any]:
    """What changes in an import that was to delete, right before it is sent, maybe hours after it was prepared.

    A person may have turned deletions off meanwhile, or paused the feed, or another feed may have come to the account.
    """
    try:
        settings = _settings(record.feed, world)
    except SettingsError:
        settings = FeedSettings()
    wanted = settings.delete_jobs and not settings.paused and settings.api_key_secret == record.account
    if not wanted or account.key_mark(world.signing_key()) != record.key_mark:
        return {"delete_jobs": False, "full_sync": False, "expected_deletes": 0, "deletes": []}
    shared_with = list(_sharing(record.feed, account, world))
    if not shared_with:
        return {}
    return {
        "delete_jobs": False,
        "expected_deletes": 0,
        "withheld_deletes": record.expected_deletes,
        "withheld_because": [SHARED_ACCOUNT],
        "shared_with": shared_with,
    }


def _sharing(feed: str, account: Account, world: World) -> Iterator[str]:
    """The other feeds of the same account, whatever their secret is called. One that cannot be read may be such."""
    for other in world.bucket.feeds():
        if other == feed:
            continue
        try:
            theirs = world.accounts.get(_settings(other, world).api_key_secret, fresh=True)
        except SettingsError:
            yield f"{other} (its feed.json{UNREAD}"
        except SecretError:
            yield f"{other} (its secret{UNREAD}"  # and what it posted, when it could, may be of this account
        else:
            if theirs.api_key == account.api_key:  # however the board's URL is written there
                yield other


def _with_examples(reason: str, payload: Payload) -> str:
    examples = []
    for problem in payload.read_problems():
        examples.append(f"{problem.source}: {'; '.join(problem.messages)}")
        if len(examples) == 3:  # a few say what kind of thing is wrong
            break
    return f"{reason}. The first: {' | '.join(examples)}" if examples else reason


def _describe(record: Import, reading: Reading, plan: Plan) -> list[Import]:
    """The records of the run's imports, as they are when it is ready to be sent."""
    payload, deletions = reading.payload, plan.deletions
    archive, mark = f"archive/{record.feed}", _mark(payload, plan)
    common = record.changed(
        board=reading.account.board_url,
        account=reading.account.name,
        key_mark=plan.key_mark,
        announced_at=plan.announced_at,
        full_sync=reading.settings.delete_jobs,
        delete_jobs=deletions.delete_jobs,
        objects=len(payload.sources),
        sources=_named(payload.sources),
        notify_on_success=reading.settings.notify_on_success,
        # A retry adds to a live set. Where there is none, its few jobs must not pass for one.
        live_set=f"{archive}/{record.import_id}.{mark}.live.jsonl.gz"
        if plan.has_live_set or not record.retry
        else None,
    )
    imports = []
    for number, part in enumerate(payload.parts, 1):
        import_id = part_id(record.import_id, number)
        described = common.changed(
            import_id=import_id,
            run=record.import_id if number > 1 else None,
            jobs=part.jobs,
            payload=f"{archive}/{import_id}.{mark}.jsonl.gz",
            manifest=f"{archive}/{import_id}.{mark}.manifest.jsonl.gz",
        )
        imports.append(described)
    # What is of the whole run is told once.
    imports[0] = imports[0].changed(
        parts=len(imports),
        invalid=payload.invalid,
        warnings=payload.warnings,
        warned=[
            f"{group.message} ({group.count:,} times, first in {group.first})"
            for group in payload.warning_groups[:_SHOWN]
        ],
        expected_deletes=deletions.expected,
        withheld_deletes=deletions.withheld,
        withheld_because=list(deletions.because),
        shared_with=list(plan.shared_with),
        confirm_code=deletions.confirm_code,
        deletes=list(deletions.postings),
    )
    return imports


def _mark(payload: Payload, plan: Plan) -> str:
    """Of one reading: two readings of a feed for one import, at once, must not overwrite what the other decided on."""
    digest = blake2b(digest_size=5)
    for path in (*(part.archive for part in payload.parts), plan.carried.live_set):
        with path.open("rb") as file:
            file.seek(_GZIP_HEADER)  # which has a time
            digest.update(file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _named(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of the objects as a record has room for."""
    room, named = _SOURCES, []
    for source in sources:
        room -= len(source["key"].encode())
        if room < 0:
            break
        named.append(source)
    return named


def _archive(imports: list[Import], reading: Reading, plan: Plan, world: World) -> None:
    store = world.bucket.store
    for record, part in zip(imports, reading.payload.parts, strict=True):
        assert record.payload is not None  # noqa: S101  # as they were described
        assert record.manifest is not None  # noqa: S101
        store(record.payload, part.archive)
        store(record.manifest, part.manifest)
    first = imports[0]
    if first.live_set is None:
        return
    store(first.live_set, plan.carried.live_set)
    if plan.carried.missing and not first.retry and first.all_deletes:
        store(first.all_deletes, plan.carried.deletes)


def _failed(number: int, problem: Problem, record: Import) -> FailedJob:
    return FailedJob(
        number=number,
        messages=list(problem.messages),
        reference_number=problem.reference_number,
        title=problem.title,
        key=problem.source.key,
        row=problem.source.row,
        since=record.created_at,
        sent=problem.sent,
    )


def _record_invalid(record: Import, payload: Payload, world: World) -> None:
    known = failing_since(world.store, record.previous)
    problems = islice(payload.read_problems(), _RECORDED)
    failed = (_failed(number, problem, record) for number, problem in enumerate(problems))
    world.store.delete_failed(record.import_id, INVALID)  # of a reading before this one
    world.store.write_failed(record.import_id, INVALID, (each.since_known(known) for each in failed), record.expires)


def _record_part(part: Import, first: Import, invocation: Invocation, world: World) -> Import:
    """Records one import of the run as ready to be sent, the feed's record with it."""
    store = world.store

    def attempt() -> Import:
        current = store.get(part.import_id)
        if part.import_id == first.import_id and current is not None:
            _require_claim(current, invocation)
        if current is not None and current.state is not State.PREPARING:
            return current  # of an earlier reading, and sent meanwhile
        feed = store.get_feed(part.feed)
        opened = [*feed.open_imports, *({part.import_id} - set(feed.open_imports))]
        revision = current.revision if current else 0
        written = part.changed(revision=revision)
        store.save(written, *([] if opened == feed.open_imports else [feed.changed(open_imports=opened)]))
        return written.changed(revision=revision + 1)

    return agreed(attempt)


def _require_claim(current: Import, invocation: Invocation) -> None:
    if current.claimed_by != invocation.id or current.state is not State.PREPARING:
        raise ClaimTakenError(f"{current.import_id} was taken over by another invocation")


def _drop_parts(record: Import, parts: int, world: World) -> None:
    """Ends what an earlier reading of the feed had recorded beyond the parts that it has now."""

    def change(current: Import, feed: Feed) -> Sequence[Import | Feed]:
        if current.state is not State.PREPARING:
            return ()
        dropped = current.ended(
            State.SKIPPED, reason="a later reading of the feed needs fewer imports", cause="fewer-parts"
        )
        return dropped, feed.without(current.import_id)

    number = parts + 1
    while world.store.get(part_id(record.import_id, number)) is not None:
        move(world.store, part_id(record.import_id, number), change)
        number += 1


def first_problems(payload: Payload) -> list[dict[str, Any]]:
    """The first problems, as the answer of a dry run names them."""
    return [
        {
            "key": problem.source.key,
            "row": problem.source.row,
            "referenceNumber": problem.reference_number,
            "messages": list(problem.messages),
        }
        for problem in islice(payload.read_problems(), _SHOWN)
    ]
