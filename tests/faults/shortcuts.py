"""Shortcuts to moto: most of the time of a call goes into requests and answers as bytes, and into copies of the whole table.

tests/faults/test_shortcuts.py compares them with moto's own ways.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name
from botocore.client import BaseClient
from botocore.response import StreamingBody
from moto.core.exceptions import ServiceException
from moto.dynamodb.models.dynamo_type import LimitedSizeDict
from moto.dynamodb.models.table import Table
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
    """Shorten the calls of boto3, and what moto does to write an item."""
    real = BaseClient._make_api_call
    patch.setattr(BaseClient, "_make_api_call", lambda client, *call: _answer(real, client, *call))
    patch.setattr(Table, "__deepcopy__", _copy, raising=False)
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


def _copy(table: Table, _memo: object) -> Table:
    """Copy a table before a transaction that may fail. Its items are replaced, never changed."""
    twin = copy.copy(table)
    twin.items = copy.copy(table.items)
    for key, items in table.items.items():
        twin.items[key] = copy.copy(items)
    twin.stream_shard = copy.copy(table.stream_shard)
    twin.stream_shard.items = copy.copy(table.stream_shard.items)
    return twin
