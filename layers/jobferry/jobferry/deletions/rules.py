"""Whether an import may delete postings: the rules that protect live ones.

Source: docs/deletions.md, which numbers the rules. `deleteJobs: true` makes the board delete every posting of
the account that is not in the import, no matter who posted it. `deleteJobs: "listed"` deletes postings that this feed has
posted before, by their reference numbers. Either is done only if there is no objection.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from jobferry.deletions.codes import is_code
from jobferry.deletions.live_set import Carried
from jobferry.errors import ConfirmationError
from jobferry.feeds.settings import FeedSettings
from jobferry.records.feeds import Deleted, LiveSet
from jobferry.records.imports import (
    OTHERS_NAMED,
    TIME_TO_OBJECT,
    WEEK,
    Deletions,
    Objection,
    OtherFeed,
    Prepared,
    ReducedObject,
)

#: This many deletions pass rule 4, if they are at most half of the live set and the percentage is not 0.
ALWAYS_PASS: Final = 10
#: A feed of several objects may still be half exported for this long after its newest one was uploaded.
_TIME_TO_EXPORT: Final = timedelta(minutes=10)
#: With these, deletions wait for hours.
_NOT_YET: Final = frozenset({Objection.FIRST, Objection.TIME_TO_OBJECT})
#: A person cannot confirm deletions against these.
_UNCONFIRMABLE: Final = frozenset({Objection.FIRST, Objection.SHARED_ACCOUNT})


class Circumstances(NamedTuple):
    """The facts besides the lists of postings that decide whether deletions are sent.

    Attributes:
        now: the time.
        announced_at: when people were told that postings will be deleted; None if they were not, for this account, key and
            way of deleting (rule 3).
        by_person: a person started the run.
        unprotected: rows that cannot be matched to a posting, which might be deleted wrongly (rule 2).
        sources: the objects of the feed, as `Prepared.sources` describes them.
        before: the runs whose objects they are compared with (rule 8).
        earlier: the deletions of the last seven days (rule 4).
        shared_with: other feeds of the same account (rule 5); none if only a list is deleted.
        whole_at: the feed may be half exported until then; None if it is whole (rule 8).
        not_offered: people know that the board does not offer deletion by reference number.
    """

    now: datetime
    announced_at: datetime | None
    by_person: bool
    unprotected: int
    sources: Sequence[Mapping[str, Any]]
    before: Sequence[Prepared]
    earlier: Sequence[Deleted]
    shared_with: Sequence[OtherFeed]
    whole_at: datetime | None
    not_offered: bool


def decide(
    settings: FeedSettings, carried: Carried, circumstances: Circumstances, confirmed_with: str | None
) -> Deletions:
    """Decide about the deletions of one import.

    Args:
        settings: of the feed.
        carried: the live set compared with what is to be sent.
        circumstances: what else matters.
        confirmed_with: the code that a person gave, if one did.

    Raises:
        ConfirmationError: the code confirms another list, or there is nothing to confirm.
    """
    if not settings.delete_jobs:
        if confirmed_with is not None:
            raise ConfirmationError(
                "a code for deletions was given, but the feed's deleteJobs is off: nothing would be deleted"
            )
        return Deletions(live_before=carried.size, announced_at=circumstances.announced_at)
    reduced = _reduced(carried, circumstances)
    objections = _objections(settings, carried, circumstances, reduced)
    confirmable = carried.missing > 0 and not _UNCONFIRMABLE & set(objections)
    if confirmed_with is not None:
        if not confirmable or not is_code(confirmed_with, carried.code):
            raise ConfirmationError(_refusal(carried, circumstances, objections))
        objections = []
    return Deletions(
        full_sync=settings.full_sync,
        listed=settings.listed,
        live_before=carried.size,
        delete_jobs=settings.full_sync and not objections,
        expected=0 if objections else carried.missing,
        withheld=carried.missing if objections else 0,
        because=objections,
        reduced=reduced[:OTHERS_NAMED],
        shared_with=list(circumstances.shared_with[:OTHERS_NAMED]),
        sharing=len(circumstances.shared_with),
        confirm_code=carried.code if objections and confirmable else None,
        confirmed_with=confirmed_with,
        postings=carried.first,
        announced_at=circumstances.announced_at,
        former=carried.former,
        first_former=carried.first_former,
        not_offered=settings.listed and circumstances.not_offered and not circumstances.by_person,
        # A further run within minutes would not delete either while people may still object.
        again_at=circumstances.whole_at
        if Objection.HALF_EXPORTED in objections and not _NOT_YET & set(objections)
        else None,
    )


def announced(live_set: LiveSet | None, settings: FeedSettings, key_mark: str, *, retry: bool) -> datetime | None:
    """Return when people were told of deletions in this way and with this key; None if they were not (rule 3).

    If the key in the secret has changed, it may still belong to the same account. So the live set is compared with the
    feed all the same, and a full sync begins only after a new announcement. The same holds for another way of deleting.
    A retry deletes in no way, and keeps the announcement.
    """
    if live_set is None or live_set.key_mark != key_mark:
        return None
    return live_set.announced_at if retry or live_set.listed == settings.listed else None


def _may_still_object(announced_at: datetime | None, now: datetime) -> bool:
    """Tell whether people may still object to what was announced (rule 3)."""
    return announced_at is not None and now < announced_at + TIME_TO_OBJECT


def whole_at(uploaded: Sequence[datetime], now: datetime) -> datetime | None:
    """Return the time until which a feed of several objects may be half exported; None if it is whole (rule 8).

    That all objects are new does not tell: an export that was written twice may be half done for the second time.

    Args:
        uploaded: when each of its objects was uploaded.
        now: the time.
    """
    whole = max(uploaded, default=now) + _TIME_TO_EXPORT
    return whole if len(uploaded) > 1 and now < whole else None


class Changes(NamedTuple):
    """What may have changed since an import's deletions were decided.

    Attributes:
        now: the time.
        settings: the feed's settings as they are now.
        same_key: the account's key is still the one with which the deletions were decided.
        earlier: the deletions of the last seven days (rule 4).
        shared_with: other feeds that use the account by now.
        newer_at: when the feed can run again, because a newer version of it is waiting; None if none is.
    """

    now: datetime
    settings: FeedSettings
    same_key: bool
    earlier: Sequence[Deleted]
    shared_with: Sequence[OtherFeed]
    newer_at: datetime | None


def decide_again(deletions: Deletions, changes: Changes) -> Deletions:
    """Decide again about an import that deletes, right before it is sent, perhaps hours after it was prepared.

    The same holds for its list. What of the list is deleted already remains deleted.
    """
    same_way = (changes.settings.full_sync, changes.settings.listed) == (deletions.full_sync, deletions.listed)
    if not same_way or not changes.same_key:
        return deletions.changed(
            delete_jobs=False, full_sync=False, listed=False, expected=deletions.deleted, postings=[]
        )
    objections = {
        Objection.SHARED_ACCOUNT: bool(changes.shared_with),
        Objection.NEWER_FEED: changes.newer_at is not None,
    }
    because = [objection for objection, holds in objections.items() if holds]
    missing = deletions.expected - deletions.deleted
    if deletions.confirmed_with is None:
        because += exceeded_limits(changes.settings, missing, deletions.live_before, changes.earlier, changes.now)
    if not because:
        return deletions
    return deletions.changed(
        delete_jobs=False,
        expected=deletions.deleted,
        withheld=missing,
        postings=deletions.postings[deletions.deleted :],
        because=because,
        shared_with=changes.shared_with[:OTHERS_NAMED],
        sharing=len(changes.shared_with),
        again_at=changes.newer_at,
    )


def exceeded_limits(
    settings: FeedSettings, missing: int, live: int, earlier: Sequence[Deleted], now: datetime
) -> list[Objection]:
    """Return which limit of rule 4 the deletions exceed: that of one import, or else that of a week.

    Args:
        settings: of the feed.
        missing: postings that would be deleted.
        live: postings in the live set.
        earlier: deletions of the last seven days, the oldest first; older ones do not count.
        now: the time.
    """
    if missing > _allowed(live, settings.max_delete_percent):
        return [Objection.TOO_MANY]
    week = [each for each in earlier if each.at > now - WEEK]
    # A feed that has grown since the week began may delete more, so the larger number counts.
    live_in_week = max(live, week[0].live_before) if week else live
    in_week = missing + sum(each.postings for each in week)
    if missing and in_week > _allowed(live_in_week, settings.max_weekly_delete_percent):
        return [Objection.TOO_MANY_THIS_WEEK]
    return []


def _allowed(live: int, percent: int) -> int:
    """Return how many of these live postings may be deleted."""
    return max(live * percent // 100, min(ALWAYS_PASS, live // 2)) if percent else 0


def reduced_objects(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[ReducedObject]:
    """Return the objects that have less than half of the rows that they had before.

    Objects are matched by their keys. Where keys change, as dated names do, the remaining ones are matched by their order.
    """
    rows_before = {each["key"]: each.get("rows", 0) for each in before}
    keys = {each["key"] for each in now}
    replaced = iter([rows for key, rows in rows_before.items() if key not in keys])
    found = []
    for each in now:
        rows = rows_before[each["key"]] if each["key"] in rows_before else next(replaced, 0)
        if each["rows"] * 2 < rows:
            found.append(ReducedObject(key=each["key"], rows=each["rows"], rows_before=rows))
    return found


def _reduced(carried: Carried, circumstances: Circumstances) -> list[ReducedObject]:
    """Return the objects that lost rows. If nothing is missing, their jobs are elsewhere in the feed."""
    if not carried.missing:
        return []
    found = [each for run in circumstances.before for each in reduced_objects(run.sources, circumstances.sources)]
    return list({each.key: each for each in reversed(found)}.values())[::-1]


def _objections(
    settings: FeedSettings, carried: Carried, circumstances: Circumstances, reduced: list[ReducedObject]
) -> list[Objection]:
    is_first, unattended = circumstances.announced_at is None, not circumstances.by_person
    objections = {
        Objection.FIRST: is_first,
        Objection.TIME_TO_OBJECT: unattended and _may_still_object(circumstances.announced_at, circumstances.now),
        Objection.SHARED_ACCOUNT: bool(circumstances.shared_with),
        Objection.UNPROTECTED_ROWS: circumstances.unprotected > 0,
        Objection.FEWER_OBJECTS: carried.missing > 0
        and any(len(circumstances.sources) < run.objects for run in circumstances.before),
        Objection.FEWER_ROWS: bool(reduced),
        Objection.HALF_EXPORTED: unattended
        and circumstances.whole_at is not None
        and carried.missing > 0
        and not is_first,
    }
    exceeded = exceeded_limits(settings, carried.missing, carried.size, circumstances.earlier, circumstances.now)
    return [objection for objection, holds in objections.items() if holds] + exceeded


def _refusal(carried: Carried, circumstances: Circumstances, objections: list[Objection]) -> str:
    if Objection.SHARED_ACCOUNT in objections:
        others = ", ".join(map(str, circumstances.shared_with[:OTHERS_NAMED]))
        if len(circumstances.shared_with) > OTHERS_NAMED:
            others += f" and {len(circumstances.shared_with) - OTHERS_NAMED:,} more"
        return f"deletions cannot be confirmed while another feed uses the same account: {others}"
    if Objection.FIRST in objections:
        return (
            "a code for deletions was given, but the feed's deletions are not announced yet for this account and key: "
            "run the feed without a code, and the notice announces them"
        )
    if not carried.missing:
        return "a code for deletions was given, but there is nothing left to delete: run the feed without a code"
    return (
        f"the code does not match the current list of {carried.missing:,} deletions: run the feed without a code, and the next "
        "notice has the current list and its code"
    )
