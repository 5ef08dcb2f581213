"""Lambda's event source mapping for a DynamoDB stream: filters, batches, retries and dead letters.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from local.cloud import Cloud
from local.functions import Function, InvocationResult
from local.patterns import matches
from local.template import Resource, Stack

type StreamRecord = dict[str, Any]

#: Seconds between reads of an empty stream. AWS reads four times a second.
POLL_SECONDS: Final = 0.1
#: Seconds between the tries of a batch, divided by the speed.
RETRY_SECONDS: Final = 1.0


class StreamReader:
    """Reads one stream for one function on its own thread."""

    def __init__(
        self,
        mapping: Resource,
        function: Function,
        stack: Stack,
        cloud: Cloud,
        speed: float,
        stopping: threading.Event,
    ) -> None:
        self._properties = mapping.properties
        self._function = function
        self._stack = stack
        self._cloud = cloud
        self._wait = RETRY_SECONDS / speed
        self._stopping = stopping
        self._filters = [
            json.loads(each["Pattern"]) for each in self._properties.get("FilterCriteria", {}).get("Filters", [])
        ]
        self._thread = threading.Thread(target=self._read, name="stream-reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _read(self) -> None:
        arn = self._properties["EventSourceArn"]
        streams = self._cloud.client("dynamodbstreams")
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        position = {"ShardIteratorType": self._properties["StartingPosition"]}
        while not self._stopping.is_set():
            # Get a new iterator each time: when a transaction is cancelled, moto replaces the table with a copy, and
            # the old iterator would keep reading the old table.
            iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, **position)["ShardIterator"]
            found = streams.get_records(ShardIterator=iterator)["Records"]
            if not found:
                self._stopping.wait(POLL_SECONDS)
                continue
            last = found[-1]["dynamodb"]["SequenceNumber"]
            position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": last}
            records = [_record(each, arn) for each in found]
            self._deliver([each for each in records if self._wanted(each)], shard)

    def _wanted(self, record: StreamRecord) -> bool:
        return not self._filters or any(matches(pattern, record) for pattern in self._filters)

    def _deliver(self, records: Sequence[StreamRecord], shard: str) -> None:
        size = self._properties.get("BatchSize", 100)
        batches = deque((records[first : first + size], 0) for first in range(0, len(records), size))
        while batches and not self._stopping.is_set():
            batch, retries = batches.popleft()
            outcome = self._function.invoke({"Records": batch})
            failed = self._first_failed(outcome, batch)
            if failed is None:
                continue
            rest = batch[failed:]
            half = len(rest) // 2
            if outcome.failed and half and self._properties.get("BisectBatchOnFunctionError"):
                # A split does not count as a retry. If the function reported the record, there is no need to split.
                batches.extendleft([(rest[half:], retries), (rest[:half], retries)])
            elif retries < self._properties.get("MaximumRetryAttempts", float("inf")) or self._stopping.is_set():
                batches.appendleft((rest, retries + 1))
            else:
                self._give_up(rest, outcome, retries + 1, shard)
                continue
            self._stopping.wait(self._wait)

    def _first_failed(self, outcome: InvocationResult, batch: Sequence[StreamRecord]) -> int | None:
        """Return the index from which the batch must be retried, or None if nothing failed."""
        if outcome.failed:
            return 0
        if "ReportBatchItemFailures" not in self._properties.get("FunctionResponseTypes", []):
            return None
        failures = outcome.payload.get("batchItemFailures") if isinstance(outcome.payload, Mapping) else None
        if not failures:
            return None
        positions = {record["dynamodb"]["SequenceNumber"]: index for index, record in enumerate(batch)}
        # An identifier that is missing or not of this batch fails the whole batch.
        return min(positions.get(failure.get("itemIdentifier"), 0) for failure in failures)

    def _give_up(self, records: Sequence[StreamRecord], outcome: InvocationResult, tries: int, shard: str) -> None:
        destination = self._properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination is None:
            return
        times = [
            f"{datetime.fromtimestamp(each['dynamodb']['ApproximateCreationDateTime'], UTC):%FT%TZ}" for each in records
        ]
        letter = {
            "requestContext": {
                "requestId": outcome.request_id,
                "functionArn": self._function.arn,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": tries,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"}
            | ({"functionError": "Unhandled"} if outcome.failed else {}),
            "version": "1.0",
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": records[0]["dynamodb"]["SequenceNumber"],
                "endSequenceNumber": records[-1]["dynamodb"]["SequenceNumber"],
                "approximateArrivalOfFirstRecord": times[0],
                "approximateArrivalOfLastRecord": times[-1],
                "batchSize": len(records),
                "streamArn": self._properties["EventSourceArn"],
            },
        }
        url = self._stack.by_arn(destination).ref
        self._cloud.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(letter))


def _record(record: Mapping[str, Any], arn: str) -> StreamRecord:
    """Convert a record from boto3's types to the JSON that Lambda passes on."""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    plain = json.loads(json.dumps({**record, "dynamodb": change, "eventSourceARN": arn}, default=_base64))
    return dict(plain)


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not a type of a stream's record")
