"""The process of one function, like Lambda's Python runtime: `python -m local.worker FD FOLDER LAYERS HANDLER`.

It imports the handler's module once, then answers one invocation after another over the connection FD, until the
connection closes. Its standard output and standard error are the function's log.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from local import permissions

type Handler = Callable[[Any, Context], Any]


@dataclass(frozen=True)
class Context:
    """The context object of Lambda's Python runtime: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

    aws_request_id: str
    invoked_function_arn: str
    deadline: float
    function_name: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


#: The fields of a context that come from the environment.
_FROM_ENVIRONMENT: Final = {
    "function_name": "AWS_LAMBDA_FUNCTION_NAME",
    "memory_limit_in_mb": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "log_group_name": "AWS_LAMBDA_LOG_GROUP_NAME",
    "log_stream_name": "AWS_LAMBDA_LOG_STREAM_NAME",
}


def main(fd: str, folder: str, layers: str, handler: str) -> None:
    connection = Connection(int(fd))
    permissions.enforce(json.loads(os.environ.pop(permissions.VARIABLE, "null")))
    # As on Lambda, a function can import from its folder and its layers, but not from this repository.
    sys.path[:] = [folder, *filter(None, layers.split(os.pathsep)), *sys.path[1:]]
    os.chdir(folder)
    try:
        module, _, name = handler.rpartition(".")
        function = getattr(importlib.import_module(module), name)
    except BaseException as error:
        connection.send(_failure(error, "init"))
        raise
    connection.send({})
    while True:
        try:
            invocation = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        connection.send(_answer(function, invocation))


def _answer(handler: Handler, invocation: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: os.environ[variable] for name, variable in _FROM_ENVIRONMENT.items()}
    context = Context(**invocation["context"], **fields)
    try:
        # Parse the event here, so that each invocation gets objects of its own.
        answer = {"payload": json.dumps(handler(json.loads(invocation["event"]), context))}
    except BaseException as error:  # noqa: BLE001  sys.exit() also ends only the invocation
        answer = _failure(error, context.aws_request_id)
    sys.stdout.flush()
    sys.stderr.flush()
    return answer


def _failure(error: BaseException, request_id: str) -> dict[str, Any]:
    """Log an exception and return what the runtime answers for it."""
    trace = traceback.format_tb(error.__traceback__)
    print(f"[ERROR] {type(error).__name__}: {error}\nTraceback (most recent call last):\n{''.join(trace)}", flush=True)
    payload = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": trace,
    }
    return {"payload": json.dumps(payload), "error": True}


if __name__ == "__main__":
    main(*sys.argv[1:])
