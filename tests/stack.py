"""Make a stack of template.yaml for tests: SAM's translator expands it, and each reference resolves to a readable name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from local.template import Stack, expand

TEMPLATE: Final = Path(__file__).parent.parent / "template.yaml"
NAME: Final = "jobferry-dev"
#: Every metric that the functions emit.
METRICS: Final = {
    "ImportsSubmitted",
    "ImportsCompleted",
    "JobsAdded",
    "JobsUpdated",
    "JobsUnchanged",
    "JobsFailed",
    "PostingsDeleted",
    "JobsInvalid",
    "DeletesWithheld",
    "SettledByPoll",
    "SecondsToResult",
    "FeedOverdue",
    "NoticesPublished",
}

#: A CloudWatch Metrics Insights query for one metric per feed. Without its last two clauses an alarm has no contributors.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Metrics_Insights_Alarm.html
_QUERY: Final = re.compile(
    r"SELECT MAX\((?P<metric>\w+)\) FROM SCHEMA\((?P<namespace>\w+), (?P<group>\w+), (?P<dimension>\w+)\) "
    r"WHERE (?P=dimension) = '(?P<value>[^']+)' GROUP BY (?P=group) ORDER BY MAX\(\) DESC"
)


class Watched(NamedTuple):
    """A metric that an alarm watches or a widget shows.

    Attributes:
        each_by: the second dimension, if a query groups by it.
    """

    namespace: str
    metric: str
    dimension: str
    value: str
    each_by: str | None = None


def watched_by_alarm(properties: dict[str, Any]) -> Watched:
    """Return the metric that the alarm watches."""
    metric = properties
    match properties.get("Metrics"):
        case [{"MetricStat": {"Metric": metric}, "ReturnData": False, "Id": name}, {"ReturnData": True} as filled]:
            assert filled["Expression"] == f"FILL({name}, 0)"
        case [{"Expression": query, "ReturnData": True}]:
            return _queried(query)
    [dimension] = metric["Dimensions"]
    return Watched(metric["Namespace"], metric["MetricName"], dimension["Name"], dimension["Value"])


def period_of_alarm(properties: dict[str, Any]) -> int:
    """Return how many seconds each of the alarm's data points covers."""
    [first, *_] = properties.get("Metrics", [properties])
    period: int = first.get("MetricStat", first)["Period"]
    return period


def shown_by_widget(widget: dict[str, Any]) -> Iterator[Watched]:
    """Yield the metrics that the dashboard's widget shows."""
    for metric in widget["properties"].get("metrics", []):
        if isinstance(metric[0], dict):
            yield _queried(metric[0]["expression"])
        else:
            yield Watched(*metric[:4])


def _queried(query: str) -> Watched:
    match = _QUERY.fullmatch(query)
    assert match, query
    return Watched(match["namespace"], match["metric"], match["dimension"], match["value"], match["group"])


class _Attributes(Mapping[str, str]):
    """The attributes of a resource: each is `{logical id}.{attribute}`."""

    def __init__(self, logical_id: str) -> None:
        self._logical_id = logical_id

    def __getitem__(self, attribute: str) -> str:
        return f"{self._logical_id}.{attribute}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _name(_type: str, logical_id: str, _properties: dict[str, Any]) -> tuple[str, Mapping[str, str]]:
    return logical_id, _Attributes(logical_id)


def make_stack(name: str = NAME, /, **parameters: str) -> Stack:
    """Make the stack with these parameters. `Ref` of a resource is its logical id; an attribute is `{logical id}.{name}`."""
    return Stack(name, expand(TEMPLATE), parameters, _name)
