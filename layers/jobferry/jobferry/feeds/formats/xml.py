"""XML: repeated elements whose children are fields. An RSS feed is one."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any, Final, NamedTuple

from lxml import etree

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.rows import (
    ERROR_NAMES,
    Fields,
    JobShape,
    Row,
    RowWithWarning,
    UnreadableRow,
    have_reference_number,
    plain_name,
    says_something,
)
from jobferry.feeds.streams import MAX_ROW, Chunks, peek
from jobferry.text import counted

#: For known root elements (RSS, RDF, Atom), the element that is a row. Others may come before it.
_KNOWN: Final = {"rss": "item", "RDF": "item", "feed": "entry"}
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
#: Fields that may have XHTML written as elements.
_MARKUP: Final = frozenset({"description", "requirements", "benefits"})

#: The beginning of a document that shows which elements are rows. Bytes.
_HEAD: Final = 1 << 20
_NONE: Final = "jobferry-none"  # a name that no element has

# Entities are not replaced and nothing outside the file is read, so that a feed cannot expand without end or read our files.
# libxml2's own limits stay on: 10 MB of text in one place, 256 levels.
_PARSER: Final = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def declared_encoding(start: bytes) -> str | None:
    """Return the encoding that the document declares.

    A declaration of UTF-16 in single bytes is wrong: the text was encoded differently later, as with .NET's StringWriter.
    """
    declared = _DECLARED.match(start)
    if declared is None or declared[1].lower().startswith((b"utf-16", b"ucs-2", b"iso-10646-ucs-2")):
        return None
    return declared[1].decode()


def read_elements(key: str, chunks: Chunks, encoding: str | None) -> Iterator[Row]:
    """Yield the row elements, numbered from 1: their children by name, their attributes by name with an @ before it.

    A grandchild is named by its path, such as `location/city`. A name that occurs several times becomes a list. Elements of
    the rows' name that look like jobs are read wherever they are. Others that look like jobs are a problem.

    Args:
        key: the object's.
        chunks: the document.
        encoding: of the document; None if it declares one.

    Raises:
        FeedUnreadableError: not well-formed, cut off, an entity of its own, no element that could be a row.
    """
    rows, chunks = _find_rows(key, chunks, encoding)
    source = _Source(key, chunks)
    unread = _Unread(rows)
    number = 0
    rows_are_in: etree._Element | None = None
    events = etree.iterparse(source, tag=f"{{*}}{rows.name}", encoding=encoding, **_PARSER)
    try:
        for _, element in events:
            above = element.getparent()
            warning = None
            if above is not rows_are_in:
                place = _place(element)
                if above is None or (place != rows.place and rows.name in place[1:]):
                    unread.note(element, number)  # it is within another row
                    continue
                is_closed = _is_closed([each for each in place if each not in rows.place])
                if place[-1] == rows.place[-1] and not is_closed:
                    rows_are_in = above
                elif not rows.fits(element):
                    continue
                elif is_closed:
                    unread.note(element, number)
                    element.clear()
                    continue
                else:
                    warning = f"is in <{place[-1]}>, not in <{rows.place[-1]}>, and is read like the others"
            unread.look_before(element, number)
            number += 1
            source.since_row = 0
            fields = _fields(element)
            yield number, None, RowWithWarning(fields, warning) if warning and isinstance(fields, dict) else fields
            element.clear()
    except etree.XMLSyntaxError as error:
        where = f" after row {number}" if number else ""
        raise FeedUnreadableError(f"{key} is not well-formed XML{where}: {_words(events.error_log, error)}") from error
    unread.look(events.root, number)
    for message in unread.messages():
        yield None, None, UnreadableRow(message)


class _Rows(NamedTuple):
    """Which elements are rows.

    Attributes:
        name: theirs, without a namespace.
        place: the names of the elements that they are in, the root first.
        shape: what they look like.
    """

    name: str
    place: tuple[str, ...]
    shape: JobShape

    def fits(self, element: etree._Element) -> bool:
        """Decide whether an element looks like a row."""
        names = {_local(child.tag) for child in element if isinstance(child.tag, str)}
        names.update(_local(str(name)) for name in element.keys())  # noqa: SIM118  # an element is no mapping
        return bool(names) and self.shape.fits(names, same_name=_local(str(element.tag)) == self.name)


#: Names of elements by which agencies say that the jobs in them are not open.
_CLOSED: Final = re.compile(r"clos|expir|delet|remov|inactiv|archiv|(?<!un)filled|cancel", re.IGNORECASE)
#: Elements of an RSS channel that contain the same names as an item but are not items.
_OF_CHANNEL: Final = frozenset({"image", "textInput"})
#: Kinds of unread elements that are named.
_MAX_KINDS: Final = 10


class _Unread:
    """The elements that look like jobs and are not read as rows."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows
        self._kinds: dict[str, tuple[int, int]] = {}  # how many, and after which row the first one is
        self._errors: list[str] = []

    def note(self, element: etree._Element, row: int) -> None:
        """Remember an element if it looks like a job."""
        is_of_channel = self._rows.name == "item" and _local(str(element.tag)) in _OF_CHANNEL
        if self._rows.fits(element) and not is_of_channel:
            name = "/".join([*_place(element)[1:], _local(str(element.tag))])
            count, first = self._kinds.get(name, (0, row))
            if count or len(self._kinds) < _MAX_KINDS:
                self._kinds[name] = count + 1, first

    def look(self, element: etree._Element, row: int) -> None:
        """Remember what looks like a job in an element that is no row, or like an error."""
        for each in element.iter(etree.Element):
            if len(each) or each.attrib:
                self.note(each, row)
            elif plain_name(_local(str(each.tag))) in ERROR_NAMES and says_something(text := (each.text or "").strip()):
                self._errors.append(f"has <{_local(str(each.tag))}> beside its jobs: {text:.200}")

    def look_before(self, element: etree._Element, row: int) -> None:
        """Look at everything before an element, and remove it, to keep memory bounded."""
        node: etree._Element | None = element
        while node is not None:
            above = node.getparent()
            while above is not None and node.getprevious() is not None:
                self.look(above[0], row)
                del above[0]
            node = above

    def messages(self) -> Iterator[str]:
        """Yield a message for each kind, to follow "the object"."""
        yield from self._errors[:_MAX_KINDS]
        for name, (count, first) in self._kinds.items():
            where = f"after row {first}" if first else "before row 1"
            yield (
                f"has {counted(count, 'element')} <{name:.200}> like a job, the first {where}, which cannot be read: export "
                f"all open jobs as <{self._rows.name}> in <{self._rows.place[-1]}>, and nothing else like them"
            )


def _is_closed(names: Iterable[str]) -> bool:
    """Decide whether one of the names of elements says that the jobs in it are not open."""
    return any(_CLOSED.search(_local(name)) for name in names)


def _place(element: etree._Element) -> tuple[str, ...]:
    """Return the names of the elements that an element is in, the root first."""
    return tuple(_local(str(each.tag)) for each in element.iterancestors())[::-1]


class _EntityError(ValueError):
    """An entity that is not one of XML's five. It is not replaced."""


def _find_rows(key: str, chunks: Chunks, encoding: str | None) -> tuple[_Rows, Chunks]:
    """Find the row elements at the beginning of the document, even if they begin late."""
    size = _HEAD
    while True:
        head, chunks = peek(chunks, size + 1)
        rows = _row_element(key, head[:size], encoding, whole=len(head) <= size)
        if rows is not None:
            return rows, chunks
        if size >= MAX_ROW:
            raise FeedUnreadableError(f"{key} has more than {MAX_ROW:,} bytes before the first job")
        size *= 4


def _row_element(key: str, head: bytes, encoding: str | None, *, whole: bool) -> _Rows | None:
    """Return the row elements that the beginning of a document shows; None if it has to be longer.

    Rows are the outermost elements below the root that have a reference number, or else that occur more than once and have
    children. If none occurs twice, the row is the outermost element with a child that has no children.
    """
    counts, children, error = _survey(key, head, encoding, whole=whole)
    if not counts:
        if whole or error:
            raise error or FeedUnreadableError(f"{key} is not XML: it has no element")
        return None
    root = next(iter(counts))[:1]
    known = _KNOWN.get(_local(root[0]))
    inner = [each for each in counts if len(each) > 1]
    if known:
        rows = [each for each in inner if _local(each[-1]) == known]
    else:
        rows = [each for each in inner if have_reference_number(children.get(each, ()))]
        rows = rows or [each for each in inner if counts[each] > 1]
        rows = rows or ([each for each in inner if each in children] if whole or error else [])
    rows = [each for each in rows if not _is_closed(each[1:])] or rows
    if rows:
        best = min(rows, key=lambda each: (len(each), -counts[each]))
        names = JobShape.of(children.get(best, {}), counts[best])
        return _Rows(_local(best[-1]), tuple(map(_local, best[:-1])), names)
    if error:
        raise error
    if not whole:
        return None
    if not known and (inner or root in children):
        raise FeedUnreadableError(f"{key} has no repeated elements whose children are a job's fields")
    return _Rows(known or _NONE, (_local(root[0]),), JobShape(frozenset()))


type _Path = tuple[str, ...]


def _survey(
    key: str, head: bytes, encoding: str | None, *, whole: bool
) -> tuple[Counter[_Path], dict[_Path, Counter[str]], FeedUnreadableError | None]:
    """Count the elements with children in the beginning of the document, by path, the root first.

    Return the counts; for the paths that have a child without children, the names of all their children; and the
    document's error if it has one.
    """
    parser = etree.XMLPullParser(events=("start", "end"), encoding=encoding, **_PARSER)  # type: ignore[arg-type]
    counts: Counter[_Path] = Counter()
    children: defaultdict[_Path, Counter[str]] = defaultdict(Counter)
    with_leaf_children: set[_Path] = set()
    path: list[str] = []
    error: FeedUnreadableError | None = None
    try:
        parser.feed(head)
        if whole:
            parser.close()
    except etree.XMLSyntaxError as cause:
        error = FeedUnreadableError(f"{key} is not well-formed XML: {_words(parser.feed_error_log, cause)}")
        error.__cause__ = cause
    for event, element in parser.read_events():
        assert isinstance(element, etree._Element)  # noqa: S101  # these events have no others
        if event == "start":
            path.append(element.tag)
            counts[tuple(path[:-1] or path)] += 0
        else:
            here = tuple(path)
            if len(element):
                counts[here] += 1
            elif len(path) > 1:
                with_leaf_children.add(here[:-1])
            children[here[:-1]][_local(path.pop())] += 1
    return counts, {each: children[each] for each in children if each in with_leaf_children}, error


def _fields(element: etree._Element) -> Fields | UnreadableRow:
    """Read a row element's attributes and children."""
    fields: Fields = {}
    for attribute, value in element.items():
        if content := str(value).strip():
            fields[f"@{attribute!s}"] = content
    try:
        for child in element:
            _add_element(fields, child)
    except _EntityError as error:
        return UnreadableRow(f"has the entity {error}, which a feed may not define: the character itself is needed")
    return fields


def _add_element(fields: Fields, element: etree._Element, path: str = "") -> None:
    """Add a child's text, or the fields of its own children."""
    tag: Any = element.tag
    if not isinstance(tag, str):  # a comment, a processing instruction, or an entity
        if isinstance(element, etree._Entity):
            raise _EntityError(element.text)
        return
    name = path + (_name(element) if tag.startswith("{") else tag)
    if not len(element):
        text = element.text or ""
    elif name in _MARKUP or not any(isinstance(child.tag, str) for child in element):
        text = _inner(element)
    else:
        for child in element:
            _add_element(fields, child, f"{name}/")
        return
    if text := text.strip():
        _add(fields, name, text)


def _inner(element: etree._Element) -> str:
    """Return the content of an element: its text, and its children with their tags."""
    parts = [element.text or ""]
    for child in element:
        if isinstance(child, etree._Entity):
            raise _EntityError(child.text)
        if isinstance(child.tag, str):
            if (entity := next(child.iter(etree.Entity), None)) is not None:
                raise _EntityError(entity.text)
            alone = deepcopy(child)  # HTML has no namespaces, so they are removed
            for each in alone.iter(etree.Element):
                each.tag = _local(str(each.tag)).rpartition(":")[2]
            etree.cleanup_namespaces(alone)
            parts.append(etree.tostring(alone, encoding="unicode", with_tail=False))
        parts.append(child.tail or "")
    return "".join(parts)


def _add(fields: Fields, name: str, text: str) -> None:
    there = fields.get(name)
    if there is None:
        fields[name] = text
    elif isinstance(there, list):
        there.append(text)
    else:
        fields[name] = [there, text]


def _name(element: etree._Element) -> str:
    """Return an element's name as the file writes it, with its prefix if it has one."""
    local = _local(str(element.tag))
    return f"{element.prefix}:{local}" if element.prefix else local


def _local(tag: str) -> str:
    """Remove the namespace. A prefix that is not declared stays; lxml's own QName rejects it."""
    return tag.rpartition("}")[2]


class _Source:
    """The stream. It limits the bytes between rows, because lxml keeps everything else in memory."""

    def __init__(self, key: str, chunks: Chunks) -> None:
        self._key = key
        self._chunks = chunks
        self.since_row = 0

    def read(self, _size: int) -> bytes:
        data = next(self._chunks, b"")
        self.since_row += len(data)
        if self.since_row > MAX_ROW:
            raise FeedUnreadableError(f"{self._key} has more than {MAX_ROW:,} bytes without the end of a job")
        return data


def _words(log: Any, error: etree.XMLSyntaxError) -> str:
    """Explain the first error that stopped the parser."""
    fatal = next((entry for entry in log if entry.level_name == "FATAL"), None)
    if fatal is None:
        said = error.msg or "it is empty"
        prefix = re.match(r"Namespace prefix (\S+) ", said)
        return f'{said}: the root element has to declare it, as in xmlns:{prefix[1]}="..."' if prefix else said
    text = f"{' '.join(fatal.message.split()):.200}, line {fatal.line}, column {fatal.column}"
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
    return text
