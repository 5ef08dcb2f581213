"""Run every event of events/ with `sam local invoke`, as events/README.md says: `make sam-local`.

The commands are those that `make serve` prints. Each answer, and what the function's log says, is compared with the
page. At the end, `sam local start-api` receives a callback.

If no Docker engine is running, the script says that it skips. LAMBDA_IMAGE_TOOL may name a program that starts an
engine and makes Lambda's image; `stop` as its argument stops the engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from local import ROOT
from local.containers import (
    CALLBACK_URL,
    EVENTS,
    container_system,
    docker_gateway,
    environments,
    invocation,
    sam_options,
    start_api,
)
from scripts import architecture

IMAGE_TOOL: Final = Path(os.environ.get("LAMBDA_IMAGE_TOOL", "no-such-program"))
_ROW: Final = re.compile(r"^\| `(\S+?\.json)` \| (\w+) \| .+? \| `(.+?)` \| (?:`(.+?)`)? ?\|$", re.MULTILINE)
#: `sam local start-api`, and a container, may take this long to start. Seconds.
_STARTING: Final = 60
_JSON: Final = {"Content-Type": "application/json"}


class UnexpectedError(Exception):
    """A function did not do what the page says."""


@dataclass(frozen=True)
class Example:
    """A row of events/README.md.

    Attributes:
        file: the event.
        function: its short name, such as SubmitImport.
        answer: members that the function's answer has, among others.
        logged: the message that the function logs, if the page names one.
    """

    file: str
    function: str
    answer: Any
    logged: str | None


def examples(page: str) -> list[Example]:
    """Read the table of events/README.md, in its order."""
    return [
        Example(file, function, json.loads(answer), logged or None)
        for file, function, answer, logged in _ROW.findall(page)
    ]


def has(answer: Any, expected: Any) -> bool:
    """Tell whether an answer has the expected members, among others."""
    if isinstance(answer, dict) and isinstance(expected, dict):
        return all(name in answer and has(answer[name], value) for name, value in expected.items())
    return bool(answer == expected)


def main() -> int:
    """Run the events and report what happened. Return 1 if a function did not do what the page says, otherwise 0."""
    was_running = docker_gateway() is not None
    if not was_running and not IMAGE_TOOL.exists():
        print(
            "sam-local: SKIPPED, no Docker engine is running on Linux, and LAMBDA_IMAGE_TOOL names no program that starts one"
        )
        return 0
    try:
        if IMAGE_TOOL.exists() and subprocess.run([IMAGE_TOOL], check=False).returncode:
            print(f"sam-local: SKIPPED, {IMAGE_TOOL.name} could not start a Docker engine and make Lambda's image")
            return 0
        run_all()
    except UnexpectedError as error:
        print(f"sam-local: {error}", file=sys.stderr)
        return 1
    finally:
        if not was_running:
            subprocess.run([IMAGE_TOOL, "stop"], check=False)
    print("sam-local: every event had the answer that events/README.md names")
    return 0


def run_all() -> None:
    """Build, start the system for containers, and run each event, then the API."""
    build = subprocess.run(
        ["sam", "build", "--parameter-overrides", f"Architecture={architecture.of_this_machine()}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if build.returncode:
        raise UnexpectedError(f"sam build failed:\n{build.stderr}")
    gateway = docker_gateway()
    if gateway is None:
        raise UnexpectedError("Docker's engine does not name the address of this machine")
    with (
        tempfile.TemporaryDirectory(prefix="jobferry-") as folder,
        container_system(Path(folder), gateway) as system,
    ):
        env_file = Path(folder) / "containers.json"
        env_file.write_text(json.dumps(environments(system, gateway)))
        options = sam_options(env_file)
        for example in examples((EVENTS / "README.md").read_text()):
            run(example, options)
        receive_callback(options)


def run(example: Example, options: list[str]) -> None:
    """Run one event in a container. Raises UnexpectedError."""
    began = time.monotonic()
    command = invocation(f"{example.function}Function", EVENTS / example.file, options)
    ran = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(ran.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise UnexpectedError(f"{example.file} had no answer:\n{ran.stderr}{ran.stdout}") from None
    print(f"{example.file}: {json.dumps(answer)[:300]} ({time.monotonic() - began:.0f} s)", flush=True)
    if not has(answer, example.answer):
        raise UnexpectedError(f"{example.file}: expected {json.dumps(example.answer)}. The log:\n{ran.stderr}")
    if example.logged and f'"message":"{example.logged}"' not in ran.stderr + ran.stdout:
        raise UnexpectedError(f"{example.file}: {example.logged!r} is not in the log:\n{ran.stderr}{ran.stdout}")


def receive_callback(options: list[str]) -> None:
    """Send callback.json to the route that SAM serves. Raises UnexpectedError."""
    event = json.loads((EVENTS / "callback.json").read_text())
    with serving_api(options):
        url = f"{CALLBACK_URL}/{event['pathParameters']['importId']}"
        token = event["queryStringParameters"]
        answer = requests.post(url, event["body"], params=token, headers=_JSON, timeout=_STARTING)
    print(f"start-api: {answer.status_code} {answer.text}", flush=True)
    if (answer.status_code, answer.text) != (200, '{"status": "complete"}'):
        raise UnexpectedError("sam local start-api did not pass the callback on to ReceiveCallback")


@contextlib.contextmanager
def serving_api(options: list[str]) -> Iterator[None]:
    """Run `sam local start-api` until the end of the block."""
    command = shlex.split(start_api(options))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as api:
        try:
            end = time.monotonic() + _STARTING
            while True:
                with contextlib.suppress(requests.ConnectionError):
                    requests.get(CALLBACK_URL, timeout=5)
                    break
                if api.poll() is not None or time.monotonic() > end:
                    raise UnexpectedError("sam local start-api did not start")
                time.sleep(0.5)
            yield
        finally:
            api.terminate()


if __name__ == "__main__":
    sys.exit(main())
