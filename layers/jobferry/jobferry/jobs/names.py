"""The names of a row's fields: which field of the board each of them is.

A name is a field of the board if feed.json maps it, if it is the field's own name, or if it is that name apart from case,
spaces, underscores, hyphens and invisible marks. Any other name is an unknown field, which is sent as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jobferry.feeds.rows import BOARD_FIELDS, plain_name
from jobferry.jobs.fields import FIELDS
from jobferry.jobs.warnings import MAX_QUOTED, RowWarning, quoted

#: Different rows, and names in each, that are remembered. More are interpreted again each time.
_MAX_ROWS, _MAX_NAMES = 256, 200


@dataclass(frozen=True, eq=False, slots=True)
class RowNames:
    """What the names of a row's fields stand for.

    Attributes:
        renames: the feed's names to the board's, for the fields to be renamed.
        columns: the board's fields to the feed's names.
    """

    renames: Mapping[str, str]
    columns: Mapping[str, str]


NOTHING_NAMED: Final = RowNames({}, {})


class FeedNames:
    """The names of a feed's fields, learned row by row.

    Attributes:
        missing: the names in the setting `fields` that no row has had.
        unknown: the first names that are no field of the board.
    """

    def __init__(self, mapped: Mapping[str, str]) -> None:
        self._mapped = mapped
        self._header: Sequence[str] = ()
        self._rows: dict[tuple[str, ...], RowNames] = {}
        self._warned: set[tuple[str, str]] = set()
        self._warnings: list[RowWarning] = []
        self.missing = set(mapped)
        self.unknown: dict[str, None] = {}

    def begin(self, header: Sequence[str] = ()) -> None:
        """Begin with the next object, or with the rows below a table's header."""
        self._header = header
        self._rows.clear()
        self._interpret(header)

    def of_row(self, names: tuple[str, ...]) -> RowNames:
        """Return what the names of a row stand for."""
        row = self._rows.get(names)
        if row is None:
            row = self._interpret(names)
            if len(self._rows) < _MAX_ROWS and len(names) <= _MAX_NAMES:
                self._rows[names] = row
        return row

    def take_warnings(self) -> list[RowWarning]:
        """Return the warnings about new names since the last call."""
        warnings, self._warnings = self._warnings, []
        return warnings

    def _interpret(self, names: Sequence[str]) -> RowNames:
        self.missing.difference_update(names)
        taken = {self._mapped.get(name, name): name for name in (*self._header, *names)}
        renames: dict[str, str] = {}
        columns: dict[str, str] = {}
        for name in names:
            ours = self._mapped.get(name)
            if ours is not None:
                renames[name] = ours
                columns[ours] = name
                if ours in names and ours not in self._mapped:
                    self._warn(
                        name,
                        f'is mapped to {ours} in feed.json: where it has a value, the feed\'s own "{ours}" is left out',
                    )
            elif name in FIELDS:
                ours = name
                columns.setdefault(ours, name)
            elif (near := self._near(name)) and near not in taken:
                renames[name] = ours = near
                columns.setdefault(ours, name)
                self._warn(name, f"is read as {ours}: the names differ only in case, spaces, hyphens and the like")
            elif near:
                self._warn(
                    name, f"is not read as {near}, because {quoted(taken[near])} is: it is sent as an unknown field"
                )
            if ours not in FIELDS and len(self.unknown) < _MAX_NAMES:
                self.unknown[name] = None
        return RowNames(renames, columns)

    def _near(self, name: str) -> str | None:
        return BOARD_FIELDS.get(plain_name(name)) if len(name) <= MAX_QUOTED else None

    def _warn(self, name: str, message: str) -> None:
        if (name, message) not in self._warned:
            if len(self._warned) < _MAX_NAMES:
                self._warned.add((name, message))
            self._warnings.append(RowWarning(("names", name, message), f"{quoted(name)} {message}"))
