"""When a schedule runs next, as EventBridge Scheduler counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobferry.cli.schedules import Schedule, fault_of

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("expression", "timezone", "expected"),
    [
        ("cron(0 2 * * ? *)", "America/New_York", "2026-11-25T07:00"),
        ("cron(0 2 * * ? *)", "UTC", "2026-11-25T02:00"),
        ("cron(30 12 * * ? *)", "UTC", "2026-11-24T12:30"),
        ("cron(0 12 * * ? *)", "UTC", "2026-11-25T12:00"),  # now itself is over
        ("cron(0/15 * * * ? *)", "UTC", "2026-11-24T12:15"),
        ("cron(5,35 13-14 * * ? *)", "UTC", "2026-11-24T13:05"),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "2026-11-25T08:00"),
        ("cron(0 8 ? * 1 *)", "UTC", "2026-11-29T08:00"),  # Sunday is the first day
        ("cron(0 8 ? * sat *)", "UTC", "2026-11-28T08:00"),
        ("cron(0 8 1 * ? *)", "UTC", "2026-12-01T08:00"),
        ("cron(0 8 1 JAN,JUL ? *)", "UTC", "2027-01-01T08:00"),
        ("cron(0 8 29 2 ? *)", "UTC", "2028-02-29T08:00"),
        ("cron(0 8 * * ? 2028/4)", "UTC", "2028-01-01T08:00"),
        ("cron(0 8 * * ? 2025)", "UTC", None),
        ("cron(0 8 L * ? *)", "UTC", None),
        ("cron(0 8 ? * 6#3 *)", "UTC", None),
        ("cron(0 8 * * *)", "UTC", None),
        ("cron(0 2 * * ? *)", "Nowhere/Atlantis", None),
        ("at(2026-12-24T18:00:00)", "Europe/Berlin", "2026-12-24T17:00"),
        ("at(2026-01-01T00:00:00)", "UTC", None),
        ("rate(5 minutes)", "UTC", None),
    ],
)
def test_the_next_run(expression: str, timezone: str, expected: str | None) -> None:
    found = Schedule(expression, timezone, enabled=True).next_run(NOW)
    assert (found.strftime("%Y-%m-%dT%H:%M") if found else None) == expected


def test_a_time_that_the_clocks_skip_is_skipped() -> None:
    nightly = Schedule("cron(30 2 * * ? *)", "America/New_York", enabled=True)
    assert nightly.next_run(datetime(2027, 3, 13, 12, 0, tzinfo=UTC)) == datetime(2027, 3, 15, 6, 30, tzinfo=UTC)


def test_a_time_that_the_clocks_repeat_runs_once() -> None:
    nightly = Schedule("cron(30 1 * * ? *)", "America/New_York", enabled=True)
    first = nightly.next_run(datetime(2026, 10, 31, 12, 0, tzinfo=UTC))
    assert first == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert nightly.next_run(first) == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


def test_one_that_is_off_does_not_run() -> None:
    off = Schedule("cron(0 2 * * ? *)", "UTC", enabled=False)
    assert off.next_run(NOW) is None
    assert off.words() == "schedule is off"


def test_what_is_said_where_no_time_is_known() -> None:
    assert Schedule("rate(5 minutes)", "UTC", enabled=True).words() == "every 5 minutes"
    assert Schedule("cron(0 8 L * ? *)", "UTC", enabled=True).words() == "cron(0 8 L * ? *) UTC"


@pytest.mark.parametrize(
    ("expression", "timezone", "said"),
    [
        ("cron(0 3 * * ? *)", "Berlin", "Berlin, which does not exist"),
        ("cron(0 3 * * ? *)", "", "an IANA name"),
        ("cron(0 3 * * ? *)", "../../etc/passwd", "an IANA name"),
        ("cron(0 3 * * *)", "UTC", "six fields"),
        ("cron(0 3 * * * *)", "UTC", "needs a ?"),
        ("cron(0 3 ? * ? *)", "UTC", "needs a ?"),
        ("cron(60 3 * * ? *)", "UTC", "60 for the minutes, which can be from 0 to 59"),
        ("cron(0 24 * * ? *)", "UTC", "24 for the hours"),
        ("cron(0 3 32 * ? *)", "UTC", "32 for the day of the month"),
        ("cron(0 3 * 13 ? *)", "UTC", "13 for the month"),
        ("cron(0 3 ? * 8 *)", "UTC", "8 for the day of the week"),
        ("cron(0 3 * * ? 26)", "UTC", "26 for the year"),
        ("cron(0 x * * ? *)", "UTC", "x for the hours, which cannot be read"),
        ("cron(20-10 3 * * ? *)", "UTC", "20-10 for the minutes"),
        ("rate(6 hourly)", "UTC", "is not a schedule"),
        ("rate(0 hours)", "UTC", "is not a schedule"),
        ("at(tomorrow)", "UTC", "is not a time"),
        ("0 3 * * *", "UTC", "is not a schedule"),
        ("daily", "UTC", "is not a schedule"),
    ],
)
def test_a_schedule_that_aws_would_refuse_is_refused_with_the_reason(expression: str, timezone: str, said: str) -> None:
    assert said in (fault_of(expression, timezone) or "")


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 3 * * ? *)",
        "cron(0/15 8-18 ? * MON-FRI *)",
        "cron(0 8 L * ? *)",
        "cron(0 8 LW * ? *)",
        "cron(0 8 15W * ? 2027-2030)",
        "cron(0 8 ? * 6#3 *)",
        "cron(0 8 ? JAN,jul friL *)",
        "rate(1 minute)",
        "rate(6 hours)",
        "at(2026-12-24T18:00:00)",
    ],
)
def test_a_schedule_that_aws_takes_is_taken(expression: str) -> None:
    assert fault_of(expression, "America/New_York") is None
