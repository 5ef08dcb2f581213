"""The job import object of the board's API: the answer to POST and GET, and the body of a callback.

Only the id and the status must be valid, or in the answer to POST only the id. Everything else is read leniently,
because a field that is missing or has another type must not lose a result. Fields that the API's page does not have are
kept. What is read is bounded, so that no answer fills the memory or the time of a function.
"""

import json
import math
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import from_json

from jobferry.exact_json import kind
from jobferry.records.imports import Frozen

PENDING: Final = "pending"
RUNNING: Final = "running"
COMPLETE: Final = "complete"


class JobImportError(ValueError):
    """What was received is not a job import. The message says why, but does not quote it."""


#: The most values in one answer. 32 MiB of short errors have fewer. Each value takes about 100 bytes of memory.
_MAX_VALUES: Final = 3_000_000
#: Levels of nesting that are read. Deeper values become null.
_MAX_DEPTH: Final = 50
#: Digits of a whole number that is read as one. DynamoDB stores 38.
_MAX_DIGITS: Final = 38
#: Characters of one text that are kept. A record keeps fewer.
_MAX_TEXT: Final = 4000


def _text(value: Any) -> str | None:
    """Return a value as a text, cut. None stays None."""
    if value is None or isinstance(value, str):
        return value and value[:_MAX_TEXT]
    try:
        return f"{value}"[:_MAX_TEXT]
    except ValueError:  # Python does not write out a whole number of more than 4,300 digits
        return "a number that is too long to be shown"


def _messages(value: Any) -> list[str]:
    each = value if isinstance(value, list) else [] if value is None else [value]
    return [_text(text) or f"{text}" for text in each]


#: No import has more jobs.
_MAX_COUNT: Final = 10**9
#: Further errors are not read.
_MAX_ERRORS: Final = 200_000
#: Years in which an import may plausibly have been processed. Beyond them, Python cannot calculate with every time.
_YEARS: Final = range(1970, 9000)


def _whole(value: Any) -> int | None:
    if (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20) or (
        isinstance(value, float) and value.is_integer()
    ):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT else None


def _count(value: Any) -> int:
    return _whole(value) or 0


def _time(value: Any) -> datetime | None:
    """Parse a date and time of RFC 3339. Return None if it is not one, or not a plausible one."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    if time.year not in _YEARS:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _id(value: Any) -> Any:
    """Return an id as a text, also if the board writes it as a number."""
    return (
        f"{value}" if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**_MAX_DIGITS else value
    )


def _status(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


type _Count = Annotated[int, BeforeValidator(_count)]
type _Time = Annotated[datetime | None, BeforeValidator(_time)]


class JobError(Frozen):
    """Why one job failed.

    Attributes:
        index: the job's place in the list as it was sent, from 0. None if the board does not say.
        messages: the board's own words. A single `message` is taken, too.
        reference_number: the job's reference number, None if it has none.
    """

    index: Annotated[int | None, BeforeValidator(_whole)] = None
    messages: Annotated[list[str], BeforeValidator(_messages)] = Field(
        [], validation_alias=AliasChoices("messages", "message")
    )
    reference_number: Annotated[str | None, BeforeValidator(_text)] = None


def _errors(value: Any) -> list[Any]:
    match value:
        case list():
            each = value[:_MAX_ERRORS]
        case {"messages": _} | {"message": _} | {"index": _}:
            each = [value]
        case dict():
            each = [_keyed_error(key, error) for key, error in list(value.items())[:_MAX_ERRORS]]
        case _:
            each = [value] if value else []
    return [error if isinstance(error, dict) else {"messages": [error]} for error in each]


def _keyed_error(key: str, error: Any) -> dict[str, Any]:
    """Return an error of an object of errors, whose keys are indexes or reference numbers."""
    place = {"referenceNumber": key} if _whole(key) is None else {"index": key}
    return place | (error if isinstance(error, dict) else {"messages": error})


class Results(Frozen, extra="allow"):
    """The counts of a complete import. `processed` is added + updated + unchanged + failed, without `deleted`."""

    added: _Count = 0
    deleted: _Count = 0
    errors: Annotated[list[JobError], BeforeValidator(_errors)] = Field(default_factory=list)
    failed: _Count = 0
    ignored_values: Any = None
    processed: _Count = 0
    unchanged: _Count = 0
    updated: _Count = 0

    def unaccounted(self, sent: int) -> int:
        """Return how many of the jobs that were sent the counts leave out, or count twice."""
        parts = self.added + self.updated + self.unchanged + self.failed
        return max(abs(sent - self.processed), abs(sent - parts))


class JobImport(Frozen, extra="allow"):
    """A job import.

    Attributes:
        id: the board's opaque id.
        status: pending, running or complete. An unknown status is not complete.
        requested_at: when the board accepted it.
        completed_at: when the board completed it.
        results: the counts and errors of a complete import.
    """

    id: Annotated[str, BeforeValidator(_id), Field(pattern=r"^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,199}$")]
    status: Annotated[str, BeforeValidator(_status), Field(min_length=1, max_length=40)]
    requested_at: _Time = None
    completed_at: _Time = None
    results: Results | None = None

    @property
    def is_complete(self) -> bool:
        return self.status == COMPLETE

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.is_complete and self.results is None:
            raise ValueError("complete, but without results")
        return self


def parse_job_import(body: bytes | str) -> JobImport:
    """Parse `{"data": import, …}`.

    Raises:
        JobImportError: it contains no job import.
    """
    return _job_import(_data(body))


def parse_created(body: bytes) -> JobImport:
    """Parse the answer to a create request. Only its id and time count: an import that has an id exists on the board.

    Raises:
        JobImportError: it contains no job import with an id.
    """
    data = _data(body)
    return _job_import({"id": data.get("id"), "status": PENDING, "requestedAt": data.get("requestedAt")})


def _data(body: bytes | str) -> dict[str, Any]:
    answer = _read(body.encode(errors="replace") if isinstance(body, str) else body)
    if not isinstance(answer, dict) or not isinstance(data := answer.get("data"), dict):
        raise JobImportError(f"it is {kind(answer)} without an import in data")
    return data


def _job_import(data: dict[str, Any]) -> JobImport:
    try:
        return JobImport.model_validate(data)
    except ValidationError as error:
        wrong = {".".join(str(part) for part in each["loc"]) or str(each["msg"]) for each in error.errors()}
        raise JobImportError(f"its data is not an import: {', '.join(sorted(wrong))[:200]}") from error


def _read(body: bytes) -> Any:
    """Parse JSON. Nothing within a value may lose a result, such as half a character or a number of 5,000 digits."""
    # Each value but the first follows one of these. Count them before parsing: a faulty answer could fill the memory.
    if sum(map(body.count, (b",", b"[", b"{", b":"))) > _MAX_VALUES:
        raise JobImportError(f"it has more than {_MAX_VALUES:,} values")
    try:
        try:
            return from_json(body)
        except ValueError:
            text = body.decode(json.detect_encoding(body), errors="replace")
            return _clean(json.loads(text, parse_int=_int, parse_constant=lambda _: None), 1)
    except (ValueError, RecursionError) as error:
        raise JobImportError("it is not JSON") from error


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits[:_MAX_TEXT]


def _clean(value: Any, depth: int) -> Any:
    """Return a value without half characters, and without what is nested too deep."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case list():
            return [_clean(each, depth + 1) for each in value] if depth < _MAX_DEPTH else None
        case dict():
            pairs = value.items() if depth < _MAX_DEPTH else ()
            return {_clean(key, depth): _clean(each, depth + 1) for key, each in pairs}
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value
