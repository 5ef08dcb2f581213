"""The stack: found by its name in CloudFormation, whose outputs name its resources."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.s3 import FeedsBucket
from jobferry.cli.faults import code_of
from jobferry.cli.schedules import Schedule
from jobferry.errors import CannotBeDoneError
from jobferry.feeds.settings import check_feed_name
from jobferry.notices.advice.commands import Commands
from jobferry.records.imports import Import

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

#: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
_SCHEDULE_NAME: Final = 64
#: Seconds: SubmitImport's own timeout, and a little more.
_ANSWER_SECONDS: Final = 930
_CONFIG: Final = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})
_PATIENT: Final = Config(
    connect_timeout=5,
    read_timeout=_ANSWER_SECONDS,
    retries={"total_max_attempts": 1},
    tcp_keepalive=True,  # routers drop a connection that stays silent for minutes, as in a long dry run
)


@dataclass(frozen=True)
class JobferryCommands(Commands):
    """Commands of the command line for one stack.

    Attributes:
        options: see Stack.
    """

    options: str = ""
    where: ClassVar[str] = ""  # the reader is there already

    def run(self, feed: str, confirm: str | None = None, *, confirm_fields: str | None = None) -> str:
        if confirm_fields:
            return f"jobferry{self.options} confirm {feed} {confirm_fields} --fields"
        return f"jobferry{self.options} {f'confirm {feed} {confirm}' if confirm else f'submit {feed}'}"

    def resume(self, feed: str) -> str | None:
        return f"jobferry{self.options} resume {feed}"


@dataclass(frozen=True)
class Stack:
    """A stack of jobferry, and the calls to it.

    Attributes:
        name: its name in CloudFormation.
        session: credentials and region.
        outputs: its outputs.
        parameters: the parameters with which it was deployed.
        options: the options with which the person named it, for the commands that they are shown.
    """

    name: str
    session: boto3.Session
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    options: str = ""

    def command(self, words: str) -> str:
        """Return a command that a person can paste: it acts on this stack as theirs did."""
        return f"jobferry{self.options} {words}"

    @cached_property
    def table(self) -> ImportsTable:
        return ImportsTable(self.session.client("dynamodb", config=_CONFIG), self._output("ImportsTable"))

    @cached_property
    def bucket(self) -> FeedsBucket:
        return FeedsBucket(self.s3, self.bucket_name)

    @cached_property
    def s3(self) -> S3Client:
        return self.session.client("s3", config=_CONFIG)

    @cached_property
    def scheduler(self) -> EventBridgeSchedulerClient:
        return self.session.client("scheduler", config=_CONFIG)

    @property
    def bucket_name(self) -> str:
        return self._output("FeedsBucket")

    @property
    def schedule_group(self) -> str:
        return self._output("ScheduleGroup")

    @property
    def default_feed(self) -> str:
        """Return the feed whose schedule belongs to the template."""
        return self._parameter("DefaultFeed")

    @property
    def alarm_after(self) -> timedelta:
        """Return how long after its last completed import a feed is overdue."""
        return timedelta(hours=int(self._parameter("AlarmAfterHours")))

    @property
    def commands(self) -> Commands:
        """Return the commands of the AWS CLI: a report is passed on to people without this command line."""
        return Commands(
            function=self._output("SubmitImportFunction"),
            table=self._output("ImportsTable"),
            bucket=self.bucket_name,
            accounts=f"{self.name}/accounts/",
            region=self.session.region_name,
            runbook=self.parameters.get("RunbookUrl", ""),
        )

    @property
    def own_commands(self) -> JobferryCommands:
        """Return the commands of this command line."""
        return JobferryCommands(**vars(self.commands), options=self.options)

    def start(self, event: dict[str, Any]) -> None:
        """Start SubmitImport without waiting for it, so that Lambda tries again if it is cut off."""
        client = self.session.client("lambda", config=_CONFIG)
        client.invoke(
            FunctionName=self._output("SubmitImportFunction"),
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )

    def ask(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return what SubmitImport answers. Raise CannotBeDoneError if it fails."""
        client = self.session.client("lambda", config=_PATIENT)
        name = self._output("SubmitImportFunction")
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            message = payload.get("errorMessage") or "it gave no reason"
            raise CannotBeDoneError(f"{name} failed: {message}. Its log says more: /aws/lambda/{name}")
        return payload

    def schedule(self, feed: str) -> Schedule | None:
        """Return when the feed runs by itself; None if it has no schedule."""
        name = self.schedule_name(feed)
        if name is None:
            return None
        try:
            found = self.scheduler.get_schedule(GroupName=self.schedule_group, Name=name)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise
        return Schedule(
            found["ScheduleExpression"], found.get("ScheduleExpressionTimezone", "UTC"), found["State"] == "ENABLED"
        )

    def schedule_name(self, feed: str) -> str | None:
        """Return the name of the feed's schedule, made of stack and feed; None if it would be too long for AWS."""
        name = f"{self.name}-{feed}"
        return name if len(name) <= _SCHEDULE_NAME else None

    def require_feed(self, feed: str) -> None:
        """Raise CannotBeDoneError if there is no such feed, FeedNameError if there can be none."""
        check_feed_name(feed)
        feeds = self.bucket.feeds()
        if feed not in feeds:
            close = difflib.get_close_matches(feed, feeds, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(feeds[:20]) or 'none yet'}"
            raise CannotBeDoneError(f"there is no feed {feed} in s3://{self.bucket_name}/feeds/; {hint}")

    def require_import(self, import_id: str) -> Import:
        """Return an import's record. Raise CannotBeDoneError if there is none."""
        record = self.table.get(import_id)
        if record is None:
            raise CannotBeDoneError(f"there is no import {import_id}; `{self.command('history FEED')}` lists a feed's")
        return record

    def _output(self, name: str) -> str:
        if name not in self.outputs:
            raise CannotBeDoneError(f"the stack {self.name} has no output {name}: is it one of jobferry's?")
        return self.outputs[name]

    def _parameter(self, name: str) -> str:
        if name not in self.parameters:
            raise CannotBeDoneError(f"the stack {self.name} has no parameter {name}: is it one of jobferry's?")
        return self.parameters[name]


def find(name: str, profile: str | None, region: str | None) -> Stack:
    """Find the stack with this name. Raise CannotBeDoneError if there is none, and AWS's own errors."""
    session = boto3.Session(profile_name=profile, region_name=region)
    try:
        answer = session.client("cloudformation", config=_CONFIG).describe_stacks(StackName=name)
    except ClientError as error:
        if code_of(error) == "ValidationError" and "does not exist" in str(error):
            raise CannotBeDoneError(
                f"there is no stack {name} in {session.region_name}: give --stack, --region, or another --profile"
            ) from error
        raise
    stack = answer["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    return Stack(name, session, outputs, parameters)
