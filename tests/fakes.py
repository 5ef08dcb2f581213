"""Fakes of the domain's own protocols, as faithful as the real ones in what their callers can notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from jobferry.errors import ConflictError
from jobferry.imports import OPEN, FailedJob, Feed, Import, OpenRecords
from jobferry.notices import Notice


class Killed(BaseException):
    """The process ends here. No code catches it, as none survives Lambda's timeout."""


class MemoryStore:
    """An ImportStore in memory: all or nothing, each record only over the revision that its writer read.

    Attributes:
        before_save: called before each save; to write in between, or to kill.
        saves: how many saves there were.
    """

    def __init__(self) -> None:
        self._imports: dict[str, Import] = {}
        self._feeds: dict[str, Feed] = {}
        self._failed: dict[tuple[str, str], dict[int, FailedJob]] = {}
        self.before_save: Callable[[tuple[Import | Feed, ...]], None] = lambda _: None
        self.saves = 0

    def get(self, import_id: str) -> Import | None:
        return self._imports.get(import_id)

    def get_feed(self, feed: str) -> Feed:
        return self._feeds.get(feed) or Feed(feed=feed)

    def save(self, *records: Import | Feed) -> None:
        self.before_save(records)
        for record in records:
            now = self.get(record.import_id) if isinstance(record, Import) else self._feeds.get(record.feed)
            if (now.revision if now else 0) != record.revision:
                raise ConflictError("somebody else moved the record first")
        self.saves += 1
        for record in records:
            written = type(record).model_validate_json(_stored(record))
            if isinstance(written, Import):
                self._imports[written.import_id] = written
            else:
                self._feeds[written.feed] = written

    def read_failed(self, import_id: str, kind: str) -> Iterator[FailedJob]:
        items = self._failed.get((import_id, kind), {})
        for number in sorted(items):
            yield items[number]

    def write_failed(self, import_id: str, kind: str, failed: Iterable[FailedJob], expires: datetime) -> None:
        assert expires.tzinfo is not None
        for each in failed:
            self._failed.setdefault((import_id, kind), {})[each.number] = each

    def delete_failed(self, import_id: str, kind: str) -> None:
        self._failed.pop((import_id, kind), None)

    def open_records(self) -> OpenRecords:
        imports = [each for each in self._imports.values() if each.open == OPEN]
        feeds = [each for each in self._feeds.values() if each.run_again_at is not None]
        return OpenRecords(
            sorted(imports, key=lambda each: each.created_at), sorted(feeds, key=lambda each: str(each.run_again_at))
        )

    def history(self, feed: str) -> Iterator[Import]:
        found = [each for each in self._imports.values() if each.feed == feed]
        yield from sorted(found, key=lambda each: each.created_at, reverse=True)


def _stored(record: Import | Feed) -> str:
    """As a table would keep it: what cannot be written as JSON cannot be stored."""
    return record.changed(revision=record.revision + 1).model_dump_json(by_alias=True)


class MemoryTopic:
    """A topic that keeps what is published.

    Attributes:
        published: the notices, oldest first.
        before_publish: called before each; to fail or to kill.
    """

    def __init__(self) -> None:
        self.published: list[Notice] = []
        self.before_publish: Callable[[Notice], None] = lambda _: None

    def publish(self, notice: Notice) -> None:
        self.before_publish(notice)
        self.published.append(notice)
