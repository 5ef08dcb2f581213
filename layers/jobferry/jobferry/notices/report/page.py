"""The page of a report: everything there is to tell about an import, in one HTML file that needs no other.

The template escapes all texts, and the page's Content-Security-Policy allows its own script and style and nothing else,
so a hostile title is only a title.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from jobferry.notices.advice.commands import SHELL
from jobferry.notices.advice.topics import Severity
from jobferry.notices.failures import NO_REASON, Group, kind_of, place
from jobferry.notices.report import chart
from jobferry.notices.view import ImportView, JobView, Lengths, view_job, view_posting
from jobferry.records.archive import csv_key, deletion_list_key, html_key
from jobferry.records.imports import Posting
from jobferry.text import counted, day, one_line, when

if TYPE_CHECKING:
    from jinja2 import Template

#: The most rows of a list on the page: a browser can sort and search this many at once. The table of the report has all.
ROWS: Final = 5000
#: The most characters of a list's rows: every job may have been refused with the longest message.
SIZE: Final = 6_000_000
_REASONS: Final = 30
_SOURCES: Final = 25
_LENGTHS: Final = Lengths(reference=100, title=200, file=200, message=600, own_message=600)
#: Characters of a row's tags.
_TAGS: Final = 300

_SEVERITY: Final = {
    Severity.INFO: "For your information",
    Severity.WARNING: "Needs attention",
    Severity.CRITICAL: "Urgent",
}


def html(view: ImportView, deletes: Iterable[Posting]) -> Iterator[str]:
    """Yield the page in pieces.

    Args:
        view: the import.
        deletes: the postings that were deleted, were to be deleted, or were withheld. Iterated once.
    """
    record, failures = view.record, view.failures
    reasons, history = failures.reasons[:_REASONS], chart.history_of(record, view.details.history)
    style, script = _asset("page.css"), _asset("page.js")
    # data: is for the empty icon, without which a browser asks the server for one.
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    yield from _template().generate(
        view=view,
        record=record,
        failures=failures,
        policy=policy,
        style=style,
        script=script,
        severity=_SEVERITY[view.severity],
        sections=_sections(view, has_history=history is not None),
        history=history,
        postings=[view_posting(each, _LENGTHS) for each in islice(deletes, ROWS)],
        reasons=reasons,
        reason_options=[(number, each.message, each.jobs) for number, each in enumerate(reasons)],
        jobs=_rows(view, Group.NEW, Group.KNOWN),
        accepted=_rows(view, Group.ACCEPTED),
        sources=record.prepared.sources[:_SOURCES],
        deletion_list_key=deletion_list_key(record.prepared),
        html_key=html_key(record),
        csv_key=csv_key(record),
    )


def _sections(view: ImportView, *, has_history: bool) -> dict[str, str]:
    """Return the titles of the page's sections by their ids."""
    failures, deletions = view.failures, view.deletions
    sections = [
        ("todo", "What to do", True),
        ("happened", "What happened", True),
        ("history", "History of the feed", has_history),
        ("reasons", "Reasons", failures.total > 1),
        ("jobs", f"Jobs that failed ({failures.total:,})", bool(failures.total or view.unnamed)),
        ("accepted", f"Published, but check ({failures.accepted:,})", failures.accepted > 0),
        ("notes", "Notes", bool(view.record.prepared.warned or view.record.prepared.adjusted or view.ignored_values)),
        ("import", "This import", True),
    ]
    # As in the notice, postings that need attention come before the jobs.
    position = 3 if deletions.needs_attention else 6
    sections.insert(position, ("deletions", f"{deletions.title} ({deletions.number:,})", deletions.number > 0))
    return {id_: title for id_, title, is_shown in sections if is_shown}


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # most invocations write no report

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"line": one_line, "when": when, "day": day, "counted": counted, "number": "{:,}".format}
    environment.globals |= {"place": place, "chart": chart, "ROWS": ROWS, "SHELL": SHELL, "LENGTHS": _LENGTHS}
    return environment.get_template("page.html.j2")


@cache
def _asset(name: str) -> Markup:
    return Markup(Path(__file__).with_name(name).read_text(encoding="utf-8"))  # noqa: S704  # our own files


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _rows(view: ImportView, *groups: Group) -> list[tuple[JobView, str]]:
    """Return the first jobs of these groups, as many as a list has room for, each with the numbers of its reasons."""
    numbers = {reason.kind: number for number, reason in enumerate(view.failures.reasons)}
    other = numbers.get("", -1)
    rows, size = [], 0
    for failure in view.jobs(*groups):
        job = view_job(failure, _LENGTHS)
        reasons = {numbers.get(kind_of(text), other) for text in failure.job.messages or [NO_REASON]}
        rows.append((job, " ".join(map(str, sorted(reasons)))))
        size += sum(len(escape(text)) for text in (job.reference, job.title, job.file, job.message, job.own_message))
        if len(rows) == ROWS or size + len(rows) * _TAGS > SIZE:
            break
    return rows
