"""What AWS says, in words."""

from __future__ import annotations

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from jobferry.cli.faults import words


def refused(code: str, message: str = "m", operation: str = "GetItem") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.NoCredentialsError(), "there are no AWS credentials: name a --profile, set AWS_PROFILE"),
        (
            exceptions.ProfileNotFound(profile="prod"),
            "The config profile (prod) could not be found: `aws configure list",
        ),
        (exceptions.NoRegionError(), "no region is known: give --region"),
        (exceptions.UnauthorizedSSOTokenError(), "the credentials cannot be loaded: sign in again"),
        (exceptions.SSOTokenLoadError(error_msg="x"), "the credentials cannot be loaded: sign in again"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="x"), "the credentials cannot be loaded: sign in"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), "AWS cannot be reached: Could not connect"),
        (refused("ExpiredToken"), "the credentials have expired: sign in again"),
        (refused("UnrecognizedClientException"), "AWS does not know the credentials"),
        (
            refused(
                "AccessDeniedException",
                "User: arn:aws:sts::1:assumed-role/dev/me is not authorized to perform: dynamodb:GetItem on resource: "
                "arn:aws:dynamodb:us-east-1:1:table/t because no identity-based policy allows the dynamodb:GetItem action",
            ),
            "access denied: your credentials lack the permission dynamodb:GetItem on arn:aws:dynamodb:us-east-1:1:table/t",
        ),
        (
            refused("AccessDenied", "User: me is not authorized to perform: kms:Decrypt", "GetObject"),
            "access denied: your credentials lack the permission kms:Decrypt",
        ),
        (
            refused("AccessDenied", "Access Denied", "ListObjectsV2"),
            "access denied: your credentials lack the permission s3:ListBucket",
        ),
        (
            refused("AccessDeniedException", "Access Denied", "Invoke"),
            "access denied: your credentials lack the permission lambda:InvokeFunction",
        ),
        (refused("ThrottlingException", "Rate exceeded"), "AWS answered ThrottlingException to GetItem: Rate exceeded"),
        (FileNotFoundError(2, "No such file or directory", "fix.jsonl"), "fix.jsonl: No such file or directory"),
    ],
)
def test_what_went_wrong(error: Exception, said: str) -> None:
    assert words(error).startswith(said)
