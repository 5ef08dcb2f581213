"""Which elements of an XML document are rows: the beginning of the document shows it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from lxml import etree

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.rows import BOARD_FIELDS, JobShape, have_reference_number, plain_name
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import MAX_ROW, Chunks, peek

# Entities are not replaced and nothing outside the file is read, so that a feed cannot expand without end or read our files.
# libxml2's own limits stay on: 10 MB of text in one place, 256 levels.
PARSER: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "encoding": "utf-8",
}

#: For known root elements (RSS, RDF, Atom), the element that is a row. Others may come before it.
_KNOWN: Final = {"rss": "item", "RDF": "item", "feed": "entry"}
_NONE: Final = "jobferry-none"  # a name that no element has
#: The beginning of a document that shows which elements are rows. Bytes.
_HEAD: Final = 1 << 20
#: Names of elements by which agencies say that the jobs in them are not open.
_CLOSED: Final = re.compile(r"clos|expir|delet|remov|inactiv|archiv|(?<!un)filled|cancel", re.IGNORECASE)
#: Attributes of these namespaces say how to read an element. They are no data.
_ABOUT_XML: Final = ("{http://www.w3.org/2001/XMLSchema-instance}", "{http://www.w3.org/XML/1998/namespace}")


class Rows(NamedTuple):
    """Which elements are rows.

    Attributes:
        written: their name with the prefix that the file writes.
        place: the names of the elements that they are in, the root first.
        shape: what they look like.
        named: whether the setting `rows` names them. Then each element of that name is one.
    """

    written: str
    place: tuple[str, ...]
    shape: JobShape
    named: bool = False

    @property
    def name(self) -> str:
        """Their name without a prefix."""
        return local(self.written)

    def fits(self, element: etree._Element) -> bool:
        """Decide whether an element looks like a row."""
        names = {local(child.tag) for child in element if isinstance(child.tag, str)}
        names.update(name for name, _ in attributes(element))
        return bool(names) and self.shape.fits(names, same_name=local(str(element.tag)) == self.name)

    def contains(self, place: tuple[str, ...]) -> bool:
        """Decide whether a place, the names of elements, is within a row."""
        return place != self.place and self.name in place[1:]


def find_rows(key: str, chunks: Chunks, settings: FeedSettings, line: int) -> tuple[Rows, Chunks]:
    """Find the row elements at the beginning of the document, even if they begin late.

    Args:
        key: the object's.
        chunks: the document in UTF-8.
        settings: of the feed: its names of fields, and the setting `rows`.
        line: the number of the document's first line.

    Raises:
        FeedUnreadableError: it is not XML, or does not show which elements are rows.
    """
    size = _HEAD
    while True:
        head, chunks = peek(chunks, size + 1)
        rows = _rows_of(key, _Survey(head[:size]), settings, line, whole=len(head) <= size)
        if rows is not None:
            return rows, chunks
        if size >= MAX_ROW:
            raise FeedUnreadableError(f"{key} has more than {MAX_ROW:,} bytes before the first job")
        size *= 4


def is_closed(names: Iterable[str]) -> bool:
    """Decide whether one of the names of elements says that the jobs in it are not open."""
    return any(_CLOSED.search(local(name)) for name in names)


def board_field(name: str, settings: FeedSettings) -> str | None:
    """Return the field of the board that a name in the feed stands for."""
    return settings.fields.get(name) or BOARD_FIELDS.get(plain_name(name))


def attributes(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Yield the names and values of an element's attributes that are data."""
    for name, value in element.items():
        if not str(name).startswith(_ABOUT_XML):
            yield local(str(name)), str(value)


def written(element: etree._Element) -> str:
    """Return an element's name as the file writes it, with its prefix if it has one."""
    name = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{name}" if element.prefix else name


def local(tag: str) -> str:
    """Remove the namespace or the prefix. lxml's own QName rejects a prefix that is not declared."""
    return tag.rpartition("}")[2].rpartition(":")[2]


def explain(error: Any, line: int) -> str:
    """Explain a parser's error.

    Args:
        error: the entry of its log.
        line: the line on which it began.
    """
    if error is None:
        return "it is empty"
    said = re.sub(r" line \d+", "", " ".join(error.message.split()))
    if prefix := re.match(r"Namespace prefix (\S+) ", said):
        return f'{said}: the root element has to declare it, as in xmlns:{prefix[1]}="..."'
    text = f"{said:.200}, line {line + error.line - 1}"
    if "huge" in text or "Excessive" in text or "XML_PARSE_HUGE" in text:
        return f"more than 10 MB in one place, or more than 256 levels ({text})"
    if "amplification" in text:
        return "it has entities of its own that unfold to far more than the document"
    if "EntityRef" in text:
        return f"{text}: is there an & that is not written as &amp;?"
    if "invalid Char" in text or "Invalid character" in text:
        return f"{text}: a control character, which XML cannot hold"
    if "encoding" in text:
        return (
            f"{text}. The encoding has to be the one that its first line declares or, if it declares none, the setting "
            'in feed.json, for instance "encoding": "cp1252"'
        )
    if re.match(r"Entity '\w+' not defined", text):
        return f"{text}: XML has no such entity, the character itself is needed, or CDATA"
    if "Premature end" in text:
        return f"{text}: was it cut off?"
    return text


type _Path = tuple[str, ...]


class _Survey:
    """The elements and attributes in the beginning of a document.

    Errors are passed over: this only shows which elements are rows. They are read strictly.

    Attributes:
        counts: how many there are of each, by path, the root first. An attribute's name has an @ before it.
        error: the first error in the document.
    """

    def __init__(self, head: bytes) -> None:
        self.counts: Counter[_Path] = Counter()
        parser = etree.XMLPullParser(events=("start", "end"), recover=True, **PARSER)
        with suppress(etree.XMLSyntaxError):
            parser.feed(head)
            parser.close()
        path: list[str] = []
        for event, element in parser.read_events():
            assert isinstance(element, etree._Element)  # noqa: S101  # these events have no others
            if event == "end":
                path.pop()
                continue
            path.append(written(element))
            here = tuple(path)
            self.counts[here] += 1
            for name, _ in attributes(element):
                self.counts[*here, f"@{name}"] += 1
        self._names: dict[_Path, dict[str, int]] = {}
        for each, count in self.counts.items():
            self._names.setdefault(each[:-1], {})[each[-1]] = count
        self.error: Any = next(iter(parser.feed_error_log.filter_from_fatals()), None)

    def inner(self) -> list[_Path]:
        """Return the elements below the root that have children or attributes."""
        return [each for each in self._names if len(each) > 1]

    def names(self, path: _Path) -> dict[str, int]:
        """Return how many children and attributes of each name these elements have."""
        return self._names.get(path, {})

    def shape(self, path: _Path) -> JobShape:
        names: Counter[str] = Counter()
        for name, count in self.names(path).items():
            names[local(name.removeprefix("@"))] += count
        return JobShape.of(names, self.counts[path])

    def with_reference_number(self, settings: FeedSettings) -> list[_Path]:
        """Return the elements that have a reference number, by its own name, a near or a mapped one."""
        rows = [
            each for each in self.inner() if have_reference_number(local(n.removeprefix("@")) for n in self.names(each))
        ]
        for name in settings.feed_names({"referenceNumber"}):
            parts = tuple(name.split("/"))
            rows += [each[: -len(parts)] for each in self.counts if each[-len(parts) :] == parts]
        return [each for each in dict.fromkeys(rows) if len(each) > 1]

    def likeness(self, path: _Path, settings: FeedSettings) -> tuple[int, int]:
        """Return how many of a title and a description these elements have, and how many fields of the board."""
        mapped = [name for name in settings.fields if (*path, *name.split("/")) in self.counts]
        fields = {board_field(name, settings) for name in (*self.names(path), *mapped)} - {None}
        return len(fields & {"title", "description"}), len(fields)

    def contains(self, path: _Path, best: _Path, settings: FeedSettings) -> bool:
        """Decide whether these elements are jobs, and the ones that are most like jobs only a list in each."""
        if len(path) >= len(best) or path != best[: len(path)]:
            return False
        mine, its = self.likeness(path, settings), self.likeness(best, settings)
        is_rarer = self.counts[path] < self.counts[best] and mine[0] <= its[0]
        return local(path[-1]) == local(best[-1]) or (mine >= (0, 2) and not is_rarer)

    def like_jobs(self, best: _Path, settings: FeedSettings) -> list[_Path]:
        """Return the elements, neither in the best nor around them, that have a title or description and another field."""
        found = [each for each in self.inner() if self.likeness(each, settings) >= (1, 2)]
        return [each for each in found if each[: len(best)] != best and best[: len(each)] != each]

    def is_rival(self, path: _Path, best: _Path, settings: FeedSettings) -> bool:
        """Decide whether these elements are as much like jobs as the best, and not inside or around them."""
        n = min(len(path), len(best))
        return path[:n] != best[:n] and self.likeness(path, settings) == self.likeness(best, settings)


def _rows_of(key: str, survey: _Survey, settings: FeedSettings, line: int, *, whole: bool) -> Rows | None:
    """Return the row elements that the beginning of a document shows; None if it has to be longer.

    They are the elements that the setting `rows` or the kind of document names, else those that have a reference number,
    else those that occur more than once. Of several, the ones most like a job are taken.
    """
    root = next(iter(survey.counts), None)
    if root is None:
        if not whole:
            return None
        raise FeedUnreadableError(f"{key} is not well-formed XML: {explain(survey.error, line)}")
    wanted = settings.rows or _KNOWN.get(local(root[0]))
    inner = survey.inner()
    if wanted:
        rows = [each for each in survey.counts if len(each) > 1 and local(each[-1]) == local(wanted)]
    else:
        rows = survey.with_reference_number(settings)
    surely = bool(rows)
    if not wanted and not rows:
        rows = [each for each in inner if survey.counts[each] > 1]
        if not rows and whole:
            rows = [each for each in inner if survey.likeness(each, settings) > (0, 0)]
    rows = [each for each in rows if not is_closed(each[1:])] or rows
    if rows:
        best = max(rows, key=lambda each: (survey.likeness(each, settings), survey.counts[each], -len(each)))
        best = next((each for each in sorted(rows, key=len) if survey.contains(each, best, settings)), best)
        if not surely and any(survey.is_rival(each, best, settings) for each in rows):
            raise _cannot_tell(key, rows)
        # Metadata may have a reference number, too.
        if not wanted and survey.likeness(best, settings)[1] <= 1 and (jobs := survey.like_jobs(best, settings)):
            raise _cannot_tell(
                key, [best, *jobs], f"<{best[-1]:.100}> has only a reference number, other elements what jobs have"
            )
        return Rows(best[-1], tuple(map(local, best[:-1])), survey.shape(best), named=settings.rows is not None)
    if not whole:
        return None
    if survey.error and (inner or not wanted):
        raise FeedUnreadableError(f"{key} is not well-formed XML: {explain(survey.error, line)}")
    if settings.rows and inner:
        raise FeedUnreadableError(f"{key} has no element <{settings.rows:.200}>, which the setting rows names")
    if survey.names(root) and not wanted:
        raise _cannot_tell(key, inner)
    return Rows(_NONE, (local(root[0]),), JobShape(frozenset()))


def _cannot_tell(
    key: str, candidates: Iterable[_Path], why: str = "none has a reference number"
) -> FeedUnreadableError:
    names = ", ".join(dict.fromkeys(f"<{each[-1]:.100}>" for each in candidates if not each[-1].startswith("@")))
    return FeedUnreadableError(
        f"{key} does not show which elements are jobs: {why}. Name their element in feed.json, for "
        f'instance "rows": "job"' + (f". It has {names:.500}" if names else "")
    )
