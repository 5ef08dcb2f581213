"""Schedules of additional feeds, copied from the template's own: the same target, retries and dead letters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from jobferry.cli.faults import code_of
from jobferry.cli.schedules import Schedule, fault_of
from jobferry.errors import CannotBeDoneError

if TYPE_CHECKING:
    from jobferry.cli.stack import Stack


def set_schedule(stack: Stack, feed: str, expression: str, timezone: str | None) -> Schedule:
    """Create or replace a feed's schedule.

    Args:
        stack: the stack whose own schedule is copied.
        feed: a feed other than the stack's own.
        expression: cron(…), rate(…) or at(…).
        timezone: an IANA name; None for the time zone of the stack's own schedule.

    Raises:
        CannotBeDoneError: the feed or the expression is not allowed. AWS's own errors are raised, too.
    """
    name = _name(stack, feed)
    model = _model(stack)
    timezone = timezone or model["ScheduleExpressionTimezone"]
    if fault := fault_of(expression, timezone):
        raise CannotBeDoneError(f"{expression} {fault}")
    event = json.loads(model["Target"]["Input"]) | {"feed": feed}
    wanted: dict[str, Any] = {
        "GroupName": stack.schedule_group,
        "Name": name,
        "Description": f"Imports the feed {feed}.",
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": timezone,
        "FlexibleTimeWindow": model["FlexibleTimeWindow"],
        "State": "ENABLED",
        "Target": model["Target"] | {"Input": json.dumps(event)},
    }
    try:
        stack.scheduler.create_schedule(**wanted)
    except ClientError as error:
        if code_of(error) != "ConflictException":
            raise
        stack.scheduler.update_schedule(**wanted)
    return Schedule(expression, timezone, enabled=True)


def remove_schedule(stack: Stack, feed: str) -> None:
    """Delete a feed's schedule. Raise CannotBeDoneError if it has none of its own."""
    name = _name(stack, feed)
    try:
        stack.scheduler.delete_schedule(GroupName=stack.schedule_group, Name=name)
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        raise CannotBeDoneError(f"{feed} has no schedule") from error


def _name(stack: Stack, feed: str) -> str:
    """Return the name of an additional feed's schedule."""
    if feed == stack.default_feed:
        raise CannotBeDoneError(
            f"the schedule of {feed} belongs to the template: change the stack's parameters Schedule and "
            "ScheduleTimezone, and deploy"
        )
    name = stack.schedule_name(feed)
    if name is None:
        raise CannotBeDoneError(
            f"the schedule's name {stack.name}-{feed} would be too long for AWS: 64 characters at most"
        )
    return name


def _model(stack: Stack) -> Any:
    """Return the template's own schedule as it is deployed."""
    try:
        return stack.scheduler.get_schedule(GroupName=stack.schedule_group, Name=f"{stack.name}-{stack.default_feed}")
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        raise CannotBeDoneError(
            f"the schedule of {stack.default_feed}, which others are copied from, was deleted: deploy the stack again"
        ) from error
