"""The text of a JSON document, read piece by piece: its values, its elements, and where the next one begins after a fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from pydantic_core import from_json

from jobferry.errors import FeedUnreadableError
from jobferry.exact_json import MAX_DEPTH
from jobferry.feeds.streams import MAX_ROW, Chunks

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
#: After an element: a comma and the first key of the next element. This cannot be within a text, whose quotation marks are
#: escaped, nor across the end of a text, after which no key begins.
_NEXT: Final = re.compile(rb'(\}[ \t\r\n]*,[ \t\r\n]*)\{[ \t\r\n]*"(?![ \t\r\n,:\]}])[^"\\]+"[ \t\r\n]*:')
#: The beginning of an object that is neither the value of a key nor the first element of a list.
_OBJECT: Final = re.compile(rb'[^:\[ \t\r\n][ \t\r\n]*(\{)[ \t\r\n]*"[^"\\]+"[ \t\r\n]*:')
KEY: Final = re.compile(rb'"([^"\\]+)"[ \t\r\n]*:')
#: Brackets that close, and the next key.
_ENDS_AND_KEY: Final = re.compile(rb'((?:[}\]][ \t\r\n]{0,200}+){1,50}+),[ \t\r\n]*"([^"\\]+)"[ \t\r\n]*:')
_END: Final = re.compile(rb"[}\]]")
#: Finds where a value ends. It reads bytes as Latin-1, so that a place in the text is one in the bytes.
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str)
_CLOSERS: Final = '}]"'
_CLOSING: Final = str.maketrans("{[", "}]")
#: The longest piece of JSON that is not a text, such as two escapes. Characters.
_LONGEST_TOKEN: Final = 12
_BRACE: Final = ord("{")
#: When less than this is left in the buffer, more is read. Bytes.
_SOON: Final = 1 << 16
#: Objects after a bad row that are compared with the jobs before it.
_MAX_TRIES: Final = 200
#: The longest list that is kept until the whole object is known. Bytes.
_MAX_KEPT: Final = 4 << 20


def names_in(row: bytes) -> Iterable[str]:
    """Return the names of a row's fields, if it can be read."""
    try:
        value = from_json(row)
    except ValueError:
        return ()
    return list(value) if isinstance(value, dict) else ()


class NotJsonError(ValueError):
    """A value is not JSON. The message says where.

    Args:
        message: what is wrong.
        is_cut: whether the object ends before the value.
    """

    def __init__(self, message: str, *, is_cut: bool = False) -> None:
        super().__init__(message)
        self.is_cut = is_cut


class JsonText:
    """The rest of the object's bytes, read as they are needed. Places in it count from the next byte."""

    def __init__(self, key: str, chunks: Chunks, line: int = 1) -> None:
        self.key = key
        self.where = "the beginning"
        self._chunks = chunks
        self._buffer = b""
        self._at = 0
        self._latin1 = ""  # the buffer, if it was needed
        self._line = line  # of the byte at _counted
        self._counted = 0
        #: The brackets that are open around the next value.
        self._open = ""

    @property
    def line(self) -> int | None:
        """The line of the next byte; None on the first line, since a document may have only one."""
        self._line += self._buffer.count(b"\n", self._counted, self._at)
        self._counted = self._at
        return self._line if self._line > 1 else None

    def next(self) -> bytes:
        """Return the next byte that is not white space without taking it; b"" at the end."""
        at = self._skip(0)  # may move the buffer
        self._at += at
        return self._byte(0)

    def take(self, byte: bytes) -> None:
        """Take a byte that has to be there."""
        found = self.next()
        if found != byte:
            raise self._cut() if not found else self._error(f"{byte.decode()} is missing before {shown(found)}")
        self._at += 1

    def names(self) -> Iterator[str]:
        """Take an object. Its values have to be taken after their names."""
        self.take(b"{")
        self._open += "{"
        first = True
        while self.next() != b"}":
            if not first:
                self.take(b",")
            first = False
            if self.next() != b'"':
                raise self._error("a key is missing") if self.next() else self._cut()
            text = self.value()
            try:
                name = str(json.loads(text))
            except ValueError as error:
                raise self._error(f"{shown(text)} is not a key") from error
            self.take(b":")
            self.next()
            yield name
        self.take(b"}")
        self._open = self._open.removesuffix("{")

    def items(self) -> Iterator[None]:
        """Take a list. Its elements have to be taken."""
        self.take(b"[")
        self._open += "["
        first = True
        while self.next() != b"]":
            if not first:
                self.take(b",")
            first = False
            yield
        self.take(b"]")
        self._open = self._open.removesuffix("[")

    def at_objects(self) -> bool:
        """Tell whether a list of objects is next."""
        return self.next() == b"[" and self._byte(self._skip(1)) == b"{"

    def ends_list(self) -> bool:
        """Tell whether the ] that is next is followed by what may follow the list."""
        after = self._skip(1)
        byte = self._byte(after)
        if not self._open or not byte:
            return byte in (b"", b"[")
        if self._open.endswith("["):
            return byte in (b",", b"]")
        try:
            return byte == b"}" or (byte == b"," and self._at_key(after + 1))
        except NotJsonError:
            return False

    def flat_rows(self, number: int) -> Iterator[tuple[int, int | None, bytes]]:
        """Take the flat objects of a list, up to the first other element, and yield them as rows from a number on.

        A flat object ends at its first }, and another object follows it. Most elements are flat.
        """
        # The bytes between two objects, usually the same; where in them the next one begins; and their line ends.
        between, gap, ends = b"", 0, 0
        while True:
            line = self.line or 1
            buffer, at = self._buffer, self._at
            while (end := buffer.find(b"}", at)) >= 0 and buffer[at] == _BRACE and buffer.find(b"{", at + 1, end) < 0:
                if not gap or not buffer.startswith(between, end):
                    match = _NEXT.match(buffer, end)
                    if match is None:
                        break
                    between, gap, ends = match.group(), len(match[1]), match[1].count(b"\n")
                yield number, line if line > 1 else None, buffer[at : end + 1]
                number += 1
                # Finding the first line end is ten times as fast as counting, and most feeds have none in a job.
                if (inner := buffer.find(b"\n", at, end)) >= 0:
                    line += buffer.count(b"\n", inner, end)
                line += ends
                at = end + gap
            self._at = self._counted = at
            self._line = line
            if len(buffer) - at > _SOON or not self._more():
                return

    def element(self) -> tuple[bytes, bool]:
        """Take an element of a list and the comma after it. Return it, and whether there was a comma.

        Raises:
            NotJsonError: not JSON, or what follows belongs to it. Nothing is taken.
        """
        end = self._end(0)
        after = self._skip(end)
        byte = self._byte(after)
        if not byte:
            raise self._cut()
        if byte not in (b",", b"]") or (byte == b"," and self._at_key(after + 1)):
            raise self._not_json("more follows its end", after)
        value = self._buffer[self._at : self._at + end]
        self._at += after + (byte == b",")
        return value, byte == b","

    def resume(self, shape: frozenset[str], keys: set[bytes], fault: NotJsonError) -> None:
        """Go to the next element of a list that looks like a job, or to the list's end.

        Args:
            shape: the names that most jobs have; none if there was no job yet. Objects within jobs have others.
            keys: the keys that occur in jobs. Another one after a ] means that the list ended there.
            fault: why the element cannot be read.
        """
        at = tries = 0
        while True:
            found = _OBJECT.search(self._buffer, self._at + at)
            if found and tries < _MAX_TRIES:
                tries += 1
                at = found.start(1) - self._at
                before = () if shape else KEY.findall(self._buffer, self._at, found.start(1))
                wanted = shape or {each.decode(errors="replace") for each in before}
                job = self._object(at)
                if job and len(wanted.intersection(names_in(job))) * 2 >= len(wanted):
                    end = self._end_of_list(at, keys.union(KEY.findall(job)))
                    self._at += at if end is None else end
                    return
            elif found or len(self._buffer) - self._at > MAX_ROW:
                raise self._error(f"{fault}; no other job follows within {MAX_ROW:,} bytes or {_MAX_TRIES} objects")
            elif not self._more():
                end = self._end_of_list(len(self._buffer), keys) if keys else None
                end = self._end_of_all() if end is None else end
                if end is None or fault.is_cut:
                    raise self._cut() if fault.is_cut else self._error(str(fault))
                self._at += end
                return

    def _object(self, at: int) -> bytes:
        """Return the object at a place; nothing if it is not JSON."""
        try:
            end = self._end(at)
        except NotJsonError:
            return b""
        return self._buffer[self._at + at : self._at + end]

    def _end_of_list(self, until: int, keys: set[bytes]) -> int | None:
        """Return the place of the ] that ends the list, if a key that no job has follows it before a place."""
        closing = self._closing()
        for match in _ENDS_AND_KEY.finditer(self._buffer, self._at, self._at + until) if closing else ():
            ends = [each.start() - self._at for each in _END.finditer(self._buffer, *match.span(1))]
            brackets = b"".join(self._byte(each) for each in ends)
            for levels in range(len(closing)):
                if match[2] not in keys and brackets.endswith(b"]" + closing[:levels]):
                    return ends[-1 - levels]
        return None

    def _end_of_all(self) -> int | None:
        """Return the place of the ] that ends the list, if only the end of the document follows it. All has to be read."""
        rest = self._buffer[self._at :].rstrip()
        for bracket in reversed(self._closing()):
            rest = rest.removesuffix(bytes([bracket])).rstrip()
        return len(rest) - 1 if rest.endswith(b"]") else None

    def _closing(self) -> bytes:
        """Return the brackets that close what is open."""
        return self._open[::-1].translate(_CLOSING).encode()

    def value(self) -> bytes:
        """Take a whole value. Call `next` before."""
        try:
            end = self._end(0)
        except NotJsonError as error:
            raise self._cut() if error.is_cut else self._error(str(error)) from error
        value = self._buffer[self._at : self._at + end]
        self._at += end
        return value

    def is_short(self) -> bool:
        """Tell whether the value that is next can be kept in memory, and is JSON."""
        try:
            self._end(0, _MAX_KEPT)
        except NotJsonError:
            return False
        return True

    def _end(self, start: int, limit: int = MAX_ROW) -> int:
        """Return the end of the value at a place.

        Raises:
            NotJsonError: not JSON, cut off, or longer than the limit.
        """
        while True:
            if not self._latin1:
                self._latin1 = self._buffer.decode("latin-1")
            text, fault = self._latin1, ""
            try:
                end = _DECODER.raw_decode(text, self._at + start)[1]
                place = end - self._at
                # A number or a word may go on in the next piece.
                if (text[end - 1] in _CLOSERS or end <= len(text) - _LONGEST_TOKEN) and place - start <= limit:
                    return place
            except json.JSONDecodeError as error:
                fault, place = f"{error.msg[0].lower()}{error.msg[1:]}", error.pos - self._at
                if error.pos <= len(text) - _LONGEST_TOKEN and not fault.startswith("unterminated"):
                    raise self._not_json(fault, place) from error
            except RecursionError as error:
                raise NotJsonError(f"it is nested more than {MAX_DEPTH} levels deep") from error
            if len(text) - self._at - start > limit:
                raise NotJsonError(f"it is longer than {limit:,} bytes; is a quotation mark or a bracket missing?")
            if not self._more():
                if not fault:
                    return place
                if fault.startswith("unterminated") or self._skip(place) == len(self._buffer):
                    raise NotJsonError("it has no end", is_cut=True)
                raise self._not_json(fault, place)

    def _at_key(self, at: int) -> bool:
        """Tell whether the next value from a place on is an object's key."""
        at = self._skip(at)
        return self._byte(at) == b'"' and self._byte(self._skip(self._end(at))) == b":"

    def _skip(self, at: int) -> int:
        """Return the place of the first byte from a place on that is not white space."""
        while True:
            match = _SPACE.match(self._buffer, self._at + at)
            at = match.end() - self._at if match else at
            if self._at + at < len(self._buffer) or not self._more():
                return at

    def _byte(self, at: int) -> bytes:
        return self._buffer[self._at + at : self._at + at + 1]

    def _more(self) -> bool:
        """Read more: as much as is there, so that a long value is not searched again and again."""
        self.line  # noqa: B018  # counts the lines that are given up
        rest = self._buffer[self._at :]
        pieces = [rest]
        size = 0
        while size <= len(rest) and (piece := next(self._chunks, b"")):
            pieces.append(piece)
            size += len(piece)
        self._buffer = b"".join(pieces)
        self._at = self._counted = 0
        self._latin1 = ""
        return size > 0

    def _not_json(self, fault: str, place: int) -> NotJsonError:
        return NotJsonError(f"{fault}, before {shown(self._buffer[self._at + place :])}")

    def _cut(self) -> FeedUnreadableError:
        return FeedUnreadableError(f"{self.key} is cut off at {self.where}: its JSON has no end")

    def _error(self, message: str) -> FeedUnreadableError:
        return FeedUnreadableError(f"{self.key} is not JSON at {self.where}: {message}")


def shown(value: bytes) -> str:
    return repr(value[:40].decode(errors="replace"))
