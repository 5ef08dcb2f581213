"""The fields of a job as the board's page shows them, and what may be sent in each of them.

Source: the board's page on job imports and its example request. Field names are the board's.
"""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, Required

from pydantic import AfterValidator, Field, StringConstraints
from typing_extensions import TypedDict

from jobferry.jobs.reference_numbers import fault_of
from jobferry.jobs.vocabulary import STATES

#: One value of a field that may have several; it contains none of the characters that separate values.
Word = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^;|,\r\n]+$")]
#: The lowest ZIP in use is 00501, so none begins with 000.
Zip = Annotated[str, StringConstraints(pattern=r"^(?:[1-9][0-9]{2}|0[1-9][0-9]|00[1-9])[0-9]{2}(?:-[0-9]{4})?$")]
Amount = Annotated[str, StringConstraints(pattern=r"^-?(?:0|[1-9][0-9]{0,14})\.[0-9]{2}$")]
WholeNumber = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]

#: A date, perhaps with a time as RFC 3339 writes it. The board has been seen to accept one.
_DATE_AND_TIME: Final = re.compile(
    r"((?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2})(?:[T ][0-9:.]{4,15}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?", re.IGNORECASE
)
#: The days that programs write for no date: the first or last that .NET, SQL Server, Windows, Access, Excel and Unix know,
#: and MySQL's zero.
NO_DATES: Final = frozenset({
    "0000-00-00", "0001-01-01", "1601-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1969-12-31", "1970-01-01", "9999-12-31",
})  # fmt: skip


def check_date(text: str) -> str:
    """Return a date that can be sent, with or without a time.

    Raises:
        ValueError: it is not one, or stands for no date.
    """
    match = _DATE_AND_TIME.fullmatch(text)
    if match is None or match[1] in NO_DATES:
        raise ValueError("not a date")
    datetime.fromisoformat(text)
    return text


def _check_reference_number(text: str) -> str:
    if fault := fault_of(text):
        raise ValueError(fault)
    return text


#: Nearly all have only letters, digits, hyphens and underscores, and at least one digit. The pattern accepts these quickly.
ReferenceNumber = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[A-Za-z_-]*[0-9][A-Za-z0-9_-]*$")]
    | Annotated[str, AfterValidator(_check_reference_number)],
    Field(union_mode="left_to_right"),
]
#: The pattern accepts most dates quickly: from 1990, without a time and without February 29.
Date = Annotated[
    Annotated[
        str,
        StringConstraints(
            pattern=r"^(?:199[0-9]|20[0-9]{2})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
            r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))$",
        ),
    ]
    | Annotated[str, AfterValidator(check_date)],
    Field(union_mode="left_to_right"),
]


class Job[N](TypedDict, total=False):
    """One job, ready to be sent. N is the type in which a row has whole numbers."""

    referenceNumber: Required[ReferenceNumber]
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
#: Fields whose values have a fixed form, so that no word for none can be one.
STRICT_FIELDS: Final = frozenset({"state", "postalCode", "startDate", *AMOUNT_FIELDS, *WHOLE_NUMBER_FIELDS})
#: Fields that may have HTML, and several lines.
HTML_FIELDS: Final = ("description", "requirements", "benefits")
#: Fields in which the check makes numbers of digits, or trims the texts of a list.
CONVERTED_FIELDS: Final = (*WHOLE_NUMBER_FIELDS, "employmentType")
