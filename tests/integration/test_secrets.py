"""Accounts in Secrets Manager."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from jobferry.adapters.secrets import REMEMBERED_SECONDS, SecretAccounts, read_secret
from jobferry.board.accounts import Account
from jobferry.errors import SecretError
from local.template import Stack
from tests.integration.inprocess import InProcess, Stub

PREFIX = "jobferry/accounts/"
BOARD = "https://board.example.com/api/v2.0"
KEY = "k3y-5QK2vZ8w"


def accounts(cloud: InProcess, **played: Any) -> SecretAccounts:
    return SecretAccounts(Stub(cloud.client("secretsmanager"), **played), PREFIX, BOARD)  # type: ignore[arg-type]


def put(cloud: InProcess, **value: Any) -> None:
    cloud.client("secretsmanager").put_secret_value(SecretId=PREFIX + "BoardApiKey", **value)


@pytest.mark.parametrize(
    ("text", "board"),
    [
        (KEY, BOARD),
        (f"  {KEY}\n", BOARD),
        (f'{{"apiKey": "{KEY}"}}', BOARD),
        (f'{{"apiKey": "{KEY}", "boardUrl": "https://sister.example.com/api/"}}', "https://sister.example.com/api"),
        (f'\n {{"apiKey": " {KEY} ", "boardUrl": "http://127.0.0.1:8080/api"}}', "http://127.0.0.1:8080/api"),
    ],
)
def test_a_key_as_text_or_json(stack: Stack, cloud: InProcess, text: str, board: str) -> None:
    put(cloud, SecretString=text)
    assert accounts(cloud).get("BoardApiKey") == Account("BoardApiKey", board, KEY)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "does not exist or has no value yet: enter the API key of the board account"),
        ({"SecretString": " \n"}, "is empty: enter the API key of the board account"),
        ({"SecretString": '{"apiKey": " "}'}, "is empty: enter the API key of the board account"),
        ({"SecretBinary": KEY.encode()}, "is binary: a text is needed"),
        ({"SecretString": f'{{"apiKey": "{KEY}"'}, "begins like JSON but is not valid JSON"),
        ({"SecretString": f'{{"apikey": "{KEY}"}}'}, "is JSON, but not"),
        ({"SecretString": f'{{"apiKey": 1, "boardUrl": "{KEY}"}}'}, "is JSON, but not"),
        ({"SecretString": f'{{"apiKey": "{KEY}", "boardUrl": "http://other.example.com"}}'}, "an https:// base URL"),
        ({"SecretString": f"{KEY} {KEY}"}, "is not an API key"),
        ({"SecretString": f"{KEY}\r\nX-Other: header"}, "is not an API key"),
        ({"SecretString": f"{KEY}:password"}, "is not an API key"),
    ],
)
def test_a_secret_that_is_none_says_what_to_do_and_never_its_value(
    stack: Stack, cloud: InProcess, value: dict[str, Any] | None, why: str
) -> None:
    if value is not None:
        put(cloud, **value)
    with pytest.raises(SecretError, match=why) as raised:
        accounts(cloud).get("BoardApiKey")
    error: BaseException | None = raised.value
    while error is not None:
        assert KEY not in str(error) + repr(error)
        error = error.__cause__
    assert "BoardApiKey" in str(raised.value)


def test_no_other_secret_than_those_under_the_prefix_is_asked_for(stack: Stack, cloud: InProcess) -> None:
    asked = []

    def ask(real: Any, SecretId: str) -> Any:  # noqa: N803  # boto3's name
        asked.append(SecretId)
        return real(SecretId=SecretId)

    with pytest.raises(SecretError):
        accounts(cloud, get_secret_value=ask).get("CallbackSigningKey")
    assert asked == ["jobferry/accounts/CallbackSigningKey"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidRequestException"])
def test_a_secret_that_may_not_be_read_is_for_a_person_to_mend(stack: Stack, cloud: InProcess, code: str) -> None:
    with pytest.raises(SecretError, match="may not be read, or is being deleted"):
        accounts(cloud, get_secret_value=_refuse(code)).get("BoardApiKey")


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError", "DecryptionFailure"])
def test_what_passes_by_itself_is_no_fault_of_the_secret(stack: Stack, cloud: InProcess, code: str) -> None:
    with pytest.raises(ClientError, match=code):
        accounts(cloud, get_secret_value=_refuse(code)).get("BoardApiKey")


def _refuse(code: str) -> Any:
    def refuse(_real: Any, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "GetSecretValue")

    return refuse


def test_a_key_is_read_once_and_again_when_it_was_rotated(stack: Stack, cloud: InProcess) -> None:
    asked = []

    def ask(real: Any, SecretId: str) -> Any:  # noqa: N803
        asked.append(SecretId)
        return real(SecretId=SecretId)

    put(cloud, SecretString="first")
    found = accounts(cloud, get_secret_value=ask)
    assert found.get("BoardApiKey").api_key == found.get("BoardApiKey").api_key == "first"
    put(cloud, SecretString="second")
    assert found.get("BoardApiKey").api_key == "first"
    assert found.get("BoardApiKey", fresh=True).api_key == "second"
    assert found.get("BoardApiKey").api_key == "second"
    assert len(asked) == 2


def test_a_remembered_key_ages(stack: Stack, cloud: InProcess) -> None:
    time = [1000.0]
    found = SecretAccounts(cloud.client("secretsmanager"), PREFIX, BOARD, lambda: time[0])
    put(cloud, SecretString="first")
    assert found.get("BoardApiKey").api_key == "first"
    put(cloud, SecretString="second")
    time[0] += REMEMBERED_SECONDS - 1
    assert found.get("BoardApiKey").api_key == "first"
    time[0] += 1
    assert found.get("BoardApiKey").api_key == "second"
    put(cloud, SecretString="third")
    time[0] -= 3600  # the clock was set back
    assert found.get("BoardApiKey").api_key == "third"


def test_a_secret_that_could_not_be_read_is_asked_for_again(stack: Stack, cloud: InProcess) -> None:
    found = accounts(cloud)
    with pytest.raises(SecretError):
        found.get("BoardApiKey")
    put(cloud, SecretString=KEY)
    assert found.get("BoardApiKey").api_key == KEY


def test_the_signing_key_is_there_from_the_start(stack: Stack, cloud: InProcess) -> None:
    key = read_secret(cloud.client("secretsmanager"), stack.resource("CallbackSigningKey").ref)
    assert len(key) == 64
    assert key.isalnum()
