"""What is wrong with a row of a feed, and where a person finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Source(NamedTuple):
    """Where a job stands in the feed.

    Attributes:
        key: the object's key in the bucket, or the file's path on a laptop.
        row: as a person counts in that file: the line of a JSONL file, the spreadsheet's row of a CSV (the header is
            row 1), the position in a JSON array or among an XML file's elements (from 1). None: the whole object.
    """

    key: str
    row: int | None = None

    def __str__(self) -> str:
        return self.key if self.row is None else f"{self.key} row {self.row}"


class Problem(NamedTuple):
    """A row that is an error, found before sending.

    Attributes:
        source: where it stands.
        messages: what to mend, a sentence each; they name the field and the value (cut).
        reference_number: the job's, if it has one.
        title: the job's, cut, if it has one.
        sent: the job is sent all the same, for the board to judge: in a full sync its posting would be deleted otherwise.
    """

    source: Source
    messages: tuple[str, ...]
    reference_number: str | None = None
    title: str | None = None
    sent: bool = False


@dataclass(slots=True)
class WarningGroup:
    """Warnings of one kind: what was put right, or is unusual but the board's to decide.

    Attributes:
        message: the kind, in words; of the first row's value.
        count: how many rows.
        first: the first row.
    """

    message: str
    count: int
    first: Source
