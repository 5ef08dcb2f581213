"""Secrets Manager: the API keys of the accounts, and the key that signs callback URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from jobferry.board.accounts import Account, parse_account
from jobferry.errors import SecretError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretAccounts:
    """The accounts in the secrets under the stack's prefix. Each secret is read once and then remembered."""

    def __init__(self, client: SecretsManagerClient, prefix: str, default_board: str) -> None:
        self._client = client
        self._prefix = prefix
        self._default_board = default_board
        self._known: dict[str, Account] = {}

    def get(self, name: str, *, fresh: bool = False) -> Account:
        """Implement `Accounts`."""
        if fresh or name not in self._known:
            value = read_secret(self._client, self._prefix + name)
            self._known[name] = parse_account(name, value, self._default_board)
        return self._known[name]


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
