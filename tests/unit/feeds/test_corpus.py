"""What feeds have been seen to be: a folder each in corpus/, with its feed.json, and in expected.json what it comes to.

A new find is a new folder. Every message there was read by a person, since a person has to act on it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from jobferry.errors import FeedError
from jobferry.feeds.settings import parse_settings
from jobferry.payload.sendable import reason_not_to_send
from tests.feeds import jobs_of, payload_of, problems_of, warnings_of

CORPUS = Path(__file__).parent / "corpus"
OURS = ("feed.json", "expected.json")
FOLDERS = sorted(path.name for path in CORPUS.iterdir())


def outcome(folder: Path, directory: Path) -> dict[str, Any]:
    """What the feed in a folder comes to, as expected.json says it."""
    given = json.loads((folder / "feed.json").read_bytes()) if (folder / "feed.json").exists() else {}
    objects = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name not in OURS}
    try:
        payload = payload_of(objects, directory, **given)
    except FeedError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    found: dict[str, Any] = {
        "jobs": jobs_of(payload),
        "problems": problems_of(payload),
        "warnings": warnings_of(payload),
    }
    if reason := reason_not_to_send(payload, parse_settings(json.dumps(given).encode(), "feed.json")):
        found["reason"] = reason
    if given.get("deleteJobs"):
        found["unprotected"] = payload.unprotected
    return found


@pytest.mark.parametrize("name", FOLDERS)
def test_a_feed_that_was_seen(name: str, tmp_path: Path) -> None:
    expected = json.loads((CORPUS / name / "expected.json").read_bytes())

    assert expected.pop("about")
    assert outcome(CORPUS / name, tmp_path) == expected


def test_the_corpus_is_small_and_there() -> None:
    assert len(FOLDERS) > 30
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 100_000
