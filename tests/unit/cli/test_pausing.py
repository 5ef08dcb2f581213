"""`paused` changes in feed.json and nothing else does, whoever else edits it meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from jobferry.cli.pausing import set_paused, with_paused
from jobferry.errors import CannotBeDoneError, SettingsError
from tests.integration.inprocess import Stub

KEY = "feeds/default/feed.json"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{"paused": true}'),
        ("{ }\n", '{"paused": true}\n'),
        ('{"paused": false}', '{"paused": true}'),
        ('{"deleteJobs": true}', '{"deleteJobs": true, "paused": true}'),
        ('{"deleteJobs":true,"encoding":"cp1252"}', '{"deleteJobs":true,"encoding":"cp1252", "paused": true}'),
        ('{\n  "paused" : false ,\n  "deleteJobs": true\n}\n', '{\n  "paused" : true ,\n  "deleteJobs": true\n}\n'),
        (
            '\ufeff{\r\n\t"defaults": {"paused": "}, \\"paused\\": false"},\r\n\t"maxDeletePercent": 5\r\n}',
            '\ufeff{\r\n\t"defaults": {"paused": "}, \\"paused\\": false"},\r\n\t"maxDeletePercent": 5,\r\n\t"paused": true\r\n}',
        ),
        ('{"pau\\u0073ed": false}', '{"pau\\u0073ed": true}'),
        ('{"paused": false, "paused": false}', '{"paused": true, "paused": true}'),
        ('{"defaults": {"city": "Yörk, {"}}', '{"defaults": {"city": "Yörk, {"}, "paused": true}'),
    ],
)
def test_every_other_byte_stays(before: str, after: str) -> None:
    changed = with_paused(before.encode(), paused=True)
    assert changed.decode() == after
    assert json.loads(changed.decode("utf-8-sig"))["paused"] is True


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.Session("test", "test", region_name="us-east-1").client("s3")
        client.create_bucket(Bucket="bucket")
        yield client


def put(s3: Any, text: str) -> None:
    s3.put_object(Bucket="bucket", Key=KEY, Body=text.encode(), ContentType="text/x-own")


def get(s3: Any) -> str:
    return str(s3.get_object(Bucket="bucket", Key=KEY)["Body"].read().decode())


def pause(s3: Any, *, paused: bool = True, had_settings: bool = False) -> bool:
    return set_paused(s3, "bucket", "default", paused=paused, had_settings=had_settings)


def test_a_feed_is_paused_and_resumed(s3: Any) -> None:
    put(s3, '{"deleteJobs": true}')
    assert pause(s3)
    assert get(s3) == '{"deleteJobs": true, "paused": true}'
    assert s3.get_object(Bucket="bucket", Key=KEY)["ContentType"] == "text/x-own"
    assert not pause(s3)
    assert pause(s3, paused=False)
    assert get(s3) == '{"deleteJobs": true, "paused": false}'
    assert not pause(s3, paused=False)


def test_a_feed_without_settings_gets_some_only_to_be_paused(s3: Any) -> None:
    assert not pause(s3, paused=False)
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 0
    assert pause(s3)
    assert get(s3) == '{"paused": true}\n'


@pytest.mark.parametrize("before", [None, '{"encoding": "utf-8"}'])
def test_nobodys_edit_is_lost(s3: Any, before: str | None) -> None:
    """Somebody writes between our reading and our writing."""
    if before is not None:
        put(s3, before)
    edits = ['{"maxDeletePercent": 7}', '{"maxDeletePercent": 8}']

    def write(real: Any, **arguments: Any) -> Any:
        if edits:
            put(s3, edits.pop(0))
        return real(**arguments)

    assert pause(Stub(s3, put_object=write))
    assert get(s3) == '{"maxDeletePercent": 8, "paused": true}'


@pytest.mark.parametrize("paused", [True, False])
def test_settings_that_have_disappeared_are_not_replaced(s3: Any, paused: bool) -> None:
    """A new feed.json would end the feed's block: its jobs would be read in another way, or sent to another account."""
    with pytest.raises(CannotBeDoneError, match="has disappeared"):
        pause(s3, paused=paused, had_settings=True)
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 0


def test_settings_that_disappear_meanwhile_are_not_replaced(s3: Any) -> None:
    put(s3, '{"deleteJobs": true}')

    def write(real: Any, **arguments: Any) -> Any:
        s3.delete_object(Bucket="bucket", Key=KEY)
        return real(**arguments)

    with pytest.raises(CannotBeDoneError, match="has disappeared"):
        pause(Stub(s3, put_object=write))
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 0


def test_it_gives_up_when_others_do_not(s3: Any) -> None:
    numbers = iter(range(100))

    def write(real: Any, **arguments: Any) -> Any:
        put(s3, f'{{"maxDeletePercent": {next(numbers)}}}')
        return real(**arguments)

    with pytest.raises(CannotBeDoneError, match=r"feed\.json is being changed by others"):
        pause(Stub(s3, put_object=write))
    assert "paused" not in get(s3)


def test_settings_with_a_mistake_are_left_alone(s3: Any) -> None:
    put(s3, '{"pausd": true}')
    with pytest.raises(SettingsError, match="did you mean paused"):
        pause(s3)
    assert get(s3) == '{"pausd": true}'
