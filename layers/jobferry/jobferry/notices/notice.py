"""The notice of an import that has ended: whether anybody needs to hear of it, and what they are told.

The text is for people and leads with what to do; the data is for programs, described by
docs/notice.schema.json. Every part is cut and every list is short, so a notice stays below SNS's 256 KiB
(https://docs.aws.amazon.com/sns/latest/api/API_Publish.html) whatever the board says.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final, Protocol

from jobferry.notices import advice
from jobferry.notices.advice import REASON, About, Stack, Step
from jobferry.notices.failures import REASONS_SHOWN, SHOWN, Failing, Failures, Reason, collect, place, said
from jobferry.notices.findings import Findings, gather
from jobferry.notices.report import Links
from jobferry.records import transitions
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.imports import Import, Posting, State, timestamp
from jobferry.records.store import ImportStore, apply
from jobferry.text import counted, day, plain, when

#: Of the data's shape: a program may rely on it while this stays.
VERSION: Final = 1
#: SNS: fewer than 100 characters, ASCII, no line breaks.
SUBJECT: Final = 99

_ENDED: Final = frozenset({State.COMPLETE, State.BLOCKED, State.REJECTED, State.EXPIRED})
_COUNTS: Final = ("added", "updated", "unchanged", "failed", "processed", "deleted")
# Characters that are shown of each. With 25 jobs and all else, both parts stay far below SNS's limit; a test holds it.
_REFERENCE: Final = 64
_TITLE: Final = 80
_PLACE: Final = 100
_MESSAGE: Final = 240
_FOUND: Final = 160
_WARNING: Final = 160
_WARNINGS: Final = 10


@dataclass(frozen=True)
class Notice:
    """What is published.

    Attributes:
        subject: ASCII, one line, below 100 characters.
        text: for people.
        data: for programs; docs/notice.schema.json says what it holds.
        attributes: for filter policies: feed, state, severity.
    """

    subject: str
    text: str
    data: dict[str, Any]
    attributes: dict[str, str]


class Topic(Protocol):
    """Where notices go."""

    def publish(self, notice: Notice) -> None:
        """Returns when it is certain to be delivered."""
        ...


#: Stores the report of an import, and says where it is; None when it could not, which holds back no notice.
type Reporter = Callable[[Findings], Links | None]


def is_due(record: Import) -> bool:
    """Whether somebody is to hear of this import, and nobody has yet."""
    return _is_news(record) and bool(advice.topics(record))


def _is_news(record: Import) -> bool:
    return record.state in _ENDED and record.open is None and record.notified_at is None


def publish(
    store: ImportStore, topic: Topic, import_id: str, now: datetime, stack: Stack, report: Reporter | None = None
) -> bool:
    """Has the report of an import that has ended written; publishes its notice if it is due, and marks the import.

    Killed before the mark, it publishes a second time when it is called again: better twice than never.

    Returns:
        Whether the notice was published.
    """
    record = store.get(import_id)
    if record is None or not _is_news(record):
        return False
    with gather(store, record) as findings:
        links = report(findings) if report else None
        if not is_due(record):
            return False
        topic.publish(compose(record, findings.failed, findings.invalid, findings.previously, stack, links))
    apply(store, import_id, lambda current, feed: transitions.mark_notified(current, feed, record.state, now))
    return True


def compose(
    record: Import,
    failed: Iterable[FailedJob],
    invalid: Iterable[FailedJob],
    previously: Iterable[str] | None,
    stack: Stack,
    links: Links | None = None,
) -> Notice:
    """The notice of an import that has ended.

    Args:
        record: the import.
        failed: the jobs that the board refused. This one and the next are read once.
        invalid: the jobs that were found to be wrong before sending.
        previously: identities of the jobs that failed at the last complete import; None: there is none to compare with.
        stack: names for the commands that it shows.
        links: where the report is; None when there is none.
    """
    failures = collect(record, failed, invalid, previously)
    steps = advice.steps(record, failures, stack)
    severity = advice.severity(record)
    sections = _sections(record, failures, steps, stack, links)
    text = "\n\n".join(f"{title}\n" + "\n".join(lines) for title, lines in sections if lines)
    return Notice(
        subject=_subject(record.feed, advice.headline(record, failures)),
        text=f"{text}\n\n{_footer(record)}\n",
        data=_data(record, failures, steps) | {"report": _report_data(links, stack), "severity": severity.value},
        attributes={"feed": record.feed, "state": record.state.value, "severity": severity.value},
    )


def _subject(feed: str, headline: str) -> str:
    ascii_headline = unicodedata.normalize("NFKD", headline).encode("ascii", "replace").decode()
    room = SUBJECT - len("jobferry : ") - len(ascii_headline)
    name = feed if len(feed) <= room else f"{feed[: max(room - 3, 0)]}..."
    return f"jobferry {name}: {ascii_headline}"[:SUBJECT]


# The text


type Section = tuple[str, list[str]]


def _sections(
    record: Import, failures: Failures, steps: list[Step], stack: Stack, links: Links | None
) -> Iterator[Section]:
    yield "WHAT TO DO", list(_steps(steps))
    yield "WHAT HAPPENED", [advice.happened(record, failures)]
    yield "COUNTS", list(_counts(record, failures))
    yield _postings(record, stack, links)
    if failures.total > SHOWN:
        yield "REASONS", [_reason(each) for each in failures.reasons[:REASONS_SHOWN]]
    numbers = {id(failing): number for number, failing in enumerate(failures.first, 1)}
    new = [each for each in failures.first if each.new]
    still = [each for each in failures.first if not each.new]
    board = "The board says" if record.result.verified else "The callback says"

    def lines(several: list[Failing]) -> list[str]:
        return [
            line
            for each in several
            for line in _failing(each, numbers[id(each)], board if each.by_board else "Not sent")
        ]

    yield _heading("NEW", failures.new, len(new)), lines(new)
    yield (
        _heading("STILL FAILING", failures.still, len(still)),
        lines(still),
    )
    yield "THE REST", list(_rest(record, failures, stack, links))
    if failures.mended:
        yield (
            "MENDED",
            [f"{counted(failures.mended, 'job')} that failed at the last complete import, and not any more."],
        )
    yield (
        _heading("TAKEN BY THE BOARD, BUT LOOK AGAIN", failures.taken, len(failures.first_taken)),
        [line for number, each in enumerate(failures.first_taken, 1) for line in _failing(each, number, "Looks wrong")],
    )
    yield "TO KNOW", list(_warnings(record))
    yield "THE REPORT", list(_report(record, failures, stack, links)) if links else []


def _steps(steps: list[Step]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield f"{number}. {step.text}" if len(steps) > 1 else step.text
        if step.command:
            yield ""
            yield f"   {step.command}"
        if number < len(steps):
            yield ""


def _counts(record: Import, failures: Failures) -> Iterator[str]:
    held = [(failures.held, "with a mistake, held back")] if failures.held else []
    if record.state is not State.COMPLETE:
        went = {State.EXPIRED: "sent", State.REJECTED: "not accepted"}.get(record.state, "not sent")
        lines = [(record.prepared.jobs, went)] if record.prepared.jobs else []
        yield from _aligned([*lines, *held])
        return
    parts = [(record.result.count(name), name) for name in ("added", "updated", "unchanged", "failed")]
    total = sum(number for number, _ in parts)
    processed = record.result.count("processed")
    whole = (
        "in all, as many as were sent"
        if total == record.prepared.jobs
        else f"in all, though {record.prepared.jobs:,} were sent"
    )
    if processed != total:
        whole += f"; the board itself counts {processed:,}"
    deleted = "posting deleted" if record.result.count("deleted") == 1 else "postings deleted"
    if record.deletions.delete_jobs or record.result.count("deleted"):
        deleted += f", {record.deletions.expected:,} expected"
    yield from _aligned([*parts, (total, whole), *held, (record.result.count("deleted"), deleted)])


def _aligned(lines: list[tuple[int, str]]) -> Iterator[str]:
    width = max((len(f"{number:,}") for number, _ in lines), default=0)
    for number, words in lines:
        yield f"{number:>{width},} {words}"


def _postings(record: Import, stack: Stack, links: Links | None) -> Section:
    """The postings that would go, or were to go, when that is what it is about."""
    if not {About.WITHHELD, About.EXPIRED, About.DELETED_MORE} & set(advice.topics(record)):
        return "", []
    title, number = advice.deletions(record)
    lines = [
        f"- {plain(each.reference_number, _REFERENCE)}" + (f", {plain(each.title, _TITLE)}" if each.title else "")
        for each in record.deletions.postings[:SHOWN]
    ]
    shown = len(lines)
    if number > shown and links:
        lines += ["", "All of them are in the report, at the end."]
    elif number > shown and record.prepared.deletes:
        lines += [
            "",
            "All of them, in AWS CloudShell or a terminal with the AWS CLI:",
            "",
            f"   {stack.show(record.prepared.deletes)}",
        ]
    return _heading(title.upper(), number, shown), lines


def _heading(title: str, number: int, shown: int) -> str:
    return f"{title} ({number:,})" if shown >= number else f"{title} (the first {shown:,} of {number:,})"


def _reason(reason: Reason) -> str:
    others = "" if reason.alike else " (and other values)"
    first = ", ".join(place(job, 40) for job in reason.first)
    more = " and more" if reason.jobs > len(reason.first) else ""
    return f"- {counted(reason.jobs, 'job')}: {plain(reason.message, _FOUND)}{others}\n  In {first}{more}."


def _failing(failing: Failing, number: int, who: str) -> Iterator[str]:
    """A job, and who says what of it."""
    job = failing.job
    reference = plain(job.reference_number, _REFERENCE) if job.reference_number else "no reference number"
    title = f", {plain(job.title, _TITLE)}" if job.title else ""
    yield f"{number}. {reference}{title} ({place(job, _PLACE)})"
    words = said(job.messages, _MESSAGE) or "no reason was given"
    yield f"   {who}: {words}"
    if failing.found:
        yield f"   To mend: {said(failing.found, _FOUND)}"
    if not failing.new and job.since:
        yield f"   Failing since {day(job.since)}."


def _rest(record: Import, failures: Failures, stack: Stack, links: Links | None) -> Iterator[str]:
    listed = (
        []
        if record.result.counts is None
        else [FailedKind.ERROR if record.result.verified else FailedKind.UNVERIFIED]
        if failures.by_board
        else []
    )
    unnamed = record.result.count("failed") - failures.by_board
    if unnamed > 0:
        yield f"The board counts {counted(unnamed, 'more failed job')}, but does not say which."
    if failures.total > SHOWN and links:
        yield "All that failed are in the report, at the end."
    elif failures.total > SHOWN:
        yield "All that failed, in AWS CloudShell or a terminal with the AWS CLI:"
        for kind in [*listed, *([FailedKind.INVALID] if failures.held else [])]:
            yield ""
            yield f"   {stack.query(record.import_id, kind)}"


def _warnings(record: Import) -> Iterator[str]:
    for text in record.prepared.warned[:_WARNINGS]:
        yield f"- {plain(text, _WARNING)}"
    if len(record.prepared.warned) > _WARNINGS:
        yield f"- and {counted(len(record.prepared.warned) - _WARNINGS, 'other kind')} of warnings"
    if ignored := (record.result.counts or {}).get("ignoredValues"):
        yield f"- The board ignored values: {plain(json.dumps(ignored), _WARNING)}"


def _report(record: Import, failures: Failures, stack: Stack, links: Links) -> Iterator[str]:
    """The links, and how far they go."""
    failed = failures.total + failures.taken > 0
    yield f"{'All that failed' if failed else 'This import'}, as a page to search and print, with the feed's history:"
    yield from ("", f"   {links.html}", "")
    if failed:
        yield "The same jobs as a table, for Excel (CSV):"
        yield from ("", f"   {links.csv}", "")
    yield (
        f"Whoever has a link can open it, until {when(links.until)} at most and often some hours less: it ends with the "
        f"credentials that signed it. After that, for 90 days, `jobferry report {record.import_id}` writes it anew, or in AWS "
        "CloudShell or a terminal with the AWS CLI:"
    )
    yield from ("", f"   {stack.copy(links.html_key)}")
    if failed:
        yield from ("", f"   {stack.copy(links.csv_key)}")


def _footer(record: Import) -> str:
    result = f", result at {when(record.result.settled_at)}" if record.result.settled_at else ""
    board = f"; the board calls it {plain(record.sent.board_import_id, 200)}" if record.sent.board_import_id else ""
    parts = f" It is {advice.part(record)} of a split feed." if advice.part(record) else ""
    sections = ", ".join(each.replace("-", " ").capitalize() for each in anchors(record))
    return (
        f"Import {record.import_id} of the feed {record.feed}, begun at {when(record.created_at)}{result}{board}.{parts}\n"
        f"More on this: docs/runbook.md, {sections}."
    )


def anchors(record: Import) -> list[str]:
    """The sections of the runbook that say more."""
    if record.state is not State.COMPLETE:
        return [record.ending.cause or record.state.value]
    because = record.deletions.objections
    about = advice.topics(record) or [About.SUCCESS]
    return list(chain.from_iterable(because if each is About.WITHHELD else [each.value] for each in about))


# The data


def _data(record: Import, failures: Failures, steps: list[Step]) -> dict[str, Any]:
    complete = record.state is State.COMPLETE
    return {
        "version": VERSION,
        "importId": record.import_id,
        "feed": record.feed,
        "state": record.state.value,
        "about": [each.value for each in advice.topics(record)],
        "cause": record.ending.cause,
        "reason": plain(record.ending.reason, REASON) if record.ending.reason else None,
        "whatToDo": [{"text": step.text, "command": step.command} for step in steps],
        "runbook": [f"docs/runbook.md#{each}" for each in anchors(record)],
        "createdAt": timestamp(record.created_at),
        "submittedAt": timestamp(record.sent.submitted_at) if record.sent.submitted_at else None,
        "completedAt": timestamp(record.result.completed_at) if record.result.completed_at else None,
        "settledAt": timestamp(record.result.settled_at) if record.result.settled_at else None,
        "boardImportId": plain(record.sent.board_import_id, 200) if record.sent.board_import_id else None,
        "verified": record.result.verified,
        "parts": record.parts,
        "jobs": record.prepared.jobs,
        "invalid": record.prepared.invalid,
        "unaccounted": record.result.unaccounted,
        "results": {name: record.result.count(name) for name in _COUNTS} if complete else None,
        "deletions": {
            "sent": record.deletions.delete_jobs,
            "expected": record.deletions.expected,
            "withheld": record.deletions.withheld,
            "because": record.deletions.because,
            "sharedWith": [plain(each, 64) for each in record.deletions.shared_with[:SHOWN]],
            "confirm": {"feed": record.feed, "confirmDeletes": record.deletions.confirm_code}
            if record.deletions.confirm_code
            else None,
            "first": [_posting_data(each) for each in record.deletions.postings[:SHOWN]],
        },
        "failing": {
            "total": failures.total,
            "refused": failures.by_board,
            "heldBack": failures.held,
            "new": failures.new,
            "still": failures.still,
            "mended": failures.mended,
            "taken": failures.taken,
            "reasons": [_reason_data(each) for each in failures.reasons[:REASONS_SHOWN]],
            "first": [_failing_data(each) for each in failures.first],
        },
        "warnings": [plain(text, _WARNING) for text in record.prepared.warned[:_WARNINGS]],
    }


def _report_data(links: Links | None, stack: Stack) -> dict[str, Any] | None:
    if links is None:
        return None
    return {
        "html": links.html,
        "csv": links.csv,
        "until": timestamp(links.until),
        "htmlObject": f"s3://{stack.bucket}/{links.html_key}",
        "csvObject": f"s3://{stack.bucket}/{links.csv_key}",
    }


def _posting_data(posting: Posting) -> dict[str, Any]:
    title = plain(posting.title, _TITLE) if posting.title else None
    return {"referenceNumber": plain(posting.reference_number, _REFERENCE), "title": title}


def _reason_data(reason: Reason) -> dict[str, Any]:
    return {
        "message": plain(reason.message, _FOUND),
        "alike": reason.alike,
        "jobs": reason.jobs,
        "first": [place(job, 40) for job in reason.first],
    }


def _failing_data(failing: Failing) -> dict[str, Any]:
    job = failing.job
    return {
        "referenceNumber": plain(job.reference_number, _REFERENCE) if job.reference_number else None,
        "title": plain(job.title, _TITLE) if job.title else None,
        "key": plain(job.key, _PLACE) if job.key else None,
        "row": job.row,
        "refused": failing.by_board,
        "message": said(job.messages, _MESSAGE),
        "toMend": said(failing.found, _FOUND) if failing.found else None,
        "new": failing.new,
        "since": timestamp(job.since) if job.since else None,
    }
