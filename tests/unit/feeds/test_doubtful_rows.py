"""Rows of a table that may be cut off, hold other rows or be no jobs protect nothing, and sound tables are not suspected."""

import csv
import io
from pathlib import Path

import pytest

from jobferry.errors import FeedUnreadableError
from jobferry.jobs.reference_numbers import fault_of
from tests.feeds import jobs_of, jsonl, payload_of, problems_of, read, warnings_of

NAMES = ["referenceNumber", "title", "city", "state", "description"]
CELLS = [[f"J{number:03d}", "CRNA", "York", "PA", "Nights, and days"] for number in range(20)]


def table(rows: list[list[str]], names: list[str] = NAMES, delimiter: str = ",", end: str = "\r\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows([names, *rows])
    return text.getvalue()


def outcome(text: str, folder: Path) -> tuple[int, list[str], int]:
    """The number of jobs that are sent, the problems, and the rows that protect nothing."""
    payload = payload_of({"jobs.csv": text.encode()}, folder)
    return payload.jobs, [each.partition(": ")[2] for each in problems_of(payload)], payload.unprotected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ORA-03113: end-of-file on communication channel", "the row has a value in one column only"),
        ("ORA-03113: end-of-file on communication channel,,,,", "the row has a value in one column only"),
        ("J999", "the row has a value in one column only"),
        ("J999,,,,", "the row has a value in one column only"),
        ("J999,CRNA", "the row is the last one and has fewer columns than all others"),
        ("<br />,x,y,PA,d", 'referenceNumber "<br />" has HTML in it'),
        ("<b>Fatal error</b>: Uncaught in x,x,y,PA,d", 'referenceNumber "<b>Fatal error</b>: Uncaught in x" has HTML'),
        ("ERROR: canceling statement due to user request,x,y,PA,d", "looks like a program's message"),
        ("Connection was reset,x,y,PA,d", "looks like a program's message"),
        ("(12 rows affected),x,y,PA,d", "looks like a program's message"),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_line_that_is_no_job(line: str, message: str, end: str, tmp_path: Path) -> None:
    jobs, problems, unprotected = outcome(table(CELLS, end=end) + line + end, tmp_path)

    assert (jobs, unprotected, len(problems)) == (20, 1, 1)
    assert message in problems[0]


def test_short_rows_of_an_exporter_that_leaves_out_empty_cells_are_sound(tmp_path: Path) -> None:
    rows = [[*row[:3]] if number % 4 == 1 else row for number, row in enumerate(CELLS)]
    for last in (CELLS[-1], CELLS[-1][:4], CELLS[-1][:3]):
        folder = tmp_path / str(len(last))
        folder.mkdir()
        assert outcome(table([*rows[:-1], last]), folder) == (20, [], 0)


@pytest.mark.parametrize("place", range(1, 5))
def test_a_separator_too_many_or_missing_costs_the_row(place: int, tmp_path: Path) -> None:
    """The cells may all be plausible: an empty last one hides that the others have moved."""
    rows = [[*row[:4], ""] for row in CELLS]
    for number, (cells, message) in enumerate(
        [
            ([*rows[7][:place], "", *rows[7][place:]], "has 6 columns, the header 5: a separator too many"),
            (
                [*rows[7][: place - 1], rows[7][place - 1] + rows[7][place], *rows[7][place + 1 :]],
                "has 4 columns, the header 5",
            ),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        jobs, problems, unprotected = outcome(table([*rows[:7], cells, *rows[8:]]), folder)
        assert (jobs, unprotected, len(problems)) == (19, 1, 1)
        assert f"the row {message}" in problems[0]


def test_short_rows_in_blocks_as_excel_writes_them_are_sound(tmp_path: Path) -> None:
    rows = [[*row[:4], "" if 15 <= number < 31 or number > 46 else "Nights"] for number, row in enumerate(CELLS * 3)]
    rows = [[f"{number}{row[0]}", *(row[1:] if row[4] else row[1:4])] for number, row in enumerate(rows)]

    assert outcome(table(rows), tmp_path) == (60, [], 0)


def test_a_separator_after_each_row_is_sound_unless_something_is_behind_it(tmp_path: Path) -> None:
    rows = [[*row, ""] for row in CELLS]
    rows[3] = [*rows[3][:2], "", *rows[3][2:5]]
    rows[4] = rows[4][:-1]

    jobs, problems, unprotected = outcome(table(rows), tmp_path)

    assert (jobs, unprotected, len(problems)) == (18, 2, 2)


@pytest.mark.parametrize("names", [NAMES[1:], ["x", *NAMES], [NAMES[0] + NAMES[1], *NAMES[2:]]])
def test_a_header_that_fits_no_row_is_told(names: list[str], tmp_path: Path) -> None:
    with pytest.raises(
        FeedUnreadableError, match=r"the header in row 1 has . names, but most rows have 5 cells.*headerRow"
    ):
        outcome(table(CELLS, names), tmp_path)


def test_a_row_without_what_all_others_have_is_told(tmp_path: Path) -> None:
    rows = [*CELLS[:12], ["Clinic", "Phone", "", "", ""], ["Mercy", "555-0100", "", "", ""], *CELLS[12:]]

    jobs, problems, unprotected = outcome(table(rows), tmp_path)

    assert (jobs, unprotected) == (20, 2)
    assert "has no value in 3 columns that other rows have (city, description, state): is it a job?" in problems[0]


@pytest.mark.parametrize("place", range(1, 5))
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_two_stray_quotation_marks(place: int, end: str, delimiter: str, tmp_path: Path) -> None:
    """Each costs its row: reading goes on with the next one, in whatever column they are."""
    text = "Nights and days" if delimiter == "," else "Nights, days, call, weekends, and holidays"
    lines = [delimiter.join([*row[:4], text]) for row in CELLS]
    for number, mark in ((4, '"{}'), (9, '{}"')):
        cells = lines[number].split(delimiter)
        cells[place] = mark.format(cells[place])
        lines[number] = delimiter.join(cells)
    text = end.join([delimiter.join(NAMES), *lines, ""])

    jobs, problems, unprotected = outcome(text, tmp_path)

    assert (jobs, unprotected) == (18, 2)
    assert all("a quotation mark in the wrong place" in problem for problem in problems)


@pytest.mark.parametrize(("first", "last"), [(1, 2), (1, 4), (4, 1), (2, 4)])
def test_two_stray_quotation_marks_in_different_columns(first: int, last: int, tmp_path: Path) -> None:
    lines = [",".join([*row[:4], "Nights and days"]) for row in CELLS]
    for number, place, mark in ((4, first, '"{}'), (9, last, '{}"')):
        cells = lines[number].split(",")
        cells[place] = mark.format(cells[place])
        lines[number] = ",".join(cells)

    _, problems, unprotected = outcome("\n".join([",".join(NAMES), *lines, ""]), tmp_path)

    assert unprotected == 2
    assert len(problems) == 2


@pytest.mark.parametrize("name", ["title", "city", "state", "referenceNumber", "postalCode"])
def test_a_line_break_in_a_field_of_one_line(name: str, tmp_path: Path) -> None:
    names = [*NAMES, "postalCode"]
    rows = [[*row, "17603"] for row in CELLS]
    rows[7][names.index(name)] = "a\nb"

    jobs, problems, unprotected = outcome(table(rows, names), tmp_path)

    assert (jobs, unprotected) == (19, 1)
    assert problems == [f"the row has a line break in {name}: is a quotation mark in the wrong place?"]


def test_a_mapped_column_is_of_one_line_too(tmp_path: Path) -> None:
    rows = [row.copy() for row in CELLS]
    rows[7][1] = "a\nb"
    text = table(rows, ["referenceNumber", "Job Name", "city", "state", "title"])

    payload = payload_of({"jobs.csv": text.encode()}, tmp_path, fields={"Job Name": "title", "title": "description"})

    assert problems_of(payload)[0].startswith("jobs.csv row 9: the row has a line break in Job Name")


@pytest.mark.parametrize(
    "text",
    [
        "Nights\nWeekends, and holidays",
        "<p>A, b</p>\n<p>C, d, e, f</p>\n",
        "BLS, ACLS, PALS, NRP, TNCC\nBLS, ACLS, PALS, NRP",
        "- 12 h\n- 8 h, nights, days, weekends, holidays\n\n- no call, ever",
    ],
)
def test_a_text_of_several_lines_is_sound(text: str, tmp_path: Path) -> None:
    assert outcome(table([[*row[:4], text] for row in CELLS]), tmp_path) == (20, [], 0)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([*NAMES[:4], "shift", "description"], "Great job.\nBLS, ACLS, PALS, NRP, TNCC, CCRN"),
        (["title", "description", "referenceNumber", "city", "state"], "Great place\nNights, days"),
        (["state", "city", "description", "referenceNumber", "title"], "Great place\nBLS, ACLS, PALS"),
        (["title", "description", "referenceNumber", "city", "state"], "Great place\n1,000 beds"),
        (["description", *NAMES[:4]], "Nights, days, call, weekends, holidays\nBLS, ACLS, PALS, NRP, TNCC\nAsk us"),
    ],
)
def test_a_list_in_a_text_of_few_lines_is_sound(names: list[str], text: str, tmp_path: Path) -> None:
    """It has as many separators as its row has columns before it, but they are followed by spaces, as in prose."""
    rows = [dict(zip(NAMES, row, strict=True)) | {"description": text, "shift": "Nights"} for row in CELLS]

    assert outcome(table([[row[name] for name in names] for row in rows], names), tmp_path) == (20, [], 0)


@pytest.mark.parametrize("place", range(4))
def test_two_stray_quotation_marks_where_reference_numbers_have_many_shapes(place: int, tmp_path: Path) -> None:
    """They may also be in the first column, if it is not of one line."""
    shapes = ["LT-12-{}", "AB{}C", "{}X", "Q-{}-2", "7{}"]
    lines = [f"Mercy,ICU,Nights,MD,{shapes[number % 5].format(number)},CRNA" for number in range(20)]
    if place:
        lines = [f"{line.split(',')[4]},ICU,Nights,MD,Mercy,CRNA" for line in lines]
    for number, mark in ((4, '"{}'), (8, '{}"')):
        cells = lines[number].split(",")
        cells[place] = mark.format(cells[place])
        lines[number] = ",".join(cells)
    first, other = ("referenceNumber", "facility") if place else ("facility", "referenceNumber")

    jobs, problems, unprotected = outcome(
        "\n".join([f"{first},specialty,shift,license,{other},title", *lines]), tmp_path
    )

    assert (jobs, unprotected, len(problems)) == (18, 2, 2)


# The last value


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["title", "referenceNumber"], [f"J{number:03d}" for number in range(12)]),
        (["referenceNumber", "title", "startDate"], ["2024-03-02"] * 12),
        (["referenceNumber", "title", "state"], ["PA"] * 12),
    ],
)
def test_a_table_that_is_cut_in_its_last_value(names: list[str], values: list[str], tmp_path: Path) -> None:
    first = [f"J{number:03d}" if names[0] == "referenceNumber" else "CRNA" for number in range(12)]
    rows = [[reference, *["x"] * (len(names) - 2), value] for reference, value in zip(first, values, strict=True)]
    whole = table(rows, names, end="\n").removesuffix("\n")
    for number, cut in enumerate(range(1, len(values[-1]) + 1)):
        folder = tmp_path / str(number)
        folder.mkdir()
        jobs, problems, unprotected = outcome(whole[:-cut], folder)
        assert (jobs, unprotected) == (11, 1)
        assert "is the last one, has no line end, and its last value may be cut off" in problems[0]


@pytest.mark.parametrize("names", [NAMES, ["title", "city", "description", "state", "referenceNumber"]])
def test_a_table_without_a_line_end_at_its_end_is_sound(names: list[str], tmp_path: Path) -> None:
    rows = [[dict(zip(NAMES, row, strict=True))[name] for name in names] for row in CELLS]

    assert outcome(table(rows, names).removesuffix("\r\n"), tmp_path) == (20, [], 0)


# Several tables


def test_a_header_that_is_repeated(tmp_path: Path) -> None:
    jobs, problems, unprotected = outcome(table(CELLS[:10]) + "\ufeff" + table(CELLS[10:]), tmp_path)

    assert (jobs, unprotected) == (20, 1)
    assert problems == ["the row repeats the header of row 1: were several exports put together?"]


def test_a_second_table_with_other_columns(tmp_path: Path) -> None:
    names = ["title", "referenceNumber", "city", "state", "description"]
    text = table(CELLS) + table([[row[1], f"X{row[0]}", *row[2:]] for row in CELLS[:3]], names)

    jobs, problems, unprotected = outcome(text, tmp_path)

    assert (jobs, unprotected) == (20, 4)
    assert problems[1] == "the row is below another header, in row 22, with other columns"


# Reference numbers


@pytest.mark.parametrize(
    "reference",
    [
        "1.23457E+11", "1E+12", "1,2E+08", "1.23457E11", "1.0E7", "J\ufffd1", '="A"&B2&"C"', '="A', "1234567890123456.0", 1234567890123456.0, 1e16, "#N/A", "#REF!", "####", "N/A", "NA", "null", "NaN",
        "none", "<NA>", "-", "\u200b", '="N/A"', "J\n1", "J\t1", "J\ue0001", "[object Object]", "<b>J1</b>", "J&nbsp;1", "Fatal error: x", "x" * 200 + " " + "y" * 100, "SQLSTATE[HY000]: General error",
        "Warning: Undefined variable", "Traceback (most recent call last):", "no rows selected", "ORA-01555: snapshot too old", "Msg 8115",
    ],
)  # fmt: skip
def test_a_garbled_reference_number(reference: object, tmp_path: Path) -> None:
    payload = payload_of(
        {"a.jsonl": jsonl({"referenceNumber": reference, "title": "t"}, {"referenceNumber": "b", "title": "t"})},
        tmp_path,
        deleteJobs=True,
    )
    assert (payload.jobs, payload.invalid, payload.unprotected) == (1, 1, 1)
    assert problems_of(payload)[0].startswith("a.jsonl row 1: referenceNumber ")


@pytest.mark.parametrize("reference", ["N/A", "NA", "NULL", "nan", "none", "-", "#N/A", '="N/A"', "\u200b"])
def test_a_word_for_none_is_a_missing_reference_number(reference: str, tmp_path: Path) -> None:
    payload = payload_of({"a.jsonl": jsonl({"referenceNumber": reference, "title": "t"})}, tmp_path)

    assert problems_of(payload) == [f'a.jsonl row 1: referenceNumber is missing: "{reference}" stands for none']


#: What spreadsheets and clipboards make of a reference number, and the number.
REFERENCES = [
    ('="00123"', "00123"), ('=""00123""', "00123"), ('= "LT 1"', "LT 1"), ("'00123", "00123"), ("'00123-A", "00123-A"), ("1234.0", "1234"), ("00123.00", "00123"),
    ("\u200bJ1", "J1"), ("J\u200d1", "J1"), ("\ufeffJ1", "J1"), ("J\u00a01", "J1"), ("J\u00ad1", "J1"), ("\u202eJ1", "J1"), ("J\u20601", "J1"), ("J\u31641", "J1"),
    ("J\ufe0f1", "J1"), ("J\u20031", "J1"), ("\ufeff='1'", "='1'"), ('\ufeff="1234.0"', "1234"), (1234.0, "1234"), (1234, "1234"),
]  # fmt: skip


@pytest.mark.parametrize(("reference", "number"), REFERENCES)
def test_a_reference_number_is_corrected_wherever_it_is_used(reference: object, number: str, tmp_path: Path) -> None:
    payload = payload_of({"a.jsonl": jsonl({"referenceNumber": reference, "title": "t"})}, tmp_path, deleteJobs=True)

    assert (payload.jobs, payload.invalid, payload.unprotected) == (1, 0, 0)
    assert jobs_of(payload) == [{"referenceNumber": number, "title": "t"}]
    assert number in payload.references
    assert len(payload.references) == 1
    assert payload.warnings >= 1
    assert f'sent as "{number}"' in " ".join(warnings_of(payload))


def test_two_ways_to_write_one_reference_number_contradict_each_other(tmp_path: Path) -> None:
    rows = [{"referenceNumber": "1234", "title": "CRNA"}, {"referenceNumber": '="1234.0"', "title": "NP"}]

    payload = payload_of({"a.jsonl": jsonl(*rows, {"referenceNumber": "b"})}, tmp_path, deleteJobs=True)

    assert (payload.jobs, payload.invalid, payload.unprotected) == (1, 2, 2)


def test_a_row_with_an_error_that_the_board_would_publish_is_never_sent(tmp_path: Path) -> None:
    rows = [
        {"referenceNumber": "a", "title": "#REF!"},
        {"referenceNumber": "b", "state": "MC"},
        {"referenceNumber": "c"},
    ]

    payload = payload_of({"a.jsonl": jsonl(*rows)}, tmp_path, deleteJobs=True)

    assert [job["referenceNumber"] for job in jobs_of(payload)] == ["b", "c"]
    assert payload.unprotected == 1


@pytest.mark.parametrize(
    "reference",
    [
        "1", "00123", "E12", "12E4", "12.E4", "MSG-81", "12E+", "LT-1001", "ORA-03113", "Job 12", "MD/PA #7", "=1+1", "a.b@c", "é", "漢字", "1.5",
        "Error-7", "https://example.com/?p=1", "{8F2C-44}", "A&B;C", "NAN1", "x_y~z", "\U0001f642", "'A", "12.50",
    ],
)  # fmt: skip
def test_a_reference_number_that_may_be_right(reference: str) -> None:
    assert fault_of(reference) is None


def test_each_row_with_a_misplaced_quotation_mark_is_a_problem_even_if_many_follow_each_other() -> None:
    good = "".join(f"A{number},title,York\n" for number in range(100))
    bad = "".join(f'B{number},"some" title,York\n' for number in range(50))
    jobs, problems, _ = read("jobs.csv", f"referenceNumber,title,city\n{good}{bad}Z1,title,York\n".encode())
    assert [job["referenceNumber"] for job in jobs] == [*(f"A{number}" for number in range(100)), "Z1"]
    assert [problem.split(":")[0] for problem in problems] == [f"jobs.csv row {number}" for number in range(102, 152)]
