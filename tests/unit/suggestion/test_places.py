"""In which encoding an export is, and where in it the jobs are."""

import codecs
import json
from typing import Any

import pytest

from jobferry.errors import FeedMissingError, FeedUnreadableError
from jobferry.suggestion.places import Suggestion, suggest
from jobferry.suggestion.terms import Terms
from tests.feeds import Objects, listed, table

CAFE = table({"referenceNumber": "LT-1", "title": "Café, days"}).decode()
PLAIN = table({"referenceNumber": "LT-2", "title": "Days"})
XML = "<jobs><job><referenceNumber>LT-1</referenceNumber><title>Café</title></job></jobs>"


def suggested(**objects: bytes) -> Suggestion:
    """Propose for objects; the part of a name after the last underscore is the suffix."""
    named = {key.replace("_", "."): content for key, content in objects.items()}
    return suggest(listed(named), Objects(named), Terms())


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (CAFE.encode(), None),
        (PLAIN, None),
        (CAFE.encode("cp1252"), "cp1252"),
        (CAFE.encode("utf-16-le"), "utf-16-le"),
        (CAFE.encode("utf-16-be"), "utf-16-be"),
        (codecs.BOM_UTF16_LE + CAFE.encode("utf-16-le"), None),
        (codecs.BOM_UTF8 + CAFE.encode(), None),
    ],
)
def test_an_encoding_is_set_only_where_the_bytes_do_not_say_it(content: bytes, encoding: str | None) -> None:
    found = suggested(jobs_csv=content)
    assert found.settings.get("encoding") == encoding
    assert found.rows == 1


def test_an_xml_file_that_declares_its_encoding_needs_no_setting() -> None:
    assert suggested(jobs_xml=f'<?xml version="1.0" encoding="cp1252"?>{XML}'.encode("cp1252")).settings == {}
    assert suggested(jobs_xml=XML.encode("cp1252")).settings == {"encoding": "cp1252"}


def test_files_in_plain_letters_have_any_encoding() -> None:
    assert suggested(a_csv=PLAIN, b_csv=CAFE.encode("cp1252")).settings == {"encoding": "cp1252"}


def test_files_in_two_encodings_have_no_common_setting() -> None:
    with pytest.raises(FeedUnreadableError, match=r"b\.csv"):
        suggested(a_csv=CAFE.encode(), b_csv=CAFE.replace("LT-1", "LT-2").encode("cp1252"))


def test_no_file_is_no_feed() -> None:
    with pytest.raises(FeedMissingError):
        suggested()


ROWS = [{"referenceNumber": "LT-1", "title": "CRNA", "state": "PA"}]


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        (ROWS, None),
        ({"jobs": ROWS}, None),
        ({"data": ROWS}, "data"),
        ({"data": {"items": ROWS, "facets": [{"id": 1, "name": "PA"}]}}, "data.items"),
        ({"users": [{"id": 7, "title": "Recruiter"}], "openings": ROWS}, "openings"),
    ],
)
def test_the_list_with_the_jobs_is_found(document: Any, rows: str | None) -> None:
    assert suggested(jobs_json=json.dumps(document).encode()).settings.get("rows") == rows


def test_the_elements_that_are_jobs_are_found_among_others() -> None:
    others = "".join(f"<contact><id>{n}</id><name>Ann</name></contact>" for n in range(3))
    jobs = "".join(
        f"<opening><ref>R{n}</ref><position><jobtitle>CRNA {n}</jobtitle></position></opening>" for n in range(2)
    )
    found = suggested(export_xml=f"<export><staff>{others}</staff><list>{jobs}</list></export>".encode())
    assert found.settings["rows"] == "opening"
    assert found.rows == 2


def test_a_header_below_a_title_is_found() -> None:
    found = suggested(
        jobs_csv=b"Open jobs\r\nMade on 2026-11-27,,\r\n\r\nJob ID,Job Title,ST\r\nA1,CRNA,PA\r\nA2,NP,MA\r\n"
    )
    assert found.settings["headerRow"] == 4
    assert found.settings["fields"] == {"Job ID": "referenceNumber", "Job Title": "title", "ST": "state"}
