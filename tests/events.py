"""Load the events in `events/`, which `sam local invoke` takes too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

EVENTS: Final = Path(__file__).parent.parent / "events"
#: Where an HTTP event repeats its path parameters and its query.
_REPEATS: Final = frozenset({"body", "path", "rawPath", "rawQueryString"})


def load_event(name: str, **replacements: Any) -> Any:
    """Load `events/{name}.json`, with some values replaced.

    Args:
        name: the file's name without its suffix.
        replacements: new values by key, wherever the key is: `load_event("callback", importId=…, token=…)`. A text
            is also replaced in the path, the query and the body, and inside DynamoDB's `{"S": …}`.

    Raises:
        KeyError: the event has no such key.
    """
    event = json.loads((EVENTS / f"{name}.json").read_text())
    for key, new in replacements.items():
        found = list(_values(event, key))
        if not found:
            raise KeyError(f"{name} has no {key}")
        olds = {old for old in map(_text, found) if old is not None} if isinstance(new, str) else set()
        event = _replaced(event, key, new, olds)
    return event


def _values(node: Any, key: str) -> Any:
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in members:
        if name == key:
            yield value
        yield from _values(value, key)


def _text(value: Any) -> str | None:
    match value:
        case str() | {"S": str()}:
            return value if isinstance(value, str) else value["S"]
        case _:
            return None


def _replaced(node: Any, key: str, new: Any, olds: set[str]) -> Any:
    if isinstance(node, list):
        return [_replaced(each, key, new, olds) for each in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for name, value in node.items():
        if name == key:
            result[name] = {"S": new} if isinstance(value, dict) and set(value) == {"S"} else new
        elif name in _REPEATS and isinstance(value, str):
            for old in olds:
                value = value.replace(old, new)
            result[name] = value
        else:
            result[name] = _replaced(value, key, new, olds)
    return result
