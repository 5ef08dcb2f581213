"""`jobferry validate`: check a feed on this machine without AWS."""

import io
import json
import re
import shlex
import shutil
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from jobferry.cli.understood import understood
from jobferry.errors import FeedError, FeedUnreadableError, SettingsError
from jobferry.feeds.objects import FeedObject, is_of_feed
from jobferry.feeds.settings import SETTINGS_NAME, FeedSettings, parse_settings
from jobferry.jobs.vocabulary import Vocabulary
from jobferry.payload.build import build
from jobferry.payload.payload import Payload
from jobferry.payload.problems import RowPlace, WarningGroup
from jobferry.payload.sendable import reason_not_to_send
from jobferry.text import counted

CLEAN, PROBLEMS, UNREADABLE = 0, 1, 2
#: Problems that the table lists, in all and with the same words; `--json` has them all.
_MAX_LISTED_PROBLEMS: Final = 50
_MAX_ALIKE: Final = 5
#: Jobs in `firstJobs`, unless --show asks for another number.
_FIRST_JOBS: Final = 50
_SENT_ANYWAY: Final = "it is sent anyway, so that its posting is not deleted: the board decides"


class FeedFolder:
    """The files of a folder as a feed's objects."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def objects(self) -> list[FeedObject]:
        """List the folder's files as a bucket would."""
        return [
            FeedObject(name, etag="", size=path.stat().st_size)
            for path in sorted(self._root.rglob("*"))
            if path.is_file() and is_of_feed(name := path.relative_to(self._root).as_posix())
        ]

    def open_object(self, obj: FeedObject) -> BinaryIO:
        """Open a file. Raise FeedUnreadableError if that fails, or if no object can have its name."""
        try:
            obj.key.encode()
            return (self._root / obj.key).open("rb")
        except UnicodeEncodeError as error:
            raise FeedUnreadableError(f"{obj.key!a} cannot be the name of an object: it is not UTF-8") from error
        except OSError as error:
            raise FeedUnreadableError(f"{obj.key} cannot be opened: {error.strerror}") from error


def objects_of(path: Path) -> tuple[FeedFolder, list[FeedObject]]:
    """Return a file, or the files of a folder, as a feed's objects, and the folder that they are read from."""
    if path.is_dir():
        folder = FeedFolder(path)
        return folder, folder.objects()
    return FeedFolder(path.parent), [FeedObject(path.name, "", path.stat().st_size)]


def check(path: Path, given: Path | None, vocabulary: Vocabulary, show: int | None = None, *, as_json: bool) -> int:
    """Check a file or a folder by the given settings or its own, and print the result.

    Args:
        path: the file or folder.
        given: the settings; None for the feed.json in the folder.
        vocabulary: the terms that the board documents.
        show: how many jobs to show as they would be sent; None for the usual number in JSON, and none for people.
        as_json: print one JSON document.

    Returns:
        The exit status: 0 if the feed has no problems, 1 if some jobs have problems or none could be sent, 2 if it
        cannot be read.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may lack characters of a feed
    try:
        settings = _settings(path, given)
        with tempfile.TemporaryDirectory(prefix="jobferry-") as directory:
            payload = _build(path, settings, Path(directory), vocabulary)
            status = print_result(payload, settings, show, as_json=as_json)
            if status != CLEAN and settings == FeedSettings() and not as_json:
                sys.stdout.writelines(f"{_plain(line)}\n" for line in _without_settings(path))
            return status
    except BrokenPipeError:  # the reader has seen enough
        raise
    except (FeedError, OSError) as error:
        message = str(error) if isinstance(error, FeedError) else f"{error.filename or path}: {error.strerror}"
        if as_json:
            sys.stdout.write(json.dumps({"error": message}) + "\n")
        sys.stderr.write(f"{_plain(message)}\n")
        return UNREADABLE


def print_result(payload: Payload, settings: FeedSettings, show: int | None = None, *, as_json: bool) -> int:
    """Print the result and return the exit status."""
    if as_json:
        lines = _json(payload, settings, _FIRST_JOBS if show is None else show)
    else:
        lines = chain(_table(payload, settings), _shown_jobs(payload, show or 0))
    for line in lines:
        sys.stdout.write(line + "\n")
    return PROBLEMS if reason_not_to_send(payload, settings) or payload.invalid else CLEAN


def _settings(path: Path, given: Path | None) -> FeedSettings:
    beside = path / SETTINGS_NAME
    file = given or (beside if beside.is_file() else None)
    if file is None:
        return FeedSettings()
    try:
        return parse_settings(file.read_bytes(), str(file))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error


def _without_settings(path: Path) -> tuple[str, str, str]:
    """Say how to use settings, to a person who checked a feed without any."""
    file = path.parent / SETTINGS_NAME
    if path.is_file() and file.is_file():
        command = f"validate {shlex.quote(str(path))} --settings {shlex.quote(str(file))}"
        return "", f"No settings were used. To use the {SETTINGS_NAME} beside the file:", f"  jobferry {command}"
    return "", "No settings were used. To have them proposed:", f"  jobferry suggest {shlex.quote(str(path))}"


def _build(path: Path, settings: FeedSettings, directory: Path, vocabulary: Vocabulary) -> Payload:
    files, objects = objects_of(path)
    return build(objects, files, settings, directory, vocabulary)


def _json(payload: Payload, settings: FeedSettings, show: int) -> Iterator[str]:
    """Yield one JSON document in pieces: a feed may have many problems."""
    head: dict[str, Any] = {
        "objects": [source["key"] for source in payload.sources],
        "rows": payload.rows,
        "jobs": payload.jobs,
        "imports": len(payload.parts),
        "invalid": payload.invalid,
        "unprotected": payload.unprotected,
        "reason": reason_not_to_send(payload, settings),
        "understood": payload.understanding.data(),
        "warnings": [
            {"message": group.message, "count": group.count, "first": group.first._asdict()}
            for group in (*_of_feed(payload), *payload.warning_groups)
        ],
    }
    problems = (
        {
            "source": problem.place._asdict(),
            "referenceNumber": problem.reference_number,
            "title": problem.title,
            "messages": problem.messages,
            "sent": problem.sent,
        }
        for problem in payload.read_problems()
    )
    yield json.dumps(head)[:-1] + ', "firstJobs": ['
    yield from _items(islice(payload.read_jobs(), show))
    yield '], "problems": ['
    yield from _items(problems)
    yield "]}"


def _of_feed(payload: Payload) -> Iterator[WarningGroup]:
    """Yield the warnings about the feed as a whole, in the place of its first object."""
    place = RowPlace(payload.sources[0]["key"])
    return (WarningGroup(message, 1, place) for message in payload.understanding.warnings)


def _items(values: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the items of a JSON list, separated by commas."""
    before = ""
    for value in values:
        yield before + json.dumps(value)
        before = ", "


def _table(payload: Payload, settings: FeedSettings) -> Iterator[str]:
    width = max(60, min(160, shutil.get_terminal_size((120, 24)).columns))
    imports = f" in {len(payload.parts)} imports" if len(payload.parts) > 1 else ""
    reason = reason_not_to_send(payload, settings)
    verb = "could" if reason else "would"
    yield (
        f"{counted(len(payload.sources), 'file')}, {counted(payload.rows, 'row')}: {counted(payload.jobs, 'job')} {verb} be "
        f"sent{imports}, {payload.invalid:,} with problems"
    )
    if reason:
        yield f"Nothing would be sent: {reason}"
    if payload.unprotected:
        unmatched = counted(payload.unprotected, "problem")
        yield f"{unmatched} cannot be matched to a posting: with deleteJobs, deletions would be withheld"
    yield from understood(payload.understanding.data())
    if payload.invalid:
        yield from ("", "To fix:")
        yield from _to_fix(payload, width)
    if payload.understanding.warnings or payload.warnings:
        yield from ("", "Notes:")
    for message in payload.understanding.warnings:
        yield from _wrapped(message, width)
    for group in payload.warning_groups:
        times = f" ({group.count:,} times, first in {group.first})" if group.count > 1 else f" ({group.first})"
        yield from _wrapped(f"{group.message}{times}", width)


def _to_fix(payload: Payload, width: int) -> Iterator[str]:
    """Yield the first problems. Most often many rows have the same one, which must not hide the others."""
    listed: Counter[str] = Counter()
    more: Counter[str] = Counter()
    for problem in payload.read_problems():
        messages = "; ".join([*problem.messages, *([_SENT_ANYWAY] if problem.sent else [])])
        if listed[messages] < _MAX_ALIKE and listed.total() < _MAX_LISTED_PROBLEMS:
            listed[messages] += 1
            job = " ".join(filter(None, (problem.reference_number, problem.title)))
            yield from _wrapped(f"{problem.place}{f' ({job:.80})' if job else ''}: {messages}", width)
        elif messages in listed:
            more[messages] += 1
    for messages, count in more.items():
        yield from _wrapped(f"… and {counted(count, 'more row')}: {messages}", width)
    if payload.invalid > listed.total():
        yield f"  {payload.invalid:,} in total: --json has every one"


def _shown_jobs(payload: Payload, show: int) -> Iterator[str]:
    """Yield the first jobs as they would be sent."""
    for number, job in enumerate(islice(payload.read_jobs(), show), 1):
        yield from ("", f"Job {number:,}, as it would be sent:")
        yield from (_plain(f"  {line}") for line in json.dumps(job, indent=2, ensure_ascii=False).splitlines())


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(_plain(text), width, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)


def _plain(text: str) -> str:
    """Replace what a terminal would obey: control characters, and marks that change the direction of text."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", "�", text)
