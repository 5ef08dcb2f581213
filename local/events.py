"""EventBridge on this machine: the scheduler, rules with a rate, and rules for what happens in a bucket."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from local.aws_account import ACCOUNT, REGION
from local.cloud import Cloud
from local.patterns import matches
from local.template import Resource, Stack, TemplateError

type Event = dict[str, Any]

_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86400}
_POLL_SECONDS: Final = 0.1


def scheduled_input(schedule: Resource, at: datetime) -> Event:
    """Make the event that EventBridge Scheduler sends to a schedule's target at this time.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    values = {
        "<aws.scheduler.scheduled-time>": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "<aws.scheduler.schedule-arn>": schedule.arn,
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
    }
    text = schedule.properties["Target"]["Input"]
    for attribute, value in values.items():
        text = text.replace(attribute, value)
    event: Event = json.loads(text)
    return event


def period(rule: Resource) -> float | None:
    """Return the seconds between a rule's events, or None if it has no rate. Raises TemplateError for cron(…)."""
    expression = rule.properties.get("ScheduleExpression")
    if expression is None:
        return None
    match = _RATE.fullmatch(expression)
    if match is None:
        raise TemplateError(f"{rule.logical_id}: {expression} is not supported here")
    return int(match[1]) * _SECONDS[match[2]]


def enabled(rule: Resource) -> bool:
    return bool(rule.properties.get("State", "ENABLED") == "ENABLED")


def scheduled_event(rule: Resource, at: datetime) -> Event:
    """Make the event that a rule with a rate sends to its targets."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [rule.arn],
        "detail": {},
    }


class Bus:
    """Carries the events of the stack's buckets to the rules that match them.

    moto's S3 sends its events to moto's EventBridge. From there a queue brings them here, since moto's rules cannot
    start functions and support fewer patterns.
    """

    def __init__(
        self, stack: Stack, cloud: Cloud, start: Callable[[str, Event], object], stopping: threading.Event
    ) -> None:
        self._rules = [rule for rule in stack.of_type("AWS::Events::Rule") if "EventPattern" in rule.properties]
        self._stack = stack
        self._cloud = cloud
        self._start = start
        self._stopping = stopping
        self._thread = threading.Thread(target=self._carry, name="event-bus", daemon=True)
        self._serving = any(enabled(rule) for rule in self._rules)

    def start(self) -> None:
        if self._serving:
            sqs, events = self._cloud.client("sqs"), self._cloud.client("events")
            name = f"{self._stack.name}-local-bus"
            self._queue = sqs.create_queue(QueueName=name)["QueueUrl"]
            events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.s3"]}))
            events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}])
            self._thread.start()

    def join(self) -> None:
        if self._serving:
            self._thread.join()

    def targets(self, event: Event) -> Iterator[str]:
        """Yield the ARNs of the functions that an event starts."""
        for rule in self._rules:
            if enabled(rule) and matches(rule.properties["EventPattern"], event):
                for target in rule.properties["Targets"]:
                    yield target["Arn"]

    def _carry(self) -> None:
        sqs = self._cloud.client("sqs")
        while not self._stopping.is_set():
            messages = sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
            for message in messages:
                event = as_sent(json.loads(message["Body"]))
                for arn in self.targets(event):
                    self._start(arn, event)
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            if not messages:
                self._stopping.wait(_POLL_SECONDS)


def as_sent(event: Event) -> Event:
    """Convert an event of moto's S3 to the real form: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""
    detail = dict(event["detail"])
    detail["object"] = {name.lower(): value for name, value in detail["object"].items()}
    # moto does not name the call that made the object, but the ETag shows it.
    detail["reason"] = "CompleteMultipartUpload" if "-" in detail["object"]["etag"] else "PutObject"
    return {**event, "id": str(uuid.uuid4()), "detail": detail}
