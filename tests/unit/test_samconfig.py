"""Hold samconfig.toml, and what the pages say to write there, to SAM's own parser."""

import json
import re
import subprocess
import tomllib
from typing import Any, Final

import pytest

from tests.stack import TEMPLATE, make_stack

ROOT: Final = TEMPLATE.parent
SAM_PYTHON: Final = ROOT / ".tools/sam/bin/python"
PARSE: Final = """
import json, sys
from samcli.cli.types import CfnParameterOverridesType
print(json.dumps(CfnParameterOverridesType().convert(json.load(sys.stdin), None, None)))
"""
TEXT: Final = (ROOT / "samconfig.toml").read_text()
CONFIG: Final = tomllib.loads(TEXT)

pytestmark = pytest.mark.skipif(not SAM_PYTHON.exists(), reason="SAM is set up by `make check`")


def parse(overrides: Any) -> dict[str, str]:
    """Return the parameters that SAM deploys for this value of `parameter_overrides`."""
    run = subprocess.run(
        [SAM_PYTHON, "-c", PARSE], input=json.dumps(overrides), capture_output=True, text=True, check=True
    )
    parameters: dict[str, str] = json.loads(run.stdout)
    return parameters


def examples() -> list[str]:
    """Return each example of `parameter_overrides`: a comment in samconfig.toml, or a line of a page's code."""
    texts = [TEXT, *((ROOT / page).read_text() for page in ("README.md", "docs/deploy.md", "docs/first-deployment.md"))]
    return [
        each for text in texts for each in re.findall(r"^(?:# |    )(parameter_overrides = .+)$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("environment", ["default", "staging", "prod"])
def test_each_environment_sets_parameters_that_the_template_accepts(environment: str) -> None:
    overrides = parse(CONFIG[environment]["deploy"]["parameters"]["parameter_overrides"])
    assert overrides["Environment"] == {"default": "dev"}.get(environment, environment)
    assert make_stack(**overrides).resources["ImportsTable"]


@pytest.mark.parametrize("example", examples())
def test_an_example_sets_what_it_seems_to_set(example: str) -> None:
    given = tomllib.loads(example)["parameter_overrides"]
    stack = make_stack(**(overrides := parse(given)))
    for each in given:
        name, _, value = each.partition("=")
        assert overrides[name] == value.strip('"')
    [schedule] = stack.of_type("AWS::Scheduler::Schedule")
    assert schedule.properties["ScheduleExpression"] == "cron(30 4 * * ? *)"


def test_sam_cuts_a_value_at_a_space_unless_it_has_quotes_of_its_own() -> None:
    assert parse(["Schedule=cron(30 4 * * ? *)"]) == {"Schedule": "cron(30"}
    assert parse(['Schedule="cron(30 4 * * ? *)"']) == {"Schedule": "cron(30 4 * * ? *)"}


def test_no_page_gives_a_schedule_that_sam_would_cut() -> None:
    pages = [ROOT / "README.md", ROOT / "template.yaml", *sorted((ROOT / "docs").glob("*.md"))]
    for page in pages:
        assert not re.search(r"Schedule=(cron|rate|at)\(\S* ", page.read_text()), page
