"""SNS: publish notices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobferry.notices.notice import Notice

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


class NoticesTopic:
    """The SNS topic of the notices. Implements `Publisher`."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, notice: Notice) -> None:
        """Publish a notice. SNS then delivers it to each subscriber, with retries of its own."""
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


def message(notice: Notice) -> str:
    """Return the message for each protocol: the text for e-mail, the subject for SMS, the data for all others.

    The data is the default, so that the message contains it only once: all protocols share SNS's limit of 256 KiB.
    """
    return _json({"default": _json(notice.data), "email": notice.text, "sms": notice.subject})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
