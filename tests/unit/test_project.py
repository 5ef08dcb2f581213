"""The project keeps its own rules: which way imports point, names, commands, versions, pins."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from scripts import audit
from tests.stack import METRICS, TEMPLATE, make_stack

ROOT: Final = TEMPLATE.parent
PACKAGE: Final = ROOT / "layers/jobferry/jobferry"
APPS: Final = sorted(ROOT.glob("functions/*/app.py"))
#: What only adapters may know: AWS and HTTP.
OUTSIDE: Final = {"aws_lambda_powertools", "boto3", "botocore", "certifi", "mypy_boto3_dynamodb", "requests", "urllib3"}
#: Names that say nothing of the domain.
NAMELESS: Final = re.compile(r"(^|_)(utils?|helpers?|common|managers?|services?|misc|base|core)$")


def tracked() -> list[Path]:
    """What is, or is about to be, in the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if ".venv" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it; `from x import y` gives both x and x.y."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                assert node.level == 0, f"{path}: relative imports hide which way they point"
                yield str(node.module)
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# Imports point one way: app → domain; adapters → domain; the domain knows neither


@pytest.mark.parametrize("path", modules(PACKAGE), ids=name_of)
def test_the_package_knows_only_itself(path: Path) -> None:
    assert not tops(path) & {"functions", "local", "tests", "app", "moto", "benchmarks", "scripts"}
    if "cli" in path.parts:  # like an app.py, it puts the parts together
        return
    assert not [name for name in imported(path) if name.startswith("jobferry.cli")]
    if "adapters" in path.parts:
        return
    assert not tops(path) & OUTSIDE
    assert not [name for name in imported(path) if name.startswith("jobferry.adapters")]


#: A room imports from the rows above its own and from no other.
ROOMS: Final = (
    {"errors", "text", "exact_json", "workspace"},
    {"feeds"},
    {"jobs"},
    {"payload", "records", "suggestion"},
    {"board", "deletions"},
    {"runs", "results", "notices"},
    {"adapters"},
    {"cli"},
)


def test_a_room_imports_only_from_the_rooms_below_it() -> None:
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules(PACKAGE)} == (
        set().union(*ROOMS) | {"__init__"}
    )
    for row, rooms in enumerate(ROOMS):
        below = set().union(*ROOMS[:row])
        for room in rooms:
            for path in modules(PACKAGE / room) or [PACKAGE / f"{room}.py"]:
                others = {name.split(".")[1] for name in imported(path) if name.startswith("jobferry.")} - {room}
                assert others <= below, f"{name_of(path)} imports {', '.join(sorted(others - below))}"


def test_the_domain_reads_no_environment() -> None:
    for path in modules(PACKAGE):
        assert not re.search(r"\bos\.environ\b|\bgetenv\b", path.read_text()), name_of(path)


def test_functions_know_the_package_and_nothing_else_of_ours() -> None:
    assert len(APPS) == 4
    for path in APPS:
        assert "jobferry" in tops(path)
        assert not tops(path) & {"functions", "local", "tests", "scripts"}, name_of(path)
    for path in modules(ROOT / "functions"):
        assert path in APPS, f"{name_of(path)}: everything but app.py belongs into the package"


def test_nobody_imports_functions_by_their_folder() -> None:
    for folder in ("layers", "local", "scripts"):
        for path in modules(ROOT / folder):
            assert "functions" not in tops(path), name_of(path)
            assert "tests" not in tops(path), name_of(path)


@pytest.mark.parametrize("folder", [PACKAGE, ROOT / "local"], ids=name_of)
def test_no_modules_import_each_other(folder: Path) -> None:
    paths = {module_of(path, folder.parent): path for path in modules(folder)}
    # A package runs before its modules in any case, so a module that names its own package adds no order.
    graph = {
        name: {other for other in imported(path) if other in paths and not f"{name}.".startswith(f"{other}.")}
        for name, path in paths.items()
    }
    assert sum(map(len, graph.values())) > len(graph)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def module_of(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", APPS, ids=name_of)
def test_an_app_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60


#: Heavy libraries that few runs need. A function imports them when a run needs them, so that no cold start pays for them.
LAZY: Final = {"jinja2", "lxml", "python_calamine", "click"}


@pytest.mark.parametrize("path", APPS, ids=name_of)
def test_a_cold_start_imports_no_heavy_library(path: Path) -> None:
    loaded = modules_after("import app", path.parent)
    assert "jobferry.records.imports" in loaded
    assert not loaded & LAZY


def modules_after(statement: str, folder: Path) -> set[str]:
    """Return the modules that Python has loaded after a statement, in the environment of the folder's function."""
    [function] = [
        each
        for each in make_stack().of_type("AWS::Lambda::Function")
        if each.properties["Code"]["S3Key"] == f"functions/{folder.name}"
    ]
    variables = {name: str(value) for name, value in function.properties["Environment"]["Variables"].items()}
    ended = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        cwd=folder,
        env={**os.environ, **variables, "AWS_DEFAULT_REGION": "us-east-1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return set(ended.stdout.split())


def test_modules_are_named_after_the_domain() -> None:
    for folder in ("layers", "local", "functions", "scripts"):
        for path in modules(ROOT / folder):
            for part in path.relative_to(ROOT / folder).with_suffix("").parts:
                assert not NAMELESS.search(part), name_of(path)


# Network calls end


def test_every_request_has_a_timeout() -> None:
    calls = 0
    for folder in (PACKAGE, ROOT / "functions", ROOT / "local", ROOT / "scripts"):
        for path in modules(folder):
            if not tops(path) & {"requests", "urllib3"}:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and is_request(node):
                    calls += 1
                    assert "timeout" in {word.arg for word in node.keywords}, f"{name_of(path)}:{node.lineno}"
    assert calls


def is_request(node: ast.Call) -> bool:
    """`requests.get(…)`, `session.request(…)`, `self._pool.request(…)` and the like."""
    match node.func:
        case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=verb):
            verbs = {"get", "post", "put", "patch", "delete", "head", "options", "request", "send"}
            return verb in verbs and owner.strip("_") in ("requests", "session", "http", "pool")
        case _:
            return False


# What the package says it measures


def test_the_metrics_of_the_design_are_measured() -> None:
    code = "".join(path.read_text() for path in [*APPS, *modules(PACKAGE)])
    assert {name for name in METRICS if f'"{name}"' not in code} == set()


# Commands


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_command_of_the_makefile_says_what_it_does() -> None:
    described = set(re.findall(r"^## ([a-z-]+): .", (ROOT / "Makefile").read_text(), re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert described == targets() - {"help"}
    assert set(phony[1].split()) == targets()


def test_ci_calls_what_a_person_calls_and_the_tests_last() -> None:
    script = ROOT / ".ci/run"
    commands = [line for line in script.read_text().splitlines() if line.startswith("make ")]
    assert commands == ["make check", "make test"]
    assert script.stat().st_mode & 0o100


def test_pre_commit_runs_the_quick_checks_of_make_check() -> None:
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    checks = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert entries == [check for check in checks if re.match(r"\.venv/bin/(ruff|mypy|cfn-lint)\b", check)]


def test_contributing_names_every_room_and_no_other() -> None:
    named = re.findall(r"^\| `(\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


# Events


def test_every_event_is_used() -> None:
    users = [*modules(ROOT / "tests"), *modules(ROOT / "scripts"), ROOT / "Makefile"]
    text = "\n".join(path.read_text() for path in users)
    unused = [path.name for path in (ROOT / "events").glob("*.json") if not re.search(rf'"{path.stem}(\.json)?"', text)]
    assert unused == []


# Versions and pins


def test_the_versions_of_python_agree() -> None:
    version = (ROOT / ".python-version").read_text().strip()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == f">={version},<3.{int(version.split('.')[1]) + 1}"
    assert project["tool"]["mypy"]["python_version"] == version
    assert project["tool"]["ruff"]["target-version"] == f"py{version.replace('.', '')}"
    assert f"{sys.version_info.major}.{sys.version_info.minor}" == version
    makefile, layer = (ROOT / "Makefile").read_text(), (ROOT / "layers/jobferry/layer.mk").read_text()
    assert set(re.findall(r"--python-version ([\d.]+)", makefile + layer)) == {version}
    assert set(re.findall(r"python(\d\.\d+)", makefile + layer)) == {version}
    stack = make_stack()
    assert {each.properties["Runtime"] for each in stack.of_type("AWS::Lambda::Function")} == {f"python{version}"}
    [layer_version] = stack.of_type("AWS::Lambda::LayerVersion")
    assert layer_version.properties["CompatibleRuntimes"] == [f"python{version}"]


def pins(path: Path) -> dict[str, str]:
    """Names and versions of a requirements file, each of which has to have a hash."""
    found = {}
    for requirement in re.split(r"(?<!\\)\n(?! )", path.read_text()):
        if requirement and not requirement.startswith("#"):
            match = re.match(r"([a-z0-9-]+)==(\S+)", requirement)
            assert match, requirement
            assert "--hash=sha256:" in requirement, match[0]
            found[match[1]] = match[2]
    return found


def test_every_dependency_is_pinned_with_its_hashes_and_the_same_everywhere() -> None:
    layer = pins(ROOT / "layers/jobferry/requirements.txt")
    tools = pins(ROOT / "requirements-dev.txt")
    assert {name: tools[name] for name in layer} == layer
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = [re.match(r"[a-z0-9-]+", each)[0] for each in project["project"]["dependencies"]]  # type: ignore[index]
    assert set(names) <= set(layer)
    groups = [re.match(r"[a-z0-9-]+", each)[0] for each in project["dependency-groups"]["dev"]]  # type: ignore[index]
    assert set(groups) <= set(tools)


def test_the_layer_is_without_the_command_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {re.match(r"[a-z0-9-]+", each)[0] for each in project["optional-dependencies"]["cli"]}  # type: ignore[index]
    assert extra == {"click"}
    assert not extra & pins(ROOT / "layers/jobferry/requirements.txt").keys()
    for path in APPS:
        assert not [name for name in imported(path) if name.startswith("jobferry.cli")], name_of(path)


def test_the_layer_is_built_for_each_processor() -> None:
    template = TEMPLATE.read_text()
    allowed = re.search(r"Architecture:\n(?:.*\n)*?    AllowedValues: \[(.+)\]", template)
    assert allowed
    machines = {"arm64": "aarch64", "x86_64": "x86_64"}
    assert set(allowed[1].split(", ")) == set(machines)
    for architecture, machine in machines.items():
        makefile = (ROOT / f"layers/jobferry/{architecture}/Makefile").read_text()
        assert f"MACHINE := {machine}\n" in makefile


def test_nothing_names_this_machine() -> None:
    folders = {str(ROOT.parent), str(Path.home())} - {"/"}
    for path in tracked():
        content = path.read_bytes()
        for folder in folders:
            assert f"{folder}/".encode() not in content, f"{name_of(path)} names {folder}"


def test_the_deployments_differ_in_name_and_tags() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    stacks = set()
    for name in ("default", "staging", "prod"):
        deploy = config[name]["deploy"]["parameters"]
        environment = {"default": "dev"}.get(name, name)
        assert deploy["capabilities"] == "CAPABILITY_IAM"
        assert deploy["resolve_s3"] is True
        assert deploy["confirm_changeset"] is True
        assert f"Environment={environment}" in deploy["parameter_overrides"]
        assert deploy["tags"] == ["application=jobferry", f"environment={environment}"]
        stacks.add(config[name]["global"]["parameters"]["stack_name"])
    assert len(stacks) == 3


# The audit


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("", 0, "SKIPPED, the vulnerability service cannot be reached: no route"),
        ('{"dependencies": [{"name": "a", "skip_reason": "?"}]}', 0, "SKIPPED"),
        (
            '{"dependencies": [{"name": "a", "skip_reason": "?"}, {"name": "b", "version": "1", "vulns": []}]}',
            0,
            "1 of 2 packages checked, 0 with",
        ),
        (
            '{"dependencies": [{"name": "b", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}]}',
            1,
            "b 1 has CVE-1, fixed in 2",
        ),
    ],
)
def test_the_audit_fails_for_what_it_finds_and_not_for_what_it_cannot_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, status: int, said: str
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[-1] == "layers/jobferry/requirements.txt"
        return subprocess.CompletedProcess(command, 1, answer, "Traceback\nno route\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main() == status
    assert said in capsys.readouterr().out
