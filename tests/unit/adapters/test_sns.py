"""How fast notices are published: SNS cancels an e-mail subscription that gets more than ten messages in a second."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from jobferry.adapters.sns import SECONDS_BETWEEN, NoticesTopic

DATA = {
    "importId": "default-20261124T020000Z",
    "feed": "default",
    "state": "complete",
    "severity": "info",
    "whatToDo": [],
}
SHARDS = 4  # of a new on-demand table: one for each 1,000 of its 4,000 write units a second


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def published_at(notices: int, seconds_for_each: float) -> list[float]:
    """Return when each of these notices is published, if making one takes this long."""
    clock, times = Clock(), []
    sns: Any = SimpleNamespace(publish=lambda **_: times.append(clock.now))
    notice: Any = SimpleNamespace(
        subject="A subject", text="A text", happened="What happened", data=DATA, attributes={}
    )
    topic = NoticesTopic(sns, "arn:aws:sns:us-east-1:123456789012:notices", clock, clock.sleep)
    for _ in range(notices):
        clock.now += seconds_for_each
        topic.publish(notice)
    return times


def test_many_notices_at_once_do_not_cancel_a_subscription() -> None:
    times = published_at(30, 0.01)
    for start in times:
        assert SHARDS * sum(start <= each < start + 1 for each in times) <= 10
    # The function may run for two minutes, and gets ten records at a time.
    assert 10 * SECONDS_BETWEEN < 60


def test_a_single_notice_does_not_wait() -> None:
    assert published_at(1, 0) == [100.0]
    assert published_at(3, 2) == [102.0, 104.0, 106.0]
