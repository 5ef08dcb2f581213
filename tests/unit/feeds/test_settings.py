"""feed.json: what it may say, and what mapping by it does to rows."""

import json
from typing import Any

import pytest

from jobferry.errors import FeedNameError, SettingsError
from jobferry.feeds.settings import FeedSettings, check_feed_name, parse_settings
from tests.feeds import array, jsonl, read, table, workbook


def test_defaults() -> None:
    assert parse_settings(b"{}", "feed.json") == FeedSettings()
    assert FeedSettings().model_dump(by_alias=True) == {
        "apiKeySecret": "BoardApiKey",
        "deleteJobs": False,
        "maxDeletePercent": 20,
        "maxWeeklyDeletePercent": 50,
        "maxInvalidPercent": 20,
        "maxJobsPerImport": None,
        "fields": {},
        "values": {},
        "defaults": {},
        "rows": None,
        "sheet": None,
        "headerRow": None,
        "encoding": "utf-8",
        "notifyOnSuccess": False,
        "notifyOnDeletes": True,
        "paused": False,
        "maxFeedBytes": 1 << 30,
    }


def test_every_setting_is_read() -> None:
    given: dict[str, Any] = {
        "apiKeySecret": "boards/nurses-2",
        "deleteJobs": True,
        "maxDeletePercent": 0,
        "maxWeeklyDeletePercent": 700,
        "maxInvalidPercent": 100,
        "maxJobsPerImport": None,
        "fields": {"Job ID": "referenceNumber"},
        "values": {"specialty": {"FP": "Family Practice", "7": None}},
        "defaults": {"shiftsPerWeek": 4, "employmentType": ["Permanent"], "urgent": False, "factor": 1.5},
        "rows": "data.items",
        "sheet": "Open jobs",
        "headerRow": 3,
        "encoding": "cp1252",
        "notifyOnSuccess": True,
        "notifyOnDeletes": False,
        "paused": True,
        "maxFeedBytes": 1,
    }

    settings = parse_settings(b"\xef\xbb\xbf" + json.dumps(given).encode(), "feed.json")

    assert settings.model_dump(by_alias=True) == given


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"deletejobs": true}', 'feed.json: "deletejobs" is not a setting: did you mean deleteJobs?'),
        ('{"delete_jobs": true}', 'feed.json: "delete_jobs" is not a setting: did you mean deleteJobs?'),
        ('{"maxDeletePrecent": 5}', 'feed.json: "maxDeletePrecent" is not a setting: did you mean maxDeletePercent?'),
        ('{"x": 1}', 'feed.json: "x" is not a setting: known are apiKeySecret, deleteJobs, maxDeletePercent,'),
        ('{"deleteJobs": "yes"}', 'feed.json: deleteJobs is "yes", it should be false, "listed" or true'),
        ('{"deleteJobs": 1}', 'feed.json: deleteJobs is 1, it should be false, "listed" or true'),
        ('{"maxInvalidPercent": 101}', "feed.json: maxInvalidPercent is 101, it should be less than or equal to 100"),
        ('{"maxDeletePercent": -1}', "feed.json: maxDeletePercent is -1, it should be greater than or equal to 0"),
        ('{"maxDeletePercent": "20"}', 'feed.json: maxDeletePercent is "20", it should be a whole number'),
        ('{"maxDeletePercent": 2.5}', "feed.json: maxDeletePercent is 2.5, it should be a whole number"),
        ('{"maxJobsPerImport": 0}', "feed.json: maxJobsPerImport is 0, it should be greater than or equal to 1"),
        ('{"maxFeedBytes": 0}', "feed.json: maxFeedBytes is 0, it should be greater than or equal to 1"),
        ('{"fields": ["a"]}', 'feed.json: fields is ["a"], it should be an object'),
        ('{"fields": {"a": 1}}', "feed.json: fields.a is 1, it should be a text"),
        ('{"fields": {"": "title"}}', "feed.json: fields: a field's name cannot be empty"),
        ('{"fields": {"a": ""}}', "feed.json: fields: a field's name cannot be empty"),
        ('{"values": {"specialty": "x"}}', 'feed.json: values.specialty is "x", it should be an object'),
        (
            '{"defaults": {"x": {"a": 1}}}',
            (
                'feed.json: defaults.x is {"a": 1}, it should be a text or a whole number or a number or true or false or a '
                "list of texts"
            ),
        ),
        ('{"encoding": "klingon"}', "feed.json: encoding is not the name of a text encoding;"),
        ('{"encoding": "base64"}', "feed.json: encoding is not the name of a text encoding;"),
        ('{"encoding": "a\\u0000"}', "feed.json: encoding is not the name of a text encoding;"),
        ('{"encoding": 7}', "feed.json: encoding is 7, it should be a text"),
        ('{"apiKeySecret": "../other"}', "feed.json: apiKeySecret must be a plain name of a secret under this stack's"),
        ('{"apiKeySecret": "/other"}', "feed.json: apiKeySecret must be a plain name"),
        ('{"apiKeySecret": "arn:aws:x"}', "feed.json: apiKeySecret must be a plain name"),
        ('{"apiKeySecret": ""}', "feed.json: apiKeySecret must be a plain name"),
        (
            '{"deleteJobs": true, "maxJobsPerImport": 5}',
            (
                "feed.json: deleteJobs true and maxJobsPerImport exclude each other: each import of a split feed would delete the "
                "jobs of the others"
            ),
        ),
        ('{"defaults": {"referenceNumber": "x"}}', "feed.json: defaults.referenceNumber would give many jobs one"),
        ('{"a": 1', "feed.json is not JSON: it ends in the middle"),
        ("", "feed.json is not JSON: it ends in the middle"),
        ('{"paused": true,}', "feed.json is not JSON: "),
        ('{"paused": tru}', "feed.json is not JSON: expecting value, at character 12"),
        ("[]", "feed.json is a list, not an object"),
        ('{"paused": true, "paused": false}', "feed.json has the field 'paused' twice, with different values"),
        ('{"defaults": {"x": NaN}}', "feed.json holds NaN, which is not JSON: leave the value out, or write null"),
    ],
)
def test_a_setting_that_is_wrong_says_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text.encode(), "feed.json")

    assert str(caught.value).startswith(message)


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(b'{"paused": 1, "maxFeedBytes": -1, "color": "red"}', "feeds/a/feed.json")

    assert all(name in str(caught.value) for name in ("paused is 1", "maxFeedBytes is -1", '"color" is not a setting'))


def test_bytes_of_another_encoding() -> None:
    with pytest.raises(SettingsError, match=r"feed\.json byte 11 \(0xe9\) is not UTF-8"):
        parse_settings(b'{"fields":\xe9}', "feed.json")


@pytest.mark.parametrize("name", ["default", "a", "0-1", "x" * 64])
def test_names_of_feeds(name: str) -> None:
    assert check_feed_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "A", "a/b", "..", "a.b", "a b", "a\n", "é", None, 7, ["a"]])
def test_names_that_no_feed_has(name: Any) -> None:
    with pytest.raises(
        FeedNameError, match="is not a feed's name: use at most 64 lower-case letters, digits and hyphens"
    ):
        check_feed_name(name)


MAPPED = {
    "fields": {"Job ID": "referenceNumber", "spec": "specialty", "st": "state", "type": "employmentType"},
    "values": {
        "specialty": {"FP": "Family Practice", "TBD": "", "n/a": None},
        "employmentType": {"PT": "Part-Time", "LT": "Locum Tenens"},
        "shiftsPerWeek": {"4": 5},
        "shift": {"days": "Days"},
    },
    "defaults": {"state": "TX", "license": "MD", "benefits": " ", "city": None},
}


def test_fields_values_and_defaults() -> None:
    rows: list[dict[str, Any]] = [
        {"Job ID": "1", "spec": "FP", "st": "PA", "type": "PT; LT", "shiftsPerWeek": "4", "shift": "days, nights"},
        {"Job ID": "2", "spec": "TBD", "st": "", "type": "", "shiftsPerWeek": "", "shift": "days"},
        {"Job ID": "3", "spec": "n/a", "st": "", "type": "LT", "shiftsPerWeek": "3", "shift": ""},
    ]
    expected = [
        {
            "referenceNumber": "1",
            "shiftsPerWeek": 5,
            "shift": "days, nights",
            "specialty": "Family Practice",
            "state": "PA",
            "employmentType": ["Part-Time", "Locum Tenens"],
            "license": "MD",
        },
        {"referenceNumber": "2", "shift": "Days", "state": "TX", "license": "MD"},
        {"referenceNumber": "3", "shiftsPerWeek": 3, "employmentType": "Locum Tenens", "state": "TX", "license": "MD"},
    ]

    assert read("jobs.csv", table(*rows), **MAPPED) == (expected, [], [])
    rows[0] |= {"shiftsPerWeek": 4, "type": ["PT", " LT "]}
    rows[1]["st"] = rows[1]["type"] = rows[1]["shiftsPerWeek"] = None
    rows[2] |= {"shiftsPerWeek": 3, "type": ["LT"]}
    expected[2]["employmentType"] = ["Locum Tenens"]
    for row in rows:
        row |= {name: None for name, value in row.items() if value == ""}
    assert read("jobs.jsonl", jsonl(*rows), **MAPPED) == (expected, [], [])


def test_a_mapped_field_goes_before_one_of_that_name() -> None:
    rows = [
        {"referenceNumber": "internal 1", "Job ID": "1", "title": "t"},
        {"referenceNumber": "2", "Job ID": "", "title": "t"},
    ]

    jobs, problems, _ = read("jobs.csv", table(*rows), fields={"Job ID": "referenceNumber"})

    assert [job["referenceNumber"] for job in jobs] == ["1", "2"]
    assert problems == []


def test_two_columns_for_one_field() -> None:
    fields = {"City": "city", "Town": "city"}
    rows = [
        {"referenceNumber": "a", "City": "Lancaster", "Town": ""},
        {"referenceNumber": "b", "City": "Lancaster", "Town": "Lancaster"},
        {"referenceNumber": "c", "City": "Lancaster", "Town": "York"},
    ]

    jobs, problems, _ = read("jobs.csv", table(*rows), fields=fields)

    assert [job["city"] for job in jobs] == ["Lancaster", "Lancaster"]
    assert problems == ['jobs.csv row 4: the row has two different values for city, in "City" and "Town"']


def test_mapped_values_are_checked_like_the_feed_s_own() -> None:
    _, problems, _ = read("jobs.json", array({"referenceNumber": "a", "state": "x"}), values={"state": {"x": "Xanadu"}})
    assert problems == [
        'jobs.json row 1: state "Xanadu" is not a state of the USA: its two-letter code is needed, such as PA'
    ]

    _, problems, _ = read("jobs.xlsx", workbook(["referenceNumber"], ["a"]), defaults={"postalCode": "0"})
    assert problems[0].startswith('jobs.xlsx row 2: postalCode "0" is not a ZIP')


def test_a_mapped_text_that_is_blank_is_absent() -> None:
    content = jsonl({"referenceNumber": "a", "place": "  ", "title": " "})

    jobs, problems, _ = read("jobs.jsonl", content, fields={"place": "city"})

    assert (jobs, problems) == ([{"referenceNumber": "a"}], [])


@pytest.mark.parametrize("state", ["PA", "Pennsylvania"])  # told at a glance, and put right
def test_an_absent_value_is_not_mapped(state: str) -> None:
    row = {"referenceNumber": "a", "title": "", "city": None, "state": state}

    jobs, _, _ = read("a.jsonl", jsonl(row), values={"title": {"": "Untitled"}, "city": {"null": "Nowhere"}})

    assert jobs == [{"referenceNumber": "a", "state": "PA"}]


@pytest.mark.parametrize("state", ["PA", "Pennsylvania"])
def test_a_number_that_is_none_is_a_problem_though_another_field_takes_its_place(state: str) -> None:
    row = b'{"referenceNumber":"a","city":NaN,"place":"X","state":"%b"}\n' % state.encode()

    jobs, problems, _ = read("a.jsonl", row, fields={"place": "city"})

    assert jobs == []
    assert problems == ["a.jsonl row 1: the row holds NaN, which is not JSON: leave the value out, or write null"]


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"values": {"employmentType": {"FT": " Full "}}}, ["Full", "PT"]),
        ({"values": {"employmentType": {"FT": " "}}}, ["PT"]),
        ({"values": {"employmentType": {"FT": " ", "PT": ""}}}, None),
    ],
)
def test_words_that_the_settings_make_are_trimmed(settings: dict[str, Any], sent: list[str] | None) -> None:
    row = {"referenceNumber": "a", "employmentType": "FT;PT"}
    expected = [{"referenceNumber": "a"} | ({"employmentType": sent} if sent else {})]

    assert read("a.csv", table(row), **settings)[0] == expected
    assert read("a.jsonl", jsonl(row), **settings)[0] == expected


def test_a_default_without_a_word_is_absent() -> None:
    assert read("a.csv", table({"referenceNumber": "a"}), defaults={"employmentType": [" "]})[0] == [
        {"referenceNumber": "a"}
    ]


def test_values_that_are_numbers_are_mapped_by_their_text() -> None:
    jobs, _, _ = read(
        "jobs.jsonl",
        jsonl({"referenceNumber": "a", "status": 1}, {"referenceNumber": "b", "status": True}),
        values={"status": {"1": "open", "true": "shut"}},
    )

    assert [job["status"] for job in jobs] == ["open", "shut"]
