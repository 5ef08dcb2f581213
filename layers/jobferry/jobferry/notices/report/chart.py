"""The history of a feed, as the report's page draws it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import dropwhile, islice
from typing import Final

from jobferry.notices.advice.topics import ENDED
from jobferry.notices.failures import Failures
from jobferry.notices.headline import headline
from jobferry.records.imports import Import, State
from jobferry.text import counted, day, when

#: Imports that the chart shows.
IMPORTS: Final = 30
#: Pixels: where bars may begin and end, and the lowest bar.
TOP: Final = 22
BOTTOM: Final = 124
_LOWEST: Final = 3
#: Percent of the chart's width. Without this limit, the bars of a few imports would be as wide as blocks.
WIDEST: Final = 4


@dataclass(frozen=True)
class PastImport:
    """An import of the history.

    Attributes:
        record: the import.
        is_this: it is the report's own.
    """

    record: Import
    is_this: bool

    @property
    def jobs(self) -> int:
        """Return how many jobs the feed had."""
        return self.record.prepared.jobs + self._not_sent

    @property
    def failed(self) -> int | None:
        """Return how many jobs failed; None without a result."""
        return self.record.result.count("failed") + self._not_sent if self.record.state is State.COMPLETE else None

    @property
    def _not_sent(self) -> int:
        """Return how many jobs were invalid and not sent. With a full sync they are sent, and the board refuses them."""
        return 0 if self.record.deletions.full_sync else self.record.prepared.invalid

    @property
    def result(self) -> str:
        """Return what happened in a few words."""
        return "complete" if self.record.state is State.COMPLETE else headline(self.record, Failures())


@dataclass(frozen=True)
class History:
    """The last imports of a feed, oldest first."""

    imports: list[PastImport]

    @property
    def most_failed(self) -> int:
        """Return the most jobs that failed in one import."""
        return max((each.failed or 0 for each in self.imports), default=0)

    @property
    def summary(self) -> str:
        """Return the chart in one sentence."""
        failed = self.imports[-1].failed
        now = "no result now" if failed is None else f"{counted(failed, 'job')} failed now"
        without_result = sum(each.failed is None for each in self.imports)
        imports = counted(len(self.imports), "import")
        return f"{imports}: {now}, {self.most_failed:,} at most; {without_result:,} without a result."

    @property
    def first(self) -> str:
        """Return when the first import began: the day, or also the time if the last one began on the same day."""
        return self._when(self.imports[0])

    @property
    def last(self) -> str:
        """Return when the last import began."""
        return self._when(self.imports[-1])

    def _when(self, past: PastImport) -> str:
        first, last = (each.record.created_at for each in (self.imports[0], self.imports[-1]))
        return (when if day(first) == day(last) else day)(past.record.created_at)

    def height(self, past: PastImport) -> float:
        """Return the height of an import's bar in pixels."""
        return max((BOTTOM - TOP) * (past.failed or 0) / self.most_failed, _LOWEST)


def history_of(record: Import, imports: Iterable[Import]) -> History | None:
    """Return the history up to an import; None if it is the feed's first.

    Args:
        record: this import.
        imports: the feed's imports, newest first. This one may be missing, or stand there as it was before.
    """
    until_now = dropwhile(lambda each: each.created_at > record.created_at, imports)
    others = (each for each in until_now if each.state in ENDED and each.import_id != record.import_id)
    past = [PastImport(each, is_this=False) for each in islice(others, IMPORTS - 1)]
    return History([*reversed(past), PastImport(record, is_this=True)]) if past else None
