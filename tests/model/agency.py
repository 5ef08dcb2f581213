"""Play a history of an agency whose own system holds the truth, and check what becomes of its postings.

The exporter fails, processes end at any call, and a person pauses, confirms and changes settings at any moment. What is
checked does not depend on how jobferry decides:

- A posting that the agency's own system still has is not deleted, unless a person confirmed a list that has it, or nothing
  in the files shows that its job is missing. In that case the limits of deletions bound the loss.
- No run deletes more than the limits allow without a person's confirmation, and none deletes before people were told.
- A posting's title and description are not lost while the agency's system has them, nor filled with other jobs' rows.
- The postings of other accounts stay as they are. If deletions are by list, so do those of another feed on the same account,
  and those posted by hand.
- When all faults are over, and a person does what the notices ask, the board has the agency's jobs within some nights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from jobferry.feeds.objects import FeedObject
from jobferry.records.imports import Import, State
from tests.fakes import Deletion, Request
from tests.model.exporter import ERRORS, Export, Files, Job, job
from tests.model.history import History, Poll, Run, Special, Wait, Work, _range
from tests.model.rules import Wishes, allowed

FEED: Final = "one"
#: The feed's account, and the one that a feed without settings has.
ACCOUNT: Final = "Other"
KEY: Final = "key-2"
DEFAULT_KEY: Final = "key-1"
WISHES: Final = Wishes(delete_jobs=True, weekly=50, secret=ACCOUNT)
#: Within so many nights, all must be well again.
NIGHTS: Final = 4
WEEK: Final = timedelta(days=7)
#: A feed of several files may still be half exported for so long.
TIME_TO_EXPORT: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Upload(Special):
    """The agency closes and opens jobs, and its exporter writes the feed.

    Attributes:
        closed: how many jobs are closed.
        opened: how many are opened.
        fault: what the exporter does wrong, if anything.
        number: where the fault strikes.
        pieces: how many files are still missing when the feed's next run begins; `Finish` uploads them.
    """

    closed: int = 0
    opened: int = 0
    fault: str | None = None
    number: int = 0
    pieces: int = 0

    def play(self, history: Agency) -> None:
        history.upload(self)


@dataclass(frozen=True)
class Finish(Special):
    """The files that an upload left out arrive."""

    def play(self, history: Agency) -> None:
        history.finish()


@dataclass(frozen=True)
class LoseSettings(Special):
    """The exporter deletes feed.json, as `aws s3 sync --delete` does."""

    def play(self, history: Agency) -> None:
        if history.stage.bucket.contents.pop(f"feeds/{FEED}/feed.json", None) is not None:
            history.tell("feed.json DISAPPEARS")


@dataclass(frozen=True)
class Change(Special):
    """A person changes some of the settings. `delete_jobs` turns deletions on or off."""

    percent: int | None = None
    weekly: int | None = None
    delete_jobs: bool | None = None
    paused: bool | None = None

    def play(self, history: Agency) -> None:
        before = history.wishes[FEED]
        changes = {name: value for name, value in vars(self).items() if value is not None}
        if self.delete_jobs:
            changes["delete_jobs"] = history.mode
        history.wish(FEED, replace(before, **changes))


@dataclass(frozen=True)
class File:
    """One file as it was uploaded.

    Attributes:
        rows: how many jobs it has, if it is just what a healthy exporter writes; None if it shows a fault.
        uploaded_at: when it was uploaded.
        export: the number of its export.
    """

    rows: int | None
    uploaded_at: datetime
    export: int


@dataclass
class Read:
    """What a run read.

    Attributes:
        files: by their names.
        at: when the reading ended.
    """

    files: dict[str, File] = field(default_factory=dict)
    at: datetime | None = None


class Sending(NamedTuple):
    """What was sent: the archived payload, the settings that held at some moment, and the code that a person gave."""

    payload: str
    wishes: set[Wishes]
    code: str | None


@dataclass(frozen=True)
class Loss:
    """What the board deleted of the feed, unconfirmed: when, of how many, how many."""

    at: datetime
    live: int
    postings: int


class Agency(History):
    """The system in memory, and the agency's own.

    Attributes:
        jobs: the truth.
    """

    def __init__(
        self,
        form: str = "csv",
        objects: int = 1,
        *,
        packed: bool = False,
        dated: bool = False,
        mode: bool | str = True,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.form, self.objects, self.packed, self.dated = form, objects, packed, dated
        self.jobs: dict[str, Job] = {}
        self.opened_jobs = 0
        self.exports = 0
        self.uploaded: dict[str, File] = {}
        self.missing: Files = {}
        #: What was exported last, and how many rows of each file are whole.
        self.files: Files = {}
        self.healthy: dict[str, int | None] = {}
        self.reads: dict[str, Read] = {}
        self.baseline: dict[str, int] | None = None
        self.told_at: datetime | None = None
        self.maybe_live: set[str] = set()
        #: Postings that are not in the live set any more, so they are like postings by hand: only announced.
        self.forgotten: set[str] = set()
        self.losses: list[Loss] = []
        self.sent_by: dict[str, Sending] = {}
        self.wishes_of: dict[str, set[Wishes]] = {}
        self.notices_read = 0
        self.open_jobs(30)
        self.stage.board.postings(DEFAULT_KEY).update({each: dict(each_job) for each, each_job in self.jobs.items()})
        for each in self.stage.board.postings(DEFAULT_KEY).values():
            each["title"] = "Another account's posting"
        self.default_postings = dict(self.stage.board.postings(DEFAULT_KEY))
        #: The postings of the account that a list must not touch.
        self.foreign: dict[str, Any] = {}
        if mode == "listed":
            self.share_the_account()
        self.wish(FEED, replace(WISHES, delete_jobs=mode))

    def share_the_account(self) -> None:
        """Have another feed and people post on the account, too."""
        board = self.stage.board
        hooks = board.before_create, board.after_create
        board.before_create = board.after_create = lambda _: None
        self.stage.store.before_save = lambda _: None
        self.stage.settings("two", apiKeySecret=ACCOUNT)
        self.stage.put_jobs("two-1", "two-2", feed="two")
        self.stage.complete("two")
        board.before_create, board.after_create = hooks
        self.stage.store.before_save = self.saved
        board.postings(KEY)["by-hand"] = {"referenceNumber": "by-hand", "title": "Posted by hand"}
        self.foreign = {each: dict(posting) for each, posting in board.postings(KEY).items()}

    # The agency

    def open_jobs(self, count: int) -> None:
        for _ in range(count):
            new = job(self.opened_jobs)
            self.jobs[new["referenceNumber"]] = new
            self.opened_jobs += 1

    def upload(self, step: Upload) -> None:
        """Write the feed's files. Files of earlier exports that this one does not have are deleted."""
        self.finish()
        for reference in list(self.jobs)[: step.closed]:
            del self.jobs[reference]
        self.open_jobs(step.opened)
        prefix = f"{self.exports:03}-" if self.dated else ""
        export = Export(tuple(self.jobs.values()), self.form, self.objects, self.packed, prefix)
        files = export.files(step.fault, step.number)
        if step.fault == "yesterday" and self.healthy:
            files = self.files  # as the export before wrote them
        else:
            self.healthy = {name: export.whole_rows(name, content) for name, content in files.items()}
        self.files = files
        self.exports += 1
        told = f"{len(self.jobs)} jobs ({step.closed} closed, {step.opened} opened) are exported"
        self.tell(told + (f", with the fault {step.fault} ({step.number})" if step.fault else ""))
        for key in [each.key for each in self.stage.bucket.objects(FEED)]:
            if key.rpartition("/")[2] not in files:
                del self.stage.bucket.contents[key]
        names = list(files)
        late = names[: min(step.pieces, len(names) - 1)]
        self.missing = {name: files[name] for name in late}
        self.put({name: content for name, content in files.items() if name not in late})

    def finish(self) -> None:
        if self.missing:
            self.tell("the rest of the export arrives")
            self.put(self.missing)
            self.missing = {}

    def put(self, files: Files) -> None:
        for name, content in files.items():
            self.stage.put(name, content, FEED)
            self.uploaded[name] = File(self.healthy[name], self.stage.clock(), self.exports)

    # What is seen of it

    def opened(self, obj: FeedObject, content: bytes) -> None:
        attempt = self.attempts[-1]
        assert attempt.reading is not None
        name = obj.key.removeprefix(f"feeds/{FEED}/")
        attempt.reading.objects[name] = self.uploaded[name]  # type: ignore[assignment]

    def forgot(self, feed: str) -> None:
        self.told_at = None
        self.forgotten |= self.stage.board.postings(KEY).keys()
        self.maybe_live.clear()

    def archived(self, key: str, content: bytes) -> None:
        attempt = self.attempts[-1]
        super().archived(key, content)
        if key in self.readings and attempt.reading is not None:
            files: Any = dict(attempt.reading.objects)
            self.reads[key] = Read(files, self.stage.clock())

    def judge(self, request: Request, sent: set[str]) -> None:
        """Check that people were told before the board is asked to delete."""
        attempt = self.attempts[-1]
        self.judge_time(request.import_id)
        if (request.key, True) not in attempt.wanted:
            self.fail(f"{request.import_id} deletes, and the settings do not say so")

    def judge_time(self, import_id: str) -> None:
        told, now = self.told_at, self.stage.clock()
        if told is None:
            self.fail(f"{import_id} deletes, and nobody was told that deletions begin")
        elif not self.is_by_person(import_id) and now < told + timedelta(hours=12):
            self.fail(f"{import_id} deletes, and nobody had the time to object")

    def judge_list(self, record: Import, request: Deletion) -> None:
        """Check a list that reaches the board: people were told, and what it deletes may be deleted."""
        attempt = self.attempts[-1]
        self.judge_time(record.import_id)
        if (request.key, "listed") not in attempt.wanted:
            self.fail(f"{record.import_id} deletes, and the settings do not say so")
        before = self.stage.board.postings(request.key).keys()
        gone = before & set(request.reference_numbers)
        payload = record.prepared.payload or ""
        # What the settings were when it was decided counts, too: they may have been looser then.
        wishes = self.wishes_of.setdefault(payload, set()) | attempt.wishes
        sending = Sending(payload, wishes, self.confirmations.get(payload))
        self.check_gone(record.import_id, sending, before - self.foreign.keys(), gone)

    def deleted(self, request: Deletion) -> None:
        self.maybe_live -= set(request.reference_numbers)
        self.require_foreign()
        super().deleted(request)

    def require_foreign(self) -> None:
        now = self.stage.board.postings(KEY)
        changed = {each for each, posting in self.foreign.items() if now.get(each) != posting}
        if changed:
            self.fail(f"postings that this feed never posted were changed: {sorted(changed)}")

    def accepted(self, request: Request) -> None:
        made = self.stage.board.requests[-1][0]
        payload = self.payload_of(request.import_id)
        self.sent_by[made] = Sending(payload, set(self.attempts[-1].wishes), self.confirmations.get(payload))
        self.wishes_of.setdefault(payload, set()).update(self.attempts[-1].wishes)
        sent = {str(each.get("referenceNumber")) for each in request.jobs}
        self.maybe_live |= sent
        self.forgotten -= sent
        super().accepted(request)

    def inform(self) -> None:
        before = len(self.stage.topic.published)
        self.stage.publish_notices()
        for notice in self.stage.topic.published[before:]:
            about = notice.data["about"]
            self.tell(f"a notice says: {notice.subject}")
            if "first-full-sync" in about and self.stage.topic.subscribers and self.told_at is None:
                self.told_at = self.stage.clock()

    def ended(self, record: Import) -> None:
        if record.state is not State.COMPLETE:
            return
        read = self.reads[record.prepared.payload or ""]
        if self.baseline is None or not record.deletions.withheld:
            self.baseline = {name: file.rows or 0 for name, file in read.files.items()}

    def process(self) -> str | None:
        board = self.stage.board
        waiting = board.waiting()
        if not waiting:
            return None
        request = next(each for made, each in board.requests if made == waiting[0])
        before = {reference: dict(each) for reference, each in board.postings(request.key).items()}
        done = board.process()
        after = board.postings(request.key)
        gone = before.keys() - after.keys()
        self.tell(
            f"the board has done {done}, of {request.import_id}" + (f": DELETED {_range(sorted(gone))}" if gone else "")
        )
        if gone:
            self.check_gone(request.import_id, self.sent_by[waiting[0]], before.keys(), gone)
        self.check_contents(self.stage.record(request.import_id), before, after)
        if self.stage.board.postings(DEFAULT_KEY) != self.default_postings:
            self.fail("the postings of another account were changed")
        if request.delete_jobs:
            self.maybe_live = set(after)
        return done

    def check_gone(self, import_id: str, sent: Sending, before: Any, gone: set[str]) -> None:
        """Check that nothing is deleted wrongly, and not more than the limits allow."""
        payload, wishes, code = sent
        confirmed = self.issued.get((FEED, code), set()) if code else set()
        unconfirmed = gone - confirmed - self.forgotten
        if confirmed:
            self.losses.clear()
        wrongly = unconfirmed & self.jobs.keys()
        if wrongly and (fault := self.fault_of(payload, import_id)):
            self.fail(f"the agency still has {sorted(wrongly)}: they were deleted though {fault}")
        now = self.stage.clock()
        live = len({*before, *self.maybe_live})
        most = max(allowed(live, each.percent) for each in wishes)
        if len(unconfirmed) > most:
            self.fail(f"{len(unconfirmed)} of {live} were deleted in one import, unconfirmed")
        if unconfirmed:
            self.losses.append(Loss(now, live, len(unconfirmed)))
        # The records count from when the import was claimed, so the edges of the week are left out.
        week = [each for each in self.losses if each.at > now - WEEK + timedelta(days=1)]
        if week:
            most = max(allowed(max(each.live for each in week), each.weekly) for each in wishes)
            if unconfirmed and sum(each.postings for each in week) > most:
                self.fail(f"{sum(each.postings for each in week)} were deleted within a week, unconfirmed")

    def fault_of(self, payload: str, import_id: str) -> str | None:
        """Return what shows that the files which were read are not whole; None if nothing does."""
        read = self.reads[payload]
        assert read.at is not None
        if len({file.export for file in read.files.values()}) > 1:
            # A person who starts a run while an export is under way is believed, and nobody can tell after some time.
            newest = max(file.uploaded_at for file in read.files.values())
            by_person = self.is_by_person(import_id)
            return None if by_person or read.at >= newest + TIME_TO_EXPORT else "the upload was under way"
        before = self.baseline or {}
        if len(read.files) < len(before):
            return "a file is missing"
        replaced = iter([before[name] for name in sorted(before) if name not in read.files])
        for name, file in sorted(read.files.items()):
            if file.rows is None:
                return f"{name} shows a fault"
            if file.rows * 2 < (before[name] if name in before else next(replaced, 0)):
                return f"{name} lost more than half of its rows"
        return None

    def check_contents(self, record: Import, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Check that no posting has lost its texts, or has got those of others."""
        for reference, posting in after.items():
            if any(error[:9] in reference for error in ERRORS):
                self.fail(f"the error message {reference} became a posting")
            title, description = str(posting.get("title", "")), str(posting.get("description", ""))
            if reference in self.jobs and max(title.count("Nurse"), description.count("Shifts")) > 1:
                self.fail(f"{reference} has swallowed other rows: {posting}")
            if reference not in before or reference not in self.jobs or record.confirm_fields:
                continue
            for name in ("title", "description"):
                if before[reference].get(name) and not posting.get(name):
                    self.fail(f"{reference} has lost its {name}")

    # The end

    def end(self) -> None:
        """Faults stop. Everything comes to its end, and a person does what the notices ask."""
        self.tell("— from here on nothing goes wrong —")
        self.stage.topic.subscribers = 1
        self.finish()
        self.come_to_rest()
        self.require_results()
        wishes = replace(self.wishes[FEED], delete_jobs=self.mode, paused=False)
        self.wish(FEED, wishes)
        for _ in range(NIGHTS):
            self.notices_read = len(self.stage.topic.published)
            self.play(Wait(22 * 60))
            self.play(Upload())
            self.play(Wait(60))
            self.play(Run(FEED, "schedule"))
            self.settle_all()
            self.act()
        truth = {reference: each["title"] for reference, each in self.jobs.items()}
        posted = {
            reference: each.get("title")
            for reference, each in self.stage.board.postings(KEY).items()
            # What is not in the live set any more is like a posting by hand: no list deletes it.
            if reference not in self.foreign
            and (reference in truth or self.mode is True or reference not in self.forgotten)
        }
        self.require_foreign()
        if posted != truth:
            wrong = sorted(truth.items() ^ posted.items())
            self.fail(f"after {NIGHTS} nights without faults, the board differs from the agency: {wrong}")

    def settle_all(self) -> None:
        for _ in range(3):
            while self.stage.board.waiting():
                self.play(Work())
            self.play(Poll())

    def act(self) -> None:
        """Do what the last notices ask of a person who knows the agency's jobs."""
        for notice in self.stage.topic.published[self.notices_read :]:
            confirm = notice.data["deletions"]["confirm"]
            if confirm and not self.issued[FEED, confirm["confirmDeletes"]] & self.jobs.keys():
                self.tell(f"a person confirms {confirm['confirmDeletes']}")
                self.invoke(confirm)
                self.settle_all()
