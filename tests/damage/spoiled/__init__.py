"""Well-made feeds that are spoiled in one place, and what becomes of each.

A format adds a module with a function that yields `Spoiled` feeds, and names it in `test_spoiled.py`. The classes are the
same for all formats:

- exact: all jobs are sent as they should be.
- told: what is not sent, or not as it should be, has a problem or a warning that names its place, and protects its posting.
- refused: nothing is sent, and the error says why.
- silent: anything else.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from jobferry.errors import FeedError
from jobferry.feeds.settings import FeedSettings
from jobferry.payload.manifest import read_manifest
from jobferry.payload.payload import Payload
from jobferry.payload.sendable import reason_not_to_send
from tests.feeds import jobs_of, payload_of

type Job = Mapping[str, Any]

VERDICTS: Final = ("exact", "told", "refused", "silent")
#: The numbers in "3 of 24 jobs have no city", which differ after a row is lost.
_UNCOUNTED: Final = re.compile(r"^[0-9,]+ of [0-9,]+ ")
#: A single fault may cost this many rows.
MOST_LOST: Final = 2


class Spoiled(NamedTuple):
    """A feed with one fault.

    Attributes:
        kind: of the fault.
        place: of the fault, to find it when a test fails.
        key: the object's.
        content: the object.
        jobs: what the feed would be without the fault.
        well_made: the object without the fault, if it has warnings. They say nothing of the fault.
    """

    kind: str
    place: str
    key: str
    content: bytes
    jobs: Sequence[Job]
    well_made: bytes | None = None


class Outcome(NamedTuple):
    """What became of a spoiled feed.

    Attributes:
        verdict: its class.
        lost: how many jobs are not sent, or not as they should be.
        why: what is wrong and was said, for a person.
    """

    verdict: str
    lost: int
    why: str

    @property
    def is_good(self) -> bool:
        """Whether all but at most two rows are sent, and nothing is wrong in silence."""
        return self.verdict in ("exact", "told") and self.lost <= MOST_LOST


def outcome(spoiled: Spoiled) -> Outcome:
    """Read a spoiled feed and classify what becomes of it."""
    settings = FeedSettings()
    with TemporaryDirectory() as directory:
        try:
            payload = payload_of({spoiled.key: spoiled.content}, Path(directory))
        except FeedError as error:
            return Outcome("refused", len(spoiled.jobs), str(error))
        if reason := reason_not_to_send(payload, settings):
            said = next(payload.read_problems(), None)
            return Outcome("refused", len(spoiled.jobs), f"{reason}: {said}")
        return _compare(payload, spoiled.jobs, _warnings(spoiled.key, spoiled.well_made))


@lru_cache
def _warnings(key: str, content: bytes | None) -> frozenset[str]:
    if content is None:
        return frozenset()
    with TemporaryDirectory() as directory:
        return frozenset(
            _UNCOUNTED.sub("", group.message) for group in payload_of({key: content}, Path(directory)).warning_groups
        )


def _compare(payload: Payload, jobs: Sequence[Job], usual: frozenset[str]) -> Outcome:
    expected = {job["referenceNumber"]: job for job in jobs}
    problems = list(payload.read_problems())
    groups = [group for group in payload.warning_groups if _UNCOUNTED.sub("", group.message) not in usual]
    warned = {group.first.row for group in groups}
    # A warning about the object, about a table's header, or about several rows, of which the first one is named.
    told_of_all = bool(warned & {None, 1}) or any(group.count > 1 for group in groups)
    why = [f"{each.place}: {each.messages}" for each in problems]
    why += [f"{group.first}: {group.message}" for group in payload.warning_groups]
    silent = []
    sent = {}
    entries = (entry for part in payload.parts for entry in read_manifest(part.manifest))
    for job, entry in zip(jobs_of(payload), entries, strict=True):
        sent[job["referenceNumber"]] = job
        if expected.get(job["referenceNumber"]) != job and not told_of_all and entry["row"] not in warned:
            silent.append(f"sent row {entry['row']} as {job}")
    lost = [reference for reference, job in expected.items() if sent.get(reference) != job]
    missing = [reference for reference in lost if reference not in sent]
    # A row that cannot be read withholds all deletions. One with an error protects the posting that it names.
    named = {each.reference_number for each in problems}
    if not payload.unprotected:
        silent += [f"lost {reference}" for reference in missing if reference not in named]
    if silent:
        return Outcome("silent", len(lost), "; ".join([*silent, *why]))
    wrong = bool(lost) or sent.keys() != expected.keys()
    return Outcome("told" if wrong else "exact", len(lost), "; ".join(why))


def table(outcomes: Iterable[tuple[str, Outcome]]) -> str:
    """Return a Markdown table of outcomes by the kind of fault."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, each in outcomes:
        for name in (kind, "all"):
            counts[name][each.verdict] += 1
            counts[name]["good"] += each.is_good
    counts["all"] = counts.pop("all")
    head = ["fault", "feeds", *VERDICTS, f"all but {MOST_LOST} rows sent"]
    lines = [head, ["---"] + ["--:"] * (len(head) - 1)]
    for kind, count in counts.items():
        total = sum(count[verdict] for verdict in VERDICTS)
        percent = f"{count['good'] * 1000 // total / 10} %"
        lines.append([kind, f"{total:,}", *(f"{count[verdict]:,}" for verdict in VERDICTS), percent])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
