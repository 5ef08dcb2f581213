"""Spoils XML documents: tags, brackets, quotation marks, entities, control characters, and parts of the document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.damage.spoiled import Spoiled

COUNT: Final = 12
_MARKUP: Final = "<p>Cover two ORs & call.</p>\n<ul>\n<li>ACLS</li>\n</ul>"


def make_jobs(count: int) -> list[dict[str, str]]:
    """Return jobs with texts of every kind; some have no benefits or no pay."""
    jobs = []
    for number in range(count):
        job = {
            "referenceNumber": f"LT-{6010 + number}",
            "title": ("CRNA", "Physician, nights", "Nurse's aide")[number % 3],
            "city": ("Lancaster", "O'Fallon", "Cañon City")[number % 3],
            "state": ("PA", "MO", "CO")[number % 3],
            "description": (_MARKUP, "Days & nights", "12 < 24 hours")[number % 3],
            "payAmountMin": ("180.00", "95.50", "")[number % 3],
            "benefits": ("", "Malpractice & travel")[number % 2],
        }
        jobs.append({name: value for name, value in job.items() if value})
    return jobs


class Document(NamedTuple):
    """A well-made document.

    Attributes:
        name: what kind of program writes such a document.
        begin: what comes before the rows.
        rows: the rows, each with the white space behind it.
        end: what comes after the rows.
    """

    name: str
    begin: str
    rows: tuple[str, ...]
    end: str
    jobs: list[dict[str, str]]

    def spoiled(self, kind: str, place: str, content: str) -> Spoiled:
        return Spoiled(kind, f"{self.name}, {place}", "jobs.xml", content.encode(), self.jobs)

    def write(self, number: int = 0, row: str | None = None) -> str:
        """Return the document, with one of its rows replaced."""
        rows = list(self.rows)
        if row is not None:
            rows[number] = row
        return f"{self.begin}{''.join(rows)}{self.end}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def documents() -> list[Document]:
    """Return the well-made documents."""
    jobs = make_jobs(COUNT)
    indented = tuple(
        "  <job>\n" + "".join(f"    <{name}>{_escaped(value)}</{name}>\n" for name, value in job.items()) + "  </job>\n"
        for job in jobs
    )
    in_cdata = tuple(
        "<job>" + "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in job.items()) + "</job>"
        for job in jobs
    )
    with_ids = [job | {"@id": str(number), "location/@zip": "17603"} for number, job in enumerate(jobs)]
    attributes = tuple(
        f'<item id="{number}"><location zip="17603"/>'
        + "".join(f"<{name}>{_escaped(value)}</{name}>" for name, value in job.items())
        + "</item>\n"
        for number, job in enumerate(jobs)
    )
    declared = '<?xml version="1.0" encoding="utf-8"?>\n'
    return [
        Document("indented", f"{declared}<export>\n <jobs>\n", indented, " </jobs>\n</export>\n", jobs),
        Document("CDATA on one line", f"{declared}<source><publisher>x</publisher>", in_cdata, "</source>", jobs),
        Document(
            "attributes", f"{declared}<rss><channel><title>x</title>\n", attributes, "</channel></rss>\n", with_ids
        ),
    ]


_TOKEN: Final = re.compile(r"<!\[CDATA\[|\]\]>|</?[A-Za-z]+|/?>|\"|&[a-z]+;|=")
_CDATA: Final = re.compile(r"(?<=<!\[CDATA\[).*?(?=\]\]>)", re.DOTALL)
#: What is put between two tags, or in front of a text.
_STRAY: Final = ("&", "<", "</", "&nbsp;", "&#0;", "\x0b", "]]>", "<!--", "<![CDATA[", "<b>", "</b>", "<?")


def spoiled_feeds() -> Iterator[Spoiled]:
    """Spoil each document in every way in the first, the last and three other rows, and as a whole."""
    for document in documents():
        for number in (0, 3, 4, 8, COUNT - 1):
            yield from _spoil_row(document, number)
        yield from _spoil_document(document)


def _spoil_row(document: Document, number: int) -> Iterator[Spoiled]:
    row = document.rows[number]

    def spoiled(kind: str, place: int, changed: str) -> Spoiled:
        return document.spoiled(
            kind, f"row {number + 1} at {place} {row[place : place + 12]!r}", document.write(number, changed)
        )

    # What is in CDATA is text: any change makes another text.
    markup = _CDATA.sub(lambda text: " " * len(text[0]), row)
    for token in _TOKEN.finditer(markup):
        start, end = token.span()
        text = token[0]
        if text.startswith("&"):
            yield spoiled("an entity without its ;", start, row[: end - 1] + row[end:])
            continue
        kind = "a quotation mark" if text == '"' else "CDATA" if "[" in text or "]]" in text else "a bracket"
        for at in range(start, end):
            if not row[at].isalpha():
                yield spoiled(f"{kind} left out", at, row[:at] + row[at + 1 :])
                yield spoiled(f"{kind} doubled", at, row[:at] + row[at] + row[at:])
        if text[-1].isalpha():
            tag = row[start : row.index(">", start) + 1]
            after = start + len(tag)
            if tag.endswith("/>"):
                continue
            yield spoiled("a tag left out", start, row[:start] + row[after:])
            yield spoiled("a tag doubled", start, row[:after] + tag + row[after:])
            yield spoiled("a tag in another case", start, row[:start] + tag.swapcase() + row[after:])
            yield spoiled("another tag", start, row[:start] + tag.replace(text[-1], "x") + row[after:])
            yield spoiled("an element without an end", start, row[: after - 1] + "/>" + row[after:])
            following = re.compile(r"</?[A-Za-z]+[^>]*>").search(row, after)
            if following and row[after : following.start()].strip():
                swapped = following[0] + row[after : following.start()] + tag
                yield spoiled("tags swapped", start, row[:start] + swapped + row[following.end() :])
                yield spoiled(
                    "a tag too late", start, row[:start] + row[after : following.end()] + tag + row[following.end() :]
                )
        if text.endswith(">"):
            for stray in (*_STRAY, ">") if row[end : end + 1] in "< \n" else _STRAY:
                yield spoiled(f"a stray {stray!r}", end, row[:end] + stray + row[end:])
    for at in range(row.index("<") + 2, len(row) - 1, 7):
        yield spoiled("a cut row", at, row[:at] + "\n")


def _spoil_document(document: Document) -> Iterator[Spoiled]:
    whole = document.write()
    head, root_end = document.begin, document.end
    yield document.spoiled("cut off", "after a row", document.begin + "".join(document.rows[:5]))
    for at in range(len(head), len(whole), 97):
        yield document.spoiled("cut off", f"at {at}", whole[:at])
    yield document.spoiled("two documents", "the same", whole + whole)
    others = [row.replace("LT-", "LX-") for row in document.rows]
    yield document.spoiled("two documents", "others", whole + head + "".join(others) + root_end)
    yield document.spoiled("two documents", "a second root", whole + "<jobs/>")
    for end in re.findall(r"</[^>]+>", root_end):
        yield document.spoiled("a tag around the rows left out", end, whole.replace(end, ""))
    for tag in re.findall(r"<[a-z][^>]*>", head):
        yield document.spoiled("a tag around the rows left out", tag, whole.replace(tag, "", 1))
    for number in range(0, COUNT, 4):
        for between in ("text", "<", "&", "\x0b", "</job>", "</jobs>", "<!-- no end", "<jobs>", "<![CDATA[", "<?x"):
            before, after = "".join(document.rows[:number]), "".join(document.rows[number:])
            yield document.spoiled(
                f"{between!r} between rows", f"before row {number + 1}", head + before + between + after + root_end
            )
