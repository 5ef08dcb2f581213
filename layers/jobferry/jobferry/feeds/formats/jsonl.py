"""JSON Lines: one object on each line."""

from collections.abc import Iterator

from jobferry.errors import FeedUnreadableError
from jobferry.exact_json import ObjectError, parse_object
from jobferry.feeds.rows import Row
from jobferry.feeds.streams import MAX_ROW, Chunks


def read_lines(key: str, chunks: Chunks) -> Iterator[Row]:
    """Yield the lines that are not blank.

    Raises:
        FeedUnreadableError: no line at all; a JSON array; objects of several lines; a line beyond MAX_ROW; a last line that is cut off.
    """
    number = 0
    rest = b""
    empty = True
    for chunk in chunks:
        # Splitting the whole chunk at once takes three times as long.
        at = 0
        while end := chunk.find(b"\n", at) + 1:
            line = rest + chunk[at : end - 1]
            rest, at = b"", end
            number += 1
            if line and not line.isspace():
                if empty:
                    _check_first(key, line)
                    empty = False
                yield number, None, line
        rest += chunk[at:]
        if len(rest) > MAX_ROW:
            raise FeedUnreadableError(f"{key} row {number + 1} is longer than {MAX_ROW:,} bytes")
    if rest and not rest.isspace():
        number += 1
        if empty and rest.strip() != b"{":  # that is cut off
            _check_first(key, rest)
        _check_last(key, number, rest)
        yield number, None, rest
    elif empty:
        raise FeedUnreadableError(f"{key} has only white space: was the export cut off?", feed_is_empty=True)


def _check_first(key: str, line: bytes) -> None:
    if line.lstrip().startswith(b"["):
        raise FeedUnreadableError(f"{key} holds a JSON array, not a JSON object on each line: name it .json")
    if line.strip() == b"{":
        raise FeedUnreadableError(
            f"{key} has objects of several lines: write each object on one line, or export an array and name it .json"
        )


def _check_last(key: str, number: int, line: bytes) -> None:
    """Raise an error if the export was cut off in the last line, which has no line end."""
    try:
        parse_object(line)
    except ObjectError as error:
        if not line.rstrip().endswith(b"}"):
            raise FeedUnreadableError(f"{key} is cut off in row {number}: the row {error}") from error
