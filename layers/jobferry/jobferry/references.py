"""Which reference numbers a feed has, in eight bytes each whatever their texts."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import pairwise

_BUCKETS = 256
_MASK = (1 << 64) - 1


class ReferenceSet:
    """A set of texts, kept as their 64-bit hashes: a million take 8 MB.

    Two texts of one hash are one in it; among a million that happens once in tens of millions of feeds, and who must
    know for certain (`repeated`) looks at the texts. Python's hash of a text is keyed anew in each process, so nobody
    can bring it about. First everything is added, then asked.
    """

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]
        self._sorted = True

    def add(self, reference: str) -> None:
        code = hash(reference) & _MASK
        self._buckets[code % _BUCKETS].append(code)
        self._sorted = False

    def discard(self, references: set[str]) -> None:
        """Takes out every one of `references`, however often it was added."""
        for code in {hash(each) & _MASK for each in references}:
            bucket = self._sort()[code % _BUCKETS]
            at = bisect_left(bucket, code)
            while at < len(bucket) and bucket[at] == code:
                bucket.pop(at)

    def repeated(self) -> ReferenceSet:
        """Those that were added more than once, or share the hash of another; almost always empty."""
        found = ReferenceSet()
        for bucket, sorted_ in zip(found._buckets, self._sort(), strict=True):
            bucket.extend(code for code, after in pairwise(sorted_) if code == after)
        return found

    def __contains__(self, reference: str) -> bool:
        code = hash(reference) & _MASK
        bucket = self._sort()[code % _BUCKETS]
        at = bisect_left(bucket, code)
        return at < len(bucket) and bucket[at] == code

    def __len__(self) -> int:
        return sum(len(bucket) - sum(1 for a, b in pairwise(bucket) if a == b) for bucket in self._sort())

    def _sort(self) -> list[array[int]]:
        if not self._sorted:
            self._buckets = [array("Q", sorted(bucket)) for bucket in self._buckets]
            self._sorted = True
        return self._buckets
