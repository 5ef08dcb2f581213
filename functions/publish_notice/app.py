"""PublishNotice: the table's stream says that imports have ended; whoever is to hear of one gets its notice."""

import os
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobferry.adapters.aws import CONFIG
from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.s3 import LINKING, FeedsBucket
from jobferry.adapters.sns import NoticesTopic
from jobferry.notices import report as reports
from jobferry.notices.advice import Stack
from jobferry.notices.findings import Findings
from jobferry.notices.notice import publish

logger, metrics = Logger(), Metrics()
dynamodb, sns = boto3.client("dynamodb", config=CONFIG), boto3.client("sns", config=CONFIG)
s3 = boto3.client("s3", config=CONFIG.merge(LINKING))
bucket, table, topic = os.environ["FEEDS_BUCKET"], os.environ["IMPORTS_TABLE"], os.environ["NOTICES_TOPIC_ARN"]
stack = Stack.named(os.environ["POWERTOOLS_SERVICE_NAME"], table, bucket, region=sns.meta.region_name)


def report(findings: Findings) -> reports.Links | None:
    """Stores the report of an import. Its notice goes out even if that fails."""
    try:
        return reports.store(findings, FeedsBucket(s3, bucket), stack, datetime.now(UTC))
    except Exception:
        logger.exception("report not written")
        return None


def tell(change: dict[str, Any]) -> bool:
    """Publishes the notice of one import, if it is due. False: it could not be, which holds up no other."""
    if change["Keys"]["item"]["S"] != "import":
        return True
    import_id, now = change["Keys"]["importId"]["S"], datetime.now(UTC)
    logger.append_keys(importId=import_id, feed=change.get("NewImage", {}).get("feed", {}).get("S"))
    try:
        published = publish(ImportsTable(dynamodb, table), NoticesTopic(sns, topic), import_id, now, stack, report)
    except Exception:
        logger.exception("notice not published")
        return False
    metrics.add_metric(name="NoticesPublished", unit=MetricUnit.Count, value=int(published))
    logger.info("notice published" if published else "no notice is due")
    return True


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    changes = [record["dynamodb"] for record in event["Records"]]
    return {"batchItemFailures": [{"itemIdentifier": each["SequenceNumber"]} for each in changes if not tell(each)]}
