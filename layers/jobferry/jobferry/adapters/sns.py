"""SNS: publish notices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from jobferry.notices.notice import Notice

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

#: SNS cancels an e-mail subscription that gets more than ten messages in a second. The stream of a new table has about
#: four shards, whose notices are published side by side, so together they publish eight a second.
SECONDS_BETWEEN: Final = 0.5


class NoticesTopic:
    """The SNS topic of the notices. Implements `Publisher`."""

    def __init__(
        self,
        client: SNSClient,
        arn: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._arn = arn
        self._clock = clock
        self._sleep = sleep
        self._next_at = clock()

    @property
    def region(self) -> str:
        """The topic's AWS region."""
        return self._client.meta.region_name

    def publish(self, notice: Notice) -> None:
        """Publish a notice. SNS then delivers it to each subscriber, with retries of its own.

        If the last notice was published less than SECONDS_BETWEEN ago, wait.
        """
        if (seconds := self._next_at - self._clock()) > 0:
            self._sleep(seconds)
        self._next_at = self._clock() + SECONDS_BETWEEN
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in notice.attributes.items()
        }
        self._client.publish(
            TopicArn=self._arn,
            Subject=notice.subject,
            Message=message(notice),
            MessageStructure="json",
            MessageAttributes=attributes,
        )

    def has_subscribers(self) -> bool:
        """Tell whether the topic has a confirmed subscription."""
        attributes = self._client.get_topic_attributes(TopicArn=self._arn)["Attributes"]
        return int(attributes.get("SubscriptionsConfirmed", 0)) > 0


def message(notice: Notice) -> str:
    """Return the message for each protocol: the text for e-mail, the subject for SMS, the data for all others.

    Amazon Q Developer, which posts to Slack and Microsoft Teams, subscribes with HTTPS and reads nothing but its own format.
    The data is the default, so that the message contains it only once: all protocols share SNS's limit of 256 KiB.
    """
    return _json(
        {
            "default": _json(notice.data),
            "email": notice.text,
            "sms": notice.subject,
            "https": _json(_chat_message(notice)),
        }
    )


def _chat_message(notice: Notice) -> dict[str, Any]:
    """Return a notice as a custom notification: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html."""
    return {
        "version": "1.0",
        "source": "custom",
        "id": notice.data["importId"],
        "content": {
            "textType": "client-markdown",
            "title": notice.subject,
            "description": notice.happened,
            "nextSteps": [each["text"] for each in notice.data["whatToDo"]],
            "keywords": [notice.data["feed"], notice.data["state"], notice.data["severity"]],
        },
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
