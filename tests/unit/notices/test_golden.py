"""Every kind of notice, as a person gets it. `UPDATE_GOLDEN=1 pytest tests/unit/notices` writes the files anew: read them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest
from jsonschema import Draft202012Validator

from tests.unit.notices.cases import CASES

GOLDEN: Final = Path(__file__).parent / "golden"
SCHEMA: Final = json.loads((Path(__file__).parents[3] / "docs" / "notice.schema.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_notice_is_as_it_was_read_and_found_good(name: str) -> None:
    notice = CASES[name].notice()
    text = f"Subject: {notice.subject}\nSeverity: {notice.attributes['severity']}\n\n{notice.text}"
    data = json.dumps(notice.data, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        (GOLDEN / f"{name}.txt").write_text(text, encoding="utf-8")
        (GOLDEN / f"{name}.json").write_text(data, encoding="utf-8")
    assert text == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert data == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_its_data_is_what_the_schema_says(name: str) -> None:
    data = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(SCHEMA).iter_errors(data)) == []


def test_the_folder_holds_nothing_else() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)
