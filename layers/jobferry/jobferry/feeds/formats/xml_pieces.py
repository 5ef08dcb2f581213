"""An XML document, read in pieces, so that a row that is not well-formed costs one row and not the document.

Each piece ends with the end of a row. If the parser refuses one, a new parser starts behind it, within the same elements.
Their end tags have to fit in the end: if they do not, the document is refused as a whole.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import quoteattr

from lxml import etree

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.formats.xml_rows import PARSER, Rows, explain, local, written
from jobferry.feeds.streams import MAX_ROW, Chunks

#: A parser reads about this many lines of a document.
_MAX_LINES: Final = 50_000


_ATTRIBUTE: Final = rb"""[^<>"'/]|/(?!>)|"[^"]*"|'[^']*'"""


def _row_end(name: str) -> re.Pattern[bytes]:
    """Return what matches the end of a row: its end tag, or a whole row of nothing but attributes."""
    # With "<" in both alternatives, the search would take a third longer.
    return re.compile(rb"<(?:/%b\s*>|%b\s(?:%b)*+/>)" % (*[re.escape(name.encode())] * 2, _ATTRIBUTE))


def _unfinished_tag(name: str) -> re.Pattern[bytes]:
    """Return what matches a tag that more text may make the end of a row. An attribute may have a stray "<" in it."""
    return re.compile(rb"""<(?:[^<>]*|%b\s(?:%b)*+(?:"[^"]*|'[^']*)?)\Z""" % (re.escape(name.encode()), _ATTRIBUTE))


def _row_start(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"<%b(?=[\s/>])" % re.escape(name.encode()))


class _Pieces:
    """The document in pieces, each up to the end of a row, and the last up to the end of the document."""

    def __init__(self, key: str, name: str, chunks: Chunks) -> None:
        self._key = key
        self._chunks = chunks
        self._buffer = b""
        self._at = 0
        self._end = _row_end(name)
        self._unfinished = _unfinished_tag(name)

    def take(self) -> tuple[bytes, bool]:
        """Return the next piece, and whether it is the last."""
        seen = self._at
        while (match := self._end.search(self._buffer, seen)) is None:
            chunk = next(self._chunks, b"")
            tag = self._unfinished.search(self._buffer, seen)
            seen = (tag.start() if tag else len(self._buffer)) - self._at
            self._buffer, self._at = self._buffer[self._at :] + chunk, 0
            if not chunk:
                self._at = len(self._buffer)
                return self._buffer, True
            if len(self._buffer) > MAX_ROW + len(chunk):
                raise FeedUnreadableError(f"{self._key} has more than {MAX_ROW:,} bytes without the end of a job")
        start, self._at = self._at, match.end()
        return self._buffer[start : self._at], False

    def put_back(self, count: int) -> None:
        """Put back the last bytes of the piece that was just taken."""
        self._at -= count


class Faulty(NamedTuple):
    """A row that is not well-formed. The message completes "the row …"."""

    message: str


class Document:
    """The document's row elements."""

    def __init__(self, key: str, rows: Rows, chunks: Chunks, line: int) -> None:
        """Begin to read.

        Args:
            key: the object's.
            rows: which elements are rows.
            chunks: the document in UTF-8.
            line: the number of its first line.
        """
        self._key = key
        self._rows = rows
        self._pieces = _Pieces(key, rows.written, chunks)
        self._start = _row_start(rows.written)
        #: Of the last row: its element's parent, which is still open, its text and its line; and whether it was in a row.
        self._above: etree._Element | None = None
        self._last_text = b""
        self._last_line = line
        self._is_within = False
        self._begin_parser(line)

    @property
    def root(self) -> etree._Element:
        """The root element, once all rows were read."""
        return self._root

    def elements(self) -> Iterator[tuple[int, etree._Element | Faulty, bytes]]:
        """Yield each row's line, the row, and its text with all that is in front of it.

        The row is complete, or faulty. Elements of the rows' name within a row come as well.

        Raises:
            FeedUnreadableError: it is cut off, or not well-formed outside its rows.
        """
        in_comment = last = False
        while not last:
            piece, last = self._pieces.take()
            well_formed = self._feed(piece, last=last)
            rest = piece
            if in_comment:
                if not well_formed:
                    raise self._refusal()
                _, closed, rest = piece.partition(b"-->")
                in_comment = not closed
            found = False
            for _, element in self._parser.read_events():
                assert isinstance(element, etree._Element)  # noqa: S101  # these events have no others
                if not well_formed:  # the parser's limits do not stop it at once
                    raise self._refusal()
                if element.getparent() is self._above:
                    self._is_within = False
                elif not self._is_whole(element):
                    well_formed = False
                    break
                found = True
                line: Any = element.sourceline
                self._last_text, self._last_line = piece, self._first_line + line
                yield self._last_line, element, piece
            if well_formed and not found and not in_comment and not last:
                path, error = _try(_opening(self._above), rest)
                well_formed = in_comment = _is(error, "ERR_COMMENT_NOT_FINISHED") and self._row_in(path) is None
            if not well_formed:
                yield self._skip(rest, last=last)
                last = False
            elif in_comment:
                self._last_line, self._last_text = self._line_after_last() + piece.count(b"\n"), b""

    def _begin_parser(self, line: int) -> None:
        tags = (f"{{*}}{self._rows.name}", self._rows.written)
        # Without the white space between elements, an XML feed is built in a fifteenth less time.
        self._parser = etree.XMLPullParser(events=("end",), tag=tags, remove_blank_text=True, **PARSER)
        self._parser.feed(_opening(self._above))
        self._first_line = line - 1  # as the parser counts from 1

    def take_row(self, row: etree._Element) -> None:
        """Accept that all before the end of a row has been seen. libxml2 counts 65,535 lines, so others need a new parser."""
        line: Any = row.sourceline
        if line > _MAX_LINES:
            self._last_line, self._last_text = self._line_after_last(), b""
            self._begin_parser(self._last_line)

    def with_white_space(self, row: etree._Element, text: bytes) -> etree._Element:
        """Parse a row again. The parser drops the white space between elements, which matters only in markup."""
        parser = etree.XMLPullParser(events=("end",), tag=row.tag, **PARSER)
        with suppress(etree.XMLSyntaxError):
            parser.feed(_opening(row.getparent()) + text[self._start_of_row(text) :])
        return next((element for _, element in parser.read_events() if isinstance(element, etree._Element)), row)

    def _start_of_row(self, text: bytes) -> int:
        """Return the place of the last row's start tag in a text; its length if there is none."""
        return max((each.start() for each in self._start.finditer(text)), default=len(text))

    def _line_after_last(self) -> int:
        """Return the line on which the last row ends."""
        return self._last_line + self._last_text.count(b"\n", self._start_of_row(self._last_text))

    def _feed(self, piece: bytes, *, last: bool) -> bool:
        """Parse a piece. Return whether it is well-formed as far as can be told."""
        try:
            self._parser.feed(piece)
            if last:
                self._root = self._parser.close()
        except etree.XMLSyntaxError:
            return False
        return True

    def _is_whole(self, element: etree._Element) -> bool:
        """Notice where an element is. A row right in a row, or in a text in it, shows that the outer one has no end."""
        above, place = element.getparent(), place_of(element)
        if above is None or not self._rows.contains(place):
            self._above = above
            self._is_within = False
            return True
        if self._rows.fits(element) and (place[-1] == self._rows.name or (above.text or "").strip()):
            return False
        self._is_within = True
        return True

    def _skip(self, text: bytes, *, last: bool) -> tuple[int, Faulty, bytes]:
        """Start a new parser behind what is not well-formed at the beginning of a text, and tell what that is."""
        opening = _opening(self._above)
        begin = self._line_after_last()
        start = self._start_of_row(text)
        path, error = _try(opening, text[:start])
        row = self._row_in(path)
        if start < len(text) and row is None and _is(error, "ERR_TAG_NOT_FINISHED"):
            # All before the last row is well-formed, so it is this row that is not.
            line = begin + text.count(b"\n", 0, start)
            end = len(text)
            _, error = _try(opening, text)
        else:
            line = begin + text.count(b"\n", 0, max(0, text.find(b"<")))
            end = start
            known = len(_open(self._above)) or len(path)
            path = path[: known if row is None else row]
        if path and last and end == len(text):
            end = text.rfind(b"</%b" % written(path[-1]).encode())
            if end <= (start if start < len(text) else 0) or (start == len(text) and b"</" in text[:end]):
                raise self._refusal()
        if self._is_within or not path or error is None or _is(error, "ERR_INVALID_ENCODING"):
            raise self._refusal()
        fault = (
            f"has no </{self._rows.written}>" if row is not None else f"is not well-formed XML: {explain(error, begin)}"
        )
        self._pieces.put_back(len(text) - end)
        self._above, self._last_text, self._last_line = path[-1], b"", begin + text.count(b"\n", 0, end)
        self._begin_parser(self._last_line)
        return line, Faulty(fault), b""

    def _row_in(self, path: Sequence[etree._Element]) -> int | None:
        """Return the place of the first row among the elements that were opened since the last row."""
        known = max(1, len(_open(self._above)))
        return next((n for n in range(known, len(path)) if local(str(path[n].tag)) == self._rows.name), None)

    def _refusal(self) -> FeedUnreadableError:
        log = self._parser.feed_error_log
        error = next(iter(log.filter_from_fatals()), None) or next(iter(log), None)
        return FeedUnreadableError(f"{self._key} is not well-formed XML: {explain(error, self._first_line + 1)}")


def place_of(element: etree._Element) -> tuple[str, ...]:
    """Return the names of the elements that an element is in, the root first."""
    return tuple(local(str(each.tag)) for each in element.iterancestors())[::-1]


def _open(element: etree._Element | None) -> list[etree._Element]:
    """Return an element and all that it is in, the root first."""
    return [] if element is None else [element, *element.iterancestors()][::-1]


def _opening(element: etree._Element | None) -> bytes:
    """Return the start tags of an element and all that it is in."""
    tags = []
    for each in _open(element):
        spaces = (f" xmlns{(prefix and f':{prefix}') or ''}={quoteattr(uri)}" for prefix, uri in each.nsmap.items())
        tags.append(f"<{written(each)}{''.join(spaces)}>")
    return "".join(tags).encode()


def _try(opening: bytes, text: bytes) -> tuple[list[etree._Element], Any]:
    """Parse a text within open elements. Return the elements that are open at its end or first error, and the error."""
    parser = etree.XMLPullParser(events=("start", "end"), **PARSER)
    try:
        parser.feed(opening + text)
        parser.close()
    except etree.XMLSyntaxError:
        pass
    path: list[Any] = []
    for event, element in parser.read_events():
        if event == "start":
            path.append(element)
        else:
            path.pop()
    return path, next(iter(parser.feed_error_log.filter_from_fatals()), None)


def _is(error: Any, name: str) -> bool:
    return error is not None and error.type_name == name
