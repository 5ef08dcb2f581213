"""An object's bytes as UTF-8: unpacked, counted against the feed's limit, decoded from what it is written in."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO, Final

from isal import igzip_lib

from jobferry.errors import FeedTooLargeError, FeedUnreadableError

#: A stream of bytes, none of its chunks empty.
type Chunks = Iterator[bytes]

#: Bytes that are read and written at once. They fit into the processor's cache, which a megabyte does not: building a JSON
#: Lines feed takes a tenth longer with that.
CHUNK: Final = 1 << 18

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
_GZIP: Final = b"\x1f\x8b"
OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"
PACKED: Final = {
    b"PK\x03\x04": "a ZIP archive or a workbook",
    OLD_WORKBOOK: "an old Excel workbook, or one with a password",
    b"%PDF": "a PDF",
    _GZIP: "gzip within gzip",
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


def unpack(key: str, size: int, stream: BinaryIO, allowance: Allowance) -> Chunks:
    """The object's bytes, unpacked if they are gzip, whatever its name says.

    Args:
        key: the object's.
        size: its stored bytes; fewer than that is an object that was cut on the way.
        stream: of the stored bytes.
        allowance: of the feed, uncompressed.

    Raises:
        FeedUnreadableError: empty, cut off, damaged. This one and FeedTooLargeError also while the result is read.
    """
    start, chunks = look(_whole(key, size, stream), 4)
    if start.startswith(_GZIP):
        start, chunks = look(_unzipped(key, chunks), 1)
    elif start and key.lower().endswith(".gz"):
        raise FeedUnreadableError(f"{key} is not gzip, though its name ends in .gz")
    if not start:
        raise FeedUnreadableError(f"{key} is empty (0 bytes): an export that was cut off?")
    return _counted(key, chunks, allowance)


def decode(key: str, chunks: Chunks, encoding: str) -> Chunks:
    """The text as UTF-8 without a byte order mark.

    UTF-8 itself is passed on unchecked: the parsers check it, and say in which row the wrong byte is.

    Args:
        key: the object's.
        chunks: its bytes.
        encoding: of objects without a byte order mark, the feed's setting.

    Raises:
        FeedUnreadableError: it is no text; or, while the result is read, a byte is not of the encoding.
    """
    start, chunks = look(chunks, 4)
    for magic, what in PACKED.items():
        if start.startswith(magic):
            raise FeedUnreadableError(f"{key} is {what}, not what its name says")
    for mark, codec in _BOMS:
        if start.startswith(mark):
            text = start.removeprefix(mark)
            rest = chain([text] if text else [], islice(chunks, 1, None))
            return rest if codec == "utf-8" else _decoded(key, rest, codec, len(mark))
    if codecs.lookup(encoding).name != "utf-8":
        return _decoded(key, chunks, encoding, 0)
    if b"\x00" in start[:4]:
        raise FeedUnreadableError(
            f"{key} begins with a zero byte: it looks like UTF-16 without a byte order mark; if it is, say so in "
            'feed.json: "encoding": "utf-16-le"'
        )
    return chunks


def look(chunks: Chunks, count: int) -> tuple[bytes, Chunks]:
    """The beginning, `count` bytes or more of it if there are so many, and the whole, its first chunk that beginning."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= count:
            break
    return start, chain([start] if start else [], chunks)


def encoding_error(
    key: str, place: int, error: UnicodeDecodeError, encoding: str, row: int | None = None
) -> FeedUnreadableError:
    """The error for a byte that is not of the encoding: it names the object, the place and the setting.

    Args:
        key: the object's.
        place: the byte's, from 0.
        error: what the decoder said.
        encoding: the one that it is not of.
        row: in which the place is counted; None: in the object.
    """
    where = f"{key} byte {place + 1:,}" if row is None else f"{key} row {row}, byte {place + 1:,} of it"
    if error.reason in ("unexpected end of data", "truncated data", "incomplete multibyte sequence"):
        return FeedUnreadableError(f"{where}: it is cut off there, in the middle of a character of {encoding}")
    return FeedUnreadableError(
        f"{where} (0x{error.object[error.start]:02x}) is not {encoding}. In which encoding was it exported? Say so in "
        'feed.json, for instance "encoding": "cp1252" for what Excel on Windows saves as CSV'
    )


def _whole(key: str, size: int, stream: BinaryIO) -> Chunks:
    seen = 0
    while chunk := stream.read(CHUNK):
        seen += len(chunk)
        yield chunk
    if seen != size:
        raise FeedUnreadableError(f"{key} ended after {seen:,} bytes, it should have {size:,}")


def _unzipped(key: str, chunks: Chunks) -> Chunks:
    """What one or several gzip members hold, a chunk at a time however much a few bytes unpack to."""
    member = None
    try:
        for chunk in chunks:
            rest = chunk
            while True:
                if member is None:
                    rest = rest.lstrip(b"\x00")  # members may be padded
                    if not rest:
                        break
                    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
                if content := member.decompress(rest, CHUNK):
                    yield content
                rest = b""
                if member.eof:
                    rest, member = member.unused_data, None
                elif member.needs_input:
                    break
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # isal's stub does not say what it is
        raise FeedUnreadableError(f"{key} is damaged: its gzip data cannot be unpacked ({error})") from error
    if member is not None:
        raise FeedUnreadableError(f"{key} is cut off: its gzip data has no end")


def _counted(key: str, chunks: Chunks, allowance: Allowance) -> Chunks:
    for chunk in chunks:
        allowance.take(len(chunk), key)
        yield chunk


def _decoded(key: str, chunks: Chunks, encoding: str, before: int) -> Chunks:
    decoder = codecs.getincrementaldecoder(encoding)()
    fed = before
    for chunk in chain(chunks, [b""]):
        fed += len(chunk)
        try:
            text = decoder.decode(chunk, final=not chunk)
            if text:
                yield text.encode()
        except UnicodeDecodeError as error:
            # The decoder had some bytes of the chunk before in hand: count back from what it was fed.
            raise encoding_error(key, fed - len(error.object) + error.start, error, encoding) from error
        except UnicodeError as error:
            raise FeedUnreadableError(f"{key} is not {encoding}: {error}") from error
