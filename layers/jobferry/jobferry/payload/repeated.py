"""What happens to rows with the same reference number: one of identical rows is sent, and none of rows that differ."""

from hashlib import blake2b

from pydantic_core import from_json, to_json

from jobferry.jobs.warnings import RowWarning, quoted
from jobferry.payload.manifest import Entry
from jobferry.payload.problems import RowPlace


class Repeated:
    """The rows with one reference number. They differ if any field does; an invalid row that is held back always differs."""

    __slots__ = ("_digest", "count", "differ", "first", "second")

    def __init__(self) -> None:
        self.count = 0
        self.differ = False
        self.first: RowPlace | None = None
        self.second: RowPlace | None = None
        self._digest = b""

    def add(self, entry: Entry, body: bytes | None) -> None:
        """Add a row, with its job if that would be sent."""
        digest = b"" if body is None else _digest(body)
        if self.count == 0:
            self.first, self._digest = entry.place, digest
        elif self.count == 1:
            self.second = entry.place
        self.differ = self.differ or digest != self._digest
        self.count += 1

    def contradiction(self, reference: str) -> str:
        """Describe the problem of each row, if they differ."""
        return (
            f"referenceNumber {quoted(reference)} is in {self.count} rows that differ, {self.first} and {self.second}: "
            "none is sent, because jobferry cannot know which is right"
        )

    def repetition(self, reference: str) -> RowWarning:
        """Return the warning for a row that is not sent because an identical one is."""
        message = f"referenceNumber {quoted(reference)} is in {self.count} identical rows: one is sent"
        return RowWarning(("referenceNumber", "repeated"), message)


def _digest(body: bytes) -> bytes:
    """Return the hash of a job's content, regardless of the order of its fields."""
    return blake2b(to_json(sorted(from_json(body).items())), digest_size=16).digest()
