"""DynamoDB's items as plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from boto3.dynamodb.types import TypeDeserializer

_DESERIALIZE: Final = TypeDeserializer().deserialize


def plain_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an item from boto3's client: numbers become int or float, sets become sorted lists."""
    return {name: _plain(_DESERIALIZE(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list():
            return [_plain(member) for member in value]
        case set():
            return sorted(_plain(member) for member in value)
    return value
