"""PublishNotice: the table's stream says that imports have ended; whoever is to hear of one gets its notice."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobferry.adapters.table import ImportsTable
from jobferry.adapters.topic import NoticesTopic
from jobferry.advice import Stack
from jobferry.notices import publish

logger = Logger()
metrics = Metrics()
# One record that cannot be told holds up no other; a batch that fails whole is answered in the same way.
processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
dynamodb = boto3.client("dynamodb")
sns = boto3.client("sns")


@cache
def stack() -> Stack:
    """The names that notices show: function and secrets are called after the stack, which is the service's name."""
    name, topic = os.environ["POWERTOOLS_SERVICE_NAME"], os.environ["NOTICES_TOPIC_ARN"]
    table, bucket = os.environ["IMPORTS_TABLE"], os.environ["FEEDS_BUCKET"]
    return Stack(f"{name}-SubmitImport", table, bucket, accounts=f"{name}/accounts/", region=topic.split(":")[3])


def tell(record: DynamoDBRecord) -> None:
    """Publishes the notice of one import, if it is due."""
    change = record.dynamodb
    if change is None or change.keys.get("item") != "import":
        return
    import_id = change.keys["importId"]
    logger.append_keys(importId=import_id, feed=(change.new_image or {}).get("feed"))
    store = ImportsTable(dynamodb, os.environ["IMPORTS_TABLE"])
    topic = NoticesTopic(sns, os.environ["NOTICES_TOPIC_ARN"])
    try:
        published = publish(store, topic, import_id, datetime.now(UTC), stack())
    except Exception:
        logger.exception("notice not published")  # the processor keeps the error to itself
        raise
    metrics.add_metric(name="NoticesPublished", unit=MetricUnit.Count, value=int(published))
    logger.info("notice published" if published else "no notice is due")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Answers which records are to come again."""
    return process_partial_response(event=event, record_handler=tell, processor=processor, context=context)
