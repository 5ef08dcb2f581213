"""What the functions measure in a real run, held against the alarms and the dashboard: a figure that nobody emits, or under
another dimension, is an alarm that never goes off.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple

import pytest

from jobferry.adapters.dynamodb import ImportsTable
from local.board import Fault
from local.system import LocalSystem, wait_until
from tests.stack import METRICS, Watched, shown_by_widget, watched_by_alarm

pytestmark = pytest.mark.xdist_group("alarms")

HOURS: Final = 5
GOOD: Final = [{"referenceNumber": f"R-{number}", "title": "Hospitalist", "state": "PA"} for number in range(6)]
BAD: Final = {"referenceNumber": "B-1", "title": "Hospitalist", "state": "MC"}


class Figure(NamedTuple):
    """A metric as CloudWatch knows it."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    @property
    def watched(self) -> Watched:
        """As an alarm or a widget names it."""
        [own] = [each for each, _ in self.dimensions if each != "service"] or [None]
        return Watched(self.namespace, self.name, "service", dict(self.dimensions)["service"], own)


@pytest.fixture(scope="module")
def system() -> Iterator[LocalSystem]:
    """After a run by callback with failures, one by poll, a full sync, and a look for feeds that are overdue."""
    with LocalSystem(seed=1, speed=200, processing_seconds=0.05, parameters={"AlarmAfterHours": str(HOURS)}) as system:
        system.add_account("nurses", "key-of-nurses")
        settings = {"apiKeySecret": "nurses", "deleteJobs": True, "notifyOnDeletes": False, "maxInvalidPercent": 50}
        system.put_feed("feeds/nurses/feed.json", json.dumps(settings).encode())
        system.put_feed("feeds/default/jobs.json", json.dumps([*GOOD, BAD]).encode())
        system.put_feed("feeds/default/feed.json", b'{"maxInvalidPercent": 50}')
        submit(system, "default", 2)
        system.board.faults.add(Fault("no_callback"))
        import_id = submit(system, "nurses", 2, *GOOD, wait=False)
        system.board.wait(system.record(import_id)["boardImportId"])  # type: ignore[index]
        poll(system, minute=55)
        system.wait_until_notified(import_id)  # only then a full sync may delete
        # A person's run, because one of the schedule may not delete within 12 hours of the announcement.
        submit(system, "nurses", 3, {**GOOD[0], "title": "Nocturnist"}, *GOOD[1:5], at="requestedAt")
        wait_until(lambda: totals(system)["NoticesPublished"] == 2, lambda: str(totals(system)))
        pass_hours(system, "nurses", HOURS + 1)
        poll(system, minute=0)
        yield system


def submit(system: LocalSystem, feed: str, hour: int, *jobs: Any, wait: bool = True, at: str = "scheduledAt") -> str:
    if jobs:
        system.put_feed(f"feeds/{feed}/jobs.json", json.dumps(jobs).encode())
    event = {"feed": feed, at: f"2026-11-24T{hour:02}:00:00Z"}
    import_id: str = system.invoke("SubmitImport", event)["importId"]
    if wait:
        system.wait_for_import(import_id)
    return import_id


def poll(system: LocalSystem, *, minute: int) -> None:
    """The rule's run of that minute."""
    function, event = system.poll_event()
    system.invoke(function, event | {"time": f"{event['time'][:14]}{minute:02}:00Z"})


def pass_hours(system: LocalSystem, feed: str, hours: float) -> None:
    """So much earlier is what the feed completed last."""
    table = ImportsTable(system.cloud.client("dynamodb"), system.stack.resource("ImportsTable").ref)
    record = table.get_feed(feed)
    assert record.last_complete_at is not None
    table.save(record.changed(last_complete_at=record.last_complete_at - timedelta(hours=hours)))


def logged(system: LocalSystem, function: str | None = None) -> Iterator[dict[str, Any]]:
    for line in system.logs(function).splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def emitted(system: LocalSystem, function: str | None = None) -> Iterator[tuple[Figure, float]]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html."""
    for document in logged(system, function):
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                dimensions = tuple((name, document[name]) for name in names)
                for metric in directive["Metrics"]:
                    figure = Figure(directive["Namespace"], metric["Name"], dimensions)
                    values = document[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        yield figure, value


def totals(system: LocalSystem, function: str | None = None) -> Counter[str]:
    found: Counter[str] = Counter()
    for figure, value in emitted(system, function):
        found[figure.name] += int(value)
    return found


def check(system: LocalSystem, watched: Watched) -> None:
    """Somebody emits it: our functions, in this run; or AWS, of something that is in this stack."""
    namespace, _, dimension, value, _ = watched
    if not namespace.startswith("AWS/"):
        assert watched in {each.watched for each, _ in emitted(system)}
        return
    resource = system.stack.resource
    there = {
        "FunctionName": {each.name for each in system.functions},
        "QueueName": {resource("DeadLetterQueue").attributes["QueueName"]},
        "ApiId": {resource("CallbackApi").ref},
    }
    assert value in there[dimension]


def test_every_alarm_watches_what_is_emitted(system: LocalSystem) -> None:
    alarms = system.stack.of_type("AWS::CloudWatch::Alarm")
    for alarm in alarms:
        for watched in watched_by_alarm(alarm.properties):
            check(system, watched)
    assert {"NoCompletedImport", "NoticesSilent", "FeedOverdue"} <= {each.logical_id for each in alarms}


def test_the_dashboard_shows_what_is_emitted_and_all_of_it(system: LocalSystem) -> None:
    body = json.loads(system.stack.resource("Dashboard").properties["DashboardBody"])
    shown = set()
    for widget in body["widgets"]:
        for watched in shown_by_widget(widget):
            check(system, watched)
            shown.add(watched)
    assert {each.watched for each, _ in emitted(system)} <= shown


def test_each_metric_has_the_stack_as_its_dimension_and_one_the_feed(system: LocalSystem) -> None:
    figures = {each for each, _ in emitted(system)}
    assert {(each.namespace, dict(each.dimensions)["service"]) for each in figures} == {("jobferry", "jobferry")}
    assert {each.name for each in figures} == METRICS
    # Each further value of a dimension is a metric to be paid.
    assert {each.name for each in figures if len(each.dimensions) > 1} == {"FeedOverdue"}


def test_the_boards_counts_are_those_of_the_records(system: LocalSystem) -> None:
    results = [each["results"] for each in system.imports() if each["state"] == "complete"]
    assert len(results) == 3
    found = totals(system)
    counts = {
        "JobsAdded": "added",
        "JobsUpdated": "updated",
        "JobsUnchanged": "unchanged",
        "JobsFailed": "failed",
        "PostingsDeleted": "deleted",
    }
    assert {name: found[name] for name in counts} == {
        name: sum(each[count] for each in results) for name, count in counts.items()
    }
    assert [found[name] for name in counts] == [12, 1, 4, 0, 1]
    assert (found["ImportsSubmitted"], found["ImportsCompleted"], found["JobsInvalid"]) == (3, 3, 1)


def test_both_ways_to_a_result_are_measured_once(system: LocalSystem) -> None:
    assert totals(system, "ReceiveCallback")["ImportsCompleted"] == 2
    polled = totals(system, "PollImports")
    assert (polled["ImportsCompleted"], polled["SettledByPoll"]) == (1, 1)


def test_a_feed_that_is_overdue_is_told_once_an_hour_and_named(system: LocalSystem) -> None:
    late = [each for each in emitted(system, "PollImports") if each[0].name == "FeedOverdue"]
    assert late == [(Figure("jobferry", "FeedOverdue", (("feed", "nurses"), ("service", "jobferry"))), 1)]
    [line] = [each for each in logged(system, "PollImports") if each.get("message") == "overdue"]
    assert (line["level"], line["feed"]) == ("WARNING", "nurses")
    assert line["lastComplete"].startswith("nurses-20261124T030000Z-")
