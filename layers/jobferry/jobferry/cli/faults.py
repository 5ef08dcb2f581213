"""AWS's errors in words that say what to do."""

import re
from typing import Final

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from jobferry.errors import JobferryError

#: The errors that a command expects, and that `words` explains.
FAULTS: Final = (JobferryError, BotoCoreError, ClientError, OSError)

_SIGN_IN: Final = "sign in again (`aws sso login`, or the way you got your credentials), or name another --profile"
_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403"}
)
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN: Final = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"})
#: The permissions that the calls need: https://docs.aws.amazon.com/service-authorization/latest/reference/
_ACTIONS: Final = {
    "DescribeStacks": "cloudformation:DescribeStacks",
    "GetItem": "dynamodb:GetItem",
    "Query": "dynamodb:Query",
    "Invoke": "lambda:InvokeFunction",
    "ListObjectsV2": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "GetSchedule": "scheduler:GetSchedule",
    "CreateSchedule": "scheduler:CreateSchedule",
    "UpdateSchedule": "scheduler:UpdateSchedule",
    "DeleteSchedule": "scheduler:DeleteSchedule",
}


def is_denied(error: ClientError) -> bool:
    """Tell whether a permission is missing."""
    return code_of(error) in _DENIED


def code_of(error: ClientError) -> str:
    """Return AWS's code of the error."""
    return error.response.get("Error", {}).get("Code", "")


def words(error: BaseException) -> str:
    """Return the error in words for a person."""
    match error:
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return "there are no AWS credentials: name a --profile, set AWS_PROFILE, or run `aws configure`"
        case exceptions.ProfileNotFound():
            return f"{error}: `aws configure list-profiles` shows those that there are"
        case exceptions.NoRegionError():
            return "no region is known: give --region, set AWS_REGION, or put one into the profile"
        case exceptions.SSOError() | exceptions.TokenRetrievalError() | exceptions.CredentialRetrievalError():
            return f"the credentials cannot be loaded: {_SIGN_IN}"
        case exceptions.EndpointConnectionError() | exceptions.ConnectTimeoutError() | exceptions.ReadTimeoutError():
            return f"AWS cannot be reached: {error}"
        case ClientError():
            return _refusal(error)
        case OSError() if error.filename:
            return f"{error.filename}: {error.strerror}"
        case _:
            return str(error)


def _refusal(error: ClientError) -> str:
    code, message = code_of(error), error.response.get("Error", {}).get("Message", "")
    if code in _DENIED:
        named = re.search(r"not authorized to perform: ([\w-]+:\w+)(?: on resource: (\S+))?", message)
        action = named[1] if named else _ACTIONS.get(error.operation_name, error.operation_name)
        where = f" on {named[2]}" if named and named[2] else ""
        return f"access denied: your credentials lack the permission {action}{where}"
    if code in _EXPIRED:
        return f"the credentials have expired: {_SIGN_IN}"
    if code in _UNKNOWN:
        return "AWS does not know the credentials: check the --profile, or AWS_ACCESS_KEY_ID"
    return f"AWS answered {code} to {error.operation_name}: {message}"
