"""The answers that events/README.md names, from functions in processes instead of containers: this needs no Docker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import requests

from local.board import Fault
from local.containers import CALLBACK_URL, container_system, environments
from local.system import LocalSystem
from scripts import sam_local
from tests.events import EVENTS

#: Stands in for the gateway of Docker's network.
GATEWAY = "127.0.0.2"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, 127.0.0.2 is not an address of this machine")
@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_each_event_has_the_answer_that_the_page_names(tmp_path: Path) -> None:
    with container_system(tmp_path, GATEWAY) as system:
        system.board.faults.add(Fault("no_callback", times=None))  # as long as nobody runs `sam local start-api`
        for example in sam_local.examples((EVENTS / "README.md").read_text()):
            wait_for_the_board(system)
            before = len(system.logs(example.function))
            answer = system.invoke(example.function, json.loads((EVENTS / example.file).read_text()))
            assert sam_local.has(answer, example.answer), (example, answer)
            logged = system.logs(example.function)[before:]
            assert not example.logged or f'"message":"{example.logged}"' in logged, (example, logged)
        variables = environments(system, GATEWAY)
        # Nothing ran by itself: the uploads started no run, and each notice was asked for.
        assert len(system.notices()) == 3
    submit, poll = variables["SubmitImportFunction"], variables["PollImportsFunction"]
    assert submit["BOARD_URL"].startswith("http://localhost:")
    assert submit["CALLBACK_URL"] == CALLBACK_URL
    assert poll["AWS_ENDPOINT_URL"].startswith(f"http://{GATEWAY}:")
    assert poll["AWS_ENDPOINT_URL_LAMBDA"].startswith(f"http://{GATEWAY}:")
    assert "AWS_ENDPOINT_URL_LAMBDA" not in submit  # SAM drops what the template does not declare


def wait_for_the_board(system: LocalSystem) -> None:
    """Wait until the board has processed every import. A container takes longer to start than the board needs."""
    for record in system.imports():
        if system.board.find(board_id := record.get("boardImportId", "")):
            system.board.wait(board_id)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, 127.0.0.2 is not an address of this machine")
@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_containers_reach_the_board_and_aws_until_the_end(tmp_path: Path) -> None:
    with container_system(tmp_path, GATEWAY) as system:
        places = [
            f"http://{GATEWAY}:{port}/" for port in (system.board.port, system.cloud.port, system.lambda_api.port)
        ]
        for place in places:
            assert requests.get(place, timeout=30).status_code in (200, 404), place
    for place in places:
        with pytest.raises(requests.ConnectionError):
            requests.get(place, timeout=30)
