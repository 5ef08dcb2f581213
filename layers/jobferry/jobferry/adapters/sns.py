"""SNS: where notices go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobferry.notices.notice import Notice

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


class NoticesTopic:
    """See `notices.Topic`."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, notice: Notice) -> None:
        """Returns when SNS has stored it; SNS then delivers to each subscriber, with its own retries."""
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
    """What each protocol gets: e-mail the text, an SMS the subject, all else (sqs, lambda, http, https, firehose) the data.

    The data is the default, so that each part is in the message once: all protocols together share SNS's 256 KiB.
    """
    return _json({"default": _json(notice.data), "email": notice.text, "sms": notice.subject})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
