"""What a person is to do about an import that has ended, and what has happened: one text for each case.

Written for somebody in operations who did not build any of this and reads it at seven in the morning: first what to do,
with the command to paste, then what happened and whether anything is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jobferry.errors import Cause
from jobferry.notices.failures import Failures
from jobferry.records.imports import Import, Objection, State
from jobferry.text import counted, plain, when

#: Characters of a reason that are shown.
REASON: Final = 600


@dataclass(frozen=True)
class Stack:
    """The names that a person needs in order to act.

    Attributes:
        function: SubmitImport's name.
        table: ImportsTable's, bucket: FeedsBucket's.
        accounts: prefix of the names of the accounts' secrets.
        region: of AWS.
    """

    function: str
    table: str
    bucket: str
    accounts: str
    region: str

    @classmethod
    def named(cls, name: str, table: str, bucket: str, region: str) -> Stack:
        """Of a stack by its name, after which its function and secrets are called."""
        return cls(f"{name}-SubmitImport", table, bucket, f"{name}/accounts/", region)

    def run(self, feed: str, confirm: str | None = None) -> str:
        """The command that runs a feed at once. It does not wait for the answer: a large feed takes minutes."""
        event = {"feed": feed} | ({"confirmDeletes": confirm} if confirm else {})
        return (
            f"aws lambda invoke --function-name {self.function} --region {self.region} --invocation-type Event"
            f" --cli-binary-format raw-in-base64-out --payload '{json.dumps(event)}' /dev/stdout"
        )

    def settings(self, feed: str) -> str:
        """Where a feed's settings are."""
        return f"s3://{self.bucket}/feeds/{feed}/feed.json"

    def show(self, key: str) -> str:
        """The command that shows a compressed file of the archive."""
        return f"aws s3 cp s3://{self.bucket}/{key} - --region {self.region} | gunzip"

    def copy(self, key: str) -> str:
        """The command that copies an object of the bucket into the present folder."""
        return f"aws s3 cp s3://{self.bucket}/{key} . --region {self.region}"

    def query(self, import_id: str, kind: str) -> str:
        """The command that lists an import's failed jobs of one kind."""
        values = json.dumps({":id": {"S": import_id}, ":kind": {"S": f"{kind}#"}})
        return (
            f"aws dynamodb query --table-name {self.table} --region {self.region}"
            " --key-condition-expression 'importId = :id and begins_with(#item, :kind)'"
            f""" --expression-attribute-names '{{"#item": "item"}}' --expression-attribute-values '{values}'"""
            " --query 'Items[].[referenceNumber.S, source.M.key.S, source.M.row.N, messages.L[].S]'"
        )


class About(StrEnum):
    """What a notice is about. An import may have several; the gravest comes first."""

    BLOCKED = "blocked"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DELETED_MORE = "deleted-more"
    WITHHELD = "deletions-withheld"
    FIRST = "first-full-sync"
    FAILED = "jobs-failed"
    UNACCOUNTED = "unaccounted"
    UNVERIFIED = "unverified"
    LATE = "late-result"
    SUCCESS = "success"


class Severity(StrEnum):
    """critical: the board stays out of date, or has lost postings, until a person acts."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


#: Causes that the next run may well get past by itself, or that only concern what a person just asked for.
_PASSING: Final = frozenset({Cause.FEED_CHANGED, Cause.CONFIRMATION, Cause.ABANDONED, Cause.BOARD_UNREACHABLE})


def topics(record: Import) -> list[About]:
    """What there is to say of an import that has ended; nothing when nobody needs to hear of it."""
    match record.state:
        case State.BLOCKED:
            return [] if record.ending.cause is Cause.PAUSED else [About.BLOCKED]
        case State.REJECTED:
            return [About.REJECTED]
        case State.EXPIRED:
            return [About.EXPIRED]
        case State.COMPLETE:
            found = {
                About.DELETED_MORE: record.result.count("deleted") > record.deletions.expected,
                About.WITHHELD: record.deletions.withheld > 0 or bool(record.deletions.objections),
                About.FIRST: record.deletions.announces_deletions,
                About.FAILED: record.result.count("failed") > 0 or record.prepared.invalid > 0,
                About.UNACCOUNTED: record.result.unaccounted > 0,
                About.UNVERIFIED: not record.result.verified,
                # People were told that no result had come, so they are told that it has.
                About.LATE: record.result.late,
            }
            return [topic for topic, holds in found.items() if holds] or [
                About.SUCCESS
            ] * record.prepared.notify_on_success
        case _:
            return []


def severity(record: Import) -> Severity:
    """How urgent it is."""
    about = topics(record)
    if {About.EXPIRED, About.DELETED_MORE} & set(about):
        return Severity.CRITICAL
    if {About.BLOCKED, About.REJECTED} & set(about):
        return Severity.WARNING if record.ending.cause in _PASSING else Severity.CRITICAL
    return Severity.INFO if set(about) <= {About.SUCCESS, About.LATE} else Severity.WARNING


def deletions(record: Import) -> tuple[str, int]:
    """The words under which the postings are listed that go, went or were to go, and how many they are."""
    if record.deletions.withheld:
        return "Would go", record.deletions.withheld
    as_expected = record.state is State.COMPLETE and record.result.count("deleted") <= record.deletions.expected
    return "Went" if as_expected else "Were to go", record.deletions.expected


def briefly(because: Iterable[Objection]) -> str:
    """Why deletions are withheld, in a line."""
    return "; ".join(_WITHHELD_BRIEFLY[each] for each in because)


def headline(record: Import, failures: Failures) -> str:
    """What happened, in a few words: the subject without the feed."""
    retry = "retry of mended jobs" if record.retry else ""
    about = ", ".join(each for each in (part(record), retry) if each)
    return f"{about}: {_headline(record, failures)}" if about else _headline(record, failures)


def part(record: Import) -> str:
    """Which part of a split feed it is; "" of a feed that is whole."""
    if record.run is not None:
        return f"part {record.import_id.removeprefix(f'{record.run}-')}"
    return f"part 1 of {record.parts:,}" if record.parts > 1 else ""


def _headline(record: Import, failures: Failures) -> str:
    match record.state:
        case State.BLOCKED:
            return f"nothing was sent, {_BLOCKED_BRIEFLY.get(record.ending.cause or '', 'see why')}"
        case State.REJECTED if record.ending.cause is Cause.BOARD_UNREACHABLE:
            return "the board could not be reached"
        case State.REJECTED if record.ending.cause in _UNSENT:
            return f"nothing was sent, {_UNSENT[record.ending.cause]}"
        case State.REJECTED:
            return _REFUSED_BRIEFLY.get(record.ending.status or 0, "the board refused the import")
        case State.EXPIRED:
            return "no result from the board within 12 hours"
    words = []
    about = topics(record)
    if About.DELETED_MORE in about:
        words.append(
            f"{counted(record.result.count('deleted'), 'posting')} deleted, {record.deletions.expected:,} expected"
        )
    if About.WITHHELD in about:
        number = record.deletions.withheld
        words.append(f"{counted(number, 'deletion')} withheld" if number else "deletions withheld")
    if About.FIRST in about and not record.deletions.objections:
        words.append("deletions begin with the next run")
    if failed := max(failures.by_board, record.result.count("failed")) + failures.held:
        known = f" ({failures.new:,} new)" if failures.new else " (all known)"
        of = counted(record.prepared.jobs + failures.held, "job")
        words.append(f"{failed:,} of {of} failed{known if failures.still else ''}")
    elif failures.taken:
        words.append(f"{counted(failures.taken, 'job')} to look at")
    if About.UNACCOUNTED in about:
        words.append(f"{counted(record.result.unaccounted, 'job')} unaccounted for")
    if About.UNVERIFIED in about:
        words.append("result not confirmed")
    if About.LATE in about:
        words.append("the late result has come")
    all_of_them = "the job is" if record.prepared.jobs == 1 else f"all {record.prepared.jobs:,} jobs are"
    return "; ".join(words[:2]) or f"{all_of_them} on the board"


_BLOCKED_BRIEFLY: Final = {
    "feed-missing": "the feed has no file",
    "feed-unreadable": "a file cannot be read",
    "feed-too-large": "the feed is too large",
    "feed-invalid": "the feed looks broken",
    "feed-changed": "the files kept changing",
    "settings": "feed.json has a mistake",
    "confirmation": "the code does not fit",
    "secret": "the API key is not usable",
    "paused": "the feed is paused",
    "abandoned": "the run was cut off",
}

#: Why a rejected import never reached the board.
_UNSENT: Final = {
    "secret": "the API key is not usable",
    "archive-gone": "what was made ready is gone",
}
_REFUSED_BRIEFLY: Final = {
    401: "the board refused the API key",
    403: "the board refused the API key",
    413: "the import is too large for the board",
}

#: End a step whose command follows.
_AT_ONCE: Final = "To run it at once, in AWS CloudShell or a terminal with the AWS CLI:"
_RUN_NOW: Final = f"The next run then sends everything. {_AT_ONCE}"
_PUT_KEY: Final = (
    "Put the board account's API key into the secret that the reason below names (AWS console, Secrets Manager, Retrieve "
    "secret value, Edit). If there is no such secret: is apiKeySecret in feed.json spelt right? If so, store a new one by "
    "that name."
)


@dataclass(frozen=True)
class Step:
    """Something to do: words, and a command to paste."""

    text: str
    command: str | None = None


def steps(record: Import, failures: Failures, stack: Stack) -> list[Step]:
    """What to do, the most urgent first."""
    match record.state:
        case State.BLOCKED | State.REJECTED if record.retry:
            return [_RETRY] + [_failed(failures)] * bool(failures.total)
        case State.BLOCKED:
            return _blocked(record, failures, stack)
        case State.REJECTED:
            return _rejected(record, stack) + [_failed(failures)] * bool(failures.total)
        case State.EXPIRED:
            return _expired(record) + [_failed(failures)] * bool(failures.total)
    about = topics(record)
    found: list[Step] = []
    if About.DELETED_MORE in about:
        found += _deleted_more(record, stack)
    if About.WITHHELD in about:
        found += _withheld(record, stack)
    if About.FIRST in about:
        found.append(_first(record, stack))
    if failures.total:
        found.append(_failed(failures))
    elif record.result.count("failed"):
        found.append(
            Step(
                f"Write to the board's support and name the import {_board_id(record)}: the board counts "
                f"{counted(record.result.count('failed'), 'failed job')}, but does not say which."
            )
        )
    if failures.taken:
        them = "job that looks" if failures.taken == 1 else f"{failures.taken:,} jobs that look"
        found.append(Step(f"Check the {them} wrong to jobferry, though the board took what was sent (at the end)."))
    if About.UNACCOUNTED in about:
        found.append(
            Step(
                "Nothing in the feed needs mending for the jobs that are unaccounted for: the next run sends all jobs "
                "again. If the next notice says the same, write to the board's support and name the import "
                f"{_board_id(record)}."
            )
        )
    if About.UNVERIFIED in about:
        found.append(
            Step(
                "Look at the board's own site whether the postings are as you expect: the board could not be asked to "
                "confirm this result. The next run sends all jobs again and gets a new one."
            )
        )
    return found or [Step("Nothing.")]


_RETRY: Final = Step(
    "Mend what the reason below says, then give the command jobferry retry again, with the import whose jobs failed and "
    "the file of the mended ones. The feed itself was not run; its next run sends everything, as always."
)


def happened(record: Import, failures: Failures) -> str:
    """What happened and whether anything is lost, in a few sentences."""
    if record.state in (State.BLOCKED, State.REJECTED):
        unsent = record.state is State.BLOCKED or record.ending.cause in _UNSENT
        nothing = "Nothing was sent" if unsent else "The board accepted nothing"
        if part(record):
            untouched = f"{nothing} of {part(record)} of the feed; its other parts are told apart."
        else:
            of = " of the retry" if record.retry else ""
            untouched = f"{nothing}{of}: all postings on the board are as they were before."
        return f"{untouched} {_because(record, failures)}"
    if record.state is State.EXPIRED:
        return _expired_happened(record)
    about = topics(record)
    of = "of the retry" if record.retry else f"of {part(record) or 'the feed'}"
    text = []
    if About.LATE in about:
        text.append("The result that you were told was missing has come after all; nothing was lost.")
    if About.UNVERIFIED in about:
        text.append(
            f"This result came with the board's callback. The board itself could not be asked {_so_far(record)}, and a "
            "callback alone proves nothing. It says:"
        )
    if About.UNACCOUNTED in about:
        text.append(
            f"The board's counts do not add up: {counted(record.result.unaccounted, 'job')} of the {record.prepared.jobs:,} sent "
            f"{'is' if record.result.unaccounted == 1 else 'are'} in none of them, or in two."
        )
    elif failures.total or record.result.count("failed"):
        went = counted(max(record.prepared.jobs - record.result.count("failed"), 0), f"job {of} is", f"jobs {of} are")
        text.append(f"{went} on the board. A failed job's posting, if there is one, stays as it was.")
    else:
        all_of_them = f"The job {of} is" if record.prepared.jobs == 1 else f"All {record.prepared.jobs:,} jobs {of} are"
        text.append(f"{all_of_them} on the board.")
    if record.deletions.withheld:
        text.append(f"{_postings(record.deletions.withheld)} not in the feed stayed there too.")
    return " ".join(text)


def _so_far(record: Import) -> str:
    return "so far" if record.open else "within 12 hours"


def _because(record: Import, failures: Failures) -> str:
    """The reason, as it was recorded; its examples only where no list follows."""
    reason = record.ending.reason or "none was recorded"
    shown = plain(reason.split(". The first: ")[0] if failures.total else reason, REASON)
    return f"The reason: {shown}" if shown.endswith((".", "?", "!")) else f"The reason: {shown}."


def _failed(failures: Failures) -> Step:
    if failures.total == 1:
        return Step(
            "Mend the job below where your export takes it from (your own system, not the exported file). The next run "
            "sends it again by itself."
        )
    if failures.total <= _MANY:
        return Step(
            f"Mend the {failures.total:,} jobs below where your export takes them from (your own system, not the "
            "exported file). The next run sends them again by itself."
        )
    top = failures.reasons[0]
    share = f"all {failures.total:,}" if top.jobs == failures.total else f"{top.jobs:,} of the {failures.total:,}"
    return Step(
        f"Begin with the reason of {share} jobs ({plain(top.message, 200)}). Mend it where your export takes the jobs "
        "from; if the export always writes a value that the board does not know, feed.json can translate it (the setting "
        '"values"). The next run sends the jobs again by itself.'
    )


#: More failing jobs than that are first told by their reasons.
_MANY: Final = 25


def _withheld(record: Import, stack: Stack) -> list[Step]:
    number = record.deletions.withheld
    one = number == 1
    found = []
    if number:
        them = "the posting" if one else f"the {number:,} postings"
        found.append(
            Step(
                f"Look at {them} under WOULD GO: should {'it' if one else 'they'} still be on the board? "
                f"{'It is' if one else 'They are'} not in the feed, and nothing was deleted. "
                + _if_nothing_is_done(record, "it" if one else "them", stack)
            )
        )
    found += [Step(_BECAUSE[each].format(**_names(record, stack))) for each in record.deletions.objections]
    if code := _code(record):
        found.append(
            Step(
                f"{'If it is' if one else f'If all {number:,} are'} really to go, confirm exactly "
                f"{'this one' if one else 'these'}, in AWS CloudShell or a terminal with the AWS CLI. The code "
                "fits this very list: if it is another one by then, nothing is sent and nothing is lost, and the next "
                "run's notice has the new list and its code.",
                stack.run(record.feed, code),
            )
        )
    return found


def _if_nothing_is_done(record: Import, them: str, stack: Stack) -> str:
    if record.deletions.objections:
        stays = "it stays" if them == "it" else "they stay"
        return f"If you do nothing, {stays}, and the next run withholds {them} again."
    return (
        f"If you do nothing, the next run deletes {them}. To keep {them}, put {them} into the feed, or set deleteJobs to "
        f"false in {stack.settings(record.feed)}."
    )


_WITHHELD_BRIEFLY: Final = {
    Objection.FIRST: "they are announced, and go from the next import on",
    Objection.FEWER_OBJECTS: "the feed has fewer files than before",
    Objection.TOO_MANY: "so many at once look like a fault of the export",
    Objection.UNPROTECTED_ROWS: "some rows cannot be told from those postings",
    Objection.SHARED_ACCOUNT: "another feed has the same account",
}
_BECAUSE: Final = {
    Objection.FEWER_OBJECTS: (
        "Look whether a file is missing from s3://{bucket}/feeds/{feed}/: the feed had more files at its last complete "
        "import. If one is, export it again; the next run is then as usual."
    ),
    Objection.TOO_MANY: (
        "If they should still be there, mend the export: it left out so many at once (more than the feed's "
        "maxDeletePercent) that it looks half-written. The next run is then as usual."
    ),
    Objection.UNPROTECTED_ROWS: (
        "Mend the rows below that could not be sent (no reference number, not readable, or one number for two different "
        "jobs). Nobody can tell whose postings they are{perhaps}, so nothing is deleted while there is such a row. The "
        "next run is then as usual."
    ),
    Objection.SHARED_ACCOUNT: (
        "{unread}Give each feed an account of its own. {others} on the same account of the board, and each would delete the "
        "other's postings, so nothing is deleted, and nothing can be confirmed, while that is so. Either put all their "
        "files under one feed; or give each its own API key (apiKeySecret in its feed.json, here {secret}); or set "
        "deleteJobs to false in each."
    ),
}


def _first(record: Import, stack: Stack) -> Step:
    begins = "from then on, and from any run that you start,"
    if record.deletions.objections:
        begins = "once nothing speaks against deletions any more, or you confirm some,"
    return Step(
        f"Before the next scheduled run, look at your account on the board's own site: {begins} every posting that is not "
        "in this feed is deleted, also those posted by hand or by another system. Nothing was deleted this time. To keep such postings, put them into the feed, or set deleteJobs to false in "
        f"{stack.settings(record.feed)}. If all postings come from this feed, there is nothing to do."
    )


def _deleted_more(record: Import, stack: Stack) -> list[Step]:
    more = record.result.count("deleted") - record.deletions.expected
    if not record.deletions.delete_jobs:
        return [
            Step(
                f"Look now at your account on the board's own site for postings that are gone: the board deleted {more:,}, "
                "though this import asked for no deletion. Write to the board's support and name the import "
                f"{_board_id(record)}."
            )
        ]
    return [
        Step(
            f"Look now at your account on the board's own site for postings that are gone: the board deleted {more:,} "
            "more than this import was to delete. Whatever is in the feed is there; what is gone was posted by hand, by "
            "another feed or by another system. Post it again from there: jobferry never had it."
        ),
        Step(
            "Until it is clear where they came from, stop the deletions: set deleteJobs to false in "
            f"{stack.settings(record.feed)}. If you expected this (the first full sync of an account that held other "
            "postings), there is nothing to do."
        ),
    ]


def _blocked(record: Import, failures: Failures, stack: Stack) -> list[Step]:
    names = _names(record, stack)
    run = stack.run(record.feed)
    empty = Step(
        "If the feed is empty on purpose: jobferry never takes down a whole account. Take the postings down on the "
        f'board\'s own site, and set "paused": true in {stack.settings(record.feed)} until there are jobs again.'
    )
    match record.ending.cause:
        case "feed-missing":
            text = (
                "Find out why the export did not arrive in s3://{bucket}/feeds/{feed}/ (did it run? did it go to another "
                f"folder?), and have it write the file there again. {_RUN_NOW}"
            )
            return [Step(text.format(**names), run), empty]
        case "feed-unreadable":
            text = (
                "Look at the file named in the reason below. If it is no part of the feed, take it out of the folder. If it is "
                "in another encoding, say so in {settings}, as the reason shows. Otherwise export it again, to the same place: "
                f"most often it was cut off while it was written. {_RUN_NOW}"
            )
            return [Step(text.format(**names), run)] + [empty] * (record.ending.feed_is_empty)
        case "feed-too-large":
            text = (
                "Export less, or allow more: raise maxFeedBytes in {settings}; where the function's disk is full, raise "
                f"EphemeralStorage of SubmitImport in template.yaml and deploy. {_RUN_NOW}"
            )
            return [Step(text.format(**names), run)]
        case "feed-invalid":
            return _feed_invalid(record, failures, names, run, empty)
        case "feed-changed":
            text = (
                "Have the export end before the run begins, or write its files elsewhere and copy them to "
                f"s3://{{bucket}}/feeds/{{feed}}/ when they are whole. {_RUN_NOW}"
            )
            return [Step(text.format(**names), run)]
        case "settings":
            text = f"Mend {{settings}}, as the reason below says, and upload it again. {_RUN_NOW}"
            return [Step(text.format(**names), run)]
        case "confirmation":
            text = (
                "If the reason below says that deleteJobs is off, or that another feed has the same account, mend that first: "
                "there is no code before. Otherwise run the feed without a code, or wait for the next run: if deletions are "
                "withheld, its notice has the present list and its code. Look at that list, then confirm that code."
            )
            return [Step(text, run)]
        case "secret":
            return [Step(f"{_PUT_KEY} {_RUN_NOW}", run)]
        case "paused":
            return [Step(f'Nothing. To send it again, take "paused": true out of {stack.settings(record.feed)}.')]
        case "abandoned":
            text = (
                "Nothing, if it happened once: the next run starts anew and sends everything. If it happens again, the run "
                f"takes too long or too much memory: docs/runbook.md, Abandoned, says where to look. {_AT_ONCE}"
            )
            return [Step(text, run)]
        case _:
            return [Step(f"Mend what the reason below says. {_RUN_NOW}", run)]


def _feed_invalid(record: Import, failures: Failures, names: Mapping[str, str], run: str, empty: Step) -> list[Step]:
    if not failures.total:
        text = f"Look into the export: its file has no job in it. Export it again, to the same place. {_RUN_NOW}"
        return [Step(text, run), empty]
    text = (
        f"Mend what most of the jobs have in common ({plain(failures.reasons[0].message, 200)}): so many at once is a fault of the "
        f"export, or of the feed's settings ({names['settings']}), hardly of the jobs. {_RUN_NOW}"
    )
    allowed = Step(
        "If the jobs really are so, and the others are to go out all the same, raise maxInvalidPercent in {settings}.".format(
            **names
        )
    )
    some = record.prepared.jobs > 0
    return [Step(text, run)] + [allowed] * some


def _rejected(record: Import, stack: Stack) -> list[Step]:
    names = _names(record, stack)
    run = stack.run(record.feed)
    if record.ending.cause is Cause.BOARD_UNREACHABLE:
        text = (
            "Nothing, if it happened once: the next run sends everything. If it happens again, look whether the board's "
            "site works, and whether {board} is its right address. If the reason says that the board asked to be left "
            f"alone, wait for as long. {_AT_ONCE}"
        )
        return [Step(text.format(**names), run)]
    if record.ending.cause is Cause.SECRET:
        return [Step(f"{_PUT_KEY} {_RUN_NOW}", run)]
    if record.ending.cause is Cause.ARCHIVE_GONE:
        text = (
            "Find out who or what deleted it: nothing but the archive's own rule should, after 90 days. The next run makes "
            f"everything ready anew. {_AT_ONCE}"
        )
        return [Step(text, run)]
    match record.ending.status:
        case 401 | 403:
            text = (
                "Check the account's API key on the board's own site, and put it into the secret {secret} (AWS console, "
                f"Secrets Manager, Retrieve secret value, Edit). {_RUN_NOW}"
            )
        case 413:
            text = (
                "Send less at once: set maxJobsPerImport in {settings}, for instance 2000. A feed with deleteJobs cannot "
                f"be split: set deleteJobs to false, or ask the board's support to raise its limit. {_RUN_NOW}"
            )
        case 404 | 301 | 302 | 303 | 307 | 308:
            text = (
                "Check the board's address, {board}: it is the stack's parameter BoardUrl, or boardUrl in the secret "
                f"{{secret}}. {_RUN_NOW}"
            )
        case _:
            text = (
                "Mend what the board says below. If its words do not tell what that is, write to the board's support and "
                f"quote them. {_RUN_NOW}"
            )
    return [Step(text.format(**names), run)]


def _expired(record: Import) -> list[Step]:
    look = "Look at the board's own site whether the changes of this import are there."
    if record.deletions.delete_jobs and record.deletions.expected:
        look = (
            "Look at the board's own site whether the changes of this import are there: "
            f"{_postings(record.deletions.expected)} (under WERE TO GO) may or may not be gone."
        )
    return [
        Step(
            f"{look} Then there is nothing to do but wait: the next run goes out as usual and sends all jobs again, "
            "which does no harm."
        ),
        Step(
            "If the next run has no result either, write to the board's support and name the import "
            f"{_board_id(record)}."
        ),
    ]


def _expired_happened(record: Import) -> str:
    sent = counted(record.prepared.jobs, "job was", "jobs were")
    at = f" at {when(record.sent.submitted_at)}" if record.sent.submitted_at else ""
    if record.sent.board_import_id:
        text = f"{sent} sent{at} and the board accepted them, but it has given no result since."
    else:
        text = f"{sent} sent{at}, but the board's answer was lost: nobody knows whether they arrived."
    return (
        f"{text} Nothing is lost on this side: what was sent is in the archive, and if the result still comes, it is "
        "recorded and you hear of it."
    )


def _names(record: Import, stack: Stack) -> dict[str, str]:
    others = [plain(each, 100) for each in record.deletions.shared_with]
    unread = [each for each in record.deletions.shared_with if each.unreadable]
    listed = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    return {
        "bucket": stack.bucket,
        "feed": record.feed,
        "settings": stack.settings(record.feed),
        "secret": stack.accounts + plain(record.destination.account or "BoardApiKey", 100),
        "board": plain(record.destination.board or "the stack's parameter BoardUrl", 200),
        "others": f"This feed and {listed} {'may be' if unread else 'are'}"
        if others
        else "This feed and another one are",
        "unread": "Mend first what cannot be read: whoever's it is may be on the same account. " if unread else "",
        "perhaps": ", one of those under WOULD GO perhaps" if record.deletions.withheld else "",
    }


def _board_id(record: Import) -> str:
    at = f", sent at {when(record.sent.submitted_at)}" if record.sent.submitted_at else ""
    if record.sent.board_import_id:
        return f"{plain(record.sent.board_import_id, 200)}{at}"
    return f"of {counted(record.prepared.jobs, 'job')}{at}"


def _code(record: Import) -> str | None:
    """The confirmation code, when it can be put into a command as it is."""
    code = record.deletions.confirm_code
    return code if code and re.fullmatch(r"[A-Za-z0-9-]{1,80}", code) else None


def _postings(number: int) -> str:
    return counted(number, "posting")
