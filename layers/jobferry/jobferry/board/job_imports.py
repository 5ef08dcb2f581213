"""A job import as the board describes it: the answer to POST and GET, and the body of a callback.

Source: the board's page on job imports. Whatever else the board says is kept as it comes; what it leaves out or writes
in another shape must not cost a result, so all but the id and the status is read with tolerance.
"""

from __future__ import annotations

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
    """What was received is not a job import. The message says why, without the content."""


def _messages(value: Any) -> list[str]:
    each = value if isinstance(value, list) else [] if value is None else [value]
    return [text if isinstance(text, str) else f"{text}" for text in each]


def _text(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else f"{value}"


#: No import has more jobs.
_MOST: Final = 10**9
#: Errors that are read, so that a board gone mad does not fill the memory.
_ERRORS: Final = 200_000


def _whole(value: Any) -> int | None:
    if (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20) or (
        isinstance(value, float) and value.is_integer()
    ):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None


def _count(value: Any) -> int:
    return _whole(value) or 0


def _instant(value: Any) -> datetime | None:
    """A date and time of RFC 3339; None for what is none, since no result may be lost for it."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


type Count = Annotated[int, BeforeValidator(_count)]
type Instant = Annotated[datetime | None, BeforeValidator(_instant)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class JobError(_Answer):
    """Why one job failed.

    Attributes:
        index: of the job in the list as sent, from 0; None when the board does not say.
        messages: in the board's words.
        reference_number: the job's, None when it had none.
    """

    index: Annotated[int | None, BeforeValidator(_whole)] = None
    messages: Annotated[list[str], BeforeValidator(_messages)] = []
    reference_number: Annotated[str | None, BeforeValidator(_text)] = None


def _errors(value: Any) -> list[Any]:
    each = value[:_ERRORS] if isinstance(value, list) else []
    return [error if isinstance(error, dict) else {"messages": [error]} for error in each]


class Results(_Answer):
    """What became of the jobs. `processed` is the sum of added, updated, unchanged and failed; `deleted` is apart."""

    added: Count = 0
    deleted: Count = 0
    errors: Annotated[list[JobError], BeforeValidator(_errors)] = []
    failed: Count = 0
    ignored_values: Any = None
    processed: Count = 0
    unchanged: Count = 0
    updated: Count = 0

    def unaccounted(self, sent: int) -> int:
        """How many of the jobs sent are in none of the counts, or in two."""
        parts = self.added + self.updated + self.unchanged + self.failed
        return max(abs(sent - self.processed), abs(sent - parts))


class JobImport(_Answer):
    """A job import.

    Attributes:
        id: the board's, opaque.
        status: pending, running or complete; another word is one that the page does not have, and not complete.
        requested_at: when the board took it.
        completed_at: when it was done.
        results: of a complete import.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,199}$")]
    status: Annotated[str, Field(min_length=1, max_length=40)]
    requested_at: Instant = None
    completed_at: Instant = None
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
    """The import in `{"data": import, …}`.

    Raises:
        JobImportError: it is none.
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
    """The JSON of a body. Half a character in a message, or a byte that is not UTF-8, must not cost a result."""
    try:
        try:
            return from_json(body, allow_inf_nan=False)
        except ValueError:
            whole = json.dumps(json.loads(body.decode(errors="replace")), ensure_ascii=False)
            return from_json(whole.encode(errors="replace"), allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        raise JobImportError("it is not JSON") from error
