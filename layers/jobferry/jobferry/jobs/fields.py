"""The fields of a job as the board's page shows them, and what may be sent in each of them.

Source: the board's page on job imports and its example request. Field names are the board's.
"""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, Required

from pydantic import AfterValidator, Field, StringConstraints
from typing_extensions import TypedDict

from jobferry.jobs.vocabulary import STATES

#: One value of a field that may have several; it contains none of the characters that separate values.
Word = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^;|,\r\n]+$")]
#: The lowest ZIP in use is 00501, so none begins with 000.
Zip = Annotated[str, StringConstraints(pattern=r"^(?:[1-9][0-9]{2}|0[1-9][0-9]|00[1-9])[0-9]{2}(?:-[0-9]{4})?$")]
Amount = Annotated[str, StringConstraints(pattern=r"^-?(?:0|[1-9][0-9]{0,14})\.[0-9]{2}$")]
WholeNumber = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]

#: A date with a time as RFC 3339 writes it. The board has been seen to accept one.
DATE_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ][0-9:.]{4,15}(?:Z|[+-][0-9]{2}:?[0-9]{2})?", re.IGNORECASE
)
_FEBRUARY_29: Final = re.compile(r"(?:19|20)[0-9]{2}-02-29")


def _check_rare_date(text: str) -> str:
    """Accept what the pattern of `Date` leaves out: February 29 of a leap year, and a date with a time."""
    if not (DATE_TIME.fullmatch(text) or _FEBRUARY_29.fullmatch(text)):
        raise ValueError("not a date")
    datetime.fromisoformat(text)
    return text


Date = Annotated[
    Annotated[
        str,
        StringConstraints(
            pattern=r"^(?:19|20)[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
            r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))$",
        ),
    ]
    | Annotated[str, AfterValidator(_check_rare_date)],
    Field(union_mode="left_to_right"),
]


class Job[N](TypedDict, total=False):
    """One job, ready to be sent. N is the type in which a row has whole numbers."""

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
    shiftsPerWeek: N
    hoursPerShift: N
    payAmountMin: Amount
    payAmountMax: Amount
    payFrequency: str
    employmentType: Annotated[Annotated[list[Word], Field(min_length=1)] | Word, Field(union_mode="left_to_right")]
    durationLength: N
    durationUnit: str
    startDate: Date
    benefits: str


FIELDS: Final = Job.__annotations__.keys()
WHOLE_NUMBER_FIELDS: Final = ("shiftsPerWeek", "hoursPerShift", "durationLength")
AMOUNT_FIELDS: Final = ("payAmountMin", "payAmountMax")
#: Fields in which the check makes numbers of digits, or trims the texts of a list.
CONVERTED_FIELDS: Final = (*WHOLE_NUMBER_FIELDS, "employmentType")
