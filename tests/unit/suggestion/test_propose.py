"""What names and values prove, and what they leave open."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobferry.jobs.vocabulary import STATES
from jobferry.suggestion import places
from jobferry.suggestion.places import Suggestion, suggest
from jobferry.suggestion.terms import Terms
from tests.feeds import Objects, jsonl, listed, table


def suggested(*rows: dict[str, Any]) -> Suggestion:
    objects = {"jobs.jsonl": jsonl(*rows)}
    return suggest(listed(objects), Objects(objects), Terms())


def column(name: str, *values: Any) -> Suggestion:
    """Propose for a feed with one column, beside a reference number."""
    return suggested(*({"referenceNumber": f"LT-{n}", name: value} for n, value in enumerate(values)))


def test_a_name_is_not_believed_if_the_values_are_something_else() -> None:
    found = column("ST", "Open", "Closed", "Open")
    assert "fields" not in found.settings
    assert 'state: "ST" has a name for it, but its values are not states, such as "Open"' in found.open


def test_a_column_with_the_boards_name_and_other_values_is_replaced() -> None:
    rows = [{"referenceNumber": f"LT-{n}", "state": "Current", "location": {"state": "PA"}} for n in range(3)]
    found = suggested(*rows)
    assert found.settings == {"fields": {"location.state": "state"}}
    assert 'state: "state" is read as it, but its values are not states, such as "Current"' in found.open


def test_a_few_wrong_values_do_not_hide_a_column_but_are_named() -> None:
    found = column("Start", "2027-01-04", "2027-01-11", "ASAP")
    assert found.settings == {"fields": {"Start": "startDate"}}
    assert 'startDate: "Start" has values that are not dates: 1 of 3, such as "ASAP"' in found.open


@pytest.mark.parametrize(
    ("name", "value", "together"),
    [
        ("Place", "Lancaster, PA 17603", "a city and a state"),
        ("Rate", "$50-60/hr", "two amounts"),
        ("Hourly Rate", "$50/hr", "an amount and its period"),
        ("Duration", "13 weeks", "a length and its unit"),
        ("Schedule", "3x12 hrs", "shifts a week and hours a shift"),
    ],
)
def test_a_column_that_holds_several_fields_is_left_open(name: str, value: str, together: str) -> None:
    found = column(name, value, value)
    assert "fields" not in found.settings
    assert any(f'"{name}"' in each and f"holds {together} together" in each for each in found.open), found.open


def test_of_two_numbers_the_one_with_the_likelier_name_is_taken() -> None:
    found = suggested(*({"id": n, "Req Number": f"R{n}", "Job Ref": f"J{n}"} for n in range(3)))
    assert found.settings == {"fields": {"Job Ref": "referenceNumber"}}


def test_of_two_columns_with_equally_good_names_none_is_taken() -> None:
    found = suggested(*({"Job ID": f"J{n}", "Order Number": f"O{n}"} for n in range(3)))
    assert found.settings == {}
    assert 'referenceNumber: "Job ID", "Order Number" may each be it. Choose one' in found.open


@pytest.mark.parametrize("values", [("J1", "J1", "J2"), ("J1", "", "J2")])
def test_a_number_that_not_every_job_has_to_itself_is_no_reference_number(values: tuple[str, ...]) -> None:
    found = suggested(*({"Job ID": value, "title": "CRNA"} for value in values))
    assert found.settings == {}
    assert any("each job needs a number of its own" in each for each in found.open)


def test_the_internal_description_of_a_bullhorn_export_is_not_published() -> None:
    found = suggested({"id": 1, "description": "Bill 300", "publicDescription": "<p>Cover</p>"})
    assert found.settings["fields"]["publicDescription"] == "description"


@pytest.mark.parametrize("name", ["Client ST", "Company State", "Bill To", "Office"])
def test_values_prove_nothing_in_a_column_about_something_else(name: str) -> None:
    assert "fields" not in column(name, "PA", "MA", "WA", "TX", "GA", "NE").settings


def test_values_in_two_columns_prove_nothing() -> None:
    rows = [
        {"referenceNumber": f"LT-{n}", "A1": state, "A2": state}
        for n, state in enumerate(("PA", "MA", "WA", "TX", "GA"))
    ]
    found = suggested(*rows)
    assert "fields" not in found.settings
    assert 'state: the values of "A1", "A2" look like it. Choose one, if it is one' in found.open


def test_licenses_that_are_also_states_prove_nothing() -> None:
    assert "fields" not in column("A1", "MD", "PA", "MD", "PA", "MD").settings


@pytest.mark.parametrize("boston", ["02114", "2114", "02114-1234", "021141234", "21141234"])
def test_five_or_nine_digits_are_zips_only_in_the_jobs_states(boston: str) -> None:
    states, zips = ("PA", "MA", "WA", "TX", "GA"), ("17603", boston, "99201", "79901", "31201")
    rows = [
        {"referenceNumber": f"LT-{n}", "state": s, "A1": z} for n, (s, z) in enumerate(zip(states, zips, strict=True))
    ]
    assert suggested(*rows).settings == {"fields": {"A1": "postalCode"}}
    moved = [row | {"A1": zips[n - 1]} for n, row in enumerate(rows)]
    assert suggested(*moved).settings == {}


@given(st.lists(st.sampled_from([*STATES]), min_size=5))
def test_two_letters_are_states_or_nothing(states: list[str]) -> None:
    """Whatever the states are, they become no other field."""
    fields = column("A1", *states).settings.get("fields", {})
    assert fields.get("A1", "state") == "state"


@pytest.mark.parametrize(
    ("field", "value", "term"),
    [
        ("specialty", "Family Medicine", "Family Practice"),
        ("specialty", "HEMATOLOGY/ONCOLOGY", "Hematology and Oncology"),
        ("specialty", "Anaesthesiology", "Anesthesiology"),
        ("specialty", "OB/GYN", "Obstetrics and Gynecology"),
        ("license", "m.d.", "MD"),
        ("license", "LPN/LVN", "LPN / LVN"),
        ("specialty", "Hematology", None),  # not Hepatology
        ("specialty", "Zoology", None),
    ],
)
def test_a_term_is_replaced_only_by_one_that_means_the_same(field: str, value: str, term: str | None) -> None:
    found = column(field, value)
    assert found.settings == ({"values": {field: {value: term}}} if term else {})
    assert term or any(f'"{value}" is on no list' in each for each in found.open)


def test_a_term_of_another_board_is_not_proposed() -> None:
    objects = {"jobs.csv": table({"referenceNumber": "a", "license": "Registered Nurse"})}
    found = suggest(listed(objects), Objects(objects), Terms([{"license": frozenset({"MD", "DO"})}]))
    assert found.settings == {}


def test_of_a_large_feed_the_first_rows_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_MANY_ROWS", 3)
    found = column("ST", "PA", "MA", "WA", "none")
    assert (found.rows, found.is_cut) == (3, True)
    assert 'state from "ST": the name means state, and all 3 values are states'.endswith(found.guesses[1].reason)
    assert not column("ST", "PA", "MA", "WA").is_cut


def numbered(*rows: dict[str, Any]) -> Suggestion:
    return suggested(*({"referenceNumber": f"LT-{n}", **row} for n, row in enumerate(rows)))


def test_the_boards_own_name_wins_over_another_name() -> None:
    found = numbered({"title": "CRNA", "Job Title": "x"}, {"title": "NP", "Job Title": "y"})
    assert found.settings == {}
    assert [guess.source for guess in found.guesses if guess.field == "title"] == ["title"]


def test_an_internal_description_that_may_be_sent_in_place_of_the_public_one_is_named() -> None:
    found = numbered(
        {"description": "Bill 300", "publicDescription": "<p>Cover</p>"},
        {"description": "Bill 200", "publicDescription": ""},
    )
    assert 'description: where "publicDescription" is empty, "description" may be sent' in found.open


def test_no_other_number_replaces_one_that_repeats() -> None:
    """The jobs' id is the likelier one even then, so a person has to decide."""
    found = suggested(*({"Job ID": "J1", "c1": f"AB{n * 37}"} for n in range(6)))
    assert found.settings == {}


@pytest.mark.parametrize(
    "values",
    [range(1, 7), range(10, 22, 2), [f"215555{n}01{n}" for n in range(1, 7)], [f"202703{n}" for n in range(11, 17)]],
)
def test_row_numbers_phones_and_dates_are_no_reference_numbers(values: Any) -> None:
    assert suggested(*({"c1": value, "title": "CRNA"} for value in values)).settings == {}


def test_few_values_prove_nothing() -> None:
    assert "fields" not in column("A1", "PA", "MA", "WA", "TX").settings


def test_texts_that_repeat_are_no_titles() -> None:
    values = ("Registered nurse", "Registered nurse", "Operating room nurse") * 3
    assert "fields" not in column("Position", *values).settings


def test_a_field_that_a_job_has_several_times_is_left_open() -> None:
    found = numbered({"City": ["Lancaster", "York"]}, {"Zip": ["17603", "17401"]})
    assert "postalCode" not in found.settings.get("fields", {}).values()
    assert 'postalCode: "Zip" has a name for it, but some jobs have several values there' in found.open


@pytest.mark.parametrize(
    ("rows", "pay"),
    [
        ([{"payRate": 180, "clientBillRate": 300}], {"payRate": "payAmountMin"}),
        ([{"payRate": 180, "salary": 0}], {"payRate": "payAmountMin"}),
        ([{"payRate": 180, "salary": 250000}], {}),
        ([{"payRate": 180, "minRate": 170}], {"minRate": "payAmountMin"}),
        ([{"salary": "DOE"}], {}),
        ([{"rate": 300}], {}),  # what the client pays, as often as not
    ],
)
def test_one_pay_is_the_lowest_if_nothing_else_is(rows: list[dict[str, Any]], pay: dict[str, str]) -> None:
    assert numbered(*rows).settings.get("fields", {}) == pay


@pytest.mark.parametrize(
    ("name", "value", "is_license"),
    [
        ("License Type", "CT Tech", True),
        ("License Required", "Yes", False),
        ("Licenses", "TX", False),
        ("Licenses", "MD", True),
        ("Profession", "RN", True),
        ("Profession", "Physician", False),
    ],
)
def test_a_license_is_neither_yes_nor_a_state_nor_any_profession(name: str, value: str, is_license: bool) -> None:
    assert (column(name, value).settings.get("fields") == {name: "license"}) is is_license


def test_a_column_with_values_is_taken_before_an_empty_one() -> None:
    found = numbered({"Job Title": "", "Posting Title": "CRNA"}, {"Job Title": "", "Posting Title": "NP"})
    assert found.settings == {"fields": {"Posting Title": "title"}}


def test_a_reference_number_that_repeats_is_told_but_not_replaced() -> None:
    found = suggested(*({"referenceNumber": "LT-1", "id": n, "reqId": "R"} for n in range(2)))
    assert found.settings == {}
    assert (
        'referenceNumber: "referenceNumber" has "LT-1" in 2 rows, but each job needs a number of its own' in found.open
    )
    assert not any("reqId" in each and "rows" in each for each in found.open)


def test_lists_of_states_are_no_state() -> None:
    assert "fields" not in column("A1", *(["PA", "MA"] for _ in range(6))).settings
    assert "fields" not in column("A1", *(["Locum", "Perm"] for _ in range(6))).settings


def test_a_list_of_objects_is_named_since_no_setting_reaches_into_it() -> None:
    found = numbered({"title": "CRNA", "address": {"places": [{"city": "Erie"}]}})
    assert (
        'No setting reaches into lists of objects: "address.places". Export their values outside of them' in found.open
    )


@pytest.mark.parametrize("line", [b"[1]", b"7", b"null"])
def test_a_line_that_is_no_object_is_no_row(line: bytes) -> None:
    objects = {"jobs.jsonl": jsonl({"Job ID": "LT-1"}) + line + b"\n" + jsonl({"Job ID": "LT-2"})}
    found = suggest(listed(objects), Objects(objects), Terms())
    assert (found.rows, found.settings) == (2, {"fields": {"Job ID": "referenceNumber"}})


def test_a_column_of_two_amounts_is_named_once() -> None:
    found = numbered({"salary": "$300 - $340 per hour"}, {"salary": "$200 - $240 per hour"})
    assert [text for text in found.open if text.startswith(('"salary"', "payAmountMin"))] == [
        '"salary" holds two amounts together, such as "$300 - $340 per hour". Export them in columns of their own'
    ]
