"""JSON Lines: one object a line."""

from __future__ import annotations

from collections.abc import Iterator

from jobferry.errors import FeedUnreadableError
from jobferry.exact_json import ObjectError, parse_object
from jobferry.feeds.rows import Row
from jobferry.feeds.streams import MAX_ROW, Chunks


def read_lines(key: str, chunks: Chunks) -> Iterator[Row]:
    """The lines that are not blank.

    Raises:
        FeedUnreadableError: no line at all; a JSON array; a line beyond MAX_ROW; a last line that is cut off.
    """
    number = 0
    rest = b""
    empty = True
    for chunk in chunks:
        # A line at a time: a list of all the chunk's lines would be copied out of the processor's cache, and in again.
        at = 0
        while end := chunk.find(b"\n", at) + 1:
            line = rest + chunk[at : end - 1]
            rest, at = b"", end
            number += 1
            if line and not line.isspace():
                if empty:
                    _look_at_first(key, line)
                    empty = False
                yield number, line
        rest += chunk[at:]
        if len(rest) > MAX_ROW:
            raise FeedUnreadableError(f"{key} row {number + 1} is longer than {MAX_ROW:,} bytes")
    if rest and not rest.isspace():
        number += 1
        if empty:
            _look_at_first(key, rest)
        _look_at_last(key, number, rest)
        yield number, rest
    elif empty:
        raise FeedUnreadableError(f"{key} holds nothing but white space: an export that was cut off?")


def _look_at_first(key: str, line: bytes) -> None:
    if line.lstrip().startswith(b"["):
        raise FeedUnreadableError(f"{key} holds a JSON array, not a JSON object on each line: name it .json")


def _look_at_last(key: str, number: int, line: bytes) -> None:
    """A last line without its line end is whole, or the export was cut off in it."""
    try:
        parse_object(line)
    except ObjectError as error:
        if not line.rstrip().endswith(b"}"):
            raise FeedUnreadableError(f"{key} is cut off in row {number}: the row {error}") from error
