"""What values look like: the tests by which a column is recognized, or a name is doubted."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jobferry.jobs.corrections.amounts import correct_amount
from jobferry.jobs.corrections.dates import correct_date
from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.states import correct_state
from jobferry.jobs.corrections.whole_numbers import correct_whole_number
from jobferry.jobs.corrections.zip_codes import correct_zip_code
from jobferry.jobs.fields import AMOUNT_FIELDS, WHOLE_NUMBER_FIELDS
from jobferry.jobs.vocabulary import STATE_CODES

type Test = Callable[[str], bool]


def _corrected_by(correct: Callable[[FieldCorrection, Any], Any]) -> Test:
    def test(value: str) -> bool:
        try:
            correct(FieldCorrection("", typed=False), value)
        except CannotCorrectError:
            return False
        return True

    return test


def _has(pattern: str, limit: int | None = 80) -> Test:
    search = re.compile(pattern, re.IGNORECASE | re.DOTALL).search
    return lambda value: search(value) is not None and (limit is None or len(value) <= limit)


is_state: Final = _corrected_by(correct_state)
_is_date: Final = _corrected_by(correct_date)

#: For a field, the test of its values and what they are. A field that takes any text has none.
TESTS: Final[Mapping[str, tuple[Test, str]]] = {
    "state": (is_state, "states"),
    "postalCode": (_corrected_by(correct_zip_code), "ZIPs"),
    "startDate": (_is_date, "dates"),
    **dict.fromkeys(AMOUNT_FIELDS, (_corrected_by(correct_amount), "amounts")),
    **dict.fromkeys(WHOLE_NUMBER_FIELDS, (_corrected_by(correct_whole_number), "whole numbers")),
    "payFrequency": (_has(r"hour|\bhr|dai|day|week|\bwk|month|year|\byr|annu|annum|shift"), "periods of pay"),
    "durationUnit": (_has(r"day|week|\bwk|month|\bmo\b|\bmos\b|year|\byr|hour|shift"), "units of time"),
    "employmentType": (
        _has(
            r"full|part.?time|contract|locum|perm|temp|per.?diem|\bprn\b|travel|intern|season|casual|freelance|volunteer|"
            r"1099|\bw-?2\b|\b[fp]t\b|regular"
        ),
        "types of employment",
    ),
    "description": (_has(r"^(?!https?:\S+$).*(?:\s|<)", limit=None), "texts"),
    "shiftType": (_has(r"day|night|even|mid|week.?end|rotat|\bam\b|\bpm\b|call|swing|^[dneap]$"), "types of shifts"),
}

_EMPLOYMENT_TYPE: Final = re.compile(
    r"full[- ]?time|part[- ]?time|contract|locums?(?: tenens)?|perm(?:anent)?|temp(?:orary)?|per diem|prn|travel"
    r"|contract to hire|temp to perm|internship|seasonal|casual",
    re.IGNORECASE,
)
_PAY_FREQUENCY: Final = re.compile(
    r"hourly|daily|weekly|bi-?weekly|monthly|yearly|annual(?:ly)?|per (?:hour|day|week|month|year|annum)",
    re.IGNORECASE,
)
#: Words of jobs in titles.
_ROLE: Final = re.compile(
    r"\b(?:(?i:physician|doctor|nurse|practitioner|assistant|surgeon|therapist|technologist|technician|tech|pharmacist|"
    r"dentist|hospitalist|psychiatrist|psychologist|anesthetist|\w+ologist|pediatrician|intensivist|midwife|radiographer|"
    r"locums?)|RN|LPN|LVN|NP|CRNA|MD|CNA)\b"
)
_REFERENCE: Final = re.compile(r"(?=.*[0-9])[A-Za-z0-9]+(?:[-_/][A-Za-z0-9]+)*")
_PHONE: Final = re.compile(r"[0-9]{10}|[0-9]{3}-[0-9]{3}-[0-9]{4}")
_TAG: Final = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE)
#: A text of at least this many characters is likely to be a description.
_LONG: Final = 200

#: The states whose ZIPs begin with each digit.
_STATES_OF_DIGITS: Final = (
    "CT MA ME NH NJ PR RI VT VI AE NY", "DE NY PA", "DC MD NC SC VA WV", "AL FL GA MS TN AA", "IN KY MI OH", "IA MN MT ND SD WI",
    "IL KS MO NE", "AR LA OK TX", "AZ CO ID NM NV UT WY", "AK AS CA GU HI MH FM MP OR PW WA AP",
)  # fmt: skip


def is_employment_type(value: str) -> bool:
    """Decide whether a text is nothing but types of employment."""
    return all(_EMPLOYMENT_TYPE.fullmatch(part.strip()) for part in re.split(r"[;|,]", value))


def is_pay_frequency(value: str) -> bool:
    """Decide whether a text is nothing but a period of pay."""
    return _PAY_FREQUENCY.fullmatch(value) is not None


def is_long_text(value: str) -> bool:
    """Decide whether a text is as long as a description, or written in HTML."""
    return len(value) >= _LONG or _TAG.search(value) is not None


def is_title(value: str) -> bool:
    """Decide whether a text reads like a job's title."""
    return len(value) <= 150 and " " in value and _TAG.search(value) is None and _ROLE.search(value) is not None


def are_references(values: Sequence[str]) -> bool:
    """Decide whether values look like ids, and not like dates, telephone numbers or the rows' numbers."""
    if not all(len(value) <= 40 and _REFERENCE.fullmatch(value) for value in values):
        return False
    if all(map(_is_date, values)) or all(_PHONE.fullmatch(value) for value in values):
        return False
    numbers = [int(value) for value in values if value.isdecimal()]
    are_counted = len(numbers) == len(values) and max(numbers) - min(numbers) < 2 * len(numbers)
    return not are_counted or min(numbers) > 1000


def fit_states(zips: Sequence[str], states: Sequence[str]) -> bool:
    """Decide whether the ZIPs of rows are in the rows' states, judged by their first digit. Nearly all have to be."""
    pairs = [(zip_code, state) for zip_code, state in zip(zips, states, strict=True) if zip_code and state]
    return len(pairs) > 0 and sum(_is_zip_in(*pair) for pair in pairs) * 20 >= len(pairs) * 19


def _is_zip_in(zip_code: str, state: str) -> bool:
    try:
        code = correct_zip_code(FieldCorrection("", typed=False), zip_code)
    except CannotCorrectError:
        return False
    return STATE_CODES.get(state.casefold(), state.upper()) in _STATES_OF_DIGITS[int(code[0])].split()


_AMOUNT: Final = r"\$?\s*[0-9][0-9,.]*k?"
_PERIOD: Final = r"(?:hr|hour|day|week|wk|month|year|yr|shift)"


class Combination(NamedTuple):
    """What a text holds together.

    Attributes:
        fields: the board's fields in it.
        pattern: of the text.
        what: in words.
    """

    fields: frozenset[str]
    pattern: re.Pattern[str]
    what: str


_COMBINATIONS: Final = [
    Combination(frozenset(fields.split()), re.compile(pattern, re.IGNORECASE), what)
    for fields, what, pattern in (
        ("city state", "a city and a state", r"[a-z .'-]+,\s*[a-z]{2,}(?: [a-z]+)?(?:\s+[0-9]{5}(?:-[0-9]{4})?)?(?:,[a-z .]+)?"),
        ("payAmountMin payAmountMax", "two amounts", rf"(?=.*(?:\$|{_PERIOD}|k\b)){_AMOUNT}\s*(?:-|\u2013|\u2014|to)\s*{_AMOUNT}.*"),
        ("payAmountMin payFrequency", "an amount and its period", rf"{_AMOUNT}\s*(?:/|per|an?)\s*{_PERIOD}.*"),
        ("durationLength durationUnit", "a length and its unit", r"[0-9]+\+?[- ]*(?:day|week|wk|month|mo|year)s?"),
        ("shiftsPerWeek hoursPerShift", "shifts a week and hours a shift", r"[0-9]\s*[x\u00d7]\s*[0-9]{1,2}(?:\s*(?:h|hrs?|hours?))?"),
    )
]  # fmt: skip


def combination(values: Sequence[str]) -> Combination | None:
    """Return what most of the values hold together, such as a city and a state; None if it is one thing."""
    for each in _COMBINATIONS:
        if sum(each.pattern.fullmatch(value) is not None for value in values) * 2 > len(values):
            return each
    return None
