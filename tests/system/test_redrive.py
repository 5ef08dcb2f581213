"""The stream's poison, the dead letters, and sending them again; on the whole system."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from local.system import LocalSystem, wait_until
from scripts.redrive import Redrive, RedriveOutcome, main
from tests.events import load_event

pytestmark = pytest.mark.xdist_group("redrive")


@pytest.fixture(scope="module")
def system() -> Iterator[LocalSystem]:
    with LocalSystem(speed=1000, seed=1, processing_seconds=0) as system:
        feed = [{"referenceNumber": "A-1", "title": "Hospitalist", "state": "PA"}]
        system.put_feed("feeds/default/jobs.json", json.dumps(feed).encode())
        system.put_feed("feeds/default/feed.json", b'{"notifyOnSuccess": true}')
        yield system


@pytest.fixture
def redrive(system: LocalSystem) -> Redrive:
    functions = boto3.Session("test", "test", region_name="us-east-1").client(
        "lambda", endpoint_url=system.lambda_api.url
    )
    return Redrive(
        system.cloud.client("sqs"),
        functions,
        system.cloud.client("dynamodb"),
        system.stack.resource("DeadLetterQueue").ref,
        system.stack.resource("ImportsTable").ref,
        system.stack.resource("SubmitImportFunction").ref,
        system.stack.resource("PollImportsFunction").ref,
        system.stack.resource("PublishNoticeFunction").ref,
        visibility_timeout=0,
    )


def letters(redrive: Redrive) -> int:
    attributes = redrive.sqs.get_queue_attributes(QueueUrl=redrive.queue, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


def send(redrive: Redrive, letter: Any) -> None:
    body = letter if isinstance(letter, str) else json.dumps(letter)
    redrive.sqs.send_message(QueueUrl=redrive.queue, MessageBody=body)


def wait(holds: Callable[[], bool]) -> None:
    wait_until(holds, lambda: "it did not happen")


def test_a_record_that_cannot_be_told_holds_up_nobody(system: LocalSystem, redrive: Redrive) -> None:
    key = {"importId": {"S": "default-20260101T000000Z"}, "item": {"S": "import"}}
    poison = {"state": {"S": "blocked"}, "feed": {"S": "default"}, "createdAt": {"S": "never"}}
    redrive.dynamodb.put_item(TableName=redrive.table, Item=key | poison)
    import_id = system.invoke("SubmitImport", {"feed": "default"})["importId"]
    system.wait_for_import(import_id)
    wait(lambda: any(import_id in notice.text for notice in system.notices()))
    wait(lambda: letters(redrive) == 1)
    with pytest.raises(RuntimeError, match="the notice for default-20260101T000000Z still cannot be published"):
        redrive.run()
    assert letters(redrive) == 1, "the letter stays until it is dealt with"
    redrive.dynamodb.delete_item(TableName=redrive.table, Key=key)
    assert redrive.run() == RedriveOutcome(["imports checked for a missing notice: 0"], 0, 0)
    assert letters(redrive) == 0


def test_a_notice_that_could_not_be_published_is_published_once(system: LocalSystem, redrive: Redrive) -> None:
    topic = system.stack.resource("NoticesTopic")
    sns = system.cloud.client("sns")
    sns.delete_topic(TopicArn=topic.ref)
    import_id = system.invoke("SubmitImport", {"feed": "default"})["importId"]
    assert "notifiedAt" not in system.wait_for_import(import_id)
    wait(lambda: letters(redrive) == 1)
    assert sns.create_topic(Name=topic.attributes["TopicName"])["TopicArn"] == topic.ref
    assert redrive.run() == RedriveOutcome(["imports checked for a missing notice: 1"], 0, 0)
    (notice,) = system.notices()
    assert import_id in notice.text
    assert "notifiedAt" in (system.record(import_id) or {})
    send(redrive, {"DDBStreamBatchInfo": {"shardId": "s"}, "requestContext": {"functionArn": "arn"}})
    assert redrive.run() == RedriveOutcome(["imports checked for a missing notice: 0"], 0, 0)
    assert len(system.notices()) == 1, "nothing is told twice"


@pytest.mark.parametrize("name", ["submit-scheduled", "submit-upload"])
def test_a_start_that_failed_is_done_once_however_often_it_is_sent(
    system: LocalSystem, redrive: Redrive, name: str
) -> None:
    event = load_event(name)
    before = {record["importId"] for record in system.imports()}
    arn = system.stack.resource("SubmitImportFunction").arn
    letter = {"requestContext": {"functionArn": f"{arn}:$LATEST"}, "requestPayload": event}
    # Of Lambda; of a rule, or of the scheduler in the two shapes that it may use; of Lambda again
    request = {"FunctionName": arn, "Payload": json.dumps(event)} if "feed" in event else event
    for each in (letter, event, request, letter):
        send(redrive, each)
        outcome = redrive.run()
        assert (len(outcome.retried), outcome.unrecognized, outcome.arrived_later) == (1, 0, 0)
        assert "SubmitImport" in outcome.retried[0]
        system.wait_until_idle()
        (import_id,) = {record["importId"] for record in system.imports()} - before
        assert system.wait_for_import(import_id)["attempts"] == 1
    assert letters(redrive) == 0


class StartsNothing:
    """Lambda, where nothing may be started."""

    def invoke(self, **_: Any) -> Any:
        raise AssertionError("it was started")


def test_what_is_not_understood_stays_and_starts_nothing(redrive: Redrive) -> None:
    """A letter may name any function, but only this stack's own are started."""
    names = ["another", f"{redrive.submit_import}-2", f"{redrive.submit_import}:function:another"]
    arns = [*names, *(f"arn:aws:lambda:us-east-1:999999999999:function:{name}" for name in names)]
    foreign = [{"requestContext": {"functionArn": arn}, "requestPayload": {"delete": "everything"}} for arn in arns]
    letters_sent = ["not JSON", {"other": "thing"}, [1], *foreign]
    for letter in letters_sent:
        send(redrive, letter)
    functions: Any = StartsNothing()
    assert replace(redrive, functions=functions).run() == RedriveOutcome([], len(letters_sent), 0)
    assert letters(redrive) == len(letters_sent)
    redrive.sqs.purge_queue(QueueUrl=redrive.queue)


class FailsAtOnce:
    """Lambda, where whatever is started fails at once and leaves a letter."""

    def __init__(self, redrive: Redrive, letter: Any) -> None:
        self.redrive, self.letter, self.started = redrive, letter, 0

    def invoke(self, **_: Any) -> Any:
        self.started += 1
        assert self.started < 5, "it would go on for ever"
        send(self.redrive, self.letter)


def test_what_fails_again_at_once_is_left_for_the_next_time(system: LocalSystem, redrive: Redrive) -> None:
    arn = system.stack.resource("PollImportsFunction").arn
    letter = {"requestContext": {"functionArn": f"{arn}:$LATEST"}, "requestPayload": load_event("poll")}
    functions: Any = FailsAtOnce(redrive, letter)
    failing = replace(redrive, functions=functions)
    send(redrive, letter)
    for started in (1, 2):  # the letter that came the first time is the one that is taken the second time
        outcome = failing.run()
        assert (len(outcome.retried), outcome.unrecognized, outcome.arrived_later) == (1, 0, 1)
        assert "PollImports" in outcome.retried[0]
        assert functions.started == started
        assert letters(redrive) == 1
    outcome = redrive.run()
    assert (outcome.unrecognized, outcome.arrived_later) == (0, 0), "and when it fails no more, all is done"
    assert letters(redrive) == 0


@pytest.mark.parametrize("arguments", [[], [""], ["one", "two"]])
def test_without_the_name_of_a_stack_it_says_how_to_call_it(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 2
    assert "make redrive STACK=name" in capsys.readouterr().err


def test_what_aws_refuses_is_said_in_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert main(["some-stack"]) == 2
    assert capsys.readouterr().err.startswith("no region is known: ")
