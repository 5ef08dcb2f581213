"""The table of a report: every job that failed, as CSV that Excel opens with a double click.

Source: RFC 4180, with a BOM, without which Excel takes UTF-8 for the code page of the machine; and OWASP's page on CSV
injection, https://owasp.org/www-community/attacks/CSV_Injection: a text that would be a formula gets a ' before it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from jobferry.notices.failures import Verdict
from jobferry.notices.view import ImportView, JobView, Lengths, view_job

COLUMNS: Final = (
    "Reference number",
    "Title",
    "File",
    "Row",
    "Line",
    "Refused by",
    "Why",
    "To fix",
    "New",
    "Failing since (UTC)",
)
_LENGTHS: Final = Lengths(reference=300, title=300, file=300, message=2000, own_message=2000)
_BOM: Final = "\ufeff"
# What begins a formula, also in fullwidth forms, and also after a semicolon: where decimals have a comma, Excel splits
# columns there, quoted or not, and drops quotation marks before the formula.
_FORMULA: Final = re.compile(r"""(^|;\s*+)(?=[\s"]*+[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r])""")
_REFUSED_BY: Final = {
    Verdict.REFUSED: "the board",
    Verdict.REFUSED_UNCONFIRMED: "the board's callback, not confirmed",
    Verdict.HELD_BACK: "jobferry, before sending",
    Verdict.ACCEPTED: "not refused: the board published it, but it looks wrong",
}


def csv(view: ImportView) -> Iterator[str]:
    """Yield the lines: new jobs first, then the known ones, then those that only look wrong. Each ends with CR LF."""
    yield _BOM + _line(COLUMNS)
    for failure in view.jobs():
        yield _line(_cells(view_job(failure, _LENGTHS)))


def _cells(job: JobView) -> Iterable[str]:
    return (
        job.reference,
        job.title,
        job.key,
        "" if job.row is None else str(job.row),
        "" if job.line is None else str(job.line),
        _REFUSED_BY[job.verdict],
        job.message,
        job.own_message,
        "new" if job.is_new else "still failing",
        f"{job.since:%Y-%m-%d}" if job.since else "",
    )


def _line(cells: Iterable[str]) -> str:
    return ",".join('"{}"'.format(_FORMULA.sub(r"\1'", cell).replace('"', '""')) for cell in cells) + "\r\n"
