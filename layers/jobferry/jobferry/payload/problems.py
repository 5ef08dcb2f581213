"""Problems of a feed's rows, and where a person finds them."""

from dataclasses import dataclass
from typing import NamedTuple

from pydantic_core import from_json

from jobferry.text import row_place


class RowPlace(NamedTuple):
    """A job's place in the feed.

    Attributes:
        key: the object's key in the bucket, or the file's path.
        row: as a person counts in that file: the line of a JSONL file, the spreadsheet's row of a CSV (the header is
            row 1), the position in a JSON array or among an XML file's elements (from 1). None for the whole object.
        line: the line on which the row begins, where its number alone is hard to find: in JSON arrays and XML.
    """

    key: str
    row: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        return row_place(self.key, self.row, self.line)


class Problem(NamedTuple):
    """A row with errors, found before sending.

    Attributes:
        place: where it is.
        messages: what to fix, one sentence each, with the field and the value (cut).
        reference_number: the job's, if it has one.
        title: the job's, cut, if it has one.
        sent: whether the job is sent all the same. In a full sync, its posting would be deleted otherwise.
    """

    place: RowPlace
    messages: tuple[str, ...]
    reference_number: str | None = None
    title: str | None = None
    sent: bool = False


@dataclass(slots=True)
class WarningGroup:
    """Warnings of one kind: what was corrected, or is unusual but for the board to decide.

    Attributes:
        message: the first row's warning.
        count: the number of warnings.
        first: the first row.
        adjusted: the field whose values were corrected; None if nothing was.
    """

    message: str
    count: int
    first: RowPlace
    adjusted: str | None = None

    def __str__(self) -> str:
        return f"{self.message} ({self.count:,} times, first in {self.first})"


def parse_problem(line: bytes) -> Problem:
    """Parse a problem that was written with `to_json`."""
    place, messages, *others = from_json(line)
    return Problem(RowPlace(*place), tuple(messages), *others)
