"""The history of a feed as a small chart, and as a table for who cannot see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import dropwhile, islice
from typing import Final

from jobferry.notices import advice
from jobferry.notices.failures import Failures
from jobferry.records.imports import Import, State
from jobferry.text import counted, day, when

#: Imports that the chart shows.
IMPORTS: Final = 30
_ENDED: Final = frozenset({State.COMPLETE, State.BLOCKED, State.REJECTED, State.EXPIRED})
# Pixels: where bars may begin and end.
_TOP: Final = 22
_BOTTOM: Final = 124


@dataclass(frozen=True)
class _Import:
    """One column: an import, and how many of its jobs failed; None when it has no result."""

    record: Import
    failing: int | None
    this: bool


def history_section(record: Import, history: Iterable[Import]) -> Iterator[str] | None:
    """The last imports up to this one; none when it is the first.

    Args:
        record: this import.
        history: the feed's imports, newest first. This one may be missing, or stand there as it was before.
    """
    before = dropwhile(lambda each: each.created_at > record.created_at, history)
    others = (each for each in before if each.state in _ENDED and each.import_id != record.import_id)
    columns = [_Import(each, _failing(each), this=False) for each in islice(others, IMPORTS - 1)]
    if not columns:
        return None
    return _section([*reversed(columns), _Import(record, _failing(record), this=True)])


def _failing(record: Import) -> int | None:
    """Jobs that failed. With a full sync what was found before sending was sent, and is among what the board refused."""
    if record.state is not State.COMPLETE:
        return None
    return record.result.count("failed") + (0 if record.deletions.full_sync else record.prepared.invalid)


def _section(columns: list[_Import]) -> Iterator[str]:
    most = max((each.failing or 0 for each in columns), default=0)
    lost = sum(each.failing is None for each in columns)
    last = columns[-1].failing
    now = "no result now" if last is None else f"{counted(last, 'job')} failed now"
    summary = f"{counted(len(columns), 'import')}: {now}, {most:,} at most; {lost:,} without a result."
    yield '<div class="card"><figure>'
    yield f'<svg class="chart" role="img" aria-labelledby="chart-title" focusable="false"><title id="chart-title">{summary}</title>'
    yield f'<g aria-hidden="true"><line class="grid" x1="0" x2="100%" y1="{_TOP}" y2="{_TOP}"/>'
    yield f'<line class="grid" x1="0" x2="100%" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
    yield f'<text x="0" y="{_TOP - 7}">{counted(most, "job")} failed</text>'
    width = 100 / len(columns)
    for number, column in enumerate(columns):
        yield from _column(column, number * width, width, most)
    yield "</g></svg>\n"
    yield f'<p class="ends"><span>{day(columns[0].record.created_at)}</span><span>{day(columns[-1].record.created_at)}, this import</span></p>'
    yield _LEGEND
    yield "</figure>\n<details><summary>The same as a table</summary>"
    yield from _table(columns)
    yield "</details></div>\n"


def _column(column: _Import, left: float, width: float, most: int) -> Iterator[str]:
    middle = f"{left + width / 2:.2f}%"
    x, wide = f"{left + width * 0.14:.2f}%", f"{width * 0.72:.2f}%"
    words = f"{when(column.record.created_at)}: {_words(column)}"
    yield f"<g><title>{words}</title>"
    if column.failing is None:
        yield f'<rect class="none" x="{x}" y="{_TOP}" width="{wide}" height="{_BOTTOM - _TOP}"/>'
        yield f'<svg x="{middle}" y="{_BOTTOM - 11}" overflow="visible"><path class="cross" d="M-4 -4L4 4M4 -4L-4 4"/></svg>'
    elif column.failing == 0:
        yield f'<circle class="good" cx="{middle}" cy="{_BOTTOM - 5}" r="3"/>'
    else:
        height = max((_BOTTOM - _TOP) * column.failing / most, 3)
        kind = "this" if column.this else "bar"
        yield f'<rect class="{kind}" x="{x}" y="{_BOTTOM - height:.1f}" width="{wide}" height="{height:.1f}" rx="1.5"/>'
    yield "</g>"


def _words(column: _Import) -> str:
    if column.failing is None:
        return _result(column.record)
    return f"{column.failing:,} of {counted(_jobs(column.record), 'job')} failed"


def _result(record: Import) -> str:
    return "complete" if record.state is State.COMPLETE else escape(advice.headline(record, Failures()))


def _jobs(record: Import) -> int:
    """Those of the feed: with a full sync the ones that were found wrong before sending are among those sent."""
    return record.prepared.jobs + (0 if record.deletions.full_sync else record.prepared.invalid)


_LEGEND: Final = (
    '<ul class="legend" aria-hidden="true">'
    '<li><svg><rect class="bar" x="1" width="4" height="12" y="0" rx="1"/><rect class="this" x="8" width="4" height="12" rx="1"/></svg>'
    "jobs failed</li>"
    '<li><svg><circle class="good" cx="7" cy="7" r="3.5"/></svg>none failed</li>'
    '<li><svg><path class="cross" d="M3 2L11 10M11 2L3 10"/></svg>nothing sent, or no result</li></ul>'
)


def _table(columns: list[_Import]) -> Iterator[str]:
    yield (
        '<div class="wide history" role="region" aria-label="History of the feed" tabindex="0"><table>'
        '<caption class="vh">The last imports, newest first</caption>\n<thead><tr><th scope="col">Begun</th>'
        '<th scope="col">Result</th><th scope="col" class="number">Jobs</th><th scope="col" class="number">Failed</th>'
        '<th scope="col" class="number">Deleted</th></tr></thead>\n<tbody>\n'
    )
    for column in reversed(columns):
        record = column.record
        failing = "" if column.failing is None else f"{column.failing:,}"
        deleted = "" if column.failing is None else f"{record.result.count('deleted'):,}"
        this = ' <span class="quiet">(this import)</span>' if column.this else ""
        yield (
            f'<tr><th scope="row">{when(record.created_at)}{this}</th><td>{_result(record)}</td>'
            f'<td class="number">{_jobs(record):,}</td><td class="number">{failing}</td><td class="number">{deleted}</td></tr>\n'
        )
    yield "</tbody></table></div>\n"
