"""S3: the feeds and the archive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jobferry.errors import FeedChangedError, FeedUnreadableError
from jobferry.feeds.objects import FeedObject, is_of_feed
from jobferry.feeds.settings import SETTINGS_NAME
from jobferry.feeds.streams import CHUNK

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_UNREADABLE: Final = frozenset({"AccessDenied", "InvalidObjectState"})
_MISSING: Final = frozenset({"NoSuchKey", "404", "NoSuchVersion"})
#: The configuration of a client that creates links. By default boto3 signs them with version 2 and for the global host, which
#: redirects a browser to the bucket's regional host, where the signature is not valid.
LINKING: Final = Config(
    signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
)


class FeedsBucket:
    """The bucket with `feeds/{feed}/…` and `archive/{feed}/…`."""

    def __init__(self, client: S3Client, name: str) -> None:
        self._client = client
        self._name = name

    # Feeds

    def feeds(self) -> list[str]:
        """Return the names of all feeds that have an object. Settings count as one."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._name, Prefix="feeds/", Delimiter="/"
        )
        return [
            prefix["Prefix"].removeprefix("feeds/").removesuffix("/")
            for page in pages
            for prefix in page.get("CommonPrefixes", [])
        ]

    def objects(self, feed: str) -> list[FeedObject]:
        """Return the feed's objects in key order."""
        prefix = f"feeds/{feed}/"
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        return [
            FeedObject(found["Key"], found["ETag"], found["Size"], found["LastModified"])
            for page in pages
            for found in page.get("Contents", [])
            if is_of_feed(found["Key"].removeprefix(prefix))
        ]

    def find(self, key: str) -> FeedObject | None:
        """Return one object, or None if it does not exist."""
        answer = self._client.list_objects_v2(Bucket=self._name, Prefix=key, MaxKeys=1)
        # Of all keys with this prefix, the key itself comes first.
        found = [each for each in answer.get("Contents", []) if each["Key"] == key]
        return FeedObject(key, found[0]["ETag"], found[0]["Size"], found[0]["LastModified"]) if found else None

    def settings(self, feed: str) -> tuple[str, bytes | None]:
        """Return the key and the text of the feed's settings. The text is None if the feed has no settings."""
        key = f"feeds/{feed}/{SETTINGS_NAME}"
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _code(error) in _MISSING:
                return key, None
            raise
        return key, answer["Body"].read(_MAX_SETTINGS)

    def open_object(self, obj: FeedObject) -> BinaryIO:
        """Open exactly the version that was listed.

        Raises:
            FeedChangedError: the object was replaced or deleted since then.
            FeedUnreadableError: the object may not be read.
        """
        try:
            answer = self._client.get_object(Bucket=self._name, Key=obj.key, IfMatch=obj.etag)
        except ClientError as error:
            if _code(error) in _MISSING | {"PreconditionFailed", "412"}:
                raise FeedChangedError(f"{obj.key} was replaced or deleted while the feed was being read") from error
            if _code(error) in _UNREADABLE or _code(error).startswith("KMS."):
                raise FeedUnreadableError(
                    f"{obj.key} may not be read ({_code(error)}): it is archived, or encrypted with a key that SubmitImport "
                    "may not use; upload it again"
                ) from error
            raise
        return cast(BinaryIO, _Body(obj.key, cast(BinaryIO, answer["Body"])))

    # The archive

    def store(self, key: str, path: Path, content_type: str = "binary/octet-stream") -> None:
        """Store a file under `archive/`."""
        self._client.upload_file(str(path), self._name, key, ExtraArgs={"ContentType": content_type})

    def link(self, key: str, valid_for: timedelta) -> str:
        """Return a URL with which anyone can read an object. It expires earlier if the client's credentials do."""
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._name, "Key": key}, ExpiresIn=int(valid_for.total_seconds())
        )

    def fetch(self, key: str, path: Path) -> bool:
        """Download an object of the archive into a file. Return False if the object is gone."""
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _code(error) in _MISSING:
                return False
            raise
        with path.open("wb") as file:
            shutil.copyfileobj(answer["Body"], file, CHUNK)
        return True


#: Settings are a few lines. No more than this is read, in bytes.
_MAX_SETTINGS: Final = 1 << 20


class _Body:
    """The bytes of an object. Reading raises FeedChangedError if the connection breaks."""

    def __init__(self, key: str, body: BinaryIO) -> None:
        self._key = key
        self._body = body

    def read(self, size: int = -1) -> bytes:
        try:
            return self._body.read(size if size >= 0 else None)  # type: ignore[arg-type]
        except (BotoCoreError, OSError) as error:
            raise FeedChangedError(f"{self._key} could not be read to its end: the connection was cut") from error

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._body.close()

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK):
            yield chunk


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
