"""Retry the messages in a stack's dead letter queue: `make redrive STACK=name`.

Exit status: 0 if every message was retried, 1 if messages are left in the queue, 2 if an error stopped the script.

A retry is harmless: the same trigger leads to the same import, and an import is marked once its notice is published.
A message is deleted as soon as its retry has started. A message that is not recognized stays in the queue, and so does
one that arrives while the script runs.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jobferry.cli.faults import FAULTS, words
from jobferry.cli.stack import find

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

#: Selects the imports that have ended without a published notice, like the stream's filter in template.yaml.
_WITHOUT_NOTICE: Final = (
    "#item = :import AND #state IN (:complete, :blocked, :rejected, :expired)"
    " AND (attribute_not_exists(#open) OR #open = :late) AND attribute_not_exists(notifiedAt)"
)
_FILTER_VALUES: Final = ("import", "complete", "blocked", "rejected", "expired", "late")


@dataclass(frozen=True)
class RedriveOutcome:
    """What happened to the messages.

    Attributes:
        retried: one line for each retry.
        unrecognized: the number of messages left because the script does not recognize them.
        arrived_later: the number of messages left because they arrived while the script ran.
    """

    retried: list[str]
    unrecognized: int
    arrived_later: int


@dataclass(frozen=True)
class Redrive:
    """The dead letter queue, and what a retry needs.

    Attributes:
        queue: the URL of the dead letter queue.
        table: the name of ImportsTable.
        submit_import, poll_imports, publish_notice: the names of the functions that send messages.
        visibility_timeout: how many seconds SQS hides a message that was received.
    """

    sqs: SQSClient
    functions: LambdaClient
    dynamodb: DynamoDBClient
    queue: str
    table: str
    submit_import: str
    poll_imports: str
    publish_notice: str
    visibility_timeout: int = 120

    def run(self) -> RedriveOutcome:
        """Retry every message that is in the queue now.

        A retry can fail at once and send a new message. Leave new messages in the queue, or this might never end.
        Comparing this machine's clock with SQS's is safe: AWS refuses calls from a clock that is minutes off.
        """
        retried, unrecognized, arrived_later = [], 0, 0
        notices_retried = False
        started_at = time.time() * 1000
        seen: set[str] = set()
        while messages := self._receive(seen):
            for message in messages:
                seen.add(message["MessageId"])
                if int(message["Attributes"]["SentTimestamp"]) > started_at:
                    arrived_later += 1
                    continue
                body = _unwrap_input(_parse_json(message["Body"]))
                match body:
                    case {"DDBStreamBatchInfo": {}}:
                        # The stream may have lost its records after a day, so this reads the table. Once covers all.
                        if not notices_retried:
                            retried.append(f"imports checked for a missing notice: {self._retry_notices()}")
                        notices_retried = True
                    case {"requestContext": {"functionArn": str(arn)}, "requestPayload": event} if self._is_own(arn):
                        retried.append(self._start(arn.removesuffix(":$LATEST").rpartition(":")[2], event))
                    case {"feed": str()} | {"source": "aws.s3"}:  # from the scheduler, or from an EventBridge rule
                        retried.append(self._start(self.submit_import, body))
                    case _:
                        unrecognized += 1
                        continue
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return RedriveOutcome(retried, unrecognized, arrived_later)

    def _receive(self, seen: set[str]) -> list[Any]:
        answer = self.sqs.receive_message(
            QueueUrl=self.queue,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["SentTimestamp"],
            VisibilityTimeout=self.visibility_timeout,
            WaitTimeSeconds=1,
        )
        return [message for message in answer.get("Messages", []) if message["MessageId"] not in seen]

    def _is_own(self, arn: str) -> bool:
        """Tell whether a message names a function of this stack. A message must not start any other function."""
        return arn.removesuffix(":$LATEST").rpartition(":function:")[2] in (self.submit_import, self.poll_imports)

    def _start(self, function: str, event: Any) -> str:
        self.functions.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode())
        return f"started {function}"

    def _retry_notices(self) -> int:
        """Call PublishNotice for each import without a notice, and return their number. It decides which are due."""
        count = 0
        for keys in self._imports_without_notice():
            record = {
                "eventID": f"redrive-{count}",
                "eventName": "MODIFY",
                "eventSource": "aws:dynamodb",
                "dynamodb": {"Keys": keys, "NewImage": keys, "SequenceNumber": str(count)},
            }
            answer = self.functions.invoke(
                FunctionName=self.publish_notice, Payload=json.dumps({"Records": [record]}).encode()
            )
            result = json.loads(answer["Payload"].read())
            if answer.get("FunctionError") or result["batchItemFailures"]:
                import_id = keys["importId"]["S"]
                raise RuntimeError(
                    f"the notice for {import_id} still cannot be published: see the log of {self.publish_notice}"
                )
            count += 1
        return count

    def _imports_without_notice(self) -> Iterator[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table,
            FilterExpression=_WITHOUT_NOTICE,
            ProjectionExpression="importId, #item",
            ExpressionAttributeNames={"#item": "item", "#state": "state", "#open": "open"},
            ExpressionAttributeValues={f":{value}": {"S": value} for value in _FILTER_VALUES},
        )
        for page in pages:
            yield from page["Items"]


def _parse_json(text: str) -> Any:
    """Parse a message's body; None if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _unwrap_input(body: Any) -> Any:
    """Return a schedule's input if the body is a request to Lambda that contains it, otherwise the body itself.

    AWS does not document which of the two EventBridge Scheduler sends to a dead letter queue.
    """
    if not isinstance(body, dict):
        return body
    for name in ("Payload", "Input"):
        value = body.get(name)
        wrapped = _parse_json(value) if isinstance(value, str) else value
        if isinstance(wrapped, dict) and "feed" in wrapped:
            return wrapped
    return body


def main(arguments: Sequence[str]) -> int:
    """Retry the messages of the stack that the only argument names."""
    if len(arguments) != 1 or not arguments[0]:
        print("usage: make redrive STACK=name", file=sys.stderr)
        return 2
    try:
        return _redrive_stack(arguments[0])
    except (RuntimeError, *FAULTS) as error:
        print(words(error), file=sys.stderr)
        return 2


def _redrive_stack(name: str) -> int:
    stack = find(name, None, os.environ.get("AWS_REGION"))  # boto3 itself only reads AWS_DEFAULT_REGION
    client, outputs = stack.session.client, stack.outputs
    outcome = Redrive(
        client("sqs"),
        client("lambda"),
        client("dynamodb"),
        outputs["DeadLetterQueue"],
        outputs["ImportsTable"],
        outputs["SubmitImportFunction"],
        outputs["PollImportsFunction"],
        outputs["PublishNoticeFunction"],
    ).run()
    print("\n".join(outcome.retried) or "no message was retried")
    if outcome.unrecognized:
        print(f"messages left in the queue because they are not recognized: {outcome.unrecognized}", file=sys.stderr)
    if outcome.arrived_later:
        print(
            f"messages left in the queue because they arrived during this run: {outcome.arrived_later}; "
            "find out why they failed, then run this again",
            file=sys.stderr,
        )
    return 1 if outcome.unrecognized or outcome.arrived_later else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
