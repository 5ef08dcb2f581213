"""The builds and their competitors that are measured side by side."""
# ruff: noqa: N815  # the names of a job's fields are the board's

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

from lxml import etree
from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from benchmarks import feeds
from jobferry.cli.validate import FeedFolder
from jobferry.feeds.objects import FeedObject
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import CHUNK
from jobferry.jobs.clean_json import clean_json_reader
from jobferry.jobs.job_reader import JobReader
from jobferry.payload.build import pack, spool
from jobferry.payload.payload import Payload


def reference(path: Path) -> None:
    """Parse each line and serialize it again. Nothing that reads every job can be faster."""
    with path.open("rb", CHUNK) as lines:
        for line in lines:
            to_json(from_json(line))


def reference_written(path: Path, directory: Path) -> None:
    """Do the same and write the output to a file, as a payload has to be."""
    with path.open("rb", CHUNK) as lines, (directory / "body.jsonl").open("wb", CHUNK) as body:
        for line in lines:
            body.write(to_json(from_json(line)) + b"\n")


def check_alone(path: Path) -> None:
    """Parse, check and serialize each line, and do nothing else."""
    read = clean_json_reader(FeedSettings())
    assert read is not None
    with path.open("rb", CHUNK) as lines:
        for line in lines:
            assert read(line) is not None


def csv_alone(path: Path) -> None:
    """Read the rows with Python's csv and do nothing else."""
    with path.open(encoding="utf-8", newline="") as lines:
        for _ in csv.reader(lines, strict=True):
            pass


def lxml_alone(path: Path) -> None:
    """Read the jobs' elements with lxml, but none of their children."""
    for _, element in etree.iterparse(path, tag="job", resolve_entities=False):
        element.clear()
        del element.getparent()[0]


def build(path: Path, directory: Path, settings: FeedSettings) -> Payload:
    """Build the payload of a feed of one object."""
    objects = [FeedObject(path.name, "", path.stat().st_size)]
    return spool(objects, FeedFolder(path.parent), settings, directory, feeds.VOCABULARY)


def without_shortcut(build: Callable[[str], None], name: str) -> None:
    """Build a feed whose rows all take the road."""
    with patch.object(JobReader, "read", JobReader.take_road):
        build(name)


def archive(payload: Payload) -> None:
    """Write the archive of a payload."""
    for part in payload.parts:
        pack(part)


class NaiveJob(BaseModel):
    """A job as one would first model it, with the checks that a model can express."""

    referenceNumber: Annotated[str, Field(min_length=1)]
    title: str | None = None
    city: str | None = None
    state: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    postalCode: Annotated[str, Field(pattern=r"^\d{5}(-\d{4})?$")] | None = None
    description: str | None = None
    requirements: str | None = None
    license: str | None = None
    specialty: str | None = None
    shift: str | None = None
    shiftType: str | None = None
    shiftsPerWeek: int | None = None
    hoursPerShift: int | None = None
    payAmountMin: Annotated[str, Field(pattern=r"^\d+\.\d\d$")] | None = None
    payAmountMax: Annotated[str, Field(pattern=r"^\d+\.\d\d$")] | None = None
    payFrequency: str | None = None
    employmentType: str | list[str] | None = None
    durationLength: int | None = None
    durationUnit: str | None = None
    startDate: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")] | None = None
    benefits: str | None = None


def naive(path: Path, directory: Path) -> None:
    """Build a request the usual way: the whole array in memory, a model for each job, one text."""
    with path.open("rb") as file:
        jobs = [NaiveJob.model_validate(job) for job in json.load(file)]
    body = json.dumps({"jobs": [job.model_dump(exclude_none=True) for job in jobs]})
    (directory / "body.json").write_text(body)
