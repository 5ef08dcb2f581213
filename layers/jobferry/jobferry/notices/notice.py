"""The notice of an import that has ended: whether one is due, and what it says.

The text is for people and leads with what to do; the data is for programs, described by
docs/notice.schema.json. Every part is cut and every list is short, so a notice stays below SNS's 256 KiB
(https://docs.aws.amazon.com/sns/latest/api/API_Publish.html) whatever the board says.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final, Protocol

from jobferry.notices.advice.commands import Commands
from jobferry.notices.advice.topics import ENDED, Topic, topics
from jobferry.notices.details import read_details
from jobferry.notices.failures import NAMED, Failure, Reason, place
from jobferry.notices.happened import REASON_LENGTH
from jobferry.notices.headline import part
from jobferry.notices.report import Links
from jobferry.notices.view import ImportView, Lengths, heading, view_job, view_posting
from jobferry.records import transitions
from jobferry.records.imports import Import, Open, State, timestamp
from jobferry.records.store import ImportStore, apply
from jobferry.text import counted, day, one_line, when

#: The version of the data's shape: a program may rely on the shape while this stays.
VERSION: Final = 1
#: SNS: fewer than 100 characters, ASCII, no line breaks.
_SUBJECT_LENGTH: Final = 99

_RESULTS: Final = ("added", "updated", "unchanged", "failed", "processed", "deleted")
# With 25 jobs and all else, text and data together stay far below SNS's limit; a test checks it.
_LENGTHS: Final = Lengths(reference=64, title=80, file=100, message=240, own_message=160)
_WARNING_LENGTH: Final = 160
_WARNINGS: Final = 10
_REASONS: Final = 5
_PLACE_LENGTH: Final = 40
# The text fits on two screens, a test checks it; the report has everything.
_SHOWN: Final = 10
_SHOWN_POSTINGS: Final = 15
#: Jobs that failed for the same reason. A few are listed like all others.
_FEW: Final = 3
_SHOWN_ALIKE: Final = 5


@dataclass(frozen=True)
class Notice:
    """What is published.

    Attributes:
        subject: ASCII, one line, below 100 characters.
        text: for people.
        happened: the part of the text that says what happened.
        data: for programs; docs/notice.schema.json describes it.
        attributes: for filter policies: feed, state, severity.
    """

    subject: str
    text: str
    happened: str
    data: dict[str, Any]
    attributes: dict[str, str]


class Publisher(Protocol):
    """Where notices are published."""

    def publish(self, notice: Notice) -> None:
        """Publish a notice; return when it is certain to be delivered."""

    def has_subscribers(self) -> bool:
        """Tell whether anybody has confirmed a subscription to the notices."""


#: Stores the report of an import and returns where it is; None if it could not, which does not hold back the notice.
type Reporter = Callable[[ImportView], Links | None]


def is_due(record: Import) -> bool:
    """Tell whether an import needs a notice that was not published yet."""
    return _is_news(record) and bool(topics(record))


def _is_news(record: Import) -> bool:
    return record.state in ENDED and record.open is not Open.OPEN and record.notified_at is None


def publish(
    store: ImportStore,
    publisher: Publisher,
    import_id: str,
    now: datetime,
    commands: Commands,
    report: Reporter | None = None,
) -> Import | None:
    """Have the report of an import that has ended written; publish its notice if it is due, and mark the import.

    If it is killed before it marks the import, the next call publishes a second time: better twice than never.

    Returns:
        The import after its notice was published; None if no notice was due.
    """
    record = store.get(import_id)
    if record is None or not _is_news(record):
        return None
    with read_details(store, record) as details:
        view = ImportView.of(details, commands)
        links = report(view) if report else None
        if not is_due(record):
            return None
        # Asked before the notice is published: a subscription that comes after that did not get it.
        subscribed = not transitions.announces(record) or publisher.has_subscribers()
        publisher.publish(compose(view, links))
    return apply(
        store,
        import_id,
        lambda current, feed: transitions.mark_notified(current, feed, record.state, now, subscribed=subscribed),
    )


def compose(view: ImportView, links: Links | None = None) -> Notice:
    """Write the notice of an import that has ended, with the links to its report if there is one."""
    record, severity = view.record, view.severity.value
    text = "\n\n".join("\n".join([title, *lines]) for title, lines in _sections(view, links) if lines)
    return Notice(
        subject=_subject(record.feed, view.headline),
        text=f"{text}\n\n{_footer(view)}\n",
        happened="\n".join(_happened(view)),
        data=_data(view, links),
        attributes={"feed": record.feed, "state": record.state.value, "severity": severity},
    )


def _subject(feed: str, headline: str) -> str:
    ascii_headline = unicodedata.normalize("NFKD", headline).encode("ascii", "replace").decode()
    room = _SUBJECT_LENGTH - len("jobferry : ") - len(ascii_headline)
    name = feed if len(feed) <= room else f"{feed[: max(room - 3, 0)]}..."
    return f"jobferry {name}: {ascii_headline}"[:_SUBJECT_LENGTH]


# The text


type Section = tuple[str, list[str]]


def _sections(view: ImportView, links: Links | None) -> Iterator[Section]:
    yield "WHAT TO DO", list(_steps(view))
    yield "WHAT HAPPENED", list(_happened(view))
    # Early, so that people find it before they have read everything.
    yield "REPORT", list(_report(view, links))
    yield _postings(view)
    yield from _failed(view)
    accepted = view.failures.first_accepted[:_SHOWN]
    yield heading("PUBLISHED, BUT CHECK", view.failures.accepted, len(accepted)), list(_jobs(accepted, 1))
    yield "NOTES", list(_notes(view, links))


def _steps(view: ImportView) -> Iterator[str]:
    for number, step in enumerate(view.steps, 1):
        yield f"{number}. {step.text}" if len(view.steps) > 1 else step.text
        if step.command:
            yield from ("", f"   {step.command}")
        if number < len(view.steps):
            yield ""


def _happened(view: ImportView) -> Iterator[str]:
    yield view.happened
    if view.counts:
        yield "; ".join(f"{each.number:,} {each.words}" for each in view.counts) + "."
    yield from filter(None, (view.fixed, view.unnamed))


def _report(view: ImportView, links: Links | None) -> Iterator[str]:
    """Say where all of it is: one link, or the command if there is no report."""
    lists = view.failures.total + view.failures.accepted > 0 or view.deletions.needs_attention
    if links:
        what = (
            "Everything on one page, to search and print, with the feed's history"
            if lists
            else "This import on one page"
        )
        yield from (f"{what}:", "", f"   {links.html}")
    elif lists:
        yield f"`jobferry show {view.record.import_id} --all` lists everything."


def _postings(view: ImportView) -> Section:
    if not view.deletions.needs_attention:
        return "", []
    shown = [view_posting(each, _LENGTHS) for each in view.record.deletions.postings[:_SHOWN_POSTINGS]]
    lines = ["- " + ", ".join(filter(None, each)) for each in shown]
    return heading(view.deletions.title.upper(), view.deletions.number, len(shown)), lines


def _failed(view: ImportView) -> Iterator[Section]:
    """Yield the failed jobs. If all have the same reason by the same judge, it is given once."""
    failures = view.failures
    if len(failures.reasons) == 1 and failures.total > _FEW and not (failures.refused and failures.held_back):
        shown = [view_job(each, _LENGTHS) for each in failures.first[:_SHOWN_ALIKE]]
        lines = [f"{shown[0].verdict}: {_reason_words(failures.reasons[0])}"]
        for job in shown:
            lines.append(f"- {job.name} ({job.place})")
            if job.own_message:
                lines.append(f"  To fix: {job.own_message}")
        yield heading("FAILED FOR THE SAME REASON", failures.total, len(shown)), lines
        return
    if failures.total > _SHOWN:
        yield "REASONS", [_reason(each) for each in failures.reasons[:_REASONS]]
    new = [each for each in failures.first[:_SHOWN] if each.is_new]
    known = [each for each in failures.first[:_SHOWN] if not each.is_new]
    yield heading("NEW", failures.new, len(new)), list(_jobs(new, 1))
    yield heading("STILL FAILING", failures.known, len(known)), list(_jobs(known, len(new) + 1))


def _reason(reason: Reason) -> str:
    first = ", ".join(place(job, _PLACE_LENGTH) for job in reason.first)
    more = " and more" if reason.jobs > len(reason.first) else ""
    return f"- {counted(reason.jobs, 'job')}: {_reason_words(reason)}\n  In {first}{more}."


def _reason_words(reason: Reason) -> str:
    return one_line(reason.message, _LENGTHS.own_message) + ("" if reason.identical else " (and other values)")


def _jobs(failures: Iterable[Failure], first: int) -> Iterator[str]:
    for number, failure in enumerate(failures, first):
        job = view_job(failure, _LENGTHS)
        yield f"{number}. {job.name} ({job.place})"
        yield f"   {job.verdict}: {job.message}"
        if job.own_message:
            yield f"   To fix: {job.own_message}"
        if not job.is_new and job.since:
            yield f"   Failing since {day(job.since)}."


def _notes(view: ImportView, links: Links | None) -> Iterator[str]:
    warned = view.record.prepared.warned
    for text in warned[:_WARNINGS]:
        yield f"- {one_line(text, _WARNING_LENGTH)}"
    if len(warned) > _WARNINGS:
        yield f"- and {counted(len(warned) - _WARNINGS, 'other kind')} of warnings"
    if view.adjusted:
        yield f"- {view.adjusted}; see the report" if links else f"- {view.adjusted}"
    if view.ignored_values:
        yield f"- {one_line(view.ignored_values, _WARNING_LENGTH)}"


def _footer(view: ImportView) -> str:
    record = view.record
    parts = f", {part(record)} of a split feed" if part(record) else ""
    board = f" The board's id: {one_line(record.sent.board_import_id, 200)}." if record.sent.board_import_id else ""
    lines = [f"Import {record.import_id} of the feed {record.feed}{parts}, started {when(record.created_at)}.{board}"]
    if view.commands.runbook:
        lines.append(f"More about this notice: {view.commands.runbook}#{_anchors(view)[0]}")
    return "\n".join(lines)


def _anchors(view: ImportView) -> list[str]:
    """Return the sections of the runbook that say more."""
    if view.record.state is not State.COMPLETE:
        return [view.record.ending.cause or view.record.state.value]
    objections = view.record.deletions.objections
    about = view.topics or [Topic.SUCCESS]
    return list(chain.from_iterable(objections if each is Topic.WITHHELD else [each.value] for each in about))


# The data


def _data(view: ImportView, links: Links | None) -> dict[str, Any]:
    record, failures = view.record, view.failures
    sent, result, deletions = record.sent, record.result, record.deletions
    warnings = [*record.prepared.warned, *record.prepared.adjusted.values()]
    return {
        "version": VERSION,
        "importId": record.import_id,
        "feed": record.feed,
        "state": record.state.value,
        "about": [each.value for each in view.topics],
        "cause": record.ending.cause,
        "reason": one_line(record.ending.reason, REASON_LENGTH) if record.ending.reason else None,
        "whatToDo": [{"text": step.text, "command": step.command} for step in view.steps],
        "runbook": [f"{view.commands.runbook}#{each}" for each in _anchors(view)] if view.commands.runbook else [],
        "createdAt": timestamp(record.created_at),
        "submittedAt": _time(sent.submitted_at),
        "completedAt": _time(result.completed_at),
        "settledAt": _time(result.settled_at),
        "boardImportId": one_line(sent.board_import_id, 200) if sent.board_import_id else None,
        "verified": result.verified,
        "parts": record.parts,
        "jobs": record.prepared.jobs,
        "invalid": record.prepared.invalid,
        "unaccounted": result.unaccounted,
        "results": {name: result.count(name) for name in _RESULTS} if record.state is State.COMPLETE else None,
        "deletions": {
            "sent": deletions.delete_jobs,
            "mode": "full-sync" if deletions.full_sync else "listed" if deletions.listed else "none",
            "expected": deletions.expected,
            "deleted": record.deleted,
            "left": deletions.left,
            "leftBecause": deletions.list_end,
            "withheld": deletions.withheld,
            "because": deletions.because,
            "sharedWith": [one_line(each, 64) for each in deletions.shared_with[:NAMED]],
            "confirm": {"feed": record.feed, "confirmDeletes": deletions.confirm_code}
            if deletions.confirm_code
            else None,
            "first": [
                {"referenceNumber": each.reference, "title": each.title or None}
                for each in (view_posting(posting, _LENGTHS) for posting in deletions.postings[:NAMED])
            ],
        },
        "failing": {
            "total": failures.total,
            "refused": failures.refused,
            "heldBack": failures.held_back,
            "new": failures.new,
            "still": failures.known,
            "fixed": failures.fixed,
            "accepted": failures.accepted,
            "reasons": [_reason_data(each) for each in failures.reasons[:_REASONS]],
            "first": [_job_data(each) for each in failures.first],
        },
        "warnings": [one_line(text, _WARNING_LENGTH) for text in warnings[:_WARNINGS]],
        "report": _report_data(links, view.commands) if links else None,
        "severity": view.severity.value,
    }


def _report_data(links: Links, commands: Commands) -> dict[str, Any]:
    return {
        "html": links.html,
        "csv": links.csv,
        "until": timestamp(links.until),
        "htmlObject": f"s3://{commands.bucket}/{links.html_key}",
        "csvObject": f"s3://{commands.bucket}/{links.csv_key}",
    }


def _reason_data(reason: Reason) -> dict[str, Any]:
    return {
        "message": one_line(reason.message, _LENGTHS.own_message),
        "identical": reason.identical,
        "jobs": reason.jobs,
        "first": [place(job, _PLACE_LENGTH) for job in reason.first],
    }


def _job_data(failure: Failure) -> dict[str, Any]:
    shown = view_job(failure, _LENGTHS)
    return {
        "referenceNumber": shown.reference or None,
        "title": shown.title or None,
        "key": shown.key or None,
        "row": shown.row,
        "line": shown.line,
        "refused": failure.verdict.is_refusal,
        "message": shown.message if failure.job.messages else "",
        "toFix": shown.own_message or None,
        "new": shown.is_new,
        "since": _time(shown.since),
    }


def _time(instant: datetime | None) -> str | None:
    return timestamp(instant) if instant else None
