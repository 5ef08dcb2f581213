"""The template's resources on moto in this process. The tests of the adapters and of faults run on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.s3.models import S3Backend

from local.aws_account import REGION
from local.cloud import speed_up_tables, subscribe_to_topics
from local.resources import Resources
from local.template import Stack
from tests.stack import expanded

NAME = "jobferry"
CALLBACKS = "https://callbacks.example.com"


class InProcess:
    """Makes the clients that reach moto, as `local.cloud.Cloud` does."""

    def client(self, service: str) -> Any:
        return _client(service)


@cache
def _client(service: str) -> Any:
    """Return the client of a service. It has no state, and making one takes as long as a test."""
    return boto3.Session("test", "test", region_name=REGION).client(service)  # type: ignore[call-overload]


def template_with(*logical_ids: str) -> dict[str, Any]:
    """Return the template with only these resources."""
    return expanded() | {"Resources": {name: expanded()["Resources"][name] for name in logical_ids}, "Outputs": {}}


@contextmanager
def in_process(*logical_ids: str) -> Iterator[tuple[Stack, InProcess]]:
    """Make a stack of these resources, or of all if none is named, and remove it afterwards."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", REGION)):
            patch.setenv(f"AWS_{name}", value)
        patch.delattr(S3Backend, "_url_module")  # It loads a module again for each call, and so takes a third of it.
        subscribe_to_topics()
        speed_up_tables()
        cloud = InProcess()
        yield (
            Stack(
                NAME,
                template_with(*logical_ids) if logical_ids else expanded(),
                {},
                Resources(cloud, NAME, CALLBACKS).make,
            ),
            cloud,
        )  # type: ignore[arg-type]


class Stub:
    """A client in which functions of the test replace some operations.

    A function is named after the operation. It gets the real operation, then the arguments of the call.
    """

    def __init__(self, client: Any, **played: Any) -> None:
        self._client = client
        self._played = played

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        played = self._played.get(name)
        return real if played is None else lambda **arguments: played(real, **arguments)
