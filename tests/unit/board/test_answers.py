"""What a board's answer means for an import that was sent."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobferry.board.answers import parse_retry_after, read_created, read_retrieved
from jobferry.errors import BoardRefusedError, BoardUnknownError, BoardUnreachableError

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
CONTRACT = Path(__file__).parents[2] / "contract"
IMPORT = (CONTRACT / "create_response.json").read_bytes()


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    "body",
    [
        IMPORT,
        b"\xef\xbb\xbf" + IMPORT,
        IMPORT.decode().encode("utf-16"),
        b'{"data": {"id": "44eJr7YHDO9PqC834E_q5"}}',
        b'{"data": {"id": "44eJr7YHDO9PqC834E_q5", "status": 7, "requestedAt": 1e400, "results": [NaN]}}',
        b'{"data": {"id": "44eJr7YHDO9PqC834E_q5", "status": "complete"}}',
    ],
)
def test_a_2xx_with_an_imports_id_is_an_acceptance(status: int, body: bytes) -> None:
    assert read_created(status, body, None).id == "44eJr7YHDO9PqC834E_q5"


def test_a_numeric_id_is_a_text() -> None:
    assert read_created(202, b'{"data": {"id": 4711, "status": "pending"}}', None).id == "4711"
    assert read_retrieved(200, b'{"data": {"id": 4711, "status": "pending"}}', None).id == "4711"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (202, b"{}"),
        (202, b"<html>"),
        (202, IMPORT[:40]),
        (204, b""),
        (202, b"\xef\xbb\xbf"),
        (202, b'{"id": "44eJr7YHDO9PqC834E_q5"}'),
        *((202, b'{"data": {"id": %b, "status": "pending"}}' % each) for each in
          (b"null", b"true", b"-1", b"1.5", b"1e400", b"[1]", b'""', b'"a/b"', b"9" * 5000)),
    ],
)  # fmt: skip
def test_a_2xx_without_an_imports_id_is_no_acceptance(status: int, body: bytes) -> None:
    with pytest.raises(BoardUnknownError):
        read_created(status, body, None)


@pytest.mark.parametrize("status", [500, 502, 504, 599, 100])
def test_an_error_of_the_board_says_nothing_of_the_import(status: int) -> None:
    with pytest.raises(BoardUnknownError, match=f"the board answered {status}"):
        read_created(status, b"oops", None)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, b'{"error": "jobs is missing"}', 'the board answered 400: {"error": "jobs is missing"}'),
        (
            401,
            b"",
            "the board answered 401 (it does not know the API key, or the key may not do this): it gives no details",
        ),
        (
            404,
            b"<html>Not found</html>",
            r"the board answered 404 \(there is nothing at that address\): it gives no details",
        ),
        (413, b"too much", "the request is too large for it"),
        (301, b"", "a redirect: is its URL right"),
        (308, b"", "a redirect: is its URL right"),
        (422, b"a\x00\x1b[31mb\n\nc" + b"x" * 5000, r"a\[31mb cx{100}"),
    ],
)
def test_a_refusal_has_the_boards_words(status: int, body: bytes, message: str) -> None:
    pattern = message if "\\" in message else message.replace("(", r"\(").replace(")", r"\)").replace("{", r"\{")
    with pytest.raises(BoardRefusedError, match=pattern) as caught:
        read_created(status, body, None)
    assert caught.value.status == status
    assert len(str(caught.value)) < 450
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("status", [429, 503])
def test_later_is_what_the_board_asks_for(status: int) -> None:
    with pytest.raises(BoardUnreachableError) as caught:
        read_created(status, b"", timedelta(seconds=30))
    assert caught.value.retry_after == timedelta(seconds=30)
    with pytest.raises(BoardUnreachableError):
        read_retrieved(status, b"", None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 40, 86400),
        ("Tue, 24 Nov 2026 02:01:00 GMT", 60),
        ("Tue, 24 Nov 2026 01:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("Tue, 24 Nov 99999 02:01:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86400),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("1e400", None),
        ("NaN", None),
        ("\ud800", None),
        ("٣", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    wait = parse_retry_after(value, NOW)
    assert (wait.total_seconds() if wait is not None else None) == seconds


def test_an_answer_to_get() -> None:
    assert read_retrieved(200, IMPORT, None).status == "pending"
    with pytest.raises(BoardUnknownError, match="the board answered 200, but it is not JSON"):
        read_retrieved(200, b"<html>", None)
    with pytest.raises(BoardRefusedError):
        read_retrieved(404, b"", None)
