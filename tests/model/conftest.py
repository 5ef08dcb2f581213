"""What all histories need."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobferry.payload import reference_set
from jobferry.records import store


@pytest.fixture(scope="module", autouse=True)
def in_memory() -> Iterator[None]:
    """Many small runs: no waits, small sets, and files in memory where the machine has such a place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "time", SimpleNamespace(sleep=lambda _: None))
        patch.setattr(reference_set, "_BUCKETS", 4)
        if Path("/dev/shm").is_dir():
            patch.setattr(tempfile, "tempdir", "/dev/shm")
        yield
