"""What people's exports do to values: put right with a warning that names the row, or an error that says what to fix."""

from typing import Any

import pytest

from jobferry.jobs.corrections.job import _correct_again
from tests.feeds import elements, jsonl, read, table, workbook

#: Field, its text in a CSV file, what is sent, and the warning's end; None: no warning.
TEXTS: list[tuple[str, str, Any, str | None]] = [
    ("state", "PA", "PA", None),
    ("state", " PA ", "PA", None),
    ("state", "pa", "PA", 'state: "pa" is sent as "PA"'),
    ("state", "Pennsylvania", "PA", 'state: "Pennsylvania" is sent as "PA"'),
    ("state", "NEW  YORK", "NY", 'state: "NEW YORK" is sent as "NY"'),
    ("state", "Washington, D.C.", "DC", 'state: "Washington, D.C." is sent as "DC"'),
    ("state", "N.Y.", "NY", 'state: "N.Y." is sent as "NY"'),
    ("state", "Puerto Rico", "PR", 'state: "Puerto Rico" is sent as "PR"'),
    ("postalCode", "17603", "17603", None),
    ("postalCode", "17603-1234", "17603-1234", None),
    ("postalCode", "2134", "02134", 'postalCode: "2134" is sent as "02134"'),
    ("postalCode", "501", "00501", 'postalCode: "501" is sent as "00501"'),
    ("postalCode", "2134.0", "02134", 'postalCode: "2134.0" is sent as "02134"'),
    ("postalCode", "17603.0", "17603", 'postalCode: "17603.0" is sent as "17603"'),
    ("postalCode", "176031234", "17603-1234", 'postalCode: "176031234" is sent as "17603-1234"'),
    ("postalCode", "21341234", "02134-1234", 'postalCode: "21341234" is sent as "02134-1234"'),
    ("postalCode", "17603-", "17603", 'postalCode: "17603-" is sent as "17603"'),
    ("postalCode", "17603 - 1234", "17603-1234", 'postalCode: "17603 - 1234" is sent as "17603-1234"'),
    ("payAmountMin", "1737.50", "1737.50", None),
    ("payAmountMin", "-5.00", "-5.00", None),
    ("payAmountMin", "737", "737.00", 'payAmountMin: "737" is sent as "737.00"'),
    ("payAmountMin", "$1,737.5", "1737.50", 'payAmountMin: "$1,737.5" is sent as "1737.50"'),
    ("payAmountMin", "USD 1,234,567", "1234567.00", 'payAmountMin: "USD 1,234,567" is sent as "1234567.00"'),
    ("payAmountMax", "100 USD", "100.00", 'payAmountMax: "100 USD" is sent as "100.00"'),
    ("payAmountMax", "-$5", "-5.00", 'payAmountMax: "-$5" is sent as "-5.00"'),
    ("payAmountMax", ".5", "0.50", 'payAmountMax: ".5" is sent as "0.50"'),
    ("payAmountMax", "007.", "7.00", 'payAmountMax: "007." is sent as "7.00"'),
    ("payAmountMax", "7.5000", "7.50", 'payAmountMax: "7.5000" is sent as "7.50"'),
    ("startDate", "2024-03-02", "2024-03-02", None),
    ("startDate", "2024-02-29", "2024-02-29", None),
    ("startDate", "2024-03-02T11:00:54.000000Z", "2024-03-02T11:00:54.000000Z", None),
    ("startDate", "2024-03-02 11:00", "2024-03-02 11:00", None),
    ("startDate", "3/2/2024", "2024-03-02", 'startDate: "3/2/2024" is sent as "2024-03-02"'),
    ("startDate", "03/02/24", "2024-03-02", 'startDate: "03/02/24" is sent as "2024-03-02"'),
    ("startDate", "20240302", "2024-03-02", 'startDate: "20240302" is sent as "2024-03-02"'),
    ("startDate", "2-Mar-2024", "2024-03-02", 'startDate: "2-Mar-2024" is sent as "2024-03-02"'),
    ("startDate", "March  2, 2024", "2024-03-02", 'startDate: "March 2, 2024" is sent as "2024-03-02"'),
    ("startDate", "2024-3-2", "2024-03-02", 'startDate: "2024-3-2" is sent as "2024-03-02"'),
    ("shiftsPerWeek", "4", 4, None),
    ("shiftsPerWeek", "04", 4, None),
    ("hoursPerShift", "-1", -1, None),
    ("hoursPerShift", "12.0", 12, 'hoursPerShift: "12.0" is sent as 12'),
    ("employmentType", "Permanent", "Permanent", None),
    ("employmentType", "Part-Time; Locum Tenens", ["Part-Time", "Locum Tenens"], None),
    ("employmentType", "Part-Time,Locum Tenens", ["Part-Time", "Locum Tenens"], None),
    ("employmentType", "Part-Time | Locum Tenens |", ["Part-Time", "Locum Tenens"], None),
    ("employmentType", "Part-Time\nLocum Tenens", ["Part-Time", "Locum Tenens"], None),
    ("employmentType", "Permanent;", "Permanent", None),
    ("license", "MD", "MD", None),
    ("license", "RN", "RN", 'license "RN" is not on the board\'s documented list: the board decides'),
    ("license", "md", "md", "license \"md\" is not on the board's documented list, which writes 'MD': the board decides"),
    ("specialty", "Critical Care", "Critical Care", None),
    ("specialty", "Zoology", "Zoology", 'specialty "Zoology" is not on the board\'s documented list: the board decides'),
    ("specialty", "urology", "urology", "specialty \"urology\" is not on the board's documented list, which writes 'Urology': the board decides"),
    *(
        ("startDate", text, "2024-03-02", f'startDate: "{text}" is sent as "2024-03-02"')
        for text in (
            "2024-03-02Z", "2024-03-02-05:00", "3/2/2024 12:00:00 AM", "3/2/2024 0:00", "3/2/2024, 12:00 AM", "03/02/2024 00:00:00.000", "2024-03-02T00:00:00.0000000",
            "2024-03-02T00:00:00.000000000Z", "2024-03-02T00:00:00.0000000-05:00", "2024-03-02 00:00:00 UTC", "2024-03-02 00:00:00+00",
            "2024-03-02 00:00:00 -0500", "2024-03-02T00:00Z[UTC]", "2024-03-02T00:00:00-05:00[America/New_York]", "20240302T000000Z",
            "20240302000000", "Sat, 02 Mar 2024 00:00:00 GMT", "Sat Mar 2 00:00:00 EST 2024", "Saturday, March 2, 2024",
            "Sat Mar 02 2024 00:00:00 GMT-0500 (Eastern Standard Time)", "Mar 2 2024 12:00AM", "Mar 2 2024 12:00:00:000AM",
            "02-MAR-24 12.00.00.000000000 AM", "March 2nd, 2024", "Mar. 2, 2024",
        )
    ),
    *(
        ("startDate", text, "2024-03-02", f'startDate: "{text}" is sent as "2024-03-02": it is in milliseconds since 1970')
        for text in ("1709337600000", "1709423999999", "/Date(1709337600000)/", "/Date(1709337600000+0000)/", "/Date(1709337600000-0500)/")
    ),
    ("postalCode", '="07030"', "07030", 'postalCode: "="07030"" is sent as "07030": it is written as a spreadsheet\'s formula'),
    ("postalCode", '=""07030""', "07030", 'postalCode: "=""07030""" is sent as "07030": it is written as a spreadsheet\'s formula'),
    ("title", '="He said ""yes"""', 'He said "yes"', 'title: "="He said ""yes"""" is sent as "He said "yes"": it is written as a spreadsheet\'s formula'),
    ("description", '="<p>x</p>"', "<p>x</p>", 'description: "="<p>x</p>"" is sent as "<p>x</p>": it is written as a spreadsheet\'s formula'),
    ("title", '="a"&B2&"c"', '="a"&B2&"c"', None),
    ("title", '=""&B2&""', '=""&B2&""', None),
    ("postalCode", "'07030", "07030", 'postalCode: "\'07030" is sent as "07030": it has a spreadsheet\'s apostrophe before it'),
    ("shift", "'7a-7p", "7a-7p", 'shift: "\'7a-7p" is sent as "7a-7p": it has a spreadsheet\'s apostrophe before it'),
    ("shiftsPerWeek", "'4", 4, 'shiftsPerWeek: "\'4" is sent as "4": it has a spreadsheet\'s apostrophe before it'),
    ("title", "Nurses' station", "Nurses' station", None),
    ("title", "'24 hours' notice", "'24 hours' notice", None),
    ("description", "'24", "'24", None),
    ("city", "New\u00a0York", "New York", 'city: "New York" is sent as "New York": it has invisible characters in it'),
    ("city", "\ufeffYork\u200b", "York", 'city: "\ufeffYork\u200b" is sent as "York": it has invisible characters in it'),
    ("postalCode", "\u202a17603\u202c", "17603", 'postalCode: "\u202a17603\u202c" is sent as "17603": it has invisible characters in it'),
    ("title", "Nurse \U0001f469\u200d\u2695\ufe0f “café”", "Nurse \U0001f469\u200d\u2695\ufe0f “café”", None),
    ("description", "Nights\u00a0and\u200b days", "Nights\u00a0and\u200b days", None),
    ("hoursPerShift", "3.9999999999999996", 4, 'hoursPerShift: "3.9999999999999996" is sent as 4: it has a rounding error'),
    ("payAmountMin", "1911.2500000000002", "1911.25", 'payAmountMin: "1911.2500000000002" is sent as "1911.25"'),
    ("payAmountMin", "$0.30000000000000004", "0.30", 'payAmountMin: "$0.30000000000000004" is sent as "0.30"'),
    ("payAmountMin", "12345678901234.56", "12345678901234.56", None),
    ("benefits", "None", "None", None),
    ("requirements", "N/A", "N/A", None),
    ("city", "Nan", "Nan", None),
    ("title", "#1 hospital", "#1 hospital", None),
    ("title", "a\x00b\x1fc", "abc", "title has control characters, which are removed"),
    ("title", "=HYPERLINK(\"http://x\")", "=HYPERLINK(\"http://x\")", None),
    ("theirs", "00:12", "00:12", None),
    ("theirs", "12", "12", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "sent", "warning"), TEXTS)
def test_texts_of_a_table(name: str, text: str, sent: Any, warning: str | None) -> None:
    jobs, problems, warnings = read("jobs.csv", table({"referenceNumber": "a", name: text}))

    assert jobs == [{"referenceNumber": "a", name: sent}]
    assert problems == []
    assert warnings == ([] if warning is None else [f"{warning} (1, jobs.csv row 2)"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9223372036854775808", 'shiftsPerWeek "9223372036854775808" is too large a number'),
        ("1_000", 'shiftsPerWeek "1_000" is not a whole number'),
        ("٤", 'shiftsPerWeek "٤" is not a whole number'),
    ],
)
def test_digits_of_a_table_that_are_no_number_of_ours(text: str, message: str) -> None:
    jobs, problems, _ = read("jobs.csv", table({"referenceNumber": "a", "shiftsPerWeek": text}), deleteJobs=False)

    assert (jobs, problems) == ([], [f"jobs.csv row 2: {message}"])


#: Field, its JSON value, what is sent, and the warning; None: no warning.
VALUES: list[tuple[str, Any, Any, str | None]] = [
    ("state", "Texas", "TX", 'state: "Texas" is sent as "TX"'),
    ("postalCode", 2134, "02134", 'postalCode: "2134" is sent as "02134"'),
    ("postalCode", 17603, "17603", 'postalCode: 17603 is sent as "17603"'),
    ("payAmountMin", 737.5, "737.50", 'payAmountMin: "737.5" is sent as "737.50"'),
    ("payAmountMin", 737, "737.00", 'payAmountMin: "737" is sent as "737.00"'),
    ("payAmountMin", 737.25, "737.25", 'payAmountMin: 737.25 is sent as "737.25"'),
    ("shiftsPerWeek", "4", 4, 'shiftsPerWeek: "4" is sent as 4'),
    ("shiftsPerWeek", 4.0, 4, "shiftsPerWeek: 4.0 is sent as 4"),
    ("durationLength", "13", 13, 'durationLength: "13" is sent as 13'),
    ("startDate", 1709337600000, "2024-03-02", 'startDate: 1709337600000 is sent as "2024-03-02": it is in milliseconds since 1970'),
    ("hoursPerShift", 3.9999999999999996, 4, "hoursPerShift: 3.9999999999999996 is sent as 4: it has a rounding error"),
    ("payAmountMin", 1911.2500000000002, "1911.25", 'payAmountMin: "1911.2500000000002" is sent as "1911.25"'),
    ("title", 24, "24", 'title: 24 is sent as "24"'),
    ("title", 2.5, "2.5", 'title: 2.5 is sent as "2.5"'),
    ("employmentType", "A; B", ["A", "B"], 'employmentType: "A; B" is sent as ["A","B"]'),
    ("employmentType", ["A; B", " C "], ["A", "B", "C"], 'employmentType: ["A; B","C"] is sent as ["A","B","C"]'),
    ("employmentType", ["A"], ["A"], None),
    ("theirs", {"a": [1, None, {"b": "c\x01"}]}, {"a": [1, None, {"b": "c"}]}, "theirs has control characters, which are removed"),
    ("theirs", True, True, None),
    ("theirs", 1.5, 1.5, None),
    ("theirs", 10**30, 10**30, None),
    ("theirs", [], [], None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "sent", "warning"), VALUES)
def test_values_of_json(name: str, value: Any, sent: Any, warning: str | None) -> None:
    jobs, problems, warnings = read("jobs.jsonl", jsonl({"referenceNumber": "a", name: value}))

    assert jobs == [{"referenceNumber": "a", name: sent}]
    assert [type(job[name]) for job in jobs] == [type(sent)]
    assert problems == []
    assert warnings == ([] if warning is None else [f"{warning} (1, jobs.jsonl row 1)"])


#: Field, and texts in it that stand for no value.
NOTHING = [
    *((name, word) for name in ("title", "city", "description", "license", "startDate", "payAmountMin", "employmentType", "shiftsPerWeek")
      for word in ("NULL", "null", "(null)", "[NULL]", "<null>", r"\N", "nan", "NaN", "NaT", "<NA>", "undefined")),
    *((name, word) for name in ("state", "postalCode", "startDate", "payAmountMin", "hoursPerShift") for word in ("N/A", "n/a", "None", "-")),
    *(("startDate", text) for text in (
        "0001-01-01", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "1/1/0001 12:00:00 AM", "0000-00-00", "0000-00-00 00:00:00", "1900-01-00",
        "1/0/1900", "1899-12-30T00:00:00", "12/30/1899", "1900-01-01", "1/1/1900", "1970-01-01T00:00:00Z", "12/31/1969", "9999-12-31",
        "9999-12-31T23:59:59.9999999", "/Date(-62135596800000)/", "0",
    )),
    ("title", "\ufeff"),
    ("benefits", '="NULL"'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), NOTHING)
def test_what_stands_for_no_value_is_left_out(name: str, text: str) -> None:
    expected = f'{name}: "{text}" is left out: it stands for no value (1, jobs.jsonl row 1)'

    jobs, problems, warnings = read("jobs.jsonl", jsonl({"referenceNumber": "a", name: text}))
    row = table({"referenceNumber": "a", name: text, "x": "y"})

    assert (jobs, problems) == ([{"referenceNumber": "a"}], [])
    assert expected in warnings
    assert read("jobs.csv", row)[0] == [{"referenceNumber": "a", "x": "y"}]


def test_a_default_replaces_what_stands_for_no_value() -> None:
    rows = [{"referenceNumber": "a", "city": "NULL", "state": "N/A"}, {"referenceNumber": "b", "city": "N/A"}]

    jobs, problems, warnings = read("jobs.jsonl", jsonl(*rows), defaults={"city": "York", "state": "PA"})

    assert (problems, warnings) == ([], [])
    assert jobs == [
        {"referenceNumber": "a", "city": "York", "state": "PA"},
        {"referenceNumber": "b", "city": "N/A", "state": "PA"},
    ]


def test_a_list_without_the_words_for_no_value() -> None:
    row = {"referenceNumber": "a", "employmentType": ["NULL", "Locum Tenens", "\u200bPermanent"]}

    assert read("jobs.jsonl", jsonl(row))[0] == [
        {"referenceNumber": "a", "employmentType": ["Locum Tenens", "Permanent"]}
    ]


@pytest.mark.parametrize(
    "text", ["CafÃ©", "Itâ€™s", "SeÃ±or Â· x", "StraÃŸe", "Itâ\x80\x99s", "PE\u00c3\u2018A", "50 â\u201a\u00ac"]
)
def test_text_that_was_read_in_another_encoding_is_sent_and_told(text: str) -> None:
    rows = [
        {"referenceNumber": "a", "title": "t", "description": f"<p>{text}</p>"},
        {"referenceNumber": "b", "title": text},
    ]

    jobs, problems, warnings = read("jobs.jsonl", jsonl(*rows))

    assert (jobs, problems) == (rows, [])
    assert warnings == [
        (
            f'description has "<p>{text}</p>" in it: it seems that UTF-8 was read in another encoding before, so that é became Ã© '
            "(2, jobs.jsonl row 1)"
        )
    ]


@pytest.mark.parametrize(("text", "sent"), [("Ã\u00a0 la carte", "Ã  la carte"), ("Â\u00a0Nurse", "Â Nurse")])
def test_a_space_that_was_read_in_another_encoding_is_told_too(text: str, sent: str) -> None:
    jobs, _, warnings = read("jobs.jsonl", jsonl({"referenceNumber": "a", "title": text}))

    assert jobs == [{"referenceNumber": "a", "title": sent}]
    assert any("in another encoding" in each for each in warnings)


@pytest.mark.parametrize("text", ["SÃO PAULO", "Âge", "pâté", "50 €, “quoted”", "Señor"])
def test_foreign_letters_are_no_reason_for_a_warning(text: str) -> None:
    assert read("jobs.jsonl", jsonl({"referenceNumber": "a", "title": text})) == (
        [{"referenceNumber": "a", "title": text}],
        [],
        [],
    )


@pytest.mark.parametrize(
    "reference", ["2-Mar", "Mar-24", "2-Mar-24", "3/2/2024", "2024-03-02", "2024-03-02 00:00:00", "TRUE"]
)
def test_a_reference_number_that_a_spreadsheet_may_have_converted_is_sent_and_told(reference: str) -> None:
    jobs, problems, warnings = read("jobs.csv", table({"referenceNumber": reference, "title": "t"}))

    assert (jobs, problems) == ([{"referenceNumber": reference, "title": "t"}], [])
    assert warnings == [
        (
            f'referenceNumber "{reference}" looks like what a spreadsheet makes of a text: if it is, format the column as text, and '
            "type the number again (1, jobs.csv row 2)"
        )
    ]


@pytest.mark.parametrize("reference", ["MAR-24", "2-MAR", "Marc-24", "2024-03-021", "20240302", "True-1", "A/1/2024"])
def test_other_reference_numbers_are_not_taken_for_dates(reference: str) -> None:
    assert read("jobs.csv", table({"referenceNumber": reference, "title": "t"}))[2] == []


def test_escaped_html_is_sent_as_it_is_with_one_warning() -> None:
    rows = [
        {"referenceNumber": "a", "description": "&lt;p&gt;Join &amp;amp; grow&lt;/p&gt;"},
        {"referenceNumber": "b", "requirements": "&amp;lt;br /&amp;gt;", "benefits": "&lt;ul&gt;"},
        {"referenceNumber": "c", "description": "<p>BP &lt; 120 &amp; &lt;150</p>", "title": "&lt;p&gt;"},
    ]

    jobs, problems, warnings = read("jobs.jsonl", jsonl(*rows))

    assert (jobs, problems) == (rows, [])
    assert warnings == [
        (
            "description has escaped HTML in it, such as &lt;p&gt;, which the board may show as text: export the HTML "
            "itself (3, jobs.jsonl row 1)"
        )
    ]


@pytest.mark.parametrize(
    ("lowest", "highest", "warned"), [("90.00", "180.00", 0), ("180.00", "180.00", 0), ("180.00", "90.00", 1)]
)
def test_a_payment_range_that_is_upside_down(lowest: str, highest: str, warned: int) -> None:
    row = {"referenceNumber": "a", "payAmountMin": lowest, "payAmountMax": highest}

    for key, content in (("jobs.jsonl", jsonl(row)), ("jobs.csv", table(row))):
        warning = f'payAmountMin "{lowest}" is above payAmountMax "{highest}" (1, {key} row {1 if key == "jobs.jsonl" else 2})'
        assert read(key, content) == ([row], [], [warning] * warned)


@pytest.mark.parametrize("value", [None, "", "  ", "\t\n"])
def test_absent_values_are_left_out(value: Any) -> None:
    job = {"referenceNumber": "a", "title": value, "shiftsPerWeek": value, "employmentType": value, "theirs": value}

    assert read("jobs.jsonl", jsonl(job)) == ([{"referenceNumber": "a"}], [], [])
    row = {key: each or "" for key, each in job.items()} | {"city": "York"}
    assert read("jobs.csv", table(row))[0] == [{"referenceNumber": "a", "city": "York"}]


def test_lists_without_a_value_are_absent() -> None:
    for empty in ([], [None, " "], ";"):
        assert read("jobs.jsonl", jsonl({"referenceNumber": "a", "employmentType": empty}))[0] == [
            {"referenceNumber": "a"}
        ]


ZIP = "is not a ZIP: five digits are needed, such as 17603, or 17603-1234"
DATE = "is not a date: one such as 2024-03-02 is needed, or nothing"
SERIAL = "looks like a spreadsheet's serial date: format the column as dates"
ERROR = "is an error of a spreadsheet or script: correct it where the value comes from"
STATE = "is not a state of the USA: its two-letter code is needed, such as PA"
AMOUNT = "is not an amount: one number is needed, such as 737.00"

#: Field, its JSON value, the problem.
WRONG: list[tuple[str, Any, str]] = [
    ("state", "MC", f'state "MC" {STATE}'),
    ("state", "PA, NJ", f'state "PA, NJ" {STATE}'),
    ("state", ["PA"], 'state is a list, a text is needed: ["PA"]'),
    ("postalCode", "0", f'postalCode "0" {ZIP}'),
    ("postalCode", "00000", 'postalCode "00000" is not a ZIP: the lowest in use is 00501'),
    ("postalCode", "500", 'postalCode "500" is not a ZIP: the lowest in use is 00501'),
    ("postalCode", "K1A 0B1", f'postalCode "K1A 0B1" {ZIP}'),
    ("postalCode", 1.5, f'postalCode "1.5" {ZIP}'),
    ("postalCode", True, "postalCode is true or false, a text is needed: true"),
    ("payAmountMin", "50/hr", f'payAmountMin "50/hr" {AMOUNT}'),
    ("payAmountMin", "$150 - $200", f'payAmountMin "$150 - $200" {AMOUNT}'),
    ("payAmountMin", "1.737,50", f'payAmountMin "1.737,50" {AMOUNT}'),
    ("payAmountMin", "$", f'payAmountMin "$" {AMOUNT}'),
    ("payAmountMin", "DOE", f'payAmountMin "DOE" {AMOUNT}'),
    ("payAmountMin", 1e300, f'payAmountMin "1e+300" {AMOUNT}'),
    ("payAmountMin", "1.005", 'payAmountMin "1.005" has more than two decimal places'),
    ("payAmountMin", "1,000,000,000,000,000,000", 'payAmountMin "1,000,000,000,000,000,000" is too large an amount'),
    ("payAmountMin", [], "payAmountMin is a list, an amount is needed, such as 737.00"),
    ("startDate", "soon", f'startDate "soon" {DATE}'),
    ("startDate", "2023-02-29", f'startDate "2023-02-29" {DATE}'),
    ("startDate", "31/12/2024", f'startDate "31/12/2024" {DATE}'),
    ("startDate", "0024-03-02", f'startDate "0024-03-02" {DATE}'),
    ("startDate", "45353", f'startDate "45353" {SERIAL}'),
    ("startDate", 45353, f'startDate "45353" {SERIAL}'),
    ("startDate", "45353.5", f'startDate "45353.5" {SERIAL}'),
    (
        "startDate",
        "1709337600",
        'startDate "1709337600" looks like seconds since 1970: a date such as 2024-03-02 is needed',
    ),
    *(
        ("startDate", text, f'startDate "{text}" {DATE}')
        for text in (
            "2024-02-30T10:00:00Z",
            "2024-03-02T24:00:00",
            "3/2/2024 10:60",
            "202412",
            "2024123",
            "2024030200",
            "Mar-24",
            "Mar 2024",
            "Fri, 02 Mar 2024 00:00:00 GMT",
            "3/2/2024 - 4/2/2024",
            "02.03.2024",
            "9999999999999",
            "/Date(99999999999999)/",
        )
    ),
    *(
        (name, text, f'{name} "{text}" {ERROR}')
        for name in ("title", "description", "state", "payAmountMin", "shiftsPerWeek", "startDate", "employmentType")
        for text in (
            "#N/A",
            "#REF!",
            "#VALUE!",
            "#DIV/0!",
            "#WERT!",
            "#NV",
            "#¡VALOR!",
            "#NAME?",
            "#NULL!",
            "#NUM!",
            "#SPILL!",
            "#CALC!",
            "#GETTING_DATA",
            "########",
            "Err:502",
        )
    ),
    ("title", "[object Object]", f'title "[object Object]" {ERROR}'),
    ("benefits", '="#N/A"', f'benefits "#N/A" {ERROR}'),
    ("hoursPerShift", "8.5", 'hoursPerShift "8.5" is not a whole number'),
    ("hoursPerShift", 8.500000000000002, "hoursPerShift 8.500000000000002 is not a whole number"),
    ("payAmountMin", 180.005, 'payAmountMin "180.005" has more than two decimal places'),
    ("payAmountMin", "123456789012345.678", 'payAmountMin "123456789012345.678" has more than two decimal places'),
    ("shiftsPerWeek", "3-4", 'shiftsPerWeek "3-4" is not a whole number'),
    ("shiftsPerWeek", 3.5, "shiftsPerWeek 3.5 is not a whole number"),
    ("shiftsPerWeek", True, "shiftsPerWeek true is not a whole number"),
    ("shiftsPerWeek", [4], "shiftsPerWeek [4] is not a whole number"),
    ("shiftsPerWeek", 2**63, "shiftsPerWeek 9223372036854775808 is too large a number"),
    ("title", False, "title is true or false, a text is needed: false"),
    ("title", {"en": "x"}, 'title is an object, a text is needed: {"en":"x"}'),
    ("employmentType", {"a": 1}, 'employmentType is an object, a text is needed: {"a":1}'),
    ("employmentType", [["A"]], 'employmentType is a list, a text is needed: ["A"]'),
    ("title", ["x" * 500], f'title is a list, a text is needed: ["{"x" * 78}…'),
    ("state", "a\n" * 500, f'state "{"a " * 40}…" {STATE}'),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_what_cannot_be_put_right(name: str, value: Any, message: str) -> None:
    jobs, problems, warnings = read(
        "jobs.jsonl", jsonl({"referenceNumber": "a"}, {"referenceNumber": "b", name: value})
    )

    assert jobs == [{"referenceNumber": "a"}]
    assert problems == [f"jobs.jsonl row 2: {message}"]
    assert warnings == []


@pytest.mark.parametrize("name", ["Job ID", "job_id", "ID", "Ref. No", "RefNumber", "JOBNUMBER"])
def test_a_missing_reference_number_says_which_column_may_be_it(name: str) -> None:
    _, problems, _ = read("jobs.csv", table({name: "1", "title": "t"}))

    assert problems == [
        (
            f'jobs.csv row 2: referenceNumber is missing; if it is what "{name}" holds, say so in feed.json: '
            f'"fields": {{"{name}": "referenceNumber"}}'
        )
    ]


def test_a_missing_reference_number() -> None:
    _, problems, _ = read("jobs.xml", elements({"title": "t"}, {"title": "u"}))

    assert problems == ["jobs.xml row 1: referenceNumber is missing", "jobs.xml row 2: referenceNumber is missing"]


def test_control_characters_in_the_name_of_a_field() -> None:
    rows = [{"referenceNumber": "a", "ti\x00tle": "t", "the\x01irs": 1}, {"referenceNumber": "b", "x": 1, "x\x00": 2}]

    jobs, problems, warnings = read("jobs.jsonl", jsonl(*rows))

    assert jobs == [{"referenceNumber": "a", "title": "t", "theirs": 1}]
    assert problems == ['jobs.jsonl row 2: "x" is there twice, once with control characters in its name']
    assert warnings == [
        "title has control characters in its name, which are removed (1, jobs.jsonl row 1)",
        "theirs has control characters in its name, which are removed (1, jobs.jsonl row 1)",
    ]


def test_names_of_fields_without_end() -> None:
    long = "id" + "1" * 100_000
    _, problems, warnings = read("jobs.jsonl", jsonl({long: "a\x00"}, {"referenceNumber": "b", long: "\x01b"}))
    _, twice, _ = read("jobs.jsonl", f'{{"{long}":1,"{long}":2}}\n'.encode())

    assert problems == ["jobs.jsonl row 1: referenceNumber is missing"]
    assert max(map(len, [*warnings, *twice])) < 300


def test_everything_wrong_with_a_row_is_said_at_once() -> None:
    _, problems, warnings = read(
        "jobs.csv", table({"title": "t", "state": "MC", "postalCode": "2134", "startDate": "soon"})
    )

    assert problems == [
        f'jobs.csv row 2: referenceNumber is missing; state "MC" {STATE}; startDate "soon" {DATE}',
    ]
    assert warnings == ['postalCode: "2134" is sent as "02134" (1, jobs.csv row 2)']


def test_warnings_of_a_kind_are_counted_together() -> None:
    rows = [{"referenceNumber": str(number), "state": "Texas", "specialty": f"S{number % 3}"} for number in range(7)]

    _, _, warnings = read("jobs.csv", table(*rows))

    assert warnings == [
        'state: "Texas" is sent as "TX" (7, jobs.csv row 2)',
        'specialty "S0" is not on the board\'s documented list: the board decides (3, jobs.csv row 2)',
        'specialty "S1" is not on the board\'s documented list: the board decides (2, jobs.csv row 3)',
        'specialty "S2" is not on the board\'s documented list: the board decides (2, jobs.csv row 4)',
    ]


def test_kinds_of_warnings_are_not_without_end() -> None:
    rows = [{"referenceNumber": str(number), "specialty": f"specialty {number}"} for number in range(250)]

    _, _, warnings = read("jobs.jsonl", jsonl(*rows))

    assert len(warnings) == 201
    assert warnings[0] == "other warnings (50, jobs.jsonl row 201)"


def test_no_description_stays_in_a_cache() -> None:
    before = _correct_again.cache_info().currsize

    read("jobs.jsonl", jsonl({"referenceNumber": "a", "startDate": "x" * 100_000}))

    assert _correct_again.cache_info().currsize == before


def test_a_text_that_cannot_be_corrected_is_looked_at_once() -> None:
    _correct_again.cache_clear()

    read("jobs.csv", table(*({"referenceNumber": str(number), "startDate": "ASAP"} for number in range(50))))

    assert _correct_again.cache_info().misses == 1


def test_workbook_and_xml_texts_are_put_right_alike() -> None:
    row = {"referenceNumber": "a", "postalCode": "2134", "shiftsPerWeek": "4", "employmentType": "A; B"}
    expected = [{"referenceNumber": "a", "postalCode": "02134", "shiftsPerWeek": 4, "employmentType": ["A", "B"]}]

    assert read("jobs.xml", elements(row))[0] == expected
    assert read("jobs.xlsx", workbook(list(row), list(row.values())))[0] == expected
