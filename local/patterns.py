"""Event patterns of EventBridge rules and Lambda's event filters: the part of the language that the template uses.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_ABSENT: Final = object()


class PatternError(Exception):
    """The pattern uses a part of the language that is not supported here."""


def matches(pattern: Mapping[str, Any], event: object) -> bool:
    """Check whether the event has, for every key of the pattern, a value that one of the key's rules allows."""
    found = True
    for key, rules in pattern.items():
        value = event.get(key, _ABSENT) if isinstance(event, Mapping) else _ABSENT
        if isinstance(rules, Mapping):
            found &= matches(rules, value)
        elif isinstance(rules, list) and rules:
            # Evaluate every rule, so that an unsupported one is found whatever the event is.
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
            # Only a leaf can exist: an object in the event is not a value.
            return wanted == (value is not _ABSENT and not isinstance(value, Mapping))
        case {"prefix": str(prefix)}:
            return isinstance(value, str) and value.startswith(prefix)
        case {"suffix": str(suffix)}:
            return isinstance(value, str) and value.endswith(suffix)
        case {"wildcard": str() | list() as wildcards}:
            return _matches_wildcard(wildcards, value)
        case {"anything-but": list(excluded)}:
            return value is not _ABSENT and not any(_allows(each, value) for each in excluded)
        case {"anything-but": excluded}:
            return value is not _ABSENT and not _allows(excluded, value)
        case str() | int() | float() | None:
            return type(value) is type(rule) and value == rule
    raise PatternError(f"{rule!r} is not supported here")


def _matches_wildcard(wildcards: str | Sequence[str], value: object) -> bool:
    """Match the value against the wildcards: `*` stands for any text, including none; `\\*` for an asterisk."""
    if not isinstance(value, str):
        return False
    patterns = [wildcards] if isinstance(wildcards, str) else wildcards
    return any(re.fullmatch(_expression(pattern), value, re.DOTALL) for pattern in patterns)


def _expression(wildcard: str) -> str:
    parts = re.findall(r"\\[\\*]|\*|[^*\\]+|\\", wildcard)
    return "".join(".*" if part == "*" else re.escape(part[1:] if part in (r"\*", r"\\") else part) for part in parts)
