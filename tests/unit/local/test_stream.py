"""The event source mapping: batches, retries and dead letters."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud
from local.functions import InvocationResult
from local.stream import StreamReader
from local.template import Resource

type Batch = list[str]


def deliver(answer: Callable[[Batch], Any], names: str, **properties: Any) -> tuple[list[Batch], list[Any]]:
    """Deliver a record for each letter; return the function's batches and the dead letters."""
    batches: list[Batch] = []
    letters: list[Any] = []

    class Function:
        arn = "arn:f"

        def invoke(self, event: Any) -> InvocationResult:
            batch = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
            batches.append(batch)
            try:
                return InvocationResult("r", answer(batch))
            except ValueError as error:
                return InvocationResult("r", {"errorType": "ValueError", "errorMessage": str(error)}, failed=True)

    class Queue:
        def client(self, _service: str) -> "Queue":
            return self

        def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
            letters.append((QueueUrl, MessageBody))

        def by_arn(self, arn: str) -> Resource:
            return Resource("Q", "AWS::SQS::Queue", {}, f"url of {arn}", {})

    mapping = {
        "EventSourceArn": "arn:stream",
        "BatchSize": 4,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 2,
        "DestinationConfig": {"OnFailure": {"Destination": "arn:q"}},
        **properties,
    }
    resource = Resource("M", "AWS::Lambda::EventSourceMapping", mapping, "m", {})
    reader = StreamReader(resource, Function(), Queue(), Queue(), 1e6, threading.Event())  # type: ignore[arg-type]
    records = [{"dynamodb": {"SequenceNumber": name, "ApproximateCreationDateTime": 0}} for name in names]
    reader._deliver(records, "shard")
    return batches, letters


def report(*failing: str) -> Callable[[Batch], Any]:
    return lambda batch: {"batchItemFailures": [{"itemIdentifier": name} for name in batch if name in failing]}


def test_batches_have_the_templates_size() -> None:
    assert deliver(report(), "abcdef") == ([["a", "b", "c", "d"], ["e", "f"]], [])


def test_a_batch_is_retried_from_its_first_reported_failure() -> None:
    tries = iter([["c", "d"], ["d"], []])
    batches, letters = deliver(lambda batch: report(*next(tries))(batch), "abcd")
    assert batches == [["a", "b", "c", "d"], ["c", "d"], ["d"]]
    assert letters == []


def test_after_its_retries_a_batch_becomes_a_dead_letter_and_the_next_is_read() -> None:
    batches, letters = deliver(report("b"), "abcde")
    assert batches == [["a", "b", "c", "d"], ["b", "c", "d"], ["b", "c", "d"], ["e"]]
    [(url, letter)] = letters
    assert url == "url of arn:q"
    assert '"startSequenceNumber": "b", "endSequenceNumber": "d"' in letter
    assert '"approximateInvokeCount": 3' in letter


def test_the_batch_of_a_failing_function_is_split_until_the_bad_record_is_alone() -> None:
    def breaks(batch: Batch) -> Any:
        if "c" in batch:
            raise ValueError
        return None

    batches, letters = deliver(breaks, "abcd")
    assert batches == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["c"], ["c"], ["d"]]
    assert ['"startSequenceNumber": "c", "endSequenceNumber": "c"' in letter for _, letter in letters] == [True]


def test_without_bisecting_the_whole_batch_is_retried() -> None:
    tries = iter([True, False])

    def breaks_once(_batch: Batch) -> Any:
        if next(tries):
            raise ValueError

    assert deliver(breaks_once, "ab", BisectBatchOnFunctionError=False)[0] == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize("identifier", ["unknown", None, ""])
def test_an_unknown_identifier_fails_the_whole_batch(identifier: Any) -> None:
    tries = iter([{"batchItemFailures": [{"itemIdentifier": identifier}]}, {"batchItemFailures": []}])
    assert deliver(lambda _batch: next(tries), "ab")[0] == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, "text"])
def test_a_successful_batch_is_not_retried(answer: Any) -> None:
    assert deliver(lambda _batch: answer, "ab") == ([["a", "b"]], [])


def test_reports_count_only_if_the_template_enables_them() -> None:
    assert deliver(report("a"), "a", FunctionResponseTypes=[])[0] == [["a"]]


def test_reading_continues_after_a_cancelled_transaction() -> None:
    class Function:
        arn = "arn:f"

        def invoke(self, event: Any) -> InvocationResult:
            read.extend(record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"])
            (heard if read[-1] == "first" else stopping).set()
            return InvocationResult("r", None)

    read: list[str] = []
    heard, stopping = threading.Event(), threading.Event()
    with Cloud() as cloud:
        table = cloud.client("dynamodb")
        made = table.create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        mapping = {"EventSourceArn": made["TableDescription"]["LatestStreamArn"], "StartingPosition": "TRIM_HORIZON"}
        resource = Resource("M", "AWS::Lambda::EventSourceMapping", mapping, "m", {})
        reader = StreamReader(resource, Function(), None, cloud, 1e6, stopping)  # type: ignore[arg-type]
        reader.start()

        table.put_item(TableName="t", Item={"id": {"S": "first"}})
        assert heard.wait(10)
        put = {"TableName": "t", "Item": {"id": {"S": "first"}}, "ConditionExpression": "attribute_not_exists(id)"}
        with pytest.raises(ClientError, match="TransactionCanceled"):
            table.transact_write_items(TransactItems=[{"Put": put}])
        table.put_item(TableName="t", Item={"id": {"S": "second"}})

        assert stopping.wait(10)
        reader.join()
    assert read == ["first", "second"]
