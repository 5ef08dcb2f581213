"""JSON: an array of objects, or an object whose `jobs` is one, read element by element.

Each element is passed on as text, so that jobs of an array are read exactly like those of JSON Lines, and an element that
is not JSON is a problem of that row only.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from pydantic_core import from_json

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.rows import ERROR_NAMES, JobShape, Row, UnreadableRow, plain_name, says_something
from jobferry.feeds.streams import MAX_ROW, Chunks
from jobferry.text import counted

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
#: After an element: a comma and the first key of the next element. This cannot be within a text, whose quotation marks are
#: escaped, nor across the end of a text, after which no key begins.
_NEXT: Final = re.compile(rb'(\}[ \t\r\n]*,[ \t\r\n]*)\{[ \t\r\n]*"(?![ \t\r\n,:\]}])[^"\\]+"[ \t\r\n]*:')
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR: Final = re.compile(rb'[^"{}\[\],]*+')
#: To the next bracket outside of texts.
_TO_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_BRACE: Final = ord("{")
_OPEN: Final = b"{["
_CLOSE: Final = b"}]"
#: When less than this is left in the buffer, more is read. Bytes.
_SOON: Final = 1 << 16


def read_array(key: str, chunks: Chunks) -> Iterator[Row]:
    """Yield the array's elements, numbered from 1.

    Raises:
        FeedUnreadableError: cut off; not an array; an object without `jobs`; an element beyond MAX_ROW.
    """
    text = _Text(key, chunks)
    first = text.next()
    if first == b"[":
        yield from _elements(text)
    elif first == b"{":
        yield from _jobs(text)
    elif first == b"":
        raise FeedUnreadableError(
            f"{key} holds nothing but white space: an export that was cut off?", feed_is_empty=True
        )
    else:
        raise FeedUnreadableError(f"{key} is not JSON: it begins with {first.decode(errors='replace')!r}")
    if text.next():
        raise FeedUnreadableError(
            f"{key} holds more after the end of its JSON; if each line is an object, name it .jsonl"
        )


def _elements(text: _Text) -> Iterator[Row]:
    text.take(b"[")
    number = 0
    if text.next() == b"]":
        text.take(b"]")
        return
    while True:
        text.next()
        for value in text.flat_objects():
            number += 1
            yield number, None, value
        number += 1
        text.where = f"row {number}"
        value = text.value()
        yield (
            number,
            None,
            value if value[:1] == b"{" else UnreadableRow(f"is not an object with a job's fields: {_shown(value)}"),
        )
        if text.next() == b"]":
            text.take(b"]")
            return
        text.take(b",")


def _jobs(text: _Text) -> Iterator[Row]:
    """Yield the elements of `jobs`. What looks like jobs under other keys, or like an error, is a problem."""
    text.take(b"{")
    found = False
    names: list[str] = []
    fields: Counter[str] = Counter()  # of the first jobs
    others = _Others()
    while text.next() != b"}":
        if names:
            text.take(b",")
            text.next()
        names.append(text.name())
        text.take(b":")
        if names[-1] != "jobs":
            text.next()
            others.add(names[-1], text.value())
        elif found or text.next() != b"[":
            raise FeedUnreadableError(f"{text.key}: jobs is {'there twice' if found else 'not a list'}")
        else:
            found = True
            rows = _elements(text)
            for row in islice(rows, _SAMPLE):
                fields.update(_names(row[-1]))
                fields[""] += 1
                yield row
            yield from rows
            text.where = "the end of jobs"
    text.take(b"}")
    if not found:
        known = ", ".join(names[:10]) or "nothing"
        raise FeedUnreadableError(
            f"{text.key} is an object without jobs (it has {known:.200}): an array of jobs is needed, or an object "
            "whose jobs is one; if each line is an object, name it .jsonl"
        )
    shape = JobShape.of(fields, fields.pop("", 0))
    yield from ((None, None, UnreadableRow(message)) for message in others.messages(shape))


#: Jobs that show which fields jobs have.
_SAMPLE: Final = 100
#: Places that a message is given about.
_MAX_PLACES: Final = 10
_FAILED: Final = frozenset({"error", "failed", "failure", "partial", "timeout"})
#: Names by which an API says that its answer does not hold everything, as `plain_name` returns them.
_MORE: Final = frozenset({
    "hasmore", "hasnext", "hasnextpage", "morepages", "nextpage", "nextpagetoken", "nextpageurl", "nexttoken", "nextcursor",
    "nextlink", "nexturl", "truncated", "istruncated", "incomplete", "isincomplete", "partial", "ispartial",
})  # fmt: skip


class _Others:
    """What an object holds beside its jobs."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        #: For each path, how many objects have which fields.
        self._objects: defaultdict[str, Counter[frozenset[str]]] = defaultdict(Counter)

    def add(self, name: str, text: bytes) -> None:
        """Add the value of a key."""
        try:
            value = from_json(text, allow_inf_nan=True)
        except ValueError:  # Only its brackets were checked.
            return
        key, word = plain_name(name), str(value).lower()
        failed = word in ("false", "0") if key in ("success", "ok") else key == "status" and word in _FAILED
        if failed or (key in ERROR_NAMES and says_something(value)):
            self._errors.append(f'has "{name:.80}" beside its jobs: {_shown(text)}; was it exported completely?')
        self._walk(name, value)

    def _walk(self, path: str, value: Any) -> None:
        if isinstance(value, dict):
            self._objects[path][frozenset(value)] += 1
            for name, each in value.items():
                self._walk(f"{path}.{name}", each)
        elif isinstance(value, list):
            for each in value:
                self._walk(path, each)
        elif _says_more(path, value):
            self._errors.append(
                f'has "{path:.80}", so it seems to hold only some of the jobs; was it exported completely?'
            )

    def messages(self, shape: JobShape) -> Iterator[str]:
        """Yield what is wrong, to follow "the object"."""
        yield from self._errors[:_MAX_PLACES]
        counts = {
            path: sum(n for names, n in kinds.items() if shape.fits(names)) for path, kinds in self._objects.items()
        }
        for path, count in islice(((path, count) for path, count in counts.items() if count), _MAX_PLACES):
            yield (
                f'has {counted(count, "object")} like a job in "{path:.200}", which cannot be read: export all jobs in "jobs", '
                "and nothing else like them"
            )


def _says_more(path: str, value: Any) -> bool:
    """Decide whether a value says that further pages of jobs follow, or that jobs were left out."""
    names = [plain_name(each) for each in path.split(".")[-2:]]
    if "next" in names and isinstance(value, str):
        return value.startswith(("http", "/"))
    return names[-1] in _MORE and says_something(value)


def _names(row: object) -> Iterable[str]:
    """Return the names of a row's fields, if it can be read."""
    try:
        value = from_json(row) if isinstance(row, bytes) else None
    except ValueError:
        return ()
    return list(value) if isinstance(value, dict) else ()


class _Text:
    """The rest of the object's bytes, read as they are needed."""

    def __init__(self, key: str, chunks: Chunks) -> None:
        self.key = key
        self.where = "the beginning"
        self._chunks = chunks
        self._buffer = b""
        self._at = 0

    def next(self) -> bytes:
        """Return the next byte that is not white space without taking it; b"" at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._more():
                return b""

    def take(self, byte: bytes) -> None:
        """Take a byte that has to be there."""
        found = self.next()
        if found != byte:
            raise self._cut() if not found else self._error(f"{byte.decode()} is missing before {_shown(found)}")
        self._at += 1

    def name(self) -> str:
        """Take a key of an object."""
        if self.next() != b'"':
            raise self._error("a key is missing") if self.next() else self._cut()
        text = self.value()
        try:
            return str(json.loads(text))
        except ValueError as error:
            raise self._error(f"{_shown(text)} is not a key") from error

    def flat_objects(self) -> Iterator[bytes]:
        """Take the flat objects of a list, up to the first other element.

        A flat object ends at its first }, and another object follows it. Most elements are flat.
        """
        between, gap = b"", 0  # the bytes between two objects, usually the same, and where in them the next one begins
        while True:
            buffer, at = self._buffer, self._at
            while (end := buffer.find(b"}", at)) >= 0 and buffer[at] == _BRACE and buffer.find(b"{", at + 1, end) < 0:
                if not gap or not buffer.startswith(between, end):
                    match = _NEXT.match(buffer, end)
                    if match is None:
                        break
                    between, gap = match.group(), len(match[1])
                self._at = end + gap
                yield buffer[at : end + 1]
                at = self._at
            if len(buffer) - at > _SOON or not self._more():
                return

    def value(self) -> bytes:
        """Take a whole value. Call `next` before."""
        end = self._end()
        value = self._buffer[self._at : end].rstrip()
        if not value:
            raise self._error("a value is missing")
        self._at = end
        return value

    def _end(self) -> int:
        """Return the end of the next value, found by its brackets and quotation marks alone."""
        if self._buffer[self._at : self._at + 1] not in (b"{", b"["):
            while (end := self._end_of_simple()) is None:
                self._grow()
            return end
        depth = seen = 0  # open brackets, and bytes that were searched
        while True:
            buffer, at = self._buffer, self._at + seen
            while (inner := _TO_BRACKET.match(buffer, at)) and inner.end() < len(buffer):
                byte = buffer[inner.end()]
                if byte not in _OPEN and byte not in _CLOSE:
                    break  # a text without an end so far
                depth += 1 if byte in _OPEN else -1
                at = inner.end() + 1
                if depth == 0:
                    return at
            seen = at - self._at
            self._grow()

    def _end_of_simple(self) -> int | None:
        """Return the end of the next text, number or word, if it is in the buffer."""
        if self._buffer.startswith(b'"', self._at):
            text = _STRING.match(self._buffer, self._at)
            return text.end() if text else None
        word = _SCALAR.match(self._buffer, self._at)
        return word.end() if word and word.end() < len(self._buffer) else None

    def _grow(self) -> None:
        """Read more of a value without an end so far."""
        if len(self._buffer) - self._at > MAX_ROW:
            raise self._error(f"it is longer than {MAX_ROW:,} bytes; is a quotation mark or a bracket missing?")
        if not self._more():
            raise self._cut()

    def _more(self) -> bool:
        piece = next(self._chunks, b"")
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        return bool(piece)

    def _cut(self) -> FeedUnreadableError:
        return FeedUnreadableError(f"{self.key} is cut off at {self.where}: its JSON has no end")

    def _error(self, message: str) -> FeedUnreadableError:
        return FeedUnreadableError(f"{self.key} is not JSON at {self.where}: {message}")


def _shown(value: bytes) -> str:
    return repr(value[:40].decode(errors="replace"))
