"""Somebody at a terminal, and a stack in memory whose imports are as a test has them."""

from __future__ import annotations

import sys
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from jobferry.cli import application, commands
from jobferry.cli.stack import Stack
from jobferry.records.failed_jobs import FailedJob
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import
from tests.fakes import MemoryBucket, MemoryStore

_OUTPUTS = {
    "SubmitImportFunction": "jobferry-SubmitImport",
    "ImportsTable": "jobferry-ImportsTable",
    "FeedsBucket": "jobferry-feeds",
    "ScheduleGroup": "jobferry",
}


class _NoSchedules:
    def get_schedule(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "GetSchedule")


class Person:
    """Calls commands, and reads what they say.

    Attributes:
        store: the imports. bucket: the feeds; there is one, `default`.
        status: the exit status of the last command.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.store, self.bucket, self.status = MemoryStore(), MemoryBucket(), 0
        self.bucket.contents["feeds/default/jobs.csv"] = b"a\n"
        self._monkeypatch, self._capsys = monkeypatch, capsys
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(application, "find", self._find)
        for name, fake in {"table": self.store, "bucket": self.bucket, "scheduler": _NoSchedules()}.items():
            monkeypatch.setattr(Stack, name, fake)

    def _find(self, name: str, profile: str | None, region: str | None) -> Stack:
        session = boto3.Session("key", "secret", region_name=region or "us-east-1")
        return Stack(name, session, _OUTPUTS, {"DefaultFeed": "default", "AlarmAfterHours": "1000000"})

    def __call__(self, *arguments: str) -> str:
        """What is said to the standard output."""
        self._monkeypatch.setattr(sys, "argv", ["jobferry", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            commands.main()
        self.status = int(exit_.value.code or 0)
        out, err = self._capsys.readouterr()
        assert err == ""
        return out

    def lines(self, *arguments: str) -> list[str]:
        return self(*arguments).splitlines()

    def have(self, *records: Import | Feed) -> None:
        self.store.save(*records)

    def have_failed(self, record: Import, kind: str, *jobs: FailedJob) -> None:
        self.store.write_failed(record.import_id, kind, jobs, record.expires)
