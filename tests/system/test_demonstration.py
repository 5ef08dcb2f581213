"""The local system started anew: by an upload with the poller at its rate, and as the demonstration."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from local.system import LocalSystem

ROOT = Path(__file__).parents[2]
JOBS = [{"referenceNumber": f"R-{number}", "state": "PA", "postalCode": "17603"} for number in range(2)]


def test_an_upload_is_imported_the_poller_runs_at_its_rate_and_nothing_is_left_behind(tmp_path: Path) -> None:
    threads, processes = set(threading.enumerate()), set(psutil.Process().children(recursive=True))
    with LocalSystem(
        folder=tmp_path,
        speed=150,
        callbacks=False,
        poller=True,
        processing_seconds=0.1,
        parameters={"ImportOnUpload": "true"},
    ) as system:
        ports = [system.http_api.port, system.lambda_api.port, system.board.port, system.cloud.port]
        system.put_feed("feeds/default/feed.json", b'{"notifyOnSuccess": true}')
        system.put_feed("feeds/default/jobs.jsonl", b"\n".join(json.dumps(job).encode() for job in JOBS))
        [notice] = system.wait_for_notices(1)
        [record] = system.imports()
        assert re.fullmatch(r"default-\d{8}T\d{6}Z-[0-9a-f]+", record["importId"])
        assert (record["state"], record["settledBy"], record["results"]["added"]) == ("complete", "poll", 2)
        assert record["importId"] in notice.text
        running = system.invoke_async("PollImports", {})
    assert running.done()
    assert set(threading.enumerate()) <= threads
    assert set(psutil.Process().children(recursive=True)) <= processes
    for port in ports:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/", timeout=1)
    assert "START RequestId" in (tmp_path / "logs" / "PollImports.log").read_text()


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/jobferry'}", "COLUMNS": "120"}


def test_the_demonstration_goes_as_it_must(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local", "demo"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    for words in (
        "197 added",
        "row 58",
        "State is invalid. Value passed was: MC",
        "190 unchanged",
        "Everything went as expected",
    ):
        assert words in ran.stdout


#: Does what the printed commands ask of the AWS CLI, which is not among the project's tools.
AWS_CLI = f"""#!{sys.executable}
import pathlib, sys, boto3
match sys.argv[1:]:
    case ["s3", "cp", source, target]:
        bucket, key = target.removeprefix("s3://").split("/", 1)
        boto3.client("s3").upload_file(source, bucket, key)
    case ["lambda", "invoke", "--function-name", name, *payload, "/dev/stdout"]:
        body = pathlib.Path(payload[1].removeprefix("fileb://")).read_bytes() if payload else b""
        print(boto3.client("lambda").invoke(FunctionName=name, Payload=body)["Payload"].read().decode())
    case unknown:
        sys.exit(f"{{unknown}} is not among the printed commands")
"""


def test_the_commands_that_serve_prints_work(tmp_path: Path) -> None:
    (tmp_path / "aws").write_text(AWS_CLI)
    (tmp_path / "aws").chmod(0o755)
    environment = ENVIRONMENT | {"PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}"}
    serve = [sys.executable, "-m", "local", "serve"]
    with subprocess.Popen(serve, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            printed = "".join(iter(served.stdout.readline, "What happens:\n"))
            environment |= dict(re.findall(r"^  export (\w+)=(.+)$", printed, re.MULTILINE))
            outputs, served_lines = [], []
            for command in re.findall(r"^  ((?:aws|curl|/\S+/jobferry) .+)$", printed, re.MULTILINE):
                ran = subprocess.run(
                    command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
                )
                # jobferry's exit status is 1 where a person has something to do.
                assert ran.returncode in (0, 1 if "/jobferry" in command else 0), f"{command}\n{ran.stdout}{ran.stderr}"
                outputs.append(ran.stdout)
                if ".csv" in command:
                    served_lines += lines_until(served.stdout, " is pending")
        finally:
            served.send_signal(signal.SIGINT)
        rest = served.stdout.read()
    assert served.returncode == 0
    printed = "".join([*outputs, *served_lines, rest])
    for words in (
        "197 added",
        "7 added, 5 updated",
        "202 jobs would be sent",
        '"jobs": 202',
        '"expired": 0',
        "lost_response",
    ):
        assert words in printed
    assert "Subject: jobferry default:" in rest


def lines_until(lines: Iterable[str], words: str) -> Iterator[str]:
    """Yield lines up to the first that has these words."""
    for line in lines:
        yield line
        if words in line:
            return
