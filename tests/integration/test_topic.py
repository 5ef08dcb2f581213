"""Notices in SNS: who gets what, by protocol and by filter policy; and the function that publishes them."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from jobferry.adapters.dynamodb import ImportsTable
from jobferry.adapters.sns import NoticesTopic, message
from jobferry.records.failed_jobs import FailedKind
from jobferry.records.imports import Import, State
from local.aws_account import REGION
from local.cloud import subscribe_to_topics
from local.template import Stack
from tests.events import load_event
from tests.integration.inprocess import NAME, InProcess, Stub, in_process
from tests.records import an_import
from tests.stack import TEMPLATE, expanded
from tests.unit.notices.cases import CASES, CREATED, STATE, complete, job, results

IMPORT_ID = "default-20261124T020000Z"


class Inbox:
    """A queue that is subscribed to the topic."""

    def __init__(self, stack: Stack, cloud: InProcess, policy: dict[str, Any] | None = None) -> None:
        self._sqs = cloud.client("sqs")
        self._url = self._sqs.create_queue(QueueName=f"inbox-{len(self._sqs.list_queues().get('QueueUrls', []))}")[
            "QueueUrl"
        ]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        cloud.client("sns").subscribe(
            TopicArn=stack.resource("NoticesTopic").ref,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"FilterPolicy": json.dumps(policy)} if policy else {},
        )

    def read(self) -> list[dict[str, Any]]:
        """What has come since it was read last: SNS's envelopes."""
        found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
        for each in found:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"]) for each in found]


@pytest.fixture
def made() -> Iterator[tuple[Stack, InProcess]]:
    with in_process("NoticesKey", "NoticesTopic") as made:
        yield made


@pytest.fixture
def topic(stack: Stack, cloud: InProcess) -> NoticesTopic:
    return NoticesTopic(cloud.client("sns"), stack.resource("NoticesTopic").ref)


class TestNoticesTopic:
    def test_a_queue_gets_the_data(self, topic: NoticesTopic, stack: Stack, cloud: InProcess) -> None:
        inbox = Inbox(stack, cloud)
        notice = CASES["new-and-still-and-fixed"].notice()
        topic.publish(notice)
        [envelope] = inbox.read()
        assert json.loads(envelope["Message"]) == notice.data
        assert envelope["Subject"] == "jobferry default: 3 of 4,416 jobs failed (2 new)"
        assert envelope["MessageAttributes"] == {
            "feed": {"Type": "String", "Value": "default"},
            "state": {"Type": "String", "Value": "complete"},
            "severity": {"Type": "String", "Value": "warning"},
        }

    @pytest.mark.parametrize("subscriptions", [0, 1, 7])
    def test_it_knows_whether_anybody_is_subscribed(self, topic: NoticesTopic, subscriptions: int) -> None:
        """moto counts no subscription, so the number is that of the test."""
        subscribe_to_topics(subscriptions)
        assert topic.has_subscribers() is (subscriptions > 0)

    def test_a_filter_policy_finds_the_critical_ones(self, topic: NoticesTopic, stack: Stack, cloud: InProcess) -> None:
        critical = Inbox(stack, cloud, {"severity": ["critical"]})
        for name in ("one-failed", "rejected-401", "success"):
            topic.publish(CASES[name].notice())
        assert [json.loads(each["Message"])["cause"] for each in critical.read()] == ["board-refused"]

    @pytest.mark.parametrize("name", ["one-failed", "hostile-text", "blocked-feed-missing"])
    def test_people_get_the_text_and_each_part_goes_once(self, name: str) -> None:
        notice = CASES[name].notice()
        parts = json.loads(message(notice))
        assert set(parts) == {"default", "email", "sms", "https"}
        assert (parts["email"], parts["sms"]) == (notice.text, notice.subject)
        assert json.loads(parts["default"]) == notice.data

    def test_a_chat_gets_what_amazon_q_reads(self) -> None:
        notice = CASES["one-failed"].notice()
        chat = json.loads(json.loads(message(notice))["https"])
        assert (chat["version"], chat["source"], chat["content"]["textType"]) == ("1.0", "custom", "client-markdown")
        assert chat["content"]["title"] == notice.subject
        assert chat["content"]["nextSteps"] == [each["text"] for each in notice.data["whatToDo"]]
        assert chat["content"]["description"].startswith("199 jobs of the feed are on the board.")

    @pytest.mark.parametrize("name", ["hostile-text", "withheld-too-many"])
    def test_sns_takes_it(self, name: str, topic: NoticesTopic, stack: Stack, cloud: InProcess) -> None:
        inbox = Inbox(stack, cloud)
        topic.publish(CASES[name].notice())
        assert len(inbox.read()) == 1


class _Context:
    function_name = f"{NAME}-PublishNotice"
    memory_limit_in_mb = 1024
    invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:{NAME}-PublishNotice"
    aws_request_id = "4d1e7a7c-0f6f-4a52-9d0b-0b6fb1e4a1cd"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 120_000


@pytest.fixture
def app(stack: Stack, cloud: InProcess, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The function, in the environment that the template gives it."""
    variables = stack.resource("PublishNoticeFunction").properties["Environment"]["Variables"]
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    spec = importlib.util.spec_from_file_location(
        "publish_notice_app", TEMPLATE.parent / "functions/publish_notice/app.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def log(app: ModuleType) -> io.StringIO:
    """What the function logs."""
    stream = io.StringIO()
    app.logger.registered_handler.setStream(stream)
    return stream


@pytest.fixture
def store(stack: Stack, cloud: InProcess) -> ImportsTable:
    return ImportsTable(cloud.client("dynamodb"), stack.resource("ImportsTable").ref)


def _record(import_id: str, **changes: Any) -> Import:
    return complete(results(48, 22, 129, 1), import_id=import_id, previous=None, **changes)


def _save(store: ImportsTable, record: Import) -> None:
    store.save(record)
    store.write_failed(record.import_id, FailedKind.ERROR, [job(14, STATE)], record.expires)


class TestPublishNotice:
    @pytest.fixture
    def made(self) -> Iterator[tuple[Stack, InProcess]]:
        with in_process(*expanded()["Resources"]) as made:
            yield made

    def test_publishes_and_marks(self, app: ModuleType, store: ImportsTable, stack: Stack, cloud: InProcess) -> None:
        inbox = Inbox(stack, cloud)
        _save(store, _record(IMPORT_ID))
        assert app.handler(load_event("notice-complete"), _Context()) == {"batchItemFailures": []}
        [envelope] = inbox.read()
        data = json.loads(envelope["Message"])
        assert data["importId"] == IMPORT_ID
        assert [each["message"] for each in data["failing"]["first"]] == [STATE]
        stored = store.get(IMPORT_ID)
        assert stored is not None
        assert stored.notified_at is not None

    def test_names_the_functions_of_the_template(
        self, app: ModuleType, store: ImportsTable, stack: Stack, cloud: InProcess
    ) -> None:
        inbox = Inbox(stack, cloud)
        record = an_import(
            import_id=IMPORT_ID,
            feed="default",
            created_at=CREATED,
            state=State.BLOCKED,
            cause="feed-missing",
            feed_is_empty=True,
        )
        store.save(record)
        app.handler(load_event("notice-blocked", importId=IMPORT_ID), _Context())
        [step, _] = json.loads(inbox.read()[0]["Message"])["whatToDo"]
        function = stack.resource("SubmitImportFunction").properties["FunctionName"]
        assert f"--function-name {function} --region {REGION} " in step["command"]
        assert f"s3://{stack.resource('FeedsBucket').ref}/feeds/default/" in step["text"]

    def test_a_second_delivery_publishes_nothing(
        self, app: ModuleType, store: ImportsTable, stack: Stack, cloud: InProcess
    ) -> None:
        inbox = Inbox(stack, cloud)
        _save(store, _record(IMPORT_ID))
        for _ in range(3):
            app.handler(load_event("notice-complete"), _Context())
        assert len(inbox.read()) == 1

    def test_one_that_fails_holds_up_no_other(
        self,
        app: ModuleType,
        store: ImportsTable,
        stack: Stack,
        cloud: InProcess,
        monkeypatch: pytest.MonkeyPatch,
        log: io.StringIO,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        event = load_event("notice-complete")
        [first] = event["Records"]
        others = [json.loads(json.dumps(first).replace(IMPORT_ID, f"default-2026112{day}T020000Z")) for day in (5, 6)]
        event["Records"] += others
        for number, record in enumerate(event["Records"]):
            record["dynamodb"]["SequenceNumber"] = str(number)
            _save(store, _record(record["dynamodb"]["Keys"]["importId"]["S"]))
        inbox = Inbox(stack, cloud)

        def publish(real: Any, **arguments: Any) -> Any:
            if "default-20261125T020000Z" in arguments["Message"]:
                raise TimeoutError("SNS is slow today")
            return real(**arguments)

        monkeypatch.setattr(app.topic, "_client", Stub(cloud.client("sns"), publish=publish))
        assert app.handler(event, _Context()) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
        told = [json.loads(each["Message"])["importId"] for each in inbox.read()]
        assert told == [IMPORT_ID, "default-20261126T020000Z"]
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        assert [(line["level"], line["importId"], line["feed"]) for line in lines] == [
            ("INFO", IMPORT_ID, "default"),
            ("ERROR", "default-20261125T020000Z", "default"),
            ("INFO", "default-20261126T020000Z", "default"),
        ]
        [metrics] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "NoticesPublished" in line]
        assert (metrics["NoticesPublished"], metrics["service"]) == ([1.0, 1.0], NAME)

    def test_a_batch_that_fails_whole_comes_again_from_its_first(
        self, app: ModuleType, store: ImportsTable, stack: Stack, cloud: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _save(store, _record(IMPORT_ID))

        def publish(_: Any, **__: Any) -> Any:
            raise TimeoutError

        monkeypatch.setattr(app.topic, "_client", Stub(cloud.client("sns"), publish=publish))
        event = load_event("notice-complete", SequenceNumber="77")
        assert app.handler(event, _Context()) == {"batchItemFailures": [{"itemIdentifier": "77"}]}

    @pytest.mark.parametrize(
        "name", ["notice-paused", "notice-unrelated", "notice-blocked", "notice-expired", "notice-batch"]
    )
    def test_records_that_are_gone_or_not_imports_are_nobodys_news(self, name: str, app: ModuleType) -> None:
        assert app.handler(load_event(name), _Context()) == {"batchItemFailures": []}

    def test_no_log_line_holds_what_the_board_said(
        self, app: ModuleType, store: ImportsTable, log: io.StringIO
    ) -> None:
        _save(store, _record(IMPORT_ID))
        app.handler(load_event("notice-complete"), _Context())
        assert "notice published" in log.getvalue()
        assert "State is invalid" not in log.getvalue()
