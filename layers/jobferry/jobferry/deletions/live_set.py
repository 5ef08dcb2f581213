"""The live set: the postings of a feed that, to our knowledge, may be on the board (docs/deletions.md).

It is a gzip JSON Lines file beside the archive: first what an import sends, then what else the previous live set had, marked
as missing from the feed ("carried"), or as kept because its job is invalid in the feed ("invalid") or another feed has it
("held"). What was posted with an API key that was replaced since is marked, too ("former"). The file is only streamed: a
million postings take 8 MB of memory.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from isal import igzip
from pydantic_core import from_json, to_json

from jobferry.deletions.codes import confirmation_code
from jobferry.payload.manifest import open_gzip, read_manifest
from jobferry.payload.payload import Payload
from jobferry.payload.reference_set import ReferenceSet
from jobferry.records.imports import FORMER_NAMED, POSTINGS_NAMED, Posting

_MODULUS: Final = 1 << 256


class Carried(NamedTuple):
    """The comparison of a live set with what is sent.

    Attributes:
        size: the number of postings in the previous live set.
        missing: the number of those that are not in the feed.
        first: the first missing ones.
        code: the confirmation code of exactly the missing ones, in any order.
        live_set: the file of the new live set.
        deletes: the file that lists the missing.
        former: postings that are in neither, since they were posted with a former key and no list may delete them.
        first_former: the reference numbers of the first of these.
    """

    size: int
    missing: int
    first: list[Posting]
    code: str
    live_set: Path
    deletes: Path
    former: int
    first_former: list[str]


class Live(NamedTuple):
    """A posting that may be on the board. `former`: it was posted with an API key that was replaced since."""

    reference_number: str
    title: str | None
    former: bool = False


def read_live_set(stream: BinaryIO, *, whole: bool, deleted: int = 0) -> Iterator[Live]:
    """Yield the postings of a stored live set.

    Args:
        stream: the stored file.
        whole: with those that were carried over.
        deleted: how many of the first postings that were carried over are left out.
    """
    for value in _lines(stream):
        if value.get("carried"):
            deleted -= 1
            if not whole or deleted >= 0:
                continue
        yield Live(value["referenceNumber"], value.get("title"), value.get("former", False))


def read_sent(stream: BinaryIO) -> Iterator[Live]:
    """Yield the postings of the feed that a live set was stored with: what was sent, and what is invalid in the feed."""
    for value in _lines(stream):
        if not value.keys() & {"carried", "held", "former"}:
            yield Live(value["referenceNumber"], value.get("title"))


def merge(*live_sets: Iterable[Live]) -> Iterator[Live]:
    """Yield the postings of several live sets, each once."""
    seen: list[ReferenceSet] = []
    for live_set in live_sets:
        new = ReferenceSet()
        for posting in live_set:
            if not any(posting.reference_number in each for each in seen):
                new.add(posting.reference_number)
                yield posting
        seen.append(new)


def _lines(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    with igzip.open(stream) as lines:  # type: ignore[no-untyped-call]
        yield from map(from_json, lines)


def carry_over(
    before: Iterable[Live],
    payload: Payload,
    directory: Path,
    *,
    new_key: bool = False,
    listed: bool = False,
    others: ReferenceSet | None = None,
) -> Carried:
    """Write the new live set and the list of postings that are missing from the feed.

    Args:
        before: the previous live set; empty if there is none.
        payload: what is sent, and what is held back.
        directory: for the files.
        new_key: the previous live set was posted with another key, which may be that of another account.
        listed: what is missing is deleted by list, so nothing may be in it that was posted with another key.
        others: the reference numbers that other feeds of the account have sent, which are not missing either.
    """
    live_set, deletes = directory / "live.jsonl.gz", directory / "deletes.jsonl.gz"
    size, missing, total, former = 0, 0, 0, 0
    first: list[Posting] = []
    first_former: list[str] = []
    with (
        open_gzip(live_set) as live,
        open_gzip(deletes) as missing_file,
    ):
        for part in payload.parts:
            for entry in read_manifest(part.manifest):
                live.write(to_json({"referenceNumber": entry["referenceNumber"], "title": entry["title"]}) + b"\n")
        for posting in before:
            size += 1
            if posting.reference_number in payload.references:
                continue
            line: dict[str, Any] = {"referenceNumber": posting.reference_number, "title": posting.title}
            mark = {"former": True} if new_key or posting.former else {}
            if mark and listed:
                former += 1
                if len(first_former) < FORMER_NAMED:
                    first_former.append(posting.reference_number)
                continue
            if posting.reference_number in payload.held:
                why = "invalid"
            elif others is not None and posting.reference_number in others:
                why = "held"
            else:
                why = "carried"
            live.write(to_json(line | mark | {why: True}) + b"\n")
            if why != "carried":
                continue
            missing += 1
            if len(first) < POSTINGS_NAMED:
                first.append(Posting(reference_number=posting.reference_number, title=posting.title))
            missing_file.write(to_json(line) + b"\n")
            # A sum does not depend on the order, so the list need not be sorted in memory.
            total = (total + _digest(posting.reference_number)) % _MODULUS
    code = confirmation_code(f"{missing}:{total}")
    return Carried(size, missing, first, code, live_set, deletes, former, first_former)


def _digest(reference: str) -> int:
    return int.from_bytes(blake2b(reference.encode(), digest_size=32).digest())
