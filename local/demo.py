"""`make demo`: two nights of an agency on this machine, shown as they happen and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from local import sample_feed
from local.board import Fault
from local.console import Console, counts
from local.system import API_KEY, LocalSystem

KEY: Final = "feeds/default/jobs.csv"
SETTINGS_KEY: Final = "feeds/default/feed.json"
_ENDED: Final = ("complete", "blocked", "skipped", "rejected", "expired")
_TIMEOUT: Final = 60
#: What the board must say of `sample_feed.break_three`: where, and its own words.
_REFUSED: Final = {
    58: "State is invalid. Value passed was: MC",
    114: "Zip is invalid. Value passed was: 0",
    173: "Zip is invalid. Value passed was: ",
}


class UnexpectedResultError(Exception):
    """The demonstration did not go as it must; the message says where."""


def run(folder: Path) -> None:
    """Both nights. Raises UnexpectedResultError, TimeoutError."""
    console = Console()
    console.line("Starting moto's server for AWS, the sandbox board, and the four functions of template.yaml.")
    with LocalSystem(folder=folder, seed=1, processing_seconds=1) as system:
        _first_night(system, console)
        _second_night(system, console)
        check("no dead letters", system.dead_letters(), [])
        check("no API key in the logs", API_KEY in system.logs(), False)
        check("no callback's token in the logs", "token=" in system.logs(), False)
    console.line(f"Everything went as expected. The functions' logs are in {folder / 'logs'}.")
    console.line("Run `make serve` to try the same system yourself.")


def _first_night(system: LocalSystem, console: Console) -> None:
    rows = sample_feed.break_three(sample_feed.make_rows())
    console.line(f"Ready. AWS is at {system.cloud.url}, the board at {system.board.origin}.")
    console.title("The first night")
    console.line(f"The agency's export is put into the bucket: {KEY}, {len(rows)} jobs in the agency's own columns.")
    console.line(
        f"Its settings beside it, {SETTINGS_KEY}: what each column is, and that the board is to lose what it lacks."
    )
    system.put_feed(SETTINGS_KEY, json.dumps(sample_feed.SETTINGS).encode())
    system.put_feed(KEY, sample_feed.as_csv(rows))
    record = _run_schedule(system, console, _nights()[0])
    console.line("The board works on it.")
    record = system.wait_for_import(record["importId"], _ENDED, _TIMEOUT)
    console.line(f"The board called back: {counts(record)}.")
    failures = [item for item in system.items(record["importId"]) if item["item"].startswith("error#")]
    console.table(
        "Which failed, in which row of the spreadsheet, and why, in the board's words:", map(_failure, failures)
    )
    notice = system.wait_for_notices(1, _TIMEOUT)[0]
    system.wait_until_told(record["importId"], _TIMEOUT)  # only then the next night may delete
    console.notice(notice)

    sums = {"added": 197, "updated": 0, "unchanged": 0, "failed": 3, "deleted": 0, "processed": 200}
    check("the first night's result", _sums(record), sums)
    check("no deletions on the first night", record["deleteJobs"], False)
    check("settled by", record["settledBy"], "callback")
    check("the rows that failed", [item["source"]["row"] for item in failures], list(_REFUSED))
    for item, words in zip(failures, _REFUSED.values(), strict=True):
        check("the board's words", item["messages"][0].startswith(words), True)
        check(f"{item['referenceNumber']} in the notice", item["referenceNumber"] in notice.text, True)
    failed = {rows[row - 2]["Job ID"] for row in _REFUSED}
    check("the board's postings", set(system.board.account(API_KEY)), {row["Job ID"] for row in rows} - failed)


def _second_night(system: LocalSystem, console: Console) -> None:
    rows = sample_feed.next_day(sample_feed.make_rows())
    console.title("The next night")
    console.line("The three jobs are mended; two others are filled and gone, five pay better, four are new.")
    console.line("And this time the board's callback gets lost, so the result has to be fetched.")
    system.put_feed(KEY, sample_feed.as_csv(rows))
    system.board.faults.add(Fault("no_callback"))
    record = _run_schedule(system, console, _nights()[1])
    system.board.wait(record["boardImportId"], _TIMEOUT)
    console.line("No callback came. PollImports, which runs every five minutes, is let run now.")
    system.poll()
    record = system.wait_for_import(record["importId"], _ENDED, _TIMEOUT)
    console.line(f"It asked the board: {counts(record)}.")
    notice = system.wait_for_notices(2, _TIMEOUT)[1]
    console.notice(notice)

    sums = {"added": 7, "updated": 5, "unchanged": 190, "failed": 0, "deleted": 2, "processed": 202}
    check("the second night's result", _sums(record), sums)
    check("deletions on the second night", record["deleteJobs"], True)
    check("settled by", record["settledBy"], "poll")
    check("the board's postings", set(system.board.account(API_KEY)), {row["Job ID"] for row in rows})
    check("the mended jobs in the notice", "3 jobs that failed" in notice.text, True)
    check("notices", len(system.notices()), 2)


def _nights() -> tuple[datetime, datetime]:
    """Two in the morning in New York, in winter: the last one, and the one before it."""
    last = datetime.now(UTC).replace(hour=7, minute=0, second=0, microsecond=0)
    return last - timedelta(days=1), last


def _run_schedule(system: LocalSystem, console: Console, at: datetime) -> dict[str, Any]:
    """The record of the import that the schedule's event of that time started, once it has gone out."""
    console.line(f"The schedule's event of {at:%Y-%m-%d %H:%M} UTC is fired; SubmitImport reads the feed.")
    outcome = system.fire_schedule(at).result(_TIMEOUT)
    if outcome.failed:
        raise UnexpectedResultError(f"SubmitImport failed: {outcome.payload}")
    record = system.record(outcome.payload["importId"])
    if record is None or record.get("boardImportId") is None:
        raise UnexpectedResultError(f"nothing was sent: {outcome.payload}")
    deletions = "with deletions" if record["deleteJobs"] else "without deletions"
    console.line(
        f"{record['jobs']} jobs went out in one import, {deletions}: {record['importId']}. The board has accepted it."
    )
    return record


def _sums(record: Mapping[str, Any]) -> dict[str, int]:
    return {name: count for name, count in record["results"].items() if isinstance(count, int)}


def _failure(item: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return f"row {item['source']['row']}", item["referenceNumber"], item["title"], "; ".join(item["messages"])


def check(what: str, found: object, wanted: object) -> None:
    """Raises UnexpectedResultError unless the two are equal."""
    if found != wanted:
        raise UnexpectedResultError(f"{what}: {found}, not {wanted}")
