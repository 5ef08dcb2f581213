from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.template import Stack
from tests.integration.inprocess import InProcess, in_process


@pytest.fixture
def made() -> Iterator[tuple[Stack, InProcess]]:
    with in_process("ImportsTable", "FeedsBucket", "BoardApiKey", "CallbackSigningKey") as made:
        yield made


@pytest.fixture
def stack(made: tuple[Stack, InProcess]) -> Stack:
    return made[0]


@pytest.fixture
def cloud(made: tuple[Stack, InProcess]) -> InProcess:
    return made[1]
