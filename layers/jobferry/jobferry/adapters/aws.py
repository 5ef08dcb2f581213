"""The configuration of AWS clients: no call may outlast the function that makes it."""

from functools import cached_property
from typing import Any, Final

import boto3
from botocore.config import Config

CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 5
ATTEMPTS: Final = 3
#: By default, boto3 waits up to a minute in each of five attempts, but ReceiveCallback has only 29 seconds. Standard mode
#: repeats throttled calls after a short wait.
CONFIG: Final = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)


def on_demand(service: str) -> Any:
    """Return a boto3 client that is created when it is first used.

    Creating a client takes up to a tenth of a cold start. Use this for clients that most runs do not need. Create the
    others at the start, when Lambda gives a function more processor time.
    """
    return _OnDemand(service)


class _OnDemand:
    def __init__(self, service: str) -> None:
        self._service = service

    @cached_property
    def _client(self) -> Any:
        return boto3.client(self._service, config=CONFIG)  # type: ignore[call-overload]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)
