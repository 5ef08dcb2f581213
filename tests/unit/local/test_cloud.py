"""What stands in for AWS keeps what was written, also where moto by itself would not."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from local.cloud import Cloud, take_turns

DYNAMODB = {"HTTP_X_AMZ_TARGET": "DynamoDB_20120810.TransactWriteItems"}
S3 = {"PATH_INFO": "/bucket/key"}


def test_requests_to_dynamodb_take_turns_and_others_do_not_wait() -> None:
    """Otherwise moto's rollback of one transaction loses what another request has written since."""
    inside: list[dict[str, Any]] = []
    first_is_inside, first_may_end = threading.Event(), threading.Event()

    def moto(environ: dict[str, Any], _: Any) -> Iterable[bytes]:
        inside.append(environ)
        if len(inside) == 1:
            first_is_inside.set()
            assert first_may_end.wait(20)
        return [b""]

    application = take_turns(moto)
    first, second = (threading.Thread(target=application, args=(dict(DYNAMODB), None)) for _ in range(2))
    first.start()
    assert first_is_inside.wait(20)
    second.start()
    second.join(0.2)
    assert second.is_alive()
    assert len(inside) == 1
    application(S3, None)
    assert inside[1:] == [S3]
    first_may_end.set()
    for thread in (first, second):
        thread.join(20)
        assert not thread.is_alive()
    assert inside == [DYNAMODB, S3, DYNAMODB]


KEY = {"id": {"S": "1"}, "part": {"S": "a"}}
VALUES = {
    **KEY,
    "price": {"N": "1.50"},
    "bytes": {"B": b"\x00\xff"},
    "truth": {"BOOL": False},
    "nothing": {"NULL": True},
    "list": {"L": [{"S": ""}, {"M": {"S": {"N": "0"}}}]},
    "set": {"SS": ["a", "b"]},
}


def test_a_table_returns_every_type_and_a_cancelled_transaction_leaves_nothing() -> None:
    """Moto has shortcuts for both, see `speed_up_tables`."""
    with Cloud() as cloud:
        dynamodb, streams = cloud.client("dynamodb"), cloud.client("dynamodbstreams")
        made = dynamodb.create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "part", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("id", "part")],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )

        def put(*items: Any) -> None:
            new = {"TableName": "table", "ConditionExpression": "attribute_not_exists(price)"}
            dynamodb.transact_write_items(TransactItems=[{"Put": {**new, "Item": item}} for item in items])

        put(VALUES, {**KEY, "part": {"S": "b"}})
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
            put({**KEY, "part": {"S": "b"}, "list": {"L": []}}, {**KEY, "part": {"S": "c"}}, KEY)
        stored = [VALUES, {**KEY, "part": {"S": "b"}}]
        assert dynamodb.scan(TableName="table")["Items"] == stored
        assert dynamodb.get_item(TableName="table", Key=KEY)["Item"] == VALUES
        arn = made["TableDescription"]["LatestStreamArn"]
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
        assert [each["dynamodb"]["NewImage"] for each in records] == stored
