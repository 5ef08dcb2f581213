"""Each of the four functions once in a Lambda container, layer included, by `sam local invoke`: `make sam-local`.

The functions and the layer are what `sam build` makes; what stands in for AWS and the board is the local system. Every
answer, and what it left in the table, at the board and on the topic, is checked.

Where no Docker engine answers, it is skipped with a word that says so; LAMBDA_IMAGE_TOOL
may name a program that starts one and makes Lambda's image.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from samtranslator.yaml_helper import yaml_parse

from local import ROOT, sample_feed
from local.serving import environments
from local.system import LocalSystem

BUILT: Final = ROOT / ".aws-sam/sam-local"
ARCHITECTURE: Final = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
PARAMETERS: Final = ["--parameter-overrides", f"Architecture={ARCHITECTURE}"]
IMAGE: Final = f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}"
TOOL: Final = Path(os.environ.get("LAMBDA_IMAGE_TOOL", "no-such-program"))
#: Nobody's: what stands in for AWS takes any.
AWS: Final = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


class UnexpectedError(Exception):
    """A function did not do what it should."""


def main() -> int:
    """Skips, or runs all and says what happened. Exit status 1: a function did not do what it should."""
    if platform.system() != "Linux":
        print("sam-local: SKIPPED, containers reach this machine in a way that is known on Linux only")
        return 0
    answered = engine_answers()
    if not answered and not TOOL.exists():
        print("sam-local: SKIPPED, no Docker engine answers, and LAMBDA_IMAGE_TOOL names nothing that starts one")
        return 0
    try:
        if TOOL.exists() and subprocess.run([TOOL], check=False).returncode:
            print(f"sam-local: SKIPPED, {TOOL.name} could not make a Docker engine and Lambda's image ready")
            return 0
        invoke_all()
    except UnexpectedError as error:
        print(f"sam-local: {error}", file=sys.stderr)
        return 1
    finally:
        if not answered:
            subprocess.run([TOOL, "stop"], check=False)
    print("sam-local: all four functions did what they should")
    return 0


def engine_answers() -> bool:
    """Whether Docker is there, and an engine behind it."""
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def invoke_all() -> None:
    """Builds, starts the local system, and runs an import by each of the two ways to a result."""
    build = subprocess.run(
        ["sam", "build", "--build-dir", BUILT, *PARAMETERS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if build.returncode:
        raise UnexpectedError(f"sam build failed:\n{build.stderr}")
    template = prepared(BUILT / "template.yaml")
    with (
        tempfile.TemporaryDirectory(prefix="jobferry-") as folder,
        LocalSystem(template=template, host="0.0.0.0", callbacks=False) as system,  # noqa: S104  # containers come in
    ):
        # S3 is asked at an address, since it is asked at bucket.name otherwise. The board's key leaves a function for
        # HTTPS and for this machine only, so the container is told that localhost is at its host, too.
        variables = environments(system, bridge())
        for each in variables.values():
            if "BOARD_URL" in each:
                each["BOARD_URL"] = system.board.url.replace("127.0.0.1", "localhost")
        env_file = Path(folder) / "environments.json"
        env_file.write_text(json.dumps(variables))
        containers = Containers(template, env_file)
        system.put_feed("feeds/default/feed.json", json.dumps(sample_feed.SAMPLE_SETTINGS).encode())
        system.put_feed("feeds/default/jobs.csv", sample_feed.as_csv(sample_feed.break_three(sample_feed.make_rows())))

        by_hand = submit(system, containers, "submit-by-hand")
        answer = containers.invoke("ReceiveCallbackFunction", callback_for(system, by_hand))
        expect("ReceiveCallback answers 200", answer["statusCode"], 200)
        expect_complete(system, by_hand, "callback")

        scheduled = submit(system, containers, "submit-scheduled")
        containers.invoke("PollImportsFunction", event("poll"))
        expect_complete(system, scheduled, "poll")

        answer = containers.invoke("PublishNoticeFunction", stream_event(system, by_hand))
        expect("PublishNotice has no failure", answer, {"batchItemFailures": []})
        [notice] = system.notices()
        expect("the notice is of the import", notice.attributes["feed"], "default")
        print(f"  the notice: {notice.subject}")
        expect("the record is marked", "notifiedAt" in (system.record(by_hand) or {}), True)


def prepared(built: Path) -> Path:
    """The built template as it is needed here: with the variables that lead to this machine, as SAM's CLI passes on only
    those that a template declares; and without the table's stream, so that the notice comes from the container."""
    template = yaml_parse(built.read_text())
    template["Globals"]["Function"]["Environment"]["Variables"] |= {
        "AWS_ENDPOINT_URL": "",
        "AWS_ENDPOINT_URL_LAMBDA": "",
    }
    del template["Resources"]["PublishNoticeFunction"]["Properties"]["Events"]
    path = built.with_name("template.json")
    path.write_text(json.dumps(template))
    return path


def bridge() -> str:
    """The address at which containers reach this machine: the gateway of Docker's network, by default its first."""
    command = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    [config] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return str(config.get("Gateway") or ip_network(config["Subnet"])[1])


class Containers:
    """`sam local invoke`, each time in a new container."""

    def __init__(self, template: Path, env_file: Path) -> None:
        self._options = ["--template", str(template), "--env-vars", str(env_file), *PARAMETERS]
        self._options += ["--add-host", "localhost:host-gateway"]
        if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0:
            self._options.append("--skip-pull-image")

    def invoke(self, function: str, payload: Any) -> Any:
        """The function's answer. Raises UnexpectedError with what it logged, when it fails."""
        began = time.monotonic()
        command = ["sam", "local", "invoke", function, "--event", "-", *self._options]
        run = subprocess.run(
            command, input=json.dumps(payload), capture_output=True, text=True, check=False, env=os.environ | AWS
        )
        lines = run.stdout.strip().splitlines()
        try:
            answer = json.loads(lines[-1])
        except (IndexError, ValueError):
            raise UnexpectedError(f"{function} did not answer:\n{run.stderr}{run.stdout}") from None
        print(f"{function}: {json.dumps(answer)} ({time.monotonic() - began:.0f} s)", flush=True)
        if run.returncode or (isinstance(answer, dict) and "errorType" in answer):
            raise UnexpectedError(f"{function} failed:\n{run.stderr}")
        return answer


def event(name: str) -> Any:
    """The event `events/{name}.json`."""
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def submit(system: LocalSystem, containers: Containers, name: str) -> str:
    """Runs SubmitImport and waits for the board to be done. Returns the import's id."""
    answer = containers.invoke("SubmitImportFunction", event(name))
    expect("SubmitImport has sent 200 jobs", (answer["state"], answer["jobs"]), ("pending", 200))
    import_id: str = answer["importId"]
    system.board.wait((system.record(import_id) or {})["boardImportId"])
    return import_id


def callback_for(system: LocalSystem, import_id: str) -> Any:
    """What API Gateway would send, had the board called back at the URL that it got with the import."""
    job_import = system.board.find((system.record(import_id) or {})["boardImportId"])
    if job_import is None or job_import.callback_url is None:
        raise UnexpectedError(f"the board does not know {import_id}, or got no callback URL with it")
    url = urlsplit(job_import.callback_url)
    callback = event("callback") | {
        "rawPath": url.path,
        "rawQueryString": url.query,
        "queryStringParameters": {name: value for name, [value] in parse_qs(url.query).items()},
        "pathParameters": {"importId": url.path.rpartition("/")[2]},
        "body": json.dumps(system.board.describe(job_import)),
    }
    callback["requestContext"]["http"]["path"] = url.path
    return callback


def stream_event(system: LocalSystem, import_id: str) -> Any:
    """What the table's stream would bring for the import as it is."""
    key = {"importId": {"S": import_id}, "item": {"S": "import"}}
    table = system.stack.resource("ImportsTable").ref
    image = system.cloud.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    batch = event("notice-complete")
    batch["Records"][0]["dynamodb"] |= {"Keys": key, "NewImage": image}
    return batch


def expect_complete(system: LocalSystem, import_id: str, by: str) -> None:
    """Checks the record of an import whose three broken jobs failed."""
    record = system.record(import_id) or {}
    found = (
        record.get("state"),
        record.get("settledBy"),
        record.get("verified"),
        record.get("results", {}).get("failed"),
    )
    expect(f"{import_id} is complete by {by}", found, ("complete", by, True, 3))
    errors = [item for item in system.items(import_id) if item["item"].startswith("error#")]
    expect("its three errors are kept", len(errors), 3)


def expect(what: str, found: object, expected: object) -> None:
    """Says it, or raises UnexpectedError."""
    if found != expected:
        raise UnexpectedError(f"not so: {what}. Expected {expected!r}, found {found!r}")
    print(f"  {what}")


if __name__ == "__main__":
    sys.exit(main())
