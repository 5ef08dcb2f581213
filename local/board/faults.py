"""The board's faults: which kinds exist, and which fault happens next."""

import math
import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from types import UnionType
from typing import Any, Self

type Choice = tuple[str, ...]


class Affected(Enum):
    REQUEST = auto()
    IMPORT = auto()


@dataclass(frozen=True)
class Kind:
    """A kind of fault: whether it affects a request or an import, and its parameters with their defaults and types."""

    affects: Affected
    parameters: dict[str, tuple[Any, type | UnionType | Choice]] = field(default_factory=dict)
    on: str = "POST"
    """The requests that it affects by default: POST, GET, DELETE or any."""


KINDS = {
    # Nothing is accepted or deleted.
    "too_many_requests": Kind(Affected.REQUEST, {"retry_after": (1, int | None), "as_date": (False, bool)}),
    "error_before": Kind(Affected.REQUEST, {"status": (500, int), "retry_after": (None, int | None)}),
    "redirect": Kind(Affected.REQUEST, {"status": (301, int), "location": (None, str | None)}),
    "unauthorized": Kind(Affected.REQUEST, on="any"),
    "not_found": Kind(Affected.REQUEST, on="GET"),
    "reset_before": Kind(Affected.REQUEST),
    # The import is accepted, or the postings are deleted; the answer goes wrong.
    "slow": Kind(Affected.REQUEST, {"seconds": (5.0, float)}),
    "drip": Kind(Affected.REQUEST, {"seconds_per_byte": (1.0, float)}),
    "error_after": Kind(Affected.REQUEST, {"status": (500, int)}),
    "lost_response": Kind(Affected.REQUEST),
    "reset_after": Kind(Affected.REQUEST),
    "garbage": Kind(Affected.REQUEST),
    "half_body": Kind(Affected.REQUEST),
    "wrong_content_type": Kind(Affected.REQUEST, {"content_type": ("text/html", str)}),
    "no_id": Kind(Affected.REQUEST),
    # The import itself, its result, its callback.
    "stay_pending": Kind(
        Affected.IMPORT, {"status": ("pending", ("pending", "running")), "seconds": (None, float | None)}
    ),
    "wrong_sums": Kind(
        Affected.IMPORT,
        {
            "count": ("processed", ("processed", "added", "updated", "unchanged", "failed", "deleted")),
            "by": (1, int),
        },
    ),
    "oversized_result": Kind(Affected.IMPORT, {"errors": (5000, int), "message_length": (2000, int)}),
    "no_callback": Kind(Affected.IMPORT),
    "duplicate_callback": Kind(Affected.IMPORT, {"copies": (2, int)}),
    "early_callback": Kind(Affected.IMPORT),
    "late_callback": Kind(Affected.IMPORT, {"seconds": (5.0, float)}),
    "unfinished_callback": Kind(Affected.IMPORT),
    "forged_callback": Kind(Affected.IMPORT, {"what": ("results", ("results", "token", "id"))}),
    "misdirected_callback": Kind(Affected.IMPORT),
    "reordered_callbacks": Kind(Affected.IMPORT),
    "oversized_callback": Kind(Affected.IMPORT, {"bytes": (10_000_000, int)}),
}


class Fault:
    """One fault, for the next `times` requests or imports (None: until cleared), each with `probability`.

    Raises ValueError for an unknown name, an unknown parameter or an invalid value.
    """

    def __init__(
        self, name: str, /, *, times: int | None = 1, on: str | None = None, probability: float = 1.0, **parameters: Any
    ) -> None:
        kind = KINDS.get(name) if isinstance(name, str) else None
        if kind is None:
            raise ValueError(f"There is no fault {name!r}. There are: {', '.join(KINDS)}")
        if unknown := parameters.keys() - kind.parameters.keys():
            raise ValueError(
                f"{name} has no {', '.join(sorted(unknown))}. It has: {', '.join(kind.parameters) or 'none'}"
            )
        _check("times", times, int | None)
        _check("probability", probability, float)
        if times == 0 or probability > 1:
            raise ValueError("times must be 1 or more, or null; probability from 0 to 1")
        if on is not None:
            _check("on", on, ("POST", "GET", "DELETE", "any"))
        if on is not None and kind.affects is Affected.IMPORT:
            raise ValueError(f"{name} affects imports, so it takes no 'on'")
        for parameter, value in parameters.items():
            _check(parameter, value, kind.parameters[parameter][1])
        self.name = name
        self.affects = kind.affects
        self.times = times
        self.on = on or kind.on
        self.probability = probability
        self.parameters = {key: default for key, (default, _) in kind.parameters.items()} | parameters

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Make a fault from JSON such as `{"name": "slow", "times": 2, "seconds": 3}`."""
        if not isinstance(value, dict) or "name" not in value:
            raise ValueError('a fault is an object with a "name"')
        parameters = dict(value)
        return cls(parameters.pop("name"), **parameters)

    def __getitem__(self, parameter: str) -> Any:
        return self.parameters[parameter]

    def __repr__(self) -> str:
        return f"Fault({self.as_json()})"

    def as_json(self) -> dict[str, Any]:
        on = {"on": self.on} if self.affects is Affected.REQUEST else {}
        return {"name": self.name, "times": self.times, "probability": self.probability, **on, **self.parameters}


@dataclass
class _Waiting:
    fault: Fault
    left: int | None


class Faults:
    """The faults to come, in the order in which they were added."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._waiting += [_Waiting(fault, fault.times) for fault in faults]

    def replace(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self._waiting = [_Waiting(fault, fault.times) for fault in faults]

    def clear(self) -> None:
        self.replace([])

    def as_json(self) -> list[dict[str, Any]]:
        """List the faults to come; `times` is how often each will still happen."""
        with self._lock:
            return [waiting.fault.as_json() | {"times": waiting.left} for waiting in self._waiting]

    def for_request(self, method: str) -> Fault | None:
        """Choose this request's fault: at most one, so that two faults happen to two requests."""
        with self._lock:
            for waiting in self._waiting:
                fault = waiting.fault
                if fault.affects is Affected.REQUEST and fault.on in (method, "any") and self._happens(fault):
                    return self._take(waiting)
        return None

    def for_import(self) -> dict[str, Fault]:
        """Choose this import's faults: at most one of each name, by name."""
        taken: dict[str, Fault] = {}
        with self._lock:
            for waiting in list(self._waiting):
                fault = waiting.fault
                if fault.affects is Affected.IMPORT and fault.name not in taken and self._happens(fault):
                    taken[fault.name] = self._take(waiting)
        return taken

    def _happens(self, fault: Fault) -> bool:
        return self._chance.random() < fault.probability

    def _take(self, waiting: _Waiting) -> Fault:
        if waiting.left is not None:
            waiting.left -= 1
        self._waiting = [other for other in self._waiting if other.left != 0]
        return waiting.fault


def _check(name: str, value: object, expected: type | UnionType | Choice) -> None:
    if isinstance(expected, tuple):
        if value not in expected:
            raise ValueError(f"{name} must be one of {', '.join(expected)}, not {value!r}")
        return
    wanted = expected | int if isinstance(1.0, expected) else expected
    if not isinstance(value, wanted) or (isinstance(value, bool) and expected is not bool):
        raise ValueError(f"{name} must be {expected}, not {value!r}")
    if isinstance(value, (int, float)) and not (math.isfinite(value) and (value >= 0 or name == "by")):
        raise ValueError(f"{name} must be a number of 0 or more, not {value!r}")
