"""Whether an import may delete postings: the rules that protect live ones.

Source: docs/deletions.md, by whose numbers the rules are called here. `deleteJobs: true` makes the board delete
every posting of the account that is not in the import, whoever posted it, so it goes out only when nothing speaks
against it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from jobferry.deletions.live_set import Carried
from jobferry.errors import ConfirmationError
from jobferry.feeds.settings import FeedSettings
from jobferry.records.imports import FEWER_OBJECTS, FIRST, SHARED_ACCOUNT, TOO_MANY, UNPROTECTED_ROWS, Posting

#: So few deletions always pass rule 4.
ALWAYS_PASS: Final = 10


class Deletions(NamedTuple):
    """What was decided.

    Attributes:
        delete_jobs: what is sent.
        expected: postings that will go.
        withheld: postings that the feed does not have, and that stay.
        because: why deletions are withheld, or are not sent yet (`first`).
        confirm_code: with which a person can have them sent; None when that is not for a person to confirm.
        postings: the first of those that go, or were withheld.
    """

    delete_jobs: bool = False
    expected: int = 0
    withheld: int = 0
    because: tuple[str, ...] = ()
    confirm_code: str | None = None
    postings: tuple[Posting, ...] = ()


class Circumstances(NamedTuple):
    """What speaks for or against deletions beside the lists themselves.

    Attributes:
        announced: there is a live set of this account, and people were told that other postings go (rule 3).
        unprotected: rows that protect no posting (rule 2).
        objects, objects_before: how many objects the feed has, and had at its last complete import.
        shared_with: other feeds of the same account (rule 5).
    """

    announced: bool
    unprotected: int
    objects: int
    objects_before: int | None
    shared_with: tuple[str, ...]


def decide(settings: FeedSettings, carried: Carried, found: Circumstances, confirmed: str | None) -> Deletions:
    """Decides about the deletions of one import.

    Args:
        settings: of the feed.
        carried: the live set against what is to be sent.
        found: the circumstances.
        confirmed: the code that a person gave, if one did.

    Raises:
        ConfirmationError: the code is not that of this very list, or there is nothing that it could confirm.
    """
    if not settings.delete_jobs:
        if confirmed is not None:
            raise ConfirmationError(
                "confirmDeletes was given, but the feed's deleteJobs is off: nothing would be deleted"
            )
        return Deletions()
    because = tuple(_objections(settings, carried, found))
    confirmable = carried.missing > 0 and not {FIRST, SHARED_ACCOUNT} & set(because)
    if confirmed is not None:
        if not confirmable or _bare(confirmed) != _bare(carried.code):
            raise ConfirmationError(_refusal(carried, found, because))
        because = ()
    if not because:
        return Deletions(True, expected=carried.missing, postings=tuple(carried.first))
    return Deletions(
        withheld=carried.missing,
        because=because,
        confirm_code=carried.code if confirmable else None,
        postings=tuple(carried.first),
    )


def _objections(settings: FeedSettings, carried: Carried, found: Circumstances) -> list[str]:
    because = []
    if not found.announced:
        because.append(FIRST)
    if found.shared_with:
        because.append(SHARED_ACCOUNT)
    if found.unprotected:
        because.append(UNPROTECTED_ROWS)
    if carried.missing and found.objects_before is not None and found.objects < found.objects_before:
        because.append(FEWER_OBJECTS)
    if carried.missing > ALWAYS_PASS and carried.missing * 100 > carried.size * settings.max_delete_percent:
        because.append(TOO_MANY)
    return because


def _refusal(carried: Carried, found: Circumstances, because: tuple[str, ...]) -> str:
    if SHARED_ACCOUNT in because:
        others = ", ".join(found.shared_with)
        return f"confirmDeletes cannot be used while another feed names the same account: {others}"
    if FIRST in because:
        return "confirmDeletes was given, but this is the feed's first full sync: there is no list yet to confirm"
    if not carried.missing:
        return "confirmDeletes was given, but nothing is to be deleted any more: run the feed without it"
    return (
        f"confirmDeletes names another list than the {carried.missing:,} deletions to come now: run the feed without "
        "it, and the next notice has the code of the present list"
    )


def _bare(code: str) -> str:
    """A code as it counts, however a person typed it."""
    return "".join(code.split()).replace("-", "").upper()
