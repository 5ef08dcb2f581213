"""The local system started anew: by an upload with the poller at its rate, and as the demonstration."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from local.system import LocalSystem

ROOT = Path(__file__).parents[2]
JOBS = [{"referenceNumber": f"R-{number}", "state": "PA", "postalCode": "17603"} for number in range(2)]


def test_an_upload_is_imported_and_the_poller_runs_at_its_rate(tmp_path: Path) -> None:
    with LocalSystem(
        folder=tmp_path,
        speed=150,
        callbacks=False,
        poller=True,
        processing_seconds=0.1,
        parameters={"ImportOnUpload": "true"},
    ) as system:
        system.put_feed("feeds/default/feed.json", b'{"notifyOnSuccess": true}')
        system.put_feed("feeds/default/jobs.jsonl", b"\n".join(json.dumps(job).encode() for job in JOBS))
        [notice] = system.wait_for_notices(1, 30)
        [record] = system.imports()
        assert re.fullmatch(r"default-\d{8}T\d{6}Z-[0-9a-f]+", record["importId"])
        assert (record["state"], record["settledBy"], record["results"]["added"]) == ("complete", "poll", 2)
        assert record["importId"] in notice.text


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/jobferry'}", "COLUMNS": "120"}


def test_the_demonstration_goes_as_it_must(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local", "demo"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    for words in (
        "197 added",
        "row 58",
        "State is invalid. Value passed was: MC",
        "190 unchanged",
        "All was as it should be",
    ):
        assert words in ran.stdout


def test_what_is_served_can_be_tried_with_the_commands_it_shows(tmp_path: Path) -> None:
    def local(*arguments: object) -> str:
        command = [sys.executable, "-m", "local", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    env_file, state = tmp_path / "env.json", tmp_path / ".local" / "serve.json"
    serve = [sys.executable, "-m", "local", "serve", "--reached-as", "172.17.0.1", "--env-file", str(env_file)]
    with subprocess.Popen(serve, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            for line in served.stdout:
                if line.startswith("What happens"):
                    break
            assert "feeds/default/jobs.csv" in local("put", ".local/first")
            told = next(line for line in served.stdout if "complete" in line)
            assert "by callback: 197 added" in told
            import_id = told.split()[2]
            assert f"{import_id}  complete" in local("imports")
            assert "State is invalid. Value passed was: MC" in local("imports", import_id)
            assert json.loads(local("run", "--dry-run"))["state"] == "dry-run"
            assert json.loads(local("schedule"))["jobs"] == 200
            assert json.loads(local("poll"))["expired"] == 0
            environments = json.loads(env_file.read_text())
        finally:
            served.send_signal(signal.SIGINT)
        rest = served.stdout.read()
    assert served.returncode == 0
    assert "Subject: jobferry default:" in rest
    assert not state.exists()
    assert environments["SubmitImportFunction"]["BOARD_URL"].startswith("http://172.17.0.1:")
    assert environments["SubmitImportFunction"]["CALLBACK_URL"].startswith("http://127.0.0.1:")
    assert environments["PollImportsFunction"]["AWS_ENDPOINT_URL_LAMBDA"].startswith("http://172.17.0.1:")
