"""Whether an import may delete postings: the rules that protect live ones.

Source: docs/deletions.md, which numbers the rules. `deleteJobs: true` makes the board delete every posting of
the account that is not in the import, no matter who posted it, so it is sent only if there is no objection.
"""

from datetime import datetime
from typing import Final, NamedTuple

from jobferry.deletions.live_set import Carried
from jobferry.errors import ConfirmationError
from jobferry.feeds.settings import FeedSettings
from jobferry.records.imports import Deletions, Objection, OtherFeed

#: This many deletions always pass rule 4.
ALWAYS_PASS: Final = 10
#: A person cannot confirm deletions against these.
_UNCONFIRMABLE: Final = frozenset({Objection.FIRST, Objection.SHARED_ACCOUNT})


class Circumstances(NamedTuple):
    """The facts besides the lists of postings that decide whether deletions are sent.

    Attributes:
        announced: people were told that other postings will be deleted, and had time to read it (rule 3).
        announced_at: when they were told; None if they were not, for this account and key.
        unprotected: rows that cannot be matched to a posting, which might be deleted wrongly (rule 2).
        objects: how many objects the feed has.
        objects_before: how many it had at its last complete import.
        shared_with: other feeds of the same account (rule 5).
    """

    announced: bool
    announced_at: datetime | None
    unprotected: int
    objects: int
    objects_before: int | None
    shared_with: tuple[OtherFeed, ...]


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
                "confirmDeletes was given, but the feed's deleteJobs is off: nothing would be deleted"
            )
        return Deletions(announced_at=circumstances.announced_at)
    objections = _objections(settings, carried, circumstances)
    confirmable = carried.missing > 0 and not _UNCONFIRMABLE & set(objections)
    if confirmed_with is not None:
        if not confirmable or _normalized(confirmed_with) != _normalized(carried.code):
            raise ConfirmationError(_refusal(carried, circumstances, objections))
        objections = []
    return Deletions(
        full_sync=True,
        delete_jobs=not objections,
        expected=0 if objections else carried.missing,
        withheld=carried.missing if objections else 0,
        because=objections,
        shared_with=list(circumstances.shared_with),
        confirm_code=carried.code if objections and confirmable else None,
        confirmed_with=confirmed_with,
        postings=carried.first,
        announced_at=circumstances.announced_at,
    )


def decide_again(deletions: Deletions, *, wanted: bool, shared_with: list[OtherFeed]) -> Deletions:
    """Decide again right before an import is sent, perhaps hours after it was prepared.

    Args:
        deletions: as they were decided.
        wanted: the feed's settings, account and key are still those of a full sync.
        shared_with: other feeds that use the account by now.
    """
    if not wanted:
        return deletions.changed(delete_jobs=False, full_sync=False, expected=0, postings=[])
    if not shared_with:
        return deletions
    return deletions.changed(
        delete_jobs=False,
        expected=0,
        withheld=deletions.expected,
        because=[Objection.SHARED_ACCOUNT],
        shared_with=shared_with,
    )


def _objections(settings: FeedSettings, carried: Carried, circumstances: Circumstances) -> list[Objection]:
    before = circumstances.objects_before
    objections = {
        Objection.FIRST: not circumstances.announced,
        Objection.SHARED_ACCOUNT: bool(circumstances.shared_with),
        Objection.UNPROTECTED_ROWS: circumstances.unprotected > 0,
        Objection.FEWER_OBJECTS: carried.missing > 0 and before is not None and circumstances.objects < before,
        Objection.TOO_MANY: carried.missing > ALWAYS_PASS
        and carried.missing * 100 > carried.size * settings.max_delete_percent,
    }
    return [objection for objection, holds in objections.items() if holds]


def _refusal(carried: Carried, circumstances: Circumstances, objections: list[Objection]) -> str:
    if Objection.SHARED_ACCOUNT in objections:
        others = ", ".join(map(str, circumstances.shared_with))
        return f"confirmDeletes cannot be used while another feed uses the same account: {others}"
    if Objection.FIRST in objections:
        return "confirmDeletes was given, but this is the feed's first full sync: there is no list yet to confirm"
    if not carried.missing:
        return "confirmDeletes was given, but nothing is to be deleted any more: run the feed without it"
    return (
        f"the code in confirmDeletes does not match the current list of {carried.missing:,} deletions: run the feed "
        "without it, and the next notice has the current list and its code"
    )


def _normalized(code: str) -> str:
    """Return a code without spaces and hyphens, in upper case."""
    return "".join(code.split()).replace("-", "").upper()
