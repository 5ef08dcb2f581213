"""Saved states of the machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import StreamRecord
from moto.s3.models import FakeKey

from tests.fakes import MemoryBoard


@dataclass(frozen=True, eq=False)
class Saved:
    """The state of a machine. Equal states have the same future.

    moto replaces items, records and objects but never changes them, so a saved state shares them with the machine.

    Attributes:
        items: the table's items.
        stream: the records of the table's stream.
        objects: the versions of each object in the bucket.
        notices: what was published.
        delivered: how many records of the stream were delivered.
        queue: the functions that the poller started, and their events.
    """

    now: datetime
    items: dict[Any, dict[Any, Item]]
    stream: list[StreamRecord]
    objects: dict[str, list[FakeKey]]
    board: MemoryBoard
    notices: list[Any]
    delivered: int
    queue: list[tuple[str, Any]]
    dead_letters: list[Any]

    @cached_property
    def _identity(self) -> str:
        """Everything on which the future depends, times and revisions included.

        Of the stream that is the records of imports, because the mapping delivers no others; of an object its newest
        version's size, because a compressed one also contains the time of the real clock, as a notice's links do.
        """
        imports = [each for each in self.stream if each.record["dynamodb"]["Keys"]["item"] == {"S": "import"}]
        state = [
            self.now,
            sorted(_text(item) for items in self.items.values() for item in items.values()),
            [_text(each) for each in imports],
            sorted((key, versions[-1].size) for key, versions in self.objects.items()),
            self.board.state(),
            [subject for _, _, subject, *_ in self.notices],
            [self.delivered, self.queue, self.dead_letters],
        ]
        return json.dumps(state, default=str)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Saved) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


def _text(made: Item | StreamRecord) -> str:
    """Return an item, or the item in a record, as a text. It is kept, because the same item is part of many states."""
    if not hasattr(made, "text"):
        what = made.to_json()
        made.text = json.dumps(what["dynamodb"].get("NewImage") if isinstance(made, StreamRecord) else what)
    return str(made.text)
