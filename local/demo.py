"""`make demo`: two nights of an agency on this machine, and its deletions, shown as they happen and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from local import sample_feed
from local.board import Fault
from local.console import Console, counts
from local.functions import InvocationResult
from local.system import API_KEY, LocalSystem

KEY: Final = "feeds/default/jobs.csv"
SETTINGS_KEY: Final = "feeds/default/feed.json"
_ENDED: Final = ("complete", "blocked", "skipped", "rejected", "expired")
_TIMEOUT: Final = 60
#: A posting that this feed has not posted.
_BY_HAND: Final = "BY-HAND-1"
#: The rows that `sample_feed.break_three` breaks, and how the messages of the board on them begin.
_REFUSED: Final = {
    58: "State is invalid. Value passed was: MC",
    114: "Zip is invalid. Value passed was: 0",
    173: "Zip is invalid. Value passed was: ",
}


class UnexpectedResultError(Exception):
    """The demonstration had an unexpected result. The message names it."""


def run(folder: Path) -> None:
    """Run both nights, and the deletions. Raises UnexpectedResultError, TimeoutError."""
    console = Console()
    console.line("Starting moto's server for AWS, the sandbox board, and the four functions of template.yaml.")
    with LocalSystem(folder=folder, seed=1, processing_seconds=1) as system:
        _first_night(system, console)
        _second_night(system, console)
        _deletions(system, console)
        _save_reports(system, console, folder / "reports")
        check("no dead letters", system.dead_letters(), [])
        check("no API key in the logs", API_KEY in system.logs(), False)
        check("no callback's token in the logs", "token=" in system.logs(), False)
    console.line(f"Everything went as expected. The functions' logs are in {folder / 'logs'}.")
    console.line("Run `make serve` to try the same system yourself.")


def _first_night(system: LocalSystem, console: Console) -> None:
    rows = sample_feed.break_three(sample_feed.make_rows())
    console.line(f"Ready. AWS is at {system.cloud.url}, the board at {system.board.origin}.")
    console.title("The first night")
    console.line(f"The agency's system uploads its export: {KEY}, {len(rows)} jobs in the agency's own columns.")
    console.line(
        f"Its settings, {SETTINGS_KEY}, map the columns and let jobferry delete postings that are not in the feed."
    )
    system.put_feed(SETTINGS_KEY, json.dumps(sample_feed.SAMPLE_SETTINGS).encode())
    system.put_feed(KEY, sample_feed.as_csv(rows))
    record = _run_schedule(system, console, _last_night())
    console.line("The board is processing the import.")
    record = system.wait_for_import(record["importId"], _ENDED, _TIMEOUT)
    console.line(f"The board called back: {counts(record)}.")
    failures = [item for item in system.items(record["importId"]) if item["item"].startswith("error#")]
    console.table("The failed jobs, with their spreadsheet rows and the board's reasons:", map(_failure, failures))
    notice = system.wait_for_notices(1, _TIMEOUT)[0]
    system.wait_until_notified(record["importId"], _TIMEOUT)  # only then may the next night delete postings
    console.notice(notice)

    totals = {"added": 197, "updated": 0, "unchanged": 0, "failed": 3, "deleted": 0, "processed": 200}
    check("the first night's result", _totals(record), totals)
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
    console.line(f"Meanwhile a recruiter has posted {_BY_HAND} on the board's own site. A full sync would delete it.")
    console.line('So the settings now say "deleteJobs": "listed": only what this feed has posted may be deleted.')
    system.board.post_by_hand(API_KEY, {"referenceNumber": _BY_HAND, "title": "Medical director", "state": "PA"})
    settings = sample_feed.SAMPLE_SETTINGS | {"deleteJobs": "listed"}
    system.put_feed(SETTINGS_KEY, json.dumps(settings).encode())
    console.line("The three jobs are fixed. Two other jobs are filled and gone, five pay more, four are new.")
    console.line("This time the board's callback gets lost, so jobferry has to fetch the result.")
    system.put_feed(KEY, sample_feed.as_csv(rows))
    system.board.faults.add(Fault("no_callback"))
    record = _run_by_hand(system, console)
    system.board.wait(record["boardImportId"], _TIMEOUT)
    console.line("No callback came. PollImports, which runs every five minutes, runs now.")
    system.poll()
    record = system.wait_for_import(record["importId"], _ENDED, _TIMEOUT)
    console.line(f"It fetched the result from the board: {counts(record)}.")
    console.line("Another way of deleting is announced first. The notice names the two postings that would be deleted.")
    notice = system.wait_for_notices(2, _TIMEOUT)[1]
    system.wait_until_notified(record["importId"], _TIMEOUT)
    console.notice(notice)

    totals = {"added": 7, "updated": 5, "unchanged": 190, "failed": 0, "deleted": 0, "processed": 202}
    check("the second night's result", _totals(record), totals)
    check("deletions that were announced", record["withheldDeletes"], 2)
    check("settled by", record["settledBy"], "poll")
    check("the fixed jobs in the notice", "3 jobs that failed" in notice.text, True)


def _deletions(system: LocalSystem, console: Console) -> None:
    rows = sample_feed.next_day(sample_feed.make_rows())
    gone = {row["Job ID"] for row in sample_feed.make_rows()} - {row["Job ID"] for row in rows}
    console.title("Deletions by list")
    console.line(
        "For 12 hours after the announcement, only a run that a person starts deletes. So a person starts this one."
    )
    record = _run_by_hand(system, console)
    console.line(f"After the import, it had the board delete exactly these postings: {', '.join(sorted(gone))}.")
    record = system.wait_for_import(record["importId"], _ENDED, _TIMEOUT)
    console.notice(system.wait_for_notices(3, _TIMEOUT)[2])
    console.line(f"{_BY_HAND}, which the recruiter posted by hand, is still there.")

    check("the lists of deletions", [(each.listed, set(each.deleted)) for each in system.board.deletions], [(2, gone)])
    check("postings deleted by list", (record["deletedByList"], record["deleteJobs"]), (2, False))
    check("the board's postings", set(system.board.account(API_KEY)), {_BY_HAND, *(row["Job ID"] for row in rows)})
    check("notices", len(system.notices()), 3)


def _save_reports(system: LocalSystem, console: Console, folder: Path) -> None:
    """Save the reports. The links in the notices end with the demonstration."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, content in system.objects("archive/default/").items():
        if key.endswith(".report.html"):
            path = folder / Path(key).name
            path.write_bytes(content)
            console.line(f"Saved the report {path}. Open it in a browser.")


def _last_night() -> datetime:
    """Return last night's two o'clock in New York (winter time)."""
    return datetime.now(UTC).replace(hour=7, minute=0, second=0, microsecond=0) - timedelta(days=1)


def _run_schedule(system: LocalSystem, console: Console, at: datetime) -> dict[str, Any]:
    """Send the schedule's event of this time; return the record of the import that it started and sent."""
    console.line(f"The schedule sends its event of {at:%Y-%m-%d %H:%M} UTC. SubmitImport reads the feed.")
    return _sent(system, console, system.fire_schedule(at).result(_TIMEOUT))


def _run_by_hand(system: LocalSystem, console: Console) -> dict[str, Any]:
    console.line("A person starts a run.")
    return _sent(system, console, system.invoke_async("SubmitImport", {"feed": "default"}).result(_TIMEOUT))


def _sent(system: LocalSystem, console: Console, outcome: InvocationResult) -> dict[str, Any]:
    """Return the record of the import that SubmitImport sent."""
    if outcome.failed:
        raise UnexpectedResultError(f"SubmitImport failed: {outcome.payload}")
    record = system.record(outcome.payload["importId"])
    if record is None or record.get("boardImportId") is None:
        raise UnexpectedResultError(f"nothing was sent: {outcome.payload}")
    console.line(f"It sent {record['jobs']} jobs in one import: {record['importId']}. The board accepted it.")
    return record


def _totals(record: Mapping[str, Any]) -> dict[str, int]:
    return {name: count for name, count in record["results"].items() if isinstance(count, int)}


def _failure(item: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return f"row {item['source']['row']}", item["referenceNumber"], item["title"], "; ".join(item["messages"])


def check(what: str, found: object, expected: object) -> None:
    """Raise UnexpectedResultError unless the two are equal."""
    if found != expected:
        raise UnexpectedResultError(f"{what}: {found}, not {expected}")
