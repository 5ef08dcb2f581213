"""The folder of one piece of work: what a killed process left is removed, and what a living one uses stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jobferry.workspace import workspace

#: Prints the folder that it works in, and waits until its input ends.
WORKER = """
import sys
from jobferry.workspace import workspace
with workspace() as directory:
    (directory / "large").write_bytes(b"x" * 1000)
    print(directory, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def start(scratch: Path) -> tuple[subprocess.Popen[str], Path]:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(scratch)},
    )
    assert worker.stdout is not None
    return worker, Path(worker.stdout.readline().strip())


def test_what_a_killed_process_left_is_removed(scratch: Path) -> None:
    worker, left = start(scratch)
    worker.kill()
    worker.communicate()
    assert (left / "large").exists()
    other = scratch / "another-program"
    other.mkdir()

    with workspace() as directory:
        assert list(left.parent.iterdir()) == [directory]
    assert list(left.parent.iterdir()) == []
    assert other.exists()


def test_what_a_living_process_uses_stays(scratch: Path) -> None:
    worker, used = start(scratch)
    with workspace(), workspace() as second:
        assert (used / "large").exists()
        assert second.exists()
        with workspace():
            assert second.exists()
    assert (used / "large").exists()
    worker.communicate("")
    assert list(used.parent.iterdir()) == []


def test_a_link_is_not_followed(scratch: Path) -> None:
    elsewhere = scratch / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    with workspace() as directory:
        (directory.parent / "link").symlink_to(elsewhere)
    with workspace():
        pass
    assert (elsewhere / "file").exists()
