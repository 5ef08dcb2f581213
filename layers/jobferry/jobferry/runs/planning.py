"""Planning an import: what of a feed is sent, and which postings may be deleted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jobferry.board.accounts import Account
from jobferry.deletions.live_set import Carried, Live, carry_over, merge, read_live_set, read_sent
from jobferry.deletions.lost_fields import require_fields
from jobferry.deletions.rules import Changes, Circumstances, announced, decide, decide_again, whole_at
from jobferry.errors import SecretError, SettingsError
from jobferry.feeds.objects import listing_mark
from jobferry.feeds.settings import FEED_NAME, FeedSettings
from jobferry.payload.reference_set import ReferenceSet
from jobferry.records.feeds import Feed, LiveSet, Resurfaced
from jobferry.records.imports import Deletions, Import, OtherFeed, Unreadable
from jobferry.runs.loading import LoadedFeed, read_settings
from jobferry.runs.triggers import Trigger
from jobferry.runs.world import World


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
    """

    has_live_set: bool
    carried: Carried
    deletions: Deletions
    key_mark: str


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
    now, uploaded = world.now(), [each.modified for each in loaded.objects if each.modified]
    circumstances = Circumstances(
        now=now,
        announced_at=announced(live, settings, key_mark, retry=trigger.retry is not None),
        by_person=wishes.by_person,
        unprotected=payload.unprotected,
        sources=payload.sources,
        before=[run.prepared for run in (baseline, last) if run],
        earlier=feed.deletions,
        shared_with=list(_feeds_sharing(loaded.account, trigger.feed, world)) if settings.full_sync else [],
        whole_at=whole_at(uploaded, now),
        not_offered=feed.not_offered == loaded.account.board_url,
    )
    deletions = decide(settings, carried, circumstances, wishes.confirmed_with)
    return Plan(live is not None, carried, deletions, key_mark)


def _on_board(live: LiveSet, before: Path, resurfaced: Sequence[Resurfaced], world: World) -> Iterator[Live]:
    """Yield the postings of a live set, and those that older imports may have posted again since."""
    posted_again = (_sent_with(each.key, before.with_name("resurfaced.jsonl.gz"), world) for each in resurfaced)
    with before.open("rb") as stream:
        yield from merge(read_live_set(stream, whole=live.whole, deleted=live.deleted), *posted_again)


def _sent_with(key: str, path: Path, world: World) -> Iterator[Live]:
    """Yield the postings of the feed that a live set was stored with; none if it is no longer in the archive."""
    if world.bucket.fetch(key, path):
        with path.open("rb") as stream:
            yield from read_sent(stream)


def sent_by_others(feed: str, key_mark: str, directory: Path, world: World) -> ReferenceSet:
    """Return the reference numbers that other feeds have sent to the same account with their latest imports."""
    found = ReferenceSet()
    path = directory / "other.jsonl.gz"
    for other in world.bucket.feeds():
        for key in _latest_live_sets(world.store.get_feed(other), key_mark, world) if other != feed else ():
            for posting in _sent_with(key, path, world):
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
    return max(now, whole_at(uploaded, now) or now)


def _feeds_sharing(account: Account, feed: str, world: World) -> Iterator[OtherFeed]:
    """Find the other feeds that use an account, or may use it because they cannot be read."""
    for other in world.bucket.feeds():
        if other == feed or not FEED_NAME.fullmatch(other):
            continue
        try:
            theirs = world.accounts.get(read_settings(other, world).api_key_secret, fresh=True)
        except SettingsError:
            yield OtherFeed(feed=other, unreadable=Unreadable.SETTINGS)
        except SecretError:
            yield OtherFeed(feed=other, unreadable=Unreadable.SECRET)  # what it posted before may be of this account
        else:
            if theirs.api_key == account.api_key:  # the board's URL may be written differently there
                yield OtherFeed(feed=other)
