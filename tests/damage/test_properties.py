"""Properties that hold for any job and any input, looked for by hypothesis.

`HYPOTHESIS_PROFILE=thorough` looks twenty times as long and elsewhere each time.
"""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from jobferry.errors import FeedError
from jobferry.feeds.formats.delimited import DelimitedText
from jobferry.feeds.formats.row_shape import OTHER_MARKS, RowShape
from jobferry.feeds.formats.table import CellsWithWarning
from jobferry.feeds.rows import UnreadableRow
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.clean_json import clean_json_reader
from jobferry.jobs.corrections.job import correct
from jobferry.jobs.corrections.remnants import may_hold_remnants
from jobferry.jobs.fields import FIELDS, NO_DATES
from jobferry.jobs.job_reader import JobReader, warn_of_unusual_values
from jobferry.jobs.reference_numbers import fault_of
from jobferry.jobs.vocabulary import STATES
from jobferry.payload.payload import Payload
from jobferry.payload.reference_set import ReferenceSet
from jobferry.payload.sendable import reason_not_to_send
from tests.feeds import FORMATS, JOBS, LOCUMS, array, jobs_of, jsonl, payload_of

_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def examples(count: int) -> settings:
    return settings(
        max_examples=count * (20 if _THOROUGH else 1),
        deadline=None,
        derandomize=not _THOROUGH,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# Any job, in any format

_CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), include_characters="\t\n")
#: Texts as they are left after trimming, of what each format can hold: XML 1.0 has no U+FFFE and U+FFFF. None of them looks
#: like something that a program left.
_TEXT = (
    st.text(_CHARACTERS, min_size=1, max_size=40)
    .map(str.strip)
    .filter(lambda text: text != "" and "\ufffe" not in text and "\uffff" not in text)
    .filter(lambda text: not may_hold_remnants(to_json(text)))
)
_WORD = _TEXT.filter(lambda text: not set(text) & set(";|,\r\n"))
#: A table cannot have a line break in a title or a city: it takes that for a quotation mark in the wrong place.
_LINE = _TEXT.filter(lambda text: "\n" not in text)
_WHOLE = st.integers(-(2**63), 2**63 - 1)
_AMOUNT = st.decimals(-(10**14), 10**14, places=2, allow_nan=False, allow_infinity=False).map(
    lambda amount: f"{amount + 0:.2f}"
)
_ZIP = st.from_regex(r"[1-9][0-9]{4}(-[0-9]{4})?", fullmatch=True, alphabet="0123456789-") | st.sampled_from(
    ["00501", "02134-0001"]
)
_FIELD = {
    **dict.fromkeys(FIELDS, _TEXT),
    **dict.fromkeys(("shiftsPerWeek", "hoursPerShift", "durationLength"), _WHOLE),
    **dict.fromkeys(("payAmountMin", "payAmountMax"), _AMOUNT),
    **dict.fromkeys(("title", "city", "payFrequency", "durationUnit"), _LINE),
    "state": st.sampled_from(sorted(STATES)),
    "postalCode": _ZIP,
    "license": st.sampled_from(sorted(LOCUMS["license"])),
    "specialty": st.sampled_from(sorted(LOCUMS["specialty"])),
    "employmentType": _WORD | st.lists(_WORD, min_size=2, max_size=4),
    "startDate": st.dates()
    .filter(lambda day: 1900 <= day.year < 2100 and str(day) not in NO_DATES)
    .map(lambda day: day.isoformat()),
}
#: A quotation mark in a reference number is taken for a misplaced one.
_REFERENCE = _LINE.filter(lambda text: fault_of(text) is None and text[0] not in OTHER_MARKS and '"' not in text)
_OPTIONAL = {name: strategy for name, strategy in _FIELD.items() if name not in ("referenceNumber", "title")}
_OTHER = st.dictionaries(st.from_regex(r"x[A-Za-z0-9_.-]{0,8}", fullmatch=True), _TEXT, max_size=3)


@st.composite
def _jobs(draw: st.DrawFn) -> list[dict[str, Any]]:
    references = draw(st.lists(_REFERENCE, min_size=1, max_size=4, unique=True))
    jobs = []
    for reference in references:
        job = draw(st.fixed_dictionaries({"referenceNumber": st.just(reference), "title": _LINE}, optional=_OPTIONAL))
        jobs.append({**job, **draw(_OTHER)})
    return jobs


#: A text in XML that is a list of one cannot be told from a text: this is what each format makes of the jobs' order.
def _same(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(sorted(job.items())) for job in jobs]


@examples(60)
@given(jobs=_jobs(), gzipped=st.booleans(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
@example(jobs=JOBS, gzipped=False, encoding="utf-16")
def test_any_job_survives_each_format(jobs: list[dict[str, Any]], gzipped: bool, encoding: str) -> None:
    bodies = set()
    for key, write in FORMATS.items():
        content = write(*jobs)
        if not key.endswith("xlsx"):
            content = content.decode().encode(encoding)
        name = f"{key}.gz" if gzipped else key
        with TemporaryDirectory() as directory:
            payload = payload_of({name: gzip.compress(content) if gzipped else content}, Path(directory))
            assert list(payload.read_problems()) == []
            assert _same(jobs_of(payload)) == _same(jobs), key
            consistent(payload, FeedSettings())
            bodies.add(json.dumps(_same(jobs_of(payload))))
    assert len(bodies) == 1


# Any rows: nothing is lost, nothing is counted twice

_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        [
            "PA",
            "Texas",
            "MC",
            "2134",
            "17603",
            "$1,737.5",
            "3/2/2024",
            "A; B",
            "#REF!",
            "NULL",
            "\ud800",
            "\x00",
            "1" * 99,
        ]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_ROW = st.fixed_dictionaries(
    {},
    optional={
        "referenceNumber": st.sampled_from(["a", "b", "c", "d", "", None, 1, "1", " a ", "1.0", '="a"', "NULL"]) | _VALUE,
        **dict.fromkeys(("title", "state", "postalCode", "shiftsPerWeek", "payAmountMin", "employmentType", "x"), _VALUE),
    },
) | _VALUE  # fmt: skip
_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "deleteJobs": st.booleans(),
        "fields": st.just({"title": "referenceNumber", "y": "title"}),
        "values": st.just({"state": {"MC": "PA", "PA": None}, "employmentType": {"A": "B"}, "x": {"": 1}}),
        "defaults": st.just({"state": "TX", "shiftsPerWeek": 4, "x": ["y"]}),
    },
)


def consistent(payload: Payload, given: FeedSettings) -> None:
    """Everything that a payload says of itself agrees with its files, whatever the feed was."""
    jobs = jobs_of(payload)
    problems = list(payload.read_problems())
    entries = [
        json.loads(line)
        for part in payload.parts
        for line in gzip.decompress(part.manifest.read_bytes()).decode().splitlines()
        if line
    ]
    assert payload.jobs == len(jobs) == sum(part.jobs for part in payload.parts) == len(entries)
    for part in payload.parts:
        assert gzip.decompress(part.archive.read_bytes()) == part.body.read_bytes()
        assert 0 < part.jobs <= (given.max_jobs_per_import or part.jobs)
    # Each reference number is sent once, in its row's place, and is all that the set holds.
    references = [job["referenceNumber"] for job in jobs]
    assert len(set(references)) == len(references) == len(payload.references)
    assert all(reference in payload.references for reference in references)
    assert [entry["referenceNumber"] for entry in entries] == references
    assert [entry["title"] for entry in entries] == [
        title[:200] if isinstance(title := job.get("title"), str) else None for job in jobs
    ]
    # Each row is sent, or has its one problem, or is like one that is sent; with deleteJobs it may be sent in spite of it.
    sent = {(entry["key"], entry["row"]) for entry in entries}
    wrong = [(problem.place.key, problem.place.row) for problem in problems]
    assert len(sent) == len(entries)
    assert len(set(wrong)) == len(wrong) == payload.invalid
    repeated = sum(group.count for group in payload.warning_groups if "identical rows: one is sent" in group.message)
    assert len(sent | set(wrong)) <= payload.rows <= len(sent | set(wrong)) + repeated
    assert sent.isdisjoint(wrong) or given.delete_jobs
    judged = {where for where, problem in zip(wrong, problems, strict=True) if problem.sent}
    assert sent & set(wrong) == judged
    # A row with a reference number, whose job is not sent, protects nothing, nor does a row without one.
    lost = [problem for problem in problems if problem.reference_number not in references]
    if given.delete_jobs:
        assert payload.unprotected == len(lost)
    assert sum(group.count for group in payload.warning_groups) == payload.warnings
    if payload.invalid < payload.rows:
        assert payload.jobs > 0 or repeated == 0
    assert (reason_not_to_send(payload, given) is not None) or payload.jobs > 0


@examples(100)
@given(rows=st.lists(_ROW, max_size=8), given_settings=_SETTINGS, key=st.sampled_from(["a.jsonl", "a.json"]))
def test_the_accounts_agree(rows: list[Any], given_settings: dict[str, Any], key: str) -> None:
    rows = [{"referenceNumber": "first"}, *rows]  # a first line that is a list would be an array
    content = (jsonl if key == "a.jsonl" else array)(*rows)
    with TemporaryDirectory() as directory:
        payload = payload_of({key: content}, Path(directory), **given_settings)
        assert payload.rows == len(rows)
        consistent(payload, FeedSettings.model_validate(given_settings))


#: What programs leave in texts, and texts that look like it.
_REMNANTS = ['="1"', "'1", "NULL", "#REF!", "#1", "a\u00a0b", "\ufeffa", "&lt;p&gt;", "&lt; 5", r"\N", "None", "1234.0"]
_TEXT_AS_IT_COMES = st.sampled_from(_REMNANTS) | st.text(max_size=9).map(str.strip).filter(bool)
_SPACE = st.sampled_from(["", "", "", " ", "\t", "\n", "\r"])
_NAME = st.sampled_from(
    [
        "title",
        "title",
        "city",
        "employmentType",
        "shiftsPerWeek",
        "hoursPerShift",
        "x",
        "y",
        "t\\u0069tle",
        'x\\"',
        "title ",
        "x:",
        "t\\u003a",
    ]
)
_WRITTEN_TEXT = st.lists(
    st.sampled_from(
        ["a", "PA", " ", "=", "'1", "NULL", "#N/A", "&lt;p>", "\\ufeff", "\u00a0", "\u2028", "é", "\\u00e9", "\\u00a0", "\\n", "\\\\", '\\"', "\\u0022", "\\u003a", "\\u003A", "\\u0001", "\\u001f", "\\ud800",
         "\\ud83d\\ude00", "\\/", ":", ",", "{", "\x7f", "\x01"]
    ),
    max_size=4,
).map(lambda parts: '"' + "".join(parts) + '"')  # fmt: skip
_WRITTEN = (
    st.sampled_from(["0", "-0", "1", "1.0", "1e2", "1E400", "-0.0", "9007199254740993", "1" * 30, "NaN", "true", "false", "null", "{}"])
    | _WRITTEN_TEXT
    | st.lists(_WRITTEN_TEXT | st.just("null"), max_size=2).map(lambda each: "[" + ", ".join(each) + "]")
)  # fmt: skip


@st.composite
def _written_rows(draw: st.DrawFn) -> bytes:
    """The text of a row, written in every way that there is, and in some that are none."""
    pairs = [
        ("referenceNumber", draw(st.just('"r"') | _WRITTEN)),
        *draw(st.lists(st.tuples(_NAME, _WRITTEN), max_size=5)),
    ]
    written = [
        f'{draw(_SPACE)}"{name}"{draw(_SPACE)}:{draw(_SPACE)}{value}{draw(_SPACE)}'
        for name, value in draw(st.permutations(pairs))
    ]
    return f"{draw(_SPACE)}{{{','.join(written)}}}{draw(_SPACE)}".encode()


_RENAMED = st.sampled_from(
    [{}, {}, {"x": "title"}, {"x": "title", "y": "city"}, {"title": "city"}, {"x": "title", "y": "title"}, {"x": "z"}]
)


@examples(300)
@given(
    row=_written_rows() | _ROW.map(lambda row: json.dumps(row).encode()),
    spoilt=st.none() | st.tuples(st.integers(0, 99), st.sampled_from([b"\xff", b'"', b"\\", b"\x0b"])),
    renamed=_RENAMED,
)
@example(row=rb'{"referenceNumber":"r","title":"a\\","title":"b\\"}', spoilt=None, renamed={})
@example(row=rb'{"referenceNumber":"r","title":"a\"","title":"b\"","x":"\""}', spoilt=None, renamed={})
@example(row=rb'{"referenceNumber":"r","title":"a","title":"b\u003a"}', spoilt=None, renamed={})
@example(row=rb'{"referenceNumber":"r","title":"a:","title":"b\u003Ac:"}', spoilt=None, renamed={})
@example(row=rb'{"referenceNumber":"r","title":"a:","title":"b\u003Ac"}', spoilt=None, renamed={})
@example(row=rb'{"referenceNumber":"r","startDate":" 2024-03-02\n"}', spoilt=None, renamed={})
@example(row=rb'{"referenceNumber":"r","title" :"a:","title":"b:"}', spoilt=None, renamed={})
@example(row=rb'{"referenceNumber":"r","title":"a:","x:":"b:","y":1}', spoilt=None, renamed={})
@example(row=rb'{"referenceNumber":"r","title":"a:"}', spoilt=None, renamed={"title": "city"})
@example(row=rb'{"referenceNumber":"r","x":"a","title":"b"}', spoilt=None, renamed={"x": "title"})
def test_the_shortcut_returns_what_the_road_returns(
    row: bytes, spoilt: tuple[int, bytes] | None, renamed: dict[str, str]
) -> None:
    if spoilt is not None:
        row = row[: spoilt[0]] + spoilt[1] + row[spoilt[0] :]
    feed_settings = FeedSettings(fields=renamed)
    read_clean_json = clean_json_reader(feed_settings)
    clean = read_clean_json(row) if read_clean_json else None
    if clean and fault_of(clean[0]["referenceNumber"]) is None:
        job, body = clean
        road = JobReader(feed_settings, LOCUMS).take_road(row)
        assert (job, body) == (road.job, road.body)
        assert json.loads(body) == job
        assert not road.errors
        assert road.warnings == warn_of_unusual_values(job, LOCUMS)
        assert not set(body) & set(b"\r\n")


@examples(150)
@given(
    job=st.fixed_dictionaries(
        {"referenceNumber": _TEXT.filter(lambda text: fault_of(text) is None)},
        optional={
            **_OPTIONAL,
            **dict.fromkeys(("title", "city", "shift", "description"), _TEXT_AS_IT_COMES),
        },
    ),
)
def test_a_job_that_needs_no_correction_is_what_its_correction_makes_of_it(job: dict[str, Any]) -> None:
    """All fields of a row are corrected where one of them may hold something that a program left."""
    corrected, errors, warnings = correct(job, FIELDS, typed=True)
    if not errors and not warnings:
        assert corrected == job
    else:
        assert may_hold_remnants(to_json(job))


def test_most_rows_take_the_shortcut() -> None:
    read_clean_json = clean_json_reader(FeedSettings(fields={"Job ID": "referenceNumber"}))
    assert read_clean_json is not None
    for job in JOBS[:2]:
        row = {"Job ID" if name == "referenceNumber" else name: value for name, value in job.items()}
        assert read_clean_json(json.dumps(row).encode()) is not None


_TABLE = st.lists(
    st.sampled_from(['"', '"', '""', '","', ",", ",", "a", "é", "“", "\n", "\n", "\r\n", "\r", "\x00"]),
    max_size=16,
).map("".join)


def _broken(cells: Sequence[str]) -> list[int]:
    return [place for place, cell in enumerate(cells) if "\n" in cell or "\r" in cell]


class _AnyRow(RowShape):
    """Takes anything for a row, and remembers the rows that it was asked about."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    def passes(self, cells: Sequence[str], broken: Sequence[int], *, marked: bool) -> bool:
        assert broken == _broken(cells)
        self.asked.append(cells)
        return True

    def has_usual_width(self, cells: Sequence[str]) -> bool:
        return True

    def doubt(self, cells: Sequence[str], *, marked: bool) -> str | None:
        self.asked.append(cells)
        return None

    def fits(self, cells: Sequence[str]) -> bool:
        return True


@examples(300)
@given(text=_TABLE, size=st.sampled_from([1, 2, 5, 99]))
@example(text='"a",b"c"\n', size=99)
@example(text='5" pipe,"a\nb"\n"x""y","",\n', size=99)
def test_the_rows_of_a_table_are_those_of_csv(text: str, size: int) -> None:
    """Only a quotation mark in the wrong place is a problem, which Python's csv may pass over."""
    text = "h,h\n" + text.replace("\0", "")  # marks at the end of a file are ignored
    test = _AnyRow()
    rows = list(DelimitedText("a.csv", _pieces(text.encode(), size), 1).rows(test))
    assert all(row in test.asked for row in rows if isinstance(row, list) and _broken(row))
    try:
        expected = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        assert any(isinstance(row, UnreadableRow) for row in rows)
        return
    if any(isinstance(row, UnreadableRow) for row in rows):
        assert any('"' in cell for row in expected for cell in row)
    else:
        cells = [row.cells if isinstance(row, CellsWithWarning) else row for row in rows]
        assert cells == [row or [""] for row in expected]


@examples(60)
@given(rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), max_size=20), limit=st.integers(1, 7))
def test_the_accounts_of_parts_agree(rows: list[tuple[int, int]], limit: int) -> None:
    content = jsonl(*({"referenceNumber": str(reference), "title": str(title)} for reference, title in rows), {})
    with TemporaryDirectory() as directory:
        payload = payload_of({"a.jsonl": content}, Path(directory), maxJobsPerImport=limit)
        consistent(payload, FeedSettings(maxJobsPerImport=limit))
        once = {reference for reference, _ in rows if len({title for each, title in rows if each == reference}) == 1}
        assert {job["referenceNumber"] for job in jobs_of(payload)} == {str(reference) for reference in once}
        assert [part.jobs for part in payload.parts[:-1]] == [limit] * (len(payload.parts) - 1)


# Any bytes: a clear problem, and nothing else


def survives(objects: dict[str, bytes], **given_settings: Any) -> Payload | None:
    """Builds it; a FeedError has to be a sentence that names the object."""
    with TemporaryDirectory() as directory:
        try:
            payload = payload_of(objects, Path(directory), **given_settings)
        except FeedError as error:
            message = str(error)
            assert any(key in message for key in objects), message
            assert "\n" not in message
            assert len(message) < 1000, message
            return None
        for problem in payload.read_problems():
            assert problem.place.key in objects
            assert problem.place.row is not None
            assert problem.messages
            assert all(0 < len(message) < 1000 for message in problem.messages)
        consistent(payload, FeedSettings.model_validate(given_settings))
        return payload


_KEYS = st.sampled_from([*FORMATS, "a.csv.gz", "a.json.gz"])


@examples(120)
@given(key=_KEYS, content=st.binary(max_size=200), delete=st.booleans(), encoding=st.sampled_from(["utf-8", "cp1252"]))
def test_any_bytes_make_a_clear_problem(key: str, content: bytes, delete: bool, encoding: str) -> None:
    survives({key: content}, deleteJobs=delete, encoding=encoding)


_LIKELY = st.lists(
    st.sampled_from(
        [b'{"referenceNumber":"', b'"', b",", b"[", b"]", b"{", b"}", b":", b"\\", b"\\u0022", b"\\ud800", b"null", b"NaN",
         b"1e999", b'"jobs"', b"a", b"\n", b"\r", b" ", b";", b"\t", b"|", b"<jobs>", b"<job>", b"</job>", b"</jobs>", b"<a>",
         b"</a>", b"&amp;", b"&x;", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?xml", b"?>", b"<!DOCTYPE x [", b"\x00",
         b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", "漢".encode(), b"referenceNumber", b'"state":"MC"', b"sep=;", b"x" * 50]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip


@examples(200)
@given(key=_KEYS.filter(lambda key: not key.endswith("gz")), content=_LIKELY, delete=st.booleans())
def test_any_likely_bytes_make_a_clear_problem(key: str, content: bytes, delete: bool) -> None:
    survives({key: content}, deleteJobs=delete)


def _mutations(content: bytes) -> st.SearchStrategy[bytes]:
    """The content with some of its bytes replaced, left out, doubled or put in."""

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        changed = bytearray(content)
        for at, count, put in edits:
            changed[at : at + count] = put
        return bytes(changed)

    places = st.integers(0, len(content) - 1)
    put = st.binary(max_size=3) | st.sampled_from([b'"', b"}", b"<", b",", b"\n", b"\\", b"\x00", b"9" * 30])
    edit = st.tuples(places, st.integers(0, 4), put)
    return st.lists(edit, min_size=1, max_size=4).map(apply)


@pytest.mark.parametrize(("key", "write"), FORMATS.items(), ids=FORMATS)
def test_any_mutation_of_a_feed_makes_a_clear_problem(key: str, write: Callable[..., bytes]) -> None:
    content = write(*JOBS, *({"referenceNumber": str(number), "state": "Texas"} for number in range(3)))

    @examples(60)
    @given(mutated=_mutations(content), gzipped=st.booleans())
    def check(mutated: bytes, gzipped: bool) -> None:
        survives({f"{key}.gz": gzip.compress(mutated)} if gzipped else {key: mutated})

    check()


@examples(60)
@given(mutated=_mutations(gzip.compress(jsonl(*JOBS) * 20)))
def test_any_mutation_of_a_gzip_makes_a_clear_problem(mutated: bytes) -> None:
    survives({"a.jsonl.gz": mutated})


# Small pieces


def _pieces(content: bytes, size: int) -> Iterator[bytes]:
    yield from (content[at : at + size] for at in range(0, len(content), size))


@examples(40)
@given(jobs=_jobs(), size=st.integers(1, 9))
def test_the_size_of_the_pieces_does_not_matter(jobs: list[dict[str, Any]], size: int) -> None:
    from jobferry.feeds.formats.csv import read_table
    from jobferry.feeds.formats.json import read_array
    from jobferry.feeds.formats.jsonl import read_lines
    from jobferry.feeds.formats.xml import read_elements

    readers: dict[str, Callable[[str, Iterator[bytes]], Iterator[Any]]] = {
        "jobs.json": read_array,
        "object.json": read_array,
        "indented.json": read_array,
        "jobs.jsonl": read_lines,
        "jobs.csv": lambda key, chunks: read_table(key, chunks, FeedSettings()),
        "jobs.xml": lambda key, chunks: read_elements(key, chunks, FeedSettings()),
    }
    for key, reader in readers.items():
        content = FORMATS[key](*jobs)
        assert list(reader(key, _pieces(content, size))) == list(reader(key, iter([content]))), key


# ReferenceSet


@examples(200)
@given(added=st.lists(st.text(max_size=3)), gone=st.sets(st.text(max_size=3)), asked=st.lists(st.text(max_size=3)))
def test_a_reference_set_is_a_set(added: list[str], gone: set[str], asked: list[str]) -> None:
    references, plain = ReferenceSet(), set(added)
    for each in added:
        references.add(each)

    assert len(references) == len(plain)
    assert all((each in references) == (each in plain) for each in [*added, *asked])
    repeated = references.repeated()
    assert all((each in repeated) == (added.count(each) > 1) for each in [*added, *asked])
    references.discard(gone)
    assert len(references) == len(plain - gone)
    assert all((each in references) == (each in plain - gone) for each in [*added, *asked, *gone])
