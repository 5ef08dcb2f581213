"""Parse one JSON object exactly: nothing is guessed, dropped or rounded."""

import json
import math
from typing import Any, Final

#: More digits in a whole number, or more levels of nesting, are an error. JSON itself has no limit, but parsers do.
MAX_DIGITS = 100
MAX_DEPTH = 50


class ObjectError(ValueError):
    """The text is not one JSON object that can be sent as it stands. The message is for a person."""


class EncodingError(ObjectError):
    """A byte is not UTF-8. The `reason` is the UnicodeDecodeError."""

    def __init__(self, reason: UnicodeDecodeError) -> None:
        super().__init__(f"byte {reason.start + 1:,} (0x{reason.object[reason.start]:02x}) is not UTF-8")
        self.reason = reason


class ShortenedFloat(float):
    """A number that is written as 1.23457E+11, so it may have had more digits."""


def parse_object(text: bytes) -> dict[str, Any]:
    """Parse a JSON object in UTF-8.

    Raises:
        EncodingError: a byte is not UTF-8.
        ObjectError: not JSON, not an object, a key twice with different values, NaN or Infinity, half a surrogate
            pair, too large a number, or too deep a nesting.
    """
    try:
        value = _DECODER.decode(text.decode())
    except UnicodeDecodeError as error:
        raise EncodingError(error) from error
    except json.JSONDecodeError as error:
        raise ObjectError(f"is not JSON: {_words(error)}") from error
    except RecursionError as error:
        raise ObjectError(f"is nested more than {MAX_DEPTH} levels deep") from error
    if not isinstance(value, dict):
        raise ObjectError(f"is {kind(value)}, not an object with a job's fields")
    _check(value, 1)
    return value


def kind(value: object) -> str:
    """Name the type of a JSON value for a person."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        for key, each in pairs:
            if each != value[key]:
                raise ObjectError(f"has the field {key!r:.80} twice, with different values")
    return value


def _constant(name: str) -> Any:
    raise ObjectError(f"holds {name}, which is not JSON: leave the value out, or write null")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ObjectError(f"holds the number {text[:40]}, which is too large")
    return ShortenedFloat(value) if "." in text and "e+" in text.lower() else value


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ObjectError(f"holds a number of {len(text):,} digits")
    return int(text)


def _check(value: dict[str, Any] | list[Any], depth: int) -> None:
    """Raise ObjectError for what Python reads but UTF-8 cannot encode, and for too deep a nesting."""
    for each in (*value, *value.values()) if isinstance(value, dict) else value:
        if isinstance(each, str):
            if not each.isascii():
                try:
                    each.encode()
                except UnicodeEncodeError as error:
                    half = ord(each[error.start])
                    raise ObjectError(f"holds half a character (\\u{half:04x}), which cannot be sent") from error
        elif isinstance(each, dict | list):
            if depth == MAX_DEPTH:
                raise ObjectError(f"is nested more than {MAX_DEPTH} levels deep")
            _check(each, depth + 1)


def _words(error: json.JSONDecodeError) -> str:
    if error.doc.startswith("\ufeff"):
        return "it begins with a byte order mark"
    if error.pos >= len(error.doc.rstrip()):
        return "it ends in the middle"
    return f"{error.msg[0].lower()}{error.msg[1:]}, at character {error.pos + 1}"


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float, parse_int=_int
)
