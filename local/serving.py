"""`make serve`: the system left running, with its clock thirty times as fast, and its events printed as they happen."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, Final

from local import cloudformation, containers, sample_feed
from local.aws_account import REGION
from local.console import Console, counts
from local.containers import EVENTS
from local.system import API_KEY, LocalSystem

#: The poller's five minutes become ten seconds, the minute before a retry two seconds.
SPEED: Final = 30
#: An event for each function, to begin with.
_FIRST_EVENTS: Final = {
    "SubmitImportFunction": "submit-resume",
    "ReceiveCallbackFunction": "callback",
    "PublishNoticeFunction": "notice-complete",
    "PollImportsFunction": "poll",
}
_CHECK_SECONDS: Final = 0.5


def serve(
    folder: Path,
    *,
    parameters: Mapping[str, str] | None = None,
) -> None:
    """Run until Ctrl-C or SIGTERM.

    Args:
        folder: where the logs, the sample feeds and the environments for `sam local invoke` go.
        parameters: of the template.
    """
    done = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        done.set()

    signal.signal(signal.SIGINT, finish)
    signal.signal(signal.SIGTERM, finish)
    console = Console()
    console.line("Starting. Press Ctrl-C to stop.")
    given = {"ImportOnUpload": "true", **(parameters or {})}
    gateway = containers.docker_gateway()
    with ExitStack() as systems:
        system = systems.enter_context(
            LocalSystem(folder=folder, speed=SPEED, poller=True, parameters=given, processing_seconds=2)
        )
        _write_samples(folder)
        cloudformation.register_stack(system.stack, system.cloud)
        reports = [_Report(system, console)]
        print(_welcome(system, folder), flush=True)
        if gateway:
            own = systems.enter_context(containers.container_system(folder / "containers", gateway))
            print(_welcome_to_containers(own, folder, gateway), flush=True)
            reports.append(_Report(own, console, "in the containers' system, "))
        else:
            print(_NO_CONTAINERS, flush=True)
        print("What happens:", flush=True)
        while not done.wait(_CHECK_SECONDS):
            for report in reports:
                report.changes()


def _write_samples(folder: Path) -> None:
    """Write a feed to try, and the same feed a day later with its mistakes fixed."""
    rows = sample_feed.make_rows()
    (folder / "feed.json").write_text(json.dumps(sample_feed.SAMPLE_SETTINGS, indent=2))
    (folder / "jobs.csv").write_bytes(sample_feed.as_csv(sample_feed.break_three(rows)))
    (folder / "jobs-next-day.csv").write_bytes(sample_feed.as_csv(sample_feed.next_day(rows)))


class _Report:
    """Prints each change of an import's state and each notice of one system."""

    def __init__(self, system: LocalSystem, console: Console, where: str = "") -> None:
        self._system = system
        self._console = console
        self._where = where
        # What is there from the start is not news.
        self._states = {record["importId"]: record["state"] for record in system.imports()}
        self._notices = 0

    def changes(self) -> None:
        """Print what is new since the last call."""
        for record in self._system.imports():
            import_id, state = record["importId"], record["state"]
            if self._states.get(import_id) != state:
                self._states[import_id] = state
                self._console.line(f"{self._where}{import_id} is {state}{_detail(record)}.")
        for notice in self._system.notices()[self._notices :]:
            self._notices += 1
            self._console.notice(notice)


def _detail(record: Mapping[str, Any]) -> str:
    if record["state"] == "complete":
        return f", by {record['settledBy']}: {counts(record)}"
    return f": {record['reason']}" if record.get("reason") else ""


def _welcome(system: LocalSystem, folder: Path) -> str:
    bucket = system.stack.resource("FeedsBucket").ref
    feed = f"s3://{bucket}/feeds/default"
    jobferry = _path_from_here(Path(sys.executable).with_name("jobferry"))
    faults = f"curl {system.board.origin}/_sandbox/faults -d"
    invoke = f"aws lambda invoke --function-name {system.stack.name}"
    variables = {
        **system.endpoints(),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
    }
    return f"""
  Board      {system.board.origin}/
  Its API    {system.board.url}, with the key {API_KEY}
  AWS        {system.cloud.url}, by moto; the bucket is {bucket}
  Callbacks  {system.http_api.url}/callbacks/{{importId}}
  Logs       {folder / "logs"}

In another terminal, set these variables for the AWS CLI and for jobferry (docs/command-line.md):

{"\n".join(f"  export {name}={value}" for name, value in variables.items())}

Then try these commands:

  # Put a feed into the bucket, which starts an import: 200 jobs, three of them with a mistake.
  aws s3 cp {folder / "feed.json"} {feed}/feed.json
  aws s3 cp {folder / "jobs.csv"} {feed}/jobs.csv
  {jobferry} watch default
  {jobferry} history default

  # Put the next day's export: the mistakes are fixed, some jobs are new, changed or gone.
  aws s3 cp {folder / "jobs-next-day.csv"} {feed}/jobs.csv
  {jobferry} watch default

  # Run the feed yourself.
  {jobferry} submit default --dry-run
  {jobferry} submit default --wait

  # Send the schedule's event. Run the poller, which also runs every ten seconds.
  {invoke}-SubmitImport --payload fileb://{_path_from_here(EVENTS / "submit-scheduled.json")} /dev/stdout
  {invoke}-PollImports /dev/stdout

  # Lose the next callback: the poller gets the result. docs/sandbox.md has more faults.
  {faults} '{{"name": "no_callback"}}'

  # Lose the board's next answer: SubmitImport fails, as expected, and Lambda retries it after two seconds.
  {faults} '{{"name": "lost_response"}}'

  # Call back as an outsider, without a token: the answer is 403.
  curl -i -X POST {system.http_api.url}/callbacks/default-20261124T070000Z -d '{{}}'

"""


_NO_CONTAINERS: Final = """\
To run each function in a Lambda container, start Docker's engine (on Linux), then this again.
"""


def _welcome_to_containers(system: LocalSystem, folder: Path, gateway: str) -> str:
    env_file = folder / "containers.json"
    env_file.write_text(json.dumps(containers.environments(system, gateway), indent=2))
    options = containers.sam_options(env_file)
    commands = [
        containers.invocation(function, _path_from_here(EVENTS / f"{event}.json"), options)
        for function, event in _FIRST_EVENTS.items()
    ]
    return f"""\
Or run one function at a time in a Lambda container. Containers use a second system, in which nothing runs by itself.
events/README.md lists the events in order, with the expected answers.

  make build

{"\n\n".join(f"  {command}" for command in commands)}

  # Serve the callback route. Imports that you send meanwhile get their callback there.
  {containers.start_api(options)}
"""


def _path_from_here(path: Path) -> Path:
    """Shorten a path as one would type it in the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
