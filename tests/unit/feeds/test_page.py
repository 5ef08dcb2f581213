"""docs/feeds.md and the README's table of settings say what the code does."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from jobferry.feeds.settings import FeedSettings, parse_settings
from jobferry.jobs.fields import FIELDS
from tests.feeds import jsonl, read, table, workbook
from tests.stack import TEMPLATE

README: Final = (TEMPLATE.parent / "README.md").read_text()
PAGE: Final = (TEMPLATE.parent / "docs/feeds.md").read_text()
#: The two jobs of the minimal feeds.
TWO_JOBS: Final = [
    {"referenceNumber": "LT-1", "title": "CRNA, nights", "city": "Lancaster", "state": "PA", "payAmountMin": "180.00"},
    {"referenceNumber": "LT-2", "title": "Hospitalist", "city": "Reading", "state": "PA"},
]


def section(heading: str, page: str = PAGE) -> str:
    """Return what is under a heading, with the headings below it."""
    found = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,2}} |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[2]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its header."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def blocks(text: str, language: str = r"\w+") -> list[tuple[str, str]]:
    """Return the fenced blocks: their language and content."""
    return re.findall(rf"^```({language})\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def code(cell: str) -> str:
    """Return what a cell has between backticks."""
    return cell.removeprefix("`").removesuffix("`")


def test_the_examples_of_the_fields_are_one_job_without_a_fault() -> None:
    fields = rows(section("The fields"))
    job = {code(name): json.loads(code(example)) for name, _, example in fields}

    assert list(job) == list(FIELDS)
    assert read("jobs.jsonl", jsonl(job)) == ([job], [], [])


def test_the_fields_that_are_required_are_marked() -> None:
    required = [code(name) for name, form, _ in rows(section("The fields")) if "required" in form]

    assert required == ["referenceNumber"]
    for name in required:
        assert read("jobs.jsonl", jsonl({"title": "CRNA"}))[1] == [f"jobs.jsonl row 1: {name} is missing"]


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "xml"])
def test_the_minimal_feeds_are_read_without_a_fault(suffix: str) -> None:
    [(_, content)] = blocks(section("Minimal feeds"), suffix)

    assert read(f"jobs.{suffix}", content.encode()) == (TWO_JOBS, [], [])


def test_the_minimal_workbook_is_read() -> None:
    text = section("Minimal feeds")
    header = re.findall(r"^\| (referenceNumber .*) \|$", text, re.MULTILINE)[0].split(" | ")
    cells = [[float(cell) if cell.isdigit() else cell for cell in row] for row in rows(text)]

    jobs, problems, warnings = read("jobs.xlsx", workbook(header, *cells))

    assert (jobs, problems) == (TWO_JOBS, [])
    assert warnings == ['payAmountMin: "180" is sent as "180.00" (1, jobs.xlsx row 2)']


def test_every_setting_has_an_example() -> None:
    settings = rows(section("Settings"))

    assert {code(name) for name, _, _ in settings} == set(FeedSettings().model_dump(by_alias=True))
    for name, example, _ in settings:
        given = parse_settings(f"{{{code(example)}}}".encode(), "feed.json")
        assert list(given.model_dump(by_alias=True, exclude_defaults=True)) == [code(name)]
    for _, content in blocks(section("Settings"), "json"):
        parse_settings(content.encode(), "feed.json")


def test_the_readme_has_every_setting_with_its_default() -> None:
    written: dict[str, Any] = {"none": None, "1 GiB": 1 << 30, "`BoardApiKey`": "BoardApiKey", "`utf-8`": "utf-8"}
    defaults = {
        code(name): written[default] if default in written else json.loads(code(default))
        for name, default, _ in rows(section("A feed", README))
    }

    assert defaults == FeedSettings().model_dump(by_alias=True)


@pytest.mark.parametrize(("field", "value", "sent"), rows(section("What is corrected")))
def test_what_is_corrected_is_sent_so_with_a_warning(field: str, value: str, sent: str) -> None:
    job = {"referenceNumber": "a", "city": "York", code(field): code(value)}

    jobs, problems, warnings = read("jobs.csv", table(job))

    assert problems == []
    assert str(jobs[0].get(code(field), "nothing")) == code(sent)
    assert warnings


@pytest.mark.parametrize("text", re.findall(r"a ([a-zA-Z]+) `([^`]+)`", section("What is an error")))
def test_what_is_an_error_is_one(text: tuple[str, str]) -> None:
    name = {"state": "state", "ZIP": "postalCode", "date": "startDate"}[text[0]]

    assert read("jobs.csv", table({"referenceNumber": "a", "city": "York", name: text[1]}))[1] != []
