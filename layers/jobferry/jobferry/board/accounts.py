"""The accounts: which API key belongs to which board. A key is sent only to the board that its secret names."""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from jobferry.errors import SecretError
from jobferry.exact_json import ObjectError, parse_object
from jobferry.records.imports import Import, account_id

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
#: The name of a host, or an IPv4 address.
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a board.

    Attributes:
        name: the name of its secret.
        board_url: the base URL of the API, without a slash at its end.
        api_key: the key, which repr does not show.
    """

    name: str
    board_url: str
    api_key: str = field(repr=False)

    @property
    def id(self) -> str:
        """The id that tells accounts apart."""
        return account_id(self.board_url, self.name)

    def key_mark(self, signing_key: str) -> str:
        """Return a digest that tells API keys apart. Records may hold it, since it does not reveal the key."""
        text = f"{self.board_url} {self.api_key}"
        return hmac.new(signing_key.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]


class Accounts(Protocol):
    """The accounts that are stored as secrets."""

    def get(self, name: str, *, fresh: bool = False) -> Account:
        """Return the account of a secret.

        Args:
            name: the secret's name.
            fresh: read the secret again even if it is remembered, because its key may have been rotated.

        Raises:
            SecretError: the secret is not set or is not an account. The message says what to do.
        """


def account_of(record: Import, accounts: Accounts, *, fresh: bool = False) -> Account:
    """Return the account that an import was made with. Raise SecretError, also if the secret's board URL has changed."""
    account = accounts.get(record.destination.account or "", fresh=fresh)
    if account.board_url != record.destination.board:
        raise SecretError(f"the board URL in the secret {account.name} changed after {record.import_id} was created")
    return account


class _Secret(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, hide_input_in_errors=True, defer_build=True
    )

    api_key: str
    board_url: str | None = None


def parse_account(name: str, text: str, default_board: str) -> Account:
    """Parse the value of a secret: an API key, or JSON `{"apiKey", "boardUrl"}`.

    Args:
        name: the secret's name.
        text: its value.
        default_board: the board of a key that names none, which is the stack's BoardUrl.

    Raises:
        SecretError: the value is not an account. The message names the secret and the fault, but not the value.
    """
    value = text.strip()
    board = default_board
    if value.startswith("{"):
        try:
            secret = _Secret.model_validate(parse_object(value.encode()))
        except ObjectError:
            # `from None`, because the cause would carry a part of the secret into a log.
            raise SecretError(
                f"the secret {name} begins like JSON but is not valid JSON: enter the plain API key instead"
            ) from None
        except ValidationError as error:
            names = ", ".join(sorted({".".join(map(str, each["loc"])) for each in error.errors()}))
            raise SecretError(
                f'the secret {name} is JSON, but not {{"apiKey": "…", "boardUrl": "…"}}: check {names}'
            ) from None
        value, board = secret.api_key.strip(), secret.board_url or default_board
    if not value:
        raise SecretError(f"the secret {name} is empty: enter the API key of the board account")
    if any(character.isspace() or not character.isprintable() for character in value) or ":" in value:
        # The key is sent as a user name, which cannot contain a colon (RFC 7617).
        raise SecretError(
            f"the secret {name} is not an API key: it contains white space, a control character or a colon"
        )
    source = f"boardUrl in the secret {name}" if board is not default_board else "the stack's parameter BoardUrl"
    return Account(name, _checked_board_url(board, source), value)


def _checked_board_url(url: str, source: str) -> str:
    """Return the board's base URL without a slash at its end. Raise SecretError unless it is HTTPS or loopback.

    Args:
        url: the URL.
        source: where it comes from, for the message.
    """
    fault = _fault_of_url(url)
    if fault is not None:
        raise SecretError(f"{source} is invalid: {fault}; enter an https:// base URL such as https://board.example/api")
    return url.rstrip("/")


def _fault_of_url(url: str) -> str | None:
    """Say why a URL cannot be a board's; None if it can. The URL may contain a password, so it is not quoted."""
    # urlsplit silently drops line breaks and tabs, and some clients read a backslash as a slash.
    if not url.isascii() or not url.isprintable() or any(each in url for each in ' "<>\\^`{|}'):
        return "it contains a space, a line break or another character that no URL has"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "its host or port cannot be read"
    if "@" in parts.netloc:
        return "it contains a user name or password"
    if "?" in url or "#" in url:
        return "it contains a query or a fragment"
    if not host or port == 0 or (not _HOST.fullmatch(host) and ":" not in host):
        return "its host or port cannot be read"
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        return "it does not begin with https://"
    return None
