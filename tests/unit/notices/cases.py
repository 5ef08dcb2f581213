"""One import for each kind of notice: its record, its failed jobs, and what failed at the import before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jobferry.notices.advice.commands import Commands
from jobferry.notices.details import ImportDetails
from jobferry.notices.notice import Notice, compose
from jobferry.notices.report import Links
from jobferry.notices.view import ImportView
from jobferry.records.failed_jobs import FailedJob
from jobferry.records.imports import Import, Posting, State
from tests.records import an_import

COMMANDS: Final = Commands(
    function="jobferry-prod-SubmitImport",
    table="jobferry-prod-ImportsTable-1EXAMPLE9QZ",
    bucket="jobferry-prod-feedsbucket-1example9qz",
    accounts="jobferry-prod/accounts/",
    region="us-east-1",
    runbook="https://github.com/jobferry/jobferry/blob/main/docs/runbook.md",
)
CREATED: Final = datetime(2026, 11, 24, 7, 0, 1, tzinfo=UTC)
EARLIER: Final = datetime(2026, 11, 21, 7, 0, 2, tzinfo=UTC)
KEY: Final = "feeds/default/jobs.csv"
_URL: Final = "https://jobferry-prod-feedsbucket-1example9qz.s3.us-east-1.amazonaws.com/archive/default/default-20261124T070000Z.report"
LINKS: Final = Links(
    html=f"{_URL}.html?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=7d1b",
    csv=f"{_URL}.csv?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=90c4",
    until=CREATED + timedelta(hours=12, minutes=6),
    html_key="archive/default/default-20261124T070000Z.report.html",
    csv_key="archive/default/default-20261124T070000Z.report.csv",
)


@dataclass(frozen=True)
class Case:
    record: Import
    failed: list[FailedJob] = field(default_factory=list)
    invalid: list[FailedJob] = field(default_factory=list)
    previously: set[str] | None = None
    links: Links | None = LINKS

    def notice(self, commands: Commands = COMMANDS) -> Notice:
        return notice_of(self.record, self.failed, self.invalid, self.previously, self.links, commands)


def view_of(
    record: Import,
    failed: Iterable[FailedJob] = (),
    invalid: Iterable[FailedJob] = (),
    previously: Iterable[str] | None = None,
    history: Iterable[Import] = (),
    commands: Commands = COMMANDS,
) -> ImportView:
    known = None if previously is None else frozenset(previously)
    return ImportView.of(ImportDetails(record, failed, invalid, known, history), commands)


def notice_of(
    record: Import,
    failed: Iterable[FailedJob] = (),
    invalid: Iterable[FailedJob] = (),
    previously: Iterable[str] | None = None,
    links: Links | None = None,
    commands: Commands = COMMANDS,
) -> Notice:
    return compose(view_of(record, failed, invalid, previously, commands=commands), links)


def results(
    added: int = 48, updated: int = 22, unchanged: int = 4343, failed: int = 0, deleted: int = 0
) -> dict[str, Any]:
    processed = added + updated + unchanged + failed
    counts = {"added": added, "updated": updated, "unchanged": unchanged, "failed": failed, "deleted": deleted}
    return counts | {"processed": processed, "ignoredValues": []}


def complete(counts: dict[str, Any] | None = None, **changes: Any) -> Import:
    counts = results() if counts is None else counts
    given: dict[str, Any] = {
        "import_id": "default-20261124T070000Z",
        "feed": "default",
        "created_at": CREATED,
        "state": State.COMPLETE,
        "board": "https://www.locumjobsonline.com/api/v2.0",
        "account": "BoardApiKey",
        "board_import_id": "44eJr7YHDO9PqC834E_q5",
        "jobs": counts["processed"],
        "sources": [{"key": KEY, "etag": "b1946ac9", "bytes": 198524}],
        "live_set": "archive/default/default-20261124T070000Z.live.jsonl.gz",
        "submitted_at": CREATED + timedelta(seconds=12),
        "completed_at": CREATED + timedelta(minutes=6),
        "settled_at": CREATED + timedelta(minutes=6, seconds=2),
        "settled_by": "callback",
        "verified": True,
        "results": counts,
        "previous": "default-20261123T070000Z",
    }
    return an_import(**(given | changes))


def blocked(cause: str, reason: str, **changes: Any) -> Import:
    given: dict[str, Any] = {
        "import_id": "default-20261124T070000Z",
        "feed": "default",
        "created_at": CREATED,
        "state": State.BLOCKED,
        "cause": cause,
        "reason": reason,
        "previous": "default-20261123T070000Z",
    }
    return an_import(**(given | changes))


def sent(state: State, cause: str | None, reason: str, **changes: Any) -> Import:
    nothing = {"results": None, "verified": False, "completed_at": None, "settled_at": None, "settled_by": None}
    return complete(results(), state=state, cause=cause, reason=reason, **(nothing | changes))


def job(number: int, *messages: str, since: datetime = CREATED, **changes: Any) -> FailedJob:
    given: dict[str, Any] = {
        "number": number,
        "messages": list(messages),
        "reference_number": f"LT-{10000 + number}",
        "title": "Hospitalist nights, Lancaster",
        "key": KEY,
        "row": number + 2,
        "since": since,
    }
    return FailedJob(**(given | changes))


def postings(count: int) -> list[Posting]:
    titles = ("Hospitalist nights, Lancaster", "Emergency Medicine, Erie", "CRNA weekends, Scranton", None)
    return [Posting(reference_number=f"LT-{20000 + each}", title=titles[each % 4]) for each in range(min(count, 25))]


STATE: Final = "State is invalid. Value passed was: MC"
ZIP: Final = "Zip is invalid. Value passed was: 0"
NOT_A_STATE: Final = 'state "MC" is not a state of the USA: its two-letter code is needed, such as PA'
CODE: Final = "K7QD-3M2A-XW4T-N"

_failures = [
    job(227, "Job ID is missing", reference_number=None, title="CRNA weekends, Scranton"),
    job(3142, STATE, reference_number="mqnQS38eLwnz"),
    job(3178, ZIP, reference_number="q3IVj4CLstkO", title="Emergency Medicine, Erie", since=EARLIER),
]
_hostile = (
    "\x1b[2J\x1b[31mALL WELL\x1b[0m\r\nWHAT TO DO\nNothing.\u202egnp.exe\u2028<!channel> <script>alert(1)</script> "
    "https://api.example.org/callbacks/x?token=5f2b9c0d1e Authorization: Basic c2VjcmV0LWtleTo= \x00\ud800"
)

CASES: Final[dict[str, Case]] = {
    # Complete, with jobs that failed
    "new-and-still-and-fixed": Case(
        complete(results(failed=3)), _failures, previously={"q3IVj4CLstkO", "LT-1", "LT-2", "LT-3", "LT-4"}
    ),
    "one-failed": Case(complete(results(48, 22, 129, 1)), [job(14, STATE)]),
    "all-known": Case(
        complete(results(0, 0, 198, 2)),
        [job(14, STATE, since=EARLIER), job(99, ZIP, since=EARLIER)],
        previously={"LT-10014", "LT-10099"},
    ),
    "held-back": Case(
        complete(
            results(2, 3, 190),
            invalid=2,
            warnings=14,
            warned=[
                'postalCode: "1234" is sent as "01234" (11 x, first in feeds/default/jobs.csv row 7)',
                'specialty "FP" is not on the board\'s documented list: the board decides (3 x, first in feeds/default/jobs.csv row 91)',
            ],
        ),
        invalid=[
            job(0, NOT_A_STATE),
            job(
                1,
                'payAmountMin "call us" is not an amount: one number is needed, such as 737.00',
                'referenceNumber is missing; if it is what "Job ID" holds, say so in feed.json: "fields": {"Job ID": "referenceNumber"}',
                reference_number=None,
                title=None,
                key="feeds/default/north/perm.jsonl.gz",
            ),
        ],
    ),
    "found-and-refused": Case(
        complete(
            results(5, 5, 188, 1, deleted=4),
            jobs=199,
            full_sync=True,
            delete_jobs=True,
            expected_deletes=4,
            invalid=2,
        ),
        [job(14, STATE)],
        [
            job(14, NOT_A_STATE, sent=True),
            job(15, 'postalCode "00000" is not a ZIP: the lowest in use is 00501', sent=True),
        ],
    ),
    "one-reason-for-hundreds": Case(
        complete(results(10, 20, 1657, 313)),
        [job(each, f"State is invalid. Value passed was: {'MC' if each % 3 else 'PX'}") for each in range(12, 324)]
        + [job(900, ZIP, since=EARLIER)],
        [],
        {"LT-10900", "LT-1"},
    ),
    "twenty-thousand-failed": Case(
        complete(results(0, 0, 5000, 20000)),
        [job(each, "Specialty is invalid. " + "X" * 2000 + str(each % 7)) for each in range(20000)],
    ),
    "one-reason-for-hundreds-without-a-report": Case(
        complete(results(10, 20, 1657, 313)), [job(each, STATE) for each in range(12, 325)], links=None
    ),
    "withheld-without-a-report": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=512,
            withheld_because=["too-many"],
            confirm_code=CODE,
            deletes=postings(512),
        ),
        links=None,
    ),
    "more-failed-than-named": Case(complete(results(1, 1, 193, 5)), [job(14, STATE)]),
    "failed-but-not-named": Case(complete(results(1, 1, 196, 2))),
    "deleted-without-being-asked": Case(complete(results(3, 7, 390, deleted=2))),
    "hostile-text": Case(
        complete(
            results(1, 1, 197, 1) | {"ignoredValues": [{"field": "shift", "value": "nights\x1b[0m"}]}, warned=[_hostile]
        ),
        [job(14, _hostile * 500, reference_number=_hostile, title=_hostile, key=f"feeds/default/{_hostile}.csv")],
    ),
    "split-feed": Case(complete(results(1, 1, 1997, 1), parts=3), [job(14, STATE)], previously=None),
    # Complete, and deletions
    "withheld-too-many": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=512,
            withheld_because=["too-many"],
            confirm_code=CODE,
            deletes=postings(512),
        )
    ),
    "withheld-one": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=1,
            withheld_because=["fewer-objects"],
            confirm_code=CODE,
            deletes=postings(1),
        )
    ),
    "withheld-unprotected-rows": Case(
        complete(
            results(3, 7, 388),
            full_sync=True,
            invalid=2,
            withheld_deletes=3,
            withheld_because=["unprotected-rows"],
            confirm_code=CODE,
            deletes=postings(3),
        ),
        invalid=[
            job(0, "referenceNumber is missing", reference_number=None),
            job(1, "the row is cut off within a quoted field", reference_number=None, title=None),
        ],
    ),
    "withheld-fewer-objects-and-too-many": Case(
        complete(
            results(3, 7, 190, 1),
            full_sync=True,
            withheld_deletes=212,
            withheld_because=["fewer-objects", "too-many"],
            confirm_code=CODE,
            deletes=postings(212),
        ),
        [job(14, STATE)],
    ),
    "withheld-fewer-rows": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=7,
            withheld_because=["fewer-rows"],
            reduced=[
                {"key": "feeds/default/nurses.csv", "rows": 0, "rowsBefore": 7},
                {"key": "feeds/default/physicians.csv", "rows": 1, "rowsBefore": 1200},
            ],
            confirm_code=CODE,
            deletes=postings(7),
        )
    ),
    "withheld-too-many-this-week": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=70,
            withheld_because=["too-many-this-week"],
            confirm_code=CODE,
            deletes=postings(70),
        )
    ),
    "withheld-shared-account": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=3,
            withheld_because=["shared-account"],
            shared_with=[{"feed": "west"}, {"feed": "perm", "unreadable": "feed.json"}],
            deletes=postings(3),
        )
    ),
    "withheld-shared-account-at-first": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=3,
            withheld_because=["first", "shared-account"],
            shared_with=[{"feed": "west"}],
            deletes=postings(3),
        )
    ),
    "first-full-sync-with-deletions-to-come": Case(
        complete(
            results(3, 7, 390), full_sync=True, withheld_deletes=3, withheld_because=["first"], deletes=postings(3)
        )
    ),
    "first-full-sync-with-too-many": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=512,
            withheld_because=["first", "too-many"],
            deletes=postings(512),
        )
    ),
    "first-full-sync": Case(complete(results(400, 0, 0), full_sync=True, withheld_because=["first"], previous=None)),
    "time-to-object": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=3,
            withheld_because=["time-to-object"],
            announced_at=CREATED - timedelta(hours=2),
            deletes=postings(3),
        )
    ),
    "half-exported-repeatedly": Case(
        complete(
            results(3, 7, 390),
            full_sync=True,
            withheld_deletes=3,
            withheld_because=["half-exported"],
            announced_at=EARLIER,
            deletes=postings(3),
        )
    ),
    "deleted-more": Case(
        complete(
            results(3, 7, 390, deleted=50), full_sync=True, delete_jobs=True, expected_deletes=5, deletes=postings(5)
        )
    ),
    # Complete, and doubtful
    "unaccounted": Case(complete(results(3, 7, 388), unaccounted=2, jobs=400)),
    "unverified": Case(complete(results(3, 7, 389, 1), verified=False), [job(14, STATE)]),
    "late-result": Case(complete(results(3, 7, 390), settled_at=CREATED + timedelta(hours=15), late=True)),
    "late-result-after-a-newer-run": Case(
        complete(
            results(3, 7, 390),
            settled_at=CREATED + timedelta(hours=15),
            late=True,
            overtaken=True,
            full_sync=True,
            delete_jobs=True,
        )
    ),
    "success": Case(complete(notify_on_success=True)),
    "success-with-deletions": Case(
        complete(
            results(3, 7, 390, deleted=5),
            full_sync=True,
            delete_jobs=True,
            expected_deletes=5,
            deletes=postings(5),
            notify_on_success=True,
        ),
        previously={"LT-1"},
    ),
    "deleted-as-expected": Case(
        complete(
            results(3, 7, 390, deleted=5),
            full_sync=True,
            delete_jobs=True,
            expected_deletes=5,
            deletes=postings(5),
            notify_on_deletes=True,
        )
    ),
    # Deletions by list
    "listed-first": Case(
        complete(results(3, 7, 390), listed=True, withheld_deletes=3, withheld_because=["first"], deletes=postings(3))
    ),
    "listed-first-not-offered": Case(
        complete(
            results(0, 0, 400),
            listed=True,
            withheld_deletes=3,
            withheld_because=["first"],
            deletes=postings(3),
            not_offered=True,
        )
    ),
    "listed-first-with-a-new-key": Case(
        complete(
            results(3, 7, 390),
            listed=True,
            withheld_because=["first"],
            former=7,
            first_former=[f"LT-{number}" for number in range(5)],
        )
    ),
    "listed-deleted": Case(
        complete(
            results(3, 7, 390),
            listed=True,
            expected_deletes=5,
            deleted_by_list=5,
            deletes=postings(5),
            notify_on_deletes=True,
        )
    ),
    "listed-withheld": Case(
        complete(
            results(3, 7, 390),
            listed=True,
            withheld_deletes=80,
            withheld_because=["too-many"],
            confirm_code=CODE,
            deletes=postings(25),
        )
    ),
    "listed-not-offered": Case(
        complete(
            results(3, 7, 390),
            listed=True,
            expected_deletes=5,
            list_end="not-offered",
            list_reason="the board answered 404: it does not offer deletion by reference number",
            deletes=postings(5),
        )
    ),
    "listed-refused": Case(
        complete(
            results(3, 7, 390),
            listed=True,
            expected_deletes=5,
            list_end="refused",
            list_reason="the board answered 403 (it does not know the API key, or the key may not do this): read-only key",
            deletes=postings(5),
        )
    ),
    "listed-unanswered": Case(
        complete(
            results(3, 7, 390),
            listed=True,
            expected_deletes=500,
            deleted_by_list=300,
            list_end="unanswered",
            list_reason="no answer from the board within 120 s",
            deletes=postings(25),
            notify_on_deletes=True,
        )
    ),
    "listed-held-back": Case(
        complete(
            results(3, 7, 390),
            listed=True,
            expected_deletes=1,
            list_end="held-back",
            list_reason='the feed is paused: its feed.json says "paused": true',
            deletes=postings(1),
        )
    ),
    "listed-not-accepted": Case(
        complete(
            results(3, 7, 390), listed=True, expected_deletes=5, list_end="not-accepted", late=True, deletes=postings(5)
        )
    ),
    "deleted-one-and-failed-one": Case(
        complete(
            results(3, 7, 389, 1, deleted=1),
            full_sync=True,
            delete_jobs=True,
            expected_deletes=1,
            deletes=postings(1),
            notify_on_deletes=True,
        ),
        [job(14, STATE)],
    ),
    # Nothing was sent
    "blocked-feed-missing": Case(
        blocked(
            "feed-missing",
            "the feed's folder has no feed file. feed.json, and hidden or unfinished files such as .jobs.csv, _jobs.csv and "
            "jobs.csv.part, do not count",
            feed_is_empty=True,
        )
    ),
    "blocked-feed-unreadable": Case(
        blocked("feed-unreadable", "feeds/default/jobs.csv.gz is cut off: its gzip data has no end")
    ),
    "blocked-feed-empty": Case(
        blocked("feed-unreadable", "feeds/default/jobs.csv is empty (0 bytes): was the export cut off?", feed_is_empty=True)
    ),
    "blocked-feed-too-large": Case(
        blocked(
            "feed-too-large",
            "feeds/default/jobs.csv: the feed has more than 1,073,741,824 bytes uncompressed (maxFeedBytes)",
        )
    ),
    "blocked-feed-invalid": Case(
        blocked(
            "feed-invalid",
            "120 of 400 jobs have problems, more than 20 % (maxInvalidPercent)",
            invalid=120,
        ),
        invalid=[job(each, NOT_A_STATE) for each in range(120)],
    ),
    "blocked-no-valid-job": Case(blocked("feed-invalid", "the feed has no valid job", feed_is_empty=True)),
    "blocked-feed-changed": Case(
        blocked("feed-changed", "feeds/default/jobs.csv was replaced or deleted while the feed was being read")
    ),
    "blocked-settings": Case(
        blocked("settings", 'feeds/default/feed.json: "deletejobs" is not a setting: did you mean deleteJobs?')
    ),
    "blocked-settings-missing": Case(
        blocked(
            "settings-missing",
            "feeds/default/feed.json has disappeared. Without it, the feed's jobs could be sent to another account or be read "
            "in another way",
        )
    ),
    "blocked-fields-gone": Case(
        blocked(
            "fields-gone",
            "title is in 0 of 400 valid jobs, and was in 398 of 398 at the last complete import",
            fields_code=CODE,
        )
    ),
    "blocked-confirmation": Case(
        blocked(
            "confirmation",
            "the code does not match the current list of 498 deletions: run the feed without a code, and the next notice has "
            "the current list and its code",
        )
    ),
    "blocked-secret": Case(
        blocked(
            "secret",
            "the secret jobferry-prod/accounts/BoardApiKey does not exist or has no value yet: enter the API key of the board "
            "account",
        )
    ),
    "blocked-abandoned": Case(
        blocked(
            "abandoned",
            "the run was cut off before anything was sent, and Lambda's own retries did not bring it to an end",
        )
    ),
    # Nothing was accepted
    "rejected-401": Case(
        sent(
            State.REJECTED,
            "board-refused",
            "the board answered 401 (it does not know the API key, or the key may not do this): it gives no details",
            board_status=401,
            board_import_id=None,
        )
    ),
    "rejected-413": Case(
        sent(
            State.REJECTED,
            "board-refused",
            "the board answered 413 (the request is too large for it): it gives no details",
            board_status=413,
            board_import_id=None,
        )
    ),
    "rejected-404": Case(
        sent(
            State.REJECTED,
            "board-refused",
            "the board answered 404 (there is nothing at that address): it gives no details",
            board_status=404,
            board_import_id=None,
        )
    ),
    "rejected-422": Case(
        sent(
            State.REJECTED,
            "board-refused",
            'the board answered 422: {"error": {"status": 422, "message": "jobs.14.shiftsPerWeek must be an integer"}}',
            board_status=422,
            board_import_id=None,
            invalid=1,
        ),
        invalid=[job(0, NOT_A_STATE)],
    ),
    "rejected-unreachable": Case(
        sent(State.REJECTED, "board-unreachable", "the board answered 503", board_status=503, board_import_id=None)
    ),
    "rejected-part": Case(
        sent(
            State.REJECTED,
            "board-refused",
            'the board answered 422: {"error": {"status": 422}}',
            board_status=422,
            board_import_id=None,
            run="default-20261124T070000Z",
            import_id="default-20261124T070000Z-2",
        )
    ),
    "rejected-retry": Case(
        sent(
            State.REJECTED,
            "board-refused",
            'the board answered 422: {"error": {"status": 422}}',
            board_status=422,
            board_import_id=None,
            retry="retries/default/fixed.jsonl",
        )
    ),
    "rejected-secret": Case(
        sent(
            State.REJECTED,
            "secret",
            "the secret jobferry-prod/accounts/BoardApiKey may not be read, or is being deleted",
            board_import_id=None,
        )
    ),
    "rejected-archive-gone": Case(
        sent(
            State.REJECTED,
            "archive-gone",
            "the archived jobs are missing from the bucket: archive/default/default-20261124T060000Z.jsonl.gz",
            board_import_id=None,
        )
    ),
    # No result
    "blocked-account-changed": Case(
        blocked(
            "account-changed",
            "the feed's apiKeySecret is now Nurses, but this import was prepared for BoardApiKey",
        )
    ),
    "retry-outdated": Case(
        blocked(
            "retry-outdated",
            "default-20261124T070000Z has completed since, and its jobs are newer: retry that one instead",
            import_id="default-20261124T090000Z-retry",
            retry="archive/default/default-20261123T070000Z.retry-20261124T090000Z.jsonl",
        )
    ),
    "expired": Case(sent(State.EXPIRED, "no-result", "the board gave no result within 12 hours")),
    "expired-with-errors-of-the-board": Case(
        sent(
            State.EXPIRED,
            "no-result",
            "the board gave no result within 12 hours; the board answered all 12 attempts with HTTP 500",
            board_import_id=None,
            attempts=12,
            board_answers={"500": 12},
            board_status=500,
        )
    ),
    "expired-with-deletions": Case(
        sent(
            State.EXPIRED,
            "no-result",
            "the board gave no result within 12 hours",
            board_import_id=None,
            full_sync=True,
            delete_jobs=True,
            expected_deletes=5,
            deletes=postings(5),
        )
    ),
}  # fmt: skip
