"""The commands of `jobferry`."""

import io
import shutil
import sys
import tempfile
import webbrowser
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from jobferry.cli import following, overview, pausing, retrying, scheduling, showing, suggesting
from jobferry.cli import validate as local_feed
from jobferry.cli.application import Call, app, command, local_command
from jobferry.cli.completion import A_FEED, AN_IMPORT
from jobferry.cli.outcomes import FINE, NEEDS_FIXING, exit_status, import_data, run_of, worst
from jobferry.cli.schedules import Schedule
from jobferry.cli.screen import answer, moment, say
from jobferry.cli.stack import Stack
from jobferry.errors import CannotBeDoneError
from jobferry.feeds.settings import FEED_NAME, check_feed_name
from jobferry.jobs.vocabulary import LISTED_TERMS, NOTHING_LISTED, Vocabulary
from jobferry.notices import report as reports
from jobferry.notices.advice.topics import ENDED
from jobferry.notices.details import read_details
from jobferry.notices.failures import NAMED
from jobferry.notices.view import ImportView
from jobferry.records.imports import IMPORT_ID, Import, timestamp
from jobferry.runs.triggers import parse_trigger
from jobferry.suggestion.terms import Terms
from jobferry.text import one_line

_FILE: Final = click.Path(path_type=Path)
_feed = click.argument("feed", type=A_FEED)
_import_id = click.argument("import_id", type=AN_IMPORT)
_wait = click.option("--wait", is_flag=True, help="Follow the import until it ends.")


@local_command
@click.argument("path", type=_FILE)
@click.option(
    "--settings", type=_FILE, metavar="FILE", help="The feed's settings. For a folder, its feed.json by default."
)
@click.option(
    "--board",
    metavar="HOST",
    help=f"Also warn of terms that this board does not list: {' or '.join(LISTED_TERMS)}.",
)
@click.option(
    "--show",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="Show this many of the first jobs as they would be sent. With --json, 50 by default.",
)
def validate(call: Call, path: Path, settings: Path | None, board: str | None, show: int | None) -> int:
    """Check a feed's files on this machine.

    Says what would be sent, and what to fix in which row. PATH is a file, or a folder with the files that would be in
    feeds/FEED/ and their feed.json. Needs no AWS.

    \b
    Examples:
      jobferry validate jobs.csv
      jobferry validate exports/ --board www.locumjobsonline.com
    """
    vocabulary = _vocabulary(board) if board else NOTHING_LISTED
    return local_feed.check(path, settings, vocabulary, show, as_json=call.as_json)


@local_command
@click.argument("path", type=_FILE)
@click.option(
    "--write", is_flag=True, help="Save the settings as feed.json beside the feed, but never over an existing one."
)
@click.option("--board", metavar="HOST", help=f"Use only this board's lists of terms: {' or '.join(LISTED_TERMS)}.")
def suggest(call: Call, path: Path, board: str | None, *, write: bool) -> int:
    """Propose a feed.json for an export.

    Gives the reason for each setting, and says what is left for you to decide. PATH is a file, or a folder with the files of a feed.
    Needs no AWS.

    \b
    Examples:
      jobferry suggest jobs.csv
      jobferry suggest exports/ --write
    """
    terms = Terms([_vocabulary(board)]) if board else Terms()
    found = suggesting.read(path, terms)
    file = suggesting.settings_file(path) if write else None
    if file:
        suggesting.save(found, file)
    if call.as_json:
        answer(suggesting.data(found, file))
    else:
        say(*suggesting.lines(found, path, file))
    return FINE if "referenceNumber" in found.fields else NEEDS_FIXING


def _vocabulary(board: str) -> Vocabulary:
    if board not in LISTED_TERMS:
        raise CannotBeDoneError(f"{board} has no lists of terms that jobferry knows. Use {' or '.join(LISTED_TERMS)}")
    return LISTED_TERMS[board]


@command
@click.argument("feeds", nargs=-1, type=A_FEED, metavar="[FEED]...")
def status(call: Call, feeds: tuple[str, ...]) -> int:
    """Show the state of the feeds.

    All of them, or those that you name. For each one: what runs, how the last run ended, how many postings may be on the board, and when it runs next.

    \b
    Examples:
      jobferry status
      jobferry status nurses --json
    """
    stack = call.stack()
    for feed in feeds:
        stack.require_feed(feed)
    chosen = feeds or [each for each in stack.bucket.feeds() if FEED_NAME.fullmatch(each)]
    found = overview.look(stack, chosen, datetime.now(UTC))
    if call.as_json:
        answer(overview.data(found))
    elif found:
        say(*overview.lines(found, stack))
    else:
        say(f"There is no feed yet: put an export into s3://{stack.bucket_name}/feeds/default/")
    return max((each.exit_status for each in found), default=FINE)


@command
@_feed
@click.option("--dry-run", is_flag=True, help="Only say what would happen. Nothing is sent.")
@_wait
def submit(call: Call, feed: str, *, dry_run: bool, wait: bool) -> int:
    """Run a feed now.

    \b
    Examples:
      jobferry submit default --dry-run
      jobferry submit default --wait
    """
    stack = call.stack()
    stack.require_feed(feed)
    if dry_run:
        return _preview(call, stack.ask({"feed": feed, "dryRun": True}))
    return _start(call, stack, {"feed": feed}, wait=wait)


@command
@_feed
@click.argument("code")
@click.option("--fields", is_flag=True, help="The code confirms fields that most jobs have lost.")
@_wait
def confirm(call: Call, feed: str, code: str, *, fields: bool, wait: bool) -> int:
    """Run a feed now, and confirm what its last notice withheld.

    CODE is in the notice. It confirms a list of deletions or, with --fields, that most jobs have lost some fields. If
    the list has changed since, nothing is sent.

    \b
    Examples:
      jobferry confirm default K7QD-3M2A-XW9P-5TRB --wait
      jobferry confirm default 4QXE-W2NA-8KPT-M3DZ --fields
    """
    stack = call.stack()
    stack.require_feed(feed)
    name = "confirmFields" if fields else "confirmDeletes"
    return _start(call, stack, {"feed": feed, name: code}, wait=wait)


@command
@click.argument("what", metavar="[IMPORT_ID|FEED]", required=False, type=A_FEED)
def watch(call: Call, what: str | None) -> int:
    """Follow imports until they end.

    One import, those of a feed, or all that are open.

    \b
    Examples:
      jobferry watch
      jobferry watch default
    """
    stack = call.stack()
    if what is None:
        chosen = [each.import_id for each in stack.table.open_records().imports]
    elif IMPORT_ID.fullmatch(what):
        chosen = [what]
    else:
        stack.require_feed(what)
        chosen = stack.table.get_feed(what).open_imports
    if not chosen and not call.as_json:
        say("Nothing is open.")
    return _follow(call, stack, chosen)


@command
@_feed
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=20,
    help="Show this many, the newest first. Without it, 20.",
)
def history(call: Call, feed: str, limit: int) -> int:
    """List the imports of a feed, one per line.

    \b
    Example:
      jobferry history default --limit 5
    """
    stack = call.stack()
    check_feed_name(feed)
    records = list(islice(stack.table.history(feed), limit))
    if call.as_json:
        answer({"feed": feed, "imports": [import_data(each) for each in records]})
    elif records:
        say(*showing.history(records))
    else:
        stack.require_feed(feed)
        say(f"{feed} never ran.")
    return FINE


@command
@_import_id
@click.option("--all", "everything", is_flag=True, help="Show every failed job, however many there are.")
def show(call: Call, import_id: str, *, everything: bool) -> int:
    """Show an import and its failed jobs.

    Says what happened, what to do, and where in the feed each failed job is.

    \b
    Example:
      jobferry show default-20261124T070000Z
    """
    stack = call.stack()
    record = stack.require_import(import_id)
    run = run_of(record, stack.table)
    with read_details(stack.table, record) as details:
        if call.as_json:
            answer(showing.data(details, run, stack))
        else:
            for line in showing.describe(details, run, stack, None if everything else NAMED):
                say(line)
    return exit_status(worst(run))


@command
@_import_id
@click.option("--csv", is_flag=True, help="Write the table of failed jobs instead of the page.")
@click.option(
    "--output", "-o", "file", type=_FILE, metavar="FILE", help="Where to write it. Without it, IMPORT_ID.html or .csv."
)
@click.option("--open", "browser", is_flag=True, help="Open it in the browser.")
def report(call: Call, import_id: str, *, csv: bool, file: Path | None, browser: bool) -> int:
    """Write the report of an import into a file.

    \b
    Examples:
      jobferry report default-20261124T070000Z --open
      jobferry report default-20261124T070000Z --csv -o failed.csv
    """
    stack = call.stack()
    record = stack.require_import(import_id)
    if record.state not in ENDED:
        raise CannotBeDoneError(f"{import_id} is {record.state}: it has a report when it has ended")
    path = file or Path(f"{import_id}.{'csv' if csv else 'html'}")
    with read_details(stack.table, record) as details, tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        files = reports.write(ImportView.of(details, stack.commands), stack.bucket, Path(directory))
        shutil.copyfile(files.csv if csv else files.html, path)
    if call.as_json:
        answer({"importId": import_id, "file": str(path)})
    else:
        say(f"The report is in {one_line(path, 400)}.")
    if browser and not webbrowser.open(path.resolve().as_uri()):
        say("No browser could be opened: open the file yourself.")
    return FINE


@command
@_import_id
@click.argument("corrected", type=_FILE, metavar="[JOBS_FILE]", required=False)
@click.option("--export", type=_FILE, metavar="FILE", help="Write the jobs that the board refused into a new file.")
@_wait
def retry(call: Call, import_id: str, corrected: Path | None, export: Path | None, *, wait: bool) -> int:
    """Send corrected jobs again, and only those.

    First, --export writes the jobs that the board refused into a file. Correct them there, and give the file as
    JOBS_FILE. Nothing is deleted.

    \b
    Examples:
      jobferry retry default-20261124T070000Z --export fix.jsonl
      jobferry retry default-20261124T070000Z fix.jsonl --wait
    """
    if (corrected is None) is (export is None):
        raise CannotBeDoneError(
            f"either `--export FILE`, or a corrected file: jobferry{call.options} retry {import_id} --export fix.jsonl"
        )
    stack = call.stack()
    record = stack.require_import(import_id)
    if export is not None:
        return _export(call, stack, record, export)
    assert corrected is not None  # noqa: S101  # one of both is there
    retrying.require_retryable(record, stack)
    with retrying.checked(corrected, record, stack) as (payload, settings):
        if payload.invalid:
            if not call.as_json:
                say("Nothing was sent: fix these first.", "")
            return local_feed.print_result(payload, settings, as_json=call.as_json)
    started = retrying.submit(corrected, record, stack, datetime.now(UTC))
    if not call.as_json:
        say("Correct them in your own system, too: the next run sends what its export has.")
    return _started(call, stack, started, wait=wait)


@command
@_feed
def pause(call: Call, feed: str) -> int:
    """Stop sending a feed until you resume it.

    \b
    Example:
      jobferry pause default
    """
    return _set_paused(call, feed, paused=True)


@command
@_feed
def resume(call: Call, feed: str) -> int:
    """Resume a paused feed, from its next run on.

    \b
    Example:
      jobferry resume default
    """
    return _set_paused(call, feed, paused=False)


@command
@_feed
@click.argument("when")
@click.option("--timezone", metavar="NAME", help="An IANA time zone. Without it, the stack's.")
def schedule(call: Call, feed: str, when: str, timezone: str | None) -> int:
    """Set when a feed runs by itself.

    WHEN is an EventBridge Scheduler expression, in quotation marks. The stack's own feed (DefaultFeed) has its schedule
    in the stack's parameters instead.

    \b
    Examples:
      jobferry schedule nurses 'cron(0 3 * * ? *)' --timezone America/New_York
      jobferry schedule nurses 'rate(6 hours)'
    """
    stack = call.stack()
    stack.require_feed(feed)
    return _scheduled(call, feed, scheduling.set_schedule(stack, feed, when, timezone))


@command
@_feed
def unschedule(call: Call, feed: str) -> int:
    """Remove the schedule of a feed.

    It then runs only when a person starts it.

    \b
    Example:
      jobferry unschedule nurses
    """
    stack = call.stack()
    scheduling.remove_schedule(stack, check_feed_name(feed))
    return _scheduled(call, feed, None)


# What several commands do


def _start(call: Call, stack: Stack, event: dict[str, Any], *, wait: bool) -> int:
    """Start a run with the current time to the microsecond, so that its import's id is unique and known in advance."""
    now = datetime.now(UTC)
    event |= {"requestedAt": timestamp(now)}
    import_id = parse_trigger(event, now).import_id
    stack.start(event)
    return _started(call, stack, import_id, wait=wait)


def _started(call: Call, stack: Stack, import_id: str, *, wait: bool) -> int:
    if wait:
        return _follow(call, stack, [import_id])
    if call.as_json:
        answer({"importId": import_id})
    else:
        say(f"Started {import_id}.", f"To follow it: {stack.command(f'watch {import_id}')}")
    return FINE


def _follow(call: Call, stack: Stack, import_ids: list[str]) -> int:
    records = following.follow(import_ids, stack.table, call.progress(), now=lambda: datetime.now(UTC))
    result = max(map(exit_status, records), default=FINE)
    if call.as_json:
        answer({"imports": [import_data(each) for each in records]})
    else:
        for record in records:
            if exit_status(record) != FINE:
                say(f"What to do: {stack.command(f'show {record.import_id}')}")
    return result


def _preview(call: Call, found: dict[str, Any]) -> int:
    if call.as_json:
        answer(found)
    else:
        say(*showing.preview(found))
    return NEEDS_FIXING if found.get("reason") or found.get("invalid") or found.get("withheldDeletes") else FINE


def _export(call: Call, stack: Stack, record: Import, path: Path) -> int:
    done = retrying.export(record, stack, path)
    if call.as_json:
        answer({"importId": record.import_id, "file": str(path)} | retrying.data(done))
    else:
        say(*retrying.lines(done, record, stack, path))
    return FINE


def _set_paused(call: Call, feed: str, *, paused: bool) -> int:
    stack = call.stack()
    stack.require_feed(feed)
    had_settings = stack.table.get_feed(feed).secret is not None
    changed = pausing.set_paused(stack.s3, stack.bucket_name, feed, paused=paused, had_settings=had_settings)
    if call.as_json:
        answer({"feed": feed, "paused": paused, "changed": changed})
    elif paused:
        resume = stack.command(f"resume {feed}")
        say(f"{feed} is paused{'' if changed else ' already'}: nothing is sent until `{resume}`.")
    else:
        say(f"{feed} {'is sent again, from its next run on' if changed else 'is not paused'}.")
    return FINE


def _scheduled(call: Call, feed: str, own: Schedule | None) -> int:
    next_run = own.next_run(datetime.now(UTC)) if own else None
    if call.as_json:
        answer({"feed": feed} | overview.schedule_data(own, next_run))
    elif own is None:
        say(f"{feed} runs only when a person starts it: jobferry{call.options} submit {feed}")
    else:
        first = f"next at {moment(next_run)} UTC" if next_run else own.words()
        say(f"{feed} runs by itself, {one_line(first, 200)}.")
    return FINE


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may have fewer characters than a feed
    app(prog_name="jobferry")
