"""Whether a notice is due, what it holds whatever the board says, and that it is published."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from jobferry.adapters.sns import message
from jobferry.errors import Cause
from jobferry.notices.advice.topics import severity
from jobferry.notices.details import read_details
from jobferry.notices.notice import Notice, compose, is_due, publish
from jobferry.notices.view import ImportView
from jobferry.records.failed_jobs import FailedJob, FailedKind
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, Objection, Open, Posting, State
from tests.fakes import Killed, MemoryStore, MemoryTopic
from tests.records import an_import, changed
from tests.unit.notices.cases import (
    CASES,
    CODE,
    COMMANDS,
    CREATED,
    EARLIER,
    LINKS,
    NOT_A_STATE,
    STATE,
    ZIP,
    blocked,
    complete,
    job,
    notice_of,
    results,
    sent,
)
from tests.unit.notices.test_golden import SCHEMA

NOW = CREATED + timedelta(minutes=7)
LIMIT = 256 * 1024


class TestIsDue:
    @pytest.mark.parametrize("name", CASES)
    def test_for_every_kind_of_notice(self, name: str) -> None:
        assert is_due(CASES[name].record)

    def test_not_for_a_success(self) -> None:
        assert not is_due(complete())

    def test_not_when_all_went_well_with_the_deletions_that_were_expected(self) -> None:
        assert not is_due(complete(results(deleted=5), delete_jobs=True, full_sync=True, expected_deletes=5))

    def test_for_such_deletions_if_the_feed_wants_it(self) -> None:
        deleted = {"delete_jobs": True, "full_sync": True, "notify_on_deletes": True}
        assert is_due(complete(results(deleted=5), expected_deletes=5, **deleted))
        assert is_due(complete(results(deleted=4), expected_deletes=5, **deleted))
        assert not is_due(complete(results(deleted=0), expected_deletes=5, **deleted))
        assert not is_due(complete(results(deleted=0), **deleted))

    def test_not_for_a_paused_feed(self) -> None:
        assert not is_due(blocked("paused", 'the feed is paused: its feed.json says "paused": true'))

    def test_not_for_a_skipped_run(self) -> None:
        assert not is_due(blocked("open", "an earlier one is open", state=State.SKIPPED))

    @pytest.mark.parametrize("state", [State.PREPARING, State.SUBMITTING, State.PENDING, State.RUNNING, State.SKIPPED])
    def test_not_before_the_end(self, state: State) -> None:
        assert not is_due(complete(results(failed=3), state=state, invalid=4))

    def test_not_while_the_result_awaits_its_verification(self) -> None:
        assert not is_due(complete(results(failed=3), verified=False, open=Open.OPEN))

    def test_not_twice(self) -> None:
        assert not is_due(complete(results(failed=3), notified_at=NOW))


class TestSeverity:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("success", "info"),
            ("late-result", "info"),
            ("one-failed", "warning"),
            ("withheld-too-many", "warning"),
            ("first-full-sync", "warning"),
            ("unverified", "warning"),
            ("rejected-unreachable", "warning"),
            ("blocked-confirmation", "warning"),
            ("deleted-more", "critical"),
            ("blocked-feed-missing", "critical"),
            ("rejected-401", "critical"),
            ("expired", "critical"),
        ],
    )
    def test_is_critical_when_it_does_not_mend_itself(self, name: str, expected: str) -> None:
        notice = CASES[name].notice()
        assert (severity(CASES[name].record), notice.attributes) == (
            expected,
            {"feed": "default", "state": CASES[name].record.state.value, "severity": expected},
        )


class TestCompose:
    def test_leads_with_what_to_do_and_says_it_to_programs_too(self) -> None:
        for case in CASES.values():
            notice = case.notice()
            assert notice.text.startswith("WHAT TO DO\n")
            assert all(step["text"] in notice.text for step in notice.data["whatToDo"])

    @pytest.mark.parametrize("name", CASES)
    def test_fits_on_two_screens(self, name: str) -> None:
        text = re.sub(
            r"https://\S+", "https://link", CASES[name].notice().text
        )  # a mail program wraps it or shortens it
        assert sum(max(1, ceil(len(line) / 100)) for line in text.splitlines()) <= 70

    def test_gives_a_reason_that_all_jobs_have_once_with_the_first_few(self) -> None:
        text = notice_of(complete(results(failed=60)), [job(each, STATE) for each in range(60)]).text
        assert text.count("The board says: State is invalid") == 1
        assert text.count("\n- LT-") == 5
        assert "FAILED FOR THE SAME REASON (the first 5 of 60)" in text

    @pytest.mark.parametrize(
        ("before", "told"), [({}, True), ({"state": "x"}, True), ({"state": "x", "startDate": "x"}, False)]
    )
    def test_mentions_adjusted_fields_only_when_some_are_new(self, before: dict[str, str], told: bool) -> None:
        record = changed(complete(results(failed=1)), adjusted={"state": "a", "startDate": "b"}, previous="default-1")
        store = MemoryStore()
        store.save(record, changed(complete(), import_id="default-1", adjusted=before))
        with read_details(store, record) as details:
            notice = compose(ImportView.of(details, COMMANDS), LINKS)
        assert ("- Adjusted formatting in 2 fields; see the report" in notice.text) == told
        assert notice.data["warnings"] == ["a", "b"]

    def test_says_what_to_fix_in_each_of_several_jobs_that_the_board_refused_for_the_same_reason(self) -> None:
        record = complete(results(failed=5), full_sync=True, invalid=5)
        refused = [job(each, STATE) for each in range(5)]
        text = notice_of(record, refused, [job(each, NOT_A_STATE, sent=True) for each in range(5)]).text
        assert text.count("The board says:") == 1
        assert text.count("  To fix: ") == 5

    def test_names_each_jobs_judge_if_the_board_and_jobferry_refused_jobs_with_the_same_words(self) -> None:
        text = notice_of(
            complete(results(failed=3)), [job(n, STATE) for n in range(3)], [job(n, STATE) for n in (8, 9)]
        ).text
        assert "FAILED FOR THE SAME REASON" not in text
        assert (text.count("The board says:"), text.count("Not sent: ")) == (3, 2)

    def test_shows_the_command_that_confirms(self) -> None:
        notice = CASES["withheld-too-many"].notice()
        command = f"--function-name {COMMANDS.function} --region us-east-1 --invocation-type Event"
        payload = f"""--payload '{{"feed": "default", "confirmDeletes": "{CODE}"}}'"""
        assert command in notice.text
        assert payload in notice.text
        assert notice.data["deletions"]["confirm"] == {"feed": "default", "confirmDeletes": CODE}

    @pytest.mark.parametrize("name", ["withheld-shared-account", "first-full-sync"])
    def test_shows_no_confirmation_where_none_is_possible(self, name: str) -> None:
        notice = CASES[name].notice()
        assert "confirmDeletes" not in notice.text
        assert notice.data["deletions"]["confirm"] is None

    def test_a_code_that_would_end_the_command_is_not_put_into_it(self) -> None:
        record = changed(CASES["withheld-too-many"].record, confirm_code="X'; rm -rf ~; '")
        assert "rm -rf" not in notice_of(record).text

    def test_new_ones_first_and_the_first_25_of_all(self) -> None:
        failed = [job(each, STATE, since=EARLIER if each % 2 else CREATED) for each in range(60)]
        notice = notice_of(complete(results(failed=60)), failed)
        first = notice.data["failing"]["first"]
        assert [each["referenceNumber"] for each in first] == [f"LT-{10000 + each}" for each in range(0, 50, 2)]
        few = notice_of(complete(results(failed=10)), failed[:10]).data["failing"]["first"]
        assert [each["new"] for each in few] == [True] * 5 + [False] * 5

    def test_counts_what_is_fixed(self) -> None:
        failed = [job(1, STATE), job(2, STATE)]
        before = {"LT-10001", "LT-77", "LT-78", "LT-5"}
        held = [job(0, NOT_A_STATE, reference_number="LT-5")]
        assert notice_of(complete(), failed, held, before).data["failing"]["fixed"] == 2
        assert notice_of(complete(), failed, held).data["failing"]["fixed"] is None

    def test_a_job_that_we_and_the_board_found_wrong_is_one(self) -> None:
        record = complete(results(failed=1), full_sync=True, invalid=1)
        notice = notice_of(record, [job(14, STATE)], [job(14, NOT_A_STATE, sent=True)])
        assert notice.data["failing"]["total"] == 1
        [one] = notice.data["failing"]["first"]
        assert (one["message"], one["toFix"]) == (STATE, NOT_A_STATE)

    def test_two_rows_with_one_reference_number_are_two(self) -> None:
        held = [job(each, "referenceNumber is in 2 rows that differ", reference_number="LT-1") for each in (3, 4)]
        assert notice_of(complete(invalid=2), (), held).data["failing"]["total"] == 2

    def test_another_row_with_the_reference_number_of_a_refused_job_is_another_job(self) -> None:
        record = complete(results(failed=1), full_sync=True, invalid=1)
        held = [job(20, "referenceNumber is in 2 rows that differ", reference_number="LT-10014")]
        assert notice_of(record, [job(14, STATE)], held).data["failing"]["total"] == 2

    def test_a_job_that_only_we_found_wrong_has_not_failed(self) -> None:
        record = complete(results(), full_sync=True, invalid=1)
        failing = notice_of(record, (), [job(14, NOT_A_STATE, sent=True)]).data["failing"]
        assert (failing["total"], failing["accepted"]) == (0, 1)

    def test_reasons_are_told_apart_by_more_than_their_values(self) -> None:
        failed = [job(each, f"State is invalid. Value passed was: {each}") for each in range(20)]
        failed += [job(each, ZIP) for each in range(20, 27)]
        reasons = notice_of(complete(results(failed=27)), failed).data["failing"]["reasons"]
        assert [(each["jobs"], each["identical"]) for each in reasons] == [(20, False), (7, True)]
        assert reasons[0]["first"] == ["jobs.csv row 2", "jobs.csv row 3", "jobs.csv row 4"]

    def test_the_board_may_give_every_job_a_reason_of_its_own(self) -> None:
        failed = [job(each, chr(0x4E00 + each) * 5) for each in range(5000)]
        failing = notice_of(complete(results(failed=5000)), failed).data["failing"]
        assert failing["total"] == 5000
        assert failing["reasons"][0] == {
            "message": "other reasons",
            "identical": True,
            "jobs": 4000,
            "first": [f"jobs.csv row {row}" for row in (1002, 1003, 1004)],
        }

    def test_no_secret_is_in_it(self) -> None:
        notice = CASES["hostile-text"].notice()
        for part in (notice.subject, notice.text, json.dumps(notice.data)):
            assert "5f2b9c0d1e" not in part
            assert "c2VjcmV0" not in part
        assert "token=(hidden)" in notice.text

    def test_no_text_of_others_begins_a_line(self) -> None:
        lines = CASES["hostile-text"].notice().text.splitlines()
        assert lines.count("WHAT TO DO") == 1
        assert not any("\x1b" in line or "\u202e" in line or "<" in line for line in lines)

    @pytest.mark.parametrize("name", CASES)
    def test_a_feed_with_the_longest_name_has_its_news_in_the_subject(self, name: str) -> None:
        short = CASES[name].notice().subject
        case = replace(CASES[name], record=CASES[name].record.changed(feed="f" * 64))
        subject = case.notice().subject
        assert subject.startswith("jobferry fff")
        assert subject.endswith(short.removeprefix("jobferry default"))
        assert len(subject) < 100


def _worst(character: str) -> Notice:
    text = character * 100_000
    failed = [
        FailedJob(
            number=each, messages=[text, text], reference_number=f"{each}{text}", title=text, key=f"feeds/default/{text}",
            row=10**9, since=EARLIER if each % 2 else CREATED,
        )
        for each in range(40)
    ]  # fmt: skip
    invalid = [each.model_copy(update={"messages": [text], "sent": True}) for each in failed]
    reasons = [
        FailedJob(number=100 + each, messages=[chr(0x4E00 + each) + text], key=text, row=each) for each in range(20)
    ]
    record = complete(
        results(failed=60, deleted=999), full_sync=True, invalid=40, withheld_deletes=10**6, verified=False,
        withheld_because=list(Objection), unaccounted=5,
        reduced=[{"key": text, "rows": 10**9, "rowsBefore": 10**9}] * 30, sharing=10**9,
        shared_with=[{"feed": text}] * 30, confirm_code=CODE, deletes=[Posting(reference_number=text, title=text)] * 30,
        warned=[text] * 30, board=text, account=text, board_import_id=text, reason=text,
    )  # fmt: skip
    record = changed(record, results={**(record.result.counts or {}), "ignoredValues": text})
    return notice_of(record, [*failed, *reasons], invalid, {text})


@pytest.mark.parametrize("character", ['"', "\\", "\N{GRINNING FACE}", "\x1b", "\n", "\ud800", "<", "\u202e", "é", "'"])
def test_the_worst_that_a_board_can_say_fits_with_margin(character: str) -> None:
    notice = _worst(character)
    assert len(message(notice).encode()) < LIMIT * 0.9
    assert list(Draft202012Validator(SCHEMA).iter_errors(notice.data)) == []


_texts = st.text(max_size=300) | st.builds(lambda part, times: part * times, st.text(max_size=20), st.integers(0, 2000))
_jobs = st.lists(
    st.builds(
        FailedJob,
        number=st.integers(0, 10**7),
        messages=st.lists(_texts, max_size=4),
        reference_number=st.none() | _texts,
        title=st.none() | _texts,
        key=st.none() | _texts,
        row=st.none() | st.integers(0, 10**9),
        since=st.sampled_from([None, EARLIER, CREATED]),
    ),
    max_size=40,
    # Each job has a number, a place in the feed, and an identity of its own.
    unique_by=(lambda each: each.number, lambda each: (each.key, each.row), lambda each: each.identity),
)


@settings(deadline=None)  # of a busy machine
@given(
    state=st.sampled_from([State.COMPLETE, State.BLOCKED, State.REJECTED, State.EXPIRED]),
    cause=st.sampled_from([*Cause, None]),
    reason=st.none() | _texts,
    failed=_jobs,
    invalid=_jobs,
    full_sync=st.booleans(),
    counts=st.dictionaries(
        st.sampled_from(["added", "failed", "deleted", "processed"]), st.integers(0, 10**9) | _texts
    ),
    because=st.lists(st.sampled_from(Objection)),
    feed=st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True),
)
def test_a_notice_is_sound_whatever_was_recorded(
    state: State,
    cause: str | None,
    reason: str | None,
    failed: list[FailedJob],
    invalid: list[FailedJob],
    full_sync: bool,
    counts: dict[str, Any],
    because: list[str],
    feed: str,
) -> None:
    record = an_import(
        import_id=f"{feed}-20261124T070000Z", feed=feed, created_at=CREATED, state=state, cause=cause, reason=reason,
        results=counts, full_sync=full_sync, withheld_because=because,
    )  # fmt: skip
    notice = notice_of(record, failed, invalid, {"LT-1"})
    assert notice.subject.isascii()
    assert notice.subject.isprintable()
    assert 0 < len(notice.subject) < 100
    assert all(each.isprintable() or each == "\n" for each in notice.text)
    assert len(message(notice).encode()) < LIMIT * 0.9
    assert list(Draft202012Validator(SCHEMA).iter_errors(notice.data)) == []
    total = notice.data["failing"]["total"] + notice.data["failing"]["accepted"]
    assert max(len(failed), len(invalid)) <= total <= len(failed) + len(invalid)


class TestPublish:
    def test_publishes_and_marks(self) -> None:
        store, topic = _world(complete(results(failed=1)))
        assert publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        assert [notice.subject for notice in topic.published] == ["jobferry default: 1 of 4,414 jobs failed"]
        assert _stored(store).notified_at == NOW

    def test_publishes_once(self) -> None:
        store, topic = _world(complete(results(failed=1)))
        told = [publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS) for _ in range(3)]
        assert [each is not None for each in told] == [True, False, False]
        assert len(topic.published) == 1

    @pytest.mark.parametrize("record", [complete(), complete(results(failed=1), verified=False, open=Open.OPEN)])
    def test_leaves_alone_what_is_not_due(self, record: Import) -> None:
        store, topic = _world(record)
        assert publish(store, topic, record.import_id, NOW, COMMANDS) is None
        assert (topic.published, _stored(store).notified_at) == ([], None)

    def test_a_record_that_is_gone_is_nobodys_news(self) -> None:
        assert publish(MemoryStore(), MemoryTopic(), "default-20261124T070000Z", NOW, COMMANDS) is None

    def test_killed_between_publishing_and_marking_it_publishes_again(self) -> None:
        store, topic = _world(complete(results(failed=1)))

        def kill(_: object) -> None:
            raise Killed

        store.before_save = kill
        with pytest.raises(Killed):
            publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        assert _stored(store).notified_at is None
        store.before_save = lambda _: None
        assert publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        assert publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS) is None
        assert len(topic.published) == 2
        assert topic.published[0] == topic.published[1]

    def test_what_could_not_be_published_is_not_marked(self) -> None:
        store, topic = _world(complete(results(failed=1)))

        def fail(_: Notice) -> None:
            raise TimeoutError

        topic.before_publish = fail
        with pytest.raises(TimeoutError):
            publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        assert _stored(store).notified_at is None

    def test_a_result_that_came_meanwhile_has_a_notice_of_its_own(self) -> None:
        store, topic = _world(sent(State.EXPIRED, "no-result", "the board gave no result within 12 hours"))

        def settle(_: Notice) -> None:
            store.save(changed(_stored(store), state=State.COMPLETE, verified=True, results=results(failed=1)))

        topic.before_publish = settle
        assert publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        assert _stored(store).notified_at is None
        topic.before_publish = lambda _: None
        assert publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        assert [notice.data["state"] for notice in topic.published] == ["expired", "complete"]

    def test_somebody_elses_mark_stands(self) -> None:
        store, topic = _world(complete(results(failed=1)))
        topic.before_publish = lambda _: store.save(_stored(store).changed(notified_at=CREATED))
        publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        assert _stored(store).notified_at == CREATED

    @pytest.mark.parametrize(("verified", "expected"), [(True, STATE), (False, ZIP)])
    def test_an_unverified_result_has_the_callbacks_errors(self, verified: bool, expected: str) -> None:
        store, topic = _world(complete(results(failed=1), verified=verified))
        store.write_failed("default-20261124T070000Z", FailedKind.ERROR, [job(14, STATE)], NOW)
        store.write_failed("default-20261124T070000Z", FailedKind.UNVERIFIED, [job(14, ZIP)], NOW)
        publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        assert [each["message"] for each in topic.published[0].data["failing"]["first"]] == [expected]

    def test_holds_it_against_the_last_complete_import(self) -> None:
        store, topic = _world(complete(results(failed=1), invalid=1))
        store.save(complete(import_id="default-20261123T070000Z"))
        store.write_failed(
            "default-20261123T070000Z", FailedKind.ERROR, [job(each, STATE, since=EARLIER) for each in (1, 2, 3)], NOW
        )
        store.write_failed("default-20261123T070000Z", FailedKind.INVALID, [job(4, STATE, since=EARLIER)], NOW)
        store.write_failed("default-20261124T070000Z", FailedKind.ERROR, [job(1, STATE, since=EARLIER)], NOW)
        store.write_failed("default-20261124T070000Z", FailedKind.INVALID, [job(4, NOT_A_STATE, since=EARLIER)], NOW)
        publish(store, topic, "default-20261124T070000Z", NOW, COMMANDS)
        failing = topic.published[0].data["failing"]
        assert (failing["refused"], failing["heldBack"], failing["still"], failing["fixed"]) == (1, 1, 2, 2)

    @pytest.mark.parametrize("changes", [{"parts": 2}, {"run": "default-20261124T070000Z"}, {"previous": None}])
    def test_nobody_can_say_what_is_fixed_of_a_split_feed_or_the_first_import(self, changes: dict[str, Any]) -> None:
        record = complete(results(failed=1), **changes)
        store, topic = _world(record)
        store.write_failed("default-20261123T070000Z", FailedKind.ERROR, [job(1, STATE, since=EARLIER)], NOW)
        publish(store, topic, record.import_id, NOW, COMMANDS)
        assert topic.published[0].data["failing"]["fixed"] is None

    def test_an_upload_and_a_run_again_are_no_parts(self) -> None:
        for mark in ("0123456789", "again"):
            record = complete(results(failed=1), import_id=f"default-20261124T070000Z-{mark}")
            store, topic = _world(record)
            publish(store, topic, record.import_id, NOW, COMMANDS)
            assert topic.published[0].data["failing"]["fixed"] == 0


def _world(record: Import) -> tuple[MemoryStore, MemoryTopic]:
    store = MemoryStore()
    store.save(record, Feed(feed=record.feed))
    return store, MemoryTopic()


def _stored(store: MemoryStore) -> Import:
    record = store.get("default-20261124T070000Z")
    assert record is not None
    return record
