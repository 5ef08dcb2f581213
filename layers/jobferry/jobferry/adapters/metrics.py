"""CloudWatch metrics in the embedded metric format: settled imports and overdue feeds."""

from typing import Final

from aws_lambda_powertools import Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from jobferry.records.imports import Import

#: Each metric, and which of the board's counts it reports.
_COUNTS: Final = {
    "JobsAdded": "added",
    "JobsUpdated": "updated",
    "JobsUnchanged": "unchanged",
    "JobsFailed": "failed",
    "PostingsDeleted": "deleted",
}


def add_settled(metrics: Metrics, record: Import) -> None:
    """Add the metrics of an import whose result has just been recorded."""
    # A retry is not a run, so it must not silence the missed-run alarm.
    metrics.add_metric("ImportsCompleted", MetricUnit.Count, 0 if record.retry else 1)
    results = record.result.counts or {}
    for metric, count in _COUNTS.items():
        metrics.add_metric(metric, MetricUnit.Count, results.get(count, 0))
    if record.sent.submitted_at is not None and record.result.settled_at is not None:
        seconds = (record.result.settled_at - record.sent.submitted_at).total_seconds()
        metrics.add_metric("SecondsToResult", MetricUnit.Seconds, seconds)


def emit_overdue(feed: str) -> None:
    """Emit a metric with the feed's name as its dimension, so that the alarm FeedOverdue names the feed.

    CloudWatch charges for each value of a dimension, so only overdue feeds emit one.
    """
    with single_metric(name="FeedOverdue", unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension("feed", feed)
