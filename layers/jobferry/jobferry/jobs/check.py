"""The check of a row's fields against the model in `fields`."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final

from pydantic import Field, GetPydanticSchema, TypeAdapter, ValidationError
from pydantic_core import CoreConfig, SchemaValidator, core_schema

from jobferry.jobs.fields import Job, WholeNumber

_DIGITS: Final = core_schema.chain_schema(
    [core_schema.str_schema(pattern="^[0-9]{1,18}$"), core_schema.int_schema(strict=False)]
)
#: A whole number, or its digits, which is how a format without types writes it.
_WholeNumberOrDigits = Annotated[
    Annotated[int, GetPydanticSchema(lambda *_: _DIGITS)] | WholeNumber, Field(union_mode="left_to_right")
]


class FieldsError(ValueError):
    """The fields are not a job that can be sent as they are.

    Attributes:
        names: the fields that are missing or wrong.
    """

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = names


def check(fields: Mapping[str, Any], *, typed: bool) -> dict[str, Any]:
    """Return the job that the fields are. Unknown fields are passed on as they are.

    Args:
        fields: the board's names, or unknown ones, to values. Texts are trimmed, and no value is empty.
        typed: whether the format has JSON's types. If not, digits are a whole number.

    Raises:
        FieldsError: with the names of the fields that need correction.
    """
    try:
        job: dict[str, Any] = _validator(typed=typed).validate_python(fields)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        raise FieldsError(frozenset(str(each["loc"][0]) for each in errors)) from error
    return job


@cache
def _validator(*, typed: bool) -> SchemaValidator:
    """Return the validator of rows with or without types. It takes some milliseconds to make."""
    schema = TypeAdapter(Job[WholeNumber] if typed else Job[_WholeNumberOrDigits]).core_schema
    return SchemaValidator({**schema, "extra_behavior": "allow", "config": CoreConfig(strict=True)})
