"""A folder on the function's disk for the files of one piece of work."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: Each user has one folder for all workspaces, since there may be thousands of other files beside it.
_NAME: Final = f"jobferry-{os.getuid()}"


@contextmanager
def workspace() -> Iterator[Path]:
    """Make a folder, and remove it afterwards. Also remove folders that killed processes left behind.

    Lambda keeps /tmp when it resets an environment after a crash or a timeout, so the next run would find less room. Each
    folder is locked while it is in use; the lock of a process ends with it. So a folder without a lock is left over, while
    those of other processes on a developer's machine stay.
    """
    parent = Path(tempfile.gettempdir()) / _NAME
    parent.mkdir(mode=0o700, exist_ok=True)
    for left in parent.iterdir():
        _remove_left(left)
    directory, lock = _make_locked(parent)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _make_locked(parent: Path) -> tuple[Path, int]:
    while True:
        directory = Path(tempfile.mkdtemp(dir=parent))
        try:
            lock = os.open(directory, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another process took it for left over, because it was not locked yet
        fcntl.flock(lock, fcntl.LOCK_EX)
        if directory.exists():
            return directory, lock
        os.close(lock)


def _remove_left(directory: Path) -> None:
    try:
        lock = os.open(directory, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return  # it is gone by now, or a link
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError:
        pass  # it is in use
    finally:
        os.close(lock)
