"""JSON: a list of objects, read element by element.

The list is the document itself, its key `jobs`, its only list of objects, or where the setting `rows` says. Each element is
passed on as text, so that jobs of a list are read exactly like those of JSON Lines. An element that is not JSON costs
one row: reading resumes at the next element that looks like the jobs before it.
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
from jobferry.exact_json import MAX_DEPTH
from jobferry.feeds.rows import ERROR_NAMES, FeedWarning, JobShape, Row, UnreadableRow, plain_name, says_something
from jobferry.feeds.streams import MAX_ROW, Chunks
from jobferry.text import counted

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
#: After an element: a comma and the first key of the next element. This cannot be within a text, whose quotation marks are
#: escaped, nor across the end of a text, after which no key begins.
_NEXT: Final = re.compile(rb'(\}[ \t\r\n]*,[ \t\r\n]*)\{[ \t\r\n]*"(?![ \t\r\n,:\]}])[^"\\]+"[ \t\r\n]*:')
#: The beginning of an object that is neither the value of a key nor the first element of a list.
_OBJECT: Final = re.compile(rb'[^:\[ \t\r\n][ \t\r\n]*(\{)[ \t\r\n]*"[^"\\]+"[ \t\r\n]*:')
_KEY: Final = re.compile(rb'"([^"\\]+)"[ \t\r\n]*:')
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


def read_array(key: str, chunks: Chunks, rows: str | None = None) -> Iterator[Row]:
    """Yield the list's elements, numbered from 1, with their lines unless they are on the first.

    Args:
        key: the object's.
        chunks: its text in UTF-8.
        rows: the path of the list, such as `data.items`. It leads into each element of a list on the way.

    Raises:
        FeedUnreadableError: cut off; not JSON around the list; the list cannot be found; an element beyond MAX_ROW.
    """
    text = _Text(key, chunks)
    document = _Document(text)
    first = text.next()
    if first == b"":
        raise FeedUnreadableError(f"{key} has only white space: was the export cut off?", feed_is_empty=True)
    if first not in (b"[", b"{"):
        raise FeedUnreadableError(f"{key} is not JSON: it begins with {first.decode(errors='replace')!r}")
    if rows is not None:
        yield from document.under(rows)
    elif first == b"[":
        yield from document.elements()
    else:
        yield from document.jobs()
    if text.next():
        raise FeedUnreadableError(
            f"{key} holds more after the end of its JSON; if each line is an object, name it .jsonl"
        )
    document.check_found(rows)
    messages = document.others.messages(document.shape, document.number)
    yield from ((None, None, UnreadableRow(message)) for message in messages)


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


#: Names by which an API says how many jobs there are on all pages, as `plain_name` returns them.
_TOTALS: Final = frozenset({
    "total", "totalcount", "totalresults", "totalrecords", "totalitems", "totaljobs", "totalhits", "totalelements", "numfound",
    "recordcount", "jobcount",
})  # fmt: skip


class _Document:
    """A document, and what is known of its jobs.

    Attributes:
        number: the rows so far.
        others: what else it holds.
    """

    def __init__(self, text: _Text) -> None:
        self._text = text
        self.number = 0
        self._found = False
        self._names: list[str] = []  # the keys of an object that should have `jobs`
        self._fields: Counter[str] = Counter()  # of the first jobs
        self._keys: set[bytes] = set()  # of the first jobs, also within their values
        self._sampled = 0
        self.others = _Others()

    @property
    def shape(self) -> JobShape:
        """What the jobs look like."""
        return JobShape.of(self._fields, self._sampled)

    def check_found(self, rows: str | None) -> None:
        """Raise an error that names the setting `rows` if there was no list of jobs."""
        if not self._found:
            names = ", ".join(self._names[:10]) or "nothing"
            what = f"has no list under {_quoted(rows)}" if rows else f"is an object without jobs (it has {names:.200})"
            raise self._ask(what, self.others.lists, _HINTS if rows is None else "")

    def under(self, path: str, above: str = "") -> Iterator[Row]:
        """Yield the rows under a path. It ends at a list or, within a list, at an object of one job.

        Args:
            path: the rest of the path.
            above: the path that led here.
        """
        text = self._text
        first = text.next()
        if not path:
            if first == b"[":
                yield from self.elements()
            else:
                line = text.line
                if (value := text.value()) != b"null":
                    self._found = True
                    yield self._row(line, value)
        elif first == b"[":
            for _ in text.items():
                yield from self.under(path, above)
        elif first == b"{":
            found = False
            for name in text.names():
                if path != name and not path.startswith(f"{name}."):
                    self.others.add(above + name, text.value())
                elif found:
                    raise self._twice(name)
                else:
                    found = True
                    yield from self.under(path[len(name) + 1 :], f"{above}{name}.")
        else:
            text.value()

    def jobs(self) -> Iterator[Row]:
        """Yield the elements of `jobs` or of the only list of objects. What looks like jobs elsewhere is a problem."""
        text = self._text
        lists: list[str] = []  # the lists of objects beside jobs
        kept: tuple[int | None, bytes] | None = None  # the first of them, until the whole object is known
        for name in text.names():
            self._names.append(name)
            if name == "jobs":
                if "jobs" in self._names[:-1]:
                    raise self._twice(name)
                if self._found:
                    raise self._ask("has several lists of objects", [*lists, name])
                if text.next() != b"[":
                    self.others.add(name, text.value())
                    raise self._ask("has jobs that are not a list", self.others.lists)
                yield from self.elements()
            elif "jobs" in self._names or plain_name(name) in ERROR_NAMES or not text.at_objects():
                self.others.add(name, text.value())
            else:
                lists.append(name)
                if self._found:
                    raise self._ask("has several lists of objects", lists)
                if len(lists) > 1:
                    self.others.add(name, text.value())
                elif text.is_short():
                    kept = text.line, text.value()
                else:
                    yield from self._guessed(name)
        if not self._found and len(lists) > 1:
            raise self._ask("has several lists of objects", lists)
        if kept and self._found:
            self.others.add(lists[0], kept[1])
        elif kept:
            self._text = _Text(text.key, iter([kept[1]]), kept[0] or 1)
            yield from self._guessed(lists[0])

    def _guessed(self, name: str) -> Iterator[Row]:
        """Yield the elements of a list that is not called `jobs`."""
        yield (
            None,
            None,
            FeedWarning(
                f"the jobs are read from {_quoted(name)}, the object's only list of objects; confirm it in feed.json: "
                f'"rows": {_quoted(name)}'
            ),
        )
        rows = self.elements()
        for row in islice(rows, 1):
            if isinstance(row[2], bytes) and b"jobs" in self._keys and isinstance(from_json(row[2]).get("jobs"), list):
                raise self._ask(f"has no list of jobs, but {_quoted(name)} has", [f"{name}.jobs"])
            yield row
        yield from rows

    def elements(self) -> Iterator[Row]:
        """Yield the elements of a list. An element that cannot be read ends where the next one looks like a job."""
        text = self._text
        self._found = True
        text.take(b"[")
        comma = False
        while text.next() != b"]" or not text.ends_list():
            for row in text.flat_rows(self.number + 1):
                self.number += 1
                if self._sampled < _SAMPLE:
                    self._sample(row[2])
                yield row
            line = text.line
            text.where = f"row {self.number + 1}"
            try:
                value, comma = text.element()
            except _NotJsonError as error:
                self.number += 1
                text.resume(self.shape.names, self._keys, error)
                comma = False
                yield self.number, line, UnreadableRow(f"is not JSON: {error}")
            else:
                yield self._row(line, value)
        if comma:
            yield None, text.line, FeedWarning("nothing follows the last comma in the list of jobs; is a job missing?")
        text.take(b"]")
        text.where = "the end of jobs"

    def _row(self, line: int | None, value: bytes) -> Row:
        self.number += 1
        if value[:1] != b"{":
            return self.number, line, UnreadableRow(f"is not an object with a job's fields: {_shown(value)}")
        if self._sampled < _SAMPLE:
            self._sample(value)
        return self.number, line, value

    def _sample(self, row: bytes) -> None:
        self._sampled += 1
        self._fields.update(_names(row))
        self._keys.update(_KEY.findall(row))

    def _twice(self, name: str) -> FeedUnreadableError:
        return FeedUnreadableError(f"{self._text.key}: {name:.80} is there twice")

    def _ask(self, what: str, lists: Iterable[str], hints: str = "") -> FeedUnreadableError:
        """Return an error that asks for the setting `rows`."""
        paths = " or ".join(f'"rows": {_quoted(path)}' for path in islice(lists, 5))
        paths = paths or 'for example "rows": "data.items"'
        return FeedUnreadableError(f"{self._text.key} {what}. Say in feed.json where the jobs are: {paths}{hints}")


#: Other ways out for an object without a list of jobs.
_HINTS: Final = ". A single job needs [ and ] around it; if each line is an object, name the file .jsonl"


class _Others:
    """What a document holds beside its jobs."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        #: For each path, how many jobs there are on all pages.
        self._totals: dict[str, int] = {}
        #: For each path, how many objects have which fields.
        self._objects: defaultdict[str, Counter[frozenset[str]]] = defaultdict(Counter)
        #: The paths of lists of objects.
        self.lists: dict[str, None] = {}

    def add(self, path: str, text: bytes) -> None:
        """Add the value under a path."""
        try:
            value = from_json(text, allow_inf_nan=True)
        except ValueError:  # not UTF-8, for instance
            return
        key, word = plain_name(path.rpartition(".")[2]), str(value).lower()
        failed = word in ("false", "0") if key in ("success", "ok") else key == "status" and word in _FAILED
        if failed or (key in ERROR_NAMES and says_something(value)):
            self._errors.append(f'has "{path:.80}" beside its jobs: {_shown(text)}; was it exported completely?')
        for name, each in value.items() if isinstance(value, dict) else [(key, value)]:
            if plain_name(name) in _TOTALS and type(each) is int:
                self._totals[path if each is value else f"{path}.{name}"] = each
        self._walk(path, value)

    def _walk(self, path: str, value: Any) -> None:
        if isinstance(value, dict):
            self._objects[path][frozenset(value)] += 1
            for name, each in value.items():
                self._walk(f"{path}.{name}", each)
        elif isinstance(value, list):
            if value and isinstance(value[0], dict):
                self.lists[path] = None
            for each in value:
                self._walk(path, each)
        elif _says_more(path, value):
            self._errors.append(
                f'has "{path:.80}", so it seems to hold only some of the jobs; was it exported completely?'
            )

    def messages(self, shape: JobShape, rows: int) -> Iterator[str]:
        """Yield what is wrong, to follow "the object"."""
        yield from self._errors[:_MAX_PLACES]
        for path, total in islice(self._totals.items(), _MAX_PLACES):
            if total > rows:
                yield f'has "{path:.80}" {total:,}, but {counted(rows, "job")}; was it exported completely?'
        counts = {
            path: sum(n for names, n in kinds.items() if shape.fits(names)) for path, kinds in self._objects.items()
        }
        for path, count in islice(((path, count) for path, count in counts.items() if count), _MAX_PLACES):
            yield (
                f'has {counted(count, "object")} like a job in "{path:.200}", which cannot be read: export all jobs in one '
                "list, and nothing else like them"
            )


def _says_more(path: str, value: Any) -> bool:
    """Decide whether a value says that further pages of jobs follow, or that jobs were left out."""
    names = [plain_name(each) for each in path.split(".")[-2:]]
    if "next" in names and isinstance(value, str):
        return value.startswith(("http", "/"))
    return names[-1] in _MORE and says_something(value)


def _names(row: bytes) -> Iterable[str]:
    """Return the names of a row's fields, if it can be read."""
    try:
        value = from_json(row)
    except ValueError:
        return ()
    return list(value) if isinstance(value, dict) else ()


class _NotJsonError(ValueError):
    """A value is not JSON. The message says where.

    Args:
        message: what is wrong.
        is_cut: whether the object ends before the value.
    """

    def __init__(self, message: str, *, is_cut: bool = False) -> None:
        super().__init__(message)
        self.is_cut = is_cut


class _Text:
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
            raise self._cut() if not found else self._error(f"{byte.decode()} is missing before {_shown(found)}")
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
                raise self._error(f"{_shown(text)} is not a key") from error
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
        except _NotJsonError:
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
            _NotJsonError: not JSON, or what follows belongs to it. Nothing is taken.
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

    def resume(self, shape: frozenset[str], keys: set[bytes], fault: _NotJsonError) -> None:
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
                before = () if shape else _KEY.findall(self._buffer, self._at, found.start(1))
                wanted = shape or {each.decode(errors="replace") for each in before}
                job = self._object(at)
                if job and len(wanted.intersection(_names(job))) * 2 >= len(wanted):
                    end = self._end_of_list(at, keys.union(_KEY.findall(job)))
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
        except _NotJsonError:
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
        except _NotJsonError as error:
            raise self._cut() if error.is_cut else self._error(str(error)) from error
        value = self._buffer[self._at : self._at + end]
        self._at += end
        return value

    def is_short(self) -> bool:
        """Tell whether the value that is next can be kept in memory, and is JSON."""
        try:
            self._end(0, _MAX_KEPT)
        except _NotJsonError:
            return False
        return True

    def _end(self, start: int, limit: int = MAX_ROW) -> int:
        """Return the end of the value at a place.

        Raises:
            _NotJsonError: not JSON, cut off, or longer than the limit.
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
                raise _NotJsonError(f"it is nested more than {MAX_DEPTH} levels deep") from error
            if len(text) - self._at - start > limit:
                raise _NotJsonError(f"it is longer than {limit:,} bytes; is a quotation mark or a bracket missing?")
            if not self._more():
                if not fault:
                    return place
                if fault.startswith("unterminated") or self._skip(place) == len(self._buffer):
                    raise _NotJsonError("it has no end", is_cut=True)
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

    def _not_json(self, fault: str, place: int) -> _NotJsonError:
        return _NotJsonError(f"{fault}, before {_shown(self._buffer[self._at + place :])}")

    def _cut(self) -> FeedUnreadableError:
        return FeedUnreadableError(f"{self.key} is cut off at {self.where}: its JSON has no end")

    def _error(self, message: str) -> FeedUnreadableError:
        return FeedUnreadableError(f"{self.key} is not JSON at {self.where}: {message}")


def _quoted(name: str) -> str:
    return f'"{name:.200}"'


def _shown(value: bytes) -> str:
    return repr(value[:40].decode(errors="replace"))
