"""Reading a feed for a run: its settings, its account and its rows, as they are right now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jobferry.board.accounts import Account
from jobferry.errors import (
    AccountChangedError,
    FeedError,
    FeedInvalidError,
    FeedMissingError,
    FeedPausedError,
    SettingsError,
    SettingsMissingError,
)
from jobferry.feeds.objects import FeedObject
from jobferry.feeds.settings import FeedSettings, parse_settings
from jobferry.jobs.vocabulary import vocabulary_of
from jobferry.payload.build import build
from jobferry.payload.payload import Payload
from jobferry.payload.sendable import reason_not_to_send
from jobferry.records.imports import Import
from jobferry.records.store import retry_on_conflict
from jobferry.runs.triggers import Trigger
from jobferry.runs.world import World

#: The most imports of one run: their ids are in the feed's record.
MAX_PARTS: Final = 200
#: Attempts to read a feed whose objects are replaced meanwhile.
_ATTEMPTS: Final = 3


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
    settings = read_settings(trigger.feed, world, remember=not trigger.dry_run)
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


def read_settings(feed: str, world: World, *, remember: bool = False) -> FeedSettings:
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


def settings_to_send(record: Import, world: World) -> FeedSettings:
    """Return the feed's settings as they are right before an import is sent, perhaps hours after it was prepared.

    Raises:
        FeedPausedError, AccountChangedError, SettingsError: a person has changed them so that it must not be sent.
    """
    settings = read_settings(record.feed, world)
    _require_running(settings)
    if settings.api_key_secret != record.destination.account:
        raise AccountChangedError(
            f"the feed's apiKeySecret is now {settings.api_key_secret}, but this import was prepared for "
            f"{record.destination.account}"
        )
    return settings


def _corrected_jobs(key: str, world: World) -> FeedObject:
    found = world.bucket.find(key)
    if found is None:
        raise FeedMissingError(f"{key} is missing: the corrected jobs were not uploaded, or deleted after 90 days")
    return found
