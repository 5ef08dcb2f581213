"""The main job, end to end, on this machine: the real template, functions and layer, the sandbox board over HTTP."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from local.board import Fault
from local.functions import FunctionError
from local.system import API_KEY, PATIENCE, LocalSystem, wait_until

AT = "2026-11-24T07:00:00Z"


@pytest.fixture(scope="module")
def system() -> Iterator[LocalSystem]:
    with LocalSystem(seed=1, speed=200, processing_seconds=0.1) as system:
        yield system


@pytest.fixture(autouse=True)
def _no_faults_left(system: LocalSystem) -> Iterator[None]:
    yield
    system.board.faults.clear()


def jobs(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "referenceNumber": f"R-{number}",
            "title": f"Hospitalist {number}",
            "state": "PA",
            "postalCode": "17603",
            **changes,
        }
        for number in range(count)
    ]


class Agency:
    """One feed with an account of its own on the board, so that tests do not meet."""

    def __init__(self, system: LocalSystem, name: str, **settings: Any) -> None:
        self.system, self.name, self.key = system, name, f"key-of-{name}"
        system.add_account(name, self.key)
        self.put("feed.json", json.dumps({"apiKeySecret": name, **settings}).encode())

    def put(self, name: str, body: bytes) -> None:
        self.system.put_feed(f"feeds/{self.name}/{name}", body)

    def export(self, exported: list[dict[str, Any]]) -> None:
        self.put("jobs.json", json.dumps(exported).encode())

    def run(self, at: str = AT, **event: Any) -> Any:
        """What SubmitImport answers to the schedule's event, after Lambda's retries if need be."""
        outcome = self.system.invoke_async("SubmitImport", {"feed": self.name, "scheduledAt": at, **event}).result(
            PATIENCE
        )
        assert not outcome.failed, outcome.payload
        return outcome.payload

    def complete(self, at: str = AT, **event: Any) -> dict[str, Any]:
        return self.system.wait_for_import(self.run(at, **event)["importId"])

    def complete_by_hand(self) -> dict[str, Any]:
        """Run the feed as a person does, who need not wait after an announcement."""
        outcome = self.system.invoke_async("SubmitImport", {"feed": self.name}).result(PATIENCE)
        return self.system.wait_for_import(outcome.payload["importId"])

    @property
    def postings(self) -> set[str]:
        return set(self.system.board.account(self.key))

    def imports_on_board(self) -> list[Any]:
        return [each for each in self.system.board.imports if each.account == self.name]

    def notices(self, count: int) -> list[Any]:
        """What programs got, once there are so many."""

        def found() -> list[Any]:
            return [each for each in self.system.notices() if each.attributes["feed"] == self.name]

        wait_until(lambda: len(found()) >= count, lambda: f"{len(found())} notices, not {count}")
        return [json.loads(each.versions["default"]) for each in found()]


def errors(system: LocalSystem, import_id: str) -> list[tuple[Any, ...]]:
    return [
        (item["index"], item["referenceNumber"], item["messages"], item["source"]["row"])
        for item in system.items(import_id)
        if item["item"].startswith("error#")
    ]


BROKEN = [*jobs(4), {"referenceNumber": "R-bad", "title": "Wrong", "state": "MC", "postalCode": "17603"}]
REFUSED = [(4, "R-bad", ["State is invalid. Value passed was: MC"], 5)]


# Both ways to a result


def test_the_callback_brings_the_result(system: LocalSystem) -> None:
    agency = Agency(system, "by-callback", deleteJobs=True, maxInvalidPercent=50)
    agency.export(BROKEN)
    record = agency.complete()
    assert record["importId"] == "by-callback-20261124T070000Z"
    assert (record["settledBy"], record["verified"], "open" in record) == ("callback", True, False)
    assert {name: record["results"][name] for name in ("added", "failed", "processed")} == {
        "added": 4,
        "failed": 1,
        "processed": 5,
    }
    assert errors(system, record["importId"]) == REFUSED
    assert agency.postings == {"R-0", "R-1", "R-2", "R-3"}
    [notice] = agency.notices(1)
    assert (notice["importId"], notice["state"]) == (record["importId"], "complete")
    assert "R-bad" in json.dumps(notice["failing"])


def test_the_poller_brings_the_same_result_when_the_callback_is_lost(system: LocalSystem) -> None:
    agency = Agency(system, "by-poll", deleteJobs=True, maxInvalidPercent=50)
    agency.export(BROKEN)
    system.board.faults.add(Fault("no_callback"))
    import_id = agency.run()["importId"]
    system.board.wait(system.record(import_id)["boardImportId"])  # type: ignore[index]
    assert system.record(import_id)["state"] == "pending"  # type: ignore[index]
    assert system.poll()["settled"] == 1
    record = system.wait_for_import(import_id)
    assert (record["settledBy"], record["verified"], "open" in record) == ("poll", True, False)
    assert errors(system, import_id) == REFUSED
    assert "R-bad" in json.dumps(agency.notices(1)[0]["failing"])


def test_both_ways_at_once_make_one_result_and_one_notice(system: LocalSystem) -> None:
    agency = Agency(system, "both-ways", notifyOnSuccess=True)
    agency.export(jobs(20))
    system.board.faults.add(Fault("duplicate_callback", copies=3))
    with ThreadPoolExecutor() as pool:
        polls = [pool.submit(system.poll) for _ in range(2)]
        record = agency.complete()
        polls += [pool.submit(system.poll) for _ in range(2)]
    assert all(poll.exception() is None for poll in polls)
    assert record["results"]["added"] == 20
    assert len(agency.notices(1)) == 1
    assert len(agency.imports_on_board()) == 1


def test_a_result_that_comes_before_the_answer_is_kept(system: LocalSystem) -> None:
    agency = Agency(system, "early")
    agency.export(jobs(3))
    system.board.faults.add(Fault("early_callback"))
    record = agency.complete()
    assert (record["results"]["added"], record["verified"]) == (3, True)
    assert record["boardImportId"] == agency.imports_on_board()[0].id


def test_what_was_sent_is_in_the_archive(system: LocalSystem) -> None:
    agency = Agency(system, "archived")
    agency.export(jobs(3))
    record = agency.complete()
    lines = gzip.decompress(system.objects("archive/archived/")[record["payload"]]).splitlines()
    assert [json.loads(line)["referenceNumber"] for line in lines] == ["R-0", "R-1", "R-2"]
    sent = [
        json.loads(each.body) for each in system.board.requests if each.account == "archived" and each.method == "POST"
    ]
    assert [json.loads(line) for line in lines] == sent[0]["jobs"]


# Triggers


def test_the_schedule_imports_the_default_feed(system: LocalSystem) -> None:
    system.put_feed("feeds/default/jobs.json", json.dumps(jobs(2)).encode())
    outcome = system.fire_schedule(datetime(2026, 11, 24, 7, tzinfo=UTC)).result(PATIENCE)
    assert outcome.payload["importId"] == "default-20261124T070000Z"
    assert system.wait_for_import("default-20261124T070000Z")["results"]["added"] == 2
    assert set(system.board.account(API_KEY)) == {"R-0", "R-1"}


def test_a_trigger_that_comes_twice_at_once_sends_once(system: LocalSystem) -> None:
    agency = Agency(system, "twice")
    agency.export(jobs(3))
    event = {"feed": "twice", "scheduledAt": AT}
    for future in [system.invoke_async("SubmitImport", event) for _ in range(2)]:
        assert future.result(PATIENCE).payload["importId"] == "twice-20261124T070000Z"
    system.wait_for_import("twice-20261124T070000Z")
    assert len(agency.imports_on_board()) == 1


def test_a_dry_run_sends_and_records_nothing(system: LocalSystem) -> None:
    agency = Agency(system, "dry", deleteJobs=True, maxInvalidPercent=50)
    agency.export(BROKEN)
    answer = agency.run(dryRun=True)
    assert (answer["state"], answer["importId"], answer["jobs"]) == ("dry-run", None, 5)
    assert "MC" in json.dumps(answer["problems"])
    assert agency.imports_on_board() == []
    assert system.objects("archive/dry/") == {}


def test_a_run_that_met_an_open_one_is_done_when_that_has_ended(system: LocalSystem) -> None:
    agency = Agency(system, "met-open")
    agency.export(jobs(2))
    system.board.faults.add(Fault("stay_pending"))
    first = agency.run()["importId"]
    agency.export(jobs(3))
    second = agency.run("2026-11-24T08:00:00Z")
    assert second["state"] == "skipped"
    system.board.release(agency.imports_on_board()[0].id)
    system.wait_for_import(first)
    assert system.poll()["started"] == 1
    system.wait_until_idle()
    wait_until(lambda: agency.postings == {"R-0", "R-1", "R-2"}, lambda: str(agency.postings))


# What goes wrong


@pytest.mark.parametrize("fault", ["lost_response", "error_after", "reset_after", "garbage", "no_id"])
def test_an_unknown_outcome_is_settled_by_the_retry(system: LocalSystem, fault: str) -> None:
    agency = Agency(system, f"unknown-{fault.replace('_', '-')}")
    agency.export(jobs(3))
    system.board.faults.add(Fault(fault), Fault("no_callback"))
    record = agency.complete()
    assert (record["attempts"], record["results"]["processed"]) == (2, 3)
    assert agency.postings == {"R-0", "R-1", "R-2"}
    assert system.dead_letters() == []


def test_a_crash_in_the_middle_of_sending_loses_nothing(system: LocalSystem) -> None:
    agency = Agency(system, "crash")
    agency.export(jobs(3))
    system.board.faults.add(Fault("slow", seconds=30), Fault("no_callback"))
    run = system.invoke_async("SubmitImport", {"feed": "crash", "scheduledAt": AT})
    system.wait_for_import("crash-20261124T070000Z", ["submitting"])
    wait_until(agency.imports_on_board, lambda: "the request has not reached the board")
    system.crash("SubmitImport")
    assert not run.result(PATIENCE).failed
    record = system.wait_for_import("crash-20261124T070000Z")
    assert record["attempts"] == 2
    assert agency.postings == {"R-0", "R-1", "R-2"}


def test_a_board_that_is_busy_is_asked_again_in_the_same_run(system: LocalSystem) -> None:
    agency = Agency(system, "busy")
    agency.export(jobs(1))
    system.board.faults.add(Fault("too_many_requests", retry_after=1), Fault("error_before", status=503))
    record = agency.complete()
    assert (record["attempts"], record["results"]["added"]) == (1, 1)


def test_a_wrong_api_key_is_told(system: LocalSystem) -> None:
    agency = Agency(system, "wrong-key")
    del system.board.api_keys[agency.key]
    agency.export(jobs(1))
    assert agency.run()["state"] == "rejected"
    [notice] = agency.notices(1)
    assert (notice["state"], notice["severity"]) == ("rejected", "critical")
    assert "401" in notice["reason"]


@pytest.mark.parametrize(
    ("name", "objects", "settings", "words"),
    [
        ("missing", {}, {}, "no feed file"),
        ("unknown-setting", {"jobs.json": b"[]"}, {"deleteJob": True}, "did you mean deleteJobs?"),
        ("unreadable", {"jobs.json": b'[{"referenceNumber": '}, {}, "jobs.json"),
        ("empty", {"jobs.json": b"[]"}, {}, "no"),
        ("not-utf-8", {"jobs.csv": b"referenceNumber,title\nR-1,Caf\xe9\n"}, {}, "encoding"),
    ],
)
def test_a_feed_that_cannot_be_sent_is_blocked_with_a_reason(
    system: LocalSystem, name: str, objects: dict[str, bytes], settings: dict[str, Any], words: str
) -> None:
    agency = Agency(system, name, **settings)
    for key, body in objects.items():
        agency.put(key, body)
    answer = agency.run()
    assert answer["state"] == "blocked"
    assert words.casefold() in answer["reason"].casefold()
    [notice] = agency.notices(1)
    assert (notice["state"], notice["severity"]) == ("blocked", "critical")
    assert agency.imports_on_board() == []
    # A feed whose settings cannot be read might share any account: it would withhold the deletions of the others.
    agency.put("feed.json", json.dumps({"apiKeySecret": name}).encode())


def test_a_feeds_name_is_refused_before_anything_is_asked(system: LocalSystem) -> None:
    with pytest.raises(FunctionError, match="FeedNameError"):
        system.invoke("SubmitImport", {"feed": "../other", "scheduledAt": AT})


# The callback's door


def test_who_may_not_come_in_hears_the_same_word(system: LocalSystem) -> None:
    agency = Agency(system, "door")
    agency.export(jobs(1))
    system.board.faults.add(Fault("no_callback"))
    import_id = agency.run()["importId"]
    url = f"{system.http_api.url}/callbacks"
    body = {"data": {"id": system.record(import_id)["boardImportId"], "status": "complete", "results": {}}}  # type: ignore[index]
    tries = [f"{url}/{import_id}?token={'0' * 64}", f"{url}/{import_id}", f"{url}/door-20260101T000000Z?token=x"]
    answers = [requests.post(each, json=body, timeout=10) for each in tries]
    assert {(answer.status_code, answer.text) for answer in answers} == {(403, answers[0].text)}
    assert system.record(import_id)["state"] == "pending"  # type: ignore[index]


@pytest.mark.parametrize("what", ["results", "token", "id"])
def test_a_forged_callback_changes_nothing(system: LocalSystem, what: str) -> None:
    agency = Agency(system, f"forged-{what}")
    agency.export(jobs(2))
    system.board.faults.add(Fault("forged_callback", what=what))
    record = agency.complete()
    assert (record["results"]["added"], record["results"]["deleted"], record["verified"]) == (2, 0, True)
    statuses = {attempt.what: attempt.status for attempt in system.board.wait(record["boardImportId"]).attempts}
    assert statuses == {f"forged {what}": {"results": 200, "token": 403, "id": 409}[what], "genuine": 200}


# Deletions


def test_many_deletions_wait_for_a_confirmation(system: LocalSystem) -> None:
    agency = Agency(system, "deletions", deleteJobs=True)
    system.board.post_by_hand(agency.key, {"referenceNumber": "by-hand", "state": "PA", "postalCode": "17603"})
    agency.export(jobs(40))
    first = agency.complete()
    assert first["deleteJobs"] is False
    assert "by-hand" in agency.postings, "the first import deletes nothing"
    system.wait_until_notified(first["importId"])  # only then a full sync may delete

    agency.export(jobs(20))
    withheld = agency.complete("2026-11-25T07:00:00Z")
    assert (withheld["deleteJobs"], withheld["withheldDeletes"]) == (False, 20)
    assert len(agency.postings) == 41

    event = agency.notices(2)[1]["deletions"]["confirm"]
    wrong = system.invoke("SubmitImport", event | {"confirmDeletes": "wrong"})
    assert wrong["state"] == "blocked"
    assert len(agency.imports_on_board()) == 2
    confirmed = system.invoke("SubmitImport", event)
    record = system.wait_for_import(confirmed["importId"])
    assert record["deleteJobs"] is True
    assert agency.postings == {f"R-{number}" for number in range(20)}


def test_lists_delete_what_the_feed_no_longer_has_and_nothing_else(system: LocalSystem) -> None:
    agency = Agency(system, "by-list", deleteJobs="listed")
    system.board.post_by_hand(agency.key, {"referenceNumber": "by-hand", "state": "PA", "postalCode": "17603"})
    agency.export(jobs(40))
    system.wait_until_notified(agency.complete()["importId"])
    agency.export(jobs(38))
    system.board.faults.add(
        Fault("too_many_requests", on="DELETE"),
        Fault("error_after", on="DELETE"),
        Fault("reset_after", on="DELETE"),
    )

    record = agency.complete_by_hand()

    assert (record["deleteJobs"], record["expectedDeletes"], record["deletedByList"]) == (False, 2, 2)
    assert agency.postings == {"by-hand", *(f"R-{number}" for number in range(38))}
    notice = agency.notices(2)[1]
    assert (notice["deletions"]["mode"], notice["deletions"]["deleted"], notice["deletions"]["left"]) == (
        "listed",
        2,
        0,
    )


def test_a_board_without_the_jobs_resource_is_told_of(system: LocalSystem) -> None:
    agency = Agency(system, "no-lists", deleteJobs="listed")
    agency.export(jobs(40))
    system.wait_until_notified(agency.complete()["importId"])
    agency.export(jobs(39))
    system.board.faults.add(Fault("error_before", status=405, on="DELETE"))

    record = agency.complete_by_hand()

    assert (record["state"], record["deletedByList"], record["listEnd"]) == ("complete", 0, "not-offered")
    assert agency.notices(2)[1]["about"] == ["deletions-not-offered"]
    assert len(agency.postings) == 40


# The end


def test_no_secret_is_in_any_log(system: LocalSystem) -> None:
    agency = Agency(system, "secrets")
    agency.export(jobs(1))
    system.board.faults.add(Fault("forged_callback", what="token"))
    agency.complete()
    logs = system.logs()
    assert all("secrets-20261124T070000Z" in system.logs(name) for name in ("SubmitImport", "ReceiveCallback"))
    signing_key = system.stack.resource("CallbackSigningKey").ref
    secret = system.cloud.client("secretsmanager").get_secret_value(SecretId=signing_key)["SecretString"]
    tokens = {str(each.callback_url).partition("token=")[2] for each in system.board.imports}
    assert all(tokens)
    for word in (API_KEY, secret, "key-of-", "token=", "Hospitalist", *tokens):
        assert word not in logs
