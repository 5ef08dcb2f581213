"""Workbooks as people keep them: failed formulas, numbers, hidden parts, merged cells, and jobs on some other sheet."""

from __future__ import annotations

from typing import Any

import pytest

from jobferry.errors import FeedUnreadableError
from tests.feeds import read, sheets, workbook

HEADER = ["referenceNumber", "title", "state"]
COVER = workbook(["Jobs export"], ["Contact: ops desk"])
JOBS = workbook(HEADER, ["a", "CRNA", "PA"], ["b", "NP", "TX"])


def sent(*rows: Any, **given: Any) -> list[dict[str, Any]]:
    """Return the jobs of a workbook with these rows. There are no problems."""
    jobs, problems, _ = read("jobs.xlsx", workbook(*rows, **given))
    assert problems == []
    return jobs


def problem(*rows: Any, **given: Any) -> str:
    """Return the only problem of a workbook with these rows. All but one of its rows are sent."""
    jobs, problems, _ = read("jobs.xlsx", workbook(*rows, **given))
    assert (len(jobs), len(problems)) == (len(rows) - 2, 1)
    return problems[0]


# Cells without a value


@pytest.mark.parametrize("error", ["#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_an_error_in_a_cell_is_an_error_of_its_row(column: int, error: str) -> None:
    row: list[Any] = ["b", "NP", "TX"]
    row[column] = ("error", error)

    assert problem(HEADER, ["a", "CRNA", "PA"], row) == (
        f'jobs.xlsx row 3: the row has "{error}" in column "{HEADER[column]}"'
    )


def test_errors_in_columns_without_a_name_or_of_ones_own_count_as_well() -> None:
    assert problem(
        [*HEADER, "recruiter"], ["a", "CRNA"], ["b", "NP", "TX", ("error", "#N/A"), None, ("error", "#REF!")]
    ) == ('jobs.xlsx row 3: the row has "#N/A" in column "recruiter" and "#REF!" in column F')


def test_an_error_is_seen_however_the_xml_is_written() -> None:
    changes = {'<c r="C3" t="e"><v>#N/A</v></c>': "<x:c xmlns:x='urn:x' t = 'e' r = 'C3'><x:v>#N/A</x:v></x:c>"}

    assert problem(HEADER, ["a", "CRNA"], ["b", "NP", ("error", "#N/A")], changes=changes).endswith(
        '"#N/A" in column "state"'
    )


def test_a_table_that_begins_in_another_column() -> None:
    rows = [[None, None, *HEADER], [None, None, "a", "CRNA", "PA"], [None, None, "b", "NP", ("error", "#N/A")]]

    assert problem(*rows, start=1).endswith('row 3: the row has "#N/A" in column "state"')


@pytest.mark.parametrize("result", ["", "<v></v>", "<v/>"])
@pytest.mark.parametrize("last", [False, True])
def test_a_formula_without_a_result_is_an_error(result: str, last: bool) -> None:
    rows = [["a", "CRNA", "PA"], [("formula", result), ("formula", result), None]]

    assert problem(HEADER, *(rows if last else rows[::-1])) == (
        f"jobs.xlsx row {3 if last else 2}: the row has a formula without a stored result in column "
        '"referenceNumber" and a formula without a stored result in column "title": open the workbook in Excel and save it'
    )


def test_the_results_of_formulas_are_read() -> None:
    empty = {'<c r="B2"><f>X1</f><v></v></c>': '<c r="B2" t="str"><f>X1</f><v></v></c>'}

    assert sent(HEADER, [("formula", "<v>7</v>"), ("formula", "<v></v>"), "PA"], changes=empty) == [
        {"referenceNumber": "7", "state": "PA"}
    ]


def test_a_result_of_0_is_none_if_the_workbook_was_never_calculated() -> None:
    rows = [[*HEADER, "shiftsPerWeek"], ["a", "CRNA", "PA", ("formula", "<v>0</v>")], ["b", "NP", "TX", 4]]
    unknown = {"</sheets>": '</sheets><calcPr fullCalcOnLoad="1"/>'}

    assert sent(*rows)[0]["shiftsPerWeek"] == 0
    assert 'a formula without a stored result in column "shiftsPerWeek"' in problem(*rows, changes=unknown)


def test_a_header_that_failed_is_named() -> None:
    jobs, problems, warnings = read("jobs.xlsx", workbook([*HEADER, ("error", "#REF!")], ["a", "CRNA", "PA", "7"]))

    assert (len(jobs), problems) == (1, [])
    assert warnings[0] == 'the header has "#REF!" in column D: its values are left out (1, jobs.xlsx row 1)'


def test_merged_cells_have_one_value() -> None:
    merged = {"</sheetData>": '</sheetData><mergeCells><mergeCell ref="C2:C3"/></mergeCells>'}

    assert problem(HEADER, ["a", "CRNA", "PA"], ["b", "NP"], changes=merged) == (
        'jobs.xlsx row 3: the row has a cell merged with row 2 in column "state": unmerge the cells'
    )
    assert len(sent(HEADER, ["a", "CRNA", None], ["b", "NP"], changes=merged)) == 2
    assert len(sent(HEADER, ["a", "CRNA", "PA"], [None, " "], ["b", "NP"], changes=merged)) == 2


# Numbers and dates


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1911.2500000000002, "1911.25"),
        (0.30000000000000004, "0.3"),
        (3.9999999999999996, "4"),
        (211.19999999999999, "211.2"),
        (8.5, "8.5"),
        (180.005, "180.005"),
        (123456789012345, "123456789012345"),
        (-7, "-7"),
        (0.25, "0.25"),
        (("00000", 42), "00042"),
        (("00000", 123456), "123456"),
        (True, "true"),
        (("date", 45353), "2024-03-02"),
        (("date", 45353.5), "2024-03-02T12:00:00"),
        (("date", 0.5), "12:00:00"),
        (" 7 ", "7"),
    ],
)
def test_a_cell_is_sent_as_a_person_reads_it(cell: Any, text: str) -> None:
    assert sent(["referenceNumber", "internalCode"], ["a", cell])[0]["internalCode"] == text


@pytest.mark.parametrize("number", [1234567890123456, 12345678901234567890, 10**15])
def test_a_number_with_more_digits_than_a_spreadsheet_keeps_is_no_reference_number(number: int) -> None:
    message = problem(HEADER, ["a", "CRNA", "PA"], [number, "NP", "TX"])

    assert "row 3" in message
    assert "spreadsheet" in message


def test_dates_may_count_from_1904() -> None:
    epoch = {"<sheets>": '<workbookPr date1904="1"/><sheets>'}

    assert sent(["referenceNumber", "startDate"], ["a", ("date", 43891)], changes=epoch)[0]["startDate"] == "2024-03-02"


# Rows


def test_rows_of_spaces_are_no_rows() -> None:
    assert len(sent(HEADER, ["a", "CRNA", "PA"], [" ", "\xa0", None], ["b", "NP", "TX"], ["\u2003"])) == 2


def test_hidden_rows_are_read_with_a_warning() -> None:
    hidden = {'<row r="3">': '<row r="3" hidden="1">', '<row r="4">': '<row r="4" hidden="1">'}

    jobs, problems, warnings = read(
        "jobs.xlsx", workbook(HEADER, ["a", "CRNA", "PA"], ["b", "NP", "TX"], [" "], changes=hidden)
    )

    assert (len(jobs), problems) == (2, [])
    assert warnings == ["a row is hidden in the spreadsheet, but read like any other (1, jobs.xlsx row 3)"]


def test_a_total_without_a_result_is_a_footer() -> None:
    total = ["Total", None, None, ("formula", "<v></v>")]

    jobs, problems, warnings = read(
        "jobs.xlsx", workbook([*HEADER, "shiftsPerWeek"], ["a", "CRNA", "PA", 4], ["b", "NP", "TX", 3], total)
    )

    assert (len(jobs), problems, len(warnings)) == (2, [], 1)
    assert warnings[0].endswith("(1, jobs.xlsx row 4)")


# Where the jobs are


@pytest.mark.parametrize("name", ["Jobs", " jobs"])
def test_the_settings_name_the_sheet(name: str) -> None:
    book = sheets({"Read me": COVER, "Jobs": JOBS})

    jobs, problems, warnings = read("jobs.xlsx", book, sheet=name)

    assert ([job["referenceNumber"] for job in jobs], problems, warnings) == (["a", "b"], [], [])


def test_a_sheet_that_is_not_there() -> None:
    book = sheets({"Read me": COVER, "Jobs": JOBS}, hidden=["Jobs"])

    with pytest.raises(
        FeedUnreadableError, match=r'^jobs.xlsx has no sheet "Open".*, only "Read me", "Jobs" \(hidden\)$'
    ):
        read("jobs.xlsx", book, sheet="Open")


@pytest.mark.parametrize("first", [COVER, workbook(), workbook(["clinic", "phone", "fax"], ["x", "1", "2"])])
@pytest.mark.parametrize("start", [1, 4])
def test_a_first_sheet_without_jobs_names_the_setting(first: bytes, start: int) -> None:
    jobs = workbook(HEADER, ["a", "CRNA", "PA"], start=start)

    with pytest.raises(FeedUnreadableError, match=r'has no jobs on its first sheet, "Read me".*"sheet": "Jobs"'):
        read("jobs.xlsx", sheets({"Read me": first, "Jobs": jobs}))


def test_names_of_another_system_on_a_sheet_behind_a_cover() -> None:
    jobs = workbook(["Job ID", "Job Name", "Zip Code"], ["a", "CRNA", "17603"])

    with pytest.raises(FeedUnreadableError, match='"sheet": "Open"'):
        read("jobs.xlsx", sheets({"Read me": COVER, "Open": jobs}))


def test_the_settings_name_the_row_of_the_header() -> None:
    book = workbook(["Open jobs"], ["as of 3/2/2024", "by", "ops"], HEADER, ["a", "CRNA", "PA"], start=2)

    with pytest.raises(FeedUnreadableError, match='"headerRow": 4'):
        read("jobs.xlsx", book)
    assert len(read("jobs.xlsx", book, headerRow=4)[0]) == 1
    with pytest.raises(FeedUnreadableError, match=r"no header in row 99 \(headerRow\)"):
        read("jobs.xlsx", book, headerRow=99)


def test_the_first_sheet_is_the_first_that_people_see() -> None:
    lists = workbook(["specialty", "state"], ["CRNA", "PA"])

    assert len(read("jobs.xlsx", sheets({"Lists": lists, "Jobs": JOBS}, hidden=["Lists"]))[0]) == 2


@pytest.mark.parametrize(
    "other", [JOBS, workbook(["x"], HEADER, ["c", "MD", "OH"]), workbook(["Reference_Number", "city"], ["c", "York"])]
)
@pytest.mark.parametrize("hidden", [False, True])
def test_jobs_on_another_sheet_are_a_problem(other: bytes, hidden: bool) -> None:
    book = sheets({"Jobs": JOBS, "Old": other}, hidden=["Old"] if hidden else [])

    jobs, problems, _ = read("jobs.xlsx", book)

    assert (len(jobs), len(problems)) == (2, 1)
    assert f'not read: "Old"{" (hidden)" if hidden else ""};' in problems[0]


def test_jobs_on_another_sheet_are_only_a_warning_if_the_settings_chose_one() -> None:
    jobs, problems, warnings = read("jobs.xlsx", sheets({"Old": JOBS, "Jobs": JOBS}), sheet="Jobs")

    assert (len(jobs), problems) == (2, [])
    assert warnings == ['beside the sheet that is read, there are jobs on "Old" (1, jobs.xlsx)']


@pytest.mark.parametrize(
    "other",
    [
        workbook(["facility", "city", "state"], ["x", "York", "PA"]),
        workbook(["Field", "Meaning"], ["referenceNumber", "the id"], ["title", "what it is"]),
        workbook(HEADER),
    ],
)
def test_other_sheets_without_jobs_do_not_matter(other: bytes) -> None:
    assert read("jobs.xlsx", sheets({"Jobs": JOBS, "Other": other}))[1:] == ([], [])


def test_an_error_that_calamine_does_not_know_costs_its_row_only() -> None:
    number_one = {'<c r="B4"><f>X1</f>': '<c r="B4" t="str"><f>X1</f>', '<c r="B3" t="e">': '<c r="B3" t="e"><f>X1</f>'}
    book = workbook(
        ["referenceNumber", "title"],
        ["a", ("error", "#SPILL!")],
        ["b", ("error", "#ERROR!")],
        ["c", ("formula", "<v>#1 Hospital</v>")],
        changes=number_one,
    )
    jobs, problems, _ = read("jobs.xlsx", book)
    assert jobs == [{"referenceNumber": "c", "title": "#1 Hospital"}]
    assert [each.rpartition(": ")[2] for each in problems] == [
        'the row has "#SPILL!" in column "title"',
        'the row has "#ERROR!" in column "title"',
    ]


def test_another_sheet_with_rows_like_those_of_jobs_but_no_header_is_named() -> None:
    names, row = ["referenceNumber", "title", "city", "state"], ["a", "Nurse", "Austin", "TX"]
    books = {
        "Jobs": workbook(names, row),
        "More": workbook(["b", *row[1:]]),
        "States": workbook(["TX", "Texas"], ["PA", "Pennsylvania"]),
    }
    message = 'only the sheet "Jobs" is read. Rows as long as its rows are on "More"'
    assert [each for each in read("jobs.xlsx", sheets(books))[2] if message in each]
    assert read("jobs.xlsx", sheets(books), sheet="Jobs")[1:] == ([], [])
