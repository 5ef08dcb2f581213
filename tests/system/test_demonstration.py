"""The local system started anew: by an upload with the poller at its rate, and as the demonstration."""

import json
import re
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


def test_the_demonstration_goes_as_it_must(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local", "demo"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/jobferry'}", "COLUMNS": "120"}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
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
