"""How many valid rows of an object have each of the board's fields. Rule 9 of the deletions compares it with the last import."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from jobferry.jobs.fields import FIELDS


class FieldCounts:
    """The fields of the rows so far.

    Most rows have the fields of the row before, so only runs of equal rows are added up: adding up every name of every row
    would take a tenth of the build.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._last: tuple[str, ...] = ()
        self._rows = 0

    def add(self, job: Mapping[str, Any]) -> None:
        """Count the fields of a valid row."""
        fields = tuple(job)
        if fields != self._last:
            self._add_up()
            self._last = fields
        self._rows += 1

    def take(self) -> dict[str, int]:
        """Return the counts, and begin again with the next object."""
        self._add_up()
        counts, self._counts = self._counts, Counter()
        return dict(counts)

    def _add_up(self) -> None:
        if self._rows:
            self._counts.update(dict.fromkeys(FIELDS & set(self._last), self._rows))
        self._rows = 0
