"""The events in `events/`, as AWS sends them: one for each trigger and case, the same that `sam local invoke` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

EVENTS: Final = Path(__file__).parent.parent / "events"
#: Where an HTTP event says once more what stands in its path parameters, its query and its body.
_REPEATS: Final = frozenset({"body", "path", "rawPath", "rawQueryString"})


def load_event(name: str, **replacements: Any) -> Any:
    """The event `events/{name}.json`, a new one at each call.

    Args:
        name: of the file, without its suffix.
        replacements: new values of keys, wherever in the event they stand: `load_event("callback", importId=…, token=…)`.
            A text also takes the place of the old one in the path, the query and the body; of DynamoDB's `{"S": …}`, the
            text within. Raises KeyError when the event has no such key.
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
