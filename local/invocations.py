"""Lambda's asynchronous invocations, with the template's retries and dead letters.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from local.cloud import Cloud
from local.functions import Function, Functions, InvocationResult
from local.template import Stack

#: Seconds before the second and the third try.
WAITS: Final = (60, 120)


@dataclass(frozen=True)
class _Configuration:
    retries: int
    maximum_age: float
    on_failure: str | None


class Invocations:
    """Runs functions asynchronously. `speed` divides the waits between tries."""

    def __init__(
        self, stack: Stack, functions: Functions, cloud: Cloud, speed: float, stopping: threading.Event
    ) -> None:
        self._stack = stack
        self._functions = functions
        self._cloud = cloud
        self._speed = speed
        self._stopping = stopping
        self._changed = threading.Condition()
        self._threads: set[threading.Thread] = set()

    def start(self, name: str, event: Any) -> Future[InvocationResult]:
        """Invoke a function. The future holds its last outcome. Raises KeyError if there is no such function."""
        function = self._functions[name]
        future: Future[InvocationResult] = Future()
        thread = threading.Thread(target=self._run, args=(function, event, future), name="invocation", daemon=True)
        with self._changed:
            self._threads.add(thread)
        thread.start()
        return future

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait until every invocation has ended; return False if that takes longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._threads, timeout)

    def _run(self, function: Function, event: Any, future: Future[InvocationResult]) -> None:
        try:
            future.set_result(self._try(function, event))
        except BaseException as error:  # noqa: BLE001  the future passes it on
            future.set_exception(error)
        finally:
            with self._changed:
                self._threads.discard(threading.current_thread())
                self._changed.notify_all()

    def _try(self, function: Function, event: Any) -> InvocationResult:
        configuration = self._configuration(function)
        request_id = str(uuid.uuid4())  # the same on every try
        began, waited = time.monotonic(), 0.0
        for tries in range(1, configuration.retries + 2):
            outcome = function.invoke(event, request_id)
            if not outcome.failed or self._stopping.is_set():
                return outcome
            condition = "RetriesExhausted"
            if tries > configuration.retries:
                break
            if self._stopping.wait(WAITS[tries - 1] / self._speed):
                return outcome
            # Only the waits are divided by the speed. What the functions take is real time, and more on a busy machine.
            waited += WAITS[tries - 1]
            if waited + time.monotonic() - began > configuration.maximum_age:
                condition = "EventAgeExceeded"
                break
        if configuration.on_failure:
            letter = _letter(function, event, outcome, condition, tries)
            self._send(configuration.on_failure, letter)
        return outcome

    def _configuration(self, function: Function) -> _Configuration:
        for resource in self._stack.of_type("AWS::Lambda::EventInvokeConfig"):
            properties = resource.properties
            if self._functions[properties["FunctionName"]] is function:
                return _Configuration(
                    properties.get("MaximumRetryAttempts", 2),
                    properties.get("MaximumEventAgeInSeconds", 21600),
                    properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
                )
        return _Configuration(2, 21600, None)

    def _send(self, queue_arn: str, letter: dict[str, Any]) -> None:
        url = self._stack.by_arn(queue_arn).ref
        self._cloud.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(letter))


def _letter(function: Function, event: Any, outcome: InvocationResult, condition: str, tries: int) -> dict[str, Any]:
    """Make the message that Lambda sends to a failure destination.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    return {
        "version": "1.0",
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "requestContext": {
            "requestId": outcome.request_id,
            "functionArn": f"{function.arn}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": tries,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": outcome.payload,
    }
