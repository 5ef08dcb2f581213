"""The live set: the postings of a feed that, to our knowledge, may be on the board.

Source: docs/deletions.md. It is a gzip JSON Lines file beside the archive, first what an import sends, then what
was carried over from the live set before, marked so. It is only ever streamed: a million postings take 8 MB here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from isal import igzip
from pydantic_core import from_json, to_json

from jobferry.payload.build import Part
from jobferry.payload.manifest import open_gzip, read_manifest
from jobferry.payload.references import ReferenceSet
from jobferry.records.imports import Posting

#: Missing postings that a record and a notice name.
MAX_NAMED_POSTINGS: Final = 25
_CODE_BYTES: Final = 8
_MODULUS: Final = 1 << 256


class Carried(NamedTuple):
    """How a live set compares with what is sent.

    Attributes:
        size: postings in the live set before.
        missing: those of them that are not sent.
        first: the first of the missing.
        code: stands for exactly the missing ones, whatever their order.
        live_set: the file of the new live set.
        deletes: the file that lists the missing.
    """

    size: int
    missing: int
    first: list[Posting]
    code: str
    live_set: Path
    deletes: Path


class Live(NamedTuple):
    """A posting that may be on the board."""

    reference_number: str
    title: str | None


def read_live_set(stream: BinaryIO, *, whole: bool) -> Iterator[Live]:
    """The postings that a stored live set lists, with or without those that were carried over."""
    with igzip.open(stream) as lines:  # type: ignore[no-untyped-call]
        for line in lines:
            value = from_json(line)
            if whole or not value.get("carried"):
                yield Live(value["referenceNumber"], value.get("title"))


def carry_over(before: Iterable[Live], parts: list[Part], sent: ReferenceSet, directory: Path) -> Carried:
    """Writes the live set that goes with what is sent, and the list of what is missing from it.

    Args:
        before: the live set before; empty when there is none.
        parts: what is sent.
        sent: the reference numbers that are sent.
        directory: where the files go.
    """
    live_set, deletes = directory / "live.jsonl.gz", directory / "deletes.jsonl.gz"
    size, missing, total = 0, 0, 0
    first: list[Posting] = []
    with (
        open_gzip(live_set) as live,
        open_gzip(deletes) as missing_file,
    ):
        for part in parts:
            for entry in read_manifest(part.manifest):
                live.write(to_json({"referenceNumber": entry["referenceNumber"], "title": entry["title"]}) + b"\n")
        for posting in before:
            size += 1
            if posting.reference_number in sent:
                continue
            missing += 1
            if len(first) < MAX_NAMED_POSTINGS:
                first.append(Posting(reference_number=posting.reference_number, title=posting.title))
            line = {"referenceNumber": posting.reference_number, "title": posting.title}
            missing_file.write(to_json(line) + b"\n")
            live.write(to_json(line | {"carried": True}) + b"\n")
            # A sum has no order, so the list need not be sorted, which would take it into memory.
            total = (total + _digest(posting.reference_number)) % _MODULUS
    return Carried(size, missing, first, _code(missing, total), live_set, deletes)


def _digest(reference: str) -> int:
    return int.from_bytes(blake2b(reference.encode(), digest_size=32).digest())


def _code(missing: int, total: int) -> str:
    """Such as K7QD-3M2A-…: letters and digits that are not mistaken for one another."""
    digest = blake2b(f"{missing}:{total}".encode(), digest_size=_CODE_BYTES).digest()
    text = base64.b32encode(digest).decode().rstrip("=")
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
