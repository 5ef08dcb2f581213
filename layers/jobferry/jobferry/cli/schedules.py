"""When a schedule runs next.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html. A time that the clocks skip in spring
is skipped, one that they repeat in autumn runs once.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_CRON: Final = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_AT: Final = re.compile(r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)")
_RATE: Final = re.compile(r"rate\(([1-9][0-9]* (?:minute|hour|day)s?)\)")
_PART: Final = re.compile(r"(\*|[0-9A-Z]+)(?:-([0-9A-Z]+))?(?:/([0-9]+))?")
_MONTHS: Final = dict(
    zip(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], range(1, 13), strict=True)
)
_DAYS: Final = dict(zip(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], range(1, 8), strict=True))
#: The fields of a cron expression: the name, the first and the last value, and the values' names.
_CRON_FIELDS: Final = (
    ("minutes", 0, 59, None),
    ("hours", 0, 23, None),
    ("day of the month", 1, 31, None),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 1, 7, _DAYS),
    ("year", 1970, 2199, None),
)
#: The last day, the weekday nearest to a day, the last or nth weekday of a month.
_SPECIAL_DAY: Final = re.compile(r"L|LW|[0-9]{1,2}W|(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(?:L|#[1-5])", re.IGNORECASE)
_AT_EXAMPLE: Final = "at(2026-12-24T18:00:00)"
#: So far is looked ahead, 29 February included.
_AHEAD: Final = 366 * 4 + 1


@dataclass(frozen=True)
class Schedule:
    """A schedule of EventBridge Scheduler.

    Attributes:
        expression: cron(…), rate(…) or at(…).
        timezone: IANA's name.
        enabled: whether it runs at all.
    """

    expression: str
    timezone: str
    enabled: bool

    def next_run(self, now: datetime) -> datetime | None:
        """Return the next run after `now`; None if there is none, or if only AWS knows it."""
        if not self.enabled:
            return None
        try:
            zone = ZoneInfo(self.timezone)
            if match := _AT.fullmatch(self.expression):
                once = datetime.fromisoformat(match[1]).replace(tzinfo=zone).astimezone(UTC)
                return once if once > now else None
            return _next_cron(self.expression, zone, now)
        except (ValueError, ZoneInfoNotFoundError):
            return None

    def words(self) -> str:
        """Return the schedule in words, such as `every 5 minutes`, if its next run is not known."""
        if not self.enabled:
            return "schedule is off"
        match = _RATE.fullmatch(self.expression)
        return f"every {match[1]}" if match else f"{self.expression} {self.timezone}"


def fault_of(expression: str, timezone: str) -> str | None:
    """Return why EventBridge Scheduler would refuse a schedule, to follow it; None if it looks right."""
    try:
        ZoneInfo(timezone)
    except (ValueError, KeyError, OSError):
        return f"has the time zone {timezone}, which does not exist: use an IANA name, such as America/New_York"
    if expression.startswith("cron("):
        return _fault_of_cron(expression)
    if expression.startswith("at("):
        return None if _AT.fullmatch(expression) else f"is not a time: write it as {_AT_EXAMPLE}"
    if not _RATE.fullmatch(expression):
        return "is not a schedule: write for example cron(0 3 * * ? *), rate(6 hours) or " + _AT_EXAMPLE
    return None


def _fault_of_cron(expression: str) -> str | None:
    match = _CRON.fullmatch(expression)
    if match is None:
        return (
            "needs six fields: minutes, hours, day of the month, month, day of the week, year, as in cron(0 3 * * ? *)"
        )
    if [match[3], match[5]].count("?") != 1:
        return "needs a ? for the day of the month or for the day of the week, as in cron(0 3 * * ? *)"
    for (name, first, last, names), field in zip(_CRON_FIELDS, match.groups(), strict=True):
        try:
            values = _values(field, first, last, names)
        except ValueError:
            if not _SPECIAL_DAY.fullmatch(field):
                return f"has {field} for the {name}, which cannot be read"
        else:
            if not values or min(values) < first or max(values) > last:
                return f"has {field} for the {name}, which can be from {first} to {last}"
    return None


def _next_cron(expression: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return the next run of a cron expression. Raise ValueError for what only AWS evaluates: L, W and #."""
    match = _CRON.fullmatch(expression)
    if match is None:
        raise ValueError(expression)
    minutes, hours = _values(match[1], 0, 59), _values(match[2], 0, 23)
    days, months = _values(match[3], 1, 31), _values(match[4], 1, 12, _MONTHS)
    weekdays, years = _values(match[5], 1, 7, _DAYS), _values(match[6], 1970, 2199)
    day = now.astimezone(zone).date()
    for _ in range(_AHEAD):
        # AWS counts the days of the week from Sunday, 1.
        if day.year in years and day.month in months and day.day in days and day.isoweekday() % 7 + 1 in weekdays:
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                    instant = local.astimezone(UTC)
                    exists = instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
                    if exists and instant > now:
                        return instant
        day += timedelta(days=1)
    return None


def _values(field: str, first: int, last: int, names: dict[str, int] | None = None) -> frozenset[int]:
    """Return the numbers that a field stands for. Raise ValueError if it cannot be read."""
    found: set[int] = set()
    for part in field.upper().replace("?", "*").split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(field)
        known = names or {}
        start = first if match[1] == "*" else known.get(match[1]) or int(match[1])
        open_ended = match[1] == "*" or match[3] is not None
        end = (known.get(match[2]) or int(match[2])) if match[2] else last if open_ended else start
        found.update(range(start, end + 1, int(match[3] or 1)))
    return frozenset(found)
