"""The URL at which the board tells an import's result, and the token that lets it in."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

#: A token is a SHA-256 in hexadecimal digits.
TOKEN_LENGTH: Final = 64


def token(import_id: str, signing_key: str) -> str:
    """The token of one import."""
    return hmac.new(signing_key.encode(), import_id.encode(), hashlib.sha256).hexdigest()


def callback_url(base: str, import_id: str, signing_key: str) -> str:
    """Where the board sends the result of an import. It is a secret: it never reaches a log.

    Args:
        base: `{api}/callbacks`.
        import_id: the import's; URL-safe as it is.
        signing_key: the stack's.
    """
    return f"{base}/{import_id}?token={token(import_id, signing_key)}"


def is_token(given: str | None, import_id: str, signing_key: str) -> bool:
    """Whether a token is this import's, in a time that does not depend on how much of it is right."""
    right = token(import_id, signing_key).encode()
    return hmac.compare_digest((given or "").encode(errors="replace"), right)
