"""The page of a report: all that there is to tell of an import, in one HTML file that asks for nothing else.

Whatever a feed or the board says goes through `_text`, and its Content-Security-Policy allows this very script and this
very style and nothing more, so a hostile title is only a title. It says what to do in the notice's own words.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from html import escape
from itertools import islice
from pathlib import Path
from typing import Final

from jobferry.notices import advice
from jobferry.notices.advice import About, Stack
from jobferry.notices.failures import Failing, Failures, collect, failing_jobs, kind_of, place, said
from jobferry.notices.findings import Findings
from jobferry.notices.report.chart import history_section
from jobferry.notices.report.table import csv_key
from jobferry.records.imports import Import, Posting, State
from jobferry.text import counted, day, plain, when

#: Rows that a list of the page has. A browser sorts and searches so many at once; the table of the report has all.
ROWS: Final = 5000
#: Characters of the rows of a list, at most: every job may have been refused with the longest message.
SIZE: Final = 6_000_000
_REASONS: Final = 30
_SOURCES: Final = 25
# Characters that are shown of each.
_REFERENCE: Final = 100
_TITLE: Final = 200
_KEY: Final = 200
_MESSAGE: Final = 600

_SEVERITY: Final = {
    advice.Severity.INFO: "For your information",
    advice.Severity.WARNING: "To be looked at",
    advice.Severity.CRITICAL: "Urgent",
}


def html_key(record: Import) -> str:
    """Of the page, in the bucket."""
    return f"archive/{record.feed}/{record.import_id}.report.html"


def html(findings: Findings, deletes: Iterable[Posting], stack: Stack) -> Iterator[str]:
    """The page, in pieces.

    Args:
        findings: the import.
        deletes: the postings that went, were to go, or were withheld. Gone through once.
        stack: names for the commands that it shows.
    """
    record = findings.record
    failures = collect(record, findings.failed, findings.invalid, findings.previously)
    about = advice.topics(record)
    jobs, taken = _rows(findings, failures)
    postings = list(islice(deletes, ROWS))
    # The postings come first when it is for a person to look at them, as in the notice.
    to_look_at = {About.WITHHELD, About.EXPIRED, About.DELETED_MORE} & set(about)
    sections: list[tuple[str, str, Iterator[str] | None]] = [
        ("todo", "What to do", _to_do(record, failures, stack)),
        ("happened", "What happened", _happened(record, failures)),
        ("history", "History of the feed", history_section(record, findings.history)),
        ("deletions", *_deletions(record, postings, stack)),
        ("reasons", "Reasons", _reasons(failures)),
        ("jobs", f"Jobs that failed ({failures.total:,})", _jobs(record, failures, jobs, stack)),
        ("taken", f"Taken by the board, but look again ({failures.taken:,})", _taken(failures, taken)),
        ("know", "To know", _to_know(record)),
        ("import", "This import", _import(record, stack)),
    ]
    if not to_look_at:
        sections.insert(6, sections.pop(3))
    shown = [(anchor, title, content) for anchor, title, content in sections if content is not None]
    yield from _head(record, failures, [(anchor, title) for anchor, title, _ in shown])
    for anchor, title, content in shown:
        yield f'<section id="{anchor}" aria-labelledby="{anchor}-title"><h2 id="{anchor}-title">{escape(title)}</h2>\n'
        yield from content
        yield "</section>\n"
    yield from _foot(record)


# The frame


def _head(record: Import, failures: Failures, sections: list[tuple[str, str]]) -> Iterator[str]:
    headline = advice.headline(record, failures)
    headline = headline[:1].upper() + headline[1:]
    severity = advice.severity(record)
    style, script = _asset("page.css"), _asset("page.js")
    # data: is for the empty icon, without which a browser asks the server for one.
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{anchor}">{escape(title)}</a></li>' for anchor, title in sections)
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        '<meta name="robots" content="noindex">\n<link rel="icon" href="data:,">\n'
        f"<title>{_text(f'{record.feed}: {headline}', 200)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<div class="skip"><a href="#main">Skip to the report</a></div>\n<header>\n'
        f'<p class="over">jobferry, import of the feed <b>{_text(record.feed, 64)}</b>, '
        f"{when(record.created_at)}</p>\n<h1>{_text(headline, 200)}</h1>\n"
        f'<p class="state {severity.value}">{_SEVERITY[severity]}</p>\n'
        f'<nav aria-label="On this page"><ul>{links}</ul></nav>\n</header>\n<main id="main" tabindex="-1">\n'
    )


def _foot(record: Import) -> Iterator[str]:
    yield (
        f"</main>\n<footer><p>Written by jobferry for the import {_text(record.import_id, 200)}. Times are in UTC. "
        "The page needs no network and can be kept, printed or sent on; it has titles of your jobs, so only to whom "
        f"they concern.</p></footer>\n<script>{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _text(text: object, limit: int) -> str:
    """A text of somebody else, for the inside of an element or of an attribute's quotes."""
    return escape(plain(text, limit))


def _command(command: str) -> str:
    return f'<div class="command"><pre><code>{escape(command)}</code></pre></div>'


# The top


def _to_do(record: Import, failures: Failures, stack: Stack) -> Iterator[str]:
    steps = advice.steps(record, failures, stack)
    yield f'<div class="card"><ol class="steps{" several" if len(steps) > 1 else ""}">\n'
    for step in steps:
        yield f"<li><p>{escape(step.text)}</p>{_command(step.command) if step.command else ''}</li>\n"
    yield "</ol></div>\n"


def _happened(record: Import, failures: Failures) -> Iterator[str]:
    yield f'<p class="lead">{escape(advice.happened(record, failures))}</p>\n'
    if failures.mended:
        mended = f"{counted(failures.mended, 'job')} that failed at the last complete import, and not any more."
        yield f"<p><b>Mended:</b> {mended}</p>\n"
    counts = list(_counts(record, failures))
    if not counts:
        return
    yield '<dl class="counts">'
    for number, words, is_bad in counts:
        yield f"<div{' class=bad' if is_bad and number else ''}><dt>{escape(words)}</dt><dd>{number:,}</dd></div>"
    yield "</dl>\n"


def _counts(record: Import, failures: Failures) -> Iterator[tuple[int, str, bool]]:
    """The same as the notice's, each with its words, and whether it is bad to have any."""
    if record.state is not State.COMPLETE:
        went = {State.EXPIRED: "sent", State.REJECTED: "not accepted"}.get(record.state, "not sent")
        if record.prepared.jobs:
            yield record.prepared.jobs, went, False
    else:
        yield record.prepared.jobs, "sent", False
        for name in ("added", "updated", "unchanged"):
            yield record.result.count(name), name, False
        yield record.result.count("failed"), "failed", True
        deleted = record.result.count("deleted")
        expected = f", {record.deletions.expected:,} expected" if record.deletions.delete_jobs or deleted else ""
        yield (
            deleted,
            f"{'posting' if deleted == 1 else 'postings'} deleted{expected}",
            deleted > record.deletions.expected,
        )
        if record.result.unaccounted:
            yield record.result.unaccounted, "unaccounted for", True
    if failures.held:
        yield failures.held, "with a mistake, held back", True


# Deletions


def _deletions(record: Import, postings: list[Posting], stack: Stack) -> tuple[str, Iterator[str] | None]:
    """The heading, in the words to which the steps refer, and the list."""
    title, number = advice.deletions(record)
    if not number:
        return "", None
    words = "not in the feed, and kept" if record.deletions.withheld else "not in the feed any more"
    heading = f"{title} ({number:,})"
    rows = [
        f'<tr role="row"><td role="cell" class="ref">{_text(each.reference_number, _REFERENCE)}</td>'
        f'<td role="cell">{_text(each.title or "", _TITLE)}</td></tr>\n'
        for each in postings
    ]
    lead = f"<p>{counted(number, 'posting')} {words}.{_first_of(len(rows), number)}</p>\n"
    if len(rows) == ROWS and number > ROWS and record.prepared.deletes:
        lead += f"<p>All of them:</p>\n{_command(stack.show(record.prepared.deletes))}\n"
    caption = f"{title}: postings {words}"
    return heading, _list(lead, caption, ("Reference number", "Title"), rows, "postings", "deletes")


def _first_of(shown: int, number: int) -> str:
    return "" if shown >= number else f" The first {shown:,} of them are here."


# Jobs


def _reasons(failures: Failures) -> Iterator[str] | None:
    return _reason_table(failures) if failures.total > 1 else None


def _reason_table(failures: Failures) -> Iterator[str]:
    shown = failures.reasons[:_REASONS]
    yield '<div class="list-like"><table class="reasons"><caption class="vh">Why jobs failed, the most frequent first'
    yield '</caption>\n<thead><tr><th scope="col" class="number">Jobs</th><th scope="col">Reason</th>'
    yield "<td></td></tr></thead>\n<tbody>\n"
    for number, reason in enumerate(shown):
        others = "" if reason.alike else ' <span class="quiet">(and other values)</span>'
        first = ", ".join(place(job, 60) for job in reason.first)
        more = " and more" if reason.jobs > len(reason.first) else ""
        yield (
            f'<tr><td class="number">{reason.jobs:,}</td><td><span id="reason-{number}">'
            f'{_text(reason.message, _MESSAGE)}</span>{others}<br><span class="where">In {escape(first)}{more}.</span></td>'
            f'<td data-reason="{number}" data-by="reason-{number}"></td></tr>\n'
        )
    yield "</tbody></table></div>\n"
    if len(failures.reasons) > len(shown):
        yield f'<p class="quiet">And {counted(len(failures.reasons) - len(shown), "other reason")}.</p>\n'


def _jobs(record: Import, failures: Failures, rows: list[str], stack: Stack) -> Iterator[str] | None:
    unnamed = record.result.count("failed") - failures.by_board
    if unnamed <= 0 and not failures.total:
        return None
    lead = ""
    if unnamed > 0:
        more = "more failed job" if failures.by_board else "failed job"
        lead += f"<p>The board counts {counted(unnamed, more)}, but does not say which.</p>\n"
    if len(rows) < failures.total:
        lead += (
            f"<p>The first {len(rows):,} of {failures.total:,} are here, new ones first. All of them are in the table for "
            f"spreadsheets:</p>\n{_command(stack.copy(csv_key(record)))}\n"
        )
    if not rows:
        return iter([lead])
    shows = [
        ("n", "New", failures.new),
        ("s", "Still failing", failures.still),
        ("b", f"Refused, says {_board(record)}", failures.by_board),
        ("h", "Held back, not sent", failures.held),
    ]
    selects = _select("Show", "show", f"All ({failures.total:,})", shows)
    if len(failures.reasons) > 1:
        reasons = [(str(number), each.message, each.jobs) for number, each in enumerate(failures.reasons[:_REASONS])]
        selects += _select("Reason", "reason", "Any", reasons)
    # Who said it is said once, unless it differs from row to row.
    why = (
        "Why"
        if failures.by_board and failures.held
        else f"Why, says {_board(record)}"
        if failures.by_board
        else "Why it was not sent"
    )
    columns = ("Reference number", "Title", "Where", why, "Since")
    return _list(lead, "Jobs that failed", columns, rows, "jobs", "jobs", selects)


def _taken(failures: Failures, rows: list[str]) -> Iterator[str] | None:
    if not rows:
        return None
    lead = (
        "<p>These look wrong to jobferry. They were sent all the same, so that their postings are not deleted, and the "
        f"board took them.{_first_of(len(rows), failures.taken)}</p>\n"
    )
    columns = ("Reference number", "Title", "Where", "Why", "Since")
    return _list(lead, "Jobs that the board took, but that look wrong", columns, rows, "jobs", "jobs")


def _rows(findings: Findings, failures: Failures) -> tuple[list[str], list[str]]:
    """The rows of the jobs that failed, new ones first, and of those that only look wrong."""
    record = findings.record
    kinds = {reason.kind: number for number, reason in enumerate(failures.reasons)}
    by_both = bool(failures.by_board and failures.held)
    new, still, taken = _Rows(), _Rows(), _Rows()
    for failing in failing_jobs(record, findings.failed, findings.invalid):
        rows = taken if failing.taken else new if failing.new else still
        if rows.have_room:
            rows.add(_row(record, failing, kinds, by_both=by_both))
    return new.with_more(still), taken.rows


class _Rows:
    """The first rows of many."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self._size = 0

    @property
    def have_room(self) -> bool:
        return len(self.rows) < ROWS and self._size < SIZE

    def add(self, row: str) -> None:
        self.rows.append(row)
        self._size += len(row)

    def with_more(self, others: _Rows) -> list[str]:
        """These, and of the others as many as there is room for."""
        for row in others.rows:
            if not self.have_room:
                break
            self.add(row)
        return self.rows


def _board(record: Import) -> str:
    """Whose words they are."""
    return "the board" if record.result.verified else "the callback"


def _row(record: Import, failing: Failing, kinds: dict[str, int], *, by_both: bool) -> str:
    job = failing.job
    reasons = {kinds.get(kind_of(text), kinds.get("", -1)) for text in job.messages or ["no reason was given"]}
    numbers = " ".join(str(each) for each in sorted(reasons))
    classes = f"{'n' if failing.new else 's'} {'b' if failing.by_board else 'h'}"
    reference = _text(job.reference_number, _REFERENCE) if job.reference_number else ""
    who = ""
    if by_both and not failing.taken:
        speaker = f"{_board(record).capitalize()} says" if failing.by_board else "Not sent"
        who = f'<span class="who">{speaker}:</span> '
    words = escape(said(job.messages, _MESSAGE)) or "no reason was given"
    mend = f'<p><span class="who">To mend:</span> {escape(said(failing.found, _MESSAGE))}</p>' if failing.found else ""
    row = "" if job.row is None else f' <span class="row">row {job.row}</span>'
    name = place(job.model_copy(update={"row": None}), _KEY)
    since = f"{job.since:%Y-%m-%d}" if job.since else ""
    shown = (
        '<span class="new">New</span>'
        if failing.new
        else f'<time datetime="{since}">{day(job.since)}</time>'
        if job.since
        else ""
    )
    return (
        f'<tr role="row" class="{classes}" data-r="{numbers}">'
        f'<td role="cell" class="ref">{reference or NO_REFERENCE}</td>'
        f'<td role="cell">{_text(job.title or "", _TITLE)}</td>'
        f'<td role="cell" data-s="{escape(name)} {job.row or 0}">{escape(name)}{row}</td>'
        f'<td role="cell"><p>{who}{words}</p>{mend}</td>'
        f'<td role="cell" data-s="{"9999" if failing.new else since}">{shown}</td></tr>\n'
    )


NO_REFERENCE: Final = '<span class="quiet">no reference number</span>'


# Lists that the script makes searchable and sortable


def _list(
    lead: str, caption: str, columns: tuple[str, ...], rows: list[str], what: str, kind: str, selects: str = ""
) -> Iterator[str]:
    # Roles say what a narrow screen, on which rows are no longer displayed as a table, would make of them otherwise.
    heads = "".join(f'<th scope="col" role="columnheader">{column}</th>' for column in columns)
    yield (
        f'{lead}<div class="list"><form class="controls" role="search" aria-label="Search the {what}" hidden>'
        f'<label class="grow">Search<input type="search" autocomplete="off" spellcheck="false"></label>{selects}'
        '<p class="status" role="status"></p></form>\n'
        f'<table class="{kind}" role="table"><caption class="vh">{caption}</caption>\n'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>\n<tbody role="rowgroup">\n'
    )
    yield from rows
    yield '</tbody></table>\n<div class="pages" hidden></div></div>\n'


def _select(label: str, name: str, every: str, options: Iterable[tuple[str, str, int]]) -> str:
    choices = "".join(
        f'<option value="{value}">{_text(words, 100)} ({number:,})</option>'
        for value, words, number in options
        if number
    )
    return f'<label>{label}<select name="{name}"><option value="">{every}</option>{choices}</select></label>'


# The rest


def _to_know(record: Import) -> Iterator[str] | None:
    lines = [_text(text, _MESSAGE) for text in record.prepared.warned]
    if ignored := (record.result.counts or {}).get("ignoredValues"):
        lines.append(f"The board ignored values: {_text(json.dumps(ignored), _MESSAGE)}")
    if not lines:
        return None
    return iter(['<ul class="plain">', *(f"<li>{line}</li>\n" for line in lines), "</ul>\n"])


def _import(record: Import, stack: Stack) -> Iterator[str]:
    yield '<dl class="facts">\n'
    for name, value in _facts(record):
        yield f"<dt>{name}</dt><dd>{value}</dd>\n"
    yield "</dl>\n<details><summary>Commands: this report again, and what was sent</summary>\n"
    yield "<p>In AWS CloudShell or a terminal with the AWS CLI. The archive keeps everything for 90 days.</p>\n"
    yield _command(stack.copy(html_key(record))) + _command(stack.copy(csv_key(record)))
    if record.prepared.payload:
        yield _command(stack.show(record.prepared.payload))
    yield "</details>\n"


def _facts(record: Import) -> Iterator[tuple[str, str]]:
    yield "Import", f"<code>{_text(record.import_id, 200)}</code>"
    if record.sent.board_import_id:
        yield "The board calls it", f"<code>{_text(record.sent.board_import_id, 200)}</code>"
    if record.destination.board:
        yield "Board", _text(record.destination.board, 200)
    yield "Begun", when(record.created_at)
    if record.sent.submitted_at:
        yield "Sent", when(record.sent.submitted_at)
    if record.result.settled_at:
        by = {"callback": ", by the board's callback", "poll": ", by asking the board"}.get(
            record.result.settled_by or "", ""
        )
        sure = "" if record.result.verified else "; the board itself did not confirm it"
        yield "Result", f"{when(record.result.settled_at)}{by}{sure}"
    if record.parts > 1:
        yield "Parts", f"the first of {record.parts:,} imports of a split feed"
    if record.prepared.sources:
        shown = [f"<li>{_source(source)}</li>" for source in record.prepared.sources[:_SOURCES]]
        left = max(record.prepared.objects, len(record.prepared.sources)) - len(shown)
        shown += [f"<li>and {counted(left, 'other file')}</li>"] if left > 0 else []
        yield "Read from", f"<ul>{''.join(shown)}</ul>"


def _source(source: dict[str, object]) -> str:
    size = source.get("bytes")
    words = f' <span class="quiet">{size:,} bytes</span>' if isinstance(size, int) else ""
    return f"{_text(source.get('key', ''), _KEY)}{words}"
