"""`make serve`: the system left running, with its clock thirty times as fast, and its events printed as they happen."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from local import ROOT, cloudformation, sample_feed
from local.aws_account import REGION
from local.console import Console, counts
from local.system import API_KEY, LocalSystem

#: The poller's five minutes become ten seconds, the minute before a retry two seconds.
SPEED: Final = 30
EVENTS: Final = ROOT / "events"
_CHECK_SECONDS: Final = 0.5


def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    reached_as: str = "127.0.0.1",
    env_file: Path | None = None,
    parameters: Mapping[str, str] | None = None,
) -> None:
    """Run until Ctrl-C or SIGTERM.

    Args:
        folder: where the logs and the sample feeds go.
        host: what the servers bind to.
        reached_as: the address at which a container reaches this machine. A name would not do: boto3 would then ask
            for a bucket at bucket.name.
        env_file: receives the functions' environments, for `sam local invoke --env-vars`.
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
    with LocalSystem(
        folder=folder, speed=SPEED, poller=True, host=host, parameters=given, processing_seconds=2
    ) as system:
        _write_samples(folder)
        cloudformation.register_stack(system.stack, system.cloud)
        if env_file:
            env_file.write_text(json.dumps(environments(system, reached_as), indent=2))
        print(_welcome(system, folder), flush=True)
        _report_changes(system, console, done)


def environments(system: LocalSystem, reached_as: str) -> dict[str, dict[str, str]]:
    """Return each function's environment by logical id, for a container that reaches this machine at that address.

    They include AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_LAMBDA, which `sam local invoke` passes on only because the
    template declares them.
    """
    return {
        resource.logical_id: {
            name: value.replace("127.0.0.1", reached_as) if name != "CALLBACK_URL" else value
            for name, value in {**system.functions[resource.ref].variables, **system.endpoints()}.items()
        }
        for resource in system.stack.of_type("AWS::Lambda::Function")
    }


def _write_samples(folder: Path) -> None:
    """Write a feed to try, and the same feed a day later with its mistakes fixed."""
    rows = sample_feed.make_rows()
    (folder / "feed.json").write_text(json.dumps(sample_feed.SAMPLE_SETTINGS, indent=2))
    (folder / "jobs.csv").write_bytes(sample_feed.as_csv(sample_feed.break_three(rows)))
    (folder / "jobs-next-day.csv").write_bytes(sample_feed.as_csv(sample_feed.next_day(rows)))


def _report_changes(system: LocalSystem, console: Console, done: threading.Event) -> None:
    """Print each change of an import's state and each notice, until it is done."""
    states: dict[str, str] = {}
    notices = 0
    while not done.wait(_CHECK_SECONDS):
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
  Callbacks  {system.http_api.url}/callbacks
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

  # Lose the next callback or the next response; docs/sandbox.md has more faults.
  {faults} '{{"name": "no_callback"}}'
  {faults} '{{"name": "lost_response"}}'

What happens:
"""


def _path_from_here(path: Path) -> Path:
    """Shorten a path as one would type it in the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
