"""A feed's own names and values, replaced with the board's by the settings in feed.json."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic_core import to_json

from jobferry.exact_json import ObjectError
from jobferry.feeds.rows import Fields
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.corrections.employment_types import split_values
from jobferry.jobs.corrections.remnants import stands_for_none
from jobferry.jobs.warnings import quoted


def drop_empty[K](fields: Mapping[K, Any]) -> dict[K, Any]:
    """Return the fields that have a value, with their texts trimmed. An empty text and null are no value."""
    return {
        name: trimmed
        for name, value in fields.items()
        if (trimmed := value.strip() if type(value) is str else value) is not None and trimmed != ""
    }


def lift_values(fields: Fields, paths: Collection[str]) -> None:
    """Make fields of the values inside a row's objects that have these paths, such as `address.city`.

    An object keeps its other values. Without any, it is removed.
    """
    for path in paths:
        *places, name = path.split(".")
        objects: list[Any] = [fields]  # each inside the one before
        for place in places:
            objects.append(objects[-1].get(place))
            if not isinstance(objects[-1], dict):
                break
        if path in fields or not isinstance(objects[-1], dict) or name not in objects[-1]:
            continue
        fields[path] = objects[-1].pop(name)
        while places and not drop_empty(objects.pop()):
            del objects[-1][places.pop()]


def map_fields(fields: Fields, renames: Mapping[str, str], settings: FeedSettings) -> Fields:
    """Rename the fields, replace their values and add defaults, all in place.

    A field that is renamed wins over one that already has that name.

    Raises:
        ObjectError: two fields with different values would have one name.
    """
    mapped: Fields = {}
    for theirs, ours in renames.items():
        if theirs in fields and mapped.setdefault(ours, value := fields.pop(theirs)) != value:
            names = " and ".join(quoted(name) for name, each in renames.items() if each == ours)
            raise ObjectError(f"has two different values for {ours}, in {names}")
    fields |= mapped
    for name, values in settings.values.items():
        if name in fields:
            _set(fields, name, _translate(name, fields.pop(name), values))
    for name, default in settings.defaults.items():
        if name not in fields or stands_for_none(name, fields[name]):
            _set(fields, name, default)
    return fields


def _set(fields: Fields, name: str, value: Any) -> None:
    """Set a value from the settings, unless it is empty."""
    if name == "employmentType" and isinstance(value, list):
        value = list(drop_empty(dict(enumerate(value))).values()) or None
    fields |= drop_empty({name: value})


def _translate(name: str, value: Any, values: Mapping[str, Any]) -> Any:
    """Return the board's value for a feed's. Each part of a list, or of a text that holds several values, is translated."""
    if isinstance(value, list):
        return [_translate(name, each, values) for each in value]
    text = value.strip() if isinstance(value, str) else to_json(value).decode()
    if text in values:
        return values[text]
    parts = split_values(text) if isinstance(value, str) and name == "employmentType" else []
    return [values.get(part, part) for part in parts] if any(part in values for part in parts) else value
