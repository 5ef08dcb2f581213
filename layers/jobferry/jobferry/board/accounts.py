"""The board's accounts: which key opens which board. A key goes only to the board that it is stored with."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from jobferry.errors import SecretError
from jobferry.exact_json import ObjectError, parse_object
from jobferry.records.imports import Import, account_id

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Account:
    """An account of a board.

    Attributes:
        name: of its secret.
        board_url: base URL of the API, no slash at its end.
        api_key: never shown, not even by repr.
    """

    name: str
    board_url: str
    api_key: str = field(repr=False)

    @property
    def id(self) -> str:
        """What tells accounts apart."""
        return account_id(self.board_url, self.name)

    def key_mark(self, signing_key: str) -> str:
        """What tells API keys apart without telling them: more people read records than secrets."""
        text = f"{self.board_url} {self.api_key}"
        return hmac.new(signing_key.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]


class Accounts(Protocol):
    """Where the secrets are."""

    def get(self, name: str, *, fresh: bool = False) -> Account:
        """The account of that secret; `fresh`: not from memory, since a key may have been rotated.

        Raises:
            SecretError: it is not set, or no account; says what to do.
        """
        ...


def account_of(record: Import, accounts: Accounts, *, fresh: bool = False) -> Account:
    """The account with which an import was made. Raises SecretError, also when its secret names another board now."""
    account = accounts.get(record.destination.account or "", fresh=fresh)
    if account.board_url != record.destination.board:
        raise SecretError(f"the secret {account.name} is for another board now than when {record.import_id} was made")
    return account


class _Secret(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, hide_input_in_errors=True)

    api_key: str
    board_url: str | None = None


def parse_account(name: str, text: str, default_board: str) -> Account:
    """The account that a secret's value means: the API key, or JSON `{"apiKey", "boardUrl"}`.

    Args:
        name: of the secret.
        text: its value.
        default_board: the board of a key that names none, the stack's BoardUrl.

    Raises:
        SecretError: names the secret and what is wrong, never its value.
    """
    value = text.strip()
    board = default_board
    if value.startswith("{"):
        try:
            secret = _Secret.model_validate(parse_object(value.encode()))
        except ObjectError:
            # Without `from`: the cause would carry a piece of the secret into a log.
            raise SecretError(
                f"the secret {name} begins like JSON but is none; put the API key there as it is"
            ) from None
        except ValidationError as error:
            names = ", ".join(sorted({".".join(map(str, each["loc"])) for each in error.errors()}))
            raise SecretError(
                f'the secret {name} is JSON, but not {{"apiKey": "…", "boardUrl": "…"}}: look at {names}'
            ) from None
        value, board = secret.api_key.strip(), secret.board_url or default_board
    if not value:
        raise SecretError(f"the secret {name} is empty: put the board account's API key there")
    if any(character.isspace() or not character.isprintable() for character in value) or ":" in value:
        # RFC 7617: a user name cannot have a colon.
        raise SecretError(f"the secret {name} is not an API key: it holds white space, a control character or a colon")
    return Account(name, checked_board_url(board, f"the secret {name}"), value)


def checked_board_url(url: str, of: str) -> str:
    """The board's base URL without a slash at its end. Raises SecretError unless it is HTTPS, loopback apart."""
    parts = urlsplit(url)
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.scheme == "https" or plain) or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise SecretError(f"the board's URL of {of} is not one: an https:// base URL is needed, no more than its path")
    return url.rstrip("/")
