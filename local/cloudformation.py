"""What a person's tools ask AWS for beside the data: the stack's outputs and parameters by its name, and its schedules."""

from __future__ import annotations

import json
from typing import Any

from local.cloud import Cloud
from local.template import Stack


def register_stack(stack: Stack, cloud: Cloud) -> None:
    """Has moto know a stack of that name with these outputs and parameters, and the schedules, which it keeps but does not run.

    Not at every start: moto's CloudFormation takes seconds to import.
    """
    # A stack needs a resource, and nobody here asks for logs.
    resources = {"Nothing": {"Type": "AWS::Logs::LogGroup"}}
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
    """Has moto know the stack's schedules."""
    scheduler = cloud.client("scheduler")
    for group in stack.of_type("AWS::Scheduler::ScheduleGroup"):
        scheduler.create_schedule_group(Name=group.ref)
    for schedule in stack.of_type("AWS::Scheduler::Schedule"):
        properties: dict[str, Any] = {"State": "ENABLED"} | schedule.properties
        scheduler.create_schedule(**properties)
