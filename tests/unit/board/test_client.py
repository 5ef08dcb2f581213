"""The body of a create request."""

import json
from pathlib import Path

import pytest

from jobferry.board.client import RequestBody


@pytest.mark.parametrize("count", [0, 1, 2, 50_000])
def test_the_body_is_what_the_page_says_and_as_long_as_it_says(tmp_path: Path, count: int) -> None:
    jobs = [{"referenceNumber": f"R{number}", "title": "a\nb"} for number in range(count)]
    path = tmp_path / "jobs.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    body = RequestBody(path, 'https://x/callbacks/a?token="0', delete_jobs=count == 2)
    for _ in range(2):  # a second attempt sends it again
        text = b"".join(body)
        assert len(text) == len(body)
        assert json.loads(text) == {
            "callbackUrl": 'https://x/callbacks/a?token="0',
            "deleteJobs": count == 2,
            "jobs": jobs,
        }
