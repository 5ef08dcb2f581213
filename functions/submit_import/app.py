"""SubmitImport: runs a feed for the schedule, an upload, a person or the poller."""

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobferry.adapters.aws import CONFIG
from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.http_board import HttpBoard
from jobferry.adapters.metrics import NO_FEED, add_sent, emit_overdue
from jobferry.adapters.s3 import FeedsBucket
from jobferry.adapters.secrets import SecretAccounts, read_secret
from jobferry.errors import StrayObjectError
from jobferry.records.imports import State
from jobferry.runs.submission import Outcome, submit
from jobferry.runs.triggers import parse_trigger
from jobferry.runs.world import Invocation, World

logger = Logger()
metrics = Metrics()
secrets = boto3.client("secretsmanager", config=CONFIG)
table = ImportsTable(boto3.client("dynamodb", config=CONFIG), os.environ["IMPORTS_TABLE"])
bucket = FeedsBucket(boto3.client("s3", config=CONFIG), os.environ["FEEDS_BUCKET"])
accounts = SecretAccounts(secrets, os.environ["SECRETS_PREFIX"], os.environ["BOARD_URL"])


@cache
def signing_key() -> str:
    return read_secret(secrets, os.environ["CALLBACK_SIGNING_KEY_SECRET"])


world = World(table, bucket, accounts, cache(HttpBoard), os.environ["CALLBACK_URL"], signing_key)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    now = datetime.now(UTC)
    try:
        trigger = parse_trigger(event, now, context.aws_request_id)
    except StrayObjectError as error:
        logger.warning("object outside the feeds", extra={"why": str(error)})
        if error.misplaced:
            emit_overdue([NO_FEED])  # The alarm tells a person; the log names the object.
        return Outcome(None, State.SKIPPED, reason=str(error)).answer()
    logger.append_keys(importId=trigger.import_id, feed=trigger.feed)
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    outcome = submit(trigger, Invocation(context.aws_request_id, now + left), world)
    logger.info("run", extra={"state": outcome.state, "jobs": outcome.jobs, "invalid": outcome.invalid})
    add_sent(metrics, outcome)
    return outcome.answer()
