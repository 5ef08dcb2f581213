"""PublishNotice: publishes the notice when the table's stream reports that an import has ended."""

import os
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from jobferry.adapters.aws import CONFIG
from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.s3 import LINKING, FeedsBucket
from jobferry.adapters.sns import NoticesTopic
from jobferry.notices import report as reports
from jobferry.notices.advice.commands import Commands
from jobferry.notices.notice import publish
from jobferry.notices.view import ImportView

logger, metrics = Logger(), Metrics()
processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
bucket, table, runbook = os.environ["FEEDS_BUCKET"], os.environ["IMPORTS_TABLE"], os.environ["RUNBOOK_URL"]
imports = ImportsTable(boto3.client("dynamodb", config=CONFIG), table)
archive = FeedsBucket(boto3.client("s3", config=CONFIG.merge(LINKING)), bucket)
topic = NoticesTopic(boto3.client("sns", config=CONFIG), os.environ["NOTICES_TOPIC_ARN"])
commands = Commands.of_stack(os.environ["POWERTOOLS_SERVICE_NAME"], table, bucket, topic.region, runbook)


def store_report(view: ImportView) -> reports.Links | None:
    """Store the report of an import. Its notice is published even if that fails."""
    try:
        return reports.store(view, archive, datetime.now(UTC))
    except Exception:
        logger.exception("report not written")
        return None


def publish_notice(record: DynamoDBRecord) -> None:
    """Publish the notice of one import if it is due. The processor reports each record that fails, and goes on."""
    try:
        if (change := record.dynamodb) is None or change.keys["item"] != "import":
            return
        logger.append_keys(importId=(import_id := change.keys["importId"]), feed=change.new_image.get("feed"))
        told = publish(imports, topic, import_id, datetime.now(UTC), commands, store_report)
    except Exception:
        logger.exception("notice not published")
        raise
    metrics.add_metric(name="NoticesPublished", unit=MetricUnit.Count, value=int(told is not None))
    logger.info("notice published" if told else "no notice is due")
    if told and told.deletions.nobody_subscribed:
        logger.warning("no subscription is confirmed: deletions wait")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], _context: object) -> PartialItemFailureResponse:
    return process_partial_response(event, publish_notice, processor)
