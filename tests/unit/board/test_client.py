"""What a board's answer means for an import that was sent, and the body of the request."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobferry.board.client import RequestBody, accepted, found, retry_after
from jobferry.errors import BoardRefusedError, BoardUnknownError, BoardUnreachableError

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
CONTRACT = Path(__file__).parents[2] / "contract"
IMPORT = (CONTRACT / "create_response.json").read_bytes()


def test_only_a_202_with_an_id_is_an_acceptance() -> None:
    assert accepted(202, {}, IMPORT, NOW).id == "44eJr7YHDO9PqC834E_q5"
    for status, body in [(200, IMPORT), (201, IMPORT), (202, b"{}"), (202, b"<html>"), (202, IMPORT[:40]), (204, b"")]:
        with pytest.raises(BoardUnknownError):
            accepted(status, {}, body, NOW)


@pytest.mark.parametrize("status", [500, 502, 504, 599, 100])
def test_an_error_of_the_board_says_nothing_of_the_import(status: int) -> None:
    with pytest.raises(BoardUnknownError, match=f"the board answered {status}"):
        accepted(status, {}, b"oops", NOW)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, b'{"error": "jobs is missing"}', 'the board answered 400: {"error": "jobs is missing"}'),
        (
            401,
            b"",
            "the board answered 401 (it does not know the API key, or the key may not do this): it says no more",
        ),
        (
            404,
            b"<html>Not found</html>",
            r"the board answered 404 \(there is nothing at that address\): it says no more",
        ),
        (413, b"too much", "the import is too large for it"),
        (301, b"", "a redirect: is its URL right"),
        (308, b"", "a redirect: is its URL right"),
        (422, b"a\x00\x1b[31mb\n\nc" + b"x" * 5000, r"a\[31mb cx{100}"),
    ],
)
def test_a_refusal_has_the_boards_words(status: int, body: bytes, message: str) -> None:
    pattern = message if "\\" in message else message.replace("(", r"\(").replace(")", r"\)").replace("{", r"\{")
    with pytest.raises(BoardRefusedError, match=pattern) as caught:
        accepted(status, {}, body, NOW)
    assert caught.value.status == status
    assert len(str(caught.value)) < 450
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("status", [429, 503])
def test_later_is_what_the_board_asks_for(status: int) -> None:
    with pytest.raises(BoardUnreachableError) as caught:
        accepted(status, {"retry-after": "30"}, b"", NOW)
    assert caught.value.retry_after == timedelta(seconds=30)
    with pytest.raises(BoardUnreachableError):
        found(status, {}, b"", NOW)


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
        ("٣", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    wait = retry_after(value, NOW)
    assert (wait.total_seconds() if wait is not None else None) == seconds


def test_an_answer_to_get() -> None:
    assert found(200, {}, IMPORT, NOW).status == "pending"
    with pytest.raises(BoardUnknownError, match="the board answered, but it is not JSON"):
        found(200, {}, b"<html>", NOW)
    with pytest.raises(BoardRefusedError):
        found(404, {}, b"", NOW)


@pytest.mark.parametrize("count", [0, 1, 2, 50_000])
def test_the_body_is_what_the_page_says_and_as_long_as_it_says(tmp_path: Path, count: int) -> None:
    jobs = [{"referenceNumber": f"R{number}", "title": "a\nb"} for number in range(count)]
    path = tmp_path / "jobs.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    body = RequestBody(path, 'https://x/callbacks/a?token="0', delete_jobs=count == 2)
    for _ in range(2):  # a second attempt sends it again
        text = b"".join(body)
        assert len(text) == len(body)
        assert json.loads(text) == {
            "callbackUrl": 'https://x/callbacks/a?token="0',
            "deleteJobs": count == 2,
            "jobs": jobs,
        }
