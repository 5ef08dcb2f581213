"""Which objects are part of a feed: a folder on a laptop and the bucket decide alike."""

from pathlib import Path

import pytest

from jobferry.cli.validate import FeedFolder
from jobferry.errors import FeedUnreadableError
from jobferry.feeds.objects import is_of_feed
from tests.feeds import JOBS, payload_of, table
from tests.stage import Stage

NOT_OF_A_FEED = [
    ".DS_Store", "._jobs.csv", "_SUCCESS", "~$jobs.xlsx", "jobs.csv.tmp", "jobs.csv.part", "JOBS.CSV.FILEPART", "jobs.csv.crc",
    "jobs.csv.md5", "jobs.csv.gz.sha256", "_temporary/0/part.csv", "sub/.hidden.csv", "upload.part/jobs.csv", "feed.json",
]  # fmt: skip
OF_A_FEED = [
    "jobs.csv",
    "a_b.csv",
    "x/y/jobs~$.json",
    "tmp/part/jobs.csv",
    "jobs.tmp.csv",
    "sub/feed.json",
    "README.txt",
]


@pytest.mark.parametrize("name", NOT_OF_A_FEED)
def test_what_other_programs_leave_beside_a_feed_is_not_part_of_it(name: str) -> None:
    assert not is_of_feed(name)


@pytest.mark.parametrize("name", OF_A_FEED)
def test_any_other_object_is_part_of_the_feed(name: str) -> None:
    assert is_of_feed(name)


def test_a_folder_and_the_bucket_hold_the_same_objects(tmp_path: Path) -> None:
    stage = Stage()
    for name in (*NOT_OF_A_FEED, *OF_A_FEED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
        stage.put(name, b"{}")

    listed = [each.key for each in FeedFolder(tmp_path).objects()]
    assert sorted(listed) == sorted(OF_A_FEED)
    assert sorted(each.key.removeprefix("feeds/default/") for each in stage.bucket.objects("default")) == sorted(listed)


@pytest.mark.parametrize("name", ["README.txt", "jobs.zip"])
def test_any_file_that_is_not_a_feed_stops_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(FeedUnreadableError, match=rf"^{name} has a name that ends in none of a feed's formats"):
        payload_of({"jobs.csv": table(*JOBS), name: b"x"}, tmp_path)
