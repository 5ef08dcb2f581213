"""Run each of the four functions, with the layer, in a Lambda container: `make sam-local`.

`sam build` builds the functions and the layer, and `sam local invoke` runs them. The local system stands in for AWS and
the board. The script checks every answer and what it left in the table, at the board and on the topic.

If no Docker engine is running, the script says that it skips. LAMBDA_IMAGE_TOOL may name a program that starts an
engine and makes Lambda's image; `stop` as its argument stops the engine.
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
from scripts import architecture

BUILD_FOLDER: Final = ROOT / ".aws-sam/sam-local"
ARCHITECTURE: Final = architecture.of_this_machine()
PARAMETERS: Final = ["--parameter-overrides", f"Architecture={ARCHITECTURE}"]
IMAGE: Final = f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}"
IMAGE_TOOL: Final = Path(os.environ.get("LAMBDA_IMAGE_TOOL", "no-such-program"))
#: The local system accepts any credentials.
AWS_VARIABLES: Final = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


class UnexpectedError(Exception):
    """A function did not do what it should do."""


def main() -> int:
    """Run the functions and report what happened. Return 1 if a function did not do what it should do, otherwise 0."""
    if platform.system() != "Linux":
        print("sam-local: SKIPPED, the way containers reach this machine is known only on Linux")
        return 0
    was_running = docker_is_running()
    if not was_running and not IMAGE_TOOL.exists():
        print(
            "sam-local: SKIPPED, no Docker engine is running, and LAMBDA_IMAGE_TOOL does not name a program that starts one"
        )
        return 0
    try:
        if IMAGE_TOOL.exists() and subprocess.run([IMAGE_TOOL], check=False).returncode:
            print(f"sam-local: SKIPPED, {IMAGE_TOOL.name} could not start a Docker engine and make Lambda's image")
            return 0
        invoke_all()
    except UnexpectedError as error:
        print(f"sam-local: {error}", file=sys.stderr)
        return 1
    finally:
        if not was_running:
            subprocess.run([IMAGE_TOOL, "stop"], check=False)
    print("sam-local: all four functions did what they should do")
    return 0


def docker_is_running() -> bool:
    """Tell whether Docker is installed and its engine answers."""
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def invoke_all() -> None:
    """Build, start the local system, and run two imports: one gets its result by callback, the other by polling."""
    build = subprocess.run(
        ["sam", "build", "--build-dir", BUILD_FOLDER, *PARAMETERS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if build.returncode:
        raise UnexpectedError(f"sam build failed:\n{build.stderr}")
    template = adapt_template(BUILD_FOLDER / "template.yaml")
    with (
        tempfile.TemporaryDirectory(prefix="jobferry-") as folder,
        LocalSystem(template=template, host="0.0.0.0", callbacks=False) as system,  # noqa: S104  # containers connect to it
    ):
        # The AWS endpoint needs an IP address: with a host name, boto3 would ask for a bucket at bucket.name.
        # The board's URL needs localhost: a function sends the board's key only over HTTPS or to localhost. In the
        # container, --add-host makes localhost this machine.
        variables = environments(system, docker_gateway())
        for function_variables in variables.values():
            if "BOARD_URL" in function_variables:
                function_variables["BOARD_URL"] = system.board.url.replace("127.0.0.1", "localhost")
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
        containers.invoke("PollImportsFunction", load_event("poll"))
        expect_complete(system, scheduled, "poll")

        answer = containers.invoke("PublishNoticeFunction", stream_event(system, by_hand))
        expect("PublishNotice has no failure", answer, {"batchItemFailures": []})
        [notice] = system.notices()
        expect("the notice is about the feed", notice.attributes["feed"], "default")
        print(f"  the notice's subject: {notice.subject}")
        expect("the record has the time of the notice", "notifiedAt" in (system.record(by_hand) or {}), True)


def adapt_template(built: Path) -> Path:
    """Write a copy of the built template for this script, and return its path.

    The copy declares the AWS endpoint variables, because `sam local invoke` passes on only the variables that a template
    declares. It leaves out the table's stream, so that the notice comes from the container.
    """
    template = yaml_parse(built.read_text())
    template["Globals"]["Function"]["Environment"]["Variables"] |= {
        "AWS_ENDPOINT_URL": "",
        "AWS_ENDPOINT_URL_LAMBDA": "",
    }
    del template["Resources"]["PublishNoticeFunction"]["Properties"]["Events"]
    path = built.with_name("template.json")
    path.write_text(json.dumps(template))
    return path


def docker_gateway() -> str:
    """Return the address at which containers reach this machine: the gateway of Docker's network.

    If the network does not name its gateway, that is its first address.
    """
    command = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    [config] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return str(config.get("Gateway") or ip_network(config["Subnet"])[1])


class Containers:
    """Run functions with `sam local invoke`, each time in a new container."""

    def __init__(self, template: Path, env_file: Path) -> None:
        self._options = ["--template", str(template), "--env-vars", str(env_file), *PARAMETERS]
        self._options += ["--add-host", "localhost:host-gateway"]
        if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0:
            self._options.append("--skip-pull-image")

    def invoke(self, function: str, payload: Any) -> Any:
        """Return the function's answer. If the function fails, raise UnexpectedError with its log."""
        started_at = time.monotonic()
        command = ["sam", "local", "invoke", function, "--event", "-", *self._options]
        run = subprocess.run(
            command,
            input=json.dumps(payload),
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | AWS_VARIABLES,
        )
        lines = run.stdout.strip().splitlines()
        try:
            answer = json.loads(lines[-1])
        except (IndexError, ValueError):
            raise UnexpectedError(f"{function} did not answer:\n{run.stderr}{run.stdout}") from None
        print(f"{function}: {json.dumps(answer)} ({time.monotonic() - started_at:.0f} s)", flush=True)
        if run.returncode or (isinstance(answer, dict) and "errorType" in answer):
            raise UnexpectedError(f"{function} failed:\n{run.stderr}")
        return answer


def load_event(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def submit(system: LocalSystem, containers: Containers, name: str) -> str:
    """Run SubmitImport, wait until the board has processed the import, and return the import's id."""
    answer = containers.invoke("SubmitImportFunction", load_event(name))
    expect("SubmitImport sent 200 jobs", (answer["state"], answer["jobs"]), ("pending", 200))
    import_id: str = answer["importId"]
    system.board.wait((system.record(import_id) or {})["boardImportId"])
    return import_id


def callback_for(system: LocalSystem, import_id: str) -> Any:
    """Return the event that API Gateway would send if the board called the import's callback URL."""
    job_import = system.board.find((system.record(import_id) or {})["boardImportId"])
    if job_import is None or job_import.callback_url is None:
        raise UnexpectedError(f"the board does not know {import_id}, or did not get a callback URL for it")
    url = urlsplit(job_import.callback_url)
    callback = load_event("callback") | {
        "rawPath": url.path,
        "rawQueryString": url.query,
        "queryStringParameters": {name: value for name, [value] in parse_qs(url.query).items()},
        "pathParameters": {"importId": url.path.rpartition("/")[2]},
        "body": json.dumps(system.board.describe(job_import)),
    }
    callback["requestContext"]["http"]["path"] = url.path
    return callback


def stream_event(system: LocalSystem, import_id: str) -> Any:
    """Return the event that the table's stream would send for the import's current record."""
    key = {"importId": {"S": import_id}, "item": {"S": "import"}}
    table = system.stack.resource("ImportsTable").ref
    image = system.cloud.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    batch = load_event("notice-complete")
    batch["Records"][0]["dynamodb"] |= {"Keys": key, "NewImage": image}
    return batch


def expect_complete(system: LocalSystem, import_id: str, by: str) -> None:
    """Check that the import is complete and that exactly its three broken jobs failed."""
    record = system.record(import_id) or {}
    found = (
        record.get("state"),
        record.get("settledBy"),
        record.get("verified"),
        record.get("results", {}).get("failed"),
    )
    expect(f"{import_id} is complete by {by}", found, ("complete", by, True, 3))
    errors = [item for item in system.items(import_id) if item["item"].startswith("error#")]
    expect("its three errors are stored", len(errors), 3)


def expect(statement: str, found: object, expected: object) -> None:
    """Print the statement if it holds, otherwise raise UnexpectedError."""
    if found != expected:
        raise UnexpectedError(f"this does not hold: {statement}. Expected {expected!r}, found {found!r}")
    print(f"  {statement}")


if __name__ == "__main__":
    sys.exit(main())
