"""PollImports: asks the board every five minutes for results that no callback has brought."""

import os
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobferry.adapters.aws import CONFIG, on_demand
from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.http_board import HttpBoard
from jobferry.adapters.lambda_functions import SubmitImportFunction
from jobferry.adapters.metrics import add_settled
from jobferry.adapters.poller_log import PollerLog
from jobferry.adapters.s3 import FeedsBucket
from jobferry.adapters.secrets import SecretAccounts
from jobferry.errors import PollingError
from jobferry.results.overdue_feeds import is_hourly_run, report_overdue
from jobferry.results.polling import Poller, poll

logger, metrics = Logger(), Metrics()
log = PollerLog(logger)
# Most runs find nothing open. They need only the table.
table = ImportsTable(boto3.client("dynamodb", config=CONFIG), os.environ["IMPORTS_TABLE"])
bucket = FeedsBucket(on_demand("s3"), os.environ["FEEDS_BUCKET"])
accounts = SecretAccounts(on_demand("secretsmanager"), os.environ["SECRETS_PREFIX"], os.environ["BOARD_URL"])
submit_import = SubmitImportFunction(on_demand("lambda"), os.environ["SUBMIT_IMPORT_FUNCTION"])


def now() -> datetime:
    return datetime.now(UTC)


poller = Poller(table, bucket, accounts, cache(HttpBoard), submit_import, now, log.failed, log.asking)
check_overdue = partial(report_overdue, table, bucket, now, report=log.overdue, failed=log.failed)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    # A result counts before its notice, for the alarm NoticesSilent, even if this run ends after it.
    metrics.set_timestamp(now())
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    deadline, hourly = now() + left, is_hourly_run(event)
    # Nothing that the board answers may keep an overdue feed from being noticed, so this comes first.
    after = timedelta(hours=int(os.environ["ALARM_AFTER_HOURS"]))
    unchecked = check_overdue(after, now() + left / 4) if hourly else []
    polled = poll(poller, deadline, late=hourly)
    metrics.add_metric("SettledByPoll", MetricUnit.Count, len(polled.settled))
    for record in polled.settled:
        log.settled(record)
        add_settled(metrics, record)
    logger.info("polled", extra=polled.counts())
    if failed := unchecked + polled.failed:
        raise PollingError(failed)
    return polled.counts()
