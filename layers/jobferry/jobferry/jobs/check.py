"""A job as the board takes it: its fields and types, and the check that a clean job passes at the parser's speed.

Source: the board's page on job imports, its example request. Field names are the board's.

`JobCheck` accepts only what can be sent exactly as it stands: everything else is for
`corrections`, which puts right what can be and says what cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Required

from pydantic import Field, GetPydanticSchema, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import CoreConfig, SchemaValidator, core_schema, from_json, to_json
from typing_extensions import TypedDict

from jobferry.feeds.rows import Fields
from jobferry.jobs.vocabulary import STATES

#: No character that separates several values in one text.
Word = Annotated[str, StringConstraints(pattern=r"^[^;|,\r\n]+$")]
#: No ZIP begins with 000: the lowest in use is 00501.
Zip = Annotated[
    str,
    StringConstraints(pattern=r"^(?:[1-9][0-9]{2}|0[1-9][0-9]|00[1-9])[0-9]{2}(?:-[0-9]{4})?$"),
]
Amount = Annotated[str, StringConstraints(pattern=r"^-?(?:0|[1-9][0-9]{0,14})\.[0-9]{2}$")]
#: 29 February is left to `corrections`, which knows the leap years.
Date = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:19|20)[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
        r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))$",
    ),
]
Whole = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
_DIGITS: Final = core_schema.chain_schema(
    [core_schema.str_schema(pattern="^[0-9]{1,18}$"), core_schema.int_schema(strict=False)]
)
#: The same, also as its digits.
Digits = Annotated[Annotated[int, GetPydanticSchema(lambda *_: _DIGITS)] | Whole, Field(union_mode="left_to_right")]
#: What an unknown field passes with unseen; lists, objects and numbers beyond a double's whole ones are looked at more
#: closely.
Scalar = str | bool | Annotated[int | float, Field(ge=-(2**53), le=2**53)]


class Job[W](TypedDict, total=False):
    """One job, ready to be sent: the fields that the board's page shows. W is how a whole number is written."""

    referenceNumber: Required[str]
    title: str
    city: str
    state: Literal[*STATES]  # type: ignore[valid-type]
    postalCode: Zip
    description: str
    requirements: str
    license: str
    specialty: str
    shift: str
    shiftType: str
    shiftsPerWeek: W
    hoursPerShift: W
    payAmountMin: Amount
    payAmountMax: Amount
    payFrequency: str
    employmentType: Annotated[Annotated[list[Word], Field(min_length=1)] | Word, Field(union_mode="left_to_right")]
    durationLength: W
    durationUnit: str
    startDate: Date
    benefits: str


class OpenJob[W](Job[W], total=False, extra_items=Scalar):  # type: ignore[call-arg]  # PEP 728: mypy does not know it yet
    """One job, ready to be sent, with unknown fields, which are passed on as they are."""


FIELDS: Final = tuple(Job.__annotations__)
WHOLE_FIELDS: Final = ("shiftsPerWeek", "hoursPerShift", "durationLength")
AMOUNT_FIELDS: Final = ("payAmountMin", "payAmountMax")


class _Validators:
    """The checks of one kind of job. Each takes some milliseconds to make, and few feeds need more than one or two."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    @cached_property
    def verbatim(self) -> SchemaValidator:
        """Of a job as it stands."""
        return self._validator(Whole, trims=False)

    @cached_property
    def trimming(self) -> SchemaValidator:
        """Of a job with its texts trimmed."""
        return self._validator(Whole, trims=True)

    @cached_property
    def untyped(self) -> SchemaValidator:
        """Of a job as a format without types has it."""
        return self._validator(Digits, trims=False)

    def _validator(self, number: Any, *, trims: bool) -> SchemaValidator:
        schema = TypeAdapter(self._kind[number]).core_schema
        return SchemaValidator({**schema, "config": CoreConfig(strict=True, str_strip_whitespace=trims)})


# To look out for no unknown fields saves a tenth of the time, and most feeds have none.
_JOB: Final = _Validators(Job)
_OPEN_JOB: Final = _Validators(OpenJob)
# Looked for with the regular expressions of pydantic's core: Rust's, which search five times as fast as bytes.find.
#: In what to_json writes: control characters, which it has no short escape for. A backslash before u00 looks alike, and
#: only takes the slower way.
_CONTROL: Final = SchemaValidator(core_schema.str_schema(pattern=r"\\u00")).isinstance_python
#: In a row's text: the escapes of such characters, and of a colon, which hides it from being counted.
_ESCAPES: Final = r"\\u00(?:[01]|3[aA])"
_HIDING: Final = SchemaValidator(core_schema.str_schema(pattern=_ESCAPES)).isinstance_python
#: The same, or a line break.
_HIDING_OR_BREAK: Final = SchemaValidator(core_schema.str_schema(pattern=rf"{_ESCAPES}|[\r\n]")).isinstance_python

#: A job's fields, and the job as JSON on one line.
type Clean = tuple[Mapping[str, Any], bytes]


class JobCheck:
    """The check of the jobs of one feed. It learns from the first unknown field that the feed has such."""

    def __init__(self) -> None:
        self._validators = _JOB

    def json(self, text: bytes) -> Clean | None:
        """The job that a JSON object is, None when it is not clean as it stands.

        Its text is sent as it stands, or written anew where that would not be the same.

        What the parser keeps silent about must not pass unseen: a key that is there twice, or one that was left out. It
        costs at least its colon, so it shows in their number, once none hides in an escape.
        """
        if not (text.startswith(b"{") and text.endswith(b"}")):
            text = text.strip(b" \t\r\n")
        if not _HIDING_OR_BREAK(text):
            try:
                job: Mapping[str, Any] = self._validators.verbatim.validate_json(text)
                if _is_all(job, text) and _stands(job):
                    return job, text
            except ValidationError:
                pass
        elif _HIDING(text):
            return None
        try:
            job = self._validators.trimming.validate_json(text)
        except ValidationError:
            return None
        if "" in job.values():
            return None
        body = to_json(job)
        if body.count(b":") != text.count(b":"):
            return self.json(text) if self._learn() else None
        return job, body

    @staticmethod
    def theirs(text: bytes) -> dict[str, Any] | None:
        """The object that a JSON text is, of whatever fields; None when a parser may have kept silent about something."""
        try:
            fields = from_json(text, allow_inf_nan=False)
            body = to_json(fields)
        except ValueError:
            return None
        hides = not isinstance(fields, dict) or _HIDING(text) or body.count(b":") != text.count(b":")
        return None if hides else fields

    def typed(self, fields: Mapping[str, Any]) -> Clean | None:
        """The job that fields with JSON's types are, its texts trimmed; None when it is not clean as it stands."""
        clean = self._fields(fields, self._validators.trimming)
        if clean is not None and len(clean[0]) < len(fields):
            return self.typed(fields) if self._learn() else None
        return None if clean is None or "" in clean[0].values() else clean

    def untyped(self, fields: Fields) -> Clean | None:
        """The job that the fields of a format without types are; None when it is not clean as it stands."""
        clean = self._fields(fields, self._validators.untyped)
        if clean is not None and len(clean[0]) < len(fields):
            return self.untyped(fields) if self._learn() else None
        return clean

    @staticmethod
    def _fields(fields: Mapping[str, Any], validator: SchemaValidator) -> Clean | None:
        try:
            job: Mapping[str, Any] = validator.validate_python(fields)
            body = to_json(job)
        except ValueError:  # of which ValidationError is one; the other is half a surrogate pair
            return None
        return None if _CONTROL(body) else (job, body)

    def _learn(self) -> bool:
        """Looks out for unknown fields from now on; False when it does so already."""
        learned = self._validators is _JOB
        self._validators = _OPEN_JOB
        return learned


def _is_all(job: Mapping[str, Any], text: bytes) -> bool:
    """Whether a text says the job and nothing else: as many colons are in it as the job needs."""
    others = text.count(b":") - len(job)
    return others == 0 or others == sum(each.count(":") for pair in job.items() for each in pair if type(each) is str)


def _stands(job: Mapping[str, Any]) -> bool:
    """Whether a job's text can be sent as it stands: no text in it is empty or has to be trimmed, no number has several
    spellings."""
    for value in job.values():
        if type(value) is str:
            if not value or value.strip() is not value:  # the text itself, where there is nothing to trim
                return False
        elif type(value) is list:
            if any(each.strip() is not each for each in value):
                return False
        elif type(value) is float or value == 0:
            return False
    return True
