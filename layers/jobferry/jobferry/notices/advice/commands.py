"""The commands that people paste, and the names in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Final

#: Where a command of the AWS CLI is pasted.
SHELL: Final = "in AWS CloudShell or a terminal with the AWS CLI"


@dataclass(frozen=True)
class Commands:
    """Commands of the AWS CLI for one stack.

    Attributes:
        function: SubmitImport's name.
        table: ImportsTable's name.
        bucket: FeedsBucket's name.
        accounts: the prefix of the names of the accounts' secrets.
        region: the AWS region.
        runbook: the URL of the runbook; empty if notices should not link to it.
        where: text before the `run` command that says where to paste it.
    """

    function: str
    table: str
    bucket: str
    accounts: str
    region: str
    runbook: str
    where: ClassVar[str] = f", {SHELL}"

    @classmethod
    def of_stack(cls, name: str, table: str, bucket: str, region: str, runbook: str) -> Commands:
        """Return the commands of a stack, whose name begins the names of its function and secrets."""
        return cls(f"{name}-SubmitImport", table, bucket, f"{name}/accounts/", region, runbook)

    def run(self, feed: str, confirm: str | None = None, *, confirm_fields: str | None = None) -> str:
        """Return the command that runs a feed now. It does not wait for the answer: a large feed takes minutes."""
        event = {"feed": feed} | ({"confirmDeletes": confirm} if confirm else {})
        event |= {"confirmFields": confirm_fields} if confirm_fields else {}
        return (
            f"aws lambda invoke --function-name {self.function} --region {self.region} --invocation-type Event"
            f" --cli-binary-format raw-in-base64-out --payload '{json.dumps(event)}' /dev/stdout"
        )

    def resume(self, feed: str) -> str | None:  # noqa: ARG002  # the AWS CLI has no such command
        """Return the command that sends a paused feed again; None if its settings must be edited."""
        return None

    def settings(self, feed: str) -> str:
        """Return the URL of a feed's settings."""
        return f"s3://{self.bucket}/feeds/{feed}/feed.json"

    def show(self, key: str) -> str:
        """Return the command that prints a compressed file of the archive."""
        return f"aws s3 cp s3://{self.bucket}/{key} - --region {self.region} | gunzip"

    def copy(self, key: str) -> str:
        """Return the command that copies an object of the bucket into the current folder."""
        return f"aws s3 cp s3://{self.bucket}/{key} . --region {self.region}"
