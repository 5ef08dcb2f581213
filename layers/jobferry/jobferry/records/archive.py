"""The keys of the archive, which keeps objects for 90 days: `archive/{feed}/{importId}`, and what the object holds.

A mark identifies one reading of the feed: two simultaneous readings for one import must not overwrite each other.
"""

import re
from datetime import datetime
from typing import Final

from jobferry.records.imports import Import, Prepared, id_time

#: The keys that `retry_key` returns.
RETRY_KEY: Final = re.compile(r"archive/(?P<feed>[^/]+)/(?P<retried>[^/.]+)\.retry-(?P<time>[0-9]{8}T[0-9]{6}Z)\.jsonl")


def payload_key(feed: str, import_id: str, mark: str) -> str:
    """Return the key of the jobs as they are sent."""
    return _key(feed, f"{import_id}.{mark}.jsonl.gz")


def manifest_key(feed: str, import_id: str, mark: str) -> str:
    """Return the key of the list that says where in the feed each job stands."""
    return _key(feed, f"{import_id}.{mark}.manifest.jsonl.gz")


def live_set_key(feed: str, import_id: str, mark: str) -> str:
    """Return the key of a run's live set."""
    return _key(feed, f"{import_id}.{mark}.live.jsonl.gz")


def deletion_list_key(prepared: Prepared) -> str | None:
    """Return the key of the full list of deletions; None if there is no live set."""
    return prepared.live_set.replace(".live.", ".deletes.") if prepared.live_set else None


def html_key(record: Import) -> str:
    """Return the key of the report's page."""
    return _key(record.feed, f"{record.import_id}.report.html")


def csv_key(record: Import) -> str:
    """Return the key of the report's table."""
    return _key(record.feed, f"{record.import_id}.report.csv")


def retry_key(feed: str, import_id: str, at: datetime) -> str:
    """Return the key of an import's corrected jobs, uploaded at this time."""
    return _key(feed, f"{import_id}.retry-{id_time(at)}.jsonl")


def _key(feed: str, name: str) -> str:
    return f"archive/{feed}/{name}"
