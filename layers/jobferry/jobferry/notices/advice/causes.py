"""What people read about each cause and each objection: one row for each.

The texts name things in braces; `steps` fills them in.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from jobferry.errors import Cause
from jobferry.records.imports import Import, ListEnd, Objection, State


class CauseAdvice(NamedTuple):
    """What people read about one cause.

    Attributes:
        briefly: what went wrong, in a few words.
        to_do: what to do.
        can_wait: the next run may succeed by itself, or the run only failed to do what a person had just asked for.
        then_run: the command that runs the feed follows.
    """

    briefly: str
    to_do: str
    can_wait: bool = False
    then_run: bool = True


class ObjectionAdvice(NamedTuple):
    """What people read about one objection to deletions.

    Attributes:
        briefly: why the deletions are withheld.
        to_do: what to do about it.
    """

    briefly: str
    to_do: str


_AT_ONCE: Final = "To run it at once{where}:"
_RUN_NOW: Final = f"The next run then sends everything. {_AT_ONCE}"
_UNKNOWN: Final = CauseAdvice("see why", f"Fix what the reason below says. {_RUN_NOW}")

BY_CAUSE: Final = {
    Cause.FEED_MISSING: CauseAdvice(
        "the feed has no file",
        "Find out why the export did not arrive in s3://{bucket}/feeds/{feed}/ (did it run? did it write to another folder?), "
        f"and have it write the file there again. {_RUN_NOW}",
    ),
    Cause.FEED_UNREADABLE: CauseAdvice(
        "a file cannot be read",
        "Check the file named in the reason below. If it is not part of the feed, take it out of the folder. If the reason "
        "names a setting (encoding, headerRow, sheet or rows), write it into {settings}. Otherwise export the file again, to "
        f"the same place: most often it was cut off while it was written. {_RUN_NOW}",
    ),
    Cause.FEED_TOO_LARGE: CauseAdvice(
        "the feed is too large",
        "Export less, or do what the reason below says: for maxFeedBytes, raise it in {settings}; for the function's disk, "
        f"raise EphemeralStorage of SubmitImport in template.yaml and deploy. {_RUN_NOW}",
    ),
    Cause.FEED_INVALID: CauseAdvice(
        "the feed looks broken",
        f"Check the export: its file has no job in it. Export it again, to the same place. {_RUN_NOW}",
    ),
    Cause.FEED_CHANGED: CauseAdvice(
        "the files kept changing",
        "Have the export end before the run begins, or write its files elsewhere and copy them to "
        f"s3://{{bucket}}/feeds/{{feed}}/ when they are complete. {_RUN_NOW}",
        can_wait=True,
    ),
    Cause.SETTINGS: CauseAdvice(
        "feed.json has a mistake", f"Fix {{settings}}, as the reason below says, and upload it again. {_RUN_NOW}"
    ),
    Cause.SETTINGS_MISSING: CauseAdvice(
        "feed.json has disappeared",
        "Put {settings} back. The bucket keeps its earlier versions; the runbook has the commands (Settings missing). "
        "If the export deletes files that it did not write, exclude feed.json. If the feed needs no settings any "
        f"more, upload a feed.json with {{{{}}}} in it. {_RUN_NOW}",
    ),
    Cause.FIELDS_GONE: CauseAdvice(
        "most jobs have lost a field",
        "Check whether a column of the export was renamed or is empty, or whether {settings} was changed: the reason below "
        'names the fields. If the column has another name now, put that into the setting "fields". Nothing was sent, so '
        f"the live postings still have these fields. {_RUN_NOW}",
    ),
    Cause.CONFIRMATION: CauseAdvice(
        "the code does not match",
        "If the reason below says that deleteJobs is off, or that another feed has the same account, fix that first. If "
        "deletions are still withheld in the next run, its notice has the current list and a new code. To run the feed "
        "without a code at once{where}:",
        can_wait=True,
    ),
    Cause.SECRET: CauseAdvice(
        "the API key is not usable",
        "Put the board account's API key into the secret that the reason below names (AWS console, Secrets Manager, Retrieve "
        "secret value, Edit). If there is no such secret, check the spelling of apiKeySecret in feed.json. If that is right, store a new one "
        "by that name. If it is being deleted, cancel that there. If it may not be read, check its policy and its "
        f"encryption key. {_RUN_NOW}",
    ),
    Cause.PAUSED: CauseAdvice(
        "the feed is paused",
        'To send the feed again, remove "paused": true from {settings}.',
        can_wait=True,
        then_run=False,
    ),
    Cause.ABANDONED: CauseAdvice(
        "the run was cut off",
        "If this happened once, there is nothing to do: the next run starts over and sends everything. If it happens again, "
        f"the run takes too long or too much memory: the runbook says where to look (Abandoned). {_AT_ONCE}",
        can_wait=True,
    ),
    Cause.ARCHIVE_GONE: CauseAdvice(
        "the prepared import is gone",
        "Find out who or what deleted it from the archive: only the archive's own rule should, after 90 days. The next run "
        f"prepares everything again. {_AT_ONCE}",
    ),
    Cause.BOARD_UNREACHABLE: CauseAdvice(
        "the board could not be reached",
        "If this happened once, there is nothing to do: the next run sends everything. If it happens again, check whether the "
        "board's site works, and whether {board} is its right address. If the reason says how long the board asks you to "
        f"wait, wait that long. {_AT_ONCE}",
        can_wait=True,
    ),
    Cause.BOARD_REFUSED: CauseAdvice(
        "the board refused the import",
        "Fix what the board says below. If it does not say what that is, write to the board's support and quote "
        f"it. {_RUN_NOW}",
    ),
    Cause.ACCOUNT_CHANGED: CauseAdvice(
        "its account was changed meanwhile",
        "There is nothing to do: the feed runs again by itself within a few minutes, and sends everything to the account that "
        "{settings} names now.",
        can_wait=True,
        then_run=False,
    ),
    Cause.RETRY_OUTDATED: CauseAdvice(
        "the feed has been sent again since",
        "Check whether the feed's latest notice still lists these jobs. If so, export and correct them again: use "
        "`jobferry retry` with the latest import. If not, there is nothing to do.",
        can_wait=True,
    ),
    Cause.NO_RESULT: CauseAdvice("no result from the board within 12 hours", ""),
    Cause.OPEN: CauseAdvice("an import was still open", ""),
    Cause.FEWER_PARTS: CauseAdvice("the feed needed fewer imports", ""),
}

_KEY_REFUSED: Final = CauseAdvice(
    "the board refused the API key",
    "Check the account's API key on the board's own site, and put it into the secret {secret} (AWS console, Secrets Manager, "
    f"Retrieve secret value, Edit). {_RUN_NOW}",
)
_WRONG_ADDRESS: Final = CauseAdvice(
    "the board refused the import",
    "Check the board's address, {board}: it is the stack's parameter BoardUrl, or boardUrl in the secret {secret}. "
    f"{_RUN_NOW}",
)
#: What to do if the board refused an import with this HTTP status.
BY_STATUS: Final = {
    401: _KEY_REFUSED,
    403: _KEY_REFUSED,
    413: CauseAdvice(
        "the import is too large for the board",
        "Send less at once: set maxJobsPerImport in {settings}, for instance 2000. A full sync cannot be split: if deleteJobs is "
        f'true, set it to "listed", or ask the board\'s support to raise its limit. {_RUN_NOW}',
    ),
    **dict.fromkeys((301, 302, 303, 307, 308, 404), _WRONG_ADDRESS),
}

#: What to do about Cause.FEED_INVALID if the feed had jobs.
INVALID_JOBS: Final = (
    "Fix the most frequent mistake first ({most_frequent}). When this many jobs fail at once, the cause is usually the export "
    f"or the feed's settings ({{settings}}), not the jobs. {_RUN_NOW}"
)

BY_OBJECTION: Final = {
    Objection.FIRST: ObjectionAdvice("deletions are announced first", ""),
    Objection.TIME_TO_OBJECT: ObjectionAdvice(
        "there is still time to object to the deletions that were announced",
        "Deletions were announced at {announced}. Until {object_until}, only a run that you start yourself deletes.",
    ),
    Objection.HALF_EXPORTED: ObjectionAdvice(
        "the feed may be half exported",
        "One of the feed's files was uploaded less than ten minutes before the run: the export may not have been finished. "
        "The next run deletes again if no file has just changed. If this happens repeatedly, have the export write all its files "
        "at once.",
    ),
    Objection.NEWER_FEED: ObjectionAdvice(
        "a newer version of the feed is waiting",
        "The feed's files or settings changed, or another run was started, before this import was sent. The next run reads the "
        "files as they are then. If this happens repeatedly, have the export end before the run begins.",
    ),
    Objection.FEWER_OBJECTS: ObjectionAdvice(
        "the feed has fewer files than before",
        "Check whether a file is missing from s3://{bucket}/feeds/{feed}/: the feed had more files at its last complete "
        "import. If one is, export it again. The next run then works as usual.",
    ),
    Objection.FEWER_ROWS: ObjectionAdvice(
        "a file has lost most of its rows",
        "Check whether the export wrote these files completely: {reduced}. If it did not, export them again. The next run "
        "then works as usual.",
    ),
    Objection.TOO_MANY_THIS_WEEK: ObjectionAdvice(
        "too many were deleted within seven days",
        "If they should still be there, fix the export: together with the deletions of the last seven days, these are more "
        "than the feed's maxWeeklyDeletePercent. If that many of your jobs change every week, raise maxWeeklyDeletePercent "
        "in {settings}.",
    ),
    Objection.TOO_MANY: ObjectionAdvice(
        "more than maxDeletePercent allows",
        "If they should still be there, fix the export: it left out more jobs at once than the feed's maxDeletePercent "
        "allows, so it looks incomplete. The next run then works as usual.",
    ),
    Objection.UNPROTECTED_ROWS: ObjectionAdvice(
        "some rows cannot be matched to postings",
        "Correct the rows below that were not sent, and anything else below that could not be read. jobferry cannot tell "
        "which postings they belong to{perhaps}, so it deletes nothing until they are corrected. The next run then works "
        "as usual.",
    ),
    Objection.SHARED_ACCOUNT: ObjectionAdvice(
        "another feed has the same account",
        "{unread}{others} on the same account of the board, and each would delete the other's postings. So nothing is deleted, "
        "and nothing can be confirmed, until you do one of these: put all their files under one feed; give each feed the API "
        "key of an account of its own (apiKeySecret in its feed.json, here {secret}); or set deleteJobs to "
        '"listed" in each, so that each deletes only its own postings.',
    ),
}

#: What to do about a list of deletions that ended before all of it was deleted.
BY_LIST_END: Final = {
    ListEnd.NOT_OFFERED: "The board does not offer deletion by reference number, so postings that the feed no longer has stay. "
    "Ask the board's support whether it can be turned on for {board} (DELETE jobs.json). If it cannot, delete them on the "
    "board's own site, or, if no one else posts on this account, set deleteJobs to true in {settings}. Everything else "
    "works as before. Each run tries again, but only a run that you start yourself reports this again.",
    ListEnd.REFUSED: "Fix what the board says below: it refused to delete postings. If it is about the API key, check the key in "
    "the secret {secret}. If the board does not say what is wrong, write to its support and quote its answer. The next run "
    "tries again to delete these postings.",
    ListEnd.UNANSWERED: "If this happened once, there is nothing to do: the next run tries again to delete the postings that "
    "are left. If it happens again, write to the board's support: the board does not answer requests to delete jobs (DELETE "
    "jobs.json).",
    ListEnd.HELD_BACK: "Check the reason below. If you did not intend it, fix it: the next run then deletes the postings that "
    "are left. Otherwise there is nothing to do.",
    ListEnd.NOT_ACCEPTED: "There is nothing to do: the next run tries again to delete these postings.",
}


def advice_on_ending(record: Import) -> CauseAdvice:
    """Return what people read about why an import ended without a result."""
    cause = record.ending.cause
    if record.state is State.EXPIRED:
        return BY_CAUSE[Cause.NO_RESULT]
    if cause is Cause.BOARD_REFUSED or (cause is None and record.state is State.REJECTED):
        return BY_STATUS.get(record.ending.status or 0, BY_CAUSE[Cause.BOARD_REFUSED])
    return BY_CAUSE[cause] if cause else _UNKNOWN


def was_not_sent(record: Import) -> bool:
    """Tell whether an import that was blocked or rejected never reached the board."""
    return record.state is State.BLOCKED or record.ending.cause in {Cause.SECRET, Cause.ARCHIVE_GONE}


def why_withheld(objections: Iterable[Objection]) -> str:
    """Return why deletions are withheld, in one line."""
    withheld = list(objections)
    # FIRST tells people that deletions will begin, which is not true if there is any other objection.
    others = [each for each in withheld if each is not Objection.FIRST]
    return "; ".join(BY_OBJECTION[each].briefly for each in others or withheld)
