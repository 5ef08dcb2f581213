"""GitHub's role can deploy the stack, and nothing beyond it; the roles that it changes stay within their boundary."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from local.aws_account import ACCOUNT, REGION
from local.template import Resource, Stack
from tests.stack import make_deploy_role, make_named_stack

#: Actions that CloudFormation lists for a type, but needs only for what the template does not use.
UNUSED: Final = {
    "AWS::ApiGatewayV2::Api": "apigateway:DELETE",  # of the API's parts, which have ARNs of their own
    "AWS::ApiGatewayV2::Stage": "apigateway:(Tag|Untag)Resource",  # API Gateway checks PUT and DELETE on its tags
    "AWS::DynamoDB::Table": "dynamodb:.*(ContributorInsights|KinesisStreamingDestination|TableReplica|Item)"
    "|dynamodb:(Put|Delete)ResourcePolicy|dynamodb:(Scan|Query|CreateTable)",
    # A deployment by hand changes whom a role trusts; the template uses no managed policies.
    "AWS::IAM::Role": "iam:(UpdateAssumeRolePolicy|AttachRolePolicy|DetachRolePolicy|DeleteRolePermissionsBoundary)",
    "AWS::KMS::Key": "kms:(DisableKey|DisableKeyRotation|EnableKey)",
    "AWS::Lambda::Function": "lambda:.*(Concurrency|CapacityProvider|ScalingConfig|RuntimeAlias|PublishVersion)"
    "|lambda:(Put|Delete)Function(CodeSigning|Recursion)Config|lambda:(PutRuntimeManagement|GetCodeSigning)Config",
    "AWS::Logs::LogGroup": "logs:.*(KmsKey|BearerToken).*|logs:(Put|Delete)(DataProtection|Index)Policy"
    "|logs:PutLogGroupDeletionProtection|logs:DeleteResourcePolicy",
    "AWS::S3::Bucket": "s3:(Put|Delete|Create|Update).*(Analytics|Inventory|Metrics|Replication|Accelerate"
    "|IntelligentTiering|ObjectLock|Metadata|Website|Cors|Encryption|Lifecycle).*",
    "AWS::SecretsManager::Secret": "secretsmanager:.*Region.*|secretsmanager:GetSecretValue",  # it never reads a key
    "AWS::SNS::Topic": "sns:PutDataProtectionPolicy",
}
#: Types with resources that a parameter replaces: NoticeEmail and DefaultFeed.
REPLACED: Final = {"AWS::SNS::Subscription", "AWS::Scheduler::Schedule"}


class Grant(NamedTuple):
    """What one statement allows.

    Attributes:
        condition: under which.
    """

    action: str
    resource: str
    condition: dict[str, Any]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def grants(statements: list[dict[str, Any]]) -> list[Grant]:
    assert all(statement["Effect"] == "Allow" for statement in statements)
    return [
        Grant(action, resource, statement.get("Condition", {}))
        for statement in statements
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def documents(role: Stack) -> dict[str, Any]:
    """Return the policies of the deployment's role by their names."""
    [inline] = role.resources["DeployRole"].properties["Policies"]
    return {
        "inline": inline["PolicyDocument"],
        "managed": role.resources["DeployMonitoring"].properties["PolicyDocument"],
    }


def granted(role: Stack) -> list[Grant]:
    return [grant for document in documents(role).values() for grant in grants(document["Statement"])]


def allows(grants: list[Grant], action: str, arn: str) -> bool:
    return any(fnmatchcase(action, each.action) and fnmatchcase(arn, each.resource) for each in grants)


@pytest.fixture(scope="module")
def role() -> Stack:
    return make_deploy_role("jobferry")


@pytest.fixture(scope="module")
def stack() -> Stack:
    return make_named_stack("jobferry", NoticeEmail="jobs@example.com", Environment="prod")


def needed(resource: Resource) -> Iterator[str]:
    """Yield the actions that CloudFormation needs to update or replace the resource, as its type's schema lists them."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource.type).schema.get("handlers", {})
    # An update of a type without one replaces the resource.
    replaced = resource.type in REPLACED or "update" not in handlers
    for handler in ("read", "create", "delete") if replaced else ("read", "update"):
        yield from handlers.get(handler, {}).get("permissions", [])


def test_the_role_can_update_each_resource(role: Stack, stack: Stack) -> None:
    allowed = granted(role)
    missing = []
    for resource in stack.resources.values():
        service = resource.arn.split(":")[2]
        for action in set(needed(resource)):
            unused = re.fullmatch(UNUSED.get(resource.type, ""), action)
            if action.startswith(f"{service}:") and not unused and not allows(allowed, action, resource.arn):
                missing.append((resource.logical_id, action))
    assert missing == []


def test_the_role_can_deploy_with_the_tags_of_samconfig(role: Stack) -> None:
    stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/jobferry/1"
    change_set = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/samcli-deploy1796100000/1"
    assert all(allows(granted(role), "cloudformation:TagResource", arn) for arn in (stack, change_set))


def test_the_role_reaches_no_other_stack(role: Stack) -> None:
    for other in ("jobferry-staging", "jobferry-dev", "other"):
        arns = {resource.arn for resource in make_named_stack(other, NoticeEmail="jobs@example.com").resources.values()}
        # What names no single resource is either harmless or has a condition.
        arns -= {
            arn for arn in arns if ":kms:" in arn or ":apigateway:" in arn
        }  # the same in each stack of these tests
        reached = {
            (grant.action, arn)
            for grant in granted(role)
            for arn in arns
            if fnmatchcase(arn, grant.resource) and grant.resource != "*" and ":event-source-mapping:" not in arn
        }
        assert reached == set()


def test_only_these_actions_apply_to_every_resource(role: Stack) -> None:
    wide = {grant.action for grant in granted(role) if grant.resource == "*" and not grant.condition}
    reading = {action for action in wide if re.match(r"\w+:(Get|List|Describe|Validate)", action)}
    # What the log of an HTTP API needs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
    delivery = {"logs:CreateLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy"}
    assert wide - reading == delivery


def test_the_role_reads_no_feed_and_no_key_and_deletes_no_data(role: Stack) -> None:
    forbidden = re.compile(
        r"\*|s3:(\*|Delete.*)|dynamodb:(\*|Delete.*|Scan|Query|GetItem|PutItem)|kms:(\*|Decrypt|Encrypt|Schedule.*|Disable.*)"
        r"|secretsmanager:(\*|Get(SecretValue|\*)|Put.*|BatchGet.*|Delete.*)|sqs:(\*|Receive.*|Delete.*)|lambda:(\*|Invoke.*|Delete(Function|\*))"
    )
    assert {grant.action for grant in granted(role) if forbidden.fullmatch(grant.action)} == set()
    objects = {grant.resource for grant in granted(role) if re.match(r"s3:.*Object", grant.action)}
    assert objects == {"arn:aws:s3:::aws-sam-cli-managed-default-*/jobferry/*"}


def test_the_role_can_give_no_one_more_than_the_boundary(role: Stack) -> None:
    boundary = role.resources["Boundary"].arn
    changing = [
        grant
        for grant in granted(role)
        if grant.action.startswith("iam:") and not re.match(r"iam:(Get|List|Tag|Untag|Pass)", grant.action)
    ]
    assert {grant.action for grant in changing} == {
        "iam:PutRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:UpdateRole",
        "iam:UpdateRoleDescription",
    }
    for grant in changing:
        if "Policy" in grant.action or "Boundary" in grant.action:
            assert grant.condition == {"StringEquals": {"iam:PermissionsBoundary": boundary}}
        assert not any(fnmatchcase(each.arn, grant.resource) for each in role.of_type("AWS::IAM::Role")), "itself"
    passed = [grant.condition for grant in granted(role) if grant.action == "iam:PassRole"]
    services = ["lambda.amazonaws.com", "scheduler.amazonaws.com"]
    assert all(each == {"StringEquals": {"iam:PassedToService": services}} for each in passed)


def test_the_boundary_holds_what_each_role_of_the_stack_does(role: Stack) -> None:
    boundary = role.resources["Boundary"]
    stack = make_named_stack("jobferry", PermissionsBoundary=boundary.arn)
    most = grants(boundary.properties["PolicyDocument"]["Statement"])
    for each in stack.of_type("AWS::IAM::Role"):
        assert each.properties["PermissionsBoundary"] == boundary.arn
        [policy] = each.properties["Policies"]
        for grant in grants(policy["PolicyDocument"]["Statement"]):
            assert allows(most, grant.action, grant.resource), f"{each.logical_id}: {grant.action} {grant.resource}"


def test_the_boundary_ends_at_the_stack(role: Stack) -> None:
    most = grants(role.resources["Boundary"].properties["PolicyDocument"]["Statement"])
    assert not [grant for grant in most if "*" in grant.action]
    assert [grant.action for grant in most if grant.resource == "*"] == ["dynamodb:ListStreams"]
    most = [grant for grant in most if grant.resource != "*"]
    other = make_named_stack("jobferry-staging")
    arns = {each.arn for each in other.resources.values()} | {f"{other.resources['FeedsBucket'].arn}/feeds/a.csv"}
    assert not [arn for arn in arns for grant in most if fnmatchcase(arn, grant.resource) and ":kms:" not in arn]


def test_without_a_boundary_the_roles_have_none(stack: Stack) -> None:
    assert not any("PermissionsBoundary" in each.properties for each in stack.of_type("AWS::IAM::Role"))


def test_the_policies_are_not_too_long_for_iam() -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html. White space does not count.
    role = make_deploy_role("s" * 20)
    sizes = {name: len(json.dumps(document, separators=(",", ":"))) for name, document in documents(role).items()}
    boundary = role.resources["Boundary"].properties["PolicyDocument"]
    assert sizes["inline"] <= 10_240
    assert sizes["managed"] <= 6_144
    assert len(json.dumps(boundary, separators=(",", ":"))) <= 6_144


def test_the_role_trusts_one_environment_of_one_repository(role: Stack) -> None:
    [trust] = role.resources["DeployRole"].properties["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:agency/jobferry:environment:prod",
        }
    }
