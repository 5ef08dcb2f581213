"""Feeds in memory: what goes in, and what comes out as a person sees it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from xml.sax.saxutils import escape, quoteattr

from jobferry.feeds.objects import FeedObject
from jobferry.feeds.settings import FeedSettings, parse_settings
from jobferry.jobs.vocabulary import LISTED_TERMS, Vocabulary
from jobferry.payload.build import build
from jobferry.payload.payload import Payload

#: The namespace of the relationships in a workbook.
_KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LOCUMS = LISTED_TERMS["www.locumjobsonline.com"]
#: The board's own example, and two that are different in every way that a format has trouble with.
JOBS: list[dict[str, Any]] = [
    {
        "referenceNumber": "u9FE7VIZ",
        "title": "Job Title",
        "city": "Lancaster",
        "state": "PA",
        "postalCode": "17603",
        "description": "Text or HTML describing this job",
        "requirements": "Text or HTML describing the requirements for this job",
        "license": "MD",
        "specialty": "Critical Care",
        "shift": "7a-7p",
        "shiftType": "evening",
        "shiftsPerWeek": 4,
        "hoursPerShift": 12,
        "payAmountMin": "737.00",
        "payAmountMax": "913.00",
        "payFrequency": "Hourly",
        "employmentType": ["Part-Time", "Locum Tenens"],
        "durationLength": 13,
        "durationUnit": "week",
        "startDate": "2024-03-02",
        "benefits": "Text or HTML describing the benefits for this job",
    },
    {
        "referenceNumber": "00042",
        "title": 'He said "yes", and; then | left',
        "description": "<p>Two\nlines & a <b>café</b> in 漢字, 🙂 &amp; more,</p>",
        "postalCode": "02134-1234",
        "employmentType": "Permanent",
    },
    {"referenceNumber": "=1+1", "title": "'quoted', with \\ and \t a tab", "internalCode": "{[X]}, 7"},
]


def payload_of(
    objects: Mapping[str, bytes], directory: Path, vocabulary: Vocabulary = LOCUMS, **settings: Any
) -> Payload:
    """What a feed of these objects comes to. Settings are named as in feed.json."""
    given = parse_settings(json.dumps(settings).encode(), "feed.json")
    return build(listed(objects), Objects(objects), given, directory, vocabulary)


def listed(objects: Mapping[str, bytes]) -> list[FeedObject]:
    return [FeedObject(key, f"etag of {key}", len(content)) for key, content in objects.items()]


class Objects:
    """A FeedReader of what is in memory."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects

    def open_object(self, obj: FeedObject) -> BinaryIO:
        return io.BytesIO(self._objects[obj.key])


def jobs_of(payload: Payload) -> list[dict[str, Any]]:
    """The jobs as they are sent."""
    return [json.loads(line) for part in payload.parts for line in part.body.read_bytes().splitlines()]


def problems_of(payload: Payload) -> list[str]:
    return [f"{problem.place}: {'; '.join(problem.messages)}" for problem in payload.read_problems()]


def warnings_of(payload: Payload) -> list[str]:
    """By kind: the message, how many rows, the first."""
    return [f"{group.message} ({group.count}, {group.first})" for group in payload.warning_groups]


def read(
    key: str, content: bytes, vocabulary: Vocabulary = LOCUMS, **settings: Any
) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """The jobs, problems and warnings of a feed that is one object."""
    with TemporaryDirectory() as directory:
        payload = payload_of({key: content}, Path(directory), vocabulary, **settings)
        return jobs_of(payload), problems_of(payload), warnings_of(payload)


def jsonl(*jobs: Any) -> bytes:
    return b"".join(json.dumps(job).encode() + b"\n" for job in jobs)


def array(*jobs: Any) -> bytes:
    return json.dumps(jobs).encode()


def names(jobs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The fields of all the jobs, in the order in which they are met."""
    return list(dict.fromkeys(name for job in jobs for name in job))


def texts(job: Mapping[str, Any]) -> dict[str, str]:
    """A job in a format without types: all of it text, a list with semicolons."""
    return {name: "; ".join(value) if isinstance(value, list) else str(value) for name, value in job.items()}


def table(*jobs: Mapping[str, Any], delimiter: str = ",", end: str = "\r\n") -> bytes:
    """A CSV file as Excel writes it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names(jobs), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(map(texts, jobs))
    return text.getvalue().encode()


def elements(*jobs: Mapping[str, Any], root: str = "jobs", row: str = "job") -> bytes:
    """An XML document; a list is an element for each of its texts."""
    parts = [f"<{root}>"]
    for job in jobs:
        parts.append(f"<{row}>")
        for name, value in job.items():
            parts += [
                f"<{name}>{escape(str(each), {'\r': '&#13;'})}</{name}>"
                for each in (value if isinstance(value, list) else [value])
            ]
        parts.append(f"</{row}>")
    return "".join([*parts, f"</{root}>"]).encode()


def workbook(*rows: Sequence[Any], start: int = 1, changes: Mapping[str, str] | None = None) -> bytes:
    """An .xlsx file with one sheet: texts, numbers, true and false; `("date", 45353)` is a cell shown as a date.

    Further cells are `("00000", 42)`, shown with leading zeros, `("error", "#N/A")`, and `("formula", "<v>7</v>")`, whose
    result is stored as this XML.

    Args:
        rows: of the sheet.
        start: the number of the first.
        changes: what to replace in the XML of its files, and with what.
    """
    cells = []
    for number, row in enumerate(rows, start):
        cells.append(f'<row r="{number}">')
        for column, value in enumerate(row):
            at = f'r="{chr(65 + column // 26 - 1) if column > 25 else ""}{chr(65 + column % 26)}{number}"'
            match value:
                case None:
                    pass
                case bool():
                    cells.append(f'<c {at} t="b"><v>{int(value)}</v></c>')
                case int() | float():
                    cells.append(f"<c {at}><v>{value}</v></c>")
                case ("date", serial):
                    cells.append(f'<c {at} s="1"><v>{serial}</v></c>')
                case ("00000", number_shown):
                    cells.append(f'<c {at} s="2"><v>{number_shown}</v></c>')
                case ("formula", result):
                    cells.append(f"<c {at}><f>X1</f>{result}</c>")
                case ("error", error):
                    cells.append(f'<c {at} t="e"><v>{error}</v></c>')
                case _:
                    text = escape(value)
                    cells.append(f'<c {at} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>')
        cells.append("</row>")
    main = quoteattr("http://schemas.openxmlformats.org/spreadsheetml/2006/main")
    package = "http://schemas.openxmlformats.org/package/2006"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{_KINDS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns={main} xmlns:r="{_KINDS}"><sheets>'
        '<sheet name="Jobs" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{_KINDS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_KINDS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns={main}><numFmts count="1"><numFmt numFmtId="164" formatCode="00000"/></numFmts>'
        '<cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": f"<worksheet xmlns={main}><sheetData>{''.join(cells)}</sheetData></worksheet>",
    }
    for old, new in (changes or {}).items():
        assert any(old in content for content in files.values())
        files = {name: content.replace(old, new) for name, content in files.items()}
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return book.getvalue()


def sheets(books: Mapping[str, bytes], hidden: Container[str] = ()) -> bytes:
    """Put the sheets of several workbooks into one, with these names."""
    listed, related = "", ""
    parts: dict[str, str] = {}
    for number, (name, book) in enumerate(books.items(), 1):
        with zipfile.ZipFile(io.BytesIO(book)) as archive:
            parts = {each: archive.read(each).decode() for each in archive.namelist()} | parts
            parts[f"xl/worksheets/sheet{number}.xml"] = archive.read("xl/worksheets/sheet1.xml").decode()
        state = ' state="hidden"' if name in hidden else ""
        listed += f'<sheet name={quoteattr(name)} sheetId="{number}"{state} r:id="sheet{number}"/>'
        related += f'<Relationship Id="sheet{number}" Type="{_KINDS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
    parts["xl/workbook.xml"] = re.sub("<sheets>.*</sheets>", f"<sheets>{listed}</sheets>", parts["xl/workbook.xml"])
    name = "xl/_rels/workbook.xml.rels"
    parts[name] = parts[name].replace("</Relationships>", f"{related}</Relationships>")
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return result.getvalue()


def sheet(*jobs: Mapping[str, Any]) -> bytes:
    """A workbook of jobs, all of whose cells are texts."""
    columns = names(jobs)
    return workbook(columns, *([texts(job).get(name) for name in columns] for job in jobs))


#: A whole feed in each format, by the object's name.
FORMATS = {
    "jobs.jsonl": jsonl,
    "jobs.ndjson": jsonl,
    "jobs.json": array,
    "object.json": lambda *jobs: json.dumps({"exported": "2024-03-02", "jobs": jobs, "count": len(jobs)}).encode(),
    "indented.json": lambda *jobs: json.dumps(jobs, indent=2).encode(),
    "jobs.csv": table,
    "semicolon.csv": lambda *jobs: table(*jobs, delimiter=";"),
    "bar.csv": lambda *jobs: table(*jobs, delimiter="|", end="\n"),
    "jobs.tsv": lambda *jobs: table(*jobs, delimiter="\t"),
    "jobs.xml": elements,
    "feed.rss": lambda *jobs: elements(*jobs, root="rss", row="item"),
    "jobs.xlsx": sheet,
}


def packed(key: str, content: bytes) -> tuple[str, bytes]:
    return f"{key}.gz", gzip.compress(content)


__all__ = [
    "FORMATS",
    "JOBS",
    "LOCUMS",
    "FeedSettings",
    "Objects",
    "array",
    "elements",
    "jobs_of",
    "jsonl",
    "listed",
    "packed",
    "payload_of",
    "problems_of",
    "read",
    "sheet",
    "sheets",
    "table",
    "texts",
    "warnings_of",
    "workbook",
]
