from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import report
from tests.faults.machine import Machine, Saved, running
from tests.faults.scenes import furnish


@pytest.fixture(scope="module")
def furnished() -> Iterator[tuple[Machine, Saved]]:
    """Made once a module, and gone after it: while it runs, the clock and boto3 are the machine's in this whole process."""
    with running() as machine:
        yield machine, furnish(machine)


@pytest.fixture
def machine(furnished: tuple[Machine, Saved]) -> Machine:
    machine, saved = furnished
    return machine.restore(saved)


def pytest_sessionfinish() -> None:
    if report.updates():
        report.write()
