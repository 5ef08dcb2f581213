"""The record of a feed: its open run, its last results, and its live set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from jobferry.records.imports import Frozen, Instant


class LiveSet(Frozen):
    """The postings of a feed that may be on the board.

    Attributes:
        key: the object that lists them.
        import_id: the import with which it was stored; the first one of a split feed.
        created_at: when that import was claimed.
        account: board and secret whose postings they are.
        key_mark: identifies the key that was in the secret.
        whole: includes the postings that were carried over. If the import's deletions are confirmed, they are gone.
        deleted: how many of the first postings that were carried over were deleted by list.
        announced_at: when people were told that postings will be deleted; None if they were not.
        listed: they were told of deletions by list, not of a full sync.
    """

    key: str
    import_id: str
    created_at: Instant
    account: str
    key_mark: str | None = None
    whole: bool
    deleted: int = 0
    announced_at: Instant | None = None
    listed: bool = False


class Deleted(Frozen):
    """Postings of a feed that were deleted.

    Attributes:
        at: when the import that deleted them was claimed.
        live_before: postings in the live set before that.
        postings: how many were deleted.
    """

    at: Instant
    live_before: int
    postings: int


class Resurfaced(Frozen):
    """What an older import may have posted again, because the board did it after a newer one.

    Attributes:
        key: the live set that the import was sent with.
        at: when its result came.
    """

    key: str
    at: Instant


class Feed(Frozen):
    """The record of a feed.

    Attributes:
        feed: its name.
        open_imports: imports of the run that is under way; if there are none, the next run may start.
        last_import: the latest import that was claimed.
        last_request: the Lambda request that claimed it.
        last_complete: the latest run with a result, by its first import.
        last_complete_at: when that import was claimed.
        last_sent_at: when the latest run that may have reached the board was claimed; a retry is not a run.
        last_retry_at: when the corrected jobs of the latest retry were uploaded.
        live_set: the postings that may be on the board.
        resurfaced: what may be on the board besides the live set.
        not_offered: the board that does not offer deletion by reference number, after a list was refused.
        baseline: the latest complete run whose deletions were not withheld, or the first; rule 8 compares with it.
        deletions: those of the last seven days; a deletion that a person confirmed starts anew.
        secret: the account's secret by the last feed.json that was read; None if the feed never had a feed.json.
        run_again: the import after which the feed runs once more, such as the first one that was skipped; None if it does not.
        run_again_at: the earliest time of that run.
        run_again_confirm: the code for deletions that a person gave, and that this run is to use.
        run_again_confirm_fields: the code for fields that a person gave, and that this run is to use.
        runs_again: runs in a row after which the feed asked for another one itself, because its files were still changing.
        revision: how often the record was written; 0 if it is new.
    """

    feed: str
    open_imports: list[str] = Field(default_factory=list)
    last_import: str | None = None
    last_request: str | None = None
    last_complete: str | None = None
    last_complete_at: Instant | None = None
    last_sent_at: Instant | None = None
    last_retry_at: Instant | None = None
    live_set: LiveSet | None = None
    resurfaced: list[Resurfaced] = Field(default_factory=list)
    not_offered: str | None = None
    baseline: str | None = None
    deletions: list[Deleted] = Field(default_factory=list)
    secret: str | None = None
    run_again: str | None = None
    run_again_at: Instant | None = None
    run_again_confirm: str | None = None
    run_again_confirm_fields: str | None = None
    runs_again: int = 0
    revision: int = 0

    def to_item(self) -> dict[str, Any]:
        """Return the record as it is stored."""
        return self.model_dump(by_alias=True, mode="json")

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Feed:
        """Read a stored record."""
        return cls.model_validate(item)
