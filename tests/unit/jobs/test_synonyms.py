"""What job feeds call the board's fields."""

import pytest

from jobferry.jobs.fields import FIELDS
from jobferry.jobs.synonyms import NAMES, ONE_PAY, bare_name, field_of


def test_every_name_is_written_as_it_is_looked_up() -> None:
    assert {name for name in NAMES.keys() | ONE_PAY if bare_name(name) != name} == set()
    assert {field for field, _ in NAMES.values()} == FIELDS
    assert not NAMES.keys() & ONE_PAY


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("referenceNumber", "referenceNumber"),
        ("Ref. No.", "referenceNumber"),
        ("Job #", "referenceNumber"),
        ("@jid", "referenceNumber"),
        ("\ufeffJob\u00a0Title", "title"),
        ("job_listing:job_type", "employmentType"),
        ("categories.commitment", "employmentType"),
        ("jobLocation.address.addressRegion", "state"),
        ("location/@zip", "postalCode"),
        ("Zip / Postal Code", "postalCode"),
        ("Hours/Shift", "hoursPerShift"),
        ("Address City", "city"),
        ("loc_zip", "postalCode"),
        ("AssignmentStartDate", "startDate"),
        ("job.baseSalary.value.minValue", "payAmountMin"),
    ],
)
def test_a_known_name_is_recognized_however_it_is_written(name: str, field: str) -> None:
    assert field_of(name) == field


@pytest.mark.parametrize(
    "name",
    [
        "date",
        "datePosted",
        "category",
        "location",
        "billRate",
        "name",
        "company.city",
        "location/@id",
        "facility.description",
        "Client City",
        "Location ID",
        "Job Owner",
        "Posting Start",
    ],
)
def test_a_name_that_may_mean_something_else_is_not(name: str) -> None:
    assert field_of(name) is None
