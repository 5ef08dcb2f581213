"""What GitHub runs: the Makefile's commands, this Python, and a role that can do what a deployment takes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from tests.stack import TEMPLATE, make_stack

ROOT: Final = TEMPLATE.parent
FOLDER: Final = ROOT / ".github/workflows"
#: By file name.
WORKFLOWS: Final[dict[str, dict[Any, Any]]] = {
    path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))
}
MAKEFILE: Final = (ROOT / "Makefile").read_text()
ROLE: Final[dict[str, Any]] = yaml_parse((ROOT / ".github/deploy-role.yaml").read_text())
POLICY: Final[list[dict[str, Any]]] = ROLE["Resources"]["DeployRole"]["Properties"]["Policies"][0]["PolicyDocument"][
    "Statement"
]


def triggers(name: str) -> dict[str, Any]:
    found: dict[str, Any] = WORKFLOWS[name][True]  # YAML 1.1 reads `on` so
    return found


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, workflow in WORKFLOWS.items():
        yield from ((f"{name}: {job}", each) for job, each in workflow["jobs"].items())


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        yield from ((name, step) for step in job.get("steps", []))


def recipe(target: str) -> str:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found, target
    return found[1]


def test_it_runs_the_makefiles_commands() -> None:
    runs = [step["run"] for _, step in steps() if "run" in step]
    for run in runs:
        tool, target, *variables = re.sub(r"\$\{\{.*?\}\}", "VALUE", run).split()
        assert tool == "make"
        for variable in variables:
            assert f"$({variable.partition('=')[0]})" in recipe(target), run
    assert runs[:3] == ["make check", "make test", "make build ARCHITECTURE=${{ matrix.architecture }}"]
    ours = re.findall(r"^(make .+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert set(ours) <= set(runs)


def test_every_job_uses_the_projects_python_and_ends() -> None:
    for name, job in jobs():
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file(), name
            assert "workflow_call" in triggers(Path(job["uses"]).name), name
            continue
        assert job["timeout-minutes"] <= 60, name
        [python] = [each["with"] for each in job["steps"] if each.get("uses", "").startswith("actions/setup-python@")]
        assert python == {"python-version-file": ".python-version"}, name
    assert (ROOT / ".python-version").read_text().strip() in re.findall(r"python(\d\.\d+)$", MAKEFILE, re.MULTILINE)


def test_its_actions_are_github_s_and_aws_s() -> None:
    used = [step["uses"] for _, step in steps() if "uses" in step]
    assert used
    for each in used:
        assert re.fullmatch(r"(actions|aws-actions)/[a-z-]+@v\d+", each), each


def test_both_processors_are_built() -> None:
    matrix = WORKFLOWS["ci.yml"]["jobs"]["build"]["strategy"]["matrix"]["architecture"]
    assert matrix == yaml_parse(TEMPLATE.read_text())["Parameters"]["Architecture"]["AllowedValues"]


def test_no_key_of_aws_is_kept_and_only_a_deployment_gets_a_role() -> None:
    for name, workflow in WORKFLOWS.items():
        text = (FOLDER / name).read_text()
        assert "secrets." not in text
        assert "access-key" not in text
        assert "pull_request_target" not in text
        assert workflow["permissions"]["contents"] == "read"
        assert set(workflow["permissions"]) <= {"contents", "id-token"}
    allowed = {name for name, job in jobs() if "id-token" in job.get("permissions", {})}
    assert allowed == {"deploy.yml: staging", "deploy.yml: prod"}
    assert {name for name, each in WORKFLOWS.items() if "id-token" in each["permissions"]} == {"deploy-to.yml"}
    for _, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}


def test_a_deployment_is_tested_goes_to_staging_first_and_never_overlaps() -> None:
    deploy = WORKFLOWS["deploy.yml"]["jobs"]
    assert triggers("deploy.yml")["push"] == {"tags": ["v*"]}
    assert deploy["ci"]["uses"].endswith("/ci.yml")
    assert (deploy["staging"]["needs"], deploy["prod"]["needs"]) == ("ci", "staging")
    for name in ("staging", "prod"):
        assert deploy[name]["uses"].endswith("/deploy-to.yml")
        assert deploy[name]["with"] == {"environment": name}
    [job] = WORKFLOWS["deploy-to.yml"]["jobs"].values()
    assert triggers("deploy-to.yml")["workflow_call"]["inputs"]["environment"]["required"] is True
    assert job["environment"] == "${{ inputs.environment }}"
    assert job["concurrency"] == {"group": "deploy-${{ inputs.environment }}", "cancel-in-progress": False}
    commands = [step.get("run") or step["uses"] for step in job["steps"]]
    # What a build runs, other people's packages among it, runs without the role.
    assert commands.index("make build ARCHITECTURE=${{ vars.ARCHITECTURE }}") < commands.index(
        "aws-actions/configure-aws-credentials@v6"
    )
    assert commands[-1] == "make deploy ENV=${{ inputs.environment }} CONFIRM=no"
    assert "--no-confirm-changeset" in recipe("deploy")


def test_its_environments_are_those_of_samconfig_and_of_the_role() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    choices = triggers("deploy.yml")["workflow_dispatch"]["inputs"]["environment"]["options"]
    assert choices == ["staging", "prod"] == ROLE["Parameters"]["GitHubEnvironment"]["AllowedValues"]
    for each in choices:
        stack = config[each]["global"]["parameters"]["stack_name"]
        assert re.fullmatch(ROLE["Parameters"]["StackName"]["AllowedPattern"], stack)
        # By this tag the role knows the key of the notices.
        assert "application=jobferry" in config[each]["deploy"]["parameters"]["tags"]


# The role


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(service: str) -> list[tuple[str, str]]:
    """The actions of a service that the role allows, with the resource of each."""
    return [
        (action, each["Fn::Sub"] if isinstance(each, dict) else each)
        for statement in POLICY
        for action in listed(statement["Action"])
        for each in listed(statement["Resource"])
        if action.startswith(f"{service}:")
    ]


@pytest.mark.parametrize(
    "kind", sorted({each["Type"] for each in yaml_parse(TEMPLATE.read_text())["Resources"].values()})
)
def test_the_role_can_create_what_the_template_has(kind: str) -> None:
    service = {"Serverless": "lambda", "ApiGatewayV2": "apigateway"}.get(
        kind.split("::")[1], kind.split("::")[1].lower()
    )
    creating = [action for action, _ in allowed(service) if re.search(r":(\*|Create|Put)", action)]
    assert creating, kind


def test_the_names_that_the_role_is_bound_to_are_those_of_the_template() -> None:
    resources = make_stack().resources
    for service, logical_id in (("dynamodb", "ImportsTable"), ("sns", "NoticesTopic"), ("sqs", "DeadLetterQueue")):
        assert logical_id in resources
        assert {name.rpartition(":")[2].rpartition("/")[2] for _, name in allowed(service)} == {
            f"${{StackName}}-{logical_id}-*"
        }
    buckets = {name for action, name in allowed("s3") if action == "s3:CreateBucket"}
    assert buckets == {"arn:${AWS::Partition}:s3:::${StackName}-feedsbucket-*"}
    assert "FeedsBucket" in resources
    text = TEMPLATE.read_text()
    fixed = re.findall(
        r"^ +(?:(?:Function|Layer|LogGroup|Alarm|Dashboard)?Name|GroupName): (!\w+ \S+)$", text, re.MULTILINE
    )
    assert len(fixed) > 10
    for name in fixed:
        assert re.match(
            r"!Sub (/aws/(lambda|vendedlogs)/)?\$\{AWS::StackName\}[-/]|!Ref (AWS::StackName|ScheduleGroup)$", name
        ), name


def test_the_role_changes_the_roles_of_the_template_and_no_other() -> None:
    roles = {
        name for name, each in yaml_parse(TEMPLATE.read_text())["Resources"].items() if each["Type"] == "AWS::IAM::Role"
    }
    for actions in ("iam:CreateRole", "iam:PassRole"):
        names = {name.rpartition("/")[2] for action, name in allowed("iam") if action == actions}
        assert names == {f"${{StackName}}-{role}-*" for role in roles}


def test_the_role_reads_no_feed_and_no_key_and_deletes_no_data() -> None:
    objects = {name for action, name in allowed("s3") if "Object" in action}
    assert all("s3:::aws-sam-cli-managed-default-" in name for name in objects)
    actions = {action for statement in POLICY for action in listed(statement["Action"])}
    assert not actions & {"s3:*", "s3:DeleteBucket", "dynamodb:*", "dynamodb:DeleteTable", "dynamodb:Scan", "*"}
    assert not {each for each in actions if re.match(r"secretsmanager:(\*|GetSecret|PutSecret|BatchGet)", each)}
    assert not {
        each for each in actions if re.match(r"kms:(\*|Decrypt|Encrypt)|sqs:(\*|Receive)|iam:(\*|Attach)", each)
    }


def test_the_role_trusts_one_environment_of_one_repository() -> None:
    [trust] = ROLE["Resources"]["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {
                "Fn::Sub": "repo:${Repository}:environment:${GitHubEnvironment}"
            },
        }
    }
    pattern = ROLE["Parameters"]["Repository"]["AllowedPattern"]
    assert re.fullmatch(pattern, "agency/jobferry")
    assert re.fullmatch(pattern, "agency@123/jobferry@456")
    assert not re.fullmatch(pattern, "agency/*")
