"""`jobferry suggest`: propose a feed.json for an export, with the reason for each setting."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobferry.cli.screen import text
from jobferry.cli.validate import objects_of
from jobferry.errors import CannotBeDoneError
from jobferry.feeds.settings import SETTINGS_NAME
from jobferry.suggestion.places import Suggestion, suggest
from jobferry.suggestion.propose import Guess
from jobferry.suggestion.terms import Terms
from jobferry.text import counted


def settings_file(path: Path) -> Path:
    """Return the place of the settings for a feed's file or folder."""
    return (path if path.is_dir() else path.parent) / SETTINGS_NAME


def read(path: Path, terms: Terms) -> Suggestion:
    """Read a file or a folder. Raise FeedError if no settings make it readable."""
    files, objects = objects_of(path)
    return suggest(objects, files, terms)


def save(found: Suggestion, file: Path) -> None:
    """Write the settings into a new file."""
    try:
        with file.open("x", encoding="utf-8") as output:
            output.write(_document(found))
    except FileExistsError as error:
        raise CannotBeDoneError(f"{file} exists, and is never overwritten: rename it first") from error


def lines(found: Suggestion, path: Path, written: Path | None) -> Iterator[str]:
    """Yield what people read: the guesses, what is open, the settings, and what to do next."""
    yield f"Read {'the first ' if found.is_cut else ''}{counted(found.rows, 'row')}."
    for guess in found.guesses:
        yield from text(f"{_subject(guess)}: {guess.reason}", "      ", "  ")
    if found.open:
        yield from ("", "Open:")
        for sentence in found.open:
            yield from text(f"{sentence}.", "      ", "  ")
    yield ""
    if written is None:
        yield from (f"{SETTINGS_NAME}:", _document(found).rstrip())
        yield from ("", "To save it, repeat the command with --write.")
        return
    option = "" if path.is_dir() else f" --settings {shlex.quote(str(written))}"
    yield f"Saved as {written}. To check what would be sent:"
    yield f"  jobferry validate {shlex.quote(str(path))}{option}"


def data(found: Suggestion, written: Path | None) -> dict[str, Any]:
    """Return what programs read."""
    return {
        "settings": found.settings,
        "guesses": [guess._asdict() for guess in found.guesses],
        "open": found.open,
        "rows": found.rows,
        "isCut": found.is_cut,
        "file": str(written) if written else None,
    }


def _subject(guess: Guess) -> str:
    match guess.setting:
        case "fields":
            return f'{guess.field} from "{guess.source}"'
        case "values":
            return f'{guess.field} "{guess.source}" becomes "{guess.value}"'
        case _:
            return f"{guess.setting} {json.dumps(guess.value, ensure_ascii=False)}"


def _document(found: Suggestion) -> str:
    """Write the settings as JSON. Characters that a terminal would obey are escaped."""
    readable = json.dumps(found.settings, indent=2, ensure_ascii=False)
    is_harmless = readable.replace("\n", "").isprintable()
    return (readable if is_harmless else json.dumps(found.settings, indent=2)) + "\n"
