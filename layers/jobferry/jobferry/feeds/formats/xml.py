"""XML: repeated elements whose children are fields. An RSS feed is one."""

import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import chain
from typing import Any, Final

from lxml import etree

from jobferry.feeds.formats.xml_pieces import Document, Faulty, place_of
from jobferry.feeds.formats.xml_rows import Rows, attributes, board_field, find_rows, is_closed, local, written
from jobferry.feeds.rows import ERROR_NAMES, Fields, Row, RowWithWarning, UnreadableRow, plain_name, says_something
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import Chunks
from jobferry.text import counted

_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
#: White space and the byte order mark. None of its bytes begins anything else in front of a document.
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
#: CDATA that begins or ends with a square bracket that has no other, or is followed by a bracket.
_BRACKET_TOO_MANY: Final = re.compile(rb"<!\[CDATA\[\[[^]]*\]\]>|<!\[CDATA\[[^[]*\]\]\]>(?!<!\[CDATA\[>)|\]\]>>")


def declared_encoding(start: bytes) -> str | None:
    """Return the encoding that the document declares.

    A declaration of UTF-16 in single bytes is wrong: the text was encoded differently later, as with .NET's StringWriter.
    """
    declared = _DECLARED.match(start)
    if declared is None or declared[1].lower().startswith((b"utf-16", b"ucs-2", b"iso-10646-ucs-2")):
        return None
    return declared[1].decode()


def read_elements(key: str, chunks: Chunks, settings: FeedSettings) -> Iterator[Row]:
    """Yield the row elements, numbered from 1: their children by name, their attributes by name with an @ before it.

    A grandchild is named by its path, such as `location/city` or `location/@city`. A name that occurs several times becomes
    a list. Elements of the rows' name that look like jobs are read wherever they are. Others that look like jobs are a
    problem.

    Args:
        key: the object's.
        chunks: the document in UTF-8.
        settings: of the feed: its names of fields, and the setting `rows`.

    Raises:
        FeedUnreadableError: cut off, not well-formed outside its rows, or no element that could be a row.
    """
    line, chunks = _skip_blank(chunks)
    rows, chunks = find_rows(key, chunks, settings, line)
    document = Document(key, rows, chunks, line)
    unread = _Unread(rows)
    reader = _RowReader(rows, document, settings)
    number = 0
    rows_are_in: etree._Element | None = None
    before: etree._Element | None = None  # the last row that was read
    for line, element, text in document.elements():
        if isinstance(element, Faulty):
            number += 1
            yield number, _worth_telling(line), UnreadableRow(element.message)
            continue
        above = element.getparent()
        if above is None:
            continue
        warning = None
        if above is not rows_are_in:
            place = place_of(element)
            if rows.contains(place):
                unread.note(element, number)
                continue
            closed = is_closed(each for each in place if each not in rows.place)
            if place[-1] == rows.place[-1] and not closed:
                rows_are_in = above
            elif not rows.named and not rows.fits(element):
                continue
            elif closed:
                unread.note(element, number)
                element.clear()
                continue
            else:
                warning = f"is in <{place[-1]}>, not in <{rows.place[-1]}>, and is read like the others"
        if before is not None and element.getprevious() is before and not (before.tail or "").strip():
            above.remove(before)
        else:
            unread.look_before(element, number)
        number += 1
        yield number, _worth_telling(line), reader.read(element, text, warning)
        element.clear()
        document.take_row(element)
        before = element
    unread.look_after(document.root, before, number)
    for message in unread.messages():
        yield None, None, UnreadableRow(message)


def _skip_blank(chunks: Chunks) -> tuple[int, Chunks]:
    """Remove white space and byte order marks at the beginning. Return the line on which the document begins."""
    line = 1
    for chunk in chunks:
        rest = chunk.lstrip(_BLANK)
        line += chunk.count(b"\n", 0, len(chunk) - len(rest))
        if rest:
            return line, chain([rest], chunks)
    return line, chunks


def _worth_telling(line: int) -> int | None:
    """Return the line unless it is the first: a document of one line shows nothing by it."""
    return line if line > 1 else None


#: Elements of an RSS channel that contain the same names as an item but are not items.
_OF_CHANNEL: Final = frozenset({"image", "textInput"})
#: Kinds of unread elements that are named.
_MAX_KINDS: Final = 10


class _Unread:
    """What looks like jobs and is not read as rows, and what says that the export failed."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._kinds: dict[str, tuple[int, int]] = {}  # how many, and after which row the first one is
        self._others: list[str] = []

    def note(self, element: etree._Element, row: int) -> None:
        """Remember an element if it looks like a job."""
        is_of_channel = self._rows.name == "item" and local(str(element.tag)) in _OF_CHANNEL
        if self._rows.fits(element) and not is_of_channel:
            name = "/".join([*place_of(element)[1:], local(str(element.tag))])
            count, first = self._kinds.get(name, (0, row))
            if count or len(self._kinds) < _MAX_KINDS:
                self._kinds[name] = count + 1, first

    def look_before(self, element: etree._Element, row: int) -> None:
        """Look at everything before an element, and remove it, to keep memory bounded."""
        node: etree._Element | None = element
        while node is not None:
            above = node.getparent()
            if above is not None:
                self._look_at_text(above.text)
                above.text = None
            while above is not None and node.getprevious() is not None:
                self._look(above[0], row)
                self._look_at_text(above[0].tail)
                del above[0]
            node = above

    def look_after(self, root: etree._Element, last: etree._Element | None, row: int) -> None:
        """Look at what is left of the document after the last row."""
        self._look(root, row)
        for above in () if last is None else last.iterancestors():
            for each in above:
                self._look_at_text(each.tail)

    def messages(self) -> Iterator[str]:
        """Yield a message for each kind, to follow "the object"."""
        yield from self._others[:_MAX_KINDS]
        for name, (count, first) in self._kinds.items():
            where = f"after row {first}" if first else "before row 1"
            yield (
                f"has {counted(count, 'element')} <{name:.200}> like a job, the first {where}, which cannot be read: export "
                f"all open jobs as <{self._rows.name}> in <{self._rows.place[-1]}>, and nothing else like them"
            )

    def _look(self, element: etree._Element, row: int) -> None:
        for each in element.iter(etree.Element):
            if len(each) or each.attrib:
                self.note(each, row)
            elif plain_name(local(str(each.tag))) in ERROR_NAMES and says_something(text := (each.text or "").strip()):
                self._others.append(f"has <{local(str(each.tag))}> beside its jobs: {text:.200}")

    def _look_at_text(self, text: str | None) -> None:
        if text and (text := text.strip()) and len(self._others) < _MAX_KINDS:
            self._others.append(f"has text between its jobs, which is not read: {text:.200}")


class _RowError(ValueError):
    """Why a row cannot be read. It completes "the row …"."""


#: Fields of the board that may have HTML.
_HTML_FIELDS: Final = frozenset({"description", "requirements", "benefits"})
_HTML_BREAKS: Final = frozenset({"br", "div", "li", "ol", "p", "ul"})
_HTML: Final = _HTML_BREAKS | {"a", "b", "big", "em", "font", "i", "small", "span", "strong", "sub", "sup", "u"}


class _MarkupError(ValueError):
    """A row has markup, so its white space matters."""


class _RowReader:
    """Reads the fields of row elements."""

    def __init__(self, rows: Rows, document: Document, settings: FeedSettings) -> None:
        self._rows = rows
        self._document = document
        self._settings = settings
        self._has_white_space = False

    def read(
        self, element: etree._Element, text: bytes, warning: str | None
    ) -> Fields | RowWithWarning | UnreadableRow:
        """Read a row's attributes and children. Its text shows what a parser keeps silent about."""
        try:
            return self._read(element, text, warning)
        except _RowError as error:
            return UnreadableRow(str(error))
        except _MarkupError:
            self._has_white_space = True
            row = self.read(self._document.with_white_space(element, text), text, warning)
            self._has_white_space = False
            return row

    def _read(self, element: etree._Element, text: bytes, warning: str | None) -> Fields | RowWithWarning:
        if b"[" in text and (text.count(b"<![CDATA[") != text.count(b"]]>") or _BRACKET_TOO_MANY.search(text)):
            raise _RowError("has a bracket too many or too few at <![CDATA[ or ]]>")
        fields: Fields = {}
        stray = (element.text or "").strip()
        if element.keys():
            for name, value in attributes(element):
                _add(fields, f"@{name}", value)
        for child in element:
            tag = child.tag
            if type(tag) is str and not len(child) and not child.keys():  # an element is no mapping
                if (content := child.text) and (value := content.strip()):
                    if tag in fields or tag[0] == "{" or value[0] == ">":
                        if value[0] == ">":
                            warning = self._warn_of_bracket(local(tag), value)
                        _add(fields, written(child), value)
                    else:
                        fields[tag] = value
            else:
                self._add_child(fields, child, "")
            if (tail := child.tail) and not tail.isspace():
                stray += tail
        if stray := stray.strip():
            warning = f"has text between its fields, which is not read: {stray:.100}"
        return RowWithWarning(fields, warning) if warning else fields

    def _add_child(self, fields: Fields, element: etree._Element, path: str) -> None:
        """Add a child's attributes, and its text or the fields of its own children."""
        tag: Any = element.tag
        if not isinstance(tag, str):  # a comment, a processing instruction, or an entity
            _check_entity(element)
            return
        name = path + written(element)
        for attribute, value in attributes(element):
            _add(fields, f"{name}/@{attribute}", value)
        inner = [child.tag for child in element if isinstance(child.tag, str)]
        if not inner:
            _add(fields, name, _markup(element))
        elif (as_text := self._content(element, name, inner)) is not None:
            _add(fields, name, as_text)
        else:
            _add(fields, name, " ".join(filter(None, (element.text, *(child.tail for child in element)))))
            for child in element:
                self._add_child(fields, child, f"{name}/")

    def _content(self, element: etree._Element, name: str, inner: list[str]) -> str | None:
        """Return the text of an element with elements in it; None if they are fields of their own.

        Markup stays markup in fields that may have HTML, and in unknown ones.
        """
        if any(each.startswith(f"{name}/") and not each.startswith(f"{name}/@") for each in self._settings.fields):
            return None
        field = board_field(name, self._settings)
        is_mixed = any(text and not text.isspace() for text in (element.text, *(each.tail for each in element)))
        if not is_mixed and field not in _HTML_FIELDS and not _HTML.issuperset(map(local, inner)):
            return None
        if not self._has_white_space:
            raise _MarkupError
        if is_mixed:
            self._check_end_tag(element, name)
        return _markup(element) if field is None or field in _HTML_FIELDS else " ".join(_words(element).split())

    def _warn_of_bracket(self, name: str, value: str) -> str:
        """Warn of a text that begins with the bracket of a tag, or refuse it: only HTML may begin so."""
        message = f"has a > too many: <{name}> begins with {value:.50}"
        if board_field(name, self._settings) in _HTML_FIELDS:
            return message
        raise _RowError(message)

    def _check_end_tag(self, element: etree._Element, name: str) -> None:
        """Refuse a field whose text holds another field that the row lacks and most rows have."""
        *_, row = (element, *(each for each in element.iterancestors() if local(str(each.tag)) == self._rows.name))
        missing = self._rows.shape.names.difference(local(each.tag) for each in row if isinstance(each.tag, str))
        for each in element.iterdescendants(etree.Element):
            if local(str(each.tag)) in missing:
                raise _RowError(
                    f"has <{local(str(each.tag))}> in the text of <{name}>: is </{name}> in the wrong place?"
                )


def _check_entity(element: etree._Element) -> None:
    if isinstance(element, etree._Entity):
        raise _RowError(f"has the entity {element.text}, which a feed may not define: the character itself is needed")


def _markup(element: etree._Element) -> str:
    """Return the content of an element: its text, and its children with their tags."""
    parts = [element.text or ""]
    for child in element:
        _check_entity(child)
        if isinstance(child.tag, str):
            for entity in child.iter(etree.Entity):
                _check_entity(entity)
            alone = deepcopy(child)  # HTML has no namespaces, so they are removed
            for each in alone.iter(etree.Element):
                each.tag = local(str(each.tag))
            etree.cleanup_namespaces(alone)
            parts.append(etree.tostring(alone, encoding="unicode", with_tail=False))
        parts.append(child.tail or "")
    return "".join(parts)


def _words(element: etree._Element) -> str:
    """Return the words of an element, without tags."""
    parts = [element.text or ""]
    for child in element:
        _check_entity(child)
        if isinstance(child.tag, str):
            space = " " if local(child.tag) in _HTML_BREAKS else ""
            parts += [space, _words(child), space]
        parts.append(child.tail or "")
    return "".join(parts)


def _add(fields: Fields, name: str, text: str | None) -> None:
    if not text or not (text := text.strip()):
        return
    there = fields.get(name)
    if there is None:
        fields[name] = text
    elif isinstance(there, list):
        there.append(text)
    else:
        fields[name] = [there, text]
