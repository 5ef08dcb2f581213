"""Every format of a feed: the same jobs come out of each, and a row is where a person counts it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.formats.xml import read_elements
from jobferry.feeds.settings import FeedSettings
from tests.feeds import (
    FORMATS,
    JOBS,
    array,
    elements,
    jobs_of,
    jsonl,
    packed,
    payload_of,
    problems_of,
    read,
    table,
    warnings_of,
    workbook,
)


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(("key", "write"), FORMATS.items(), ids=FORMATS)
def test_every_format_carries_every_job(key: str, write: Callable[..., bytes], gzipped: bool) -> None:
    content = write(*JOBS)
    if gzipped:
        key, content = packed(key, content)

    assert read(key, content) == (JOBS, [], [])


@pytest.mark.parametrize(("key", "write"), FORMATS.items(), ids=FORMATS)
def test_a_problem_names_the_row_as_a_person_counts(key: str, write: Callable[..., bytes]) -> None:
    wrong = {"referenceNumber": "b", "title": "t", "state": "MC"}
    line = " (line 10)" if key == "indented.json" else ""
    row = 4 if key.endswith(("csv", "tsv", "xlsx")) else 3  # a table's header is its first row

    right = ({"referenceNumber": reference, "title": "t"} for reference in "ac")
    jobs, problems, _ = read(key, write(*right, wrong))

    assert [job["referenceNumber"] for job in jobs] == ["a", "c"]
    assert problems == [
        f'{key} row {row}{line}: state "MC" is not a state of the USA: its two-letter code is needed, such as PA'
    ]


def test_objects_are_merged_in_key_order(tmp_path: Path) -> None:
    objects = {
        "feeds/default/c.csv": table({"referenceNumber": "c"}),
        "feeds/default/a.xml": elements({"referenceNumber": "a1"}, {"referenceNumber": "a2", "state": "MC"}),
        "feeds/default/b.jsonl.gz": packed("b", jsonl({"referenceNumber": "b"}))[1],
    }

    payload = payload_of(objects, tmp_path)

    assert [job["referenceNumber"] for job in jobs_of(payload)] == ["a1", "b", "c"]
    assert [source["key"] for source in payload.sources] == sorted(objects)
    assert payload.sources[2] == {
        "key": "feeds/default/c.csv",
        "etag": "etag of feeds/default/c.csv",
        "bytes": 20,
        "rows": 1,
        "fields": {"referenceNumber": 1},
    }
    assert (payload.rows, payload.jobs, payload.invalid) == (4, 3, 1)
    assert problems_of(payload)[0].startswith("feeds/default/a.xml row 2: state")


def test_upper_case_names_are_formats_too() -> None:
    assert read("EXPORT.CSV", table({"referenceNumber": "a"}))[0] == [{"referenceNumber": "a"}]


def test_another_name_is_refused() -> None:
    with pytest.raises(
        FeedUnreadableError, match=r"^jobs\.doc has a name that ends in none of a feed's formats: \.json, \.jsonl"
    ):
        read("jobs.doc", b"x")


# JSON


def test_json_lines_count_blank_ones_and_take_any_line_end() -> None:
    content = b'\n{"referenceNumber":"a"}\r\n\r\n  \n{"referenceNumber":"b","state":"MC"}\n{"referenceNumber":"c"}'

    jobs, problems, _ = read("jobs.jsonl", content)

    assert [job["referenceNumber"] for job in jobs] == ["a", "c"]
    assert problems[0].startswith('jobs.jsonl row 5: state "MC"')


@pytest.mark.parametrize(
    "element",
    [
        b'{"referenceNumber":"x","title":"a } and a { in it"}',
        b'{"referenceNumber":"x","title":"},{\\"referenceNumber\\":\\"y\\"}"}',
        b'{"referenceNumber":"x","title":"ends in a backslash \\\\"}',
        b'{"referenceNumber":"x","pay":{"min":[1,{"a":"]}"}],"max":{}}}',
        b'{ "referenceNumber" : "x" , "list" : [ ] }',
        b'{"referenceNumber":"x","list":[{"a":1},{"b":2}]}',
        '{"referenceNumber":"x","title":"漢字 🙂"}'.encode(),
        b'{"referenceNumber":"x","list":["a},{",":b"]}',
        b'{"referenceNumber":"x","list":["a},{","b:"]}',
    ],
)
@pytest.mark.parametrize("separator", [b",", b" ,\n\t "])
def test_elements_of_an_array_are_told_apart_whatever_is_in_them(element: bytes, separator: bytes) -> None:
    first, last = b'{"referenceNumber":"first"}', b'{"referenceNumber":"last"}'
    for elements_ in ([first, element, last], [element, first, last], [first, last, element], [element]):
        jobs, problems, _ = read("jobs.json", b"[" + separator.join(elements_) + b"]\n")
        assert (jobs, problems) == ([json.loads(each) for each in elements_], [])


def test_elements_larger_than_a_chunk() -> None:
    jobs: list[dict[str, Any]] = [
        {"referenceNumber": str(number), "description": "x" * (700_000 * number), "more": {"y": "}"}}
        for number in (1, 2, 3)
    ]

    assert read("jobs.json", array(*jobs)) == (jobs, [], [])
    assert read("jobs.jsonl", jsonl(*jobs)) == (jobs, [], [])


def test_what_else_an_object_with_jobs_holds_is_skipped() -> None:
    content = (
        b'{"meta":{"pages":[{"number":1}],"x":[]},"note":"a \\"]}[{","error":null,"success":true,"jobs":'
        b'[{"referenceNumber":"a"}],"n":1.5e3,"errors":[]}'
    )

    assert read("jobs.json", content) == ([{"referenceNumber": "a"}], [], [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'{"error":"unauthorized"}',
            r'jobs.json is an object without jobs \(it has error\)\. Say in feed.json where .* "rows": "data.items"',
        ),
        (b"{}", r"is an object without jobs \(it has nothing\)"),
        (b'{"referenceNumber":"a"}\n{"referenceNumber":"b"}', "if each line is an object, name it .jsonl"),
        (b'[{"referenceNumber":"a"}]\n[{"referenceNumber":"b"}]', "holds more after the end of its JSON"),
        (b'{"jobs":{"referenceNumber":"a"}}', "jobs.json has jobs that are not a list"),
        (b'{"jobs":[],"jobs":[]}', "jobs.json: jobs is there twice"),
        (b"<!DOCTYPE html><title>Sign in</title>", "jobs.json is not JSON: it begins with '<'"),
        (b'{"jobs" []}', ": is missing before"),
        (b"{jobs:[]}", "a key is missing"),
    ],
)
def test_json_that_is_no_list_of_jobs(content: bytes, message: str) -> None:
    with pytest.raises(FeedUnreadableError, match=message):
        read("jobs.json", content)


def test_objects_of_several_lines_in_a_json_lines_object() -> None:
    with pytest.raises(
        FeedUnreadableError, match=r"write each object on one line, or export an array and name it \.json"
    ):
        read("jobs.jsonl", json.dumps({"referenceNumber": "a"}, indent=2).encode() * 2)


@pytest.mark.parametrize("end", [b"\x1a", b"\x00" * 600_000, b"\n\x1a\x00", b"\x1a\r\n", b"\n\x1a\r\n\x00 "])
def test_marks_at_the_end_of_a_text_are_ignored(end: bytes) -> None:
    assert read("jobs.csv", table(*JOBS) + end) == read("jobs.csv", table(*JOBS))
    assert read("jobs.xml", elements(*JOBS) + end) == read("jobs.xml", elements(*JOBS))
    assert read("jobs.json", array(*JOBS) + end) == (JOBS, [], [])
    assert read("jobs.jsonl", jsonl(*JOBS) + end) == (JOBS, [], [])


def test_an_array_in_a_json_lines_object() -> None:
    with pytest.raises(
        FeedUnreadableError, match=r"holds a JSON array, not a JSON object on each line: name it \.json"
    ):
        read("jobs.jsonl", array({"referenceNumber": "a"}))


# CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"], ids=["crlf", "lf", "cr"])
@pytest.mark.parametrize("key", ["jobs.csv", "jobs.tsv"])
def test_delimiter_and_line_ends_are_told_from_the_file(key: str, delimiter: str, end: str) -> None:
    content = table(
        {"referenceNumber": "a", "description": "x, y; z | t", "city": "Lancaster"},
        {"referenceNumber": "b", "description": "two\nlines", "city": 'the "City"'},
        delimiter=delimiter,
        end=end,
    )

    assert read(key, content)[0] == [
        {"referenceNumber": "a", "description": "x, y; z | t", "city": "Lancaster"},
        {"referenceNumber": "b", "description": "two\nlines", "city": 'the "City"'},
    ]


def test_delimiters_within_quoted_names_of_the_header_do_not_count() -> None:
    content = b'referenceNumber;"pay, min, USD";title\na;1;t\n'

    assert read("jobs.csv", content)[0] == [{"referenceNumber": "a", "pay, min, USD": "1", "title": "t"}]


def test_one_column() -> None:
    assert read("jobs.csv", b"referenceNumber\na\n\nb\n")[0] == [{"referenceNumber": "a"}, {"referenceNumber": "b"}]


def test_what_excel_puts_above_the_header_and_leaves_out_behind_it() -> None:
    content = b"\r\nsep=;\r\nreferenceNumber;title;city;;\r\na;t;;;\r\nb;t\r\n;;;;\r\n\r\nc;t;Lancaster;;x\r\n"

    jobs, problems, warnings = read("jobs.csv", content)

    assert jobs == [
        {"referenceNumber": "a", "title": "t"},
        {"referenceNumber": "c", "title": "t", "city": "Lancaster"},
    ]
    assert problems == [
        "jobs.csv row 5: the row has 2 columns, the header 3: is a separator missing, or was the row cut off?"
    ]
    assert warnings == [
        "column 5 has no name in the header, but values, the first in row 8: they are left out (1, jobs.csv row 3)"
    ]


@pytest.mark.parametrize(
    ("end", "row"), [(b"", 0), (b"   ", 0), (b"\xc2\xa0,\n \n", 0), (b"\x1a", 0), (b"\0\0", 0), (b"(2 rows affected)", 4),
                     (b"\nTotal,2\nPage 1 of 1", 5), (b"Count,2", 4), (b"Average,,1.5", 4)],
)  # fmt: skip
def test_what_other_programs_write_at_the_end(end: bytes, row: int) -> None:
    jobs, problems, warnings = read("jobs.csv", b"referenceNumber,title,pay\na,t,1\nb,u,2\n" + end)

    assert [job["referenceNumber"] for job in jobs] == ["a", "b"]
    assert problems == []
    assert [f"row {row}" in warning for warning in warnings[:1]] == [True] * bool(row)


def test_a_total_in_the_middle_is_a_problem() -> None:
    _, problems, _ = read("jobs.csv", b"referenceNumber,title,pay\na,t,1\nTotal,,1\nb,u,2\n")

    assert problems == ['jobs.csv row 3: the row has "Total" like a footer, but other rows follow']


def test_dashes_under_the_header_are_left_out() -> None:
    jobs, problems, warnings = read("jobs.csv", b"referenceNumber,title\n---------------,-----\na,t\n")

    assert (jobs, problems) == ([{"referenceNumber": "a", "title": "t"}], [])
    assert warnings == ["the row of dashes under the header is left out (1, jobs.csv row 2)"]


@pytest.mark.parametrize("above", [b"Open jobs\n", b'"Open\njobs",2024\n\n', b'Report "x, y\n\n', b"a;b\nc\n"])
def test_a_header_below_other_lines_needs_the_setting(above: bytes) -> None:
    content = above + b"referenceNumber,title,city\na,t,York\nb,u,York\n"
    row = 2 if above == b"Open jobs\n" else 3

    with pytest.raises(FeedUnreadableError, match=f'seems to be in row {row}.*"headerRow": {row}'):
        read("jobs.csv", content)
    jobs, problems, warnings = read("jobs.csv", content, headerRow=row)
    assert ([job["referenceNumber"] for job in jobs], problems, warnings) == (["a", "b"], [], [])
    with pytest.raises(FeedUnreadableError, match=r"has no header in row 9 \(headerRow\)"):
        read("jobs.csv", content, headerRow=9)


def test_a_space_before_a_quotation_mark_does_not_count() -> None:
    content = b'"referenceNumber", "title"\n"a", "CRNA, days"\n"b" , "The ""best"""\n'

    assert [job["title"] for job in read("jobs.csv", content)[0]] == ["CRNA, days", 'The "best"']


def test_a_name_that_is_there_twice() -> None:
    _, problems, warnings = read("jobs.csv", b"referenceNumber,State,Notes,State,Notes\na,PA,x,PA,y\nb,PA,x,NY,x\n")

    assert problems == ['jobs.csv row 3: the row has two different values in the two columns named "State"']
    assert any(warning.startswith('the header has the name "Notes" in columns 3 and 5') for warning in warnings)


def test_a_line_break_in_a_cell_does_not_count_as_a_row() -> None:
    content = b'referenceNumber,description\na,"one\ntwo\r\nthree"\nb,x\nc\xe2\x80\x9d,"y\n"\n,z\n'

    jobs, problems, _ = read("jobs.csv", content)

    assert jobs[0]["description"] == "one\ntwo\r\nthree"
    assert problems == [
        "jobs.csv row 5: the row has a value in one column only: is it a message or a total, or was the export cut off?"
    ]


def test_columns_of_one_name_and_of_none() -> None:
    content = b"referenceNumber,title,title,,city\na,t,t,,x\nb,t,u,,x\nc,,u,7,x\n"

    jobs, problems, warnings = read("jobs.csv", content)

    assert jobs == [
        {"referenceNumber": "a", "title": "t", "city": "x"},
        {"referenceNumber": "c", "title": "u", "city": "x"},
    ]
    assert problems == ['jobs.csv row 3: the row has two different values in the two columns named "title"']
    assert warnings == [
        "column 4 has no name in the header, but values, the first in row 4: they are left out (1, jobs.csv row 1)"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n\n", "jobs.csv has no header: was the export cut off?"),
        (b",,,\n,,,\n", "jobs.csv has no header"),
    ],
)
def test_tables_that_cannot_be_read(content: bytes, message: str) -> None:
    with pytest.raises(FeedUnreadableError, match=message):
        read("jobs.csv", content)


# XML


def test_an_rss_feed() -> None:
    content = b"""<?xml version="1.0"?>
    <rss version="2.0" xmlns:job="https://example.com/jobs" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
      <title>Jobs of Acme</title><atom:link href="https://example.com/rss"/>
      <image><url>https://example.com/logo.png</url><title>Acme</title></image>
      <item id="7">
        <referenceNumber>a</referenceNumber><description><![CDATA[<p>Hi & <b>you</b></p>]]></description>
        <job:city>Lancaster</job:city><pay><min currency="USD">1</min><max>2</max></pay>
        <employmentType>Part-Time</employmentType><employmentType>Locum Tenens</employmentType>
      </item>
      <item><!-- soon --><referenceNumber> b </referenceNumber><title/><city> </city>
        <description>Some <b>bold <i>text</i></b><br/>and more</description><?php echo 1 ?></item>
    </channel></rss>"""

    assert read("jobs.xml", content) == (
        [
            {
                "referenceNumber": "a",
                "description": "<p>Hi & <b>you</b></p>",
                "employmentType": ["Part-Time", "Locum Tenens"],
                "@id": "7",
                "job:city": "Lancaster",
                "pay/min/@currency": "USD",
                "pay/min": "1",
                "pay/max": "2",
            },
            {"referenceNumber": "b", "description": "Some <b>bold <i>text</i></b><br/>and more"},
        ],
        [],
        [],
    )


@pytest.mark.parametrize(
    "content",
    [
        b"<jobs><job><referenceNumber>a</referenceNumber></job></jobs>",
        b"<export><date>today</date><jobs><job><referenceNumber>a</referenceNumber></job></jobs></export>",
        (
            b"<export><agency><name>Acme</name></agency><jobs><job><referenceNumber>a</referenceNumber></job>"
            b"<job><title>t</title></job></jobs></export>"
        ),
        (
            b'<feed xmlns="http://www.w3.org/2005/Atom"><author><name>x</name></author><author><name>y</name></author>'
            b"<entry><referenceNumber>a</referenceNumber></entry></feed>"
        ),
        (
            b"<jobs><job><referenceNumber>a</referenceNumber><list><job><x>1</x></job><job><x>2</x></job></list></job>"
            b"<job><title>t</title></job></jobs>"
        ),
    ],
    ids=["one", "deeper", "after-another", "atom", "of-the-same-name-within"],
)
def test_the_repeated_elements_are_found(content: bytes) -> None:
    jobs, problems, _ = read("jobs.xml", content)

    assert [job["referenceNumber"] for job in jobs] == ["a"]
    assert problems in ([], ["jobs.xml row 2: referenceNumber is missing"])


def test_elements_of_a_namespace_go_by_their_own_names() -> None:
    content = (
        b'<jobs xmlns="urn:ours" xmlns:h="http://www.w3.org/1999/xhtml"><job><referenceNumber>a</referenceNumber>'
        b"<description>x <b>y</b> <h:i>z</h:i></description></job></jobs>"
    )

    jobs, problems, _ = read("jobs.xml", content)

    assert problems == []
    assert jobs == [{"referenceNumber": "a", "description": "x <b>y</b> <i>z</i>"}]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        (b'<job id="7"><referenceNumber>r</referenceNumber></job>', {"@id": "7", "referenceNumber": "r"}),
        (b"<job><a><city>x</city></a><city>y</city></job>", {"a/city": "x", "city": "y"}),
        (b"<job><a>x<b>y</b></a><city>c</city></job>", {"a": "x<b>y</b>", "city": "c"}),
        (b'<job><a x="1" y=" "/><city x="2">y</city></job>', {"a/@x": "1", "city/@x": "2", "city": "y"}),
        (b"<job><city>x</city><city>y</city></job>", {"city": ["x", "y"]}),
        (b"<job><city>x<!-- or not -->y</city></job>", {"city": "xy"}),
        (b"<job> <city>x</city><!-- no --><a/><b> </b></job>", {"city": "x"}),
        (b"<job></job>", {}),
    ],
)
def test_a_row_element_is_read_alike_before_and_after_its_names_are_known(row: bytes, fields: dict[str, Any]) -> None:
    usual = b"<job><referenceNumber>r</referenceNumber><a>b</a><city>c</city></job>"
    document = b"<jobs>%b%b%b%b</jobs>" % (usual, row, usual, row)

    rows = [found for *_, found in read_elements("jobs.xml", iter([document]), FeedSettings())]

    assert rows[1::2] == [fields, fields]
    assert rows[::2] == [{"referenceNumber": "r", "a": "b", "city": "c"}] * 2


def test_a_long_list_before_the_jobs_is_not_taken_for_them() -> None:
    rooms = b"".join(b"<room><id>R%d</id><title>%b</title></room>" % (number, b"x" * 200) for number in range(1500))
    jobs = b"".join(
        b"<job><id>J%d</id><title>t</title><city>c</city><state>PA</state><benefits>b</benefits></job>" % number
        for number in (1, 2)
    )
    document = b"<export><lookup><rooms>%b</rooms></lookup>%b</export>" % (rooms, jobs)
    assert len(document) > 300_000

    found, problems, _ = read("jobs.xml", document, fields={"id": "referenceNumber"})

    assert ([job["referenceNumber"] for job in found], problems) == (["J1", "J2"], [])


@pytest.mark.parametrize(
    "document",
    [
        b"<jobs><job><referenceNumber>1</referenceNumber><g:id>7</g:id></job><job><a>1</a></job></jobs>",
        b"<jobs><job><a>1</a></job><job><description>a<g:b>c</g:b></description></job></jobs>",
        b"<g:jobs><g:job><a>1</a></g:job><g:job><a>2</a></g:job></g:jobs>",
    ],
)
def test_a_prefix_that_is_not_declared_is_named(document: bytes) -> None:
    with pytest.raises(FeedUnreadableError, match=r'Namespace prefix g .* declare it, as in xmlns:g="'):
        read("jobs.xml", document)


def test_xml_without_a_job() -> None:
    assert read("jobs.xml", b"<rss><channel><title>none today</title></channel></rss>")[0] == []
    with pytest.raises(FeedUnreadableError, match=r"is not well-formed XML: Start tag expected"):
        read("jobs.xml", b"Service unavailable")


# Workbooks


def test_a_workbook_with_cells_of_every_type() -> None:
    content = workbook(
        ["referenceNumber", "postalCode", "startDate", "shiftsPerWeek", "payAmountMin", "open", "seen"],
        [10023, 2134, ("date", 45353), 4, 737.5, True, ("date", 45353.5)],
        [],
        ["b", "17603", "3/2/2024", "4", "$737.50", None, None],
        ["c", 0, None, 2.5, None, None, None],
    )

    jobs, problems, _ = read("jobs.xlsx", content)

    assert jobs == [
        {
            "referenceNumber": "10023",
            "postalCode": "02134",
            "startDate": "2024-03-02",
            "shiftsPerWeek": 4,
            "payAmountMin": "737.50",
            "open": "true",
            "seen": "2024-03-02T12:00:00",
        },
        {
            "referenceNumber": "b",
            "postalCode": "17603",
            "startDate": "2024-03-02",
            "shiftsPerWeek": 4,
            "payAmountMin": "737.50",
        },
    ]
    assert problems == [
        (
            'jobs.xlsx row 5: postalCode "0" is not a ZIP: five digits are needed, such as 17603, or 17603-1234; '
            'shiftsPerWeek "2.5" is not a whole number'
        )
    ]


def test_a_workbook_whose_header_is_not_in_the_first_row() -> None:
    content = workbook(["referenceNumber", "state"], ["a", "PA"], ["b", "MC"], start=4)

    jobs, problems, _ = read("jobs.xlsx", content)

    assert jobs == [{"referenceNumber": "a", "state": "PA"}]
    assert problems[0].startswith('jobs.xlsx row 6: state "MC"')


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (workbook(), "has no header"),
        (b"referenceNumber\na\n", "is not a workbook that can be read"),
        (workbook(["referenceNumber"], ["a"])[:-40], "is not a workbook that can be read"),
    ],
)
def test_workbooks_that_cannot_be_read(content: bytes, message: str) -> None:
    with pytest.raises(FeedUnreadableError, match=message):
        read("jobs.xlsx", content)


def test_a_workbook_with_another_name(tmp_path: Path) -> None:
    with pytest.raises(
        FeedUnreadableError, match=r"^jobs\.csv is a ZIP archive or a workbook, not what its name says$"
    ):
        payload_of({"jobs.csv": workbook(["referenceNumber"], ["a"])}, tmp_path)
    with pytest.raises(
        FeedUnreadableError,
        match=r"^jobs\.json is an old Excel workbook, or one with a password, not what its name says$",
    ):
        payload_of({"jobs.json": b"\xd0\xcf\x11\xe0 and so on"}, tmp_path)


def test_warnings_of_a_kind_are_counted_and_name_their_first_row(tmp_path: Path) -> None:
    payload = payload_of({"jobs.csv": table(*({"referenceNumber": n, "state": "Texas"} for n in range(30)))}, tmp_path)

    assert warnings_of(payload) == ['state: "Texas" is sent as "TX" (30, jobs.csv row 2)']
    assert payload.warnings == 30
