"""Enforces the functions' roles: a call that a function's role does not allow fails here as it does on AWS.

moto does not check on which resource a call acts. This module does, for the calls that this project makes: it checks each
call of boto3's default session before it is sent. It refuses statements with conditions, since it cannot evaluate them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import ClientError
from botocore.session import Session

from local.aws_account import ACCOUNT, REGION

if TYPE_CHECKING:
    from local.template import Stack

#: The environment variable with which a function's process receives its role's statements, as JSON.
VARIABLE: Final = "LOCAL_ROLE_STATEMENTS"

type Statement = Mapping[str, Any]
#: An action and the ARN of its resource.
type Access = tuple[str, str]


def statements(stack: Stack, role_arn: str) -> list[Statement]:
    """Read the statements of a role. Raises ValueError for a condition, and KeyError if the stack has no such role."""
    policies = stack.by_arn(role_arn).properties.get("Policies", [])
    found = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    if conditional := [statement for statement in found if "Condition" in statement]:
        raise ValueError(f"{role_arn}: conditions are not supported here: {conditional}")
    return found


def enforce(allowed: Sequence[Statement] | None) -> None:
    """Make boto3's default session refuse calls that `allowed` does not allow. None allows everything."""
    if allowed is None:
        return
    session = Session()
    session.register("before-parameter-build", functools.partial(_check, allowed))
    boto3.setup_default_session(botocore_session=session)


def _check(allowed: Sequence[Statement], params: Mapping[str, Any], model: Any, **_: Any) -> None:
    service = model.service_model.service_name
    for action, resource in accesses(service, model.name, params):
        if not permits(allowed, action, resource):
            message = f"the role does not allow {action} on {resource}"
            raise ClientError({"Error": {"Code": _code(service), "Message": message}}, model.name)


def permits(allowed: Sequence[Statement], action: str, resource: str) -> bool:
    """Check whether a statement allows the action on the resource, and none denies it."""
    effects = {
        statement["Effect"]
        for statement in allowed
        if _matches_any(statement["Action"], action) and _matches_any(statement["Resource"], resource)
    }
    return effects == {"Allow"}


def accesses(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Access]:
    """List the actions and resources of a call: https://docs.aws.amazon.com/service-authorization/latest/reference/."""
    match service:
        case "s3":
            return _s3(operation, params)
        case "dynamodb":
            return _dynamodb(operation, params)
        case "secretsmanager":
            # A secret's ARN ends with six random characters, which its name does not have.
            secret = params["SecretId"]
            arn = (
                secret
                if secret.startswith("arn:")
                else f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{secret}-??????"
            )
            return iter([(f"secretsmanager:{operation}", arn)])
        case "sns":
            return iter([(f"sns:{operation}", params["TopicArn"])])
        case "sqs":
            name = params["QueueUrl"].rsplit("/", 1)[1]
            return iter([(f"sqs:{operation.removesuffix('Batch')}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")])
        case "lambda":
            name = params["FunctionName"]
            arn = name if name.startswith("arn:") else f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
            return iter([("lambda:InvokeFunction" if operation == "Invoke" else f"lambda:{operation}", arn)])
    return iter([(f"{service}:{operation}", "*")])


#: Calls of S3 whose action has another name.
_S3_ACTIONS: Final = {
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
}


def _s3(operation: str, params: Mapping[str, Any]) -> Iterator[Access]:
    action = _S3_ACTIONS.get(operation, operation)
    if action in ("GetObject", "DeleteObject") and "VersionId" in params:
        action += "Version"
    bucket = f"arn:aws:s3:::{params.get('Bucket', '')}"
    yield f"s3:{action}", f"{bucket}/{params['Key']}" if "Key" in params else bucket


def _dynamodb(operation: str, params: Mapping[str, Any]) -> Iterator[Access]:
    match operation:
        case "TransactWriteItems" | "TransactGetItems":
            for item in params["TransactItems"]:
                for kind, request in item.items():  # Put, Update, Delete, ConditionCheck or Get
                    yield f"dynamodb:{kind}Item", _table(request["TableName"])
        case "BatchWriteItem" | "BatchGetItem":
            for table in params["RequestItems"]:
                yield f"dynamodb:{operation}", _table(table)
        case _:
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            yield f"dynamodb:{operation}", _table(params["TableName"]) + index


def _table(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _code(service: str) -> str:
    match service:
        case "s3":
            return "AccessDenied"
        case "sns":
            return "AuthorizationError"
    return "AccessDeniedException"


def _matches_any(patterns: str | Sequence[str], value: str) -> bool:
    """Match the value against patterns with the wildcards `*` and `?`."""
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(re.fullmatch(re.escape(p).replace(r"\*", ".*").replace(r"\?", "."), value) for p in listed)
