"""Runs the functions as Lambda does: in processes of their own, each with its environment and its timeout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Final, Self

from local import ROOT, permissions
from local.aws_account import REGION
from local.resources import short_name
from local.template import Resource, Stack

#: The variables of this process that a function's process needs in order to run.
_PASSED: Final = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "SYSTEMROOT")
#: Processes per function at the same time: two, so that a trigger delivered twice runs twice at once.
CONCURRENCY: Final = 2


@dataclass(frozen=True)
class InvocationResult:
    """The end of an invocation. `payload` is what the function returned or, if it failed, the runtime's error object."""

    request_id: str
    payload: Any
    failed: bool = False


class FunctionError(Exception):
    """An invocation failed.

    Attributes:
        payload: `errorMessage`, `errorType`, and for exceptions `stackTrace`.
    """

    def __init__(self, function: str, payload: Any) -> None:
        super().__init__(f"{function} failed: {payload['errorType']}: {payload['errorMessage']}")
        self.payload = payload


class Function:
    """One function of the stack. It starts processes when it needs them and keeps them for later invocations."""

    def __init__(self, resource: Resource, stack: Stack, folder: Path, endpoints: Mapping[str, str], log: Path) -> None:
        self.short_name = short_name(resource.logical_id)
        self.name = resource.ref
        self.arn = resource.arn
        self.log = log
        properties = resource.properties
        self.timeout = float(properties.get("Timeout", 3))
        layers = [stack.by_arn(arn).properties["Content"]["S3Key"] for arn in properties.get("Layers", [])]
        self._command = [
            str(folder / properties["Code"]["S3Key"]),
            os.pathsep.join(str(folder / layer) for layer in layers),
            properties["Handler"],
        ]
        self._environment = {
            **{name: os.environ[name] for name in _PASSED if name in os.environ},
            **_runtime_variables(resource),
            **{name: str(value) for name, value in properties.get("Environment", {}).get("Variables", {}).items()},
            **endpoints,
            permissions.VARIABLE: json.dumps(permissions.statements(stack, properties["Role"])),
        }
        self.variables: dict[str, str] = properties.get("Environment", {}).get("Variables", {})
        self._free = threading.Semaphore(CONCURRENCY)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._stopped = False

    def warm_up(self) -> None:
        """Start a process now, for the first invocation."""
        with self._lock:
            self._idle.append(self._start())

    def invoke(self, event: Any, request_id: str | None = None) -> InvocationResult:
        """Run the function on an event and wait until it ends."""
        request_id = request_id or str(uuid.uuid4())
        with self._free:
            with self._lock:
                if self._stopped:
                    return InvocationResult(
                        request_id, {"errorType": "Stopped", "errorMessage": "the system is stopping"}, failed=True
                    )
                worker = self._idle.pop() if self._idle else self._start()
                self._busy.add(worker)
            self._write(f"START RequestId: {request_id}")
            began = time.monotonic()
            outcome = worker.run(json.dumps(event), request_id, self.arn, self.timeout)
            self._write(f"END RequestId: {request_id}\tDuration: {(time.monotonic() - began) * 1000:.0f} ms")
            with self._lock:
                self._busy.discard(worker)
                if worker.alive:
                    self._idle.append(worker)
                else:
                    worker.close()
            return outcome

    def crash(self) -> None:
        """Kill every process, as a crash would. Running invocations fail."""
        with self._lock:
            for worker in [*self._busy, *self._idle]:
                worker.kill()
            for worker in self._idle:
                worker.close()
            self._idle.clear()

    def stop(self) -> None:
        """Kill every process and refuse further invocations."""
        self._stopped = True
        self.crash()

    def _start(self) -> _Worker:
        return _Worker(self._command, self._environment, self.log)

    def _write(self, line: str) -> None:
        with self.log.open("a") as log:
            log.write(line + "\n")


class _Worker:
    """One process of `local.worker`. If it crashes, the invocation fails with Lambda's error for that."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._connection, theirs = Pipe()
        self._scratch = tempfile.TemporaryDirectory(prefix="jobferry-tmp-")
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "local.worker", str(theirs.fileno()), *command],
                cwd=ROOT,
                env={**environment, "TMPDIR": self._scratch.name},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,  # Ctrl-C must reach only the process that started this one
            )
        self._ready = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, event: str, request_id: str, arn: str, timeout: float) -> InvocationResult:
        try:
            if not self._ready:
                started = self._connection.recv()
                if "error" in started:
                    self.kill()
                    return InvocationResult(request_id, json.loads(started["payload"]), failed=True)
                self._ready = True
            context = {"aws_request_id": request_id, "invoked_function_arn": arn, "deadline": time.time() + timeout}
            self._connection.send({"event": event, "context": context})
            if not self._connection.poll(timeout):
                self.kill()
                return self._ended(request_id, "Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds")
            answer = self._connection.recv()
        except (EOFError, OSError):
            self.kill()
            return self._ended(request_id, "Runtime.ExitError", "Runtime exited with error")
        return InvocationResult(request_id, json.loads(answer["payload"]), failed="error" in answer)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Release what belonged to the process, after it has ended."""
        self._connection.close()
        self._scratch.cleanup()

    @staticmethod
    def _ended(request_id: str, error_type: str, reason: str) -> InvocationResult:
        message = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {request_id} {reason}"
        return InvocationResult(request_id, {"errorType": error_type, "errorMessage": message}, failed=True)


def _runtime_variables(resource: Resource) -> dict[str, str]:
    """Make the variables that Lambda's runtime sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    properties = resource.properties
    return {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{properties['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": resource.ref,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(properties.get("MemorySize", 128)),
        "AWS_LAMBDA_LOG_GROUP_NAME": properties.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{resource.ref}"),
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "PYTHONUNBUFFERED": "1",
        "TZ": ":UTC",
        "_HANDLER": properties["Handler"],
    }


class Functions:
    """All functions of a stack."""

    def __init__(self, stack: Stack, folder: Path, endpoints: Mapping[str, str], logs: Path) -> None:
        self._functions = [
            Function(resource, stack, folder, endpoints, logs / f"{short_name(resource.logical_id)}.log")
            for resource in stack.of_type("AWS::Lambda::Function")
        ]

    def __enter__(self) -> Self:
        for function in self._functions:
            function.warm_up()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill every process. Running invocations fail."""
        for function in self._functions:
            function.stop()

    def __iter__(self) -> Iterator[Function]:
        return iter(self._functions)

    def __getitem__(self, name: str) -> Function:
        """Find a function by short name (SubmitImport), name, ARN, or ARN with `:$LATEST`. Raises KeyError."""
        for function in self._functions:
            if name.removesuffix(":$LATEST") in (function.short_name, function.name, function.arn):
                return function
        raise KeyError(name)
