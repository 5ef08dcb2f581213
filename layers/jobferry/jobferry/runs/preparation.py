"""Preparation: a feed is read, checked, compared with the live set, archived and recorded, so that it can be sent."""

from hashlib import blake2b, file_digest
from itertools import islice
from typing import Any, Final

from pydantic_core import to_json

from jobferry.errors import ClaimTakenError
from jobferry.feeds.objects import listing_mark
from jobferry.payload.payload import Payload
from jobferry.payload.problems import Problem
from jobferry.records import transitions
from jobferry.records.archive import deletion_list_key, live_set_key, manifest_key, payload_key
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.imports import Deletions, Destination, Import, Prepared, State, part_id
from jobferry.records.store import apply, failing_since, retry_on_conflict, save_changes
from jobferry.runs.loading import LoadedFeed, load
from jobferry.runs.planning import Plan, Wishes, plan
from jobferry.runs.triggers import Trigger
from jobferry.runs.world import Invocation, World
from jobferry.workspace import workspace

#: Kinds of warnings, and problems of a dry run, that are named.
_MAX_NAMED: Final = 20
#: Bytes at the beginning of a gzip file that hold the time.
_GZIP_HEADER: Final = 10
#: Problems that are recorded one by one; DynamoDB takes a thousand items of one import a second.
_MAX_RECORDED: Final = 50_000
#: Bytes of the objects' descriptions in a record; DynamoDB's limit is 400 KB an item.
_MAX_SOURCE_BYTES: Final = 150_000


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
        key=problem.place.key,
        row=problem.place.row,
        line=problem.place.line,
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
        ready = save_changes(store, transitions.make_ready(record, store.get_feed(prepared.feed), prepared)) or record
        assert ready is not None  # noqa: S101  # only an import that was sent stays as it is
        return ready

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
            "key": problem.place.key,
            "row": problem.place.row,
            "line": problem.place.line,
            "referenceNumber": problem.reference_number,
            "messages": list(problem.messages),
        }
        for problem in islice(payload.read_problems(), _MAX_NAMED)
    ]
