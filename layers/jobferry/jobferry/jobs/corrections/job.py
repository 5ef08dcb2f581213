"""The correction of a job's fields, only of those that the check named."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from jobferry.jobs.corrections.amounts import correct_amount
from jobferry.jobs.corrections.dates import correct_date
from jobferry.jobs.corrections.employment_types import correct_employment_types
from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.reference_numbers import correct_reference_number
from jobferry.jobs.corrections.remnants import remove_remnants
from jobferry.jobs.corrections.states import correct_state
from jobferry.jobs.corrections.texts import correct_text
from jobferry.jobs.corrections.whole_numbers import correct_whole_number
from jobferry.jobs.corrections.zip_codes import correct_zip_code
from jobferry.jobs.fields import AMOUNT_FIELDS, FIELDS, WHOLE_NUMBER_FIELDS
from jobferry.jobs.warnings import MAX_QUOTED, RowWarning, quoted

_CORRECTIONS: Final[dict[str, Callable[[FieldCorrection, Any], Any]]] = (
    dict.fromkeys(FIELDS, correct_text)
    | dict.fromkeys(WHOLE_NUMBER_FIELDS, correct_whole_number)
    | dict.fromkeys(AMOUNT_FIELDS, correct_amount)
    | {
        "referenceNumber": correct_reference_number,
        "state": correct_state,
        "postalCode": correct_zip_code,
        "startDate": correct_date,
        "employmentType": correct_employment_types,
    }
)
#: Names, as letters only, that a reference number often has in other systems.
_LIKELY_REFERENCE_NUMBERS: Final = frozenset({
    "referencenumber", "reference", "referenceid", "refnumber", "ref", "refno", "jobid", "jobnumber", "jobref", "id", "reqid",
})  # fmt: skip


def correct(
    fields: Mapping[str, Any], names: Collection[str], *, typed: bool
) -> tuple[dict[str, Any], list[str], list[RowWarning]]:
    """Correct the named fields.

    Args:
        fields: all of the row's. Texts are trimmed, and no value is empty.
        names: the fields to correct.
        typed: whether the format has JSON's types.

    Returns:
        All fields (one that cannot be corrected stays as it is), what a person has to fix, and what was corrected.
    """
    corrected = dict(fields)
    errors: list[str] = []
    warnings: list[RowWarning] = []
    for name, given in fields.items():
        if name not in names:
            continue
        is_short = isinstance(given, str) and len(given) <= MAX_QUOTED
        value, warned, error = (_correct_again if is_short else _correct_value)(name, given, typed)
        if error:
            errors.append(error)
        elif value is None:
            del corrected[name]
        else:
            corrected[name] = value
        warnings += warned
    if "referenceNumber" not in corrected:
        errors.insert(0, _no_reference_number(corrected))
    return corrected, errors, warnings


def _correct_value(name: str, value: Any, typed: bool) -> tuple[Any, Sequence[RowWarning], str]:
    """Return the corrected value, None if it stands for none; what was corrected; and what a person has to fix."""
    field = FieldCorrection(name, typed=typed)
    try:
        if name != "referenceNumber":  # which needs a correction of its own
            if isinstance(value, str):
                value = remove_remnants(field, value)
            elif isinstance(value, list):
                value = [remove_remnants(field, each) if isinstance(each, str) else each for each in value]
        if value is not None:
            value = _CORRECTIONS[name](field, value)
    except CannotCorrectError as error:
        return None, (), f"{name} {error}"
    return value, tuple(field.warnings), ""


#: Short texts are the same in many rows: a state, an amount, an "ASAP" for a date.
_correct_again: Final = lru_cache(maxsize=4096)(_correct_value)


def _no_reference_number(job: Mapping[str, Any]) -> str:
    """Name the field that may be the reference number, since a different name is the usual reason."""
    for name in job:
        if len(name) <= MAX_QUOTED and re.sub(r"[^a-z]", "", name.casefold()) in _LIKELY_REFERENCE_NUMBERS:
            return (
                f"referenceNumber is missing; if it is what {quoted(name)} holds, say so in feed.json: "
                f'"fields": {{"{name}": "referenceNumber"}}'
            )
    return "referenceNumber is missing"
