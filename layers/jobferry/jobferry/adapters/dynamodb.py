"""DynamoDB: the records of imports, feeds and failed jobs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import batched, chain
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import DYNAMODB_CONTEXT, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from jobferry.errors import ConflictError, StoreError
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, Open, timestamp
from jobferry.records.store import BrokenRecord, OpenRecords

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_IMPORT: Final = "import"
_FEED: Final = "feed"
#: The most items that BatchWriteItem and BatchGetItem take.
_MAX_WRITTEN: Final = 25
_MAX_READ: Final = 100
#: Attempts to process what a batch left over, each after a longer wait: about a minute in total.
_ATTEMPTS: Final = 12
#: Texts of the board or a feed are cut, so that every item stays far below DynamoDB's 400 KB. Lengths in bytes.
_MAX_MESSAGES: Final = 50
_MAX_MESSAGE: Final = 2000
_MAX_NAME: Final = 1000

#: The reasons for a canceled transaction after which it helps to read and decide again.
_CONFLICTS: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"})

type Item = dict[str, Any]

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


class ImportsTable:
    """The table of imports and feeds. Implements `ImportStore`."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, import_id: str) -> Import | None:
        """Return the record of an import."""
        item = self._get(import_id, _IMPORT)
        return None if item is None else Import.from_item(item)

    def get_feed(self, feed: str) -> Feed:
        """Return the record of a feed, or a new one with revision 0 if there is none."""
        item = self._get(f"{_FEED}#{feed}", _FEED)
        return Feed(feed=feed) if item is None else _feed(item)

    def feeds(self, names: Iterable[str]) -> Iterator[Feed]:
        """Yield the records of those feeds that have one. They may be a moment old."""
        keys = ({"importId": f"{_FEED}#{name}", "item": _FEED} for name in names)
        for batch in batched(map(_dump, keys), _MAX_READ, strict=False):
            left: list[Any] = list(batch)
            for attempt in range(_ATTEMPTS):
                answer = self._client.batch_get_item(RequestItems={self._name: {"Keys": left}})
                yield from (_feed(_load(item)) for item in answer["Responses"].get(self._name, []))
                unread: Item = dict(answer.get("UnprocessedKeys", {}))
                left = unread.get(self._name, {}).get("Keys", [])
                if not left:
                    break
                _wait(attempt)
            else:
                raise StoreError(f"DynamoDB left {len(left)} items unread after {_ATTEMPTS} attempts")

    def save(self, *records: Import | Feed) -> None:
        """Write all records or none. Raise ConflictError if one has another revision in the table by now."""
        # A transaction even for one record: if an answer is lost, boto3 repeats the request with the same token, so that it
        # does not take its own write for a conflict.
        puts = [{"Put": self._put(record)} for record in records]
        try:
            self._client.transact_write_items(TransactItems=puts)  # type: ignore[arg-type]
        except ClientError as error:
            if _refused(error):
                raise ConflictError("another process changed the record first") from error
            raise

    def read_failed(self, import_id: str, kind: FailedKind) -> Iterator[FailedJob]:
        """Yield the failed jobs of one kind in the order of their numbers."""
        for item in self._items(import_id, kind):
            source = item.pop("source", None) or {}
            yield FailedJob.model_validate(item | source)

    def write_failed(self, import_id: str, kind: FailedKind, failed: Iterable[FailedJob], expires: datetime) -> None:
        """Write failed jobs. Each replaces the one with the same number."""
        self._write({"PutRequest": {"Item": _dump(_failed_item(import_id, kind, each, expires))}} for each in failed)

    def delete_failed(self, import_id: str, kind: FailedKind) -> None:
        """Delete the failed jobs of one kind."""
        keys = ({"importId": import_id, "item": item["item"]} for item in self._items(import_id, kind))
        self._write({"DeleteRequest": {"Key": _dump(key)}} for key in keys)

    def open_records(self, *, late: bool = False) -> OpenRecords:
        """Return the records that the poller has to check, oldest first. The index may be a moment old."""
        imports: list[Import] = []
        feeds: list[Feed] = []
        broken: list[BrokenRecord] = []
        for item in chain.from_iterable(map(self._open_items, (Open.OPEN, Open.LATE) if late else (Open.OPEN,))):
            try:
                if item["item"] == _FEED:
                    feeds.append(_feed(item))
                else:
                    imports.append(Import.from_item(item))
            except ValueError as error:
                import_id = str(item["importId"])
                feed = item.get("feed") or import_id.removeprefix(f"{_FEED}#")
                broken.append(BrokenRecord(import_id, feed, error))
        return OpenRecords(imports, feeds, broken)

    def _open_items(self, value: str) -> Iterator[Item]:
        return self._query(
            IndexName="open-createdAt",
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":open": {"S": value}},
        )

    def history(self, feed: str) -> Iterator[Import]:
        """Yield the feed's imports, newest first. The index may be a moment old."""
        items = self._query(
            IndexName="feed-createdAt",
            KeyConditionExpression="feed = :feed",
            ExpressionAttributeValues={":feed": {"S": feed}},
            ScanIndexForward=False,
        )
        yield from map(Import.from_item, items)

    def _get(self, import_id: str, item: str) -> Item | None:
        key = _dump({"importId": import_id, "item": item})
        found = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        return None if found is None else _load(found)

    def _put(self, record: Import | Feed) -> Item:
        item = _import_item(record) if isinstance(record, Import) else _feed_item(record)
        put: Item = {"TableName": self._name, "Item": _dump(item | {"revision": record.revision + 1})}
        if record.revision == 0:
            return put | {"ConditionExpression": "attribute_not_exists(importId)"}
        return put | {
            "ConditionExpression": "revision = :revision",
            "ExpressionAttributeValues": {":revision": {"N": str(record.revision)}},
        }

    def _items(self, import_id: str, kind: FailedKind) -> Iterator[Item]:
        return self._query(
            ConsistentRead=True,
            KeyConditionExpression="importId = :id AND begins_with(#item, :kind)",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={":id": {"S": import_id}, ":kind": {"S": f"{kind}#"}},
        )

    def _query(self, **query: Any) -> Iterator[Item]:
        for page in self._client.get_paginator("query").paginate(TableName=self._name, **query):
            yield from map(_load, page["Items"])

    def _write(self, writes: Iterable[Item]) -> None:
        """Write in batches. Repeat what DynamoDB leaves over, after a wait that grows."""
        for batch in batched(writes, _MAX_WRITTEN, strict=False):
            left: list[Any] = list(batch)
            for attempt in range(_ATTEMPTS):
                answer = self._client.batch_write_item(RequestItems={self._name: left})
                left = list(answer.get("UnprocessedItems", {}).get(self._name, []))
                if not left:
                    break
                _wait(attempt)
            else:
                raise StoreError(f"DynamoDB left {len(left)} items unwritten after {_ATTEMPTS} attempts")


def _wait(attempt: int) -> None:
    """Wait before the next attempt: longer each time, and at random, so that processes spread out."""
    time.sleep(random.uniform(0, min(10.0, 0.05 * 2**attempt)))  # noqa: S311  # not a secret


def _feed(item: Item) -> Feed:
    return Feed.from_item(item | {"feed": item["importId"].removeprefix(f"{_FEED}#")})


def _import_item(record: Import) -> Item:
    item = record.to_item()
    item["warned"] = [_cut(text, _MAX_NAME) for text in record.prepared.warned]
    item["adjusted"] = {name: _cut(text, _MAX_NAME) for name, text in record.prepared.adjusted.items()}
    item["deletes"] = [
        {name: text and _cut(text, _MAX_NAME) for name, text in each.items()} for each in item["deletes"]
    ]
    if record.ending.reason is not None:
        item["reason"] = _cut(record.ending.reason, _MAX_MESSAGE)
    return item | {"item": _IMPORT, "expiresAt": int(record.expires.timestamp())}


def _feed_item(record: Feed) -> Item:
    """Return the item of a feed.

    `open` and `createdAt` put a feed that is to run again into the poller's index. Without `feed` it stays out of the
    index of imports.
    """
    item = record.to_item() | {"feed": None}
    waiting = {"open": Open.OPEN, "createdAt": timestamp(record.run_again_at)} if record.run_again_at else {}
    return item | waiting | {"importId": f"{_FEED}#{record.feed}", "item": _FEED}


def _failed_item(import_id: str, kind: FailedKind, failed: FailedJob, expires: datetime) -> Item:
    item = failed.model_dump(by_alias=True, mode="json", exclude_none=True, exclude={"key", "row", "line", "messages"})
    names = {name: _cut(item[name], _MAX_NAME) for name in ("referenceNumber", "title") if name in item}
    return (
        item
        | names
        | {
            "importId": import_id,
            "item": f"{kind}#{failed.number:07d}",
            "messages": _cut_messages(failed.messages),
            "source": {"key": failed.key, "row": failed.row, "line": failed.line},
            "expiresAt": int(expires.timestamp()),
        }
    )


def _cut_messages(messages: list[str]) -> list[str]:
    """Return the messages, cut so that they fit into an item."""
    kept = [_cut(text, _MAX_MESSAGE) for text in messages[:_MAX_MESSAGES]]
    more = len(messages) - _MAX_MESSAGES
    return [*kept, f"… and {more:,} more messages"] if more > 0 else kept


def _cut(text: str, limit: int) -> str:
    """Cut a text to at most `limit` bytes of UTF-8 plus an ellipsis."""
    if len(text) * 4 <= limit or len(whole := text.encode()) <= limit:
        return text
    return f"{whole[:limit].decode(errors='ignore')}…"


def _dump(item: Mapping[str, Any]) -> Item:
    return {name: _serializer.serialize(_exact(value)) for name, value in item.items() if value is not None}


def _load(item: Mapping[str, Any]) -> Item:
    return {name: _plain(_deserializer.deserialize(value)) for name, value in item.items()}


def _exact(value: Any) -> Any:
    """Turn numbers into decimals of 38 digits, which DynamoDB can store, or into texts if they do not fit."""
    match value:
        case float() | int() if not isinstance(value, bool):
            try:
                return DYNAMODB_CONTEXT.create_decimal(repr(value))
            except ArithmeticError:
                return str(value)  # no whole number that is read has more digits than Python writes out
        case dict():
            return {key: _exact(each) for key, each in value.items()}
        case list() | tuple():
            return [_exact(each) for each in value]
        case _:
            return value


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case _:
            return value


def _refused(error: ClientError) -> bool:
    """Check whether a condition of the transaction did not hold, or another transaction used the item."""
    if error.response.get("Error", {}).get("Code") != "TransactionCanceledException":
        return False
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return any(each.get("Code") in _CONFLICTS for each in reasons)
