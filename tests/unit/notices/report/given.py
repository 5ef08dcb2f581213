"""Imports to report of, beside those of the notices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from jobferry.notices.report import html
from jobferry.notices.view import ImportView
from jobferry.records.failed_jobs import FailedJob
from jobferry.records.imports import Import, Posting
from tests.records import changed
from tests.unit.notices.cases import CASES, CREATED, EARLIER, STATE, ZIP, blocked, complete, job, results, view_of

#: Whatever a feed could hold to do harm on a page.
HOSTILE: Final = (
    '"><img src=x onerror="alert(1)">',
    "</script><script>alert(2)</script>",
    "</style></title></textarea><svg onload=alert(3)>",
    "' autofocus onfocus='alert(4)' x='",
    "javascript:alert(5)",
    "&lt;script&gt;alert(6)&lt;/script&gt;&#60;b>",
    "<!--<base href=https://evil.example/>-->]]><link rel=stylesheet href=//evil.example/x.css>",
    "\u202egnp.exe\u202c \u2066right\u2069 to \u200fleft\u200e",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "x" * 10_000,
)


def of_case(name: str, history: Iterable[Import] = ()) -> ImportView:
    """The import that a notice tells about."""
    case = CASES[name]
    return view_of(case.record, case.failed, case.invalid, case.previously, history)


def page(view: ImportView, deletes: Iterable[Posting] | None = None) -> str:
    return "".join(html(view, view.record.deletions.postings if deletes is None else deletes))


def many(count: int) -> list[FailedJob]:
    """Jobs that failed: every fifth is known, every third has another reason."""
    return [
        job(
            each,
            ZIP if each % 3 == 0 else STATE,
            since=EARLIER - timedelta(days=each % 9) if each % 5 == 0 else CREATED,
            title=("Hospitalist nights, Lancaster", "Emergency Medicine, Erie", "CRNA weekends, Scranton")[each % 3],
        )
        for each in range(count)
    ]


def history(count: int) -> list[Import]:
    """A feed's imports before, newest first: the fourth was blocked, the fifth had no failures."""
    found = []
    for days in range(1, count + 1):
        at = CREATED - timedelta(days=days)
        name = f"default-{at:%Y%m%dT%H%M%S}Z"
        if days == 4:
            found.append(blocked("feed-missing", "the feed's folder has no feed file", import_id=name, created_at=at))
        else:
            failed = 0 if days == 5 else days * 7 % 40 + 1
            found.append(complete(results(failed=failed), import_id=name, created_at=at))
    return found


def hostile() -> ImportView:
    """Every text that somebody else may have written is hostile."""
    failed = [
        job(each, f"{text} {each}", text, reference_number=text, title=text, key=f"feeds/default/{text}.csv")
        for each, text in enumerate(HOSTILE)
    ]
    text = "".join(HOSTILE)
    record = complete(
        results(failed=len(failed)),
        warned=list(HOSTILE),
        board=text,
        board_import_id=text,
        sources=[{"key": each, "etag": each, "bytes": 5} for each in HOSTILE],
        withheld_deletes=len(HOSTILE),
        full_sync=True,
        withheld_because=["shared-account", "too-many"],
        shared_with=[{"feed": each} for each in HOSTILE],
        confirm_code=text,
        deletes=[Posting(reference_number=each, title=each) for each in HOSTILE],
    )
    record = changed(record, results={**(record.result.counts or {}), "ignoredValues": list(HOSTILE)})
    return view_of(record, failed, [each.model_copy(update={"row": 999}) for each in failed], {text}, history(3))
