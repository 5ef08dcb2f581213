"""The job import object of the board's API: the answer to POST and GET, and the body of a callback.

Only the id and the status have to be right. Everything else is read leniently, because a field that is missing or has
another type must not lose a result. Fields that the API's page does not have are kept.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from jobferry.exact_json import kind

PENDING: Final = "pending"
RUNNING: Final = "running"
COMPLETE: Final = "complete"


class JobImportError(ValueError):
    """What was received is not a job import. The message says why, but does not quote it."""


def _messages(value: Any) -> list[str]:
    each = value if isinstance(value, list) else [] if value is None else [value]
    return [text if isinstance(text, str) else f"{text}" for text in each]


def _text(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else f"{value}"


#: No import has more jobs.
_MAX_COUNT: Final = 10**9
#: Further errors are not read, so that a faulty answer cannot fill the memory.
_MAX_ERRORS: Final = 200_000


def _whole(value: Any) -> int | None:
    if (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20) or (
        isinstance(value, float) and value.is_integer()
    ):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT else None


def _count(value: Any) -> int:
    return _whole(value) or 0


def _time(value: Any) -> datetime | None:
    """Parse a date and time of RFC 3339. Return None if it is not one."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


type _Count = Annotated[int, BeforeValidator(_count)]
type _Time = Annotated[datetime | None, BeforeValidator(_time)]


class _BoardObject(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True, defer_build=True
    )


class JobError(_BoardObject):
    """Why one job failed.

    Attributes:
        index: the job's place in the list as it was sent, from 0. None if the board does not say.
        messages: the board's own words.
        reference_number: the job's reference number, None if it has none.
    """

    index: Annotated[int | None, BeforeValidator(_whole)] = None
    messages: Annotated[list[str], BeforeValidator(_messages)] = []
    reference_number: Annotated[str | None, BeforeValidator(_text)] = None


def _errors(value: Any) -> list[Any]:
    each = value[:_MAX_ERRORS] if isinstance(value, list) else []
    return [error if isinstance(error, dict) else {"messages": [error]} for error in each]


class Results(_BoardObject):
    """The counts of a complete import. `processed` is added + updated + unchanged + failed, without `deleted`."""

    added: _Count = 0
    deleted: _Count = 0
    errors: Annotated[list[JobError], BeforeValidator(_errors)] = []
    failed: _Count = 0
    ignored_values: Any = None
    processed: _Count = 0
    unchanged: _Count = 0
    updated: _Count = 0

    def unaccounted(self, sent: int) -> int:
        """Return how many of the jobs that were sent the counts leave out, or count twice."""
        parts = self.added + self.updated + self.unchanged + self.failed
        return max(abs(sent - self.processed), abs(sent - parts))


class JobImport(_BoardObject):
    """A job import.

    Attributes:
        id: the board's opaque id.
        status: pending, running or complete. An unknown status is not complete.
        requested_at: when the board accepted it.
        completed_at: when the board completed it.
        results: the counts and errors of a complete import.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,199}$")]
    status: Annotated[str, Field(min_length=1, max_length=40)]
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
    answer = _read(body.encode(errors="replace") if isinstance(body, str) else body)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
        raise JobImportError(f"it is {kind(answer)} without an import in data")
    try:
        return JobImport.model_validate(answer["data"])
    except ValidationError as error:
        wrong = {".".join(str(part) for part in each["loc"]) or str(each["msg"]) for each in error.errors()}
        raise JobImportError(f"its data is not an import: {', '.join(sorted(wrong))[:200]}") from error


def _read(body: bytes) -> Any:
    """Parse JSON. Half a character in a message, or a byte that is not UTF-8, must not lose a result."""
    try:
        try:
            return from_json(body, allow_inf_nan=False)
        except ValueError:
            whole = json.dumps(json.loads(body.decode(errors="replace")), ensure_ascii=False)
            return from_json(whole.encode(errors="replace"), allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        raise JobImportError("it is not JSON") from error
