"""Where the jobs are in the objects, and in which encoding: the settings `rows`, `sheet`, `headerRow` and `encoding`.

The readers decide. Each place that could hold the jobs is tried, and the one wins in which most fields are recognized.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from lxml import etree
from pydantic_core import from_json
from python_calamine import CalamineError, CalamineWorkbook

from jobferry.errors import FeedError, FeedMissingError
from jobferry.feeds.formats.xml import declared_encoding
from jobferry.feeds.formats.xml_rows import local
from jobferry.feeds.objects import FeedObject, FeedReader, suffix_of
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import Allowance, Chunks, peek, unpack
from jobferry.jobs.synonyms import field_of
from jobferry.suggestion.columns import read_sample, values_by_path
from jobferry.suggestion.propose import Guess, Proposal, propose
from jobferry.suggestion.terms import Terms

#: Rows that are read to compare places, and for the proposal.
_FEW_ROWS: Final = 50
_MANY_ROWS: Final = 10_000
#: Bytes of an object in which places are looked for.
_HEAD: Final = 1 << 20
#: Rows in which a header is looked for.
_HEADER_ROWS: Final = 20
#: A header has at least this many names that job feeds use, and a job this many names.
_ENOUGH_NAMES: Final = 2
_MAX_PLACES: Final = 20
#: Encodings of texts with a byte order mark.
_MARKED: Final = frozenset({"utf-8-sig", "utf-16", "utf-32"})

#: Settings by their names in feed.json, each with the reason.
type PlaceSettings = dict[str, tuple[str | int, str]]


class Suggestion(NamedTuple):
    """What is suggested for a feed.

    Attributes:
        settings: the content of feed.json.
        guesses: the reasons.
        open: what a person has to decide.
        rows: the number of rows that were read.
        is_cut: whether the feed has more.
    """

    settings: dict[str, Any]
    guesses: list[Guess]
    open: list[str]
    rows: int
    is_cut: bool

    @property
    def fields(self) -> set[str | None]:
        """Return the board's fields that have a column."""
        return {guess.field for guess in self.guesses if guess.setting == "fields"}


def suggest(objects: Sequence[FeedObject], files: FeedReader, terms: Terms) -> Suggestion:
    """Suggest the settings of a feed.

    Raises:
        FeedError: there is no object, or one cannot be read with any settings.
    """
    if not objects:
        raise FeedMissingError("the feed's folder has no feed file")
    encoding = _find_encoding(objects, files)
    place = encoding | _best_place(objects, files, terms, encoding)
    sample = read_sample(objects, files, _settings(place), _MANY_ROWS)
    proposal = propose(sample, terms)
    settings = {name: value for name, (value, _) in place.items()} | _mapping(proposal)
    guesses = [Guess(name, None, None, value, reason) for name, (value, reason) in place.items()]
    return Suggestion(settings, guesses + proposal.guesses, proposal.open, len(sample.rows), sample.is_cut)


def _mapping(proposal: Proposal) -> dict[str, Any]:
    """Return the settings `fields` and `values`. A column with the field's very name needs none."""
    fields = {column.name: name for name, column in proposal.columns.items() if column.name != name}
    values: dict[str, dict[str, str | int]] = {}
    for guess in proposal.guesses:
        if guess.setting == "values" and guess.field and guess.source:
            values.setdefault(guess.field, {})[guess.source] = guess.value
    return {name: value for name, value in (("fields", fields), ("values", values)) if value}


def _best_place(
    objects: Sequence[FeedObject], files: FeedReader, terms: Terms, encoding: PlaceSettings
) -> PlaceSettings:
    """Return the place in which most fields are recognized, and the readers object to least."""
    tried: list[tuple[tuple[int, int], PlaceSettings]] = []
    faults: list[FeedError] = []
    name = _settings(encoding).encoding
    for place in [{}, *islice((place for each in objects for place in _places(each, files, name)), _MAX_PLACES)]:
        try:
            sample = read_sample(objects, files, _settings(encoding | place), _FEW_ROWS)
        except FeedError as error:
            faults.append(error)
        else:
            tried.append(((len(propose(sample, terms).columns), -sample.objections), place))
    if not tried:
        raise faults[0]
    return max(tried, key=lambda each: each[0])[1]


def _settings(place: PlaceSettings) -> FeedSettings:
    return FeedSettings.model_validate({name: value for name, (value, _) in place.items()})


# Encodings


def _find_encoding(objects: Sequence[FeedObject], files: FeedReader) -> PlaceSettings:
    """Return the encoding of the objects, if the reader has to know it and all have the same."""
    needed = {encoding for each in objects if (encoding := _encoding_of(each, files))}
    if len(needed) != 1 or needed == {"utf-8"}:
        return {}
    [encoding] = needed
    if encoding == "cp1252":
        return {"encoding": (encoding, "the texts are not UTF-8, but may be what Excel on Windows saves as CSV")}
    return {"encoding": (encoding, "the bytes of the first characters show it")}


def _encoding_of(obj: FeedObject, files: FeedReader) -> str | None:
    """Return an object's encoding; None if the object says it itself, or if it reads the same in all that are likely."""
    if suffix_of(obj.key) == ".xlsx":
        return None
    start, chunks = peek(_chunks(obj, files), 200)
    detected = json.detect_encoding(start)
    if detected in _MARKED or declared_encoding(start):
        return None
    if detected != "utf-8":
        return detected
    text = b"".join(chunks)
    if text.isascii():
        return None
    for encoding in ("utf-8", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            text.decode(encoding)
            return encoding
    return None


# Places


def _places(obj: FeedObject, files: FeedReader, encoding: str) -> Iterator[PlaceSettings]:
    """Yield the places in an object that could hold the jobs, besides the one that the reader takes by itself."""
    suffix = suffix_of(obj.key)
    if suffix == ".xlsx":
        yield from _sheets(b"".join(_chunks(obj, files)))
        return
    head = peek(_chunks(obj, files), _HEAD)[0][:_HEAD]
    detected = json.detect_encoding(head)
    text = head.decode(detected if detected in _MARKED else encoding, errors="ignore")
    if suffix in (".xml", ".rss"):
        yield from _elements(head)
    elif suffix == ".json":
        yield from _lists(text)
    elif suffix in (".csv", ".tsv"):
        yield from _header_lines(text)


def _header_lines(head: str) -> Iterator[PlaceSettings]:
    lines = list(islice(io.StringIO(head, newline=""), _HEADER_ROWS * 2))
    for delimiter in ",;\t|":
        with contextlib.suppress(csv.Error):
            yield from _header_rows(csv.reader(lines, delimiter=delimiter))


def _header_rows(rows: Iterable[Sequence[str]]) -> Iterator[PlaceSettings]:
    """Yield the rows that have names of columns. The first row that is not blank is none: it is taken anyway."""
    numbered = enumerate(islice(rows, _HEADER_ROWS), 1)
    filled = ((number, cells) for number, cells in numbered if any(cell.strip() for cell in cells))
    for number, cells in islice(filled, 1, None):
        if _has_names(cells):
            yield {"headerRow": (number, f"row {number} has the names of the columns")}


def _sheets(book: bytes) -> Iterator[PlaceSettings]:
    with contextlib.suppress(CalamineError):  # The reader says what is wrong.
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(book))
        for name in workbook.sheet_names:
            rows = [list(map(str, row)) for row in islice(workbook.get_sheet_by_name(name).iter_rows(), _HEADER_ROWS)]
            sheet: PlaceSettings = {}
            if name != workbook.sheet_names[0]:
                sheet = {"sheet": (name, "its columns are those of jobs")}
                if _has_names(next(filter(any, rows), [])):
                    yield sheet
            for place in _header_rows(rows):
                yield sheet | place


def _lists(head: str) -> Iterator[PlaceSettings]:
    try:
        value = from_json(head, allow_partial=True)
    except ValueError:
        return
    for path, values in values_by_path(value) if isinstance(value, dict) else ():
        if any(isinstance(each, dict) for each in values) and path != "jobs":
            yield {"rows": (path, "the objects in this list have the fields of jobs")}


def _elements(head: bytes) -> Iterator[PlaceSettings]:
    """Yield the elements with children or attributes, those with most names of a job's fields first."""
    parser = etree.XMLPullParser(events=("end",), recover=True, resolve_entities=False, no_network=True)
    parser.feed(head)
    names: defaultdict[str, set[str]] = defaultdict(set)
    for _, element in parser.read_events():
        assert isinstance(element, etree._Element)  # noqa: S101  # this event has no others
        own = names[local(str(element.tag))]
        own.update(f"@{name!s}" for name in element.keys())  # noqa: SIM118  # an element is no mapping
        for child in element.iterchildren(etree.Element):
            own.add(local(str(child.tag)))
            own.update(f"{local(str(child.tag))}/@{name!s}" for name in child.keys())  # noqa: SIM118
            own.update(f"{local(str(child.tag))}/{local(str(each.tag))}" for each in child.iterchildren(etree.Element))
    for name in sorted(names, key=lambda name: -_known(names[name])):
        if len(names[name]) >= _ENOUGH_NAMES:
            yield {"rows": (name, f"the elements <{name}> have the fields of jobs")}


def _has_names(cells: Iterable[str]) -> bool:
    return _known(cells) >= _ENOUGH_NAMES


def _known(names: Iterable[str]) -> int:
    """Count the board's fields that names mean."""
    return len({field for name in names if (field := field_of(name))})


def _chunks(obj: FeedObject, files: FeedReader) -> Chunks:
    """Yield an object's bytes, decompressed."""
    with files.open_object(obj) as stream:
        yield from unpack(obj.key, obj.size, stream, Allowance(FeedSettings().max_feed_bytes))
