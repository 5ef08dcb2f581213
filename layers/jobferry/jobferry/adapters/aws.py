"""How AWS is asked: no call outlasts the function that makes it."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import boto3
from botocore.config import Config

CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 5
ATTEMPTS: Final = 3
#: boto3's own are a minute for each of five attempts, and ReceiveCallback has 29 seconds in all. So three attempts of five
#: seconds; what AWS refuses for being asked too often is tried again after a moment, as before.
CONFIG: Final = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)


def on_demand(service: str) -> Any:
    """A boto3 client that is made when it is first used: to read a service's model takes up to a tenth of a cold start.

    For what a function seldom needs; what every run needs is made at the start, where AWS gives more processor.
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
