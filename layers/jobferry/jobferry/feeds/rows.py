"""The rows that the readers of all formats yield."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from unicodedata import category


class UnreadableRow(NamedTuple):
    """A row that cannot be read; the rows after it can. The message completes "the row …".

    Without a row's number, it is anything else in an object that looks like jobs: the message completes "the object …".
    """

    message: str


#: The fields of a format without JSON's types: trimmed texts, none of them empty, or lists of such texts. The receiver may
#: change them.
type Fields = dict[str, Any]


class RowWithWarning(NamedTuple):
    """A row that can be read but deserves a warning. The message completes "a row …"."""

    fields: Fields
    message: str


class FeedWarning(NamedTuple):
    """Something about an object, or about a place in it that is no job, that people should know. A whole sentence."""

    message: str


class TableHeader(NamedTuple):
    """The names of a table's columns, trimmed. It comes before the table's rows, so that columns without values are known."""

    names: Sequence[str]


#: A place in an object: the number of the row, from 1 (a table's header counts; None for the whole object), and the line
#: on which it begins where that helps to find it. Then a job's row, a JSON object's text or fields by name, or what else
#: is there.
type Row = tuple[int | None, int | None, bytes | Fields | RowWithWarning | UnreadableRow | FeedWarning | TableHeader]


#: Beside the jobs, these names hold what went wrong during an export, as `plain_name` returns them.
ERROR_NAMES: Final = frozenset({"error", "errors", "errormessage", "exception", "fault"})
_NO_ERROR: Final = frozenset({"", "0", "none", "null", "false", "no", "ok", "success", "no error", "no errors"})
#: A name that a job's reference number has in any writing, as `plain_name` returns it.
_REFERENCE_NUMBER: Final = "referencenumber"
#: Unicode's categories of hyphens and of invisible marks.
_IGNORED: Final = frozenset({"Pd", "Cf"})


class JobShape(NamedTuple):
    """What the jobs of an object look like, to recognize others elsewhere in it.

    Attributes:
        names: the names that at least half of the jobs have.
    """

    names: frozenset[str]

    @classmethod
    def of(cls, counts: Mapping[str, int], jobs: int) -> JobShape:
        """Return the shape of a number of jobs, given how many of them have each name."""
        return cls(frozenset(name for name, count in counts.items() if count * 2 >= jobs))

    def fits(self, names: Collection[str], *, same_name: bool = False) -> bool:
        """Decide whether something with these names looks like a job: it has a reference number or half of a job's names.

        Args:
            names: of its fields.
            same_name: whether it has the jobs' own name. Then one of the names is enough.
        """
        if have_reference_number(names):
            return True
        shared = len(self.names.intersection(names))
        return shared * 2 >= len(self.names) and shared >= (1 if same_name else 2)


def have_reference_number(names: Iterable[str]) -> bool:
    """Decide whether one of these names is the reference number's, in any writing."""
    return any(plain_name(name) == _REFERENCE_NUMBER for name in names)


#: Invisible marks in names.
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """Return a name without what programs write differently: case, spaces, underscores, hyphens and invisible marks."""
    return "".join(
        each for each in name.casefold() if each != "_" and not each.isspace() and category(each) not in _IGNORED
    )


#: The board's fields, by their plain names.
BOARD_FIELDS: Final = {
    plain_name(name): name
    for name in (
        "referenceNumber", "title", "city", "state", "postalCode", "description", "requirements", "license", "specialty",
        "shift", "shiftType", "shiftsPerWeek", "hoursPerShift", "payAmountMin", "payAmountMax", "payFrequency",
        "employmentType", "durationLength", "durationUnit", "startDate", "benefits",
    )
}  # fmt: skip


def says_something(value: Any) -> bool:
    """Decide whether the value of an error, or anything in it, says more than a word for none."""
    match value:
        case dict():
            return any(map(says_something, value.values()))
        case list():
            return any(map(says_something, value))
        case _:
            return str(value).strip().lower() not in _NO_ERROR
