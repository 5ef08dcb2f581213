"""`jobferry suggest`: from an unknown export to settings with which validate is content."""

import json
import sys
from pathlib import Path

import pytest

from jobferry.cli import commands
from tests.unit.cli.person import Person

EXPORT = """\
Job #,Job Title,ST,Specialty,Location,Start
J-1,Family physician,PA,Family Medicine,"Lancaster, PA",2027-01-04
J-2,Internist,MA,Internal Medicine,"Boston, MA",2027-01-11
J-3,Internist,Texas,Internal Medicine,"El Paso, TX",ASAP
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.csv"
    path.write_text(EXPORT)
    return path


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said to the standard error by a command that cannot be done."""
    monkeypatch.setattr(sys, "argv", ["jobferry", "suggest", *arguments])
    with pytest.raises(SystemExit) as exit_:
        commands.main()
    assert exit_.value.code == 2
    return capsys.readouterr().err


def test_each_guess_has_its_reason_and_the_rest_is_open(person: Person, export: Path) -> None:
    assert person("suggest", str(export)).splitlines() == [
        "Read 3 rows.",
        '  referenceNumber from "Job #": the name means referenceNumber, and all values are different',
        '  title from "Job Title": the name means title',
        '  state from "ST": the name means state, and all 3 values are states',
        '  specialty from "Specialty": the name is the board\'s, written differently',
        '  startDate from "Start": the name means startDate, and 2 of 3 values are dates',
        '  specialty "Family Medicine" becomes "Family Practice": the board\'s list has "Family Practice"',
        "",
        "Open:",
        '  startDate: "Start" has values that are not dates: 1 of 3, such as "ASAP".',
        '  "Location" holds a city and a state together, such as "Lancaster, PA". Export them in columns of their own.',
        "  No column was recognized as city, postalCode, description, requirements, license, shift, shiftType, shiftsPerWeek,",
        "      hoursPerShift, payAmountMin, payAmountMax, payFrequency, employmentType, durationLength, durationUnit, benefits.",
        '      If the export has one of them, add its column to "fields".',
        '  Not used, and sent as they are: "Location".',
        "",
        "feed.json:",
        "{",
        '  "fields": {',
        '    "Job #": "referenceNumber",',
        '    "Job Title": "title",',
        '    "ST": "state",',
        '    "Specialty": "specialty",',
        '    "Start": "startDate"',
        "  },",
        '  "values": {',
        '    "specialty": {',
        '      "Family Medicine": "Family Practice"',
        "    }",
        "  }",
        "}",
        "",
        "To save it, repeat the command with --write.",
    ]
    assert person.status == 0
    assert [path.name for path in export.parent.iterdir()] == ["jobs.csv"]


def test_what_is_written_is_what_validate_reads(person: Person, export: Path) -> None:
    said = person("suggest", str(export.parent), "--write")
    assert said.endswith(f"To check what would be sent:\n  jobferry validate {export.parent}\n")
    checked = json.loads(person("validate", str(export.parent), "--json"))
    assert [job["title"] for job in checked["firstJobs"]][:2] == ["Family physician", "Internist"]
    assert checked["firstJobs"][0]["specialty"] == "Family Practice"


def test_a_terminal_obeys_no_name_of_a_column(person: Person, export: Path) -> None:
    export.write_text("Größe Job ID,Job\u202eTitle\na,CRNA\n")
    said = person("suggest", str(export), "--write")
    assert said.replace("\n", "").isprintable()
    settings = json.loads((export.parent / "feed.json").read_text())
    assert [*settings["fields"]] == ["Job\u202eTitle"]


def test_settings_for_one_file_are_written_beside_it(person: Person, export: Path) -> None:
    settings = export.parent / "feed.json"
    assert person("suggest", str(export), "--write").endswith(f"\n  jobferry validate {export} --settings {settings}\n")
    assert json.loads(settings.read_text())["fields"]["Job #"] == "referenceNumber"


def test_settings_that_exist_are_never_overwritten(
    export: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = export.parent / "feed.json"
    settings.write_text('{"paused": true}')
    said = refusal(monkeypatch, capsys, str(export), "--write")
    assert said == f"jobferry: {settings} exists, and is never overwritten: rename it first\n"
    assert settings.read_text() == '{"paused": true}'


def test_json_for_programs(person: Person, export: Path) -> None:
    document = json.loads(person("suggest", str(export), "--json"))
    assert set(document) == {"settings", "guesses", "open", "rows", "isCut", "file"}
    assert document["settings"]["fields"]["ST"] == "state"
    assert document["guesses"][0] == {
        "setting": "fields",
        "field": "referenceNumber",
        "source": "Job #",
        "value": "referenceNumber",
        "reason": "the name means referenceNumber, and all values are different",
    }


def test_the_terms_of_one_board_alone_are_used(person: Person, export: Path) -> None:
    found = json.loads(person("suggest", str(export), "--board", "www.travelnursesource.com", "--json"))
    assert "values" not in found["settings"]


def test_without_a_reference_number_something_needs_a_fix(person: Person, export: Path) -> None:
    export.write_text("Name,ST\nCRNA,PA\n")
    assert "no column was recognized as it, and without it no job can be sent" in person("suggest", str(export))
    assert person.status == 1


def test_what_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "none.csv" in refusal(monkeypatch, capsys, str(tmp_path / "none.csv"))
    assert "no feed file" in refusal(monkeypatch, capsys, str(tmp_path))
    (tmp_path / "jobs.csv").write_bytes(b"")
    assert "jobs.csv is empty" in refusal(monkeypatch, capsys, str(tmp_path))
    assert "no lists of terms that jobferry knows" in refusal(
        monkeypatch, capsys, str(tmp_path), "--board", "www.example.com"
    )
