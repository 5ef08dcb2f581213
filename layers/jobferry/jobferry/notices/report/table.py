"""The table of a report: every job that failed, as CSV that Excel opens by a double click.

Source: RFC 4180, with a BOM, without which Excel takes UTF-8 for the code page of the machine; and OWASP's page on CSV
injection, https://owasp.org/www-community/attacks/CSV_Injection: a text that would be a formula gets a ' before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from jobferry.notices.failures import Failing, failing_jobs, said
from jobferry.notices.findings import Findings
from jobferry.records.imports import Import, timestamp
from jobferry.text import plain

COLUMNS: Final = (
    "Reference number",
    "Title",
    "File",
    "Row",
    "Refused by",
    "Why",
    "To mend",
    "New",
    "Failing since (UTC)",
)
_NAME: Final = 300
_WORDS: Final = 2000
_BOM: Final = "\ufeff"
# What begins a formula, fullwidth forms too, and that after a semicolon: where decimals have a comma, Excel parts the
# columns there, quoted or not.
_FORMULA: Final = re.compile(r"(^|;\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20\t\r])")


def csv_key(record: Import) -> str:
    """Of the table, in the bucket."""
    return f"archive/{record.feed}/{record.import_id}.report.csv"


def csv(findings: Findings) -> Iterator[str]:
    """The lines, new jobs first, then those still failing, then those that only look wrong; each ends with CR LF."""
    yield _BOM + _line(COLUMNS)
    record = findings.record
    # Gone through once for each sort that there is: so many jobs cannot be sorted in memory.
    others = set()
    for failing in failing_jobs(record, findings.failed, findings.invalid):
        if sort := _sort(failing):
            others.add(sort)
        else:
            yield _line(_cells(record, failing))
    for sort in sorted(others):
        for failing in failing_jobs(record, findings.failed, findings.invalid):
            if _sort(failing) == sort:
                yield _line(_cells(record, failing))


def _sort(failing: Failing) -> int:
    return 2 if failing.taken else 0 if failing.new else 1


def _cells(record: Import, failing: Failing) -> Iterator[str]:
    job = failing.job
    yield _text(job.reference_number or "", _NAME)
    yield _text(job.title or "", _NAME)
    yield _text(job.key or "", _NAME)
    yield "" if job.row is None else str(job.row)
    yield _refused_by(record, failing)
    yield _text(said(job.messages, _WORDS), _WORDS)
    yield _text(said(failing.found, _WORDS), _WORDS)
    yield "new" if failing.new else "still failing"
    yield timestamp(job.since)[:10] if job.since else ""


def _refused_by(record: Import, failing: Failing) -> str:
    if failing.taken:
        return "nobody: taken by the board, but it looks wrong"
    if not failing.by_board:
        return "jobferry, before sending"
    return "the board" if record.result.verified else "the board's callback, not confirmed"


def _text(text: str, limit: int) -> str:
    return _FORMULA.sub(r"\1'", plain(text, limit))


def _line(cells: Iterator[str] | tuple[str, ...]) -> str:
    return ",".join('"{}"'.format(cell.replace('"', '""')) for cell in cells) + "\r\n"
