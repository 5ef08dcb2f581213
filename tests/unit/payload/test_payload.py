"""The files of a payload: parts, archives, manifests; when nothing is to be sent; and a disk that is full."""

import errno
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from jobferry.errors import FeedTooLargeError, FeedUnreadableError
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.vocabulary import NOTHING_LISTED
from jobferry.payload import build as payload_module
from jobferry.payload.build import pack, spool
from jobferry.payload.payload import Part, Payload
from jobferry.payload.reference_set import ReferenceSet
from jobferry.payload.sendable import reason_not_to_send
from tests.feeds import Objects, jobs_of, jsonl, listed, payload_of, table


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_one_part_with_its_archive_and_manifest(tmp_path: Path) -> None:
    rows = [
        {"referenceNumber": "a", "title": "t" * 300, "description": "one\u2028two"},
        {"referenceNumber": "b", "state": "Texas"},
    ]

    payload = payload_of({"jobs.jsonl": jsonl(*rows)}, tmp_path)

    (part,) = payload.parts
    assert part.jobs == payload.jobs == 2
    assert part.body.read_bytes() == (
        b'{"referenceNumber":"a","title":"'
        + b"t" * 300
        + '","description":"one\u2028two"}\n'.encode()
        + b'{"referenceNumber":"b","state":"TX"}\n'
    )
    assert gzip.decompress(part.archive.read_bytes()) == part.body.read_bytes()
    assert lines(part.manifest) == [
        {"referenceNumber": "a", "title": "t" * 200, "key": "jobs.jsonl", "row": 1, "line": None},
        {"referenceNumber": "b", "title": None, "key": "jobs.jsonl", "row": 2, "line": None},
    ]


@pytest.mark.parametrize(
    ("limit", "sizes"), [(None, [7]), (8, [7]), (7, [7]), (6, [6, 1]), (3, [3, 3, 1]), (1, [1] * 7)]
)
def test_a_larger_feed_is_split(tmp_path: Path, limit: int | None, sizes: list[int]) -> None:
    rows: list[dict[str, Any]] = [{"referenceNumber": str(number)} for number in range(7)]
    invalid = {"referenceNumber": "x", "state": "MC"}

    payload = payload_of(
        {"a.jsonl": jsonl(*rows[:4], invalid), "b.csv": table(*rows[4:])}, tmp_path, maxJobsPerImport=limit
    )

    assert [part.jobs for part in payload.parts] == sizes
    assert jobs_of(payload) == rows
    assert [len(part.body.read_bytes().splitlines()) for part in payload.parts] == sizes
    assert all(gzip.decompress(part.archive.read_bytes()) == part.body.read_bytes() for part in payload.parts)
    manifest = [line for part in payload.parts for line in lines(part.manifest)]
    assert [(line["referenceNumber"], line["key"], line["row"]) for line in manifest] == [
        *((str(number), "a.jsonl", number + 1) for number in range(4)),
        *((str(number), "b.csv", number - 2) for number in range(4, 7)),
    ]
    assert (payload.rows, payload.jobs, payload.invalid) == (8, 7, 1)


def test_repeated_numbers_do_not_count_towards_a_part(tmp_path: Path) -> None:
    rows = [{"referenceNumber": each} for each in "aababcdd"]

    payload = payload_of({"a.jsonl": jsonl(*rows)}, tmp_path, maxJobsPerImport=2)

    assert [part.jobs for part in payload.parts] == [2, 2]
    assert [job["referenceNumber"] for job in jobs_of(payload)] == ["a", "b", "c", "d"]
    assert payload.jobs == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "held.jsonl",
        "part-1.jsonl",
        "part-1.jsonl.gz",
        "part-1.manifest.jsonl.gz",
        "part-2.jsonl",
        "part-2.jsonl.gz",
        "part-2.manifest.jsonl.gz",
        "problems.jsonl",
    ]


def test_no_job_no_part(tmp_path: Path) -> None:
    payload = payload_of({"jobs.csv": b"referenceNumber,title\n"}, tmp_path)

    assert (payload.parts, payload.rows, payload.jobs) == ([], 0, 0)
    assert reason_not_to_send(payload, FeedSettings()) == "the feed's files contain no job"


@pytest.mark.parametrize(
    ("rows", "invalid", "percent", "reason"),
    [
        (0, 0, 20, "the feed's files contain no job"),
        (10, 10, 100, "the feed has no valid job"),
        (10, 2, 20, None),
        (10, 3, 20, "3 of 10 jobs have problems, more than 20 % (maxInvalidPercent)"),
        (10_000, 1, 0, "1 of 10,000 jobs have problems, more than 0 % (maxInvalidPercent)"),
        (10_000, 0, 0, None),
        (10_000, 9_999, 100, None),
        (1001, 201, 20, "201 of 1,001 jobs have problems, more than 20 % (maxInvalidPercent)"),
    ],
)
def test_when_nothing_is_to_be_sent(tmp_path: Path, rows: int, invalid: int, percent: int, reason: str | None) -> None:
    payload = Payload([], [], tmp_path / "problems", ReferenceSet(), rows=rows, invalid=invalid)

    assert reason_not_to_send(payload, FeedSettings(maxInvalidPercent=percent)) == reason


def test_invalid_jobs_that_are_sent_do_not_make_a_feed_valid(tmp_path: Path) -> None:
    payload = payload_of({"jobs.jsonl": jsonl({"referenceNumber": "a", "state": "MC"})}, tmp_path, deleteJobs=True)

    assert payload.jobs == 1
    assert reason_not_to_send(payload, FeedSettings(deleteJobs=True)) == "the feed has no valid job"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("where", ["spool", "pack"])
def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, number: int) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(number, "No space left on device")

    monkeypatch.setattr(payload_module, where, full)

    with pytest.raises(
        FeedTooLargeError, match=r"does not fit on the function's disk \(/tmp\): give SubmitImport more"
    ):
        payload_of({"jobs.jsonl": jsonl({"referenceNumber": "a"})}, tmp_path)


def test_a_disk_that_is_really_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """/dev/full is one: writing fails when what is buffered goes out, even if that is when the file is closed."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this machine")
    (tmp_path / "jobs.jsonl").symlink_to("/dev/full")

    for jobs in (1, 50_000):
        with pytest.raises(FeedTooLargeError, match="does not fit on the function's disk"):
            payload_of({"a.jsonl": jsonl(*({"referenceNumber": str(number)} for number in range(jobs)))}, tmp_path)


def test_another_error_of_the_disk_is_not_taken_for_a_full_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(payload_module, "spool", broken)

    with pytest.raises(OSError, match="Input/output error"):
        payload_of({"jobs.jsonl": jsonl({"referenceNumber": "a"})}, tmp_path)


def test_a_payload_can_be_spooled_without_its_archive(tmp_path: Path) -> None:
    objects = {"jobs.jsonl": jsonl({"referenceNumber": "a"})}
    reader = Objects(objects)

    payload = spool(listed(objects), reader, FeedSettings(), tmp_path, NOTHING_LISTED)

    (part,) = payload.parts
    assert part.body.read_bytes() == b'{"referenceNumber":"a"}\n'
    assert not part.archive.exists()
    pack(part)
    assert gzip.decompress(part.archive.read_bytes()) == b'{"referenceNumber":"a"}\n'
    assert isinstance(part, Part)


def test_every_stream_is_closed(tmp_path: Path) -> None:
    opened = []

    class Watched(Objects):
        def open_object(self, obj: Any) -> Any:
            opened.append(super().open_object(obj))
            return opened[-1]

    objects = {"a.jsonl": jsonl({"referenceNumber": "a"}), "b.jsonl": b"{"}
    with pytest.raises(FeedUnreadableError, match="is cut off"):
        spool(listed(objects), Watched(objects), FeedSettings(), tmp_path, NOTHING_LISTED)
    assert [stream.closed for stream in opened] == [True, True]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (' {"referenceNumber" : "\\u00e9 \\"",\t"state":"PA"} \r', '{"referenceNumber":"é \\"","state":"PA"}'),
        ('{"referenceNumber": "a", "x": 1, "y": true}', '{"referenceNumber":"a","x":1,"y":true}'),
        ('{"referenceNumber": "a\u00a0"}', '{"referenceNumber":"a"}'),
        ('{"referenceNumber": "a", "employmentType": ["b", "c "]}', '{"referenceNumber":"a","employmentType":["b","c"]}'),
        ('{"referenceNumber": "a", "referenceNumber": "a"}', '{"referenceNumber":"a"}'),
        ('{"title": "b\\\\", "title": "b\\\\", "referenceNumber": "a"}', '{"referenceNumber":"a","title":"b\\\\"}'),
        ('{"referenceNumber": "a", "x": null}', '{"referenceNumber":"a"}'),
        ('{"referenceNumber": "a", "hoursPerShift": -0}', '{"referenceNumber":"a","hoursPerShift":0}'),
        ('{"referenceNumber": "a", "x": 1e3}', '{"referenceNumber":"a","x":1000.0}'),
        ('{"referenceNumber":\r "a"}', '{"referenceNumber":"a"}'),
        ('{"referenceNumber": "a\\u0001"}', '{"referenceNumber":"a"}'),
    ],
)  # fmt: skip
def test_every_job_is_serialized_anew(tmp_path: Path, text: str, sent: str) -> None:
    payload = payload_of({"jobs.jsonl": text.encode()}, tmp_path)

    (part,) = payload.parts
    assert part.body.read_text() == sent + "\n"


def test_a_job_over_several_lines_is_sent_on_one(tmp_path: Path) -> None:
    payload = payload_of({"jobs.json": b'[{\n"referenceNumber": "a"},\r\n{"referenceNumber":\n"b"}]'}, tmp_path)

    (part,) = payload.parts
    assert part.body.read_bytes() == b'{"referenceNumber":"a"}\n{"referenceNumber":"b"}\n'


def test_a_title_and_a_key_of_any_characters_are_in_the_manifest(tmp_path: Path) -> None:
    payload = payload_of({'%b "ü"\n.jsonl': jsonl({"referenceNumber": '"', "title": "%b\n\u2028."})}, tmp_path)

    (part,) = payload.parts
    assert lines(part.manifest) == [
        {"referenceNumber": '"', "title": "%b\n\u2028.", "key": '%b "ü"\n.jsonl', "row": 1, "line": None}
    ]
