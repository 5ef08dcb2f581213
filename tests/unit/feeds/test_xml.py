"""XML as exports really write it: where the rows are, what is in them, and rows that are not well-formed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.formats.xml import read_elements
from jobferry.feeds.formats.xml_pieces import _Pieces
from jobferry.feeds.rows import BOARD_FIELDS, UnreadableRow
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.fields import FIELDS
from tests.feeds import read

JOB = "<job><referenceNumber>{}</referenceNumber><title>CRNA</title><city>York</city></job>"


def jobs(*references: str) -> str:
    return "".join(map(JOB.format, references))


def references(content: str, **settings: Any) -> list[str]:
    return [job["referenceNumber"] for job in read("jobs.xml", content.encode(), **settings)[0]]


def only_job(content: str, **settings: Any) -> dict[str, Any]:
    (job,), problems, _ = read("jobs.xml", content.encode(), **settings)
    assert problems == []
    return job


def test_the_reader_knows_the_board_s_fields() -> None:
    assert set(BOARD_FIELDS.values()) == set(FIELDS)


# Where the rows are


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (f"<export><meta><date>x</date><count>1</count></meta><jobs>{jobs('a')}</jobs></export>", {}),
        (f"<source>{jobs('a').replace('</job>', '<l><o><name>x</name></o><o><name>y</name></o></l></job>')}</source>", {}),
        (f"<x><o><id>1</id><name>n</name></o><o><id>2</id><name>n</name></o><jobs>{jobs('a')}</jobs></x>", {}),
        (f"<x><o><id>1</id><city>n</city></o><o><id>2</id><city>n</city></o><js>{jobs('a')}</js></x>", {"fields": {"id": "x"}}),
        ("<x><y><z>1</z></y><y><z>1</z></y><jobs><job><Reference-Number>a</Reference-Number></job></jobs></x>",
         {"fields": {"Reference-Number": "referenceNumber"}}),
        ("<x><o><id>1</id></o><o><id>2</id></o><j><id>a</id><title>t</title></j></x>", {"fields": {"id": "referenceNumber"}}),
        ('<x><y><z>1</z></y><y><z>2</z></y><job><ids own="a"/><title>t</title></job></x>',
         {"fields": {"ids/@own": "referenceNumber"}}),
        ('<x><y><z>1</z></y><y><z>2</z></y><job number="a"/></x>', {"fields": {"@number": "referenceNumber"}}),
        (f"<x><item><n>1</n></item><item><n>2</n></item>{jobs('a')}</x>", {"rows": "job"}),
        (f'<x xmlns:p="urn:p">{jobs("a").replace("<job", "<p:job").replace("</job", "</p:job")}</x>', {"rows": "job"}),
        (f'<x xmlns:p="urn:p">{jobs("a").replace("<job", "<p:job").replace("</job", "</p:job")}</x>', {"rows": "p:job"}),
    ],
)  # fmt: skip
def test_the_rows_have_the_reference_number(content: str, settings: dict[str, Any]) -> None:
    assert references(content, **settings) == ["a"]


@pytest.mark.parametrize(
    "content",
    [
        "<x><section><heading>a</heading></section><entries><entry><place>y</place></entry></entries></x>",
        "<x><a><b>1</b></a><a><b>2</b></a><c><d>1</d></c><c><d>2</d></c></x>",
        "<x><name>only</name></x>",
    ],
)
def test_where_the_rows_cannot_be_told_the_setting_is_named(content: str) -> None:
    with pytest.raises(FeedUnreadableError, match=r'Name their element in feed\.json, for instance "rows": "job"'):
        read("jobs.xml", content.encode())


def test_a_setting_rows_that_names_no_element() -> None:
    with pytest.raises(FeedUnreadableError, match=r"^jobs\.xml has no element <vacancy>, which the setting rows names"):
        read("jobs.xml", f"<x>{jobs('a')}</x>".encode(), rows="vacancy")
    assert references("<x/>", rows="vacancy") == []


def test_the_setting_rows_means_every_element_of_that_name() -> None:
    content = f"<x><a>{jobs('a')}</a><b><c>{jobs('b')}<job><other>1</other></job></c></b></x>"

    found, problems, _ = read("jobs.xml", content.encode(), rows="job")

    assert [job["referenceNumber"] for job in found] == ["a", "b"]
    assert problems == ["jobs.xml row 3: referenceNumber is missing"]


# What is in them


@pytest.mark.parametrize(
    ("inner", "settings", "expected"),
    [
        ("<text>a <b>b</b><br/>c</text>", {"text": "description"}, {"description": "a <b>b</b><br/>c"}),
        ("<Benefits><p>a</p></Benefits>", {}, {"benefits": "<p>a</p>"}),
        ("<title>NP <b>ur</b>gent<br/>need</title>", {}, {"title": "NP urgent need"}),
        ("<city><b>York</b></city>", {}, {"city": "York"}),
        ("<city><name>York</name><code>1</code></city>", {}, {"city/name": "York", "city/code": "1"}),
        ("<note>a <b>b</b> c</note>", {}, {"note": "a <b>b</b> c"}),
        ("<note><x>a</x><x>b</x></note>", {}, {"note/x": ["a", "b"]}),
        ("<text>a <b>b</b></text>", {"text/b": "title"}, {"title": "b", "text": "a"}),
        ('<place city="York" zip=" "/>', {"place/@city": "city"}, {"city": "York"}),
        ('<a><y c="1">2</y></a>', {}, {"a/y/@c": "1", "a/y": "2"}),
        ('<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true" xml:lang="en"/>', {}, {}),
    ],
)  # fmt: skip
def test_elements_with_elements_or_attributes(inner: str, settings: dict[str, str], expected: dict[str, str]) -> None:
    job = only_job(f"<jobs><job><referenceNumber>a</referenceNumber>{inner}</job></jobs>", fields=settings)

    assert {name: value for name, value in job.items() if name != "referenceNumber"} == expected


def test_text_that_no_field_has_is_told() -> None:
    _, problems, warnings = read(
        "jobs.xml", f"<x>{jobs('a').replace('<city>', 'lost<city>')}gone{jobs('b')}</x>".encode()
    )

    assert warnings == ["a row has text between its fields, which is not read: lost (1, jobs.xml row 1)"]
    assert problems == ["jobs.xml: the object has text between its jobs, which is not read: gone"]


def test_a_field_within_another_s_text_is_a_problem() -> None:
    content = f"<jobs>{jobs('a', 'b')}{jobs('c').replace('</title>', '').replace('</city>', '</city></title>')}</jobs>"

    _, problems, _ = read("jobs.xml", content.encode())

    assert problems == ["jobs.xml row 3: the row has <city> in the text of <title>: is </title> in the wrong place?"]


@pytest.mark.parametrize("before", ["\n", " \r\n\n", "\ufeff", "\n\ufeff\n"])
@pytest.mark.parametrize("declared", ["", '<?xml version="1.0" encoding="UTF-8"?>'])
def test_what_is_blank_before_the_document_does_not_matter(before: str, declared: str) -> None:
    assert references(f"{before}{declared}<jobs>{jobs('a')}</jobs>") == ["a"]


# Rows that are not well-formed


def rows_of(content: str) -> list[Any]:
    return list(read_elements("jobs.xml", iter([content.encode()]), FeedSettings()))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("<job><title>A & B</title></job>", "is there an & that is not written as &amp;?"),
        ("<job><title>A < B</title></job>", "StartTag: invalid element name"),
        ("<job><title>A&nbsp;B</title></job>", "XML has no such entity"),
        ("<job><title>A\x0bB</title></job>", "a control character"),
        ("<job><title>A<city></title></city></job>", "Opening and ending tag mismatch: city and title"),
        ("<job><title>A</job>", "Opening and ending tag mismatch: title and job"),
        ("<job><title>A</title>", "has no </job>"),
        ("<job><title>A", "has no </job>"),
        ('<job id="1><title>A</title></job>', "Unescaped '<' not allowed in attributes values"),
        ("<job><title><![CDATA[A</title></job>", "CData section not finished"),
        ("<job><!-- x <title>A</title></job>", "Comment not terminated"),
        ("<job><title>A</title></Job>", "has no </job>"),
        ("job><title>A</title></job>", "Opening and ending tag mismatch: jobs and job"),
    ],
)
@pytest.mark.parametrize("place", [1, 3])
def test_a_row_that_is_not_well_formed_costs_one_row(bad: str, message: str, place: int) -> None:
    rows = [JOB.format(reference) for reference in "abc"]
    rows.insert(place, bad)

    found = rows_of("<jobs>\n" + "\n".join(rows) + "\n</jobs>")

    assert [row["referenceNumber"] for *_, row in found if isinstance(row, dict)] == ["a", "b", "c"]
    found = [each for each in found if each[0] is not None]  # what is left of a start tag is told as a text, too
    ((number, line, unreadable),) = [each for each in found if isinstance(each[2], UnreadableRow)]
    assert (number, line) == (place + 1, place + 2)
    assert message in unreadable.message or (place == 3 and "tag mismatch" in unreadable.message)
    assert [number for number, *_ in found] == [1, 2, 3, 4]
    assert [line for _, line, _ in found] == [2, 3, 4, 5]


def test_every_second_row_may_be_faulty() -> None:
    found = rows_of("<jobs>" + (JOB.format("a") + "<job>&</job>") * 2_000 + "</jobs>")

    assert [isinstance(row, UnreadableRow) for *_, row in found] == [False, True] * 2_000


@pytest.mark.parametrize(
    "content",
    [
        f"<x><jobs>{jobs('a')}</jobs><closedJobs x><jobs>{jobs('b')}</jobs></closedJobs></x>",
        f"<x><jobs>{jobs('a')}</jobs><closedJobs><job>&</job>{jobs('b')}</jobs></x>",
        f"<x><jobs>{jobs('a')}<job>&</job></jobs>{jobs('b')}</closedJobs></x>",
        f"<x><jobs>{jobs('a')}<job>&</job>{jobs('b')}</jobs>",
        f"<jobs>{jobs('a')}</jobs><jobs>{jobs('b')}</jobs>",
        f"<jobs>{jobs('a')}<!-- {jobs('b')}<job>&</job>{jobs('c')}</jobs>",
        f"<jobs>{jobs('a')}<job><referenceNumber>b</referenceNumber><l>{jobs('c')}<job>&</job></l></job></jobs>",
    ],
)
def test_where_a_fault_leaves_open_what_the_jobs_are_in_the_document_is_refused(content: str) -> None:
    with pytest.raises(FeedUnreadableError, match=r"^jobs\.xml is not well-formed XML: "):
        rows_of(content)


def test_jobs_that_are_commented_out_are_not_read() -> None:
    commented = f"<!-- {jobs('x', 'y')} -->"
    found = rows_of(f"<jobs>{commented}{jobs('a')}{commented}\n{commented}{jobs('b')}{commented}</jobs>")

    assert [row["referenceNumber"] for *_, row in found] == ["a", "b"]


def test_a_faulty_row_after_jobs_that_are_commented_out() -> None:
    found = rows_of(f"<jobs>{jobs('a')}<!-- {jobs('x', 'y')} --><job><![CDATA[</job><job>]]></job>{jobs('b')}</jobs>")

    assert [type(row).__name__ for *_, row in found if row] == ["dict", "UnreadableRow", "UnreadableRow", "dict"]


def test_a_child_with_the_rows_name() -> None:
    row = "<position><referenceNumber>{}</referenceNumber><position>RN</position></position>"
    found = rows_of(f"<x>{row.format('a')}{row.format('b')}</x>")

    assert [row for *_, row in found] == [{"referenceNumber": each, "position": "RN"} for each in "ab"]


def test_lines_beyond_what_the_parser_counts() -> None:
    row = "<job>\n<referenceNumber>a</referenceNumber>\n\n</job>\n"
    found = rows_of("\n<jobs>\n" + row * 30_000 + "<job>\n&</job>\n" + row + "</jobs>")

    assert [line for _, line, _ in found[:-2]] == [3 + 4 * number for number in range(30_000)]
    assert [line for _, line, _ in found[-2:]] == [120_003, 120_005]


_PARTS = [
    "<job>",
    "</job>",
    "<job/>",
    "<a>",
    "</a>",
    "x",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&",
    '"',
    "<b/>",
    "</jobs>",
]


@given(parts=st.lists(st.sampled_from(_PARTS), max_size=12))
def test_what_a_strict_parser_refuses_is_told(parts: list[str]) -> None:
    content = f"<jobs>{jobs('a')}{''.join(parts)}{jobs('b')}</jobs>"
    try:
        found = [row for *_, row in rows_of(content)]
    except FeedUnreadableError:
        return
    if any(isinstance(row, UnreadableRow) for row in found):
        return
    rows = [getattr(row, "fields", row) for row in found]
    expected = [row.findtext("referenceNumber") for row in etree.fromstring(content).iter("job")]
    assert [row.get("referenceNumber") for row in rows] == expected


def test_white_space_between_the_elements_of_markup_stays() -> None:
    inner = "<description><b>two</b> <i>words</i>\n<br/> <b>x</b></description><title><b>two</b> <i>words</i></title>"
    job = f"<job><referenceNumber>a</referenceNumber>{inner}</job>"

    for _, _, row in rows_of(f'<h:x xmlns:h="urn:h"><y>\n{job}\n</y><z>{job}{job}</z></h:x>'):
        assert getattr(row, "fields", row) == {
            "referenceNumber": "a",
            "description": "<b>two</b> <i>words</i>\n<br/> <b>x</b>",
            "title": "two words",
        }


def test_metadata_with_a_reference_number_is_not_taken_for_the_only_job() -> None:
    content = (
        b"<export><meta><referenceNumber>EXPORT-7</referenceNumber></meta>"
        b"<job><id>1</id><title>RN</title><city>York</city></job></export>"
    )
    with pytest.raises(FeedUnreadableError, match=r'<meta> has only a reference number, .* "rows": "job"'):
        read("jobs.xml", content)
    assert read("jobs.xml", content, rows="job", fields={"id": "referenceNumber"})[0] == [
        {"referenceNumber": "1", "title": "RN", "city": "York"}
    ]


@pytest.mark.parametrize(
    "rows",
    [
        '<job referenceNumber="a" title="pay &lt; 5"/><job referenceNumber="b" title="c"/>',
        '<job referenceNumber="a" title="pay < 5"/><job referenceNumber="b" title="pay < 6"/><job referenceNumber="c"/>',
        '<job referenceNumber="a" title="a <job b"/><job referenceNumber="b" title="c"/>',
        "<job><referenceNumber>a</referenceNumber><title><![CDATA[a < b]]></title></job  ><job><referenceNumber>b</referenceNumber></job>",
        "<!-- <job a='<'/> --><job referenceNumber='a' title='>/'/><job\n referenceNumber='b' title='\"'/>",
    ],
)
def test_it_does_not_matter_where_a_chunk_ends(rows: str) -> None:
    content = f"<jobs>{rows}</jobs>".encode()

    def pieces(*chunks: bytes) -> list[tuple[bytes, bool]]:
        found, reader = [(b"", False)], _Pieces("a.xml", "job", iter(chunks))
        while not found[-1][1]:
            found.append(reader.take())
        return found

    for end in range(1, len(content)):
        assert pieces(content[:end], content[end:]) == pieces(content), content[:end]
