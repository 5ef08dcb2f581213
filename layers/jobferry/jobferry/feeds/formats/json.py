"""JSON: a list of objects, read element by element.

The list is the document itself, its key `jobs`, its only list of objects, or where the setting `rows` says. Each element is
passed on as text, so that jobs of a list are read exactly like those of JSON Lines. An element that is not JSON costs
one row: reading resumes at the next element that looks like the jobs before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from pydantic_core import from_json

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.formats.json_others import Others
from jobferry.feeds.formats.json_text import KEY, JsonText, NotJsonError, names_in, shown
from jobferry.feeds.rows import ERROR_NAMES, FeedWarning, JobShape, Row, UnreadableRow, plain_name
from jobferry.feeds.streams import Chunks

#: Jobs that show which fields jobs have.
_SAMPLE: Final = 100
#: Other ways out for an object without a list of jobs.
_HINTS: Final = ". A single job needs [ and ] around it; if each line is an object, name the file .jsonl"


def read_array(key: str, chunks: Chunks, rows: str | None = None) -> Iterator[Row]:
    """Yield the list's elements, numbered from 1, with their lines unless they are on the first.

    Args:
        key: the object's.
        chunks: its text in UTF-8.
        rows: the path of the list, such as `data.items`. It leads into each element of a list on the way.

    Raises:
        FeedUnreadableError: cut off; not JSON around the list; the list cannot be found; an element beyond MAX_ROW.
    """
    text = JsonText(key, chunks)
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


class _Document:
    """A document, and what is known of its jobs.

    Attributes:
        number: the rows so far.
        others: what else it holds.
    """

    def __init__(self, text: JsonText) -> None:
        self._text = text
        self.number = 0
        self._found = False
        self._names: list[str] = []  # the keys of an object that should have `jobs`
        self._fields: Counter[str] = Counter()  # of the first jobs
        self._keys: set[bytes] = set()  # of the first jobs, also within their values
        self._sampled = 0
        self.others = Others()

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
            self._text = JsonText(text.key, iter([kept[1]]), kept[0] or 1)
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
            except NotJsonError as error:
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
            return self.number, line, UnreadableRow(f"is not an object with a job's fields: {shown(value)}")
        if self._sampled < _SAMPLE:
            self._sample(value)
        return self.number, line, value

    def _sample(self, row: bytes) -> None:
        self._sampled += 1
        self._fields.update(names_in(row))
        self._keys.update(KEY.findall(row))

    def _twice(self, name: str) -> FeedUnreadableError:
        return FeedUnreadableError(f"{self._text.key}: {name:.80} is there twice")

    def _ask(self, what: str, lists: Iterable[str], hints: str = "") -> FeedUnreadableError:
        """Return an error that asks for the setting `rows`."""
        paths = " or ".join(f'"rows": {_quoted(path)}' for path in islice(lists, 5))
        paths = paths or 'for example "rows": "data.items"'
        return FeedUnreadableError(f"{self._text.key} {what}. Say in feed.json where the jobs are: {paths}{hints}")


def _quoted(name: str) -> str:
    return f'"{name:.200}"'
