"""Secrets Manager: the API keys of the accounts, and the key that signs callback URLs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from jobferry.board.accounts import Account, parse_account
from jobferry.errors import SecretError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


#: A secret is remembered for this long. Seconds.
REMEMBERED_SECONDS: Final = 300.0


class SecretAccounts:
    """The accounts in the secrets under the stack's prefix. Each secret is remembered for a few minutes."""

    def __init__(
        self,
        client: SecretsManagerClient,
        prefix: str,
        default_board: str,
        # Not the monotonic clock, which may stand still while Lambda keeps the process frozen.
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._default_board = default_board
        self._clock = clock
        self._known: dict[str, tuple[float, Account]] = {}

    def get(self, name: str, *, fresh: bool = False) -> Account:
        """Implement `Accounts`."""
        now = self._clock()
        read_at, known = self._known.get(name, (now, None))
        if known is None or fresh or not 0 <= now - read_at < REMEMBERED_SECONDS:
            known = parse_account(name, read_secret(self._client, self._prefix + name), self._default_board)
            self._known[name] = now, known
        return known


def read_secret(client: SecretsManagerClient, name: str) -> str:
    """Return the text of a secret. Raise SecretError if it has none or may not be read."""
    try:
        answer = client.get_secret_value(SecretId=name)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            raise SecretError(
                f"the secret {name} does not exist or has no value yet: enter the API key of the board account"
            ) from error
        if error.response.get("Error", {}).get("Code") in ("AccessDeniedException", "InvalidRequestException"):
            raise SecretError(f"the secret {name} may not be read, or is being deleted") from error
        raise
    text = answer.get("SecretString")
    if text is None:
        raise SecretError(f"the secret {name} is binary: a text is needed")
    return text
