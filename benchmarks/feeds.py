"""Generated feeds: realistic jobs of about 3 KB, the same in every format."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from jobferry.jobs.vocabulary import LISTED_TERMS, STATES

#: The setting `fields` of the feeds with an agency's own names.
MAPPED: Final = {"Job ID": "referenceNumber", "Job Title": "title", "ZIP": "postalCode"}

_WORDS: Final = [
    "a",
    "able",
    "about",
    "admissions",
    "also",
    "and",
    "anesthesia",
    "are",
    "at",
    "attending",
    "available",
    "bay",
    "benefits",
    "board",
    "by",
    "call",
    "care",
    "certified",
    "clinic",
    "coastal",
    "community",
    "competitive",
    "coverage",
    "days",
    "department",
    "eligible",
    "emergency",
    "experience",
    "facility",
    "family",
    "for",
    "from",
    "full",
    "group",
    "growing",
    "hospital",
    "hours",
    "in",
    "inpatient",
    "is",
    "join",
    "license",
    "malpractice",
    "medical",
    "minimum",
    "month",
    "mountain",
    "near",
    "need",
    "nights",
    "no",
    "of",
    "on",
    "ongoing",
    "opportunity",
    "or",
    "outpatient",
    "paid",
    "patient",
    "per",
    "physician",
    "practice",
    "provided",
    "rate",
    "rotation",
    "schedule",
    "scheduled",
    "seeking",
    "setting",
    "shift",
    "shifts",
    "staff",
    "start",
    "state",
    "support",
    "team",
    "the",
    "time",
    "to",
    "travel",
    "trauma",
    "with",
    "weekend",
    "weekends",
    "work",
    "year",
    "your",
    "12-hour",
    "7-on/7-off",
    "100%",
    "$150/hour",
    "(BC/BE)",
]
#: The lists of the board that the jobs are for.
VOCABULARY: Final = LISTED_TERMS["www.locumjobsonline.com"]
#: Characters of a word processor, in one paragraph of five.
_TYPOGRAPHY: Final = ("“flexible”", "physician\u2019s", "7\u2013on", "café")


def jobs(count: int) -> Iterator[dict[str, Any]]:
    """Yield `count` valid jobs, the same each time."""
    draw = random.Random(20240302)
    states, licenses, specialties = sorted(STATES), sorted(VOCABULARY["license"]), sorted(VOCABULARY["specialty"])
    # Texts are made of stored paragraphs: drawing each word would take longer than all measures.
    paragraphs = [
        " ".join(draw.choices([*_WORDS, *(() if number % 5 else _TYPOGRAPHY * 2)], k=47)).capitalize() + "."
        for number in range(500)
    ]
    for number in range(count):
        some = draw.sample(paragraphs, 9)
        pay = draw.randrange(80, 400)
        yield {
            "referenceNumber": f"LT-{number:07d}-{draw.randrange(16**6):06x}",
            "title": f"{draw.choice(specialties)} Physician, {draw.choice(['days', 'nights', 'weekends'])}",
            "city": draw.choice(["Lancaster", "Mount Joy", "Cañon City", "Winston-Salem", "St. Paul"]),
            "state": draw.choice(states),
            "postalCode": f"{draw.randrange(1001, 99951):05d}",
            "description": f'<p class="intro">{some[0]}</p>\n<p>{some[1]} {some[2]}</p>\n<p>{some[3]} {some[4]}</p>',
            "requirements": f"<ul>\n<li>{some[5]}</li>\n<li>{some[6]}</li>\n</ul>",
            "license": draw.choice(licenses),
            "specialty": draw.choice(specialties),
            "shiftType": draw.choice(["days", "nights", "evening"]),
            "shiftsPerWeek": draw.randrange(1, 7),
            "hoursPerShift": draw.choice([8, 10, 12, 24]),
            "payAmountMin": f"{pay}.00",
            "payAmountMax": f"{pay + 50}.50",
            "payFrequency": "Hourly",
            "employmentType": ["Part-Time", "Locum Tenens"],
            "durationLength": draw.randrange(1, 53),
            "durationUnit": "week",
            "startDate": f"2026-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}",
            "benefits": f"{some[7]} {some[8]}",
        }


def write_jsonl(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for job in jobs(count):
            file.write(json.dumps(job) + "\n")


def write_array(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number, job in enumerate(jobs(count)):
            file.write(("," if number else "[") + "\n" + json.dumps(job))
        file.write("\n]\n")


def write_csv(path: Path, count: int) -> None:
    _write_table(path, map(_texts, jobs(count)))


def write_excel_csv(path: Path, count: int) -> None:
    """Write a CSV file as a spreadsheet saves it: with an agency's column names, and corrections needed in every row."""
    ours_to_theirs = {ours: theirs for theirs, ours in MAPPED.items()}
    _write_table(
        path,
        (
            {ours_to_theirs.get(name, name): value for name, value in (_texts(job) | _as_excel_has_it(job)).items()}
            for job in jobs(count)
        ),
    )


def write_mapped_jsonl(path: Path, count: int) -> None:
    """Write JSON Lines with an agency's own field names."""
    ours_to_theirs = {ours: theirs for theirs, ours in MAPPED.items()}
    with path.open("w", encoding="utf-8") as file:
        for job in jobs(count):
            theirs = {ours_to_theirs.get(name, name): value for name, value in job.items()}
            file.write(json.dumps(theirs) + "\n")


def write_xml(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<jobs>\n')
        for job in jobs(count):
            fields = "".join(f"    <{name}>{escape(value)}</{name}>\n" for name, value in _texts(job).items())
            file.write(f"  <job>\n{fields}  </job>\n")
        file.write("</jobs>\n")


def _texts(job: dict[str, Any]) -> dict[str, str]:
    return {name: "; ".join(value) if isinstance(value, list) else str(value) for name, value in job.items()}


def _as_excel_has_it(job: dict[str, Any]) -> dict[str, str]:
    year, month, day = job["startDate"].split("-")
    return {
        "state": STATES[job["state"]],
        "postalCode": job["postalCode"].lstrip("0"),
        "payAmountMin": f"${float(job['payAmountMin']):,.1f}",
        "startDate": f"{int(month)}/{int(day)}/{year}",
    }


def _write_table(path: Path, rows: Iterator[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow(row)
