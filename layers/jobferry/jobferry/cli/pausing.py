"""Change `paused` in a feed's feed.json and nothing else: every space stays, and no other edit is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecoder
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from jobferry.cli.faults import code_of
from jobferry.errors import CannotBeDoneError
from jobferry.feeds.settings import parse_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ATTEMPTS: Final = 5
_SPACE: Final = re.compile(r"\s*")
_MISSING: Final = frozenset({"NoSuchKey", "404"})
#: Somebody else has written, removed or is writing the object:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_CHANGED: Final = _MISSING | {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}


def set_paused(s3: S3Client, bucket: str, feed: str, *, paused: bool, had_settings: bool) -> bool:
    """Pause or resume a feed. Return whether anything had to be changed.

    Args:
        had_settings: the feed is known to have had a feed.json. Creating a new one would end its block (rule 10).

    Raises:
        SettingsError: its feed.json cannot be used as it is.
        CannotBeDoneError: it has disappeared, or others change it repeatedly.
    """
    key = f"feeds/{feed}/feed.json"
    for _ in range(_ATTEMPTS):
        condition: dict[str, Any]
        try:
            answer = s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) not in _MISSING:
                raise
            if had_settings:
                raise CannotBeDoneError(
                    f"s3://{bucket}/{key} has disappeared. Nothing is sent without it. Put it back first: docs/runbook.md, "
                    "Settings missing, has the commands"
                ) from error
            text, condition, kind = b"{}\n", {"IfNoneMatch": "*"}, "application/json"
        else:
            text, condition, kind = answer["Body"].read(), {"IfMatch": answer["ETag"]}, answer["ContentType"]
            had_settings = True
        if parse_settings(text, key).paused is paused:
            return False
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=with_paused(text, paused=paused), ContentType=kind, **condition)
        except ClientError as error:
            if code_of(error) not in _CHANGED:
                raise
            continue
        return True
    raise CannotBeDoneError(f"s3://{bucket}/{key} is being changed by others: try again")


def with_paused(text: bytes, *, paused: bool) -> bytes:
    """Return the settings with `paused` set, and every other byte unchanged."""
    content = text.decode()
    value = "true" if paused else "false"
    members = list(_members(content))
    found = [(start, end) for name, _, start, end in members if name == "paused"]
    for start, end in reversed(found):
        content = content[:start] + value + content[end:]
    if not found:
        content = _added(content, members, f'"paused": {value}')
    return content.encode()


def _added(content: str, members: list[tuple[str, int, int, int]], member: str) -> str:
    """Return the object with a member added at its end, formatted like the one before it."""
    if not members:
        at = content.index("{") + 1
        return content[:at] + member + content[content.index("}", at) :]
    _, name_at, _, end = members[-1]
    before = max(content.rfind(mark, 0, name_at) for mark in ",{")
    return content[:end] + "," + (content[before + 1 : name_at] or " ") + member + content[end:]


def _members(content: str) -> Iterator[tuple[str, int, int, int]]:
    """Yield the members of a valid object's text: the name, its position, and where its value begins and ends."""
    decoder = JSONDecoder()

    def past_space(at: int) -> int:
        match = _SPACE.match(content, at)
        return match.end() if match else at

    at = past_space(content.index("{") + 1)
    while content[at] != "}":
        name_at = at
        name, at = decoder.raw_decode(content, at)
        at = past_space(past_space(at) + 1)  # the colon
        _, end = decoder.raw_decode(content, at)
        yield name, name_at, at, end
        at = past_space(end)
        if content[at] == ",":
            at = past_space(at + 1)
