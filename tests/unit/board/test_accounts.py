"""Which key opens which board: from a secret's text to an account."""

import json
from datetime import UTC, datetime

import pytest

from jobferry.board.accounts import account_of, parse_account
from jobferry.board.callback_urls import callback_url, is_token, token
from jobferry.errors import SecretError
from jobferry.records.imports import State
from tests.records import an_import

BOARD = "https://www.locumjobsonline.com/api/v2.0"
KEY = "k-3Yt9"


def test_a_plain_key_is_for_the_stacks_board() -> None:
    account = parse_account("BoardApiKey", f" {KEY}\n", BOARD + "/")
    assert (account.name, account.board_url, account.api_key) == ("BoardApiKey", BOARD, KEY)


def test_a_key_with_a_board_is_for_that_board() -> None:
    text = json.dumps({"apiKey": KEY, "boardUrl": "https://www.travelnursesource.com/api/v2.0/"})
    assert parse_account("nurses", text, BOARD).board_url == "https://www.travelnursesource.com/api/v2.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('{"apiKey": ""}', "is empty"),
        ('{"apiKey": "k-3Yt9"', "begins like JSON but is not valid JSON"),
        ('{"key": "k-3Yt9"}', "check apiKey, key"),
        ('{"apiKey": "k-3Yt9", "boardUrl": "http://example.com"}', "it does not begin with https://"),
        ('{"apiKey": "k-3Yt9", "boardUrl": "https://u:p@example.com"}', "it contains a user name or password"),
        ('{"apiKey": "k-3Yt9", "boardUrl": "https://example.com/?a=b"}', "it contains a query or a fragment"),
        ("k-3Yt9 k-3Yt9", "white space"),
        ("k-3Yt9:x", "a colon"),
    ],
)
def test_a_secret_that_is_none_is_told_without_its_value(text: str, message: str) -> None:
    with pytest.raises(SecretError, match=message) as caught:
        parse_account("BoardApiKey", text, BOARD)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert KEY not in f"{seen}{seen.args}"
        seen = seen.__cause__
    assert "BoardApiKey" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://[::1", "its host or port cannot be read"),
        ("https://host]/api", "its host or port cannot be read"),
        ("https://host:99999/api", "its host or port cannot be read"),
        ("https://host:port/api", "its host or port cannot be read"),
        ("https:///api", "its host or port cannot be read"),
        ("https://a..b/api", "its host or port cannot be read"),
        (f"https://{'a' * 64}.example/api", "its host or port cannot be read"),
        ("https://:pw@host", "it contains a user name or password"),
        ("https://@host", "it contains a user name or password"),
        ("https://board.example /api", "a space, a line break"),
        (" https://board.example/api", "a space, a line break"),
        ("https://board.example/api\n", "a space, a line break"),
        ("https://board.exa\tmple/api", "a space, a line break"),
        ("https://board.example\\@evil.example/api", "another character that no URL has"),
        ("https://bo\u0430rd.example/api", "another character that no URL has"),
        ("https://board.example/api?", "it contains a query or a fragment"),
        ("board.example/api", "its host or port cannot be read"),
        ("ftp://board.example/api", "it does not begin with https://"),
        ("http://localhost.example/api", "it does not begin with https://"),
    ],
)
def test_a_mistyped_board_url_names_its_field_and_its_fault(url: str, fault: str) -> None:
    secret = json.dumps({"apiKey": KEY, "boardUrl": url})
    with pytest.raises(SecretError, match=rf"^boardUrl in the secret nurses is invalid: .*{fault}"):
        parse_account("nurses", secret, BOARD)
    with pytest.raises(SecretError, match=rf"^the stack's parameter BoardUrl is invalid: .*{fault}"):
        parse_account("nurses", KEY, url)


def test_a_key_is_never_shown() -> None:
    assert KEY not in repr(parse_account("BoardApiKey", KEY, BOARD))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/api", "http://localhost:1/api", "http://[::1]:1/api"])
def test_loopback_may_do_without_tls(url: str) -> None:
    assert parse_account("a", KEY, url).board_url == url


class OneAccount:
    def __init__(self, board: str) -> None:
        self.board = board

    def get(self, name: str, *, fresh: bool = False) -> object:
        return parse_account(name, KEY, self.board)


def test_a_key_goes_only_to_the_board_that_it_is_stored_with() -> None:
    record = an_import(
        import_id="a-20261124T020000Z",
        feed="a",
        created_at=datetime(2026, 11, 24, 2, tzinfo=UTC),
        state=State.PENDING,
        board=BOARD,
        account="BoardApiKey",
    )
    assert account_of(record, OneAccount(BOARD)).api_key == KEY  # type: ignore[arg-type]
    with pytest.raises(
        SecretError, match=r"the board URL in the secret .* changed after a-20261124T020000Z was created"
    ):
        account_of(record, OneAccount("https://evil.example/api"))  # type: ignore[arg-type]


def test_a_token_is_of_one_import_and_one_key() -> None:
    own = token("a-20261124T020000Z", "signing")
    assert len(own) == 64
    assert callback_url("https://x/callbacks", "a-20261124T020000Z", "signing") == (
        f"https://x/callbacks/a-20261124T020000Z?token={own}"
    )
    assert is_token(own, "a-20261124T020000Z", "signing")
    wrong = [
        None,
        "",
        own[:-1],
        own.upper(),
        own + "0",
        "\ud800",
        token("a-20261124T020001Z", "signing"),
        token("a", "b"),
    ]
    assert not any(is_token(each, "a-20261124T020000Z", "signing") for each in wrong)
