"""Schedules of further feeds are the template's own but for feed, name and time. moto's scheduler keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from jobferry.cli.schedules import Schedule
from jobferry.cli.scheduling import remove_schedule, set_schedule
from jobferry.cli.stack import Stack
from jobferry.errors import CannotBeDoneError
from local import cloudformation
from local.aws_account import REGION
from tests.integration.inprocess import Stub, in_process

THREE = "cron(0 3 * * ? *)"


@pytest.fixture
def stack() -> Iterator[Stack]:
    with in_process() as (template, cloud):
        cloudformation.register_schedules(template, cloud)  # type: ignore[arg-type]
        session = boto3.Session("test", "test", region_name=REGION)
        yield Stack(template.name, session, template.outputs, template.parameters)


def found(stack: Stack, feed: str) -> dict[str, Any]:
    """What AWS has, without what it made up itself."""
    schedule: dict[str, Any] = dict(stack.scheduler.get_schedule(GroupName="jobferry", Name=f"jobferry-{feed}"))
    for name in ("ResponseMetadata", "Arn", "CreationDate", "LastModificationDate"):
        del schedule[name]
    return schedule


def names(stack: Stack) -> list[str]:
    return sorted(each["Name"] for each in stack.scheduler.list_schedules(GroupName="jobferry")["Schedules"])


def test_it_is_the_templates_own_but_for_feed_name_and_time(stack: Stack) -> None:
    assert set_schedule(stack, "nurses", THREE, "Europe/Berlin") == Schedule(THREE, "Europe/Berlin", enabled=True)
    own, model = found(stack, "nurses"), found(stack, "default")
    text = json.dumps(model["Target"]).replace("default", "nurses")
    assert own["Target"] == json.loads(text)
    assert own == model | {
        "Name": "jobferry-nurses",
        "Description": "Imports the feed nurses.",
        "ScheduleExpression": THREE,
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "Target": own["Target"],
    }
    # And the model has all that matters.
    assert own["Target"]["Input"] == '{"feed": "nurses", "scheduledAt": "<aws.scheduler.scheduled-time>"}'
    assert own["Target"]["RoleArn"] == stack.outputs["ScheduleRole"]
    assert own["Target"]["Arn"].endswith(f":function:{stack.outputs['SubmitImportFunction']}")
    assert own["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 3600}
    assert own["Target"]["DeadLetterConfig"]["Arn"].endswith(f":{stack.outputs['DeadLetterQueue'].rpartition('/')[2]}")
    assert (own["State"], own["FlexibleTimeWindow"]) == ("ENABLED", {"Mode": "OFF"})


def test_its_time_zone_is_that_of_the_stack_unless_another_is_named(stack: Stack) -> None:
    set_schedule(stack, "nurses", "rate(6 hours)", None)
    assert stack.schedule("nurses") == Schedule("rate(6 hours)", "America/New_York", enabled=True)


def test_it_can_be_changed_and_is_on_again(stack: Stack) -> None:
    set_schedule(stack, "nurses", THREE, None)
    off = {**found(stack, "nurses"), "State": "DISABLED"}
    stack.scheduler.update_schedule(**off)
    set_schedule(stack, "nurses", "cron(0 4 * * ? *)", "UTC")
    assert stack.schedule("nurses") == Schedule("cron(0 4 * * ? *)", "UTC", enabled=True)
    assert names(stack) == ["jobferry-default", "jobferry-nurses"]


def test_it_is_removed(stack: Stack) -> None:
    set_schedule(stack, "nurses", THREE, None)
    remove_schedule(stack, "nurses")
    assert names(stack) == ["jobferry-default"]
    assert stack.schedule("nurses") is None
    with pytest.raises(CannotBeDoneError, match="nurses has no schedule"):
        remove_schedule(stack, "nurses")


def test_the_templates_own_is_left_to_the_template(stack: Stack) -> None:
    before = found(stack, "default")
    with pytest.raises(CannotBeDoneError, match="belongs to the template: change the stack's parameters Schedule and"):
        set_schedule(stack, "default", THREE, None)
    with pytest.raises(CannotBeDoneError, match="belongs to the template"):
        remove_schedule(stack, "default")
    assert found(stack, "default") == before


@pytest.mark.parametrize("expression", ["0 3 * * *", "cron 0 3 * * ? *", "daily", "cron()", ""])
def test_what_is_no_expression(stack: Stack, expression: str) -> None:
    with pytest.raises(CannotBeDoneError, match=r"cron\(0 3 \* \* \? \*\)"):
        set_schedule(stack, "nurses", expression, None)
    assert names(stack) == ["jobferry-default"]


def test_a_name_that_is_too_long_for_aws(stack: Stack) -> None:
    longest = "n" * (64 - len("jobferry-"))
    set_schedule(stack, longest, THREE, None)
    with pytest.raises(CannotBeDoneError, match="would be too long for AWS: 64 characters at most"):
        set_schedule(stack, longest + "n", THREE, None)
    assert stack.schedule(longest + "n") is None  # and is not asked for


def test_without_the_templates_own_there_is_no_model(stack: Stack) -> None:
    stack.scheduler.delete_schedule(GroupName="jobferry", Name="jobferry-default")
    with pytest.raises(CannotBeDoneError, match="the schedule of default, which others are copied from, was deleted"):
        set_schedule(stack, "nurses", THREE, None)


def test_what_aws_refuses_is_told_as_it_is(stack: Stack) -> None:
    def refuse(_: Any, **__: Any) -> Any:
        error = {"Code": "ValidationException", "Message": "Invalid Schedule Expression."}
        raise ClientError({"Error": error}, "CreateSchedule")

    vars(stack)["scheduler"] = Stub(stack.scheduler, create_schedule=refuse)
    with pytest.raises(ClientError, match="Invalid Schedule Expression"):
        set_schedule(stack, "nurses", THREE, None)
    assert names(stack) == ["jobferry-default"]
