"""Corrected jobs are checked on this machine as SubmitImport will check them."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobferry.cli.retrying import Exported, checked, lines
from jobferry.notices.failures import Failure, Verdict
from jobferry.records.failed_jobs import FailedJob
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


def test_an_export_is_listed_with_what_is_missing_and_a_command_to_paste() -> None:
    stack: Any = SimpleNamespace(command=lambda words: f"jobferry {words}")
    record: Any = SimpleNamespace(import_id="default-20261124T020000Z")
    known = FailedJob(number=0, reference_number="LT-1", title="Locum", messages=["no such state"])
    found = Failure(known, Verdict.REFUSED, is_new=True, own_messages=['state "MC" is not a state of the USA'])
    nameless = Failure(FailedJob(number=1, messages=["no number", "no title"]), Verdict.REFUSED, is_new=True)

    exported = Exported([found, nameless], held_back=2, unnamed=1)
    assert list(lines(exported, record, stack, Path("to fix.jsonl"))) == [
        "2 jobs in to fix.jsonl, one per line:",
        "",
        "     1  LT-1, Locum",
        '        state "MC" is not a state of the USA',
        "     2  no reference number",
        "        no number; no title",
        "",
        "2 jobs held back before sending: fix them in the export.",
        "1 other failed job cannot be matched to the archive: see `jobferry show default-20261124T020000Z`.",
        "Fix the file, then: jobferry retry default-20261124T020000Z 'to fix.jsonl'",
    ]
