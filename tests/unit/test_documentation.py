"""The pages name commands, parameters, outputs and files that exist, and their links lead somewhere."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from botocore import xform_name
from botocore.loaders import create_loader
from samtranslator.yaml_helper import yaml_parse

from jobferry.cli.commands import app
from jobferry.runs.triggers import parse_trigger
from tests.stack import TEMPLATE

ROOT: Final = TEMPLATE.parent
PAGES: Final = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LOADER: Final = create_loader()
MAKEFILE: Final = (ROOT / "Makefile").read_text()
STACK: Final[dict[str, dict[str, Any]]] = yaml_parse(TEMPLATE.read_text())
#: Operations that the AWS CLI adds to those of the services.
AWS_CLI: Final = {
    ("cloudformation", "deploy"),
    ("configure", "set"),
    ("configure", "sso"),
    ("logs", "tail"),
    ("s3", "cp"),
    ("s3", "ls"),
    ("s3", "sync"),
    ("sso", "login"),
}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code_of(page: Path) -> Iterator[str]:
    """Yield what a page marks as code: fenced or indented blocks, then spans between backticks."""
    text = page.read_text()
    yield from re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from map(textwrap.dedent, re.findall(r"(?:^(?: {4}|\t).*\n)+", text, re.MULTILINE))
    prose = re.sub(r"^(?: {4}|\t).*$", "", text, flags=re.MULTILINE)
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose))


def commands(page: Path, tool: str) -> list[list[str]]:
    """Return the words of each command that begins with the tool, up to a comment or the next command."""
    code = "\n".join(code_of(page)).replace("\\\n", " ")
    found = re.findall(rf"(?:^[ $]*|\$\()(?:\S+/)?{tool} ([^\n#|;)]+)", code, re.MULTILINE)
    return [each.split() for each in found]


# Commands


@every_page
def test_the_make_targets_exist(page: Path) -> None:
    for target, *_ in commands(page, "make"):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@every_page
def test_the_modules_exist(page: Path) -> None:
    for module in re.findall(r"python -m ((?:jobferry|local|benchmarks)[\w.]*)", "\n".join(code_of(page))):
        path = (ROOT / "layers/jobferry" if module.startswith("jobferry") else ROOT) / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


@every_page
def test_the_commands_of_jobferry_have_these_options(page: Path) -> None:
    group: Any = app
    for words in commands(page, "jobferry"):
        command = next((group.commands[word] for word in words if word in group.commands), group)
        assert command is not group or words[0].startswith("--") or words[0] == "COMMAND", words
        known = {option for each in [*group.params, *command.params] for option in each.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, words


@every_page
def test_the_commands_of_aws_exist(page: Path) -> None:
    for service, operation, *words in commands(page, "aws"):
        if (service, operation) in AWS_CLI:
            continue
        kind, key = ("waiters-2", "waiters") if operation == "wait" else ("service-2", "operations")
        names = LOADER.load_service_model({"s3api": "s3"}.get(service, service), kind)[key]
        assert (words[0] if operation == "wait" else operation) in {xform_name(name, "-") for name in names}


def test_the_events_that_pages_send_are_understood() -> None:
    payloads = [each for page in PAGES for each in re.findall(r"""--payload ["'](\{.*\})["']""", page.read_text())]
    assert len(payloads) > 3
    for payload in payloads:
        event = payload.replace('\\"', '"').replace("$FEED", "default").replace("CODE", "K7QD-3M2A")
        parse_trigger(json.loads(event), datetime(2026, 11, 24, 2, tzinfo=UTC))


# Names


@every_page
def test_the_files_exist(page: Path) -> None:
    for path in re.findall(
        r"(?<!\.)\b(?:scripts|events|docs|functions|layers|local|tests)/[\w./-]+\.(?:py|json|md)\b",
        "\n".join(code_of(page)),
    ):
        assert (ROOT / path).exists(), path


def test_the_modules_that_contributing_names_exist() -> None:
    modules = re.findall(r"^\|.*\| `([\w/]+\.py)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert len(modules) > 10
    assert [each for each in modules if not (ROOT / "layers/jobferry/jobferry" / each).exists()] == []


@every_page
def test_the_outputs_that_pages_ask_for_exist(page: Path) -> None:
    asked = set(re.findall(r"\boutput ([A-Z]\w+)\b", "\n".join(code_of(page))))
    assert asked <= set(STACK["Outputs"])


@every_page
def test_the_parameters_that_pages_set_exist(page: Path) -> None:
    spans = re.findall(r"`([A-Z][a-zA-Z]+)=[^`]*`", page.read_text())
    assert set(spans) <= set(STACK["Parameters"])


@pytest.mark.parametrize("name", ["README.md", "docs/command-line.md", "docs/deploy.md", "docs/runbook.md"])
def test_the_names_that_pages_have_of_the_stack_exist(name: str) -> None:
    words = set(re.findall(r"`((?:[A-Z][a-z]+){2,})`", (ROOT / name).read_text()))
    role = (ROOT / ".github/deploy-role.yaml").read_text()
    unknown = {word for word in words if not re.search(rf"\b{word}\b", TEMPLATE.read_text() + role)}
    of_aws = {
        "AccessDenied",
        "ResourceNotFoundException",
        "VersionId",
        "ReceiptHandle",
        "UpdateSchedule",
        "DeleteSchedule",
    }
    assert unknown <= of_aws


# Links


def slugs(text: str) -> set[str]:
    """Return a page's anchors, which GitHub makes from its headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_the_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]+`", "", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        assert not anchor or anchor in slugs(there.read_text()), target


def test_the_readme_leads_to_every_page() -> None:
    """It does so by the page that says who reads which."""
    assert "](docs/index.md)" in (ROOT / "README.md").read_text()
    linked = set(re.findall(r"\]\(([^)#/]+\.md)", (ROOT / "docs/index.md").read_text()))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} == linked | {"index.md"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_alarms_and_workflows_lead_somewhere() -> None:
    sources = [TEMPLATE, *(ROOT / ".github").rglob("*.y*ml")]
    named = {each for path in sources for each in re.findall(r"docs/([\w-]+\.md)#([\w-]+)", path.read_text())}
    assert len(named) > 5
    for name, anchor in named:
        assert anchor in slugs((ROOT / "docs" / name).read_text()), f"{name}#{anchor}"
