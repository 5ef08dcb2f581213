"""Shortcuts to moto, without which the tests of faults take twice as long: most of a call is requests and answers as bytes.

tests/faults/test_shortcuts.py compares them with moto's own ways.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name
from botocore.client import BaseClient
from botocore.response import StreamingBody
from moto.core.exceptions import ServiceException
from moto.dynamodb.models.dynamo_type import LimitedSizeDict
from moto.dynamodb.responses import DynamoHandler
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from werkzeug.exceptions import HTTPException

from local.aws_account import ACCOUNT, REGION


class _Handler(DynamoHandler):
    """Handles operations of DynamoDB, with their parameters as boto3 has them."""

    current_account = ACCOUNT
    region = REGION

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__()
        self.body = params


def install(patch: pytest.MonkeyPatch) -> None:
    """Shorten the calls of boto3."""
    real = BaseClient._make_api_call
    patch.setattr(BaseClient, "_make_api_call", lambda client, *call: _answer(real, client, *call))
    # It measures the whole item for each attribute. tests/integration/test_size.py has items that are too large.
    patch.delattr(LimitedSizeDict, "__setitem__")


def _answer(real: Callable[..., Any], client: BaseClient, operation: str, params: dict[str, Any]) -> Any:
    """Answer a call of boto3. What has no shortcut, and every error, takes the real way."""
    try:
        match client.meta.service_model.service_name, operation:
            case "dynamodb", "Query" | "GetItem" | "BatchGetItem" | "BatchWriteItem" | "TransactWriteItems":
                return getattr(_Handler(params), xform_name(operation))().result
            case "secretsmanager", "GetSecretValue":
                secrets = secretsmanager_backends[ACCOUNT][REGION]
                return secrets.get_secret_value(params["SecretId"], None, None)  # type: ignore[arg-type]
            case "s3", "GetObject":
                found = s3_backends[ACCOUNT]["aws"].buckets[params["Bucket"]].keys.get(params["Key"])
                if found is not None and params.get("IfMatch", found.etag) == found.etag:
                    return {"Body": StreamingBody(io.BytesIO(found.value), found.size)}
    except (HTTPException, ServiceException):
        pass
    return real(client, operation, params)
