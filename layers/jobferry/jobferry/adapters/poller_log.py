"""The log of PollImports, and the metric of overdue feeds. It carries ids, never what the board says."""

from collections.abc import Sequence

from aws_lambda_powertools import Logger

from jobferry.adapters.metrics import emit_overdue
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import
from jobferry.records.store import BrokenRecord


class PollerLog:
    """What the poller reports while it runs."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def asking(self, record: Import) -> None:
        """Name an import before the board is asked for it: if its answer crashes the function, this is the last line."""
        self._logger.info("asking", extra={"importId": record.import_id, "feed": record.feed})

    def settled(self, record: Import) -> None:
        self._logger.info("settled", extra={"importId": record.import_id, "feed": record.feed})

    def failed(self, record: Import | Feed | BrokenRecord, error: Exception) -> None:
        import_id = None if isinstance(record, Feed) else record.import_id
        self._logger.error("failed", extra={"importId": import_id, "feed": record.feed}, exc_info=error)

    def overdue(self, feeds: Sequence[Feed]) -> None:
        emit_overdue([feed.feed for feed in feeds])
        for feed in feeds:
            self._logger.warning("overdue", extra={"feed": feed.feed, "lastComplete": feed.last_complete})
