"""The URL to which the board posts an import's result, and the token that it contains."""

import hashlib
import hmac
from typing import Final

#: A token is a SHA-256 digest in hexadecimal digits.
TOKEN_LENGTH: Final = 64


def token(import_id: str, signing_key: str) -> str:
    """Return the token of one import."""
    return hmac.new(signing_key.encode(), import_id.encode(), hashlib.sha256).hexdigest()


def callback_url(base: str, import_id: str, signing_key: str) -> str:
    """Return the URL for the result of an import. It is a secret and must not reach a log.

    Args:
        base: `{api}/callbacks`.
        import_id: the import's id, which is URL-safe.
        signing_key: the stack's key.
    """
    return f"{base}/{import_id}?token={token(import_id, signing_key)}"


def is_token(given: str | None, import_id: str, signing_key: str) -> bool:
    """Check whether a token belongs to this import, in a time that does not depend on how much of it is right."""
    right = token(import_id, signing_key).encode()
    return hmac.compare_digest((given or "").encode(errors="replace"), right)
