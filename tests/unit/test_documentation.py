"""Every command of the documentation is held against what it calls, as far as that goes without AWS; links lead somewhere."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

import jmespath  # type: ignore[import-untyped]
import pytest
import typer
from botocore import xform_name
from botocore.loaders import create_loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.paginate import PaginatorModel
from botocore.validate import ParamValidator
from botocore.waiter import WaiterModel
from samtranslator.yaml_helper import yaml_parse

from jobferry.cli.commands import app
from jobferry.errors import EventError
from jobferry.runs.triggers import parse_trigger
from tests.stack import TEMPLATE

ROOT: Final = TEMPLATE.parent
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAKEFILE: Final = (ROOT / "Makefile").read_text()
STACK: Final[dict[str, dict[str, Any]]] = yaml_parse(TEMPLATE.read_text())
SAM: Final = ROOT / ".tools/bin/sam"

#: Options of every `aws` command, and whether a value follows. https://docs.aws.amazon.com/cli/latest/reference/
GLOBAL_OPTIONS: Final = {
    "--cli-binary-format": True,
    "--cli-connect-timeout": True,
    "--cli-read-timeout": True,
    "--debug": False,
    "--endpoint-url": True,
    "--no-cli-pager": False,
    "--no-paginate": False,
    "--output": True,
    "--profile": True,
    "--query": True,
    "--region": True,
}
PAGING_OPTIONS: Final = {"--max-items": True, "--page-size": True, "--starting-token": True}
#: Commands of the AWS CLI that are no operation of a service: their options, and how many words they take at least and at most.
AWS_CUSTOM: Final[dict[tuple[str, str], tuple[dict[str, bool], int, int]]] = {
    ("s3", "cp"): ({"--recursive": False, "--quiet": False, "--exclude": True, "--include": True}, 2, 2),
    ("s3", "ls"): ({"--recursive": False, "--human-readable": False, "--summarize": False}, 0, 1),
    ("s3", "sync"): ({"--delete": False, "--dryrun": False, "--exclude": True, "--include": True}, 2, 2),
    ("cloudformation", "deploy"): (
        {"--template-file": True, "--stack-name": True, "--capabilities": True, "--parameter-overrides": True},
        0,
        0,
    ),
    ("configure", "sso"): ({}, 0, 0),
    ("configure", "set"): ({}, 2, 2),
    ("logs", "tail"): ({"--since": True, "--follow": False, "--filter-pattern": True, "--format": True}, 1, 1),
}
#: What the pages use of SAM, and whether a value follows; `test_sam_has_these_options` holds it against the tool itself.
SAM_OPTIONS: Final[dict[str, dict[str, bool]]] = {
    "build": {"--parameter-overrides": True, "--config-env": True},
    "delete": {"--stack-name": True, "--region": True, "--no-prompts": False},
    "deploy": {"--config-env": True, "--parameter-overrides": True, "--no-confirm-changeset": False},
    "local invoke": {"--event": True},
    "validate": {"--lint": False},
}
#: What click raises, wherever typer keeps it.
USAGE_ERROR: Final[Any] = typer.BadParameter.__base__
#: Modules whose command line is argparse's, so that reading it starts nothing.
READ_ONLY: Final = {"benchmarks", "benchmarks.night", "jobferry.cli.validate", "local", "local.board"}

#: Options that the AWS CLI calls otherwise than the service does.
RENAMED: Final = {("sns", "Subscribe", "--endpoint"): "--notification-endpoint"}

pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")

_TOOLS: Final = r"(?:make|sam|\.tools/bin/sam|aws|jobferry|\.venv/bin/jobferry|(?:\.venv/bin/)?python -m)"
_BEGINNING: Final = re.compile(rf"(?:^[ \t]*(?:\$ )?(?:[A-Z_]+=\S+ )*|\$\(|[;|&{{:] )(?={_TOOLS}[ \n])", re.MULTILINE)
_ENDS: Final = ";|&()<>\n"


@dataclass(frozen=True)
class Command:
    """One command of a page, in words."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def blocks(text: str) -> Iterator[str]:
    """What a page sets as code: fenced, indented (also in a list), or between backticks."""
    yield from (match[1] for match in re.finditer(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from map(textwrap.dedent, re.findall(r"(?:^(?: {4}|\t).*\n)+", text, re.MULTILINE))
    # A paragraph's line may end within a span of code.
    prose = re.sub(r"^(?: {4}|\t).*$", "", text, flags=re.MULTILINE)
    yield from (" ".join(each.split()) for each in re.findall(r"`([^`]+)`", prose))


def first_command(text: str) -> tuple[str, ...]:
    """The words up to where a shell ends the command."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=_ENDS)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    for word in lexer:
        if set(word) <= set(_ENDS) or word.startswith("#"):
            break
        words.append(word)
    return tuple(words)


def commands_of(page: str, text: str) -> Iterator[Command]:
    for block in blocks(text):
        for match in _BEGINNING.finditer(block):
            words = first_command(block[match.end() :])
            yield Command(page, (words[0].rpartition("/")[2], *words[1:]))


@cache
def commands() -> tuple[Command, ...]:
    return tuple(each for page in PAGES for each in commands_of(page.name, page.read_text()))


def of(tool: str) -> list[Command]:
    return [each for each in commands() if each.words[0] == tool and len(each.words) > 1]


class WrongCommandError(Exception):
    """A command of a page is not one."""


FAULTS: Final = (WrongCommandError, EventError, ValueError)


def parse(words: tuple[str, ...], options: dict[str, bool]) -> tuple[dict[str, list[str]], list[str]]:
    """The options with their values, and the other words. Raises WrongCommandError for an option that does not exist."""
    given: dict[str, list[str]] = {}
    others: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            others.append(word)
            continue
        name, _, value = word.partition("=")
        if name not in options:
            raise WrongCommandError(f"no option {name}")
        given[name] = [value] if value else []
        if options[name] and not value:
            if not rest:
                raise WrongCommandError(f"{name} has no value")
            given[name].append(rest.pop(0))
            while rest and not rest[0].startswith("--") and name in ("--parameter-overrides", "--capabilities"):
                given[name].append(rest.pop(0))
    return given, others


# make


def check_make(words: tuple[str, ...]) -> None:
    target, *variables = [word for word in words[1:] if not word.startswith("-")]
    if not (recipe := re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE)):
        raise WrongCommandError(f"no target {target}")
    for variable in variables:
        name, equals, _ = variable.strip("[]").partition("=")
        if equals and f"$({name})" not in recipe[1] and f"{name} ?=" not in MAKEFILE:
            raise WrongCommandError(f"{target} knows no {name}")


# aws


@cache
def service(name: str) -> ServiceModel:
    name = {"s3api": "s3"}.get(name, name)
    loader = create_loader()
    if name not in loader.list_available_services("service-2"):
        raise WrongCommandError(f"no service {name}")
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


def operation(model: ServiceModel, name: str) -> OperationModel:
    for each in model.operation_names:
        if xform_name(each, "-") == name:
            return model.operation_model(each)
    raise WrongCommandError(f"no operation {model.service_name} {name}")


def is_paged(each: OperationModel) -> bool:
    model = create_loader().load_service_model(each.service_model.service_name, "paginators-1")
    try:
        PaginatorModel(model).get_paginator(each.name)
    except ValueError:
        return False
    return True


def members(each: OperationModel) -> dict[str, tuple[str, Shape]]:
    """The options of an operation: each member, with its name, by what the command line calls it."""
    shape = each.input_shape
    if not isinstance(shape, StructureShape):
        return {}
    found = {f"--{xform_name(name, '-')}": (name, member) for name, member in shape.members.items()}
    return {
        RENAMED.get((each.service_model.service_name, each.name, option), option): member
        for option, member in found.items()
    }


def is_known(value: str) -> bool:
    """Whether a value stands for itself, not for something to fill in."""
    return not re.search(r"\$|://|\b[A-Z]+_[A-Z_]+\b|…", value) and not re.fullmatch(r"[A-Z]{3,}", value)


def check_value(option: str, value: str, shape: Shape) -> None:
    """JSON is read and held against the shape, shorthand's keys against its members, a word against its enumeration."""
    if value[:1] in "{[" and isinstance(shape, (StructureShape, MapShape, ListShape)):
        try:
            given = json.loads(re.sub(r"\$\w+", "x", value))
        except ValueError as error:
            raise WrongCommandError(f"{option} is no JSON: {error}") from error
        if report := ParamValidator().validate(given, shape).generate_report():
            raise WrongCommandError(f"{option}: {report}")
    elif isinstance(shape, StructureShape) and "://" not in value:
        for pair in re.split(r", ?", value):
            if pair.partition("=")[0] not in shape.members:
                raise WrongCommandError(f"{option} has no {pair.partition('=')[0]}")
    elif (enum := shape.metadata.get("enum")) and is_known(value) and value not in enum:
        raise WrongCommandError(f"{option} is one of {enum}")
    elif shape.type_name in ("integer", "long") and is_known(value) and not value.isdecimal():
        raise WrongCommandError(f"{option} is a number")


def check_aws(words: tuple[str, ...]) -> None:
    name, verb, *rest = [*words[1:], "", ""][: max(2, len(words) - 1)]
    if (name, verb) in AWS_CUSTOM:
        options, least, most = AWS_CUSTOM[name, verb]
        given, others = parse(tuple(rest), options | GLOBAL_OPTIONS)
        if not least <= len(others) <= most:
            raise WrongCommandError(f"{name} {verb} takes {least} to {most} words")
        check_parameters(given, ROOT / given.get("--template-file", ["template.yaml"])[0])
        return
    if name == "configure" and not verb:
        return
    model = service(name)
    if verb == "wait":
        waiters = WaiterModel(create_loader().load_service_model(model.service_name, "waiters-2"))
        names = {xform_name(each, "-"): each for each in waiters.waiter_names}
        if rest[0] not in names:
            raise WrongCommandError(f"nothing called {rest[0]} to wait for")
        verb, rest = xform_name(waiters.get_waiter(names[rest[0]]).operation, "-"), rest[1:]
    check_operation(operation(model, verb), tuple(rest))


def check_operation(each: OperationModel, words: tuple[str, ...]) -> None:
    known = members(each)
    options = {name: shape.type_name != "boolean" for name, (_, shape) in known.items() if name not in GLOBAL_OPTIONS}
    options |= {f"--no-{name[2:]}": False for name, (_, shape) in known.items() if shape.type_name == "boolean"}
    given, others = parse(words, GLOBAL_OPTIONS | (PAGING_OPTIONS if is_paged(each) else {}) | options)
    if len(others) != (1 if each.has_streaming_output else 0):
        raise WrongCommandError(f"one file at the end, of nothing else: {others}")
    required = each.input_shape.required_members if each.input_shape else []
    for option, (name, _) in known.items():
        if name in required and option not in given:
            raise WrongCommandError(f"needs {option}")
    if query := given.get("--query"):
        jmespath.compile(query[0])
    for option, values in given.items():
        if option in known and values:
            check_value(option, values[0], known[option][1])
    if each.name == "Invoke" and "--payload" in given:
        if given.get("--cli-binary-format") != ["raw-in-base64-out"]:
            raise WrongCommandError("a payload that is not base64 needs --cli-binary-format raw-in-base64-out")
        payload = given["--payload"][0].replace("$FEED", "default").replace("CODE", "K7QD-3M2A")
        parse_trigger(json.loads(payload), datetime(2026, 11, 24, 2, tzinfo=UTC))
    if each.name == "CreateSchedule":
        parse_trigger(
            json.loads(
                json.loads(given["--target"][0])["Input"].replace(
                    "<aws.scheduler.scheduled-time>", "2026-11-24T02:00:00Z"
                )
            ),
            datetime(2026, 11, 24, 2, tzinfo=UTC),
        )


def check_parameters(given: dict[str, list[str]], template: Path) -> None:
    parameters = yaml_parse(template.read_text())["Parameters"]
    for override in given.get("--parameter-overrides", []):
        if override.partition("=")[0] not in parameters:
            raise WrongCommandError(f"{template.name} has no parameter {override}")


# sam


def check_sam(words: tuple[str, ...]) -> None:
    verb, rest = ("local invoke", words[3:]) if words[1:3] == ("local", "invoke") else (words[1], words[2:])
    if verb not in SAM_OPTIONS:
        raise WrongCommandError(f"no command sam {verb}")
    given, _ = parse(rest, SAM_OPTIONS[verb])
    check_parameters(given, TEMPLATE)
    if environment := given.get("--config-env"):
        assert re.search(rf"^\[{environment[0]}\.", (ROOT / "samconfig.toml").read_text(), re.MULTILINE)


@pytest.mark.skipif(not SAM.exists(), reason="SAM is not set up: make check does it")
@pytest.mark.parametrize("verb", sorted({" ".join(each.words[1:2]) for each in of("sam")}))
def test_sam_has_these_options(verb: str) -> None:
    text = subprocess.run([SAM, verb, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    for option in SAM_OPTIONS[verb]:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])|{option.replace('--no-', '--')} / {option}", text), option


# jobferry, and modules


def check_jobferry(words: tuple[str, ...]) -> None:
    group: Any = typer.main.get_command(app)
    if "COMMAND" in words:
        return
    if words[1].startswith("--") and len(words) == 2:
        # Such an option acts as soon as it is read, and --install-completion writes into the home directory.
        if words[1] not in {name for option in group.params for name in option.opts}:
            raise WrongCommandError(f"no option {words[1]}")
        return
    try:
        if len(words) == 2 and words[1] in group.commands:
            return  # a command that is spoken of
        assert "--install-completion" not in words
        context = group.make_context("jobferry", list(words[1:]))
        name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        command.make_context(name, rest, parent=context)
    except USAGE_ERROR as error:
        raise WrongCommandError(error.format_message()) from error


class Parsed(Exception):  # noqa: N818 - no error: the arguments were understood
    """Thrown instead of going on with the arguments."""


def check_module(words: tuple[str, ...]) -> None:
    module, arguments = words[2], words[3:]
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        raise WrongCommandError(f"no module {module}")
    if module not in READ_ONLY:
        raise WrongCommandError(f"{module}: say in READ_ONLY that argparse reads its arguments")
    understand = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> NoReturn:
        try:
            understand(parser, args, namespace)
        except SystemExit as end:
            if end.code:
                raise WrongCommandError(f"{module} does not understand {' '.join(arguments)}") from end
        raise Parsed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", [module, *arguments])
        with pytest.raises(Parsed):
            runpy.run_module(module, run_name="__main__", alter_sys=False)


CHECKS: Final = {
    "make": check_make,
    "aws": check_aws,
    "sam": check_sam,
    "jobferry": check_jobferry,
    "python": check_module,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("tool", CHECKS)
def test_every_command_is_one(tool: str, page: Path) -> None:
    for command in of(tool):
        if command.page != page.name:
            continue
        try:
            CHECKS[tool](command.words)
        except FAULTS as error:
            pytest.fail(f"{command}\n{error}")


def test_the_commands_are_found() -> None:
    found = {tool: len(of(tool)) for tool in CHECKS}
    assert found["aws"] > 25
    assert found["make"] > 15
    assert found["jobferry"] > 15
    assert found["sam"] >= 1
    assert found["python"] >= 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("    make test", "make test"),
        ("Say `make demo`\nor else.", "make demo"),
        ("It is `make\ndemo` that\n", "make demo"),
        ("```sh\nmake test  # all\n```\n", "make test"),
        ("    $ jobferry show ID | less\n", "jobferry show ID"),
        ("1. First\n\n       aws sts get-caller-identity\n", "aws sts get-caller-identity"),
        ("    aws s3 ls \\\n      s3://x\n    echo\n", "aws s3 ls s3://x"),
        ("    A=1 B=$(aws s3 ls s3://x) make test\n", "aws s3 ls s3://x"),
        ("    aws x --target '{\"a\":\n      1}'\n", 'aws x --target {"a":\n  1}'),
        ("`.tools/bin/sam delete`", "sam delete"),
    ],
)
def test_a_command_is_found_where_pages_have_them(text: str, words: str) -> None:
    assert " ".join(next(commands_of("page", text + "\n")).words) == words


@pytest.mark.parametrize(
    "line",
    [
        "make tets",
        "make deploy ENVIRONMENT=prod",
        "aws dynamo query --table-name T",
        "aws dynamodb querry --table-name T",
        "aws dynamodb query --tabel-name T",
        "aws dynamodb query --index-name I",
        'aws dynamodb get-item --table-name T --key \'{"importId": "x"}\'',
        "aws dynamodb get-item --table-name T --key '{importId}'",
        "aws dynamodb wait table-is-there --table-name T",
        "aws lambda invoke --function-name F",
        'aws lambda invoke --function-name F --payload \'{"feed": "default"}\' /dev/stdout',
        'aws lambda invoke --function-name F --cli-binary-format raw-in-base64-out --payload \'{"fed": "x"}\' /dev/stdout',
        "aws lambda invoke --function-name F --invocation-type Evnt /dev/stdout",
        "aws scheduler get-schedule --name N --group G",
        "aws s3 cp only-one",
        "aws s3 move a b",
        "aws sqs receive-message --queue-url U --max-number-of-messages ten",
        "aws cloudformation deploy --template-file template.yaml --stack-name S --parameter-overrides Colour=red",
        "sam remove",
        "sam delete --name jobferry",
        "jobferry stauts",
        "jobferry status --jsn",
        "jobferry show --all",
        "jobferry --install-completions",
        "aws sts get-caller-identity --query 'Account['",
        "jobferry history default --limit many",
        "python -m jobferry.validation jobs.csv",
        "python -m jobferry.cli.validate --colour jobs.csv",
        "python -m local dmeo",
    ],
)
def test_what_is_no_command_is_noticed(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    [command] = commands_of("page", f"    {line}\n")
    with pytest.raises(FAULTS):
        CHECKS[command.words[0]](command.words)


# Names of the stack


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_outputs_that_pages_ask_for_exist(page: Path) -> None:
    asked = set(re.findall(r"\boutput ([A-Z]\w+)\b", "\n".join(blocks(page.read_text()))))
    assert asked <= set(STACK["Outputs"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
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
    """The anchors of a page, as GitHub makes them of its headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
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
    linked = set(re.findall(r"\]\((docs/[^)#]+)\)", (ROOT / "README.md").read_text()))
    assert {f"docs/{page.name}" for page in PAGES[1:]} <= linked


def test_the_alarms_and_workflows_lead_somewhere() -> None:
    sources = [TEMPLATE, *(ROOT / ".github").rglob("*.y*ml")]
    named = {each for path in sources for each in re.findall(r"docs/([\w-]+\.md)#([\w-]+)", path.read_text())}
    assert len(named) > 5
    for name, anchor in named:
        assert anchor in slugs((ROOT / "docs" / name).read_text()), f"{name}#{anchor}"
