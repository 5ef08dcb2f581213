"""CloudWatch's embedded metric format: what an import that was settled adds to the metrics, and feeds that are overdue."""

from __future__ import annotations

from typing import Final

from aws_lambda_powertools import Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from jobferry.records.imports import Import

#: The board's counts, and the metrics that they become.
_COUNTS: Final = {
    "JobsAdded": "added",
    "JobsUpdated": "updated",
    "JobsUnchanged": "unchanged",
    "JobsFailed": "failed",
    "PostingsDeleted": "deleted",
}


def add_settled(metrics: Metrics, record: Import) -> None:
    """Adds the metrics of an import whose result has just been recorded."""
    # A retry is no run of the feed: the alarm that waits for one must not take it for it.
    metrics.add_metric("ImportsCompleted", MetricUnit.Count, 0 if record.retry else 1)
    results = record.result.counts or {}
    for metric, count in _COUNTS.items():
        metrics.add_metric(metric, MetricUnit.Count, results.get(count, 0))
    if record.sent.submitted_at is not None and record.result.settled_at is not None:
        seconds = (record.result.settled_at - record.sent.submitted_at).total_seconds()
        metrics.add_metric("SecondsToResult", MetricUnit.Seconds, seconds)


def emit_overdue(feed: str) -> None:
    """Emits a metric of the feed's own, which makes it a contributor to the alarm FeedOverdue.

    A metric with a further dimension costs by itself, so there is none of a feed that is not overdue.
    """
    with single_metric(name="FeedOverdue", unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension("feed", feed)
