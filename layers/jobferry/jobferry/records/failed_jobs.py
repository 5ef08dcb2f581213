"""The jobs that failed in an import: what the board said of them, or what was found before sending."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from jobferry.records.imports import Frozen, Instant, ShortText


class FailedKind(StrEnum):
    """Who says that a job failed; the beginning of the items' keys.

    Results of unverified callbacks are stored apart from the board's own. `failing_since` reads the kinds in this
    order, so a later kind overrides an earlier one.
    """

    INVALID = "invalid"
    UNVERIFIED = "unverified"
    ERROR = "error"


class FailedJob(Frozen):
    """A job that failed.

    Attributes:
        number: the index in the list as sent, or the number of the problem.
        messages: why it failed.
        reference_number: None if it has none.
        title: None if it has none, or if it is not known.
        key: the object of the feed.
        row: the row in that object.
        line: the line on which the row begins, where that helps to find it.
        since: when the first import in which it failed was claimed.
        sent: it was found to be invalid and sent all the same, for the board to judge.
    """

    number: Annotated[int, Field(alias="index")]
    messages: list[str]
    reference_number: ShortText | None = None
    title: ShortText | None = None
    key: str | None = None
    row: int | None = None
    line: int | None = None
    since: Instant | None = None
    sent: bool = False

    @property
    def identity(self) -> str:
        """What identifies the job from one import to the next."""
        return self.reference_number or f"\0{self.title}\0{self.messages[:1]}"

    def dated(self, known: Mapping[str, datetime]) -> FailedJob:
        """Return the job with the time at which it began to fail, by the identities of an earlier import."""
        return self.changed(since=known.get(self.identity, self.since))
