"""How many rows have each of the board's fields, by object for rule 9 of the deletions, and by column for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from jobferry.jobs.fields import FIELDS
from jobferry.jobs.names import NOTHING_NAMED, RowNames


class FieldCounts:
    """The fields of the rows so far.

    Most rows have the fields of the row before, so only runs of equal rows are added up: adding up every name of every row
    would take a tenth of the build.

    Attributes:
        jobs: the number of rows, valid or not.
        columns: for each field, how many rows have it from which column; from None if it is a default.
    """

    def __init__(self) -> None:
        self.jobs = 0
        self.columns: defaultdict[str, Counter[str | None]] = defaultdict(Counter)
        self._of_object: Counter[str] = Counter()
        self._fields: tuple[str, ...] = ()
        self._names = NOTHING_NAMED
        self._rows = 0

    def add(self, job: Mapping[str, Any], names: RowNames) -> None:
        """Count the fields of a valid row."""
        fields = tuple(job)
        if fields != self._fields or names is not self._names:
            self._add_up()
            self._fields, self._names = fields, names
        self._rows += 1

    def add_invalid(self, job: Mapping[str, Any], names: RowNames) -> None:
        """Count the fields of a row with errors, for people only."""
        self._count(job, names, 1)

    def take(self) -> dict[str, int]:
        """Return how many valid rows of the object have each field, and begin with the next object."""
        self._add_up()
        counts, self._of_object = self._of_object, Counter()
        return dict(counts)

    def _add_up(self) -> None:
        if self._rows:
            known = self._count(self._fields, self._names, self._rows)
            self._of_object.update(dict.fromkeys(known, self._rows))
        self._rows = 0

    def _count(self, fields: Iterable[str], names: RowNames, rows: int) -> list[str]:
        known = [name for name in fields if name in FIELDS]
        self.jobs += rows
        for name in known:
            self.columns[name][names.columns.get(name)] += rows
        return known
