"""PollImports: asks the board every five minutes for results that no callback has brought."""

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobferry.adapters.aws import CONFIG, on_demand
from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.http_board import HttpBoard
from jobferry.adapters.lambda_functions import SubmitImportFunction
from jobferry.adapters.metrics import add_settled, emit_overdue
from jobferry.adapters.s3 import FeedsBucket
from jobferry.adapters.secrets import SecretAccounts
from jobferry.errors import PollingError
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import
from jobferry.results.overdue import is_hourly_run, overdue_feeds
from jobferry.results.polling import Poller, poll

logger, metrics = Logger(), Metrics()
# Most runs find nothing open. They need only the table.
table = ImportsTable(boto3.client("dynamodb", config=CONFIG), os.environ["IMPORTS_TABLE"])
bucket = FeedsBucket(on_demand("s3"), os.environ["FEEDS_BUCKET"])
accounts = SecretAccounts(on_demand("secretsmanager"), os.environ["SECRETS_PREFIX"], os.environ["BOARD_URL"])
submit_import = SubmitImportFunction(on_demand("lambda"), os.environ["SUBMIT_IMPORT_FUNCTION"])


def log_failure(record: Import | Feed, error: Exception) -> None:
    import_id = record.import_id if isinstance(record, Import) else None
    logger.error("failed", extra={"importId": import_id, "feed": record.feed}, exc_info=error)


poller = Poller(table, bucket, accounts, cache(HttpBoard), submit_import, lambda: datetime.now(UTC), log_failure)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    polled = poll(poller, datetime.now(UTC) + timedelta(milliseconds=context.get_remaining_time_in_millis()))
    metrics.add_metric("SettledByPoll", MetricUnit.Count, len(polled.settled))
    for record in polled.settled:
        logger.info("settled", extra={"importId": record.import_id, "feed": record.feed})
        add_settled(metrics, record)
    logger.info("polled", extra=polled.counts())
    if is_hourly_run(event):
        late = overdue_feeds(table, bucket, datetime.now(UTC), timedelta(hours=int(os.environ["ALARM_AFTER_HOURS"])))
        emit_overdue([feed.feed for feed in late])
        for feed in late:
            logger.warning("overdue", extra={"feed": feed.feed, "lastComplete": feed.last_complete})
    if polled.failed:
        raise PollingError(polled.failed)
    return polled.counts()
