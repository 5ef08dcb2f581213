"""What looks like jobs and is not read, or not right, is told and protects all postings."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.formats.xml import read_elements
from jobferry.feeds.settings import FeedSettings
from tests.feeds import jobs_of, payload_of, problems_of, sheet, sheets, table, warnings_of, workbook
from tests.stage import Stage

ROWS = [{"referenceNumber": f"J{number:03d}", "title": "CRNA", "city": "York", "state": "PA"} for number in range(20)]
SOUND = [row["referenceNumber"] for row in ROWS]


def element(row: dict[str, str], name: str = "job") -> str:
    return f"<{name}>{''.join(f'<{key}>{value}</{key}>' for key, value in row.items())}</{name}>"


def document(*parts: str) -> bytes:
    return f"<export>{''.join(parts)}</export>".encode()


def listed(rows: list[dict[str, str]], name: str = "jobs", row: str = "job") -> str:
    return f"<{name}>{''.join(element(each, row) for each in rows)}</{name}>"


def references(payload: Any) -> list[str]:
    return sorted(job["referenceNumber"] for job in jobs_of(payload))


# XML


@pytest.mark.parametrize(
    "content",
    [
        document(listed(ROWS[:15]), listed(ROWS[15:], "featured")),
        document(listed(ROWS[15:], "featured"), listed(ROWS[:15])),
        document(listed(ROWS[:15]), f"<more><deep>{listed(ROWS[15:], 'urgent')}</deep></more>"),
        document(listed(ROWS[:15]), listed(ROWS[15:], "unfilled")),
        document(listed(ROWS[:15]), *(f"<office>{element(row)}</office>" for row in ROWS[15:])),
        document(listed(ROWS[:15]), f'<jobs xmlns="urn:new">{"".join(map(element, ROWS[15:]))}</jobs>'),
    ],
    ids=["after", "before", "deeper", "unfilled", "each-in-its-own", "namespace"],
)
def test_jobs_under_another_parent_are_read(content: bytes, tmp_path: Path) -> None:
    payload = payload_of({"jobs.xml": content}, tmp_path)

    assert references(payload) == SOUND
    assert payload.unprotected == 0


def test_jobs_under_another_parent_are_told(tmp_path: Path) -> None:
    payload = payload_of({"jobs.xml": document(listed(ROWS[:15]), listed(ROWS[15:], "featured"))}, tmp_path)

    assert warnings_of(payload) == [
        "a row is in <featured>, not in <jobs>, and is read like the others (5, jobs.xml row 16)"
    ]


@pytest.mark.parametrize(
    ("content", "name", "where"),
    [
        (document(listed(ROWS[:15]), listed(ROWS[15:], "jobs", "locumJob")), "jobs/locumJob", "after row 15"),
        (document(listed(ROWS[15:], "x", "Job"), listed(ROWS[:15])), "x/Job", "before row 1"),
        (document(listed(ROWS[:15]), listed(ROWS[15:], "closedJobs")), "closedJobs/job", "after row 15"),
        (
            document(
                f"<jobs>{''.join(map(element, ROWS[:15]))}{''.join(element(row, 'o') for row in ROWS[15:])}</jobs>"
            ),
            "jobs/o",
            "after row 15",
        ),
        (
            document(listed([*ROWS[:14], ROWS[14] | {"related": "".join(map(element, ROWS[15:]))}])),
            "jobs/job/related/job",
            "after row 14",
        ),
    ],
)
def test_jobs_of_another_name_are_a_problem(content: bytes, name: str, where: str, tmp_path: Path) -> None:
    payload = payload_of({"jobs.xml": content}, tmp_path)

    assert references(payload) == SOUND[:15]
    assert problems_of(payload)[0].startswith(
        f"jobs.xml: the object has 5 elements <{name}> like a job, the first {where}"
    )
    assert (payload.unprotected, len(problems_of(payload))) == (1, 1)


def test_jobs_of_attributes_under_another_parent_protect_nothing(tmp_path: Path) -> None:
    others = "".join(f'<job referenceNumber="{row["referenceNumber"]}" title="t"/>' for row in ROWS[15:])
    payload = payload_of({"jobs.xml": document(listed(ROWS[:15]), f"<featured>{others}</featured>")}, tmp_path)

    assert references(payload) == SOUND[:15]
    assert payload.unprotected == 5


@pytest.mark.parametrize("gap", ["<!--{}-->", "{}", "<logo>{}</logo>", "<rooms>{}</rooms>"])
@pytest.mark.parametrize("root", ["export", "rss"])
def test_jobs_after_a_megabyte_of_something_else_are_found(gap: str, root: str, tmp_path: Path) -> None:
    gap = gap.format(" " * 1_200_000)
    rows = "".join(element(row, "item") for row in ROWS)
    content = f"<{root}>{gap}<channel><list>{rows}</list></channel></{root}>".encode()

    payload = payload_of({"jobs.xml": content}, tmp_path)

    assert references(payload) == SOUND
    assert problems_of(payload) == []


def test_a_document_that_never_comes_to_a_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedUnreadableError, match=r"^jobs\.xml "):
        payload_of({"jobs.xml": document(f"<!--{' ' * 999_999}-->" * 17, listed(ROWS))}, tmp_path)


def test_memory_does_not_grow_with_the_channels_of_an_rss_feed() -> None:
    item = "<item><referenceNumber>a</referenceNumber><title>t</title></item>"
    content = f"<rss>{f'<channel><title>x</title>{item}</channel>' * 2_000}</rss>".encode()
    rows = read_elements("jobs.xml", iter([content]), FeedSettings())
    for number, *_ in rows:
        if number == 1_000:
            break

    assert inspect.isgenerator(rows)
    assert rows.gi_frame.f_locals["above"].getprevious() is None  # The channels before this one are gone.


@pytest.mark.parametrize("inner", ["", "<jobs>{}</jobs>", "<page><jobs>{}</jobs></page>"])
@pytest.mark.parametrize("before", [False, True])
def test_jobs_in_an_element_that_says_they_are_closed_are_never_posted(
    inner: str, before: bool, tmp_path: Path
) -> None:
    """Wherever that element is, above them or first in the document."""
    closed = f"<closedJobs>{(inner or '{}').format(''.join(map(element, ROWS[15:])))}</closedJobs>"
    jobs = listed(ROWS[:15])
    payload = payload_of({"jobs.xml": document(*([closed, jobs] if before else [jobs, closed]))}, tmp_path)

    assert references(payload) == SOUND[:15]
    assert "like a job" in problems_of(payload)[0]


def test_a_whole_document_of_archived_jobs_is_read(tmp_path: Path) -> None:
    content = f"<archive>{listed(ROWS[:15])}{listed(ROWS[15:], 'featured')}</archive>".encode()

    assert references(payload_of({"jobs.xml": content}, tmp_path)) == SOUND


def test_the_picture_and_the_search_field_of_an_rss_feed_are_no_jobs(tmp_path: Path) -> None:
    """They have names that the items have, too."""
    about = "<title>t</title><link>l</link><description>d</description>"
    items = "".join(f"<item>{about}<guid>{each}</guid></item>" for each in SOUND)
    content = (
        f"<rss><channel>{about}<image>{about}<url>u</url></image>{items}<textInput>{about}</textInput></channel></rss>"
    )
    payload = payload_of({"jobs.rss": content.encode()}, tmp_path, fields={"guid": "referenceNumber"})

    assert (references(payload), problems_of(payload)) == (SOUND, [])


@pytest.mark.parametrize("said", ["0", "none", "No error", "false", "\n"])
def test_an_error_element_that_says_there_is_none(said: str, tmp_path: Path) -> None:
    payload = payload_of({"jobs.xml": document(f"<error>{said}</error>", listed(ROWS))}, tmp_path)

    assert (references(payload), problems_of(payload)) == (SOUND, [])


def test_an_error_beside_the_jobs_of_a_document(tmp_path: Path) -> None:
    payload = payload_of({"jobs.xml": document(listed(ROWS), "<error>upstream timed out</error>")}, tmp_path)

    assert references(payload) == SOUND
    assert problems_of(payload) == ["jobs.xml: the object has <error> beside its jobs: upstream timed out"]
    assert payload.unprotected == 1


# JSON


@pytest.mark.parametrize(
    ("others", "path"),
    [
        ({"featured": ROWS[15:]}, "featured"),
        ({"page2": {"jobs": ROWS[15:]}}, "page2.jobs"),
        ({"pages": [{"list": ROWS[15:18]}, {"list": ROWS[18:]}]}, "pages.list"),
        ({"byId": [{"x": row} for row in ROWS[15:]]}, "byId.x"),
        ({"old": [{"REFERENCE_NUMBER": row["referenceNumber"]} for row in ROWS[15:]]}, "old"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_jobs_under_another_key_are_a_problem(others: dict[str, Any], path: str, first: bool, tmp_path: Path) -> None:
    jobs = {"jobs": ROWS[:15]}
    content = json.dumps(others | jobs if first else jobs | others).encode()

    payload = payload_of({"jobs.json": content}, tmp_path)

    assert references(payload) == SOUND[:15]
    (problem,) = problems_of(payload)
    assert problem.startswith(
        f'jobs.json: the object has 5 objects like a job in "{path}", which cannot be read: export'
    )
    assert payload.unprotected == 1


@pytest.mark.parametrize("fault", [{"error": "upstream timed out"}, {"errors": [{"code": 5}]}, {"success": False}])
def test_an_error_beside_the_jobs_of_an_object(fault: dict[str, Any], tmp_path: Path) -> None:
    for number, rows in enumerate((ROWS, [])):
        directory = tmp_path / str(number)
        directory.mkdir()
        payload = payload_of({"a.json": json.dumps(fault | {"jobs": rows}).encode()}, directory)

        assert len(payload.references) == len(rows)
        assert payload.unprotected == 1
        assert problems_of(payload)[0].startswith(f'a.json: the object has "{next(iter(fault))}" beside its jobs: ')


@pytest.mark.parametrize(
    "said",
    [
        {"error": "none"}, {"error": "0"}, {"errors": {"count": 0}}, {"error": {"code": 0, "message": "OK"}}, {"error": "false"},
        {"success": True}, {"success": 1}, {"success": "true"}, {"hasMore": False}, {"next": None}, {"next": ""},
        {"next": "2026-11-25"}, {"paging": {"nextPage": 0, "next_cursor": None}}, {"truncated": "false"}, {"total": 20},
    ],
)  # fmt: skip
def test_an_answer_that_says_all_is_well(said: dict[str, Any], tmp_path: Path) -> None:
    payload = payload_of({"a.json": json.dumps(said | {"jobs": ROWS}).encode()}, tmp_path)

    assert (references(payload), problems_of(payload)) == (SOUND, [])


@pytest.mark.parametrize(
    "said",
    [
        {"success": "false"}, {"success": 0}, {"errorMessage": "timed out"}, {"ERROR_MESSAGE": "x"}, {"error": {"code": 504}},
        {"hasMore": True}, {"has_more": "true"}, {"nextPageToken": "CAUQAA"}, {"@odata.nextLink": "https://x/?skip=20"},
        {"next": "https://x/?page=2"}, {"next": "/jobs?page=2"}, {"truncated": True}, {"meta": {"pagination": {"next_page": 2}}},
        {"links": {"next": {"href": "https://x/?page=2"}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [False, True])
def test_an_answer_that_failed_or_is_one_page_of_several(said: dict[str, Any], first: bool, tmp_path: Path) -> None:
    jobs: dict[str, Any] = {"jobs": ROWS}
    payload = payload_of({"a.json": json.dumps(said | jobs if first else jobs | said).encode()}, tmp_path)

    assert references(payload) == SOUND
    assert (payload.unprotected, len(problems_of(payload))) == (1, 1)
    assert problems_of(payload)[0].endswith("was it exported completely?")


# Workbooks


def two_sheets(first: bytes, second: bytes) -> bytes:
    return sheets({"Jobs": first, "Featured": second})


def test_jobs_on_another_sheet_are_a_problem(tmp_path: Path) -> None:
    payload = payload_of({"jobs.xlsx": two_sheets(sheet(*ROWS[:15]), sheet(*ROWS[15:]))}, tmp_path)

    assert references(payload) == SOUND[:15]
    assert payload.unprotected == 1
    assert problems_of(payload)[0].startswith(
        'jobs.xlsx: the object has rows with the columns of jobs on other sheets, which are not read: "Featured"; put all'
    )


@pytest.mark.parametrize(
    "other", [workbook(["clinic", "phone"], ["a", "1"]), workbook(), sheet(*[dict.fromkeys(ROWS[0], "")])]
)
def test_other_sheets_without_jobs_do_not_matter(other: bytes, tmp_path: Path) -> None:
    payload = payload_of({"jobs.xlsx": two_sheets(sheet(*ROWS), other)}, tmp_path)

    assert references(payload) == SOUND
    assert problems_of(payload) == []


# All of it in a full sync


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("jobs.xml", document(listed(ROWS)), document(listed(ROWS[:18]), listed(ROWS[18:], "x", "locumJob"))),
        ("jobs.json", json.dumps({"jobs": ROWS}), json.dumps({"jobs": ROWS[:18], "featured": ROWS[18:]})),
        ("jobs.json", json.dumps({"jobs": ROWS}), json.dumps({"error": "timed out", "jobs": ROWS[:18]})),
        ("jobs.xlsx", sheet(*ROWS), two_sheets(sheet(*ROWS[:18]), sheet(*ROWS[18:]))),
        ("jobs.csv", table(*ROWS), table(*ROWS[:18]) + b"ORA-03113: end-of-file on communication channel\r\n"),
        ("jobs.csv", table(*ROWS), table(*ROWS[:18]) + b"J0,Locum\r\n"),
        ("jobs.csv", table(*ROWS), table(*ROWS[:18]) + b"<br />\r\n<b>Fatal error</b>: x, in y, on, line 5\r\n"),
        ("jobs.csv", table(*ROWS), table(*ROWS).replace(b"J003,CRNA", b'J003,"CRNA').replace(b"J006,CRNA", b'J006,CRNA"')),
        ("jobs.csv", table(*ROWS), table(*ROWS[:19], ROWS[19] | {"referenceNumber": "1.23457E+11"})),
        ("jobs.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in ROWS),
         b"".join(json.dumps(row | {"referenceNumber": f"\ue000{row['referenceNumber']}"} if row is ROWS[3] else row).encode()
                  + b"\n" for row in ROWS)),
    ],
)  # fmt: skip
def test_nothing_is_deleted_and_no_garbage_posted(name: str, before: Any, after: Any) -> None:
    stage = Stage()
    stage.settings(deleteJobs=True)
    stage.put(name, before if isinstance(before, bytes) else before.encode())
    stage.complete()
    assert stage.complete().deletions.delete_jobs
    assert stage.postings() == SOUND

    stage.put(name, after if isinstance(after, bytes) else after.encode())
    record = stage.complete()

    assert stage.postings() == SOUND
    assert record.ending.cause == "feed-invalid" or "unprotected-rows" in record.deletions.because
