"""EventBridge's events."""

from local.events import as_sent

DETAIL = {"bucket": {"name": "b"}, "reason": "ObjectCreated"}


def test_an_upload_is_described_as_s3_describes_it() -> None:
    event = as_sent({"source": "aws.s3", "id": "i", "detail": {**DETAIL, "object": {"KEY": "k", "etag": "0a"}}})
    assert event["source"] == "aws.s3"
    assert event["id"] != "i"
    assert event["detail"] == {"bucket": {"name": "b"}, "reason": "PutObject", "object": {"key": "k", "etag": "0a"}}


def test_the_etag_tells_a_multipart_upload() -> None:
    event = as_sent({"detail": {**DETAIL, "object": {"etag": "0a-2"}}})
    assert event["detail"]["reason"] == "CompleteMultipartUpload"
