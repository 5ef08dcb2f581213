"""Registers the stack with moto's CloudFormation and EventBridge Scheduler, where the `jobferry` command line reads it."""

from __future__ import annotations

import json
from typing import Any

from local.cloud import Cloud
from local.template import Stack


def register_stack(stack: Stack, cloud: Cloud) -> None:
    """Register the stack's name, outputs and parameters, and its schedules, which moto stores but does not run.

    Only `make serve` and the tests of the command line need this. moto's CloudFormation takes seconds to import.
    """
    # CloudFormation requires at least one resource. A log group has no effect here.
    resources = {"Placeholder": {"Type": "AWS::Logs::LogGroup"}}
    outputs = {name: {"Value": value} for name, value in stack.outputs.items()}
    declared = {name: {"Type": "String"} for name in stack.parameters}
    template = {"Parameters": declared, "Resources": resources, "Outputs": outputs}
    cloud.client("cloudformation").create_stack(
        StackName=stack.name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": str(value)} for name, value in stack.parameters.items()],
    )
    register_schedules(stack, cloud)


def register_schedules(stack: Stack, cloud: Cloud) -> None:
    """Register the stack's schedules."""
    scheduler = cloud.client("scheduler")
    for group in stack.of_type("AWS::Scheduler::ScheduleGroup"):
        scheduler.create_schedule_group(Name=group.ref)
    for schedule in stack.of_type("AWS::Scheduler::Schedule"):
        properties: dict[str, Any] = {"State": "ENABLED"} | schedule.properties
        scheduler.create_schedule(**properties)
