"""An object's bytes as UTF-8: decompressed, counted against the feed's limit, and decoded."""

import codecs
import re
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

#: The length of the longest row, so that memory stays bounded. Bytes.
MAX_ROW: Final = 16 << 20

_BOMS: Final = (
    # UTF-32 comes first, because one of its marks begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GZIP: Final = b"\x1f\x8b"
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")
OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"
PACKED: Final = {
    b"PK\x03\x04": "a ZIP archive or a workbook",
    OLD_WORKBOOK: "an old Excel workbook, or one with a password",
    b"%PDF": "a PDF",
    _GZIP: "gzip within gzip",
}


class Allowance:
    """The number of uncompressed bytes that the objects of a feed may still have."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    def take(self, count: int, key: str) -> None:
        """Count bytes. Raise FeedTooLargeError beyond the limit."""
        self._left -= count
        if self._left < 0:
            raise FeedTooLargeError(f"{key}: the feed has more than {self._limit:,} bytes uncompressed (maxFeedBytes)")


def unpack(key: str, size: int, stream: BinaryIO, allowance: Allowance) -> Chunks:
    """Return the object's bytes, decompressed if they are gzip, regardless of its name.

    Args:
        key: the object's.
        size: its number of stored bytes; fewer mean that the transfer was cut off.
        stream: the stored bytes.
        allowance: the uncompressed bytes that the feed may still have.

    Raises:
        FeedUnreadableError: empty, cut off or damaged. Reading the result may raise this and FeedTooLargeError, too.
    """
    start, chunks = peek(_whole(key, size, stream), 4)
    if start.startswith(_GZIP):
        start, chunks = peek(_unzipped(key, chunks), 1)
    elif start and key.lower().endswith(".gz"):
        raise FeedUnreadableError(f"{key} is not gzip, though its name ends in .gz")
    if not start:
        raise FeedUnreadableError(f"{key} is empty (0 bytes): was the export cut off?", feed_is_empty=True)
    return _counted(key, chunks, allowance)


class Utf8Watch:
    """Notices text that is read in another encoding but looks like UTF-8: most bytes beyond ASCII form its characters.

    Text of one byte per character hardly ever does: an accented letter and the next would have to be of certain pairs.
    """

    def __init__(self) -> None:
        self._right = self._wrong = 0

    def over(self, chunks: Chunks) -> Chunks:
        """Yield the bytes and watch them."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for chunk in chunks:
            text = decoder.decode(chunk)
            if not text.isascii():
                wrong = text.count("\ufffd")
                self._wrong += wrong
                self._right += len(_BEYOND_ASCII.findall(text)) - wrong
            yield chunk

    @property
    def looks_like_utf8(self) -> bool:
        """Whether what was read so far looks like UTF-8."""
        return self._right > self._wrong


def decode(key: str, chunks: Chunks, encoding: str, watch: Utf8Watch) -> Chunks:
    """Return the text as UTF-8 without a byte order mark.

    UTF-8 itself is not checked here: the parsers check it, and know the row of a wrong byte.

    Args:
        key: the object's.
        chunks: its bytes.
        encoding: the one that the object declares, or the feed's setting. A byte order mark goes before it.
        watch: sees the bytes if that encoding applies to them.

    Raises:
        FeedUnreadableError: not a text; or, while the result is read, a byte that is not of the encoding.
    """
    start, chunks = peek(chunks, 4)
    for magic, what in PACKED.items():
        if start.startswith(magic):
            raise FeedUnreadableError(f"{key} is {what}, not what its name says")
    for mark, codec in _BOMS:
        if start.startswith(mark):
            text = start.removeprefix(mark)
            rest = chain([text] if text else [], islice(chunks, 1, None))
            return rest if codec == "utf-8" else _decoded(key, rest, codec, len(mark))
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise FeedUnreadableError(f"{key} declares the encoding {encoding:.50}, which is not known") from error
    if codecs.lookup(encoding).name != "utf-8":
        return _decoded(key, watch.over(chunks), encoding, 0, watch)
    if b"\x00" in start[:4]:
        codec = "utf-16-be" if start.startswith(b"\x00") else "utf-16-le"
        raise FeedUnreadableError(
            f"{key} has a zero byte at its beginning: it looks like UTF-16 without a byte order mark; if it is, say so in "
            f'feed.json: "encoding": "{codec}"'
        )
    return chunks


def without_end_marks(chunks: Chunks) -> Chunks:
    """Leave out Ctrl-Z and NUL bytes at the end of a text, also between white space.

    Old programs end a text so, or fill its last block.
    """
    held = b""
    for chunk in chunks:
        text = chunk.rstrip(b"\x00\x1a \t\r\n")
        if text or len(held) > MAX_ROW:
            yield held + text
            held = b""
        held += chunk[len(text) :]
    if spaces := held.translate(None, b"\x00\x1a"):
        yield spaces


def peek(chunks: Chunks, count: int) -> tuple[bytes, Chunks]:
    """Return at least the first `count` bytes, if there are that many, and an iterator over all chunks including them."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= count:
            break
    return start, chain([start] if start else [], chunks)


def encoding_error(
    key: str, place: int, error: UnicodeDecodeError, encoding: str, row: int | None = None
) -> FeedUnreadableError:
    """Return the error for a byte that is not of the encoding. It names the object, the place and the setting.

    Args:
        key: the object's.
        place: the byte's, from 0.
        error: the decoder's.
        encoding: the expected one.
        row: the row in which the place is counted; None if it is counted in the object.
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
    """Decompress one or several gzip members, at most a chunk at a time however far a few bytes expand."""
    member = None
    try:
        for chunk in chunks:
            rest = chunk
            while True:
                if member is None:
                    rest = rest.lstrip(b"\x00")  # padding between members
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
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # isal's stub lacks its type
        raise FeedUnreadableError(f"{key} is damaged: its gzip data cannot be unpacked ({error})") from error
    if member is not None:
        raise FeedUnreadableError(f"{key} is cut off: its gzip data has no end")


def _counted(key: str, chunks: Chunks, allowance: Allowance) -> Chunks:
    for chunk in chunks:
        allowance.take(len(chunk), key)
        yield chunk


def _decoded(key: str, chunks: Chunks, encoding: str, before: int, watch: Utf8Watch | None = None) -> Chunks:
    decoder = codecs.getincrementaldecoder(encoding)()
    fed = before
    for chunk in chain(chunks, [b""]):
        fed += len(chunk)
        try:
            text = decoder.decode(chunk, final=not chunk)
            if text:
                yield text.encode()
        except UnicodeDecodeError as error:
            if watch and watch.looks_like_utf8:
                raise FeedUnreadableError(
                    f"{key} is not {encoding}, which is set or declared, but looks like UTF-8: remove the setting encoding "
                    "from feed.json, or have the export declare UTF-8"
                ) from error
            # The decoder kept some bytes of the previous chunk, so count back from all that it was given.
            raise encoding_error(key, fed - len(error.object) + error.start, error, encoding) from error
        except UnicodeError as error:
            raise FeedUnreadableError(f"{key} is not {encoding}: {error}") from error
