"""Roles: the permissions that a call needs, and whether statements allow them."""

from typing import Any

import pytest

from local.permissions import accesses, permits

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/T"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s/accounts/K"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:F"


@pytest.mark.parametrize(
    ("service", "operation", "params", "needed"),
    [
        ("s3", "GetObject", {"Bucket": "b", "Key": "k/1"}, [("s3:GetObject", "arn:aws:s3:::b/k/1")]),
        (
            "s3",
            "GetObject",
            {"Bucket": "b", "Key": "k", "VersionId": "v"},
            [("s3:GetObjectVersion", "arn:aws:s3:::b/k")],
        ),
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, [("s3:GetObject", "arn:aws:s3:::b/k")]),
        ("s3", "UploadPart", {"Bucket": "b", "Key": "k"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
        ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "k"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("dynamodb", "GetItem", {"TableName": "T"}, [("dynamodb:GetItem", TABLE)]),
        ("dynamodb", "Query", {"TableName": "T", "IndexName": "i"}, [("dynamodb:Query", f"{TABLE}/index/i")]),
        ("dynamodb", "BatchWriteItem", {"RequestItems": {"T": []}}, [("dynamodb:BatchWriteItem", TABLE)]),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "T"}}, {"ConditionCheck": {"TableName": "T"}}]},
            [("dynamodb:PutItem", TABLE), ("dynamodb:ConditionCheckItem", TABLE)],
        ),
        ("secretsmanager", "GetSecretValue", {"SecretId": SECRET}, [("secretsmanager:GetSecretValue", SECRET)]),
        (
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": "s/accounts/K"},
            [("secretsmanager:GetSecretValue", f"{SECRET}-??????")],
        ),
        ("sns", "Publish", {"TopicArn": "arn:t"}, [("sns:Publish", "arn:t")]),
        (
            "sqs",
            "SendMessage",
            {"QueueUrl": "http://x/123456789012/q"},
            [("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q")],
        ),
        ("lambda", "Invoke", {"FunctionName": "F"}, [("lambda:InvokeFunction", LAMBDA)]),
        ("sts", "GetCallerIdentity", {}, [("sts:GetCallerIdentity", "*")]),
    ],
)
def test_permissions_that_a_call_needs(service: str, operation: str, params: Any, needed: Any) -> None:
    assert list(accesses(service, operation, params)) == needed


ALLOW = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:Put*"], "Resource": "arn:aws:s3:::b/feeds/*"}


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("s3:GetObject", "arn:aws:s3:::b/feeds/a", True),
        ("s3:PutObject", "arn:aws:s3:::b/feeds/a", True),
        ("s3:GetObjectVersion", "arn:aws:s3:::b/feeds/a", False),
        ("s3:GetObject", "arn:aws:s3:::b/archive/a", False),
        ("s3:GetObject", "arn:aws:s3:::b/feeds/secret", False),
    ],
)
def test_statements(action: str, resource: str, allowed: bool) -> None:
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": ["arn:aws:s3:::b/feeds/secret"]}
    assert permits([ALLOW, deny], action, resource) is allowed
