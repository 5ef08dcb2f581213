"""SubmitImport, started through Lambda's API."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from jobferry.adapters.lambda_functions import SubmitImportFunction
from jobferry.runs.triggers import parse_trigger
from tests.integration.test_table import NOW

ID = "default-20261124T020000Z"


@pytest.mark.parametrize(
    ("start", "event", "import_id"),
    [
        (lambda function: function.run_again("default", ID), {"feed": "default", "runAgain": ID}, f"{ID}-again"),
        (lambda function: function.resume("default", ID), {"feed": "default", "resume": ID}, ID),
    ],
)
def test_a_feed_is_started_without_waiting_for_it(start: Any, event: dict[str, str], import_id: str) -> None:
    client = boto3.Session("test", "test", region_name="us-east-1").client("lambda")
    with Stubber(client) as stubber:
        expected = {
            "FunctionName": "jobferry-SubmitImport",
            "InvocationType": "Event",
            "Payload": json.dumps(event).encode(),
        }
        stubber.add_response("invoke", {"StatusCode": 202}, expected)
        start(SubmitImportFunction(client, "jobferry-SubmitImport"))
        stubber.assert_no_pending_responses()
    assert parse_trigger(event, NOW).import_id == import_id, "it understands what it is sent"


def test_a_start_that_is_refused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.Session("test", "test", region_name="us-east-1").client("lambda")
    with Stubber(client) as stubber:
        stubber.add_client_error("invoke", "TooManyRequestsException")
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            SubmitImportFunction(client, "jobferry-SubmitImport").resume("default", ID)
