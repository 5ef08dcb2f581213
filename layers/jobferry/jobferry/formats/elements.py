"""XML: repeated elements whose children are fields. An RSS feed is one."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from lxml import etree

from jobferry.errors import FeedUnreadableError
from jobferry.formats import Fields, Row
from jobferry.streams import CHUNK, MAX_ROW

#: The element that is a row, where a format of that root is known to have others first (RSS, RDF, Atom).
_KNOWN: Final = {"rss": "item", "RDF": "item", "feed": "entry"}
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
#: Fields whose markup is meant: XHTML written as elements.
_MARKUP: Final = frozenset({"description", "requirements", "benefits"})

# Nothing outside the file is read and no entity is put in its place: neither bombs nor files of ours. libxml2's own
# limits stay on: 10 MB of text in one place, 256 levels.
_NONE: Final = "{jobferry}none"  # an element that no document has

_PARSER: Final = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def says_encoding(start: bytes) -> bool:
    """Whether the document says itself how it is encoded: by a byte order mark, or in its declaration."""
    return start.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or _DECLARED.match(start) is not None


def read_elements(key: str, stream: io.BufferedReader, encoding: str | None) -> Iterator[Row]:
    """The row elements, numbered from 1: their children by name, their attributes by name with an @ before it.

    A child with children of its own is told by its path, `location/city`; one that is there several times is a list.

    Args:
        key: the object's.
        stream: the document.
        encoding: of the stream; None: what its byte order mark or its declaration says.

    Raises:
        FeedUnreadableError: not well-formed, cut off, an entity of its own, no element that could be a row.
    """
    head = stream.peek(CHUNK)[:CHUNK]
    tag, parent = _row_element(key, head, encoding)
    source = _Source(key, stream)
    number = 0
    try:
        for _, element in etree.iterparse(source, tag=tag, encoding=encoding, **_PARSER):
            above = element.getparent()
            if above is None or above.tag != parent:
                continue  # an element of that name within a row
            number += 1
            source.since_row = 0
            yield number, _fields(element)
            element.clear()
            while element.getprevious() is not None:
                del above[0]
    except etree.XMLSyntaxError as error:
        raise FeedUnreadableError(f"{key} is not well-formed XML after row {number}: {_words(error)}") from error
    except _EntityError as error:
        raise FeedUnreadableError(
            f"{key} row {number + 1} has the entity {error}, which XML does not know: it should be written as a character"
        ) from error


class _EntityError(ValueError):
    """An entity that is not one of XML's five."""


def _row_element(key: str, head: bytes, encoding: str | None) -> tuple[str, str]:
    """The name of the elements that are rows, and of the one they are in, told from the beginning of the document.

    They are the outermost elements below the root that are there more than once and have children. Where none is there
    twice: the outermost that has a child without children.
    """
    families, leafy = _look_at(key, head, encoding)
    root = next(iter(families))[:1]
    known = _KNOWN.get(etree.QName(root[0]).localname)
    inner = [each for each in families if len(each) > 1]
    if known:
        rows = [each for each in inner if etree.QName(each[-1]).localname == known]
    else:
        rows = [each for each in inner if families[each] > 1] or [each for each in inner if each in leafy]
    if rows:
        best = min(rows, key=lambda each: (len(each), -families[each]))
        return best[-1], best[-2]
    if not known and (inner or root in leafy):
        raise FeedUnreadableError(f"{key} has no repeated elements whose children are a job's fields")
    return _NONE, _NONE


def _look_at(key: str, head: bytes, encoding: str | None) -> tuple[Counter[tuple[str, ...]], set[tuple[str, ...]]]:
    """How often each path of elements with children is there, the root's first; and which have a child without."""
    parser = etree.XMLPullParser(events=("start", "end"), encoding=encoding, **_PARSER)  # type: ignore[arg-type]
    families: Counter[tuple[str, ...]] = Counter()
    leafy: set[tuple[str, ...]] = set()
    path: list[str] = []
    try:
        parser.feed(head)
    except etree.XMLSyntaxError as error:
        damage = error
    else:
        damage = None
    for event, element in parser.read_events():
        if event == "start":
            path.append(element.tag)
            if len(path) > 1:
                families[tuple(path[:-1])] += 0
            else:
                families[tuple(path)] = 0
        else:
            here = tuple(path)
            if len(element):
                families[here] += 1
            elif len(path) > 1:
                leafy.add(here[:-1])
            path.pop()
    if not families:
        raise FeedUnreadableError(f"{key} is not XML: {_words(damage) if damage else 'it has no element'}") from damage
    return families, leafy


def _fields(element: etree._Element) -> Fields:
    fields: dict[str, str | list[str]] = {
        f"@{name}": text for name, value in element.items() if (text := str(value).strip())
    }
    for child in element:
        tag = child.tag
        if len(child) or type(tag) is not str:
            _add_nested(fields, child)
        elif (text := child.text) and (text := text.strip()):
            _add(fields, tag if tag[0] != "{" else _name(child), text)
    return fields


def _add_nested(fields: dict[str, str | list[str]], element: etree._Element, path: str = "") -> None:
    """Adds the fields of a child that has children of its own, comments or entities."""
    if element.tag is etree.Entity:
        raise _EntityError(element.text)
    if not isinstance(element.tag, str):
        return  # a comment, a processing instruction
    name = path + _name(element)
    children = [child for child in element if isinstance(child.tag, str)]
    if not children or name in _MARKUP:
        if text := _inner(element).strip():
            _add(fields, name, text)
        return
    for child in element:
        _add_nested(fields, child, f"{name}/")


def _inner(element: etree._Element) -> str:
    """What is written within an element: its text, and its children with their tags."""
    parts = [element.text or ""]
    for child in element:
        if child.tag is etree.Entity:
            raise _EntityError(child.text)
        if isinstance(child.tag, str):
            etree.cleanup_namespaces(child)
            parts.append(etree.tostring(child, encoding="unicode", with_tail=False))
        parts.append(child.tail or "")
    return "".join(parts)


def _add(fields: dict[str, str | list[str]], name: str, text: str) -> None:
    there = fields.get(name)
    if there is None:
        fields[name] = text
    elif isinstance(there, list):
        there.append(text)
    else:
        fields[name] = [there, text]


def _name(element: etree._Element) -> str:
    """An element's name as the file writes it: with its prefix, if it has one."""
    local = etree.QName(element).localname
    return f"{element.prefix}:{local}" if element.prefix else local


class _Source:
    """The stream, which may not go on for long without a row: what is not a row stays in memory."""

    def __init__(self, key: str, stream: io.BufferedReader) -> None:
        self._key = key
        self._stream = stream
        self.since_row = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read1(size)
        self.since_row += len(data)
        if self.since_row > MAX_ROW:
            raise FeedUnreadableError(f"{self._key} has more than {MAX_ROW:,} bytes without the end of a job")
        return data


def _words(error: etree.XMLSyntaxError) -> str:
    text = (error.msg or "it is empty").removesuffix(", line 1, column 1")
    if "huge" in text or "Excessive" in text or "XML_PARSE_HUGE" in text:
        return f"more than 10 MB in one place, or more than 256 levels ({text})"
    if re.match(r"Entity '\w+' not defined", text):
        return f"{text}: XML has no such entity, the character itself is needed, or CDATA"
    return text
