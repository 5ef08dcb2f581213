"""An object's bytes as UTF-8: unpacked, counted against the feed's limit, decoded from what it is written in."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, Final

from isal import igzip, isal_zlib

from jobferry.errors import FeedTooLargeError, FeedUnreadableError

#: What is read at a time. Bytes.
CHUNK: Final = 1 << 20

#: One row may not be longer, so that memory stays bounded whatever the feed holds. Bytes.
MAX_ROW: Final = 16 << 20

_BOMS: Final = (
    # UTF-32's is looked for first: UTF-16's is the beginning of one of them.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PACKED: Final = {
    b"PK\x03\x04": "a ZIP archive or a workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
}


class Allowance:
    """How many uncompressed bytes the objects of a feed may still hold, all together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    def take(self, count: int, key: str) -> None:
        """Counts bytes. Raises FeedTooLargeError beyond the limit."""
        self._left -= count
        if self._left < 0:
            raise FeedTooLargeError(
                f"{key}: the feed holds more than {self._limit:,} bytes uncompressed, the setting maxFeedBytes"
            )


class _Pipe(io.RawIOBase):
    """A readable stream of what a function gives: up to so many bytes, none at the end."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(self._read(len(buffer)))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def buffered(read: Callable[[int], bytes]) -> io.BufferedReader:
    """A buffered stream of what `read` gives."""
    return io.BufferedReader(_Pipe(read), CHUNK)


def unpack(key: str, size: int, stream: BinaryIO, allowance: Allowance) -> io.BufferedReader:
    """The object's bytes, unpacked if they are gzip, whatever its name says.

    Args:
        key: the object's.
        size: its stored bytes; fewer than that is an object that was cut on the way.
        stream: of the stored bytes.
        allowance: of the feed, uncompressed.

    Raises:
        FeedUnreadableError: empty, cut off, damaged. This one and FeedTooLargeError also while the result is read.
    """
    stored = buffered(_whole(key, size, stream))
    start = stored.peek(4)[:4]
    if not start:
        raise FeedUnreadableError(f"{key} is empty (0 bytes): an export that was cut off? Nothing is taken from it")
    if start[:2] == b"\x1f\x8b":
        bytes_ = buffered(_counted(key, _unzipped(key, igzip.IGzipFile(fileobj=stored, mode="rb")), allowance))
        if not bytes_.peek(1):
            raise FeedUnreadableError(f"{key} holds nothing (0 bytes uncompressed): an export that was cut off?")
        return bytes_
    if key.lower().endswith(".gz"):
        raise FeedUnreadableError(f"{key} is not gzip, though its name ends in .gz")
    return buffered(_counted(key, stored.read1, allowance))


def decode(key: str, stream: io.BufferedReader, encoding: str) -> io.BufferedReader:
    """The stream as UTF-8 without a byte order mark.

    UTF-8 itself is passed on unchecked: the parsers check it, and say in which row the wrong byte is.

    Args:
        key: the object's.
        stream: its bytes.
        encoding: of objects without a byte order mark, the feed's setting.

    Raises:
        FeedUnreadableError: it is no text; or, while the result is read, a byte is not of the encoding.
    """
    start = stream.peek(4)[:4]
    if start in _PACKED:
        raise FeedUnreadableError(f"{key} is {_PACKED[start]}, not what its name says")
    for mark, codec in _BOMS:
        if start.startswith(mark):
            stream.read(len(mark))
            return stream if codec == "utf-8" else buffered(_decoded(key, stream, codec, len(mark)))
    if codecs.lookup(encoding).name == "utf-8":
        if b"\x00" in start:
            raise FeedUnreadableError(
                f"{key} begins with a zero byte: it looks like UTF-16 without a byte order mark; if it is, say so in "
                'feed.json: "encoding": "utf-16-le"'
            )
        return stream
    return buffered(_decoded(key, stream, encoding, 0))


def encoding_error(key: str, place: str, byte: int, encoding: str) -> FeedUnreadableError:
    """The error for a byte that is not of the encoding: it names the object, the place and the setting."""
    return FeedUnreadableError(
        f"{key}: {place} (0x{byte:02x}) is not {encoding}. In which encoding was it exported? Say so in feed.json, "
        'for instance "encoding": "cp1252" for what Excel on Windows saves as CSV'
    )


def _whole(key: str, size: int, stream: BinaryIO) -> Callable[[int], bytes]:
    seen = 0

    def read(count: int) -> bytes:
        nonlocal seen
        data = stream.read(count)
        seen += len(data)
        if not data and seen != size:
            raise FeedUnreadableError(f"{key} ended after {seen:,} bytes, it should have {size:,}")
        return data

    return read


def _unzipped(key: str, stream: igzip.IGzipFile) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        try:
            data: bytes = stream.read1(count)
        except EOFError as error:
            raise FeedUnreadableError(f"{key} is cut off: its gzip data has no end") from error
        except (gzip.BadGzipFile, zlib.error, isal_zlib.IsalError) as error:
            raise FeedUnreadableError(f"{key} is damaged: its gzip data cannot be unpacked ({error})") from error
        return data

    return read


def _counted(key: str, inner: Callable[[int], bytes], allowance: Allowance) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        data = inner(count)
        allowance.take(len(data), key)
        return data

    return read


def _decoded(key: str, stream: io.BufferedReader, encoding: str, before: int) -> Callable[[int], bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    fed = before

    def read(count: int) -> bytes:
        nonlocal fed
        while True:
            data = stream.read1(count)
            fed += len(data)
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                # The decoder had some bytes of the chunk before in hand: count back from what it was fed.
                place = fed - len(error.object) + error.start
                raise encoding_error(key, f"byte {place + 1:,}", error.object[error.start], encoding) from error
            except UnicodeError as error:
                raise FeedUnreadableError(f"{key} is not {encoding}: {error}") from error
            if text or not data:
                return _encode(key, text, encoding)

    return read


def _encode(key: str, text: str, encoding: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise FeedUnreadableError(f"{key} is not {encoding}: it holds half a character") from error
