"""Build a request's payload from a feed's objects: the checked jobs, in files.

Everything is streamed. `build` reads each row once and spools the jobs as they will be sent, their entries and the
problems. Only a feed with repeated reference numbers needs a second pass to resolve them. Then the parts are compressed
for the archive.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobferry.errors import FeedMissingError, FeedTooLargeError
from jobferry.exact_json import EncodingError, ObjectError
from jobferry.feeds.objects import FeedObject, FeedReader, read_rows
from jobferry.feeds.rows import FeedWarning, Row, RowWithWarning, TableHeader, UnreadableRow
from jobferry.feeds.settings import FeedSettings
from jobferry.feeds.streams import CHUNK, Allowance, encoding_error
from jobferry.jobs.job_reader import JobReader
from jobferry.jobs.vocabulary import Vocabulary
from jobferry.jobs.warnings import RowWarning
from jobferry.payload.manifest import open_gzip, write_manifest
from jobferry.payload.payload import Part, Payload
from jobferry.payload.problems import RowPlace
from jobferry.payload.spool import Spool
from jobferry.payload.understanding import understand


def build(
    objects: Sequence[FeedObject],
    reader: FeedReader,
    settings: FeedSettings,
    directory: Path,
    vocabulary: Vocabulary,
) -> Payload:
    """Read the feed's objects in key order and write what will be sent into `directory`.

    Whether a feed with this many invalid jobs may be sent is decided in `sendable`.

    Args:
        objects: the feed's objects.
        reader: opens them.
        settings: the feed's settings.
        directory: an empty folder.
        vocabulary: the terms that the board documents; other terms get a warning.

    Raises:
        FeedMissingError: there is no object.
        FeedUnreadableError: an object cannot be read to its end.
        FeedTooLargeError: more than maxFeedBytes, or than fits on the disk.
    """
    if not objects:
        raise FeedMissingError(
            "the feed's folder has no feed file. feed.json, and hidden or unfinished files such as .jobs.csv, "
            "_jobs.csv and jobs.csv.part, do not count"
        )
    try:
        payload = spool(objects, reader, settings, directory, vocabulary)
        for part in payload.parts:
            pack(part)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise FeedTooLargeError(
                "the feed does not fit on the function's disk (/tmp): give SubmitImport more ephemeral storage, or "
                "export less"
            ) from error
        raise
    return payload


def spool(
    objects: Sequence[FeedObject],
    reader: FeedReader,
    settings: FeedSettings,
    directory: Path,
    vocabulary: Vocabulary,
) -> Payload:
    """Build the payload without its archives, which a request does not need."""
    with Spool(settings, directory) as spooled:
        rows = JobReader(settings, vocabulary)
        allowance = Allowance(settings.max_feed_bytes)
        for obj in sorted(objects, key=lambda each: each.key):
            rows.names.begin()
            with reader.open_object(obj) as stream:
                count = _read_object(obj.key, read_rows(obj, stream, settings, allowance), rows, spooled)
            spooled.payload.rows += count
            source = {"key": obj.key, "etag": obj.etag, "bytes": obj.size, "rows": count}
            spooled.payload.sources.append(source | {"fields": spooled.fields.take()})
        spooled.payload.understanding = understand(spooled.fields, rows.names, settings)
        return spooled.finish()


def pack(part: Part) -> None:
    """Write the part's archive and its manifest."""
    with part.body.open("rb") as body, open_gzip(part.archive) as archive:
        shutil.copyfileobj(body, archive, CHUNK)
    write_manifest(part.entries, part.manifest)
    part.entries.unlink()


def _read_object(key: str, rows: Iterator[Row], reader: JobReader, spooled: Spool) -> int:
    """Spool an object's rows and count them."""
    count = 0
    for number, line, row in rows:
        if isinstance(row, TableHeader):
            reader.names.begin(row.names)
            for warning in reader.names.take_warnings():
                spooled.warn(RowPlace(key, number, line), warning)
            continue
        if isinstance(row, FeedWarning):
            spooled.warn(RowPlace(key, number, line), RowWarning(("feed", row.message), row.message))
            continue
        count += number is not None
        if isinstance(row, UnreadableRow):
            spooled.unreadable(RowPlace(key, number, line), row.message)
            continue
        if isinstance(row, RowWithWarning):
            spooled.warn(RowPlace(key, number, line), RowWarning(("row", row.message[:20]), f"a row {row.message}"))
            row = row.fields
        try:
            result = reader.read(row)
        except EncodingError as error:
            raise encoding_error(key, error.reason.start, error.reason, "UTF-8", number) from error
        except ObjectError as error:
            spooled.unreadable(RowPlace(key, number, line), str(error))
            continue
        for warning in result.warnings:
            spooled.warn(RowPlace(key, number, line), warning)
        if result.errors:
            spooled.fields.add_invalid(result.job, result.names)
            spooled.invalid(result, RowPlace(key, number, line))
        else:
            spooled.fields.add(job := result.job, result.names)
            spooled.job(job["referenceNumber"], job.get("title"), result.body, key, number, line)
    return count
