"""The reference numbers of a feed in eight bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import pairwise

_BUCKETS = 256


class ReferenceSet:
    """A set of texts, kept as their 64-bit hashes: a million take 8 MB.

    Two texts with one hash count as one. Among a million texts this happens once in tens of millions of feeds, and the
    caller of `repeated` compares the texts. It cannot be provoked, because each process has a new key for hashes. Add all
    texts first, then ask.
    """

    def __init__(self) -> None:
        self._added = array("q")
        #: By a byte of the hash, so that a copy of one bucket is small.
        self._buckets = [array("q") for _ in range(_BUCKETS)]
        self._in_order = True

    def add(self, reference: str) -> None:
        self._added.append(hash(reference))

    def discard(self, references: set[str]) -> None:
        """Remove all `references`, however often they were added."""
        for code in {hash(each) for each in references}:
            bucket = self._sorted()[code % _BUCKETS]
            at = bisect_left(bucket, code)
            while at < len(bucket) and bucket[at] == code:
                bucket.pop(at)

    def repeated(self) -> ReferenceSet:
        """Return those that were added more than once, or share the hash of another. Usually there are none."""
        found = ReferenceSet()
        for bucket in self._spread():
            if len(set(bucket)) < len(bucket):  # ten times as fast as sorting
                found._added.extend(code for code, after in pairwise(sorted(bucket)) if code == after)
        return found

    def __contains__(self, reference: str) -> bool:
        code = hash(reference)
        bucket = self._sorted()[code % _BUCKETS]
        at = bisect_left(bucket, code)
        return at < len(bucket) and bucket[at] == code

    def __len__(self) -> int:
        return sum(len(set(bucket)) for bucket in self._spread())

    def _spread(self) -> list[array[int]]:
        """Return the buckets, with everything that was added."""
        for code in self._added:
            self._buckets[code % _BUCKETS].append(code)
        if self._added:
            self._added, self._in_order = array("q"), False
        return self._buckets

    def _sorted(self) -> list[array[int]]:
        self._spread()
        if not self._in_order:
            self._buckets = [array("q", sorted(bucket)) for bucket in self._buckets]
            self._in_order = True
        return self._buckets
