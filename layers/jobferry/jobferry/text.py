"""Words for people: times, counts, and texts of others that must not do anything where they are shown."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

# A board that quotes our request may quote the callback's token, the Authorization header, or the user of a URL.
_SECRETS: Final = re.compile(
    r"""(\btoken=)[^\s&"'<>]+|(\b(?:Basic|Bearer)\s+)(?=\S*[0-9=])[\w+/=.~-]{12,}|(://)[^\s/@]+(?=@)""", re.IGNORECASE
)
_LESS, _GREATER = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"


def plain(text: object, limit: int) -> str:
    """A text of somebody else on one line, cut, harmless in a terminal, a mail, a chat.

    Control characters become the replacement character, those that only steer a display (direction, joining) go, angle
    brackets become others, so that neither HTML nor a chat's mentions work, and what looks like a secret is hidden.

    Args:
        text: anything; shown as str() has it.
        limit: characters of the result, at most.
    """
    # Cut first: a message may be 100 KB long. Whatever is hidden below begins within what is kept.
    line = without_secrets(str(text)[: limit * 4]).replace("<", _LESS).replace(">", _GREATER)
    if not line.isprintable():  # else nothing in it is for _shown to change
        line = "".join(map(_shown, line))
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def without_secrets(text: str) -> str:
    """The text, with what looks like a secret hidden."""
    return _SECRETS.sub(r"\1\2\3(hidden)", text)


def when(instant: datetime) -> str:
    """Such as `02:00 UTC on 24 November 2026`."""
    utc = instant.astimezone(UTC)
    return f"{utc:%H:%M} UTC on {day(utc)}"


def day(instant: datetime) -> str:
    """Such as `24 November 2026`, in UTC."""
    utc = instant.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Such as `1 job` and `2,000 jobs`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def _shown(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" if not character.isspace():
            return "\N{REPLACEMENT CHARACTER}"
        case "Cs" | "Co" | "Cn":
            return "\N{REPLACEMENT CHARACTER}"
        case "Cf":
            return ""
        case _:
            return character
