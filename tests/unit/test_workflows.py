"""GitHub runs the Makefile's commands, keeps no AWS key, and deploys what was tested."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from tests.stack import TEMPLATE

ROOT: Final = TEMPLATE.parent
TEXTS: Final = {path.name: path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
WORKFLOWS: Final[dict[str, dict[Any, Any]]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}


def steps() -> Iterator[dict[str, Any]]:
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            yield from job.get("steps", [])


def test_github_runs_what_a_person_runs() -> None:
    runs = [step["run"] for step in steps() if "run" in step]
    assert runs[:2] == re.findall(r"^make .+$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert [run for run in runs if not run.startswith("make ")] == []


def test_the_actions_are_those_of_github_and_aws_pinned_by_commit() -> None:
    used = [line.partition("uses: ")[2] for text in TEXTS.values() for line in text.splitlines() if "- uses: " in line]
    assert len(used) == len([step for step in steps() if "uses" in step]) > 0
    pinned = re.compile(r"(actions|aws-actions)/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [each for each in used if not pinned.fullmatch(each)] == []
    assert len({each.partition("@")[0] for each in used}) == len(set(used)), "one action has two versions"


def test_every_package_is_installed_by_its_hash() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^\t.*pip install.*$", makefile, re.MULTILINE):
        # The project itself is installed from this folder, without its dependencies.
        assert "--require-hashes" in command or "--no-deps --no-build-isolation -e ." in command
    assert "tool install" not in makefile


def test_a_deployment_installs_no_tool_but_sam() -> None:
    rules = dict(re.findall(r"^([a-z-]+): (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert rules["build"] == rules["deploy"] == ".tools/sam/ready"
    assert "make check" not in TEXTS["deploy-to.yml"]


def test_a_build_runs_none_of_the_layers_packages() -> None:
    layer = (ROOT / "layers/jobferry/layer.mk").read_text()
    # A source distribution would run its own code, in a job that can ask for the deployment's role.
    assert layer.count("uv pip install") == layer.count("--only-binary :all: --require-hashes") == 1
    assert list((ROOT / "functions").rglob("requirements*.txt")) == []


def test_no_aws_key_is_kept_and_only_a_deployment_gets_a_role() -> None:
    for name, workflow in WORKFLOWS.items():
        assert not re.search(r"secrets\.|access-key|pull_request_target", TEXTS[name]), name
        assert workflow["permissions"]["contents"] == "read", name
    with_role = {name for name, text in TEXTS.items() if "id-token" in text}
    assert with_role == {"deploy.yml", "deploy-to.yml"}


def test_a_deployment_is_tested_first_and_goes_to_staging_before_prod() -> None:
    jobs = WORKFLOWS["deploy.yml"]["jobs"]
    assert jobs["ci"]["uses"].endswith("/ci.yml")
    assert (jobs["staging"]["needs"], jobs["prod"]["needs"]) == ("ci", "staging")
    [job] = WORKFLOWS["deploy-to.yml"]["jobs"].values()
    commands = [step.get("run") or step["uses"].partition("@")[0] for step in job["steps"]]
    build = next(command for command in commands if command.startswith("make build"))
    # The build does not find the role's credentials. Every step of the job could ask for the role, however.
    assert commands.index(build) < commands.index("aws-actions/configure-aws-credentials")
    assert commands[-1].startswith("make deploy")
