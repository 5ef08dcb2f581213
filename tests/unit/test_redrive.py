"""Redrive without a stack: which region it asks, and which letters it understands."""

from typing import Any

import boto3
import pytest

from jobferry.errors import CannotBeDoneError
from scripts import redrive


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_may_come_from_either_variable(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv(variable, "eu-west-1")
    regions = []

    def client(self: boto3.Session, *_: Any, **__: Any) -> Any:
        regions.append(self.region_name)
        raise CannotBeDoneError("asked")

    monkeypatch.setattr(boto3.Session, "client", client)
    assert redrive.main(["jobferry"]) == 2
    assert regions == ["eu-west-1"]


@pytest.mark.parametrize(
    "body",
    [
        {"feed": "nurses"},
        {"Payload": '{"feed": "nurses"}', "FunctionName": "jobferry-SubmitImport"},
        {"Input": {"feed": "nurses"}, "Arn": "arn:aws:lambda:us-east-1:123456789012:function:jobferry-SubmitImport"},
    ],
)
def test_a_schedules_input_is_found_in_each_shape(body: Any) -> None:
    assert redrive._unwrap_input(body) == {"feed": "nurses"}


@pytest.mark.parametrize("body", [None, "text", [1], {"Payload": "no JSON"}, {"source": "aws.s3"}, {"Input": {"a": 1}}])
def test_any_other_letter_stays_as_it_is(body: Any) -> None:
    assert redrive._unwrap_input(body) == body
