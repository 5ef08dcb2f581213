"""Exports of ten kinds: what is proposed for each, and that it is enough to send the jobs.

A folder in `exports` has an export and `expected.json`: `fields` is the mapping that a person would write, also of the
fields with the board's own names. Nothing else may be proposed.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from jobferry.suggestion.places import Suggestion, suggest
from jobferry.suggestion.terms import Terms
from tests.feeds import LOCUMS, Objects, listed, payload_of, problems_of

FOLDERS: Final = sorted((Path(__file__).parent / "exports").iterdir())
every_export = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def objects_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "expected.json"}


def expected_in(folder: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return expected


def suggested_for(objects: dict[str, bytes]) -> Suggestion:
    return suggest(listed(objects), Objects(objects), Terms([LOCUMS]))


def fields_of(found: Suggestion) -> dict[str | None, str | None]:
    return {guess.source: guess.field for guess in found.guesses if guess.setting == "fields"}


@every_export
def test_no_field_is_guessed_wrong(folder: Path) -> None:
    found = fields_of(suggested_for(objects_in(folder)))
    assert found.items() <= expected_in(folder)["fields"].items()


def test_nine_of_ten_fields_are_found() -> None:
    right = [len(fields_of(suggested_for(objects_in(folder)))) for folder in FOLDERS]
    wanted = [len(expected_in(folder)["fields"]) for folder in FOLDERS]
    assert len(FOLDERS) == 10
    assert sum(right) >= 0.9 * sum(wanted)


@every_export
def test_the_place_of_the_jobs_and_the_boards_words_are_found(folder: Path) -> None:
    settings, expected = dict(suggested_for(objects_in(folder)).settings), expected_in(folder)
    settings.pop("fields", None)
    assert settings.pop("values", {}) == expected.get("values", {})
    assert settings == expected.get("settings", {})


@every_export
def test_what_cannot_be_mapped_is_left_open(folder: Path) -> None:
    found = suggested_for(objects_in(folder)).open
    for beginning in expected_in(folder).get("open", []):
        assert any(beginning in sentence for sentence in found), found


@every_export
def test_with_the_proposal_every_job_is_sent(folder: Path, tmp_path: Path) -> None:
    objects = objects_in(folder)
    found = suggested_for(objects)
    payload = payload_of(objects, tmp_path, **found.settings)
    assert (problems_of(payload), payload.jobs, found.rows) == ([], 6, 6)
