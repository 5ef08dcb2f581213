"""A local system for functions in Lambda's containers, which `sam local invoke` and `sam local start-api` run.

Nothing runs by itself in it: no upload, stream or rule starts a function. So each event in events/ finds what it needs,
and a person sees what that one function does.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shlex
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from local import ROOT, sample_feed
from local.aws_account import REGION
from local.system import LocalSystem
from scripts import architecture

EVENTS: Final = ROOT / "events"
#: The import of events/callback*.json and events/submit-resume.json, and its id at the board.
IMPORT_ID: Final = "default-20261124T020000Z"
BOARD_IMPORT_ID: Final = "44eJr7YHDO9PqC834E_q5"
#: The board sends callbacks here, where `sam local start-api` listens by default.
CALLBACK_URL: Final = "http://127.0.0.1:3000/callbacks"
_LOOPBACK: Final = "127.0.0.1"


def docker_gateway() -> str | None:
    """Return the address at which containers reach this machine; None if no Docker engine runs, or not on Linux.

    It is the gateway of Docker's network or, if the network does not name that, its first address.
    """
    command = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        return None
    if ran.returncode or platform.system() != "Linux":
        return None
    config = json.loads(ran.stdout)[0]
    return str(config.get("Gateway") or ip_network(config["Subnet"])[1])


@contextlib.contextmanager
def container_system(folder: Path, gateway: str) -> Iterator[LocalSystem]:
    """Run the system for containers, with the feed and the records that events/ needs."""
    with LocalSystem(folder=folder, automatic=False, board_host="localhost") as system:
        prepare(system)
        with forwarding(gateway, [system.cloud.port, system.board.port, system.lambda_api.port]):
            yield system


def environments(system: LocalSystem, gateway: str) -> dict[str, dict[str, str]]:
    """Return each function's environment by logical id, for `sam local invoke --env-vars`.

    An endpoint needs an IP address: with a host name, boto3 would ask for a bucket at bucket.name. The board's URL keeps
    localhost, because a function sends the board's key only over HTTPS or to localhost.
    """
    return {
        resource.logical_id: _environment(system.functions[resource.ref].variables, system, gateway)
        for resource in system.stack.of_type("AWS::Lambda::Function")
    }


def _environment(declared: Mapping[str, str], system: LocalSystem, gateway: str) -> dict[str, str]:
    # SAM passes on only the variables that the template declares.
    ours = {**declared, **system.endpoints(), "CALLBACK_URL": CALLBACK_URL}
    return {name: ours[name] if name == "CALLBACK_URL" else ours[name].replace(_LOOPBACK, gateway) for name in declared}


# The commands


def sam_options(env_file: Path) -> list[str]:
    """Return the options that a function needs in order to use the system, for `sam local invoke` and `start-api`."""
    own = architecture.of_this_machine()
    image = ["docker", "image", "inspect", f"public.ecr.aws/lambda/python:3.13-{own}"]
    is_there = subprocess.run(image, capture_output=True, check=False).returncode == 0  # noqa: S603
    return [
        *("--env-vars", str(env_file)),
        *("--add-host", "localhost:host-gateway"),
        *("--region", REGION),
        *("--parameter-overrides", f"Architecture={own}"),
        *(["--skip-pull-image"] if is_there else []),
    ]


def invocation(function: str, event: Path, options: Sequence[str]) -> str:
    """Return the command that runs a function in a container."""
    return shlex.join([_sam(), "local", "invoke", function, "--event", str(event), *options])


def start_api(options: Sequence[str]) -> str:
    """Return the command that serves the callback route."""
    return shlex.join([_sam(), "local", "start-api", *options])


def _sam() -> str:
    """Return SAM's program as one types it in the project's folder. `make build` installs it there."""
    return ".tools/bin/sam"


# What the events find


def prepare(system: LocalSystem) -> None:
    """Put in place the feed, the import that submit-resume.json continues, and the imports that need a notice."""
    rows = sample_feed.break_three(sample_feed.make_rows())
    system.put_feed("feeds/default/feed.json", json.dumps(sample_feed.SAMPLE_SETTINGS).encode())
    system.put_feed("feeds/default/jobs.csv", sample_feed.as_csv(rows))
    system.board.next_id = BOARD_IMPORT_ID
    for item in [*_import_that_was_cut_off(datetime.now(UTC)), *_imports_that_need_a_notice()]:
        system.put_item(item)


def _import_that_was_cut_off(now: datetime) -> list[dict[str, Any]]:
    """Make the records that a run leaves if it ends before anything is sent, and whose time is over."""
    began, ended = (f"{now - timedelta(minutes=age):%Y-%m-%dT%H:%M:%S.%fZ}" for age in (20, 5))
    return [
        {
            "importId": {"S": IMPORT_ID},
            "item": {"S": "import"},
            "feed": {"S": "default"},
            "createdAt": {"S": began},
            "state": {"S": "preparing"},
            "open": {"S": "open"},
            "revision": {"N": "1"},
            "claimedBy": {"S": "3d1c9a5e-1f0e-4a39-8c0b-6a0e8d0f7b11"},
            "claimedUntil": {"S": ended},
        },
        {
            "importId": {"S": "feed#default"},
            "item": {"S": "feed"},
            "openImports": {"L": [{"S": IMPORT_ID}]},
            "lastImport": {"S": IMPORT_ID},
            "revision": {"N": "1"},
        },
    ]


def _imports_that_need_a_notice() -> Iterator[dict[str, Any]]:
    """Return the imports that the notice events report, but for the one that is settled by callback.json."""
    for path in sorted(EVENTS.glob("notice-*.json")):
        for record in json.loads(path.read_text())["Records"]:
            image = record["dynamodb"]["NewImage"]
            if image["item"] == {"S": "import"} and image["importId"] != {"S": IMPORT_ID}:
                yield image


# The way from the containers to this machine


@contextlib.contextmanager
def forwarding(address: str, ports: Sequence[int]) -> Iterator[None]:
    """Forward these ports of an address to the same ports of 127.0.0.1.

    So only containers reach the servers, not the whole network, as they would if the servers bound to 0.0.0.0.
    """
    with contextlib.ExitStack() as ending:
        for port in ports:
            server = ending.enter_context(_Forwarder((address, port), _Connection))
            threading.Thread(target=server.serve_forever, args=(0.05,), name="forwarder", daemon=True).start()
            ending.callback(server.shutdown)
        yield


class _Forwarder(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        port = self.request.getsockname()[1]
        with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK, port)) as target:
            back = threading.Thread(target=_copy, args=(target, self.request), daemon=True)
            back.start()
            _copy(self.request, target)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
