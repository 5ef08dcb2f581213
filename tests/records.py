"""Records of imports, written as they are stored: flat, by the names of their parts' attributes."""

from __future__ import annotations

from typing import Any

from pydantic.alias_generators import to_camel

from jobferry.records.imports import Import


def an_import(**attributes: Any) -> Import:
    """Return a record with these attributes of its stored item, in snake case."""
    return Import.from_item(_item(attributes))


def changed(record: Import, **attributes: Any) -> Import:
    """Return a record with other attributes of its stored item."""
    return Import.from_item(record.to_item() | _item(attributes))


def _item(attributes: dict[str, Any]) -> dict[str, Any]:
    return {to_camel(name): value for name, value in attributes.items()}
