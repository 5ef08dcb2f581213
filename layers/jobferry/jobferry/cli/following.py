"""Following imports until they end."""

import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, TextIO

from jobferry.cli.outcomes import RecordSource, is_over, words
from jobferry.errors import CannotBeDoneError
from jobferry.records.imports import Import, part_id
from jobferry.text import duration, one_line

#: Seconds between two reads; more while nothing changes.
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 5.0
#: Seconds until a requested import must have begun: Lambda may have others to run first.
_PATIENCE: Final = 120.0
_TIME: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")


class Progress:
    """Writes each change in a line; in a terminal also for how long nothing has changed."""

    def __init__(self, stream: TextIO, *, terminal: bool) -> None:
        self._stream = stream
        self._terminal = terminal

    def change(self, record: Import, now: datetime) -> None:
        self.clear()
        self._stream.write(f"{now.astimezone():%H:%M:%S}  {record.import_id}  {one_line(words(record), 400)}\n")
        self._stream.flush()

    def waiting(self, seconds: float) -> None:
        if self._terminal:
            sys.stderr.write(f"\r          waiting, {duration(seconds)}  ")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._terminal:
            sys.stderr.write("\r" + " " * 40 + "\r")
            sys.stderr.flush()


def follow(
    import_ids: list[str],
    records: RecordSource,
    progress: Progress,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
) -> list[Import]:
    """Report every change until all imports, and the further parts of split ones, have ended.

    Raises:
        CannotBeDoneError: an import does not begin.
    """
    following = list(import_ids)
    seen: dict[str, Import] = {}
    changed = now()
    wait = _FIRST_WAIT
    try:
        while True:
            for import_id in list(following):
                record = records.get(import_id)
                if record is None or _same(seen.get(import_id), record):
                    continue
                progress.change(record, now())
                seen[import_id] = record
                parts = [part_id(import_id, number) for number in range(2, record.parts + 1)]
                following += [each for each in parts if each not in following]
                changed, wait = now(), _FIRST_WAIT
            if all(each in seen and is_over(seen[each]) for each in following):
                return [seen[each] for each in following]
            if missing := [each for each in following if each not in seen]:
                _check_patience(missing[0], now())
            progress.waiting((now() - changed).total_seconds())
            sleep(wait)
            wait = min(wait * 1.3, _LONGEST_WAIT)
    finally:
        progress.clear()


def _same(before: Import | None, record: Import) -> bool:
    return before is not None and _shown(before) == _shown(record)


def _shown(record: Import) -> tuple[object, ...]:
    return record.state, record.prepared.jobs, record.deletions.left, record.deletions.list_end


def _check_patience(import_id: str, now: datetime) -> None:
    """Raise CannotBeDoneError if an import should have begun by now. Its id says when it was requested."""
    requested = _TIME.search(import_id)
    if requested is None or (now - datetime.fromisoformat(requested[0])).total_seconds() > _PATIENCE:
        raise CannotBeDoneError(
            f"there is no import {import_id}. If it was started just now, Lambda cannot run it yet, or SubmitImport "
            "failed before it recorded anything: check its log"
        )
