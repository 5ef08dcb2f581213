"""The commands for functions in containers, and the way from a container to this machine."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from boto3.dynamodb.types import TypeDeserializer
from werkzeug.wrappers import Response

from jobferry.records import transitions
from jobferry.records.imports import Claim, Import, State
from local import containers
from local.web import WebServer
from scripts import sam_local
from tests.events import EVENTS, load_event


class DockerStub:
    """Stands in for subprocess.run: Docker answers this, or is not installed."""

    def __init__(self, output: str | None, returncode: int = 0) -> None:
        self.output, self.returncode = output, returncode

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if self.output is None:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, self.returncode, self.output, "")


@pytest.mark.parametrize(
    ("docker", "system", "address"),
    [
        (DockerStub('[{"Subnet":"172.17.0.0/16","Gateway":"172.17.0.1"}]'), "Linux", "172.17.0.1"),
        (DockerStub('[{"Subnet":"10.8.0.0/16"}]'), "Linux", "10.8.0.1"),
        (DockerStub('[{"Subnet":"172.17.0.0/16","Gateway":"172.17.0.1"}]'), "Darwin", None),
        (DockerStub("", 1), "Linux", None),  # no engine answers
        (DockerStub(None), "Linux", None),
    ],
)
def test_the_address_of_this_machine_for_containers(
    docker: DockerStub, system: str, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", docker)
    monkeypatch.setattr(containers.platform, "system", lambda: system)
    assert containers.docker_gateway() == address


@pytest.mark.parametrize(("returncode", "skips"), [(0, True), (1, False)])
def test_an_image_that_is_there_is_not_pulled(returncode: int, skips: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", DockerStub("", returncode))
    monkeypatch.setattr(containers.architecture, "of_this_machine", lambda: "arm64")
    options = containers.sam_options(Path(".local/containers.json"))
    command = containers.invocation("PollImportsFunction", Path("events/poll.json"), options)
    assert command == (
        ".tools/bin/sam local invoke PollImportsFunction --event events/poll.json --env-vars .local/containers.json "
        "--add-host localhost:host-gateway --region us-east-1 --parameter-overrides Architecture=arm64"
        + (" --skip-pull-image" if skips else "")
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, 127.0.0.2 is not an address of this machine")
@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_only_the_forwarded_address_leads_to_a_server_of_this_machine() -> None:
    with WebServer(lambda request: Response(request.get_data() * 2), "127.0.0.1") as server:
        with containers.forwarding("127.0.0.2", [server.port]):
            body = b"x" * 200_000
            answer = requests.post(f"http://127.0.0.2:{server.port}/", body, timeout=30)
            assert answer.content == body * 2
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.2:{server.port}/", timeout=30)
    assert not [thread for thread in threading.enumerate() if thread.name == "forwarder"]


# What the events find


class SystemStub:
    """Takes what `prepare` puts in place."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.feed: dict[str, bytes] = {}
        self.board = type("Board", (), {"next_id": None})()

    def put_feed(self, key: str, body: bytes) -> None:
        self.feed[key] = body

    def put_item(self, item: dict[str, Any]) -> None:
        self.items.append(item)


@pytest.fixture(scope="module")
def prepared() -> SystemStub:
    system = SystemStub()
    containers.prepare(system)  # type: ignore[arg-type]
    return system


def test_the_import_of_submit_resume_can_be_taken_over(prepared: SystemStub) -> None:
    [record] = [each for each in imports(prepared) if each.import_id == load_event("submit-resume")["resume"]]
    assert record.state is State.PREPARING
    now = datetime.now(UTC)
    assert transitions.take_over(record, Claim(claimedBy="another", claimedUntil=now), now)


def test_the_callbacks_are_about_the_import_that_is_resumed(prepared: SystemStub) -> None:
    assert load_event("callback")["pathParameters"]["importId"] == load_event("submit-resume")["resume"]
    assert f'"id":"{prepared.board.next_id}"' in load_event("callback")["body"]


def test_each_import_of_a_notice_event_is_there(prepared: SystemStub) -> None:
    there = {each.import_id for each in imports(prepared)}
    for path in EVENTS.glob("notice-*.json"):
        for record in load_event(path.stem)["Records"]:
            assert record["dynamodb"]["Keys"]["importId"]["S"] in there, path.name


def imports(system: SystemStub) -> list[Import]:
    deserialize = TypeDeserializer().deserialize
    return [
        Import.model_validate({key: deserialize(value) for key, value in item.items()})
        for item in system.items
        if item["item"] == {"S": "import"}
    ]


# make sam-local


def test_the_page_of_the_events_says_what_to_expect_of_each() -> None:
    examples = sam_local.examples((EVENTS / "README.md").read_text())
    assert sorted(each.file for each in examples) == sorted(path.name for path in EVENTS.glob("*.json"))
    functions = {
        "submit": "SubmitImport",
        "callback": "ReceiveCallback",
        "poll": "PollImports",
        "notice": "PublishNotice",
    }
    for each in examples:
        assert each.function == functions[each.file.removesuffix(".json").split("-")[0]]
        assert (each.logged is None) == (each.file == "notice-unrelated.json")


def test_an_answer_may_have_more_than_what_is_expected() -> None:
    assert sam_local.has({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 2}})
    assert not sam_local.has({"a": 1}, {"a": 2})
    assert not sam_local.has({"a": 1}, {"b": 1})
    assert not sam_local.has({"batchItemFailures": [{}]}, {"batchItemFailures": []})
    assert not sam_local.has(None, {"a": 1})
