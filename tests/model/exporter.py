"""An exporter that fails like real ones: it writes the agency's jobs into files, whole or with one fault.

A fault is a small function. It takes the export and a number that says where the fault strikes, and returns the files
that are uploaded instead of the whole ones. Three more faults are not in the files but in how they are uploaded; the
history plays them: an upload in pieces, an export that repeats yesterday's, and a feed.json that disappears.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from xml.sax.saxutils import escape

type Job = dict[str, str]
type Files = dict[str, bytes]
type Fault = Callable[[Export, int], Files]

COLUMNS: Final = ("referenceNumber", "title", "description", "city", "state")
#: What databases and web servers write where an export breaks off.
ERRORS: Final = (
    "ORA-03113: end-of-file on communication channel",
    "<b>Fatal error</b>: Maximum execution time of 30 seconds exceeded in /var/www/export.php on line 88",
    "Msg 1205, Level 13, State 51: Transaction was deadlocked",
)


def job(number: int) -> Job:
    """Return a job of the agency. The reference numbers have the three forms that spreadsheets garble, or not."""
    reference = (f"{number:05}", f"{123456700000 + number}", f"J-{number}")[number % 3]
    return {
        "referenceNumber": reference,
        "title": f"Nurse at ward {number}",
        "description": f"Shifts of ward {number}, nights",
        "city": "Lancaster",
        "state": "PA",
    }


@dataclass(frozen=True)
class Export:
    """A healthy export.

    Attributes:
        jobs: the agency's jobs, in its order.
        form: csv, json, jsonl or xml.
        objects: how many files there are.
        packed: whether the files are gzipped.
        prefix: what the files' names begin with, such as the date.
    """

    jobs: tuple[Job, ...]
    form: str = "csv"
    objects: int = 1
    packed: bool = False
    prefix: str = ""

    def parts(self) -> list[list[Job]]:
        """Return each file's jobs. A job moves to another file when enough others are closed or opened."""
        size = -(-len(self.jobs) // self.objects)
        return [list(self.jobs[at * size : (at + 1) * size]) for at in range(self.objects)]

    def write(self, jobs: Sequence[Job]) -> bytes:
        """Write one file."""
        return WRITERS[self.form](jobs)

    def name(self, at: int) -> str:
        return f"{self.prefix}{'abc'[at]}.{self.form}"

    def texts(self) -> Files:
        """Return the files before they are packed."""
        return {self.name(at): self.write(part) for at, part in enumerate(self.parts())}

    def files(self, fault: str | None = None, number: int = 0) -> Files:
        """Return the files, with one fault or none."""
        texts = FAULTS[fault](self, number) if fault in FAULTS else self.texts()
        stored = {f"{name}.gz": _gzip(text) for name, text in texts.items()} if self.packed else texts
        return STORED_FAULTS[fault](stored, number) if fault in STORED_FAULTS else stored

    def whole_rows(self, name: str, content: bytes) -> int | None:
        """Return the number of rows if a file is just what a healthy exporter writes for so many jobs, else None.

        Nothing in such a file shows that jobs are missing, so only the limits of deletions can protect their postings.
        """
        parts = {self.name(at): part for at, part in enumerate(self.parts())}
        jobs = parts.get(name.removesuffix(".gz"), [])
        try:
            text = gzip.decompress(content) if name.endswith(".gz") else content
        except (EOFError, gzip.BadGzipFile):
            return None
        written = (self.write(jobs[:count]).rstrip() for count in range(len(jobs) + 1))
        return next((count for count, each in enumerate(written) if each == text.rstrip()), None)


def _gzip(text: bytes) -> bytes:
    """Pack a text into two members, as an exporter does that appends."""
    middle = len(text) // 2
    return gzip.compress(text[:middle], 1, mtime=0) + gzip.compress(text[middle:], 1, mtime=0)


# The formats


def write_csv(jobs: Sequence[Job], columns: Sequence[str] = COLUMNS) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([each.get(column, "") for column in columns] for each in jobs)
    return text.getvalue().encode()


def write_json(jobs: Sequence[Job], **others: Any) -> bytes:
    return json.dumps({**others, "jobs": list(jobs)}, indent=1, ensure_ascii=False).encode()


def write_jsonl(jobs: Sequence[Job]) -> bytes:
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in jobs)


def write_xml(jobs: Sequence[Job], others: str = "", name: Callable[[int], str] = lambda _: "job") -> bytes:
    return f"<export>{others}<jobs>\n{_elements(jobs, name)}</jobs></export>\n".encode()


def _elements(jobs: Sequence[Job], name: Callable[[int], str] = lambda _: "job") -> str:
    rows = []
    for number, each in enumerate(jobs):
        fields = "".join(f"<{field}>{escape(value)}</{field}>" for field, value in each.items())
        rows.append(f"<{name(number)}>{fields}</{name(number)}>\n")
    return "".join(rows)


WRITERS: Final[dict[str, Callable[[Sequence[Job]], bytes]]] = {
    "csv": write_csv,
    "json": write_json,
    "jsonl": write_jsonl,
    "xml": write_xml,
}


# The faults of the texts


def _last(export: Export) -> tuple[Files, str, list[Job]]:
    """Return all the files, the name of the last one, and its jobs."""
    texts = export.texts()
    return texts, list(texts)[-1], export.parts()[-1]


def _changed(export: Export, number: int, change: Callable[[Job], Job]) -> Files:
    """Change the jobs of all files, or of the last one only."""
    texts, last, jobs = _last(export)
    if number % 2:
        return texts | {last: export.write([change(each) for each in jobs])}
    return replace(export, jobs=tuple(change(each) for each in export.jobs)).texts()


def moved_to_another_element(export: Export, number: int) -> Files:
    """Some jobs are in <featured>, or in an array of that name; CSV and JSON Lines have no elements."""
    texts, last, jobs = _last(export)
    count = number % (len(jobs) + 1)
    moved, rest = jobs[:count], jobs[count:]
    match export.form:
        case "xml":
            return texts | {last: write_xml(rest, f"<featured>\n{_elements(moved)}</featured>")}
        case "json":
            return texts | {last: write_json(rest, featured=moved)}
        case _:
            return texts


def named_by_kind(export: Export, number: int) -> Files:
    """Some elements are <locumJob> instead of <job>; other formats have no such names."""
    texts, last, jobs = _last(export)
    if export.form != "xml":
        return texts
    every = number % 5 + 2
    return texts | {last: write_xml(jobs, name=lambda at: "job" if at % every else "locumJob")}


def moved_to_another_file(export: Export, number: int) -> Files:
    """Some jobs are in a further file, which may have a name of its own kind."""
    texts, last, jobs = _last(export)
    count = number % (len(jobs) + 1)
    name = ("locum", "archive/locum", "0-locum")[number % 3]
    return texts | {last: export.write(jobs[count:]), f"{name}.{export.form}": export.write(jobs[:count])}


def renamed(export: Export, number: int) -> Files:
    """A column or an element has another name, in all files."""
    return _renamed(export, number, list(export.texts()))


def renamed_in_one_file(export: Export, number: int) -> Files:
    """A column or an element has another name, in the last file only."""
    return _renamed(export, number, list(export.texts())[-1:])


def _renamed(export: Export, number: int, names: list[str]) -> Files:
    column, texts = COLUMNS[number % len(COLUMNS)].encode(), export.texts()
    return texts | {name: texts[name].replace(column, b"job_" + column) for name in names}


def emptied_column(export: Export, number: int) -> Files:
    """A column has no values, in all files."""
    column = COLUMNS[number % len(COLUMNS)]
    return replace(export, jobs=tuple(each | {column: ""} for each in export.jobs)).texts()


def emptied_column_in_one_file(export: Export, number: int) -> Files:
    """A column has no values, in the last file only."""
    column = COLUMNS[number % len(COLUMNS)]
    texts, last, jobs = _last(export)
    return texts | {last: export.write([each | {column: ""} for each in jobs])}


def numbers_as_floats(export: Export, number: int) -> Files:
    """A spreadsheet wrote long reference numbers as 1.23457E+11."""

    def garble(each: Job) -> Job:
        reference = each["referenceNumber"]
        return each | {"referenceNumber": f"{float(reference):.5E}" if len(reference) == 12 else reference}

    return _changed(export, number, garble)


def numbers_as_formulas(export: Export, number: int) -> Files:
    """Reference numbers are written as ="00123", so that a spreadsheet keeps the zeros."""
    return _changed(export, number, lambda each: each | {"referenceNumber": f'="{each["referenceNumber"]}"'})


def numbers_with_marks(export: Export, number: int) -> Files:
    """Reference numbers have an invisible mark at the end."""
    mark = "\u200b\ufeff\u00a0\u200e"[number // 2 % 4]
    return _changed(export, number, lambda each: each | {"referenceNumber": each["referenceNumber"] + mark})


def emptied(export: Export, number: int) -> Files:
    """The last file has no jobs, or an error instead."""
    texts, last, _ = _last(export)
    nothing = export.write([])
    match export.form:
        case "json":
            others = [b"[]", b'{"error": "upstream timed out", "jobs": []}', b"{}", b""]
        case "csv":
            others = [nothing, b"", b"error\r\nupstream timed out\r\n"]
        case "jsonl":
            others = [b"", b'{"error": "upstream timed out"}\n']
        case _:
            others = [nothing, b"<error>upstream timed out</error>", b"<export></export>"]
    return texts | {last: others[number % len(others)]}


def rows_lost(export: Export, number: int) -> Files:
    """The last file ends early, but properly: the exporter asked for one page of its data only."""
    texts, last, jobs = _last(export)
    return texts | {last: export.write(jobs[: number % (len(jobs) + 1)])}


def error_line(export: Export, number: int) -> Files:
    """The last file breaks off after some rows and ends in an error message."""
    texts, last, jobs = _last(export)
    count = number % (len(jobs) + 1)
    error = ERRORS[number % len(ERRORS)].encode()
    rows = export.write(jobs[:count])
    if export.form in ("json", "xml"):
        rows = rows[: len(rows) - len(b"]}") if export.form == "json" else rows.rindex(b"</jobs>")]
    return texts | {last: rows + error + b"\n"}


def stray_quotation_marks(export: Export, number: int) -> Files:
    """Two cells or texts of the last file begin with a quotation mark that is not theirs."""
    texts, last, jobs = _last(export)
    if len(jobs) < 2:
        return texts
    first = number % (len(jobs) - 1)
    second = first + 1 + number // 7 % (len(jobs) - 1 - first)
    text = texts[last].decode()
    titles = [jobs[first]["title"], jobs[second]["title"]]
    text = text.replace(titles[0], f'"{titles[0]}', 1)
    place = '{0}"' if number % 2 else '"{0}'
    text = text.replace(titles[1], place.format(titles[1]), 1)
    return texts | {last: text.encode()}


FAULTS: Final[dict[str, Fault]] = {
    each.__name__: each
    for each in (
        moved_to_another_element,
        named_by_kind,
        moved_to_another_file,
        renamed,
        renamed_in_one_file,
        emptied_column,
        emptied_column_in_one_file,
        numbers_as_floats,
        numbers_as_formulas,
        numbers_with_marks,
        emptied,
        rows_lost,
        error_line,
        stray_quotation_marks,
    )
}


# The faults of the files as they are stored


def cut(files: Files, number: int) -> Files:
    """The last file ends at any byte."""
    last = list(files)[-1]
    return files | {last: files[last][: number % (len(files[last]) + 1)]}


def second_member_lost(files: Files, number: int) -> Files:
    """A gzip file ends where its second member would begin; other files lose their last line."""
    last = list(files)[-1]
    content = files[last]
    end = content.find(b"\x1f\x8b\x08", 1) if last.endswith(".gz") else content.rstrip().rfind(b"\n") + 1
    return files | {last: content[: max(end, 0)]}


def file_lost(files: Files, number: int) -> Files:
    """The last file is not written."""
    return dict(list(files.items())[:-1])


STORED_FAULTS: Final[dict[str, Callable[[Files, int], Files]]] = {
    each.__name__: each for each in (cut, second_member_lost, file_lost)
}
