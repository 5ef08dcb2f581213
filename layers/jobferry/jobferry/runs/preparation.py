"""Preparation: a feed is read, checked, compared with the live set, archived and recorded, so that it can be sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b, file_digest
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from jobferry.board.accounts import Account
from jobferry.deletions.live_set import Carried, Live, carry_over, merge, read_live_set, read_sent
from jobferry.deletions.lost_fields import require_fields
from jobferry.deletions.rules import Changes, Circumstances, decide, decide_again, may_still_object, whole_at
from jobferry.errors import (
    AccountChangedError,
    ClaimTakenError,
    FeedError,
    FeedInvalidError,
    FeedMissingError,
    FeedPausedError,
    SecretError,
    SettingsError,
    SettingsMissingError,
)
from jobferry.feeds.objects import FeedObject, listing_mark
from jobferry.feeds.settings import FEED_NAME, FeedSettings, parse_settings
from jobferry.jobs.vocabulary import vocabulary_of
from jobferry.payload.build import Payload, build, reason_not_to_send
from jobferry.payload.problems import Problem
from jobferry.payload.reference_set import ReferenceSet
from jobferry.records import transitions
from jobferry.records.archive import deletion_list_key, live_set_key, manifest_key, payload_key
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.feeds import Feed, LiveSet, Resurfaced
from jobferry.records.imports import Deletions, Destination, Import, OtherFeed, Prepared, State, Unreadable, part_id
from jobferry.records.store import apply, failing_since, retry_on_conflict
from jobferry.runs.triggers import Trigger
from jobferry.runs.world import Invocation, World
from jobferry.workspace import workspace

#: Attempts to read a feed whose objects are replaced meanwhile.
_ATTEMPTS: Final = 3
#: Kinds of warnings, and problems of a dry run, that are named.
_MAX_NAMED: Final = 20
#: Bytes at the beginning of a gzip file that hold the time.
_GZIP_HEADER: Final = 10
#: Problems that are recorded one by one; DynamoDB takes a thousand items of one import a second.
_MAX_RECORDED: Final = 50_000
#: Bytes of the objects' descriptions in a record; DynamoDB's limit is 400 KB an item.
_MAX_SOURCE_BYTES: Final = 150_000
#: The most imports of one run: their ids are in the feed's record.
MAX_PARTS: Final = 200


@dataclass(frozen=True)
class LoadedFeed:
    """A feed that was read.

    Attributes:
        settings: its settings.
        account: where it is sent.
        objects: its objects.
        payload: what would be sent.
    """

    settings: FeedSettings
    account: Account
    objects: list[FeedObject]
    payload: Payload

    def require_sendable(self) -> None:
        """Raise FeedInvalidError if too few jobs are valid, SettingsError if it needs too many imports."""
        reason = reason_not_to_send(self.payload, self.settings)
        if reason is not None:
            valid = self.payload.rows - self.payload.invalid
            raise FeedInvalidError(reason, valid, self.payload.invalid)
        if len(self.payload.parts) > MAX_PARTS:
            raise SettingsError(
                f"maxJobsPerImport {self.settings.max_jobs_per_import} splits the feed into "
                f"{len(self.payload.parts):,} imports; at most {MAX_PARTS:,} are possible"
            )


@dataclass(frozen=True)
class Wishes:
    """What a person asked for with a run.

    Attributes:
        confirmed_with: the code that confirms deletions.
        confirm_fields: the code that confirms that fields are gone.
        by_person: a person started the run.
    """

    confirmed_with: str | None
    confirm_fields: str | None
    by_person: bool


@dataclass(frozen=True)
class Plan:
    """What is to be done with a feed that was read.

    Attributes:
        has_live_set: the feed has a live set of this account that can be read.
        carried: how the live set compares with what is sent.
        deletions: what was decided about them.
        key_mark: identifies the account's key.
        half_exported: whether the feed may be half exported.
    """

    has_live_set: bool
    carried: Carried
    deletions: Deletions
    key_mark: str
    half_exported: bool


def prepare(record: Import, trigger: Trigger, invocation: Invocation, world: World) -> Import:
    """Read the feed, archive what is to be sent and record it: from then on any invocation can send it.

    Raises:
        FeedError, SecretError: nothing can be sent.
        ClaimTakenError: another invocation has taken the import over.
    """
    with workspace() as directory:
        loaded = load(trigger, world, directory)
        _record_invalid(record, loaded.payload, world)
        loaded.require_sendable()
        wishes = Wishes(record.deletions.confirmed_with, record.confirm_fields, by_person=record.by_person)
        planned = plan(trigger, loaded, wishes, world, directory)
        imports = _describe(record, loaded, planned)
        _archive(imports, loaded, planned, world)
        # The first import is recorded last: its payload marks the whole run as ready to be sent.
        for part in reversed(imports[1:]):
            _record_ready(part, record, invocation, world)
        _drop_parts(record, len(imports), world)
        return _record_ready(imports[0], record, invocation, world)


def load(trigger: Trigger, world: World, directory: Path) -> LoadedFeed:
    """Read a feed, or the corrected jobs of a retry; read again if it is replaced meanwhile.

    Raises:
        FeedError, SecretError: it cannot be sent.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return _load_once(trigger, world, directory)
        except FeedError as error:
            if not error.retryable:
                raise
        world.sleep(float(attempt))
        for path in directory.iterdir():
            path.unlink()
    return _load_once(trigger, world, directory)


def _load_once(trigger: Trigger, world: World, directory: Path) -> LoadedFeed:
    settings = _settings(trigger.feed, world, remember=not trigger.dry_run)
    _require_running(settings)
    # Not from memory: the key may have been replaced by one that another feed has too.
    account = world.accounts.get(settings.api_key_secret, fresh=True)
    if trigger.retry:
        settings, objects = settings.for_retry(), [_corrected_jobs(trigger.retry, world)]
    else:
        objects = world.bucket.objects(trigger.feed)
    payload = build(objects, world.bucket, settings, directory, vocabulary_of(account.board_url))
    return LoadedFeed(settings, account, objects, payload)


def _require_running(settings: FeedSettings) -> None:
    if settings.paused:
        raise FeedPausedError('the feed is paused: its feed.json says "paused": true')


def _settings(feed: str, world: World, *, remember: bool = False) -> FeedSettings:
    """Read a feed's settings (rule 10).

    Args:
        remember: record the account that they name, so that a run notices if they disappear.

    Raises:
        SettingsMissingError: the feed had a feed.json.
        SettingsError: feed.json cannot be used, or no longer names the account.
    """
    key, text = world.bucket.settings(feed)
    settings = parse_settings(text, key)
    secret = settings.api_key_secret
    known = world.store.get_feed(feed).secret
    if known is not None and text is None:
        raise SettingsMissingError(
            f"{key} has disappeared. Without it, the feed's jobs could be sent to another account or be read in another way"
        )
    if known is not None and known != secret and not settings.names_secret:
        raise SettingsError(
            f"{key} no longer has apiKeySecret, which was {known}. Without it, the jobs would be sent to another account, "
            f"that of the secret {secret}. Put it back, or if that account is right, write "
            f'"apiKeySecret": "{secret}"'
        )
    if remember and text is not None and known != secret:
        retry_on_conflict(lambda: world.store.save(world.store.get_feed(feed).changed(secret=secret)))
    return settings


def _corrected_jobs(key: str, world: World) -> FeedObject:
    found = world.bucket.find(key)
    if found is None:
        raise FeedMissingError(f"{key} is missing: the corrected jobs were not uploaded, or deleted after 90 days")
    return found


def plan(trigger: Trigger, loaded: LoadedFeed, wishes: Wishes, world: World, directory: Path) -> Plan:
    """Compare what is to be sent with the last import and the live set, and decide about deletions.

    Raises:
        FieldsGoneError: most jobs have lost a field, and no person confirmed that.
        ConfirmationError: the code confirms other deletions.
    """
    settings, payload = loaded.settings, loaded.payload
    feed = world.store.get_feed(trigger.feed)
    last = world.store.get(feed.last_complete) if feed.last_complete else None
    baseline = world.store.get(feed.baseline) if feed.baseline and feed.baseline != feed.last_complete else None
    if last is not None and not trigger.retry:
        require_fields(last.prepared, payload.fields, payload.sources, wishes.confirm_fields)
    key_mark = loaded.account.key_mark(world.signing_key())
    live = feed.live_set
    if live is not None and live.account != loaded.account.id and live.key_mark != key_mark:
        live = None  # of another account: rule 3
    before = directory / "before.jsonl.gz"
    if live is not None and not world.bucket.fetch(live.key, before):
        live = None  # its 90 days in the archive are over: rule 3
    resurfaced = feed.resurfaced if settings.listed else []
    known = _on_board(live, before, resurfaced, world) if live is not None else ()
    new_key = live is not None and live.key_mark != key_mark
    others = sent_by_others(trigger.feed, key_mark, directory, world) if settings.listed else None
    carried = carry_over(known, payload, directory, new_key=new_key, listed=settings.listed, others=others)
    # If the key in the secret has changed, it may still belong to the same account. So the live set is compared with the
    # feed all the same, and a full sync begins only after a new announcement. The same holds for another way of deleting.
    same_way = live is not None and (live.listed == settings.listed or bool(trigger.retry))
    announced_at = live.announced_at if live is not None and not new_key and same_way else None
    now, uploaded = world.now(), [each.modified for each in loaded.objects if each.modified]
    after_half = last is not None and last.prepared.half_exported
    whole = whole_at(uploaded, feed.last_complete_at, now, after_half=after_half)
    circumstances = Circumstances(
        now=now,
        announced_at=announced_at,
        may_object=may_still_object(announced_at, now, by_person=wishes.by_person),
        unprotected=payload.unprotected,
        sources=payload.sources,
        before=[run.prepared for run in (baseline, last) if run],
        earlier=feed.deletions,
        shared_with=list(_feeds_sharing(loaded.account, trigger.feed, world)) if settings.full_sync else [],
        whole_at=None if wishes.by_person else whole,
        not_offered=feed.not_offered == loaded.account.board_url and not wishes.by_person,
    )
    deletions = decide(settings, carried, circumstances, wishes.confirmed_with)
    return Plan(live is not None, carried, deletions, key_mark, half_exported=whole is not None)


def _on_board(live: LiveSet, before: Path, resurfaced: Sequence[Resurfaced], world: World) -> Iterator[Live]:
    """Yield the postings of a live set, and those that older imports may have posted again since."""

    def posted_again(each: Resurfaced) -> Iterator[Live]:
        path = before.with_name("resurfaced.jsonl.gz")
        if world.bucket.fetch(each.key, path):
            with path.open("rb") as stream:
                yield from read_sent(stream)

    with before.open("rb") as stream:
        yield from merge(
            read_live_set(stream, whole=live.whole, deleted=live.deleted), *(posted_again(each) for each in resurfaced)
        )


def sent_by_others(feed: str, key_mark: str, directory: Path, world: World) -> ReferenceSet:
    """Return the reference numbers that other feeds have sent to the same account with their latest imports."""
    found = ReferenceSet()
    path = directory / "other.jsonl.gz"
    for other in world.bucket.feeds():
        for key in _latest_live_sets(world.store.get_feed(other), key_mark, world) if other != feed else ():
            if world.bucket.fetch(key, path):
                with path.open("rb") as stream:
                    for posting in read_sent(stream):
                        found.add(posting.reference_number)
    return found


def _latest_live_sets(feed: Feed, key_mark: str, world: World) -> set[str]:
    """Return the keys of a feed's live set, of that of its last complete run, as a retry sends a few jobs, and of open ones."""
    keys = {feed.live_set.key} if feed.live_set is not None and feed.live_set.key_mark == key_mark else set()
    for import_id in filter(None, (feed.last_complete, *feed.open_imports)):
        record = world.store.get(import_id)
        if record is not None and record.prepared.live_set and record.destination.key_mark == key_mark:
            keys.add(record.prepared.live_set)
    return keys


def settings_to_send(record: Import, world: World) -> FeedSettings:
    """Return the feed's settings as they are right before an import is sent, perhaps hours after it was prepared.

    Raises:
        FeedPausedError, AccountChangedError, SettingsError: a person has changed them so that it must not be sent.
    """
    settings = _settings(record.feed, world)
    _require_running(settings)
    if settings.api_key_secret != record.destination.account:
        raise AccountChangedError(
            f"the feed's apiKeySecret is now {settings.api_key_secret}, but this import was prepared for "
            f"{record.destination.account}"
        )
    return settings


def plan_again(record: Import, settings: FeedSettings, account: Account, key_mark: str, world: World) -> Deletions:
    """Decide about an import's deletions again, right before it or its list is sent.

    Meanwhile a person may have turned deletions off or lowered a limit, the key may have been replaced, another feed may
    use the account, or a newer version of the feed may be waiting.
    """
    if not record.deletions.deletes:
        return record.deletions
    wanted = bool(settings.delete_jobs) and key_mark == record.destination.key_mark
    feed = world.store.get_feed(record.feed)
    changes = Changes(
        now=world.now(),
        settings=settings,
        same_key=key_mark == record.destination.key_mark,
        shared_with=list(_feeds_sharing(account, record.feed, world)) if wanted and settings.full_sync else [],
        earlier=feed.deletions,
        newer_at=_newer_at(record, feed, settings, world) if wanted else None,
    )
    return decide_again(record.deletions, changes)


def _newer_at(record: Import, feed: Feed, settings: FeedSettings, world: World) -> datetime | None:
    """Return when the feed can run again, if a newer version of it is waiting than the one that was read.

    Other settings make another version: the same files may be read in another way.
    """
    now, objects = world.now(), world.bucket.objects(record.feed)
    if feed.run_again is None and listing_mark(objects, settings) == record.prepared.listing:
        return None
    uploaded = [each.modified for each in objects if each.modified]
    return max(now, whole_at(uploaded, feed.last_complete_at, now) or now)


def _feeds_sharing(account: Account, feed: str, world: World) -> Iterator[OtherFeed]:
    """Find the other feeds that use an account, or may use it because they cannot be read."""
    for other in world.bucket.feeds():
        if other == feed or not FEED_NAME.fullmatch(other):
            continue
        try:
            theirs = world.accounts.get(_settings(other, world).api_key_secret, fresh=True)
        except SettingsError:
            yield OtherFeed(feed=other, unreadable=Unreadable.SETTINGS)
        except SecretError:
            yield OtherFeed(feed=other, unreadable=Unreadable.SECRET)  # what it posted before may be of this account
        else:
            if theirs.api_key == account.api_key:  # the board's URL may be written differently there
                yield OtherFeed(feed=other)


def _describe(record: Import, loaded: LoadedFeed, plan: Plan) -> list[Import]:
    """Return the records of the run's imports as they are when it is ready to be sent."""
    payload = loaded.payload
    feed, mark = record.feed, _mark(payload, plan)
    # A retry adds to a live set. Without one, its few jobs must not be stored as the live set.
    live_set = live_set_key(feed, record.import_id, mark) if plan.has_live_set or not record.retry else None
    imports = []
    for number, part in enumerate(payload.parts, 1):
        import_id = part_id(record.import_id, number)
        first = number == 1
        prepared = Prepared(
            jobs=part.jobs,
            # What concerns the whole run is told once.
            invalid=payload.invalid if first else 0,
            warnings=payload.warnings + len(payload.understanding.warnings) if first else 0,
            warned=warned(payload) if first else [],
            adjusted=_adjusted(payload) if first else {},
            objects=len(payload.sources),
            sources=_named(payload.sources),
            listing=None if record.retry else listing_mark(loaded.objects, loaded.settings),
            fields=payload.fields if first else {},
            half_exported=plan.half_exported,
            payload=payload_key(feed, import_id, mark),
            manifest=manifest_key(feed, import_id, mark),
            live_set=live_set,
            notify_on_success=loaded.settings.notify_on_success,
            notify_on_deletes=loaded.settings.notify_on_deletes,
        )
        imports.append(
            record.changed(
                import_id=import_id,
                run=None if first else record.import_id,
                parts=len(payload.parts) if first else 1,
                destination=Destination(
                    board=loaded.account.board_url, account=loaded.account.name, key_mark=plan.key_mark
                ),
                prepared=prepared,
                deletions=plan.deletions if first else _deletions_of_part(plan.deletions),
            )
        )
    return imports


def _deletions_of_part(deletions: Deletions) -> Deletions:
    """Return what a further import of a split feed says of deletions. Those of the run are those of its first import."""
    return Deletions(
        listed=deletions.listed, confirmed_with=deletions.confirmed_with, announced_at=deletions.announced_at
    )


def warned(payload: Payload) -> list[str]:
    """Return the warnings about the feed, and the most frequent kinds of those about its rows, without corrections."""
    groups = (str(each) for each in payload.warning_groups if each.adjusted is None)
    return [*payload.understanding.warnings, *groups][:_MAX_NAMED]


def _adjusted(payload: Payload) -> dict[str, str]:
    """Return the fields whose values were corrected, each with its most frequent correction."""
    adjusted: dict[str, str] = {}
    for each in payload.warning_groups:
        if each.adjusted is not None and len(adjusted) < _MAX_NAMED:
            adjusted.setdefault(each.adjusted, str(each))
    return adjusted


def _mark(payload: Payload, plan: Plan) -> str:
    """Identify one reading of a feed by what it found."""
    digest = blake2b(digest_size=5)
    for path in (*(part.archive for part in payload.parts), plan.carried.live_set):
        with path.open("rb") as file:
            file.seek(_GZIP_HEADER)
            digest.update(file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _named(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many of the objects as a record has room for; if there are very many, only the first with their fields."""
    room, named = _MAX_SOURCE_BYTES, []
    for source in sources:
        without_fields = source | {"fields": {}}
        room -= len(to_json(without_fields))
        if room < 0:
            break
        named.append(without_fields)
    for number, source in enumerate(sources):
        room -= len(to_json(source["fields"]))
        if room < 0:
            break
        named[number] = source
    return named


def _archive(imports: list[Import], loaded: LoadedFeed, plan: Plan, world: World) -> None:
    store = world.bucket.store
    for record, part in zip(imports, loaded.payload.parts, strict=True):
        assert record.prepared.payload is not None  # noqa: S101  # as they were described
        assert record.prepared.manifest is not None  # noqa: S101
        store(record.prepared.payload, part.archive)
        store(record.prepared.manifest, part.manifest)
    first = imports[0]
    if first.prepared.live_set is None:
        return
    store(first.prepared.live_set, plan.carried.live_set)
    if plan.carried.missing and not first.retry and (deletion_list := deletion_list_key(first.prepared)):
        store(deletion_list, plan.carried.deletes)


def _failed_job(number: int, problem: Problem, record: Import) -> FailedJob:
    return FailedJob(
        number=number,
        messages=list(problem.messages),
        reference_number=problem.reference_number,
        title=problem.title,
        key=problem.source.key,
        row=problem.source.row,
        line=problem.source.line,
        since=record.created_at,
        sent=problem.sent,
    )


def _record_invalid(record: Import, payload: Payload, world: World) -> None:
    known = failing_since(world.store, record.previous)
    problems = islice(payload.read_problems(), _MAX_RECORDED)
    failed = (_failed_job(number, problem, record).dated(known) for number, problem in enumerate(problems))
    world.store.delete_failed(record.import_id, FailedKind.INVALID)  # of an earlier reading
    world.store.write_failed(record.import_id, FailedKind.INVALID, failed, record.expires)


def _record_ready(prepared: Import, first: Import, invocation: Invocation, world: World) -> Import:
    """Record that one import of the run is ready to be sent. Raises ClaimTakenError."""
    store = world.store

    def attempt() -> Import:
        record = store.get(prepared.import_id)
        if prepared.import_id == first.import_id and record is not None:
            _require_claim(record, invocation)
        written = transitions.make_ready(record, store.get_feed(prepared.feed), prepared)
        if not written:
            assert record is not None  # noqa: S101  # only an import that was sent stays as it is
            return record
        store.save(*written)
        ready = written[0]
        assert isinstance(ready, Import)  # noqa: S101  # the import comes first
        return ready.changed(revision=ready.revision + 1)

    return retry_on_conflict(attempt)


def _require_claim(record: Import, invocation: Invocation) -> None:
    if record.claim.by != invocation.id or record.state is not State.PREPARING:
        raise ClaimTakenError(f"{record.import_id} was taken over by another invocation")


def _drop_parts(record: Import, parts: int, world: World) -> None:
    """End the further imports that an earlier reading of the feed recorded and that it no longer needs."""
    number = parts + 1
    while world.store.get(part_id(record.import_id, number)) is not None:
        apply(world.store, part_id(record.import_id, number), transitions.drop_part)
        number += 1


def first_problems(payload: Payload) -> list[dict[str, Any]]:
    """Return the first problems, as the answer of a dry run names them."""
    return [
        {
            "key": problem.source.key,
            "row": problem.source.row,
            "line": problem.source.line,
            "referenceNumber": problem.reference_number,
            "messages": list(problem.messages),
        }
        for problem in islice(payload.read_problems(), _MAX_NAMED)
    ]
