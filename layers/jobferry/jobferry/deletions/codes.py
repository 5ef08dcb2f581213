"""The codes with which a person confirms exactly what a notice describes."""

import base64
from hashlib import blake2b
from typing import Final

_CODE_BYTES: Final = 8


def confirmation_code(content: str) -> str:
    """Return a code such as K7QD-3M2A-…, whose letters and digits cannot be confused."""
    digest = blake2b(content.encode(), digest_size=_CODE_BYTES).digest()
    text = base64.b32encode(digest).decode().rstrip("=")
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def is_code(given: str, code: str) -> bool:
    """Tell whether a person gave this code, perhaps with other spaces, hyphens or in lower case."""
    return _normalized(given) == _normalized(code)


def _normalized(code: str) -> str:
    return "".join(code.split()).replace("-", "").upper()
