"""The runbook has a section for whatever a notice, an alarm or an error refers to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from jobferry.errors import Cause
from jobferry.notices.advice.topics import Topic
from jobferry.records.imports import Objection
from tests.unit.notices.cases import CASES, COMMANDS

ROOT: Final = Path(__file__).parents[3]
RUNBOOK: Final = (ROOT / "docs/runbook.md").read_text()
ANCHORS: Final = [
    re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-")
    for line in re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
]


def test_no_two_sections_have_one_name() -> None:
    assert sorted(ANCHORS) == sorted(set(ANCHORS))


@pytest.mark.parametrize("name", CASES)
def test_every_notice_names_sections_that_are_there(name: str) -> None:
    notice = CASES[name].notice()
    urls = notice.data["runbook"]
    assert urls
    assert {each.removeprefix(f"{COMMANDS.runbook}#") for each in urls} <= set(ANCHORS)
    assert f"\nMore about this notice: {urls[0]}\n" in notice.text


def test_a_stack_without_a_runbook_links_to_none() -> None:
    notice = CASES["one-failed"].notice(replace(COMMANDS, runbook=""))
    assert notice.data["runbook"] == []
    assert "More about this notice" not in notice.text


@pytest.mark.parametrize("name", CASES)
def test_a_notices_subject_leads_to_its_section(name: str) -> None:
    notice = CASES[name].notice()
    rows = re.findall(r"^\| (`.*`) \| \[.*\]\(#(.*)\) \|$", RUNBOOK, re.MULTILINE)
    named = next(
        anchor
        for words, anchor in rows
        if any(re.search(re.escape(each).replace("…", ".*"), notice.subject) for each in re.findall(r"`(.*?)`", words))
    )
    about_deletions = bool(notice.data["deletions"]["because"]) and "withheld" in notice.subject
    assert named == ("notices-deletions-withheld" if about_deletions else notice.data["runbook"][0].partition("#")[2])


def test_every_reason_to_withhold_has_a_section() -> None:
    assert set(Objection) - {Objection.FIRST} <= set(ANCHORS)


def test_every_cause_has_a_section() -> None:
    assert set(Cause) - {Cause.OPEN, Cause.FEWER_PARTS} <= set(ANCHORS), "a skipped import has no notice"


def test_every_topic_has_a_section() -> None:
    by_cause = {Topic.BLOCKED, Topic.REJECTED, Topic.EXPIRED}
    by_cause |= {Topic.WITHHELD}
    assert {each.value for each in Topic if each not in by_cause} <= set(ANCHORS)


def test_every_alarm_has_a_section() -> None:
    named = set(re.findall(r"docs/runbook\.md#([a-z0-9-]+)", (ROOT / "template.yaml").read_text()))
    assert len(named) >= 7
    assert named <= set(ANCHORS)


def test_its_own_links_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= set(ANCHORS)


def test_its_commands_use_outputs_that_the_stack_has() -> None:
    outputs = set(
        re.findall(r"^  (\w+):$", (ROOT / "template.yaml").read_text().partition("\nOutputs:\n")[2], re.MULTILINE)
    )
    used = set(re.findall(r"\$\(output (\w+)\)", RUNBOOK))
    assert len(used) >= 5
    assert used <= outputs


def test_the_search_for_what_ended_a_function_finds_a_plain_line() -> None:
    """A time-out and an exception that nobody caught are no JSON: a pattern of fields does not find them."""
    patterns = re.findall(r"--filter-pattern '(.*)'$", RUNBOOK, re.MULTILINE)
    of_errors = [each for each in patterns if "ERROR" in each]
    assert len(of_errors) == 2
    assert all({"?ERROR", '?"Task', "timed", 'out"'} <= set(each.split()) for each in of_errors)


def test_no_command_puts_a_key_into_a_secret_that_may_be_anothers() -> None:
    names = re.findall(r"secretsmanager \S+ \S+ (\S+)", RUNBOOK)
    assert names == ['"$STACK/accounts/SECRET"'] * 2
