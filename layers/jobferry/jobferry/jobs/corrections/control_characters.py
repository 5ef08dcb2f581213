"""Control characters: no text needs them, and databases reject some, so they are removed."""

import re
from collections.abc import Mapping
from typing import Any, Final

from jobferry.jobs.warnings import RowWarning, field_warning, quoted

#: Those that JSON has no short escape for. Tabs and line breaks stay.
_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x07\x0b\x0e-\x1f]+")


def remove_control_characters(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str], list[RowWarning]]:
    """Return the fields without control characters, with errors and warnings about them."""
    cleaned: dict[str, Any] = {}
    errors: list[str] = []
    warnings: list[RowWarning] = []
    for name, value in fields.items():
        clean_name, clean_value = _CONTROL_CHARACTERS.sub("", name), _removed(value)
        if clean_name != name and clean_name in fields:
            errors.append(f"{quoted(clean_name)} is there twice, once with control characters in its name")
            continue
        if clean_name != name:
            warnings.append(field_warning(clean_name, "name", "has control characters in its name, which are removed"))
        if clean_value != value:
            warnings.append(field_warning(clean_name, "control", "has control characters, which are removed"))
        cleaned[clean_name] = clean_value
    return cleaned, errors, warnings


def _removed(value: Any) -> Any:
    match value:
        case str():
            return _CONTROL_CHARACTERS.sub("", value)
        case list():
            return [_removed(each) for each in value]
        case dict():
            return {_removed(key): _removed(each) for key, each in value.items()}
        case _:
            return value
