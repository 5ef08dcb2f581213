"""Corrected jobs are checked on this machine as SubmitImport will check them."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobferry.cli.retrying import checked
from tests.fakes import MemoryBucket
from tests.feeds import jsonl, warnings_of
from tests.records import an_import


@pytest.mark.parametrize(("host", "warned"), [("www.travelnursesource.com", 0), ("www.locumjobsonline.com", 1)])
def test_terms_are_compared_with_the_lists_of_the_retried_imports_board(tmp_path: Path, host: str, warned: int) -> None:
    stack: Any = SimpleNamespace(bucket=MemoryBucket())
    corrected = tmp_path / "corrected.jsonl"
    corrected.write_bytes(jsonl({"referenceNumber": "a", "license": "RN"}))

    record = an_import(
        import_id="default-20261124T020000Z",
        feed="default",
        created_at=datetime(2026, 11, 24, 2, tzinfo=UTC),
        state="complete",
        board=f"https://{host}/api/v2.0",
    )
    with checked(corrected, record, stack) as (payload, _):
        assert len(warnings_of(payload)) == warned
