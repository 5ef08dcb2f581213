"""Event patterns, as EventBridge rules and Lambda's event filters write them: the part of the language that the template uses.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_ABSENT: Final = object()


class PatternError(Exception):
    """The pattern uses what is not known here; AWS may know it."""


def matches(pattern: Mapping[str, Any], event: object) -> bool:
    """Whether the event has, for every key of the pattern, a value that one of its rules allows."""
    found = True
    for key, rules in pattern.items():
        value = event.get(key, _ABSENT) if isinstance(event, Mapping) else _ABSENT
        if isinstance(rules, Mapping):
            found &= matches(rules, value)
        elif isinstance(rules, list) and rules:
            # Each rule is looked at, so that one that is not known here shows whatever the event is.
            allowed = [_allows(rule, value) for rule in rules]
            found &= any(allowed)
        else:
            raise PatternError(f"{key}: an object or a list of rules was expected, not {rules!r}")
    return found


def _allows(rule: object, value: object) -> bool:
    if isinstance(rule, Mapping) and len(rule) > 1:
        raise PatternError(f"{rule!r}: one operator was expected")
    match rule:
        case {"exists": bool(wanted)}:
            # Only a leaf exists: where the event has an object, there is no value to find.
            return wanted == (value is not _ABSENT and not isinstance(value, Mapping))
        case {"prefix": str(prefix)}:
            return isinstance(value, str) and value.startswith(prefix)
        case {"suffix": str(suffix)}:
            return isinstance(value, str) and value.endswith(suffix)
        case {"wildcard": str() | list() as wildcards}:
            return _like(wildcards, value)
        case {"anything-but": list(excluded)}:
            return value is not _ABSENT and not any(_allows(each, value) for each in excluded)
        case {"anything-but": excluded}:
            return value is not _ABSENT and not _allows(excluded, value)
        case str() | int() | float() | None:
            return type(value) is type(rule) and value == rule
    raise PatternError(f"{rule!r} is not known here")


def _like(wildcards: str | Sequence[str], value: object) -> bool:
    """Whether the value is like one of the wildcards: `*` stands for any text, none included; `\\*` for itself."""
    if not isinstance(value, str):
        return False
    patterns = [wildcards] if isinstance(wildcards, str) else wildcards
    return any(re.fullmatch(_expression(pattern), value, re.DOTALL) for pattern in patterns)


def _expression(wildcard: str) -> str:
    parts = re.findall(r"\\[\\*]|\*|[^*\\]+|\\", wildcard)
    return "".join(".*" if part == "*" else re.escape(part[1:] if part in (r"\*", r"\\") else part) for part in parts)
