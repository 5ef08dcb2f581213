"""XML: repeated elements whose children are fields. An RSS feed is one."""

import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from lxml import etree

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.rows import Fields, Row, UnreadableRow
from jobferry.feeds.streams import MAX_ROW, Chunks, peek

#: For known root elements (RSS, RDF, Atom), the element that is a row. Others may come before it.
_KNOWN: Final = {"rss": "item", "RDF": "item", "feed": "entry"}
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
#: Fields that may have XHTML written as elements.
_MARKUP: Final = frozenset({"description", "requirements", "benefits"})

#: The beginning of a document that shows which elements are rows. Bytes.
_HEAD: Final = 1 << 20
_NONE: Final = "{jobferry}none"  # a name that no element has

# Entities are not replaced and nothing outside the file is read, so that a feed cannot expand without end or read our files.
# libxml2's own limits stay on: 10 MB of text in one place, 256 levels.
_PARSER: Final = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def declares_encoding(start: bytes) -> bool:
    """Decide whether the document declares its encoding.

    A declaration of UTF-16 in single bytes is wrong: the text was encoded differently later, as with .NET's StringWriter.
    """
    declared = _DECLARED.match(start)
    return declared is not None and not declared[1].lower().startswith((b"utf-16", b"ucs-2", b"iso-10646-ucs-2"))


def read_elements(key: str, chunks: Chunks, encoding: str | None) -> Iterator[Row]:
    """Yield the row elements, numbered from 1: their children by name, their attributes by name with an @ before it.

    A grandchild is named by its path, such as `location/city`. A name that occurs several times becomes a list.

    Args:
        key: the object's.
        chunks: the document.
        encoding: of the document; None if it declares one.

    Raises:
        FeedUnreadableError: not well-formed, cut off, an entity of its own, no element that could be a row.
    """
    head, chunks = peek(chunks, _HEAD)
    tag, parent = _row_element(key, head[:_HEAD], encoding)
    source = _Source(key, chunks)
    number = 0
    rows_are_in: etree._Element | None = None
    events = etree.iterparse(source, tag=tag, encoding=encoding, **_PARSER)
    try:
        for _, element in events:
            above = element.getparent()
            if above is not rows_are_in:
                if above is None or above.tag != parent:
                    continue  # an element of that name within a row
                rows_are_in = above
            number += 1
            source.since_row = 0
            yield number, _fields(element)
            element.clear()
            while element.getprevious() is not None:
                del above[0]
    except etree.XMLSyntaxError as error:
        where = f" after row {number}" if number else ""
        raise FeedUnreadableError(f"{key} is not well-formed XML{where}: {_words(events.error_log, error)}") from error


class _EntityError(ValueError):
    """An entity that is not one of XML's five. It is not replaced."""


def _row_element(key: str, head: bytes, encoding: str | None) -> tuple[str, str]:
    """Return the names of the row elements and of their parent, found in the beginning of the document.

    Rows are the outermost elements below the root that occur more than once and have children. If none occurs twice, the
    row is the outermost element with a child that has no children.
    """
    counts, with_leaf_children, error = _survey(key, head, encoding)
    if not counts:
        raise error or FeedUnreadableError(f"{key} is not XML: it has no element")
    root = next(iter(counts))[:1]
    known = _KNOWN.get(_local(root[0]))
    inner = [each for each in counts if len(each) > 1]
    if known:
        rows = [each for each in inner if _local(each[-1]) == known]
    else:
        rows = [each for each in inner if counts[each] > 1] or [each for each in inner if each in with_leaf_children]
    if rows:
        best = min(rows, key=lambda each: (len(each), -counts[each]))
        return best[-1], best[-2]
    if error:
        raise error
    if not known and (inner or root in with_leaf_children):
        raise FeedUnreadableError(f"{key} has no repeated elements whose children are a job's fields")
    return _NONE, _NONE


type _Path = tuple[str, ...]


def _survey(
    key: str, head: bytes, encoding: str | None
) -> tuple[Counter[_Path], set[_Path], FeedUnreadableError | None]:
    """Count the elements with children in the beginning of the document, by path, the root first.

    Return the counts, the paths that have a child without children, and the document's error if it has one.
    """
    parser = etree.XMLPullParser(events=("start", "end"), encoding=encoding, **_PARSER)  # type: ignore[arg-type]
    counts: Counter[_Path] = Counter()
    with_leaf_children: set[_Path] = set()
    path: list[str] = []
    error: FeedUnreadableError | None = None
    try:
        parser.feed(head)
        if len(head) < _HEAD:  # the whole document
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
            path.pop()
    return counts, with_leaf_children, error


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
