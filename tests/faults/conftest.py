from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import report
from tests.faults.machine import Machine, running
from tests.faults.saved import Saved
from tests.faults.scenes import play_two_nights


@pytest.fixture(scope="module")
def prepared() -> Iterator[tuple[Machine, Saved]]:
    """Make the machine once for a module. While it exists, time and boto3 are the machine's in the whole process."""
    with running() as machine:
        yield machine, play_two_nights(machine)


@pytest.fixture
def machine(prepared: tuple[Machine, Saved]) -> Machine:
    machine, saved = prepared
    return machine.restore(saved)


def pytest_sessionfinish() -> None:
    if report.updates():
        report.write()
