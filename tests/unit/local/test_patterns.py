"""Event patterns, including those of the template."""

import json
from typing import Any

import pytest

from local.patterns import PatternError, matches
from tests.stack import expanded

TEMPLATE = expanded()
UPLOAD = TEMPLATE["Resources"]["SubmitImportFunctionUpload"]["Properties"]["EventPattern"]["detail"]["object"]
NOTICE = json.loads(
    TEMPLATE["Resources"]["PublishNoticeFunctionRecords"]["Properties"]["FilterCriteria"]["Filters"][0]["Pattern"]
)


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("feeds/default/jobs.csv", True),
        ("feeds/default/sub/jobs.csv", True),
        ("feeds/default/my-feed.json", True),
        ("feeds/default/feed.json", False),
        ("feeds/default/", False),
        ("archive/default/default-20261124T020000Z.jsonl.gz", False),
    ],
)
def test_the_templates_rule_matches_only_feeds(key: str, wanted: bool) -> None:
    assert matches(UPLOAD, {"key": key}) is wanted


def record(**image: Any) -> dict[str, Any]:
    whole = {"item": "import", "state": "complete", **image}
    typed = {name: {"S": value} for name, value in whole.items() if value is not None}
    return {"eventName": "MODIFY", "dynamodb": {"NewImage": typed}}


@pytest.mark.parametrize("state", ["complete", "blocked", "rejected", "expired"])
def test_the_templates_filter_matches_ended_imports(state: str) -> None:
    assert matches(NOTICE, record(state=state))


@pytest.mark.parametrize(
    "unwanted",
    [
        record(state="running"),
        record(item="error#0000001"),
        record(notifiedAt="2026-11-24T02:00:30Z"),
        {"eventName": "REMOVE", "dynamodb": {}},  # without a new image
    ],
)
def test_the_templates_filter_rejects(unwanted: dict[str, Any]) -> None:
    assert not matches(NOTICE, unwanted)


@pytest.mark.parametrize(
    ("rule", "value", "allowed"),
    [
        ("a", "a", True),
        (1, True, False),
        ({"prefix": "ab"}, "abc", True),
        ({"prefix": "ab"}, "cab", False),
        ({"suffix": "bc"}, "abc", True),
        ({"wildcard": "a*c"}, "abbc", True),
        ({"wildcard": "a*c"}, "abcd", False),
        ({"wildcard": r"a\*c"}, "abc", False),
        ({"wildcard": r"a\*c"}, "a*c", True),
        ({"wildcard": "a.c"}, "abc", False),
        ({"anything-but": ["a", "b"]}, "c", True),
        ({"anything-but": ["a", "b"]}, "b", False),
        ({"anything-but": "a"}, "a", False),
        ({"anything-but": {"prefix": "a"}}, "ab", False),
        ({"anything-but": {"wildcard": "*b"}}, "ab", False),
        ({"exists": True}, "", True),
        ({"exists": True}, {"leaf": 1}, False),
    ],
)
def test_each_rule(rule: object, value: object, allowed: bool) -> None:
    assert matches({"key": [rule]}, {"key": value}) is allowed


def test_a_missing_value_does_not_exist_and_matches_no_anything_but() -> None:
    assert matches({"key": {"leaf": [{"exists": False}]}}, {})
    assert not matches({"key": [{"anything-but": "a"}]}, {})


@pytest.mark.parametrize("rules", [[{"numeric": [">", 0]}], [{"prefix": "a", "suffix": "b"}], [], "a"])
def test_an_unsupported_rule_is_an_error_whatever_the_event_is(rules: object) -> None:
    with pytest.raises(PatternError):
        matches({"other": ["no"], "key": rules}, {})
