"""What to do about an import that has ended, written for a reader who does not know this system."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jobferry.errors import Cause
from jobferry.notices.advice.causes import BY_CAUSE, BY_LIST_END, BY_OBJECTION, INVALID_JOBS, advice_on_ending
from jobferry.notices.advice.commands import Commands
from jobferry.notices.advice.topics import Topic, topics
from jobferry.notices.failures import Failures, tell_unnamed
from jobferry.records.imports import Import, Objection, State
from jobferry.text import counted, one_line, when

#: If more jobs than this failed, the step leads with their most frequent reason.
_MANY_JOBS: Final = 25
#: A code that a shell takes as one word.
_SAFE_CODE: Final = re.compile(r"[A-Za-z0-9-]{1,80}")


@dataclass(frozen=True)
class Step:
    """Something to do: words, and a command to paste."""

    text: str
    command: str | None = None


def steps(record: Import, failures: Failures, commands: Commands) -> list[Step]:
    """Return what to do, the most urgent step first."""
    if record.state is State.COMPLETE:
        return list(_after_result(record, failures, commands)) or [Step("There is nothing to do.")]
    if record.state is State.EXPIRED:
        found = _after_silence(record)
    elif record.retry:
        outdated = record.ending.cause is Cause.RETRY_OUTDATED
        found = [Step(BY_CAUSE[Cause.RETRY_OUTDATED].to_do) if outdated else _RETRY]
    else:
        found = list(_after_refusal(record, failures, commands))
    # A blocked run's jobs are part of its own step.
    lists_jobs = failures.total and (record.retry or record.state is not State.BLOCKED)
    return [*found, _fix_jobs(failures)] if lists_jobs else found


#: The code does not fit.
_CODE_IS_USELESS: Final = frozenset({Cause.CONFIRMATION, Cause.FIELDS_GONE})
_RETRY: Final = Step(
    "Fix what the reason below says, then run `jobferry retry` again with the same import and the corrected file. "
    "The feed itself was not run; its next run sends everything, as always."
)


def _after_refusal(record: Import, failures: Failures, commands: Commands) -> Iterator[Step]:
    names = _names(record, failures, commands)
    too_many_invalid = record.ending.cause is Cause.FEED_INVALID and failures.total > 0
    advice = advice_on_ending(record)
    text = (INVALID_JOBS if too_many_invalid else advice.to_do).format(**names)
    if advice.then_run:
        yield _run(record, text, commands)
    elif record.ending.cause is Cause.PAUSED and (resume := commands.resume(record.feed)):
        yield Step("To send the feed again:", resume)
    else:
        yield Step(text)
    code = record.ending.fields_code
    if code and _SAFE_CODE.fullmatch(code):
        yield Step(
            "If the jobs are right without these fields, confirm exactly these fields"
            f"{commands.where}. The live postings then lose them.",
            commands.run(record.feed, confirm_fields=code),
        )
    if too_many_invalid and record.prepared.jobs:
        yield Step(
            "If the jobs are right as they are, and the others should still be sent, raise maxInvalidPercent in "
            f"{names['settings']}."
        )
    if record.ending.feed_is_empty:
        yield Step(
            "If the feed is empty on purpose: jobferry never deletes all postings of an account. Delete them on the "
            f'board\'s own site, and set "paused": true in {names["settings"]} until there are jobs again.'
        )


def _run(record: Import, text: str, commands: Commands) -> Step:
    """Return the step that runs the feed, with the codes that a person gave with the run that failed."""
    codes = [record.deletions.confirmed_with, record.confirm_fields]
    if record.ending.cause in _CODE_IS_USELESS or not any(codes):
        return Step(text, commands.run(record.feed))
    confirm, fields = (code if code and _SAFE_CODE.fullmatch(code) else None for code in codes)
    again = "Give your code again: without it, the run does not do what you confirmed. "
    return Step(again + text, commands.run(record.feed, confirm, confirm_fields=fields))


def _after_silence(record: Import) -> list[Step]:
    changes = "Check on the board's own site whether the changes of this import are there"
    if record.deletions.delete_jobs and record.deletions.expected:
        changes += (
            f": {counted(record.deletions.expected, 'posting')} (under WERE TO BE DELETED) may or may not be gone"
        )
    answered = None if record.sent.board_import_id else record.sent.answered
    if answered:
        return [
            Step(f"Write to the board's support: {answered}, for the import {_name_for_board(record)}. {changes}."),
            Step(
                "The next run sends all jobs again. It may fail in the same way until the board's server works again."
            ),
        ]
    return [
        Step(
            f"Wait for the next run: it sends all jobs again as usual, which does no harm. If you cannot wait, "
            f"{changes[0].lower()}{changes[1:]}."
        ),
        Step(
            "If the next run has no result either, write to the board's support about the import "
            f"{_name_for_board(record)}."
        ),
    ]


def _after_result(record: Import, failures: Failures, commands: Commands) -> Iterator[Step]:
    about = topics(record)
    if record.result.overtaken:
        yield Step(
            "If the feed is paused, resume it. Otherwise there is nothing to do: it runs again by itself within a few minutes and "
            "sends all jobs again. The board is up to date when that run is complete."
        )
    if Topic.DELETED_MORE in about:
        yield from _deleted_more(record, commands)
    if Topic.WITHHELD in about:
        yield from _withheld(record, failures, commands)
    if record.deletions.list_end and {Topic.NOT_OFFERED, Topic.LEFT} & set(about):
        yield Step(BY_LIST_END[record.deletions.list_end].format(**_names(record, failures, commands)))
    if Topic.FIRST in about:
        yield _announced(record, commands)
    if failures.total:
        yield _fix_jobs(failures)
    if unnamed := tell_unnamed(record, failures):
        yield Step(f"Write to the board's support about the import {_name_for_board(record)}: {unnamed}")
    if failures.accepted:
        one = failures.accepted == 1
        yield Step(
            f"Check the {'job' if one else f'{failures.accepted:,} jobs'} under PUBLISHED, BUT CHECK: the board "
            f"published {'it' if one else 'them'}, but jobferry thinks that a value is wrong. If so, correct it in your own system."
        )
    if Topic.UNACCOUNTED in about:
        yield Step(
            "The feed is not at fault for the jobs that are unaccounted for, and the next run sends all jobs again. If the next "
            f"notice says the same, write to the board's support about the import {_name_for_board(record)}."
        )
    if Topic.DELETED in about and not record.deletions.left:
        yield Step(
            "Check the list under DELETED: the feed no longer has these jobs, so their postings were deleted. If a job should "
            "still be on the board, put it back into your export, and the next run posts it again. Otherwise there is nothing "
            "to do. If you do not want such notices, set notifyOnDeletes to false in "
            f"{commands.settings(record.feed)}."
        )
    if Topic.UNVERIFIED in about:
        yield Step(
            "Check on the board's own site whether the postings are as you expect: the board could not be asked to "
            "confirm this result. The next run sends all jobs again and gets a new one."
        )


def _fix_jobs(failures: Failures) -> Step:
    if failures.total <= _MANY_JOBS:
        jobs, them = ("job", "it") if failures.total == 1 else (f"{failures.total:,} jobs", "them")
        return Step(
            f"Correct the {jobs} below in your own system (not in the exported file). The next run sends {them} again by "
            "itself."
        )
    top = failures.reasons[0]
    share = f"all {failures.total:,}" if top.jobs == failures.total else f"{top.jobs:,} of the {failures.total:,}"
    return Step(
        f"Start with the mistake that {share} jobs have in common ({one_line(top.message, 200)}), and correct it in your own "
        "system. If your export always writes a value that the board does not know, translate it with the setting "
        '"values" in feed.json. The next run sends the jobs again by itself.'
    )


def _deleted_more(record: Import, commands: Commands) -> Iterator[Step]:
    more = record.result.count("deleted") - record.deletions.by_import
    look = f"Check your account on the board's own site now for postings that are gone: the board deleted {more:,}"
    if not record.deletions.delete_jobs:
        yield Step(
            f"{look}, though this import asked for no deletion. Write to the board's support about the import "
            f"{_name_for_board(record)}."
        )
        return
    yield Step(
        f"{look} more than this import should have deleted. The jobs in the feed are on the board. The deleted postings came "
        "from a person, another feed or another system, or an older import of this feed, whose result came late, had posted "
        "them again. If one of them should be on the board, post it again from the system that it came from."
    )
    yield Step(
        'Until it is clear where they came from, let the board delete postings of this feed only: set deleteJobs to "listed" in '
        f"{commands.settings(record.feed)}. If you expected this (the first full sync of an account that held other "
        "postings), there is nothing to do."
    )


def _withheld(record: Import, failures: Failures, commands: Commands) -> Iterator[Step]:
    number = record.deletions.withheld
    one = number == 1
    it, they = ("it", "it") if one else ("them", "they")
    if number:
        if record.deletions.because == [Objection.TOO_MANY_THIS_WEEK]:
            otherwise = (
                f"{they} {'stays' if one else 'stay'} until the earlier deletions are more than a week old, and "
                f"{'is' if one else 'are'} deleted then, unless they are still too many."
            )
        elif record.deletions.need_a_person:
            otherwise = f"{they} {'stays' if one else 'stay'}, and the next run withholds {it} again."
        else:
            otherwise = (
                f"{_next_run_that_deletes(record)} deletes {it}. To keep {it}, put {it} into the feed, or set deleteJobs to "
                f"false in {commands.settings(record.feed)}."
            )
        yield Step(
            f"Check {'the posting' if one else f'the {number:,} postings'} under WOULD BE DELETED: should {they} still be on the "
            f"board? {they.capitalize()} {'is' if one else 'are'} not in the feed, and nothing was deleted. If you do "
            f"nothing, {otherwise}"
        )
    names = _names(record, failures, commands)
    for objection in record.deletions.objections:
        yield Step(BY_OBJECTION[objection].to_do.format(**names))
    code = record.deletions.confirm_code
    if code and _SAFE_CODE.fullmatch(code):
        yield Step(
            f"{'If it' if one else f'If all {number:,}'} should really be deleted, confirm exactly "
            f"{'this one' if one else 'these'}{commands.where}. The code is for exactly this list: if the list has "
            "changed by then, nothing is sent and nothing is lost, and the next run's notice has the new list and its code.",
            commands.run(record.feed, code),
        )


def _announced(record: Import, commands: Commands) -> Step:
    begins = "after that, or earlier in a run that you start,"
    if record.deletions.need_a_person:
        begins = (
            "as soon as a later run has nothing to withhold, or you confirm deletions with the code of a later notice,"
        )
    settings = commands.settings(record.feed)
    if record.deletions.listed and Topic.WITHHELD in topics(record) and not record.deletions.need_a_person:
        # The step on the withheld ones has said until when to object, and how.
        return Step(
            "From then on, each run deletes by reference number what this feed has posted and no longer has. No other posting "
            f"of the account is touched. {_former(record)}".rstrip()
        )
    if record.deletions.listed:
        return Step(
            f"You have 12 hours to object: {begins} each posting that came from this feed, and that the feed no longer has, is "
            "deleted by its reference number. No other posting of the account is touched. Nothing was deleted this time. To keep all "
            f"postings, set deleteJobs to false in {settings}. {_former(record) or 'Otherwise there is nothing to do.'}"
        )
    return Step(
        f"Within 12 hours, check your account on the board's own site: {begins} every posting that is not "
        "in this feed is deleted, even if it was posted by hand or by another system. Nothing was deleted this time. To keep "
        f'such postings, put them into the feed, or set deleteJobs to "listed" in {settings}: then only postings of this feed '
        "are deleted. If all postings come from this feed, there is nothing to do."
    )


def _former(record: Import) -> str:
    """Say what to do about postings of a former key, which no list deletes; nothing if there are none."""
    number, first = record.deletions.former, record.deletions.first_former
    if not number:
        return ""
    named = ", ".join(one_line(each, 64) for each in first) + (
        f" and {number - len(first):,} more" if number > len(first) else ""
    )
    return (
        f"Check {counted(number, 'posting')} on the board's own site ({named}): the feed posted them with the former API key "
        "and no longer has them. They are never deleted by list, because the new key may be that of another account."
    )


def _next_run_that_deletes(record: Import) -> str:
    """Return which run deletes postings that wait without needing a confirmation."""
    because = record.deletions.because
    if Objection.FIRST in because:
        return "a run that is at least 12 hours after this notice, or one that you start earlier,"
    if Objection.TIME_TO_OBJECT in because and record.deletions.object_until:
        return f"the first run after {when(record.deletions.object_until)}, or one that you start earlier,"
    return "the next run"


def _names(record: Import, failures: Failures, commands: Commands) -> dict[str, str]:
    """Return what the texts of `causes` have in braces."""
    others = [one_line(each, 100) for each in record.deletions.shared_with]
    unread = any(each.unreadable for each in record.deletions.shared_with)
    number = max(record.deletions.sharing, len(others))
    listed = ", ".join(others[:5]) + (f" and {number - 5:,} more" if number > 5 else "")
    reduced = [
        f"{one_line(each.key, 200)} has {counted(each.rows, 'row')}, where it was {each.rows_before:,}"
        for each in record.deletions.reduced[:5]
    ]
    return {
        "bucket": commands.bucket,
        "feed": record.feed,
        "where": commands.where,
        "settings": commands.settings(record.feed),
        "secret": commands.accounts + one_line(record.destination.account or "BoardApiKey", 100),
        "board": one_line(record.destination.board or "the stack's parameter BoardUrl", 200),
        "others": f"This feed and {listed} {'may be' if unread else 'are'}"
        if others
        else "This feed and another one are",
        "reduced": "; ".join(reduced),
        "unread": "First fix what cannot be read: that feed may be on the same account. " if unread else "",
        "announced": when(record.deletions.announced_at) if record.deletions.announced_at else "",
        "object_until": when(record.deletions.object_until) if record.deletions.object_until else "",
        "perhaps": ", perhaps to some of those under WOULD BE DELETED" if record.deletions.withheld else "",
        "most_frequent": one_line(failures.reasons[0].message, 200) if failures.reasons else "",
    }


def _name_for_board(record: Import) -> str:
    """Return how the board's support can find the import."""
    at = f", sent at {when(record.sent.submitted_at)}" if record.sent.submitted_at else ""
    if record.sent.board_import_id:
        return f"{one_line(record.sent.board_import_id, 200)}{at}"
    return f"of {counted(record.prepared.jobs, 'job')}{at}"
