"""Values and objects that are there to break a reader."""

import gzip
import io
import json
import os
import socket
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from jobferry.errors import FeedTooLargeError, FeedUnreadableError
from tests.feeds import array, elements, jsonl, packed, payload_of, read, table, workbook

#: A row's JSON as it stands, and its problem.
ROWS = [
    ('{"referenceNumber":"a","x":NaN}', "the row holds NaN, which is not JSON: leave the value out, or write null"),
    ('{"referenceNumber":"a","payAmountMin":Infinity}', "the row holds Infinity, which is not JSON: leave the value out,"),
    ('{"referenceNumber":"a","x":-Infinity}', "the row holds -Infinity, which is not JSON"),
    ('{"referenceNumber":"a","x":1e400}', "the row holds the number 1e400, which is too large"),
    ('{"referenceNumber":"a","x":' + "9" * 101 + "}", "the row holds a number of 101 digits"),
    ('{"referenceNumber":"a","x":' + "9" * 100_000 + "}", "the row holds a number of 100,000 digits"),
    ('{"referenceNumber":"a","shiftsPerWeek":' + "9" * 50 + "}", f"shiftsPerWeek {'9' * 50} is too large a number"),
    ('{"referenceNumber":"a","title":"\\ud800"}', "the row holds half a character (\\ud800), which cannot be sent"),
    ('{"referenceNumber":"a","\\udfff":1}', "the row holds half a character (\\udfff), which cannot be sent"),
    ('{"referenceNumber":"a","x":[{"y":"\\ud83d"}]}', "the row holds half a character (\\ud83d), which cannot be sent"),
    ('{"referenceNumber":"a","x":' + "[" * 60 + "]" * 60 + "}", "the row is nested more than 50 levels deep"),
    ('{"referenceNumber":"a","x":' + "[" * 200_000 + "]" * 200_000 + "}", "the row is nested more than 50 levels deep"),
    ('{"a":' * 100_000 + "1" + "}" * 100_000, "the row is nested more than 50 levels deep"),
    ('{"referenceNumber":"a","title":"t","title":"u"}', "the row has the field 'title' twice, with different values"),
    ('{"referenceNumber":"a","x":1,"x":"1"}', "the row has the field 'x' twice, with different values"),
    ('{"referenceNumber":"a","referenceNumber":"b"}', "the row has the field 'referenceNumber' twice"),
    ('{"referenceNumber":"a","title":"\\u0022","title":"x"}', "the row has the field 'title' twice"),
    ('{"referenceNumber":"\\u0022\\u0022\\u0022\\u0022","title":"x","title":"y"}', "the row has the field 'title' twice"),
    ('{"referenceNumber":"a","x":{"y":1,"y":2}}', "the row has the field 'y' twice, with different values"),
    ("{'referenceNumber': 'a'}", "the row is not JSON: expecting property name enclosed in double quotes"),
    ('{"referenceNumber":"a",}', "the row is not JSON: "),
    ('\ufeff\ufeff{"referenceNumber":"a"}', "the row is not JSON: it begins with a byte order mark"),
    ('{"referenceNumber":"a\tb"}', "the row is not JSON: invalid control character at"),
    ('{"referenceNumber":"a"} {"referenceNumber":"b"}', "the row is not JSON: extra data, at character 25"),
    ('{"referenceNumber":"\\u0000"}', "referenceNumber is missing"),
    ("null", "the row is null, not an object with a job's fields"),
    ("17", "the row is a number, not an object with a job's fields"),
    ("true", "the row is true or false, not an object with a job's fields"),
    ('"x"', "the row is a text, not an object with a job's fields"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), ROWS, ids=[row[:60] for row, _ in ROWS])
@pytest.mark.parametrize("mapped", [False, True], ids=["", "mapped"])
def test_hostile_rows_are_problems_of_their_own(row: str, message: str, mapped: bool) -> None:
    settings = {"fields": {"theirs": "ours"}} if mapped else {}

    jobs, problems, _ = read("jobs.jsonl", f'{row}\n{{"referenceNumber":"z"}}\n'.encode(), **settings)

    assert jobs == [{"referenceNumber": "z"}]
    assert len(problems) == 1
    assert problems[0].startswith(f"jobs.jsonl row 1: {message}")
    assert len(problems[0]) < 500
    if row.startswith("{") and row.count("{") == row.count("}") and "'" not in row and "} {" not in row:
        among_others = f'[{{"referenceNumber":"y"}},{row},{{"referenceNumber":"z"}}]'.encode()
        array_jobs, array_problems, _ = read("jobs.json", among_others, **settings)
        assert array_jobs == [{"referenceNumber": "y"}, *jobs]
        assert len(array_problems) == 1
        assert message.removeprefix("the row ") in array_problems[0]


def test_what_looks_hostile_and_is_not_goes_out_as_it_is() -> None:
    rows = [
        {"referenceNumber": "=cmd|' /C calc'!A0", "title": "@SUM(1+1)*cmd"},
        {"referenceNumber": "../../etc/passwd", "title": "<script>alert(1)</script>"},
        {"referenceNumber": "'; DROP TABLE jobs; --", "title": "{{7*7}} ${jndi:ldap://x}"},
        {"referenceNumber": "abc", "title": "\U0001f3f4\U000e0067 \u200d \x85 \x7f"},
        {"referenceNumber": "\\u0000", "title": '\\" \\\\ \\u00e9 "'},
        {"referenceNumber": "x" * 1000, "__proto__": "y", "constructor": 1},
    ]

    assert read("jobs.jsonl", jsonl(*rows)) == (rows, [], [])
    assert read("jobs.json", array(*rows)) == (rows, [], [])


def test_fields_of_ten_megabytes() -> None:
    job = {"referenceNumber": "a", "description": "x" * 10_000_000}

    assert read("jobs.jsonl", jsonl(job))[0] == [job]
    assert read("jobs.json", array(job))[0] == [job]
    assert read("jobs.csv", table(job))[0] == [job]
    with pytest.raises(FeedUnreadableError, match="more than 10 MB in one place"):
        read("jobs.xml", elements({"referenceNumber": "a", "description": "x" * 10_500_000}))


#: Beyond the longest row by more than is read at a time.
LONG = 19_000_000


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("a.jsonl", b'{"referenceNumber":"a"}\n{"x":"' + b"x" * LONG + b'"}\n', r"row 2 is longer than 16,777,216 bytes"),
        ("a.json", b'[{"referenceNumber":"a"},{"x":"' + b"x" * LONG + b'"}]', r"at row 2: it is longer than 16,777,216"),
        ("a.csv", b'referenceNumber,x\na,"' + b"x" * LONG + b'"\n', r"more than 16,777,216 bytes without the end of a row: is a"),
        ("a.csv", b"referenceNumber,x\na,\"" + (b"x" * 99 + b"\n") * (LONG // 100) + b'"\n', r"more than 16,777,216 bytes without the end of a row"),
        ("a.csv", b"referenceNumber,x\na,\"" + (b"x" * 5_000_000 + b'\n","') * 4 + b'"\n', r"more than 16,777,216 bytes without"),
        ("a.xml", b"<jobs><job><x>" + (b"<y>" + b"1" * 93 + b"</y>") * (LONG // 100) + b"</x></job></jobs>", r"more than 16,777,216 bytes before"),
    ],
    ids=["jsonl", "json", "a line of csv", "a cell of csv", "a row of csv", "xml"],
)  # fmt: skip
def test_a_row_without_end(key: str, content: bytes, message: str) -> None:
    with pytest.raises(FeedUnreadableError, match=message):
        read(key, content)


def test_more_than_max_feed_bytes() -> None:
    content = jsonl(*({"referenceNumber": str(number)} for number in range(1000)))

    assert len(read("jobs.jsonl", content, maxFeedBytes=len(content))[0]) == 1000
    with pytest.raises(FeedTooLargeError) as caught:
        read("jobs.jsonl", content, maxFeedBytes=len(content) - 1)
    assert str(caught.value) == (
        f"jobs.jsonl: the feed has more than {len(content) - 1:,} bytes uncompressed (maxFeedBytes)"
    )


def test_max_feed_bytes_is_of_all_objects_together(tmp_path: Path) -> None:
    content = jsonl({"referenceNumber": "a"})
    objects = {"a.jsonl": content, "b.csv.gz": gzip.compress(b"referenceNumber\nb\n")}

    assert payload_of(objects, tmp_path, maxFeedBytes=len(content) + 18).jobs == 2
    with pytest.raises(FeedTooLargeError, match=r"^b\.csv\.gz: the feed has more than"):
        payload_of(objects, tmp_path, maxFeedBytes=len(content) + 17)


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b'{"referenceNumber":"a"}\n' + b" " * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(FeedTooLargeError, match="maxFeedBytes"):
            read("jobs.jsonl.gz", bomb, maxFeedBytes=5_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000


def test_gzip_within_gzip_is_unpacked_once() -> None:
    with pytest.raises(FeedUnreadableError, match="is gzip within gzip"):
        read("jobs.json.gz", gzip.compress(gzip.compress(b"[]")))


def test_a_workbook_that_is_a_bomb() -> None:
    book = io.BytesIO(workbook(["referenceNumber"], ["a"]))
    with zipfile.ZipFile(book, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/bomb.bin", b"\0" * 70_000_000)

    with pytest.raises(FeedTooLargeError, match=r"jobs\.xlsx is a workbook of more than 67,108,864 bytes uncompressed"):
        read("jobs.xlsx", book.getvalue())


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_workbook_with_a_cell_far_away(quote: str) -> None:
    content = workbook(["referenceNumber"], ["a"], ["b"], changes={'r="A3"': f"r = {quote}CV1000000{quote}"})

    with pytest.raises(FeedTooLargeError) as caught:
        read("jobs.xlsx", content)
    assert str(caught.value) == (
        "jobs.xlsx has a sheet that reaches to row 1,000,000 and column 100: delete what is beyond the table, or export it "
        "as CSV"
    )
    near = workbook(["referenceNumber"], ["a"], ["b"], changes={'r="A3"': 'r="C50000"'})
    assert read("jobs.xlsx", near)[1][0].startswith("jobs.xlsx row 50000: the row has values only in columns")


def test_a_workbook_counts_uncompressed() -> None:
    content = workbook(["referenceNumber", "title"], *([str(number), "x" * 1000] for number in range(1000)))
    assert len(content) < 100_000

    with pytest.raises(FeedTooLargeError, match="maxFeedBytes"):
        read("jobs.xlsx", content, maxFeedBytes=1_000_000)


BILLION_LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]><jobs><job><referenceNumber>a</referenceNumber><title>&a9;</title></job></jobs>"
)


def test_entities_that_unfold() -> None:
    jobs, problems, _ = read("jobs.xml", BILLION_LAUGHS.encode())

    assert jobs == []
    assert problems == [
        "jobs.xml row 1: the row is not well-formed XML: it has entities of its own that unfold to far more than the document"
    ]


@pytest.mark.parametrize(
    ("content", "entity"),
    [
        (
            (
                '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
                "<jobs><job><referenceNumber>a</referenceNumber><title>&f;</title></job></jobs>"
            ),
            "&f;",
        ),
        (
            (
                '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><jobs><job><title>t</title><referenceNumber>&nbsp;'
                "</referenceNumber></job></jobs>"
            ),
            "&nbsp;",
        ),
        (
            (
                '<!DOCTYPE x [<!ENTITY e "<title>injected</title>">]><jobs><job><referenceNumber>a</referenceNumber>&e;</job>'
                "</jobs>"
            ),
            "&e;",
        ),
        (
            (
                '<!DOCTYPE x [<!ENTITY e "x">]><jobs><job><referenceNumber>a</referenceNumber>'
                "<description>a <b>b &e;</b></description></job></jobs>"
            ),
            "&e;",
        ),
    ],
    ids=["a file", "a DTD elsewhere", "markup", "within markup"],
)
def test_an_entity_of_a_document_s_own(content: str, entity: str) -> None:
    jobs, problems, _ = read("jobs.xml", content.encode())

    assert jobs == []
    assert problems == [
        f"jobs.xml row 1: the row has the entity {entity}, which a feed may not define: the character itself is needed"
    ]


def test_entities_that_are_not_in_a_row_s_text() -> None:
    for content in (
        '<!DOCTYPE x [<!ENTITY e "v">]><jobs><job id="&e;"><referenceNumber>a</referenceNumber></job></jobs>',
        (
            '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]><jobs><job><referenceNumber>a</referenceNumber>'
            "</job></jobs>"
        ),
    ):
        try:
            jobs, problems, _ = read("jobs.xml", content.encode())
        except FeedUnreadableError:
            continue
        assert [job["referenceNumber"] for job in jobs] == ["a"]
        assert problems == []


def test_nothing_outside_the_document_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: asked.append(address))
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    content = f"""<!DOCTYPE jobs SYSTEM "{secret.as_uri()}" [<!ENTITY s SYSTEM "{secret.as_uri()}">]>
        <jobs xmlns:xi="http://www.w3.org/2001/XInclude"><job><referenceNumber>a</referenceNumber>
        <title><xi:include href="{secret.as_uri()}" parse="text"/></title></job></jobs>"""

    jobs, problems, _ = read("jobs.xml", content.encode())

    assert "the secret" not in json.dumps([jobs, problems])
    assert [job["referenceNumber"] for job in jobs] == ["a"]
    assert "title" not in jobs[0]
    assert asked == []


@pytest.mark.parametrize("before", ["", "<referenceNumber>a</referenceNumber>"])
@pytest.mark.parametrize("jobs", [0, 1, 30_000])
def test_an_xml_entity_that_html_has_is_explained(before: str, jobs: int) -> None:
    rows = "".join(f"<job><referenceNumber>z{number}</referenceNumber></job>\n" for number in range(jobs))
    content = f"<jobs>{rows}<job>{before}<title>a&nbsp;b</title></job></jobs>"

    found, problems, _ = read("jobs.xml", content.encode())

    assert len(found) == jobs
    (problem,) = problems
    assert problem.startswith(
        f"jobs.xml row {jobs + 1}{f' (line {jobs + 1})' if jobs else ''}: the row is not well-formed XML: "
    )
    assert problem.endswith(f", line {jobs + 1}: XML has no such entity, the character itself is needed, or CDATA")


def test_xml_nested_beyond_measure() -> None:
    deep = b"<job><referenceNumber>a</referenceNumber>" + b"<x>" * 100_000 + b"</x>" * 100_000 + b"</job>"

    jobs, problems, _ = read("jobs.xml", b"<jobs>%b<job><referenceNumber>b</referenceNumber></job></jobs>" % deep)

    assert jobs == [{"referenceNumber": "b"}]
    assert "more than 256 levels" in problems[0]


def test_xml_nested_deep_within_markup() -> None:
    inner = "<b>" * 200 + "x" + "</b>" * 200
    content = (
        f"<jobs><job><referenceNumber>a</referenceNumber><description>{inner}</description><y>{inner}</y></job></jobs>"
    )

    jobs, problems, _ = read("jobs.xml", content.encode())

    assert problems == []
    assert jobs[0]["description"] == inner


def test_many_names_of_fields() -> None:
    job = {"referenceNumber": "a"} | {f"f{number}": "x" for number in range(20_000)}

    assert read("jobs.csv", table(job))[0] == [job]
    assert read("jobs.xml", elements(job))[0] == [job]
    assert read("jobs.jsonl", jsonl(job))[0] == [job]


def test_memory_does_not_grow_with_what_a_cell_holds_once(tmp_path: Path) -> None:
    """One astral character makes a Python text four bytes wide: the reader must not widen the whole file."""
    rows = [{"referenceNumber": str(number), "description": "x" * 5_000} for number in range(2_000)]
    rows[1000]["title"] = "\U0001f642"
    content = table(*rows)
    tracemalloc.start()
    try:
        payload = payload_of({"jobs.csv": content}, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert payload.jobs == 2_000
    assert peak < 15_000_000


def test_a_damaged_workbook_does_not_end_the_process(tmp_path: Path) -> None:
    """calamine is written in Rust, and panics on what it did not foresee."""
    content = workbook(
        ["referenceNumber"], ["a"], changes={'r="A2"': 'r="XFDXFD99999999999"', '<row r="2">': '<row r="-7">'}
    )
    path = tmp_path / "jobs.xlsx"
    path.write_bytes(content)

    ended = subprocess.run(
        [sys.executable, "-m", "jobferry.cli", "validate", str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
        check=False,
    )

    assert ended.returncode in (1, 2)
    assert "Traceback" not in ended.stderr


def test_the_name_of_an_object_may_be_anything(tmp_path: Path) -> None:
    key = "a\n\x1b[2J=1.jsonl"

    payload = payload_of({key: jsonl({"referenceNumber": "a", "state": "MC"}, {"referenceNumber": "b"})}, tmp_path)

    (problem,) = payload.read_problems()
    assert problem.place.key == key


def test_a_gzip_of_many_members(tmp_path: Path) -> None:
    content = b"".join(packed("", b'{"referenceNumber":"%d"}\n' % number)[1] for number in range(2_000)) + b"\0" * 100

    payload = payload_of({"jobs.jsonl.gz": content}, tmp_path)

    assert payload.jobs == 2_000
