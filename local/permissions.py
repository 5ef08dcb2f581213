"""The functions' roles, held to: a call that a function's role does not allow fails here as it does on AWS.

moto knows roles, but not on which resource a call is. This does, for the calls that this project makes: it looks at each
call of boto3's default session before it goes out. A statement with a condition is refused, since none is weighed here.
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

#: The environment variable that brings a function's process its role's statements, as JSON.
VARIABLE: Final = "LOCAL_ROLE_STATEMENTS"

type Statement = Mapping[str, Any]
#: An action and the ARN that it is on.
type Access = tuple[str, str]


def statements(stack: Stack, role_arn: str) -> list[Statement]:
    """What a role of the stack's says. Raises ValueError for a condition, and KeyError when the stack has no such role."""
    policies = stack.by_arn(role_arn).properties.get("Policies", [])
    found = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    if conditional := [statement for statement in found if "Condition" in statement]:
        raise ValueError(f"{role_arn}: conditions are not known here: {conditional}")
    return found


def enforce(allowed: Sequence[Statement] | None) -> None:
    """Refuse, from now on, what boto3's default session is asked for and `allowed` does not allow. None allows all."""
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
    """Whether a statement allows the action on the resource, and none denies it."""
    effects = {
        statement["Effect"]
        for statement in allowed
        if _any_like(statement["Action"], action) and _any_like(statement["Resource"], resource)
    }
    return effects == {"Allow"}


def accesses(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Access]:
    """What a call needs: https://docs.aws.amazon.com/service-authorization/latest/reference/."""
    match service:
        case "s3":
            return _s3(operation, params)
        case "dynamodb":
            return _dynamodb(operation, params)
        case "secretsmanager":
            # A secret's ARN ends with six characters of its own, which a name does not tell.
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


#: S3's actions are not its calls' names.
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


def _any_like(patterns: str | Sequence[str], value: str) -> bool:
    """Whether one of the patterns, in which `*` and `?` stand for others, is the value."""
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(re.fullmatch(re.escape(p).replace(r"\*", ".*").replace(r"\?", "."), value) for p in listed)
