"""The objects of a feed, and the rows in them in any format."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from itertools import chain
from typing import BinaryIO, Final, NamedTuple, Protocol

from jobferry.errors import FeedUnreadableError
from jobferry.feeds.rows import FeedWarning, Row
from jobferry.feeds.settings import SETTINGS_NAME, FeedSettings
from jobferry.feeds.streams import Allowance, Utf8Watch, decode, peek, unpack, without_end_marks

#: What other programs leave beside a feed: hidden files, markers and locks; uploads under way, and checksums.
_NOT_OF_A_FEED: Final = re.compile(r"(^|/)([._]|~\$|[^/]*\.(tmp|part|filepart|crc|md5|sha256)(/|$)|$)", re.IGNORECASE)
FORMATS: Final = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".xml", ".rss", ".xlsx")


class FeedObject(NamedTuple):
    """One version of one object of a feed.

    Attributes:
        key: the object's key, or the file's path on a laptop.
        etag: of that version.
        size: stored bytes.
        modified: when it was uploaded; None on a laptop.
    """

    key: str
    etag: str
    size: int
    modified: datetime | None = None


def listing_mark(objects: Iterable[FeedObject], settings: FeedSettings) -> str:
    """Identify the settings and the versions of a feed's objects, to notice later that the feed has changed."""
    digest = blake2b(settings.model_dump_json().encode(), digest_size=16)
    for each in objects:
        digest.update(f"{each.key}\n{each.etag}\n{each.size}\n".encode())
    return digest.hexdigest()


def is_of_feed(name: str) -> bool:
    """Decide whether an object is part of a feed, by its key within the feed's folder. Folders on the way count, too."""
    return name != SETTINGS_NAME and not _NOT_OF_A_FEED.search(name)


class FeedReader(Protocol):
    """The place of the objects: S3, or a folder."""

    def open_object(self, obj: FeedObject) -> BinaryIO:
        """Open exactly that version. Raise FeedChangedError if it was replaced, FeedUnreadableError if it may not be read."""


def read_rows(obj: FeedObject, stream: BinaryIO, settings: FeedSettings, allowance: Allowance) -> Iterator[Row]:
    """Yield the rows of one object in bounded memory.

    Args:
        obj: the object.
        stream: its stored bytes.
        settings: of the feed: its text's encoding, if the object does not declare one, and its names of fields.
        allowance: the uncompressed bytes that the feed may still have.

    Raises:
        FeedUnreadableError: the object cannot be read to its end.
        FeedTooLargeError: more uncompressed bytes than the allowance.
    """
    suffix = suffix_of(obj.key)
    start, content = peek(unpack(obj.key, obj.size, stream, allowance), 200)
    watch = Utf8Watch()
    # A format's libraries are imported when a feed needs them, to keep them out of the cold start.
    if suffix == ".xlsx":
        from jobferry.feeds.formats.xlsx import read_workbook

        return read_workbook(obj.key, content, settings, allowance)
    if suffix in (".xml", ".rss"):
        from jobferry.feeds.formats.xml import declared_encoding, read_elements

        declared = declared_encoding(start)
        text = decode(obj.key, content, declared or settings.encoding, watch)
        rows = read_elements(obj.key, without_end_marks(text), settings)
        if declared:
            return chain(rows, _encoding_warning(watch, declared, "its declaration: have the export declare UTF-8"))
    else:
        text = without_end_marks(decode(obj.key, content, settings.encoding, watch))
        if suffix in (".jsonl", ".ndjson"):
            from jobferry.feeds.formats.jsonl import read_lines

            rows = read_lines(obj.key, text)
        elif suffix == ".json":
            from jobferry.feeds.formats.json import read_array

            rows = read_array(obj.key, text, settings.rows)
        else:
            from jobferry.feeds.formats.csv import read_table

            rows = read_table(obj.key, text, settings)
    return chain(rows, _encoding_warning(watch, settings.encoding, "the setting encoding: remove it from feed.json"))


def _encoding_warning(watch: Utf8Watch, encoding: str, because: str) -> Iterator[Row]:
    """Yield a warning if the rows before it were read in the wrong encoding."""
    if watch.looks_like_utf8:
        yield (
            None,
            None,
            FeedWarning(
                f"the object looks like UTF-8 but is read as {encoding}, so that é becomes Ã©. This comes from {because}"
            ),
        )


def suffix_of(key: str) -> str:
    """Return the suffix that names an object's format. Raise FeedUnreadableError if none does."""
    name = key.lower().removesuffix(".gz")
    for suffix in FORMATS:
        if name.endswith(suffix):
            return suffix
    raise FeedUnreadableError(
        f"{key} has a name that ends in none of a feed's formats: {', '.join(FORMATS)}, each also with .gz"
    )
