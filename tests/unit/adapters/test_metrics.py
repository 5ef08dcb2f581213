"""What a settled import adds to the metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from jobferry.adapters.metrics import MAX_NAMED, NO_FEED, OTHERS, add_settled, emit_overdue
from jobferry.feeds.settings import FEED_NAME
from jobferry.records.imports import State
from tests.records import an_import, changed

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)


def measured(**changes: Any) -> dict[str, float]:
    record = an_import(import_id="default-20261124T020000Z", feed="default", created_at=NOW, state=State.COMPLETE)
    found: dict[str, float] = {}
    metrics: Any = SimpleNamespace(add_metric=lambda name, _unit, value: found.update({name: value}))
    add_settled(metrics, changed(record, **changes))
    return found


def test_each_of_the_boards_counts_is_a_metric() -> None:
    results = {
        "added": 1,
        "updated": 2,
        "unchanged": 3,
        "failed": 4,
        "processed": 10,
        "deleted": 5,
        "ignoredValues": [],
    }
    assert measured(results=results, submitted_at=NOW, settled_at=NOW + timedelta(seconds=90)) == {
        "ImportsCompleted": 1,
        "JobsAdded": 1,
        "JobsUpdated": 2,
        "JobsUnchanged": 3,
        "JobsFailed": 4,
        "PostingsDeleted": 5,
        "SecondsToResult": 90,
    }


def test_a_count_that_the_board_left_out_is_none() -> None:
    found = measured(results={"added": 2})
    assert (found["JobsAdded"], found["PostingsDeleted"]) == (2, 0)


@pytest.mark.parametrize(
    ("overdue", "named", "others"), [(0, 0, None), (1, 1, None), (MAX_NAMED, MAX_NAMED, None), (100, MAX_NAMED, 95)]
)
def test_a_few_overdue_feeds_are_named_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], overdue: int, named: int, others: int | None
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "jobferry")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "jobferry-dev")
    emit_overdue([f"feed-{number:03}" for number in range(overdue)])
    emitted = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {each["feed"]: each["FeedOverdue"] for each in emitted}
    assert {name for name in found if FEED_NAME.fullmatch(name)} == {f"feed-{number:03}" for number in range(named)}
    assert found.get(OTHERS) == ([others] if others else None)
    # Each is a message, and SNS cancels a subscription that gets more than ten in a second.
    assert len([*emitted, NO_FEED]) < 10
    assert not any(map(FEED_NAME.fullmatch, (OTHERS, NO_FEED)))
