"""Words for people: times, counts, and other people's texts made harmless."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

# A board that quotes our request may quote the callback's token, the Authorization header, or the user of a URL.
_SECRETS: Final = re.compile(
    r"""(\btoken=)[^\s&"'<>]+|(\b(?:Basic|Bearer)\s+)(?=\S*[0-9=])[\w+/=.~-]{12,}|(://)[^\s/@]+(?=@)""", re.IGNORECASE
)
_LESS, _GREATER = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"


def one_line(text: object, limit: int) -> str:
    """Return somebody else's text on one line, cut, and harmless in a terminal, an e-mail and a chat.

    Control characters become the replacement character. Characters that only steer a display (direction, joining) are
    removed. Angle brackets become similar ones, so that neither HTML nor a chat's mentions work. Secrets are hidden.

    Args:
        text: anything, as str() shows it.
        limit: the most characters of the result.
    """
    # Cut first: a message may be 100 KB long. A secret that is hidden below begins within what is kept.
    line = without_secrets(str(text)[: limit * 4]).replace("<", _LESS).replace(">", _GREATER)
    if not line.isprintable():
        line = "".join(map(_shown, line))
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def without_secrets(text: str) -> str:
    """Return the text with everything hidden that looks like a secret."""
    return _SECRETS.sub(r"\1\2\3(hidden)", text)


def row_place(key: str, row: int | None, line: int | None = None) -> str:
    """Write where a row is, such as `jobs.xml row 2 (line 31)`. Without a row, it is the whole object."""
    if row is None:
        return key
    return f"{key} row {row}" if line is None else f"{key} row {row} (line {line})"


def when(instant: datetime) -> str:
    """Write an instant such as `02:00 UTC on November 24, 2026`."""
    utc = instant.astimezone(UTC)
    return f"{utc:%H:%M} UTC on {day(utc)}"


def day(instant: datetime) -> str:
    """Write a day such as `November 24, 2026`, in UTC."""
    utc = instant.astimezone(UTC)
    return f"{utc:%B} {utc.day}, {utc:%Y}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write a count such as `1 job` and `2,000 jobs`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def duration(seconds: float) -> str:
    """Write a duration such as `4 s`, `12 min` and `3 h 20 min`."""
    whole = int(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


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
