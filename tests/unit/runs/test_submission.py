"""Sending a run: what is tried again and for how long, what an answer becomes, parts, dry runs."""

import gzip
import json
from datetime import timedelta

import pytest

from jobferry.errors import BoardRefusedError, BoardUnknownError, BoardUnreachableError, EventError, SecretError
from jobferry.records.failed_jobs import FailedKind
from jobferry.records.imports import State
from tests.fakes import Request
from tests.stage import FEED, KEY, Stage, job, lines


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.put_jobs("A-1", "A-2", "A-3")
    return stage


class Answers:
    """The board refuses as often as there are errors, then accepts."""

    def __init__(self, stage: Stage, *errors: Exception) -> None:
        self.errors = list(errors)
        self.at: list[float] = []
        self._stage = stage
        self._began = stage.clock()
        stage.board.before_create = self

    def __call__(self, _: Request) -> None:
        self.at.append((self._stage.clock() - self._began).total_seconds())
        if self.errors:
            raise self.errors.pop(0)


def test_the_record_the_archive_and_the_request_agree(stage: Stage) -> None:
    record = stage.run()
    assert record.state is State.PENDING
    assert (record.prepared.jobs, record.prepared.invalid, record.sent.attempts, record.deletions.delete_jobs) == (
        3,
        0,
        1,
        False,
    )
    assert record.sent.board_import_id == "board1"
    assert record.claim.by is None
    assert record.prepared.sources[0]["key"] == "feeds/default/jobs.jsonl"
    assert record.prepared.payload is not None
    archived = gzip.decompress(stage.bucket.contents[record.prepared.payload]).splitlines()
    assert [json.loads(line) for line in archived] == stage.board.requests[0][1].jobs
    assert stage.board.requests[0][1].import_id == record.import_id
    manifest = gzip.decompress(stage.bucket.contents[record.prepared.manifest or ""]).splitlines()
    assert [json.loads(line)["row"] for line in manifest] == [1, 2, 3]


@pytest.mark.parametrize(
    ("host", "warned"),
    [("www.travelnursesource.com", 0), ("www.locumjobsonline.com", 1), ("www.alliedtravelcareers.com", 0)],
)
def test_terms_are_compared_with_the_lists_of_the_accounts_board(stage: Stage, host: str, warned: int) -> None:
    secret = {"apiKey": KEY, "boardUrl": f"https://{host}/api/v2.0"}
    stage.accounts.secrets["BoardApiKey"] = json.dumps(secret)
    stage.put("jobs.jsonl", lines(job("A-1", license="RN")))
    record = stage.run()
    assert sum("RN" in each for each in record.prepared.warned) == warned


@pytest.mark.parametrize(
    "error", [BoardUnreachableError("no connection"), BoardUnreachableError("the board answered 503", status=503)]
)
def test_what_was_certainly_not_accepted_is_tried_again_at_growing_intervals(stage: Stage, error: Exception) -> None:
    answers = Answers(stage, *[error] * 6)
    assert stage.run().state is State.PENDING
    waits = [after - before for before, after in zip(answers.at, answers.at[1:], strict=False)]
    assert len(waits) == 6
    assert all(0.5 * 2**number <= wait <= 2**number for number, wait in enumerate(waits))


def test_the_boards_retry_after_is_honoured(stage: Stage) -> None:
    answers = Answers(stage, BoardUnreachableError("the board answered 429", timedelta(seconds=90), 429))
    assert stage.run().state is State.PENDING
    assert answers.at[1] - answers.at[0] == 90


def test_a_board_that_is_down_all_the_time_rejects_before_the_function_ends(stage: Stage) -> None:
    answers = Answers(stage, *[BoardUnreachableError("no connection to the board")] * 1000)
    record = stage.run()
    assert (record.state, record.ending.cause) == (State.REJECTED, "board-unreachable")
    assert record.ending.reason == "no connection to the board"
    assert 780 < answers.at[-1] < 880, "it was tried as long as there was time, and no longer"
    assert stage.store.get_feed(FEED).open_imports == []
    stage.board.before_create = lambda _: None
    assert stage.complete().state is State.COMPLETE


def test_a_retry_after_beyond_the_functions_time_ends_it_at_once(stage: Stage) -> None:
    answers = Answers(stage, BoardUnreachableError("the board answered 429", timedelta(hours=1), 429))
    assert stage.run().state is State.REJECTED
    assert len(answers.at) == 1


def test_a_refusal_is_recorded_with_the_boards_words(stage: Stage) -> None:
    Answers(stage, BoardRefusedError("the board answered 422: jobs is not a list", 422))
    record = stage.run()
    assert (record.state, record.ending.cause, record.ending.reason) == (
        State.REJECTED,
        "board-refused",
        "the board answered 422: jobs is not a list",
    )
    assert record.open is None


def test_a_rotated_key_is_fetched_again(stage: Stage) -> None:
    stage.run()
    stage.finish()
    stage.board.keys = {"new key"}
    stage.accounts.secrets["BoardApiKey"] = "new-key"
    stage.board.keys = {"new-key"}
    assert stage.run().state is State.PENDING
    assert [request.key for _, request in stage.board.requests] == [KEY, "new-key"]


def test_a_wrong_key_is_asked_for_once_more_and_no_oftener(stage: Stage) -> None:
    stage.board.keys = {"another"}
    answers = Answers(stage)
    record = stage.run()
    assert (record.state, record.ending.cause) == (State.REJECTED, "board-refused")
    assert len(answers.at) == 2


def test_a_missing_secret_blocks_before_anything_is_read(stage: Stage) -> None:
    del stage.accounts.secrets["BoardApiKey"]
    stage.accounts.forget()
    record = stage.run()
    assert (record.state, record.ending.cause) == (State.BLOCKED, "secret")
    assert record.ending.reason is not None
    assert "BoardApiKey" in record.ending.reason


def test_a_secret_that_is_for_another_board_now_gets_no_request(stage: Stage) -> None:
    stage.board.before_create = lambda _: (_ for _ in ()).throw(BoardUnknownError("lost"))
    first = stage.invocation()
    with pytest.raises(BoardUnknownError):
        stage.event({"feed": FEED}, first)
    stage.accounts.secrets["BoardApiKey"] = json.dumps({"apiKey": KEY, "boardUrl": "https://other.example/api"})
    stage.accounts.forget()
    answers = Answers(stage)
    with pytest.raises(SecretError, match=r"the board URL in the secret .* changed after"):
        stage.event({"feed": FEED}, first)
    assert answers.at == []


def test_an_unknown_outcome_fails_the_invocation_and_its_retry_sends_again(stage: Stage) -> None:
    def lose(_: Request) -> None:
        stage.board.after_create = lambda _: None
        raise BoardUnknownError("no answer from the board")

    stage.board.after_create = lose
    first = stage.invocation()
    with pytest.raises(BoardUnknownError):
        stage.event({"feed": FEED}, first)
    stage.clock.forward(minutes=1)
    outcome = stage.event({"feed": FEED}, first)
    assert (outcome.state, outcome.jobs, outcome.submitted) == (State.PENDING, 3, 1)
    assert len(stage.board.requests) == 2
    assert stage.record(outcome.import_id or "").sent.attempts == 2


def test_what_was_made_ready_and_deleted_is_not_sent_and_the_next_run_begins_anew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.put_jobs("A-1")
    with monkeypatch.context() as patched:
        patched.setattr(stage.bucket, "fetch", lambda *_: False)
        record = stage.run()

    assert (record.state, record.ending.cause) == (State.REJECTED, "archive-gone")
    assert record.ending.reason == f"the archived jobs are missing from the bucket: {record.prepared.payload}"
    assert stage.board.requests == []

    stage.complete()
    assert stage.postings() == ["A-1"]


def test_resuming_what_does_not_exist_is_refused(stage: Stage) -> None:
    with pytest.raises(EventError, match="there is no import"):
        stage.event({"feed": FEED, "resume": "default-20261124T020000Z"})
    stage.put_jobs("A-1", feed="default-2")
    theirs = stage.run("default-2").import_id
    with pytest.raises(EventError, match=f"{theirs} is not an import of default"):
        stage.event({"feed": FEED, "resume": theirs})


class TestParts:
    @pytest.fixture(autouse=True)
    def _split(self, stage: Stage) -> None:
        stage.put_jobs(*(f"A-{number}" for number in range(7)))
        stage.put("more.jsonl", lines(job("B-1", state="ZZ")))
        stage.settings(maxJobsPerImport=3)

    def test_each_is_an_import_and_the_run_is_accounted_for_once(self, stage: Stage) -> None:
        outcome = stage.event({"feed": FEED})
        first = outcome.import_id or ""
        assert (outcome.jobs, outcome.invalid, outcome.submitted) == (7, 1, 3)
        records = [stage.record(each) for each in (first, f"{first}-2", f"{first}-3")]
        assert [(each.prepared.jobs, each.prepared.invalid, each.parts) for each in records] == [
            (3, 1, 3),
            (3, 0, 1),
            (1, 0, 1),
        ]
        assert [each.state for each in records] == [State.PENDING] * 3
        assert stage.store.get_feed(FEED).open_imports == [each.import_id for each in records] or set(
            stage.store.get_feed(FEED).open_imports
        ) == {each.import_id for each in records}
        assert [failed.reference_number for failed in stage.store.read_failed(first, FailedKind.INVALID)] == ["B-1"]
        assert not list(stage.store.read_failed(f"{first}-2", FailedKind.INVALID))
        stage.finish()
        assert stage.postings() == [f"A-{number}" for number in range(7)]
        assert stage.store.get_feed(FEED).open_imports == []
        assert stage.live_set() == [f"A-{number}" for number in range(7)]

    def test_the_feed_is_open_until_the_last_has_ended(self, stage: Stage) -> None:
        stage.run()
        one = stage.board.process()
        assert one is not None
        stage.call_back(one)
        assert stage.run().state is State.SKIPPED

    def test_what_was_not_sent_is_sent_by_the_retry_from_the_archive(self, stage: Stage) -> None:
        invocation = stage.invocation()

        def refuse_the_second(request: Request) -> None:
            if request.import_id.endswith("-2"):
                raise BoardUnknownError("lost")

        stage.board.before_create = refuse_the_second
        with pytest.raises(BoardUnknownError):
            stage.event({"feed": FEED}, invocation)
        stage.board.before_create = lambda _: None
        stage.put_jobs("other")  # what is sent is what was archived
        outcome = stage.event({"feed": FEED}, invocation)
        assert (outcome.jobs, outcome.submitted) == (7, 2)
        stage.finish()
        assert stage.postings() == [f"A-{number}" for number in range(7)]

    def test_what_the_retries_left_is_gone_on_with_by_the_poller(self, stage: Stage) -> None:
        def refuse(request: Request) -> None:
            if request.import_id.endswith(("-2", "-3")):
                raise BoardUnknownError("lost")

        stage.board.before_create = refuse
        with pytest.raises(BoardUnknownError):
            stage.event({"feed": FEED})
        stage.board.before_create = lambda _: None
        stage.poll(minutes=60)
        assert len(stage.starts) == 2
        stage.start()
        stage.finish()
        assert stage.postings() == [f"A-{number}" for number in range(7)]
        assert stage.store.get_feed(FEED).open_imports == []


class TestADryRun:
    def test_it_says_what_would_happen_and_leaves_no_trace(self, stage: Stage) -> None:
        stage.settings(deleteJobs=True)
        stage.complete()
        stage.put("jobs.jsonl", lines(job("A-1"), job("A-2"), job("A-9", state="ZZ")))
        stage.settings(deleteJobs=True, maxInvalidPercent=50)
        before, objects = stage.store.saves, dict(stage.bucket.contents)
        outcome = stage.event({"feed": FEED, "dryRun": True})
        answer = outcome.answer()
        assert (answer["importId"], answer["state"], answer["jobs"], answer["invalid"]) == (None, "dry-run", 3, 1)
        assert (answer["deleteJobs"], answer["deletes"]) == (True, 1)
        assert answer["firstDeletes"] == [{"referenceNumber": "A-3", "title": "Job A-3"}]
        assert answer["problems"][0]["row"] == 3
        assert answer["problems"][0]["messages"][0].startswith('state "ZZ" is not a state')
        assert (stage.store.saves, stage.bucket.contents) == (before, objects)
        assert len(stage.board.requests) == 1

    def test_it_says_how_the_feed_is_understood(self, stage: Stage) -> None:
        stage.settings(fields={"Job Title": "title"})
        stage.put("jobs.jsonl", lines({"referenceNumber": "A-1", "JobTitle": "CRNA", "CITY": "York"}))
        answer = stage.event({"feed": FEED, "dryRun": True}).answer()
        assert answer["understood"] == {
            "jobs": 1,
            "fields": {
                "referenceNumber": {"jobs": 1, "columns": ["referenceNumber"], "default": False},
                "city": {"jobs": 1, "columns": ["CITY"], "default": False},
            },
            "unknownColumns": ["JobTitle"],
        }
        assert answer["warnings"][0] == ('no job has "Job Title", which feed.json maps to title: is it "JobTitle" now?')

    @pytest.mark.parametrize(
        ("content", "reason"),
        [(b"", "is empty (0 bytes)"), (lines(job("A-1", state="ZZ")), "the feed has no valid job"), (b"[", "cut off")],
    )
    def test_it_says_why_nothing_would_be_sent(self, stage: Stage, content: bytes, reason: str) -> None:
        stage.put("jobs.jsonl" if content != b"[" else "jobs.json", content)
        outcome = stage.event({"feed": FEED, "dryRun": True})
        assert outcome.jobs == 0
        assert reason in (outcome.reason or "")


def test_people_are_told_first_that_a_mapped_column_is_gone(stage: Stage) -> None:
    rows = [job(f"A-{number}", state=name) for number, name in enumerate(("Texas", "texas", "T.X.", "tx"))]
    stage.settings(fields={"Job Description": "description"})
    stage.put("jobs.jsonl", lines(*rows))
    record = stage.run()
    assert record.prepared.warned[0] == 'no job has "Job Description", which feed.json maps to description'
    assert "4 of 4 jobs have no description" in record.prepared.warned


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_object_is_known_to_hold_nothing(content: bytes) -> None:
    stage = Stage()
    stage.put("jobs.jsonl", content)
    assert stage.run().ending.feed_is_empty
    stage.put("jobs.jsonl", b"[")
    assert not stage.run().ending.feed_is_empty
