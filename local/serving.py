"""`make serve`: the system left running, with its clock thirty times as fast, and its events printed as they happen."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

from local import cloudformation, sample_feed
from local.aws_account import REGION
from local.commands import SCHEDULED
from local.console import Console, counts
from local.system import API_KEY, LocalSystem

#: The poller's five minutes become ten seconds, a retry's minute two.
SPEED: Final = 30
_LOOK_SECONDS: Final = 0.5


def serve(
    folder: Path,
    python: str,
    *,
    host: str = "127.0.0.1",
    reached_as: str = "127.0.0.1",
    env_file: Path | None = None,
    parameters: Mapping[str, str] | None = None,
) -> None:
    """Run until Ctrl-C or SIGTERM.

    Args:
        folder: of the logs, of sample files, and of what `local.commands` needs to know.
        python: how the person calls the interpreter, for the commands shown.
        host: what the servers bind to.
        reached_as: how a container reaches this machine; an address, since S3 is asked at bucket.name otherwise.
        env_file: gets the functions' environments, for `sam local invoke --env-vars`.
        parameters: of the template.
    """
    done = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        done.set()

    signal.signal(signal.SIGINT, finish)
    signal.signal(signal.SIGTERM, finish)
    console = Console()
    console.line("Starting. Ctrl-C ends it.")
    given = {"ImportOnUpload": "true", **(parameters or {})}
    with LocalSystem(
        folder=folder, speed=SPEED, poller=True, host=host, parameters=given, processing_seconds=2
    ) as system:
        _write_samples(folder)
        cloudformation.register_stack(system.stack, system.cloud)
        state = folder / "serve.json"
        state.write_text(json.dumps(_state(system), indent=2))
        if env_file:
            env_file.write_text(json.dumps(environments(system, reached_as), indent=2))
        print(_welcome(system, folder, python), flush=True)
        try:
            _tell(system, console, done)
        finally:
            state.unlink()


def environments(system: LocalSystem, reached_as: str) -> dict[str, dict[str, str]]:
    """The environment of each function by its logical id, for a container that reaches this machine by that name.

    SAM's CLI passes on only variables that its template declares: AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_LAMBDA, too.
    """
    return {
        resource.logical_id: {
            name: value.replace("127.0.0.1", reached_as) if name != "CALLBACK_URL" else value
            for name, value in {**system.functions[resource.ref].variables, **system.endpoints()}.items()
        }
        for resource in system.stack.of_type("AWS::Lambda::Function")
    }


def _state(system: LocalSystem) -> dict[str, Any]:
    return {
        "cloudPort": system.cloud.port,
        "lambda": system.lambda_api.url,
        "bucket": system.stack.resource("FeedsBucket").ref,
        "table": system.stack.resource("ImportsTable").ref,
        "submit": system.functions["SubmitImport"].arn,
        "schedule": system.schedule_event(datetime.fromisoformat(SCHEDULED)),
        "poll": system.poll_event(),
    }


def _write_samples(folder: Path) -> None:
    """A feed to try, and the same mended a day later."""
    for name, rows in (
        ("first", sample_feed.break_three(sample_feed.make_rows())),
        ("mended", sample_feed.next_day(sample_feed.make_rows())),
    ):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "feed.json").write_text(json.dumps(sample_feed.SETTINGS, indent=2))
        (folder / name / "jobs.csv").write_bytes(sample_feed.as_csv(rows))


def _tell(system: LocalSystem, console: Console, done: threading.Event) -> None:
    """Tell each change of an import's state and each notice, until it is done."""
    states: dict[str, str] = {}
    notices = 0
    while not done.wait(_LOOK_SECONDS):
        for record in system.imports():
            import_id, state = record["importId"], record["state"]
            if states.get(import_id) != state:
                states[import_id] = state
                console.line(f"{import_id} is {state}{_detail(record)}.")
        for notice in system.notices()[notices:]:
            notices += 1
            console.notice(notice)


def _detail(record: Mapping[str, Any]) -> str:
    if record["state"] == "complete":
        return f", by {record['settledBy']}: {counts(record)}"
    return f": {record['reason']}" if record.get("reason") else ""


def _welcome(system: LocalSystem, folder: Path, python: str) -> str:
    local = f"{python} -m local"
    faults = f"curl {system.board.origin}/_sandbox/faults -d"
    bucket = system.stack.resource("FeedsBucket").ref
    places = {
        "The board": f"{system.board.origin}/",
        "its API": f"{system.board.url}, with the key {API_KEY}",
        "AWS": f"{system.cloud.url}, by moto; the bucket is {bucket}",
        "Callbacks": f"{system.http_api.url}/callbacks",
        "Logs": f"{folder / 'logs'}",
    }
    commands = {
        f"{local} put {folder / 'first'}": "put a feed into the bucket, which runs it: 200 jobs, three with a slip",
        f"{local} put {folder / 'mended'}": "the same a day later, mended; or put files of your own",
        f"{local} run": "run the feed as a person would; --dry-run, --confirm-deletes CODE",
        f"{local} schedule": "fire the schedule's event",
        f"{local} poll": "run the poller, which also runs every ten seconds",
        f"{local} imports": "every import and its result; with an id, its record and failed jobs",
        f"""{faults} '{{"name": "no_callback"}}'""": "the next callback gets lost",
        f"""{faults} '{{"name": "lost_response"}}'""": "the next answer does; more in docs/sandbox.md",
    }
    tools = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
    exports = [f"  export {name}={value}" for name, value in (system.endpoints() | tools).items()]
    shell = ["For `jobferry`, the command line, and the AWS CLI (docs/command-line.md):", "", *exports]
    lines = [
        "",
        *_columns(places),
        "",
        "In another terminal:",
        "",
        *_columns(commands),
        "",
        *shell,
        "",
        "What happens:",
        "",
    ]
    return "\n".join(lines)


def _columns(rows: Mapping[str, str]) -> list[str]:
    width = max(map(len, rows))
    return [f"  {left:{width}}  {right}" for left, right in rows.items()]
