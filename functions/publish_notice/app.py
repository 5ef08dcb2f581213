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
    """What the notices name. The stack's name is the service's; function and secrets are called after it."""
    name, topic = os.environ["POWERTOOLS_SERVICE_NAME"], os.environ["NOTICES_TOPIC_ARN"]
    return Stack(
        function=f"{name}-SubmitImport",
        table=os.environ["IMPORTS_TABLE"],
        bucket=os.environ["FEEDS_BUCKET"],
        accounts=f"{name}/accounts/",
        region=topic.split(":")[3],
    )


def tell(record: DynamoDBRecord) -> None:
    """Publishes the notice of one import, if it is due."""
    keys = record.dynamodb.keys if record.dynamodb else {}
    if keys.get("item") != "import":
        return
    logger.append_keys(importId=keys["importId"], feed=record.dynamodb.new_image.get("feed"))
    table, topic = os.environ["IMPORTS_TABLE"], os.environ["NOTICES_TOPIC_ARN"]
    try:
        if publish(
            ImportsTable(dynamodb, table), NoticesTopic(sns, topic), keys["importId"], datetime.now(UTC), stack()
        ):
            metrics.add_metric(name="NoticesPublished", unit=MetricUnit.Count, value=1)
            logger.info("notice published")
    except Exception:
        logger.exception("notice not published")  # the processor keeps the error to itself
        raise


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Answers which records are to come again."""
    return process_partial_response(event=event, record_handler=tell, processor=processor, context=context)
