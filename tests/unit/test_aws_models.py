"""Hold the templates to AWS's own lists: botocore's models of the services, and IAM's actions as cfn-lint ships them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any, Final

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local.template import Resource
from tests.stack import make_deploy_role, make_named_stack

SESSION: Final = botocore.session.get_session()
#: For each type, the calls whose parameters its properties become.
CALLS: Final[dict[str, list[str]]] = {
    "AWS::ApiGatewayV2::Api": ["apigatewayv2:ImportApi"],
    "AWS::ApiGatewayV2::Stage": ["apigatewayv2:CreateStage"],
    "AWS::CloudWatch::Alarm": ["cloudwatch:PutMetricAlarm"],
    "AWS::CloudWatch::Dashboard": ["cloudwatch:PutDashboard"],
    "AWS::DynamoDB::Table": [
        "dynamodb:CreateTable",
        "dynamodb:UpdateTimeToLive",
        "dynamodb:UpdateContinuousBackups",
    ],
    "AWS::Events::Rule": ["events:PutRule", "events:PutTargets"],
    "AWS::IAM::ManagedPolicy": ["iam:CreatePolicy"],
    "AWS::IAM::Role": ["iam:CreateRole"],
    "AWS::KMS::Key": ["kms:CreateKey", "kms:ScheduleKeyDeletion"],
    "AWS::Lambda::EventInvokeConfig": ["lambda:PutFunctionEventInvokeConfig"],
    "AWS::Lambda::EventSourceMapping": ["lambda:CreateEventSourceMapping"],
    "AWS::Lambda::Function": ["lambda:CreateFunction"],
    "AWS::Lambda::LayerVersion": ["lambda:PublishLayerVersion"],
    "AWS::Lambda::Permission": ["lambda:AddPermission"],
    "AWS::Logs::LogGroup": ["logs:CreateLogGroup", "logs:PutRetentionPolicy"],
    "AWS::SNS::Subscription": ["sns:Subscribe"],
    "AWS::SecretsManager::Secret": ["secretsmanager:CreateSecret", "secretsmanager:GetRandomPassword"],
    "AWS::Scheduler::Schedule": ["scheduler:CreateSchedule"],
    "AWS::Scheduler::ScheduleGroup": ["scheduler:CreateScheduleGroup"],
}
#: Types whose properties are attributes, policies or many separate calls. cfn-lint checks them.
OTHERS: Final = {
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
}
#: Properties that only CloudFormation knows, and what it makes of them.
OWN: Final = {
    "EnableKeyRotation": "kms:EnableKeyRotation, a call without parameters",
    "GenerateSecretString": "the parameters of secretsmanager:GetRandomPassword",
    "KeyPolicy": "Policy",
    "Policies": "iam:PutRolePolicy for each",
    "Roles": "iam:AttachRolePolicy for each",
    "SSEEnabled": "Enabled",
}
POLICIES: Final = json.loads(files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())


def plain(name: str) -> str:
    return name.replace("_", "").lower()


def differences(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Yield what of a value does not fit the service's model: names, enums, ranges and lengths."""
    match shape, value:
        case StructureShape(), Mapping():
            members = {plain(name): member for name, member in shape.members.items()}
            for name, each in value.items():
                if plain(name) in members:
                    yield from differences(each, members[plain(name)], f"{path}.{name}")
                else:
                    yield f"{path}.{name} is not known"
        case ListShape(), list():
            for each in value:
                yield from differences(each, shape.member, f"{path}[]")
        case MapShape(), Mapping():
            for name, each in value.items():
                yield from differences(each, shape.value, f"{path}.{name}")
        case _, str() | int() | float() if not isinstance(value, bool):
            yield from scalar_differences(value, shape, path)


def scalar_differences(value: Any, shape: Shape, path: str) -> Iterator[str]:
    enum = getattr(shape, "enum", None)
    if enum and value not in enum:
        yield f"{path}: {value!r} is none of {enum}"
    size: float = len(value) if shape.type_name == "string" else float(value)
    if shape.type_name in ("string", "integer", "long", "double") and not (
        shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size)
    ):
        yield f"{path}: {value!r} is out of the range {shape.metadata}"


@pytest.fixture(scope="module")
def resources() -> list[Resource]:
    """Return the resources of both templates."""
    role = make_deploy_role("jobferry")
    boundary = role.resources["Boundary"].ref
    stack = make_named_stack("jobferry", NoticeEmail="jobs@example.com", PermissionsBoundary=boundary)
    return [*stack.resources.values(), *role.resources.values()]


def property_differences(resource: Resource, name: str, value: Any) -> list[str]:
    """Return what of a property fits none of its type's calls: the differences from the call that it fits best."""
    shapes = [
        SESSION.get_service_model(service).operation_model(operation).input_shape
        for service, _, operation in (call.partition(":") for call in CALLS[resource.type])
    ]
    knowing = [shape for shape in shapes if plain(name) in map(plain, shape.members)] or shapes
    return min((list(differences({name: value}, shape, resource.logical_id)) for shape in knowing), key=len)


def test_the_services_know_each_property_and_accept_its_value(resources: list[Resource]) -> None:
    assert {resource.type for resource in resources} <= CALLS.keys() | OTHERS
    found = [
        difference
        for resource in resources
        if resource.type in CALLS
        for name, value in resource.properties.items()
        for difference in property_differences(resource, name, value)
    ]
    own = re.compile(rf".*\.({'|'.join(OWN)}) is not known")
    assert [difference for difference in found if not own.fullmatch(difference)] == []


def statements(resources: list[Resource]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each statement of every role and policy, and where it is."""
    for resource in resources:
        documents = [each["PolicyDocument"] for each in resource.properties.get("Policies", [])]
        if resource.type == "AWS::IAM::ManagedPolicy":
            documents.append(resource.properties["PolicyDocument"])
        for document in documents:
            for statement in document["Statement"]:
                yield f"{resource.logical_id} {statement['Sid']}", statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named(action: str) -> list[dict[str, Any]]:
    """Return the actions of IAM's list that an action's name, which may have wildcards, stands for."""
    service, _, name = action.partition(":")
    known = POLICIES[service]["Actions"]
    return [known[each] for each in known if fnmatchcase(each, name.lower())]


def forms(service: str, action: dict[str, Any]) -> list[str]:
    """Return the forms of the ARNs that the action applies to, as regular expressions."""
    types = {name.lower(): each for name, each in POLICIES[service]["Resources"].items()}
    formats = [form for each in action.get("Resources", []) for form in types[each.lower()]["ARNFormats"]]
    return [re.sub(r"\$\{\w+\}", "[^:]*", form) for form in formats]


def test_iam_knows_each_action(resources: list[Resource]) -> None:
    unknown = [
        f"{place}: {action}"
        for place, statement in statements(resources)
        for action in listed(statement["Action"])
        if not named(action)
    ]
    assert unknown == []


def test_each_action_applies_to_a_resource_of_its_statement(resources: list[Resource]) -> None:
    """An action that has other resources than its statement names is never allowed, and only a denied call shows it."""
    found = set()
    for place, statement in statements(resources):
        arns = listed(statement["Resource"])
        for action in listed(statement["Action"]):
            possible = [form for each in named(action) for form in forms(action.partition(":")[0], each)]
            if "*" not in arns and not any(re.fullmatch(form, arn) for form in possible for arn in arns):
                found.add((place, action))
    # A transform is a resource, too, though not in IAM's list:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-template.html
    assert found == {("DeployRole ExpandTemplate", "cloudformation:CreateChangeSet")}
