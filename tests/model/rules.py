"""What an import may delete, written again from the design with plain sets of reference numbers.

Nothing in this module calls jobferry. The history reports what was in the bucket when it was read, what reached the board,
and how imports ended.
"""

from __future__ import annotations

from collections.abc import Mapping
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

    @property
    def rows(self) -> int:
        return len(self.valid) + len(self.invalid) + self.nameless


@dataclass(frozen=True)
class Wishes:
    """The settings of a feed."""

    delete_jobs: bool | str = False
    percent: int = 20
    weekly: int = 50
    paused: bool = False
    secret: str = "BoardApiKey"
    split: int | None = None


@dataclass
class Reading:
    """What a run read: the settings, then the objects. `lost`: feed.json was there before, and is not any more."""

    wishes: Wishes
    lost: bool = False
    objects: dict[str, Content] = field(default_factory=dict)

    @property
    def references(self) -> set[str]:
        return {each for content in self.objects.values() for each in content.references}

    @property
    def rows(self) -> dict[str, int]:
        return {key: content.rows for key, content in self.objects.items()}


@dataclass
class Known:
    """What a feed may have on the board.

    Attributes:
        key: the account's API key.
        created: when the import that taught this was claimed.
        references: the reference numbers that may be on the board.
        announced_at: when people were told that postings will be deleted, if they were.
        listed: they were told of lists, not of the rest of the account.
        baseline: the rows of each object when deletions were last not withheld; None before the first complete import.
        last: the rows of each object at the last complete import.
        deletions: when postings were deleted, how many were live before, and how many were deleted; since the last time
            that a person confirmed some.
    """

    key: str
    created: Any
    references: set[str]
    announced_at: Any
    listed: bool = False
    baseline: Mapping[str, int] | None = None
    last: Mapping[str, int] | None = None
    deletions: list[tuple[Any, int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Ended:
    """An import that has ended and may have reached the board.

    Attributes:
        complete: whether it has a result; otherwise none came in time.
        verified: whether the board itself confirmed it.
        announces: whether the settings had deleteJobs.
        withheld: how many deletions were withheld.
        shared: whether another feed had the account.
        listed: whether the settings had deleteJobs "listed".
        gone: what was deleted by list.
    """

    key: str
    created: Any
    sent: frozenset[str]
    deleted_others: bool
    complete: bool
    verified: bool
    announces: bool
    rows: Mapping[str, int]
    withheld: int
    confirmed: bool
    shared: bool
    listed: bool = False
    gone: frozenset[str] = frozenset()


def learn(known: Known | None, ended: Ended) -> Known:
    """Return what is known after an import has ended. An older import teaches nothing but what it may have posted again."""
    if known is not None and known.created > ended.created:
        if known.listed and known.key == ended.key and ended.complete:
            known.references |= ended.sent
        return known
    before = known if known is not None and known.key == ended.key else None
    baseline, last = (known.baseline, known.last) if known is not None else (None, None)
    if ended.complete:
        baseline = baseline if ended.withheld and baseline is not None else ended.rows
        last = ended.rows
    told = before is not None and ended.announces and not ended.shared and before.listed == ended.listed
    only_sent = ended.complete and ended.verified and ended.deleted_others
    deletions = list(known.deletions) if known is not None else []
    if only_sent and before is not None:
        deletions.append((ended.created, len(before.references), len(before.references - ended.sent)))
        deletions = [] if ended.confirmed else deletions
    return Known(
        key=ended.key,
        created=ended.created,
        references=set(ended.sent) | (before.references - ended.gone if before and not only_sent else set()),
        announced_at=before.announced_at if before and told else None,
        listed=ended.listed,
        baseline=baseline,
        last=last,
        deletions=deletions,
    )


def allowed(live: int, percent: int) -> float:
    """Return how many of the live postings may be deleted."""
    if percent == 0:
        return 0
    return max(live * percent / 100, min(10, live / 2))


def lost_rows(before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    """Tell whether an object is missing, or one has less than half of its rows."""
    if len(now) < len(before):
        return True
    pairs = [(key, key) for key in before.keys() & now.keys()]
    pairs += zip(sorted(before.keys() - now.keys()), sorted(now.keys() - before.keys()), strict=False)
    return any(now[new] < before[old] / 2 for old, new in pairs)


def objections(
    reading: Reading,
    known: Known | None,
    key: str,
    confirmed: set[str] | None,
    *,
    alone: bool,
    wanted: bool,
    unattended_at: Any,
    now: Any,
    listed: set[str] | None = None,
) -> list[str]:
    """Return why an import must not delete: the design's rules, one after the other.

    Args:
        reading: what the run read.
        known: what the feed may have on the board.
        key: the API key of the account that the import is for.
        confirmed: the list that a person confirmed, if any.
        alone: whether no other feed names the account.
        wanted: whether the settings still ask for deletions.
        now: the time.
        unattended_at: the time, if no person started the run.
        listed: what is deleted by list; None if the import itself deletes all but its own jobs.
    """
    found = []
    if not any(each.valid for each in reading.objects.values()):
        found.append("1: there is no valid job")
    if not (known and known.key == key and known.announced_at and known.listed == (listed is not None)):
        return [*found, "3: nobody was told"]
    if unattended_at and unattended_at < known.announced_at + timedelta(hours=12):
        found.append("3: nobody had the time to object")
    goes = known.references - reading.references
    if listed is not None:
        if not listed <= goes:
            found.append(f"what is listed is in the feed, or was not posted by it: {sorted(listed - goes)}")
        goes = listed
    elif not alone:
        found.append("5: another feed names the account")
    if not (reading.wishes.delete_jobs == ("listed" if listed is not None else True) and wanted):
        found.append("the settings do not say so")
    if confirmed is not None and goes <= confirmed:
        return found
    if confirmed is not None:
        found.append(f"4: what was confirmed is another list, without {sorted(goes - confirmed)}")
    if any(each.nameless for each in reading.objects.values()):
        found.append("2: a row protects no posting")
    runs = [each for each in (known.baseline, known.last) if each is not None]
    if goes and any(lost_rows(each, reading.rows) for each in runs):
        found.append(f"8: of {runs}, {reading.rows} is left")
    live = len(known.references)
    if len(goes) > allowed(live, reading.wishes.percent):
        found.append(f"4: {len(goes)} of {live} would go")
    week = [(before, gone) for at, before, gone in known.deletions if gone and at > now - timedelta(days=7)]
    in_week = len(goes) + sum(gone for _, gone in week)
    if goes and in_week > allowed(
        max(live, *(before for before, _ in week[:1])) if week else live, reading.wishes.weekly
    ):
        found.append(f"4: {in_week} would go within a week")
    return found
