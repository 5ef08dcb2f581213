"""CloudWatch metrics in the embedded metric format: what was sent, settled imports and overdue feeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from jobferry.records.imports import Import

if TYPE_CHECKING:
    from jobferry.runs.submission import Outcome

#: The alarm FeedOverdue names at most this many feeds. It sends all its messages at once, and SNS cancels an e-mail
#: subscription that gets more than ten messages in a second.
MAX_NAMED: Final = 5
#: Stands for all further overdue feeds. No feed can have this name.
OTHERS: Final = "(more)"
#: Stands for all folders whose names no feed can have. With names of their own, many uploads at once would be as many
#: messages.
NO_FEED: Final = "(no feed)"
#: Each metric, and which of the board's counts it reports.
_COUNTS: Final = {
    "JobsAdded": "added",
    "JobsUpdated": "updated",
    "JobsUnchanged": "unchanged",
    "JobsFailed": "failed",
    "PostingsDeleted": "deleted",
}


def add_sent(metrics: Metrics, outcome: Outcome) -> None:
    """Add the metrics of what SubmitImport sent, if it sent anything."""
    if outcome.submitted:
        metrics.add_metric("ImportsSubmitted", MetricUnit.Count, outcome.submitted)
        metrics.add_metric("JobsInvalid", MetricUnit.Count, outcome.invalid)
        metrics.add_metric("DeletesWithheld", MetricUnit.Count, outcome.withheld)
    if outcome.deleted:
        metrics.add_metric("PostingsDeleted", MetricUnit.Count, outcome.deleted)


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


def emit_overdue(feeds: Sequence[str]) -> None:
    """Emit a metric with the feed's name as its dimension, so that the alarm FeedOverdue names the feed.

    One more metric counts the feeds beyond MAX_NAMED. CloudWatch charges for each value of a dimension. So only overdue
    feeds have a metric.
    """
    values = dict.fromkeys(feeds[:MAX_NAMED], 1)
    if others := len(feeds) - len(values):
        values[OTHERS] = others
    for feed, value in values.items():
        with single_metric(name="FeedOverdue", unit=MetricUnit.Count, value=value) as metric:
            metric.add_dimension("feed", feed)
