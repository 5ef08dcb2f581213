"""Does again what is in the dead letter queue: `make redrive STACK=name`.

Exit status: 0 all was done again, 1 letters are left, 2 it could not be done, and why.

Doing it again is harmless: an import is known by its trigger, and a notice that went out is marked. A letter is deleted when
what it is about has been started; one that is not understood stays, and so does one that came meanwhile.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jobferry.cli.faults import FAULTS, words
from jobferry.cli.stack import find

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

#: Imports that have ended, of which nobody has heard: as the stream's filter in template.yaml has them.
_UNTOLD: Final = (
    "#item = :import AND #state IN (:complete, :blocked, :rejected, :expired)"
    " AND attribute_not_exists(#open) AND attribute_not_exists(notifiedAt)"
)


class Outcome(NamedTuple):
    """What came of it.

    Attributes:
        done: in words.
        left: letters that are not understood.
        late: letters that came after the beginning, and wait for the next time.
    """

    done: list[str]
    left: int
    late: int


@dataclass(frozen=True)
class Redrive:
    """What it takes.

    Attributes:
        queue: its URL.
        table: the name of the imports' table.
        submit_import, publish_notice: names of the functions.
        hidden: while a letter is being dealt with, nobody else sees it. Seconds.
    """

    sqs: SQSClient
    functions: LambdaClient
    dynamodb: DynamoDBClient
    queue: str
    table: str
    submit_import: str
    publish_notice: str
    hidden: int = 120

    def run(self) -> Outcome:
        """Deals with every letter that is there now.

        What is started may fail at once and send another letter: taking that one too would go on for ever. The time is
        this machine's; AWS refuses calls from one that is minutes wrong, so that it ends in any case.
        """
        done, left, late, notices = [], 0, 0, False
        began = time.time() * 1000
        seen: set[str] = set()
        while letters := self._receive(seen):
            for letter in letters:
                seen.add(letter["MessageId"])
                if int(letter["Attributes"]["SentTimestamp"]) > began:
                    late += 1
                    continue
                body = _json(letter["Body"])
                match body:
                    case {"DDBStreamBatchInfo": {}}:
                        # The stream keeps its records for a day, the table for longer: the notices are all told at once.
                        if not notices:
                            done.append(f"notices: {self._tell()} imports looked at")
                        notices = True
                    case {"requestContext": {"functionArn": str(arn)}, "requestPayload": event}:
                        done.append(self._start(arn.removesuffix(":$LATEST"), event))
                    case {"feed": str()} | {"source": "aws.s3"}:  # of the scheduler, or of a rule
                        done.append(self._start(self.submit_import, body))
                    case _:
                        left += 1
                        continue
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=letter["ReceiptHandle"])
        return Outcome(done, left, late)

    def _receive(self, seen: set[str]) -> list[Any]:
        answer = self.sqs.receive_message(
            QueueUrl=self.queue,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["SentTimestamp"],
            VisibilityTimeout=self.hidden,
            WaitTimeSeconds=1,
        )
        return [each for each in answer.get("Messages", []) if each["MessageId"] not in seen]

    def _start(self, function: str, event: Any) -> str:
        self.functions.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode())
        return f"started {function.rpartition(':')[2]}"

    def _tell(self) -> int:
        """Lets PublishNotice look at every import that may be untold; it knows which are due."""
        count = 0
        for keys in self._untold():
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
                raise RuntimeError(f"{keys['importId']['S']} cannot be told yet: see the log of {self.publish_notice}")
            count += 1
        return count

    def _untold(self) -> Iterator[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table,
            FilterExpression=_UNTOLD,
            ProjectionExpression="importId, #item",
            ExpressionAttributeNames={"#item": "item", "#state": "state", "#open": "open"},
            ExpressionAttributeValues={f":{word}": {"S": word} for word in _WORDS},
        )
        for page in pages:
            yield from page["Items"]


_WORDS: Final = ("import", "complete", "blocked", "rejected", "expired")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def main(arguments: Sequence[str]) -> int:
    """Deals with the letters of the stack that is named."""
    if len(arguments) != 1 or not arguments[0]:
        print("of which stack? make redrive STACK=name", file=sys.stderr)
        return 2
    try:
        return _redrive(arguments[0])
    except (RuntimeError, *FAULTS) as error:
        print(words(error), file=sys.stderr)
        return 2


def _redrive(name: str) -> int:
    stack = find(name, None, None)
    client, outputs = stack.session.client, stack.outputs
    redrive = Redrive(
        client("sqs"),
        client("lambda"),
        client("dynamodb"),
        outputs["DeadLetterQueue"],
        outputs["ImportsTable"],
        outputs["SubmitImportFunction"],
        outputs["PublishNoticeFunction"],
    )
    done, left, late = redrive.run()
    print("\n".join(done) or "no letter")
    if left:
        print(f"{left} not understood, and left in the queue", file=sys.stderr)
    if late:
        print(
            f"{late} came while this ran, and left in the queue: see why it failed, then run this again",
            file=sys.stderr,
        )
    return 1 if left or late else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
