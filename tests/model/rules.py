"""What an import may delete, written again from the design with plain sets of reference numbers.

Nothing in this module calls jobferry. The history reports what was in the bucket when it was read, what reached the board,
and how imports ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any


@dataclass(frozen=True)
class Content:
    """An object of a feed: its jobs, how many rows cannot protect a posting, and whether it can be read."""

    valid: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    nameless: int = 0
    readable: bool = True

    @property
    def references(self) -> set[str]:
        return {*self.valid, *self.invalid}


@dataclass(frozen=True)
class Wishes:
    """The settings of a feed."""

    delete_jobs: bool = False
    percent: int = 20
    paused: bool = False
    secret: str = "BoardApiKey"
    split: int | None = None


@dataclass
class Reading:
    """What a run read: the settings, then the objects."""

    wishes: Wishes
    objects: dict[str, Content] = field(default_factory=dict)

    @property
    def references(self) -> set[str]:
        return {each for content in self.objects.values() for each in content.references}


@dataclass
class Known:
    """What a feed may have on the board.

    Attributes:
        key: the account's API key.
        created: when the import that taught this was claimed.
        references: the reference numbers that may be on the board.
        announced_at: when people were told that the rest of the account will be deleted, if they were.
        objects: how many objects the feed should have.
    """

    key: str
    created: Any
    references: set[str]
    announced_at: Any
    objects: int


@dataclass(frozen=True)
class Ended:
    """An import that has ended and may have reached the board.

    Attributes:
        complete: whether it has a result; otherwise none came in time.
        verified: whether the board itself confirmed it.
        announces: whether the settings had deleteJobs.
        withheld: how many deletions were withheld.
        shared: whether another feed had the account.
    """

    key: str
    created: Any
    sent: frozenset[str]
    deleted_others: bool
    complete: bool
    verified: bool
    announces: bool
    objects: int
    withheld: int
    shared: bool


def learn(known: Known | None, ended: Ended) -> Known:
    """Return what is known after an import has ended. An older import teaches nothing."""
    if known is not None and known.created > ended.created:
        return known
    before = known if known is not None and known.key == ended.key else None
    objects = known.objects if known is not None else 0
    if ended.complete:
        objects = max(objects, ended.objects) if ended.withheld else ended.objects
    told = before is not None and ended.announces and not ended.shared
    only_sent = ended.complete and ended.verified and ended.deleted_others
    return Known(
        key=ended.key,
        created=ended.created,
        references=set(ended.sent) | (before.references if before and not only_sent else set()),
        announced_at=before.announced_at if before and told else None,
        objects=objects,
    )


def objections(
    reading: Reading,
    known: Known | None,
    key: str,
    confirmed: set[str] | None,
    *,
    alone: bool,
    wanted: bool,
    unattended_at: Any,
) -> list[str]:
    """Return why an import must not delete: the design's rules, one after the other.

    Args:
        reading: what the run read.
        known: what the feed may have on the board.
        key: the API key of the account that the import is for.
        confirmed: the list that a person confirmed, if any.
        alone: whether no other feed names the account.
        wanted: whether the settings still ask for deletions.
        unattended_at: the time, if neither a person nor the schedule started the run.
    """
    found = []
    if not any(each.valid for each in reading.objects.values()):
        found.append("1: there is no valid job")
    if not (known and known.key == key and known.announced_at):
        return [*found, "3: nobody was told"]
    if unattended_at and unattended_at < known.announced_at + timedelta(hours=12):
        found.append("3: nobody had the time to object")
    goes = known.references - reading.references
    if not alone:
        found.append("5: another feed names the account")
    if not (reading.wishes.delete_jobs and wanted):
        found.append("the settings do not say so")
    if confirmed is not None and goes <= confirmed:
        return found
    if confirmed is not None:
        found.append(f"4: what was confirmed is another list, without {sorted(goes - confirmed)}")
    if any(each.nameless for each in reading.objects.values()):
        found.append("2: a row protects no posting")
    if goes and len(reading.objects) < known.objects:
        found.append("an object is gone")
    if len(goes) > 10 and len(goes) / len(known.references) > reading.wishes.percent / 100:
        found.append(f"4: {len(goes)} of {len(known.references)} would go")
    return found
