"""The commands of `jobferry`."""

import inspect
import io
import shlex
import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from jobferry.cli import following, overview, pausing, retrying, scheduling, showing
from jobferry.cli import validate as local_feed
from jobferry.cli.faults import FAULTS, words
from jobferry.cli.outcomes import CANNOT, FINE, NEEDS_FIXING, exit_status, import_data, run_of, worst
from jobferry.cli.schedules import Schedule
from jobferry.cli.screen import answer, complain, moment, say, text
from jobferry.cli.stack import Stack, find
from jobferry.errors import CannotBeDoneError
from jobferry.feeds.settings import FEED_NAME, check_feed_name
from jobferry.jobs.vocabulary import LISTED_TERMS, NOTHING_LISTED
from jobferry.notices import report as reports
from jobferry.notices.advice.topics import ENDED
from jobferry.notices.details import read_details
from jobferry.notices.failures import NAMED
from jobferry.notices.view import ImportView
from jobferry.records.imports import IMPORT_ID, Import, timestamp
from jobferry.runs.triggers import parse_trigger
from jobferry.text import counted, one_line

app = typer.Typer(
    name="jobferry",
    help="Feeds of jobs, and what came of their imports.",
    epilog="Exit status: 0 all is well, 1 something needs a fix or did not work, 2 it cannot be done.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they would show what variables hold
    context_settings={"help_option_names": ["-h", "--help"]},
)

StackName = Annotated[
    str | None, typer.Option("--stack", metavar="NAME", help="The stack [env: JOBFERRY_STACK] [default: jobferry]")
]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="AWS credentials [env: AWS_PROFILE]")]
Region = Annotated[str | None, typer.Option("--region", metavar="NAME", help="AWS region [env: AWS_REGION]")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]
FeedName = Annotated[str, typer.Argument(metavar="FEED", help="Its name.", show_default=False)]
ImportId = Annotated[
    str, typer.Argument(metavar="IMPORT_ID", help="Such as default-20261124T020000Z.", show_default=False)
]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it until it ends.")]


@dataclass(frozen=True)
class Call:
    """How the command line was called.

    Attributes:
        name: the stack's name.
        profile: the AWS profile.
        region: the AWS region.
        options: the ones of these three that were typed, as they would be typed again.
        as_json: a program reads the answer.
    """

    name: str
    profile: str | None
    region: str | None
    options: str
    as_json: bool

    def stack(self) -> Stack:
        """Find the stack. Raise CannotBeDoneError and AWS's own errors."""
        return replace(find(self.name, self.profile, self.region), options=self.options)

    def progress(self) -> following.Progress:
        """Write progress where the answer does not go."""
        return following.Progress(sys.stderr if self.as_json else sys.stdout, terminal=sys.stderr.isatty())


@app.callback()
def _place(
    context: typer.Context,
    stack: Annotated[
        str,
        typer.Option("--stack", envvar="JOBFERRY_STACK", metavar="NAME", help="The stack's name in CloudFormation."),
    ] = "jobferry",
    profile: Annotated[
        str | None, typer.Option("--profile", envvar="AWS_PROFILE", metavar="NAME", help="Of AWS's credentials.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", envvar="AWS_REGION", metavar="NAME", help="Of AWS.")] = None,
) -> None:
    place = {"stack": stack, "profile": profile, "region": region}
    # What comes from the environment is also there where a command is pasted.
    typed = {
        name: value
        for name, value in place.items()
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }
    context.obj = (place, typed)


_SHARED: Final = {"stack": StackName, "profile": Profile, "region": Region, "as_json": AsJson}


def command(function: Callable[..., int]) -> Callable[..., NoReturn]:
    """Make a command of a function that takes a Call and returns the exit status.

    The options that all commands share may stand before the command's name and after it.
    """

    def run(context: typer.Context, **arguments: Any) -> NoReturn:
        before, typed = context.obj
        after = {name: value for name in before if (value := arguments.pop(name))}
        options = "".join(f" --{name} {shlex.quote(value)}" for name, value in (typed | after).items() if value)
        stack, profile, region = (before | after).values()
        call = Call(stack, profile, region, options, as_json=arguments.pop("as_json"))
        try:
            status = function(call, **arguments)
        except FAULTS as error:
            if call.as_json:
                answer({"error": words(error)})
            complain(words(error))
            status = CANNOT
        raise typer.Exit(status)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword, default = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    shared = [
        inspect.Parameter(name, keyword, default=False if name == "as_json" else None, annotation=kind)
        for name, kind in _SHARED.items()
    ]
    parameters = [inspect.Parameter("context", default, annotation=typer.Context)]
    parameters += [each.replace(kind=keyword) for each in own] + shared
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return app.command()(run)


@command
def validate(
    call: Call,
    path: Annotated[Path, typer.Argument(help="A file, or a folder that is what feeds/FEED/ is to be.")],
    settings: Annotated[Path | None, typer.Option(help="The feed's settings; of a folder, its feed.json.")] = None,
    board: Annotated[
        str | None,
        typer.Option(
            metavar="HOST", help=f"Also warn of terms that this board does not list: {' or '.join(LISTED_TERMS)}."
        ),
    ] = None,
    show: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Show the first N jobs as they would be sent; --json shows 50."),
    ] = None,
) -> int:
    """Check a feed's files on this machine.

    Says what would be sent, and what to fix in which row. Needs no AWS.
    """
    if board is not None and board not in LISTED_TERMS:
        raise CannotBeDoneError(f"{board} has no lists that jobferry knows; these have: {', '.join(LISTED_TERMS)}")
    vocabulary = LISTED_TERMS[board] if board else NOTHING_LISTED
    return local_feed.check(path, settings, vocabulary, show, as_json=call.as_json)


@command
def status(
    call: Call,
    feeds: Annotated[list[str] | None, typer.Argument(metavar="[FEED]...", help="All, if none is named.")] = None,
) -> int:
    """How the feeds are.

    What runs, what the last run came to, how much may be on the board, when the next run is.
    """
    stack = call.stack()
    for feed in feeds or []:
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
def submit(
    call: Call,
    feed: FeedName,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen. Nothing is sent.")] = False,
    wait: Wait = False,
) -> int:
    """Run a feed now."""
    stack = call.stack()
    stack.require_feed(feed)
    if dry_run:
        return _preview(call, stack.ask({"feed": feed, "dryRun": True}))
    return _start(call, stack, {"feed": feed}, wait=wait)


@command
def confirm(
    call: Call,
    feed: FeedName,
    code: Annotated[str, typer.Argument(help="The code of the notice.")],
    fields: Annotated[bool, typer.Option("--fields", help="The code confirms fields that are gone.")] = False,
    wait: Wait = False,
) -> int:
    """Run a feed now, and confirm what its last notice withheld.

    The notice has the code. It confirms a list of deletions or, with --fields, that most jobs have lost these fields. If the list of deletions or fields has changed since, nothing is sent.
    """
    stack = call.stack()
    stack.require_feed(feed)
    name = "confirmFields" if fields else "confirmDeletes"
    return _start(call, stack, {"feed": feed, name: code}, wait=wait)


@command
def watch(
    call: Call,
    what: Annotated[
        str | None,
        typer.Argument(metavar="[IMPORT_ID|FEED]", help="All that is open, if nothing is named.", show_default=False),
    ] = None,
) -> int:
    """Follow imports until they end."""
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
def history(
    call: Call,
    feed: FeedName,
    limit: Annotated[int, typer.Option(min=1, help="So many, the newest first.")] = 20,
) -> int:
    """The imports of a feed."""
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
def show(
    call: Call,
    import_id: ImportId,
    everything: Annotated[bool, typer.Option("--all", help="Every failed job, however many.")] = False,
) -> int:
    """All about an import.

    What happened, what to do, and each job that failed, with its place in the feed.
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
def report(
    call: Call,
    import_id: ImportId,
    csv: Annotated[bool, typer.Option("--csv", help="The table of failed jobs instead of the page.")] = False,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to. [default: IMPORT_ID.html or .csv]")
    ] = None,
    browser: Annotated[bool, typer.Option("--open", help="Open it.")] = False,
) -> int:
    """Write the report of an import into a file."""
    stack = call.stack()
    record = stack.require_import(import_id)
    if record.state not in ENDED:
        raise CannotBeDoneError(f"{import_id} is {record.state}: there is a report of what has ended")
    path = file or Path(f"{import_id}.{'csv' if csv else 'html'}")
    with read_details(stack.table, record) as details, tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
        files = reports.write(ImportView.of(details, stack.commands), stack.bucket, Path(directory))
        shutil.copyfile(files.csv if csv else files.html, path)
    if call.as_json:
        answer({"importId": import_id, "file": str(path)})
    else:
        say(f"The report is in {one_line(path, 400)}.")
    if browser:
        webbrowser.open(path.resolve().as_uri())
    return FINE


@command
def retry(
    call: Call,
    import_id: ImportId,
    corrected: Annotated[
        Path | None, typer.Argument(metavar="[JOBS_FILE]", help="What --export wrote, corrected.", show_default=False)
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the jobs that the board refused into a new file.")
    ] = None,
    wait: Wait = False,
) -> int:
    """Send corrected jobs again, and only those.

    First --export writes the jobs that the board refused into a file. Fix it, and give it instead. Nothing is deleted.
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
        say("Fix them where your export takes them from, too: the next run sends what it has.")
    return _started(call, stack, started, wait=wait)


@command
def pause(call: Call, feed: FeedName) -> int:
    """Send nothing of a feed until it is resumed."""
    return _set_paused(call, feed, paused=True)


@command
def resume(call: Call, feed: FeedName) -> int:
    """Send a paused feed again."""
    return _set_paused(call, feed, paused=False)


@command
def schedule(
    call: Call,
    feed: FeedName,
    expression: Annotated[
        str, typer.Argument(metavar="WHEN", help="Such as 'cron(0 3 * * ? *)', as EventBridge Scheduler writes it.")
    ],
    timezone: Annotated[
        str | None, typer.Option(metavar="NAME", help="IANA's, such as America/New_York. [default: the stack's]")
    ] = None,
) -> int:
    """Have a feed run by itself, or at another time.

    The feed of the stack's own schedule is not scheduled here, but by the stack's parameters.
    """
    stack = call.stack()
    stack.require_feed(feed)
    return _scheduled(call, feed, scheduling.set_schedule(stack, feed, expression, timezone))


@command
def unschedule(call: Call, feed: FeedName) -> int:
    """Have a feed run only when somebody starts it."""
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
    jobs = [
        {
            "line": line,
            "referenceNumber": each.job.reference_number,
            "title": each.job.title,
            "messages": each.job.messages,
            "toMend": each.own_messages,
        }
        for line, each in enumerate(done.jobs, 1)
    ]
    if call.as_json:
        rest = {"heldBack": done.held_back, "notNamed": done.unnamed}
        answer({"importId": record.import_id, "file": str(path), "jobs": jobs} | rest)
        return FINE
    say(f"{counted(len(done.jobs), 'job')} in {one_line(path, 400)}, each in its line:", "")
    for number, each in enumerate(done.jobs, 1):
        name = ", ".join(filter(None, (each.job.reference_number, each.job.title))) or "no reference number"
        say(
            *text(name, "        ", f"  {number:>4}  "),
            *text("; ".join(each.own_messages or each.job.messages), "        "),
        )
    say("")
    if done.held_back:
        say(f"{counted(done.held_back, 'job')} held back before sending: not in the archive, fix them in the export.")
    if done.unnamed:
        say(f"{counted(done.unnamed, 'job')} of which the board does not say which: look at `{stack.command('show')}`.")
    say(f"Fix the file, then: {stack.command(f'retry {record.import_id} {one_line(path, 400)}')}")
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
        say(f"{feed} runs only when somebody starts it: jobferry{call.options} submit {feed}")
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
