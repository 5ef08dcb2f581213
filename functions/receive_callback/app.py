"""ReceiveCallback: receives the board's result of an import."""

import json
import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobferry.adapters.aws import CONFIG, on_demand
from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.http_board import HttpBoard
from jobferry.adapters.metrics import add_settled
from jobferry.adapters.s3 import FeedsBucket
from jobferry.adapters.secrets import SecretAccounts, read_secret
from jobferry.errors import CallbackError
from jobferry.results.callbacks import Receiver, parse_callback, receive

logger = Logger()
metrics = Metrics()
secrets = boto3.client("secretsmanager", config=CONFIG)
table = ImportsTable(boto3.client("dynamodb", config=CONFIG), os.environ["IMPORTS_TABLE"])
bucket = FeedsBucket(on_demand("s3"), os.environ["FEEDS_BUCKET"])  # needed only if jobs failed
accounts = SecretAccounts(secrets, os.environ["SECRETS_PREFIX"], os.environ["BOARD_URL"])


@cache
def signing_key() -> str:
    return read_secret(secrets, os.environ["CALLBACK_SIGNING_KEY_SECRET"])


receiver = Receiver(table, bucket, accounts, cache(HttpBoard), signing_key)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    try:
        callback = parse_callback(event)
        received = receive(callback, receiver, datetime.now(UTC))
    except CallbackError as error:
        logger.warning("refused", extra={"status": error.status, "why": str(error)})
        return response(error.status, error.word)
    record = received.record
    logger.append_keys(importId=record.import_id, feed=record.feed)
    logger.info(
        "callback", extra={"state": record.state, "verified": record.result.verified, "status": received.status}
    )
    if received.settled:
        add_settled(metrics, record)
    return response(received.status, record.state)


def response(status: int, word: str) -> dict[str, Any]:
    body = json.dumps({"status": word})
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": body}
