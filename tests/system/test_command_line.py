"""The command line against the local system: the real functions, the sandbox board, CloudFormation's outputs by moto."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jobferry.adapters.dynamodb import ImportsTable
from jobferry.cli import following
from jobferry.cli.commands import main
from local import cloudformation
from local.board import Fault
from local.events import scheduled_input
from local.system import PATIENCE, LocalSystem
from local.template import Resource

HOSTILE = "Locum\x1b[31m at \u202eYork"
#: As it is sent: control characters go before.
SENT = "Locum[31m at \u202eYork"


@pytest.fixture(scope="module")
def system() -> Iterator[LocalSystem]:
    with LocalSystem(seed=1, speed=200, processing_seconds=0.1) as system:
        cloudformation.register_stack(system.stack, system.cloud)
        yield system


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Person:
    """Somebody at a terminal, with a feed of their own."""

    def __init__(self, system: LocalSystem, feed: str, monkeypatch: Any, capsys: Any) -> None:
        self.system, self.feed, self.key = system, feed, f"key-of-{feed}"
        self._monkeypatch, self._capsys = monkeypatch, capsys
        system.add_account(feed, self.key)

    def __call__(self, *arguments: str) -> Ran:
        self._monkeypatch.setattr(sys, "argv", ["jobferry", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = self._capsys.readouterr()
        assert self.key not in out + err
        return Ran(int(exit_.value.code or 0), out, err)

    def settings(self, **settings: Any) -> None:
        self.put("feed.json", json.dumps({"apiKeySecret": self.feed, "maxInvalidPercent": 50} | settings))

    def put(self, name: str, text: str) -> None:
        self.system.put_feed(f"feeds/{self.feed}/{name}", text.encode())

    def export(self, jobs: list[dict[str, Any]]) -> None:
        self.put("jobs.json", json.dumps(jobs))

    def submit(self) -> Any:
        """A run to its end; the import. Of a first full sync people are told, or the next one would not delete."""
        [found] = self("submit", self.feed, "--wait", "--json").json["imports"]
        if "first" in found["withheldBecause"]:
            self.system.wait_until_notified(found["importId"])
        return found

    @property
    def postings(self) -> set[str]:
        return set(self.system.board.account(self.key))


@pytest.fixture
def person(
    system: LocalSystem,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Person]:
    for name in [name for name in os.environ if name.startswith(("AWS_", "JOBFERRY_"))]:
        monkeypatch.delenv(name)
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1"}
    for name, value in (system.endpoints() | keys | {"COLUMNS": "120"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(following, "_FIRST_WAIT", 0.05)  # the board here takes a tenth of a second for an import
    feed = request.node.name.removeprefix("test_").replace("_", "-")[:40].rstrip("-")
    yield Person(system, feed, monkeypatch, capsys)
    system.board.faults.clear()


def job(reference: str, **fields: Any) -> dict[str, Any]:
    return {"referenceNumber": reference, "title": f"Hospitalist {reference}", "state": "PA"} | fields


def jobs(count: int) -> list[dict[str, Any]]:
    return [job(f"R-{number}") for number in range(count)]


BAD = [job("B-1", state="MC"), job("B-2", title=HOSTILE, state="Atlantis")]


def test_a_feed_is_tried_submitted_and_shown(person: Person) -> None:
    feed = person.feed
    nothing = person("submit", feed, "--wait")
    assert nothing.status == 2
    assert f"there is no feed {feed} in s3://" in nothing.err
    person.settings(deleteJobs=True)
    person.export([*jobs(6), *BAD])

    dry = person("submit", feed, "--dry-run")
    assert dry.status == 1
    assert dry.out.startswith("8 jobs would be sent, without deletions.\n")
    assert f'  feeds/{feed}/jobs.json row 7 (B-1): state "MC" is not a state of the USA' in dry.out
    assert person("submit", feed, "--dry-run", "--json").json["state"] == "dry-run"
    assert person.postings == set()

    ran = person("submit", feed, "--wait")
    assert ran.status == 1
    assert ran.out.splitlines()[-2].endswith("complete: 6 added, 0 updated, 0 unchanged, 2 failed, 0 deleted")
    import_id = ran.out.splitlines()[-1].removeprefix("What to do: jobferry show ")
    assert len(person.postings) == 6

    shown = person("show", import_id)
    assert shown.status == 1
    lines = shown.out.splitlines()
    assert lines[0] == f"{import_id}: deletions begin in 12 hours; 2 of 8 jobs failed"
    assert "  counts    6 added, 0 updated, 0 unchanged, 2 failed, 0 deleted" in lines
    assert lines[lines.index("Failed (2)") :] == [
        "Failed (2)",
        "  - B-1, Hospitalist B-1 (jobs.json row 7), new",
        "      the board says: State is invalid. Value passed was: MC",
        '      to fix: state "MC" is not a state of the USA: its two-letter code is needed, such as PA',
        "  - B-2, Locum[31m at York (jobs.json row 8), new",
        "      the board says: State is invalid. Value passed was: Atlantis",
        '      to fix: state "Atlantis" is not a state of the USA: its two-letter code is needed, such as PA',
    ]
    data = person("show", import_id, "--json")
    assert data.status == 1
    assert set(data.json) == {"import", "run", "failed", "invalid", "whatToDo"}
    assert {
        name: data.json["import"][name] for name in ("importId", "feed", "state", "jobs", "invalid", "deleteJobs")
    } == {
        "importId": import_id,
        "feed": feed,
        "state": "complete",
        "jobs": 8,
        "invalid": 2,
        "deleteJobs": False,
    }
    assert not {"revision", "claimedBy", "claimedUntil", "open"} & set(data.json["import"])
    first = data.json["failed"][0]
    assert (first["index"], first["referenceNumber"], first["row"]) == (6, "B-1", 7)
    assert data.json["failed"][1]["title"] == SENT.replace("\u202e", "")  # marks of direction are removed
    assert "\u202e" not in shown.out + data.out
    assert [each["referenceNumber"] for each in data.json["invalid"]] == ["B-1", "B-2"]


def test_failed_jobs_are_fixed_and_retried(person: Person, tmp_path: Path) -> None:
    feed, file = person.feed, tmp_path / "fix.jsonl"
    # Their columns; a retry must not move them a second time.
    person.settings(deleteJobs=True, fields={"title": "description", "name": "title"})
    person.export([{**each, "name": "Locum"} for each in [*jobs(4), *BAD]])
    older = person.submit()["importId"]
    import_id = person.submit()["importId"]

    exported = person("retry", import_id, "--export", str(file))
    assert exported.status == 0
    assert "     2  B-2, Locum\n" in exported.out
    assert exported.out.endswith(f"Fix the file, then: jobferry retry {import_id} {file}\n")
    again = person("retry", import_id, "--export", str(file))
    assert (again.status, again.err) == (2, f"jobferry: {file} already exists: name another file, or remove it\n")
    programs = person("retry", import_id, "--export", str(tmp_path / "other.jsonl"), "--json").json
    assert [(each["line"], each["referenceNumber"]) for each in programs["jobs"]] == [(1, "B-1"), (2, "B-2")]
    assert (programs["heldBack"], programs["notNamed"]) == (0, 0)

    unfixed = person("retry", import_id, str(file))
    assert unfixed.status == 1
    assert unfixed.out.startswith("Nothing was sent: fix these first.\n")
    assert 'fix.jsonl row 1 (B-1 Locum): state "MC" is not a state' in unfixed.out
    file.write_text(file.read_text().replace('"MC"', '"PA"').replace('"Atlantis"', '"NY"'))
    too_old = person("retry", older, str(file))
    assert too_old.status == 2
    assert f"{import_id} has completed since, and its jobs are newer" in too_old.err
    assert len(person.postings) == 4

    done = person("retry", import_id, str(file), "--wait", "--json")
    assert done.status == 0
    [retried] = done.json["imports"]
    assert (retried["state"], retried["jobs"], retried["deleteJobs"]) == ("complete", 2, False)
    assert retried["retry"].startswith(f"archive/{feed}/{import_id}.retry-")
    assert retried["importId"] == f"{feed}-{retried['retry'][-22:-6]}-retry"
    assert person.postings == {"R-0", "R-1", "R-2", "R-3", "B-1", "B-2"}
    posting = person.system.board.account(person.key)["B-2"]
    assert (posting["title"], posting["state"]) == ("Locum", "NY")
    assert posting["description"] == SENT

    status = person("status", feed, "--json").json["feeds"][0]
    assert [each["importId"] for each in status["lastRun"]] == [retried["importId"]]
    assert [each["importId"] for each in status["lastCompleteRun"]] == [import_id]
    assert status["liveSet"] == 6
    # The next run is a full sync as before, and of the jobs that are still wrong in the export the board keeps the postings.
    following = person.submit()
    assert (following["deleteJobs"], following["expectedDeletes"], following["withheldDeletes"]) == (True, 0, 0)
    assert len(person.postings) == 6


def test_what_was_held_back_is_not_in_the_archive(person: Person, tmp_path: Path) -> None:
    person.settings()
    person.export([*jobs(2), *BAD])
    import_id = person.submit()["importId"]
    exported = person("retry", import_id, "--export", str(tmp_path / "fix.jsonl"))
    assert exported.status == 2
    assert "2 were held back before sending: fix those in the export" in exported.err
    assert not (tmp_path / "fix.jsonl").exists()


def test_withheld_deletions_are_confirmed(person: Person) -> None:
    feed = person.feed
    person.settings(deleteJobs=True)
    person.export(jobs(40))
    person.submit()
    person.export(jobs(20))
    withheld = person("submit", feed, "--wait")
    assert withheld.status == 1
    assert len(person.postings) == 40
    shown = person("show", withheld.out.split()[-1])
    assert "20 deletions withheld" in shown.out.splitlines()[0]
    command = next(line.strip() for line in shown.out.splitlines() if line.strip().startswith("jobferry confirm"))
    assert "AWS CLI" not in shown.out

    wrong = person("confirm", feed, "AAAA-BBBB", "--wait")
    assert wrong.status == 1
    assert "blocked: the code does not match the current list of 20 deletions" in wrong.out
    dry = person("submit", feed, "--dry-run")
    assert dry.out.startswith("20 jobs would be sent, with 20 deletions withheld.\n")
    assert f"  code     {command.split()[-1]}\n" in dry.out
    assert "Not in the feed any more (20)\n  POSTING  TITLE\n  R-20     Hospitalist R-20\n" in dry.out
    right = person(*command.split()[1:], "--wait")
    assert right.status == 0
    assert right.out.rstrip().endswith("complete: 0 added, 0 updated, 20 unchanged, 0 failed, 20 deleted")
    assert len(person.postings) == 20


def test_a_feed_is_paused_and_resumed(person: Person) -> None:
    feed = person.feed
    person.put("feed.json", f'{{\n  "apiKeySecret": "{feed}",\n  "maxDeletePercent": 7\n}}\n')
    person.export(jobs(1))
    never = person("status", feed).out.splitlines()
    assert never[1].split() == [feed, "never", "ran", *["-"] * 6]

    assert person("pause", feed).out == f"{feed} is paused: nothing is sent until `jobferry resume {feed}`.\n"
    assert person("pause", feed, "--json").json == {"feed": feed, "paused": True, "changed": False}
    blocked = person("submit", feed, "--wait")
    assert blocked.status == 1
    assert "blocked: the feed is paused" in blocked.out
    status = person("status", feed)
    assert status.status == 0  # as it was wished
    assert "paused (blocked)" in status.out.splitlines()[1]
    text = person.system.objects(f"feeds/{feed}/")[f"feeds/{feed}/feed.json"].decode()
    assert text == f'{{\n  "apiKeySecret": "{feed}",\n  "maxDeletePercent": 7,\n  "paused": true\n}}\n'
    assert person("resume", feed).out == f"{feed} is sent again, from its next run on.\n"
    assert person.submit()["state"] == "complete"


def test_a_feed_runs_by_a_schedule_of_its_own(person: Person) -> None:
    feed, system = person.feed, person.system
    nothing = person("schedule", feed, "cron(0 3 * * ? *)")
    assert (nothing.status, f"there is no feed {feed} in s3://" in nothing.err) == (2, True)
    person.settings()
    person.export(jobs(2))
    assert person("status", feed, "--json").json["feeds"][0]["schedule"] is None
    made = person("schedule", feed, "cron(0 3 * * ? *)", "--timezone", "UTC")
    assert made.status == 0
    assert made.out.startswith(f"{feed} runs by itself, next at 20")
    assert made.out.endswith(" 03:00 UTC.\n")
    assert person("status", feed).out.splitlines()[1].endswith(" 03:00")

    # What it sends when its time has come starts the feed.
    found = system.cloud.client("scheduler").get_schedule(GroupName="jobferry", Name=f"jobferry-{feed}")
    schedule = Resource("Own", "AWS::Scheduler::Schedule", found, found["Name"], {"Arn": found["Arn"]})
    event = scheduled_input(schedule, datetime(2026, 11, 24, 3, tzinfo=UTC))
    system.invocations.start(found["Target"]["Arn"], event).result(PATIENCE)
    assert system.wait_for_import(f"{feed}-20261124T030000Z")["jobs"] == 2

    every = person("schedule", feed, "rate(6 hours)", "--json")
    timezone = {"scheduleTimezone": "America/New_York"}
    assert every.json == {"feed": feed, "schedule": "rate(6 hours)", "nextRun": None} | timezone
    assert person("status", feed).out.splitlines()[1].endswith(" every 6 hours")
    gone = person("unschedule", feed)
    assert (gone.status, gone.out) == (0, f"{feed} runs only when a person starts it: jobferry submit {feed}\n")
    assert person("unschedule", feed).err == f"jobferry: {feed} has no schedule\n"
    own = person("unschedule", "default")
    assert own.err.startswith(
        "jobferry: the schedule of default belongs to the template: change the stack's parameters"
    )
    assert own.status == 2


def test_a_feed_that_is_overdue_is_shown(person: Person) -> None:
    feed, system = person.feed, person.system
    person.settings()
    person.export(jobs(2))
    person.submit()
    assert person("status", feed, "--json").json["feeds"][0]["overdue"] is False
    table = ImportsTable(system.cloud.client("dynamodb"), system.stack.resource("ImportsTable").ref)
    record = table.get_feed(feed)
    assert record.last_complete_at is not None
    table.save(record.changed(last_complete_at=record.last_complete_at - timedelta(hours=27)))  # that time has passed

    status = person("status", feed)
    assert status.status == 1
    assert " complete, overdue " in status.out.splitlines()[1]
    assert f"{feed}: overdue: no completed import within 26 hours, and it has no known schedule\n" in status.out
    assert status.out.endswith(f"What to do for {feed}: jobferry submit {feed} --wait\n")
    assert person("status", feed, "--json").json["feeds"][0]["overdue"] is True
    person("pause", feed)
    assert person("status", feed, "--json").json["feeds"][0]["overdue"] is False
    person("resume", feed)
    person.submit()
    assert person("status", feed).status == 0


def test_an_open_run_is_watched_and_nothing_comes_between(person: Person, tmp_path: Path) -> None:
    feed, file = person.feed, tmp_path / "fix.jsonl"
    person.settings(deleteJobs=True)
    person.export([*jobs(2), *BAD])
    earlier = person.submit()["importId"]
    assert person("retry", earlier, "--export", str(file)).status == 0
    file.write_text(file.read_text().replace('"MC"', '"PA"').replace('"Atlantis"', '"NY"'))

    person.system.board.faults.add(Fault("no_callback"))
    started = person("submit", feed)
    assert started.status == 0
    import_id = started.out.split()[1].rstrip(".")
    assert started.out == f"Started {import_id}.\nTo follow it: jobferry watch {import_id}\n"
    person.system.wait_for_import(import_id, ["pending"])

    status = person("status", feed, "--json").json["feeds"][0]
    assert [each["importId"] for each in status["openImports"]] == [import_id]
    assert person("status", feed).out.splitlines()[1].split()[1] == "pending"
    refused = person("retry", earlier, str(file))
    assert refused.status == 2
    assert f"{import_id} is still open, and a feed has one run at a time" in refused.err
    assert person.system.objects(f"archive/{feed}/{earlier}.retry-") == {}
    report = person("report", import_id)
    assert (report.status, report.err) == (
        2,
        f"jobferry: {import_id} is pending: it has a report when it has ended\n",
    )
    shown = person("show", import_id)
    assert shown.out.startswith(f"{import_id}: pending: the board has 4 jobs and has not begun\n")
    assert shown.status == 0

    person.system.board.wait(person.system.record(import_id)["boardImportId"])  # type: ignore[index]
    person.system.poll()
    watched = person("watch", import_id)
    assert watched.status == 1
    assert watched.out.splitlines()[0].endswith("complete: 0 added, 0 updated, 2 unchanged, 2 failed, 0 deleted")
    assert watched.out.splitlines()[1] == f"What to do: jobferry show {import_id}"
    assert person("watch", feed).out == "Nothing is open.\n"
    assert person("watch", "--json").json == {"imports": []}
    assert person("watch", "default-20200101T000000Z").status == 2


def test_the_history_and_the_report(person: Person, tmp_path: Path) -> None:
    feed = person.feed
    person.settings()
    person.export([*jobs(3), BAD[0]])
    ids = [person.submit()["importId"] for _ in range(2)]
    found = person("history", feed)
    assert found.status == 0
    lines = [line.split() for line in found.out.splitlines()]
    assert lines[0][:3] == ["IMPORT", "STATE", "JOBS"]
    assert lines[1] == [ids[1], "complete", "3", "0", "0", "1", "0", "0"]
    assert lines[2] == [ids[0], "complete", "3", "3", "0", "1", "0", "0"]
    limited = person("history", feed, "--limit", "1", "--json").json
    assert limited["feed"] == feed
    assert [(each["importId"], each["results"]["unchanged"]) for each in limited["imports"]] == [(ids[1], 3)]

    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    assert person("report", ids[0], "-o", str(page)).out == f"The report is in {page}.\n"
    assert page.read_text().startswith("<!doctype html>")
    assert "B-1" in page.read_text()
    assert person("report", ids[0], "--csv", "-o", str(table), "--json").json == {
        "importId": ids[0],
        "file": str(table),
    }
    assert '"B-1"' in table.read_text()


def test_the_overview_of_all_feeds(person: Person) -> None:
    feed = person.feed
    person.settings()
    person.export(jobs(3))
    person.submit()
    person.system.put_feed("feeds/default/feed.json", b'{"pausd": true}')
    overview = person("status")
    assert overview.status == 1
    rows = {line.split()[0]: line for line in overview.out.splitlines() if line and not line.startswith(" ")}
    assert rows[feed].split()[1] == "complete"
    assert rows[feed].split()[4:] == ["3", "0", "0", "3", "-"]
    assert rows["default"].endswith(" 08:30") or rows["default"].endswith(" 07:30")  # 3:30 a.m. in New York
    assert '"pausd" is not a setting: did you mean paused?' in overview.out
    data = {each["feed"]: each for each in person("status", "--json").json["feeds"]}
    assert data["default"]["schedule"] == "cron(30 3 * * ? *)"
    assert data["default"]["scheduleTimezone"] == "America/New_York"
    assert data["default"]["nextRun"].endswith("Z")
    assert data["default"]["fault"].startswith("feeds/default/feed.json: ")
    assert (data[feed]["fault"], data[feed]["nextRun"], data[feed]["liveSet"]) == (None, None, 3)
    pause = person("pause", "default")
    assert (pause.status, pause.out) == (2, "")


def test_what_is_not_there(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = person("status", "--stack", "jobferry-prod")
    assert (stack.status, stack.out) == (2, "")
    assert stack.err.startswith("jobferry: there is no stack jobferry-prod in us-east-1: give --stack")
    person.settings()
    assert f"did you mean {person.feed}?" in person("pause", person.feed[:-1]).err
    assert person("show", "default-20200101T000000Z").status == 2
    assert person("history", "Default").status == 2
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert person("status").err.startswith("jobferry: there are no AWS credentials")
