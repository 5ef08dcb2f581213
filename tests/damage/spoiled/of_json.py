"""Spoils JSON and JSON Lines: quotation marks, escapes, brackets, commas, values and rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from tests.damage.spoiled import Job, Spoiled

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TEXTS: Final = (
    "<p>Cover OR days, no call.</p>\n<ul>\n<li>12 h</li>\n</ul>",
    'A "great" place\n\nNights: days, and {weekends}',
    "Days",
    "<p>Cañon City's clinic; “flexible” shifts, 1,200 beds</p>",
    "C:\\path\\",
    '"Quoted" [from] end to "end"',
    "}, {",
)


def _flat(number: int) -> dict[str, Any]:
    job = {
        "referenceNumber": f"LT-{6010 + number}",
        "title": ("CRNA", "Physician, nights", "Nurse Practitioner", "RN 'float' pool")[number % 4],
        "state": ("PA", "MO", "MN")[number % 3],
        "shiftsPerWeek": number % 5 + 1,
        "description": _TEXTS[number % len(_TEXTS)],
        "benefits": ("Malpractice, travel", "Travel")[number % 2],
    }
    if not number % 4:
        del job["benefits"]
    return job


def _nested(number: int) -> dict[str, Any]:
    return _flat(number) | {
        "employmentType": ["Part-Time", "Locum Tenens"][: number % 2 + 1],
        "clinic": {"title": "Clinic", "ids": [number, 7], "open": True},
        "dates": [{"title": "first", "from": f"2026-01-{number + 1:02}"}, {"title": "next", "from": None}],
    }


class Document(NamedTuple):
    """A well-made feed.

    Attributes:
        name: its form.
        key: the object's.
        jobs: its jobs.
        rows: the places of the jobs in the text.
        text: the feed.
    """

    name: str
    key: str
    jobs: Sequence[Job]
    rows: Sequence[tuple[int, int]]
    text: str

    def spoiled(self, kind: str, at: int, until: int, instead: str) -> Spoiled:
        text = self.text[:at] + instead + self.text[until:]
        place = f"{self.name}, {self.text[max(at - 20, 0) : at]!r} | {self.text[at : at + 20]!r}"
        return Spoiled(kind, place, self.key, text.encode(), self.jobs)


def _document(
    name: str, key: str, jobs: Sequence[Job], between: str, before: str = "", after: str = "", **form: Any
) -> Document:
    text = before
    rows = []
    for job in jobs:
        row = json.dumps(job, ensure_ascii=False, **form)
        rows.append((len(text), len(text) + len(row)))
        text += row + between
    return Document(name, key, jobs, rows, text.removesuffix(between) + after)


def arrays() -> list[Document]:
    """Return well-made feeds of JSON."""
    flat, nested = [_flat(number) for number in range(21)], [_nested(number) for number in range(20)]
    tight = {"separators": (",", ":")}
    return [
        _document("on one line", "jobs.json", flat, ",", "[", "]", **tight),
        _document("a job on each line", "jobs.json", nested, ",\n", "[\n", "\n]\n"),
        _document("indented", "jobs.json", nested, ",\n  ", "[\n  ", "\n]\n", indent=2),
        _document(
            "in an object",
            "jobs.json",
            nested,
            ",",
            '{"meta":{"ids":[1]},"jobs":[',
            '],"links":{"all":["x"]}}',
            **tight,
        ),
    ]


def lines() -> list[Document]:
    """Return well-made feeds of JSON Lines."""
    flat, nested = [_flat(number) for number in range(21)], [_nested(number) for number in range(20)]
    return [
        _document("flat", "jobs.jsonl", flat, "\n", "", "\n", separators=(",", ":")),
        _document("nested", "jobs.jsonl", nested, "\r\n", "", "\r\n"),
    ]


def spoiled_arrays() -> Iterator[Spoiled]:
    """Yield every feed of JSON with every fault in every place."""
    for document in arrays():
        yield from _in_tokens(document)
        yield from _between_rows(document, ",")


def spoiled_lines() -> Iterator[Spoiled]:
    """Yield every feed of JSON Lines with every fault in every place."""
    for document in lines():
        yield from _in_tokens(document)
        yield from _between_rows(document, document.text[document.rows[0][1] : document.rows[1][0]])


def _in_tokens(document: Document) -> Iterator[Spoiled]:
    for first, last in document.rows:
        for token in _TOKEN.finditer(document.text, first, last):
            at, until, text = *token.span(), token.group()
            for kind, changed in _faults(text, at == first, until == last):
                yield document.spoiled(kind, at, until, changed)
            yield document.spoiled("a line break between two words", until, until, "\n")
            if text != "{" or at != first:
                yield document.spoiled("a row cut off", at, last, "")
                yield document.spoiled("a row cut off within a word", at + len(text) // 2, last, "")


def _faults(text: str, is_first: bool, is_last: bool) -> Iterator[tuple[str, str]]:
    if not text.startswith('"'):
        if len(text) == 1 and text in "{}[],:":
            yield f"{text} missing", ""
            yield f"{text} twice", text * 2
            yield "another separator", ";" if text in ",:" else "|"
        else:
            yield "a value missing", ""
            yield "a value of Python", "None"
            yield "a value of JavaScript", "NaN"
        return
    inner = text[1:-1]
    middle = len(inner) // 2
    while inner[:middle].endswith("\\"):  # not within an escape
        middle -= 1
    yield "a quotation mark missing before a text", f'{inner}"'
    yield "a quotation mark missing after a text", f'"{inner}'
    yield "a quotation mark in a text", f'"{inner[:middle]}"{inner[middle:]}"'
    yield "a quotation mark too many before a text", f'"{text}'
    yield "a quotation mark too many after a text", f'{text}"'
    yield "apostrophes as quotation marks", f"'{inner}'"
    yield "curly quotation marks", f"“{inner}”"
    yield "no quotation marks", inner
    yield "a line break in a text", f'"{inner[:middle]}\n{inner[middle:]}"'
    yield "a tab in a text", f'"{inner[:middle]}\t{inner[middle:]}"'
    yield "a NUL in a text", f'"{inner[:middle]}\0{inner[middle:]}"'
    yield "an escape that JSON does not have", f'"{inner[:middle]}\\x{inner[middle:]}"'
    yield "a backslash before the end of a text", f'"{inner}\\"'
    yield "a text missing", ""
    if '\\"' in inner:
        yield "quotation marks in a text not escaped", text.replace('\\"', '"')


def _between_rows(document: Document, between: str) -> Iterator[Spoiled]:
    for (_, last), (first, _) in zip(document.rows, document.rows[1:], strict=False):
        yield document.spoiled("nothing between two rows", last, first, "")
        yield document.spoiled("a comma too many between two rows", last, last, ",")
        for name, text in {
            "a line of a log": "WARNING: retrying page 3",
            "a comment": "/* more: jobs */",
            "an empty row": "",
            "null": "null",
            "a number": "17",
            "a text": '"x"',
            "an empty list": "[]",
        }.items():
            yield document.spoiled(f"{name} between two rows", first, first, text + between)
    for first, last in document.rows:
        yield document.spoiled("a comma after the last value", last - 1, last - 1, ",")
        yield document.spoiled("a list around a row", first, last, f"[{document.text[first:last]}]")
