"""Play a history of two feeds, tell it as a story, and check the rules at every step.

A process may end at any call to the store, the bucket, the secrets or the board (`cut`), and something else may happen
between any two calls (`meanwhile`). Both are counted in calls.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from jobferry.board.callback_urls import token
from jobferry.errors import (
    BoardRefusedError,
    BoardUnknownError,
    BoardUnreachableError,
    CallbackError,
    ClaimTakenError,
    ConflictError,
    DeletionNotOfferedError,
    SecretError,
)
from jobferry.feeds.objects import FeedObject
from jobferry.records import transitions
from jobferry.records.archive import deletion_list_key
from jobferry.records.feeds import Feed
from jobferry.records.imports import Import, State
from jobferry.results.callbacks import Callback, Receiver, receive
from jobferry.results.polling import Poller, poll
from jobferry.runs.submission import submit
from jobferry.runs.triggers import parse_trigger
from jobferry.runs.world import Invocation
from tests.fakes import Deletion, Killed, Request
from tests.model.frail import Frail
from tests.model.rules import Content, Ended, Known, Reading, Wishes, learn, objections
from tests.stage import SIGNING_KEY, TIMEOUT, Stage, job

FEEDS = ("one", "two")
KEYS = {"BoardApiKey": "key-1", "Other": "key-2", "Same": "key-1"}
#: The errors after which Lambda retries SubmitImport.
EXPECTED = (ConflictError, BoardUnknownError, BoardRefusedError, BoardUnreachableError, SecretError, ClaimTakenError)
OPEN = frozenset({State.PREPARING, State.SUBMITTING, State.PENDING, State.RUNNING})


# What may happen


@dataclass(frozen=True)
class Export:
    """The agency writes a feed with the jobs from `first` to `last`, in one or more objects."""

    feed: str
    first: int
    last: int
    objects: int = 1
    invalid: int = 0
    nameless: int = 0
    broken: str | None = None


@dataclass(frozen=True)
class Lose:
    """An object of a feed disappears, or the whole feed with its settings."""

    feed: str
    everything: bool = False


@dataclass(frozen=True)
class Set:
    """A person writes feed.json."""

    feed: str
    wishes: Wishes


@dataclass(frozen=True)
class Run:
    """SubmitImport gets an event.

    Attributes:
        how: hand, schedule or upload; again repeats the last event; right, stale, wrong and fields are confirmations.
        cuts: for the first attempt and each retry, after how many calls the process ends; 0 means never.
        meanwhile: after how many calls of the first attempt something else happens, and what.
        board: what happens to the requests: lost, unknown, refused, unreachable, not offered.
    """

    feed: str
    how: str = "hand"
    cuts: tuple[int, ...] = (0,)
    meanwhile: tuple[int, Step] | None = None
    board: tuple[str, ...] = ()


@dataclass(frozen=True)
class Poll:
    """PollImports runs, and so does what it starts. If `silent`, the board does not answer."""

    cut: int = 0
    silent: bool = False
    cuts: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Work:
    """The board processes waiting imports. It calls back, calls back twice or not at all; `cut` ends the receiver."""

    imports: int = 1
    calls: str = "call"
    cut: int = 0
    silent: bool = False


@dataclass(frozen=True)
class CallBack:
    """The board calls back for any of its imports, however old or unfinished."""

    number: int
    silent: bool = False


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    minutes: int


@dataclass(frozen=True)
class Post:
    """Somebody posts a job by hand."""

    key: str
    number: int


@dataclass(frozen=True)
class Rekey:
    """A person puts another key into a secret."""

    secret: str
    key: str


@dataclass(frozen=True)
class Forget:
    """The archive loses the live set of a feed."""

    feed: str


@dataclass(frozen=True)
class Subscribe:
    """People confirm that they want the notices, or end all subscriptions."""

    people: int


class Special:
    """A step that only one kind of history has. It plays itself."""

    def play(self, history: Any) -> None:
        raise NotImplementedError


type Step = Export | Lose | Set | Run | Poll | Work | CallBack | Wait | Post | Rekey | Forget | Subscribe | Special


def references(feed: str, first: int, last: int) -> list[str]:
    return [f"{feed[0]}{number:02d}" for number in range(first, last)]


def written(content: Content) -> bytes:
    rows: list[Any] = [job(each) for each in content.valid]
    rows += [job(each, state="MC") for each in content.invalid]
    rows += [job(None) for _ in range(content.nameless)]
    text = json.dumps(rows).encode()
    return text if content.readable else text[: len(text) // 2]


@dataclass
class Attempt:
    """An invocation of SubmitImport, as an observer sees it.

    Attributes:
        calls: the number of calls so far.
        cut: the number of calls after which it ends.
        alone: the keys whose account no other feed named at some moment of it.
        wanted: the keys for which the settings asked for deletions at some moment of it, and of which way.
        wishes: the settings that the feed had at some moment of it.
    """

    feed: str
    cut: int
    meanwhile: tuple[int, Step] | None
    faults: list[str]
    calls: int = 0
    reading: Reading | None = None
    alone: set[str] = field(default_factory=set)
    wanted: set[tuple[str, bool | str]] = field(default_factory=set)
    wishes: set[Wishes] = field(default_factory=set)


#: What an event has that no person sent.
UNATTENDED: Final = frozenset({"source", "scheduledAt", "runAgain", "resume"})


class BrokenError(AssertionError):
    """The history breaks a rule."""


class History:
    """The system in memory, and what an observer knows about it."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.secrets = self.stage.accounts.secrets = dict(KEYS)
        self.stage.board.keys = set(KEYS.values())
        self.story: list[str] = []
        self.wishes: dict[str, Wishes] = {}
        self.contents: dict[bytes, Content] = {}
        self.started_by_people: set[str] = set()
        self.readings: dict[str, Reading] = {}
        self.keys: dict[str, str] = {}
        self.confirmations: dict[str, str] = {}
        self.given: set[tuple[str, str]] = set()
        self.known: dict[str, Known] = {}
        #: The list of deletions behind each confirmation code, by feed and code.
        self.issued: dict[tuple[str, str], set[str]] = {}
        self.codes: dict[str, list[str]] = {feed: [] for feed in FEEDS}
        #: The codes that confirm lost fields.
        self.field_codes: list[str] = []
        #: The postings of its feed that each of the board's imports may delete.
        self.may_go: dict[str, set[str]] = {}
        #: Postings from before the last announcement that the rest of the account will be deleted, as if posted by hand.
        self.strangers: dict[str, set[str]] = {feed: set() for feed in FEEDS}
        #: What each import has deleted by list, as far as its record knows, and how many postings were live before.
        self.gone: dict[str, set[str]] = {}
        self.live_before: dict[str, int] = {}
        self.answered: set[str] = set()
        self.last_event: dict[str, dict[str, Any]] = {}
        self.silent = False
        self.attempts: list[Attempt] = []
        self.cut = 0
        self.number = 0
        stage = self.stage
        self.store = Frail("store", stage.store, self.touch)
        self.bucket = Frail("bucket", _Watched(stage.bucket, self), self.touch)
        self.accounts = Frail("secrets", stage.accounts, self.touch)
        self.board = Frail("board", stage.board, self.touch)
        self.world = replace(
            stage.world, store=self.store, bucket=self.bucket, accounts=self.accounts, boards=self.board
        )
        stage.store.before_save = self.saved
        stage.board.before_create = self.asked
        stage.board.after_create = self.accepted
        stage.board.before_delete = self.asked_to_delete
        stage.board.after_delete = self.deleted
        stage.board.before_retrieve = self.retrieved

    # The story

    def tell(self, text: str) -> None:
        self.story.append(f"{self.stage.clock():%d. %H:%M:%S}  {text}")

    def fail(self, text: str) -> None:
        lines = "\n".join(self.story)
        raise BrokenError(f"{text}\n\nThe story:\n\n{lines}\n\n{text}")

    # Steps

    def play(self, step: Step) -> None:
        match step:
            case Export():
                self.export(step)
            case Lose(feed, everything):
                self.lose(feed, everything=everything)
            case Set(feed, wishes):
                self.wish(feed, wishes)
            case Run():
                self.run(step)
            case Poll():
                self.poll(step)
            case Work():
                self.work(step)
            case CallBack(number, silent):
                made = [each for each, _ in self.stage.board.requests]
                if made:
                    self.silent = silent
                    self.call_back(made[number % len(made)])
                    self.silent = False
            case Wait(minutes):
                self.stage.clock.forward(minutes=minutes)
                self.tell(f"… {minutes} minutes pass")
                self.inform()
            case Post(key, number):
                self.stage.board.postings(key).setdefault(f"h{number:02d}", job(f"h{number:02d}"))
                self.tell(f"somebody posts h{number:02d} by hand with {key}")
            case Rekey(secret, key):
                self.secrets[secret] = key
                self.tell(f"the secret {secret} holds {key} now")
            case Forget(feed):
                live = self.stage.store.get_feed(feed).live_set
                # The archive keeps an object for 90 days, so an import whose live set is gone has long ended.
                idle = not any(each.feed == feed and each.open for each in self.stage.store.imports())
                if idle and live is not None and self.stage.bucket.contents.pop(live.key, None) is not None:
                    self.tell(f"the live set of {feed} is gone from the archive")
                    self.forgot(feed)
            case Subscribe(people):
                self.stage.topic.subscribers = people
                self.tell(f"{people} people are subscribed to the notices")
            case Special():
                step.play(self)

    def forgot(self, feed: str) -> None:
        """Note that nothing is known any more of the feed's postings."""
        self.known.pop(feed, None)

    def export(self, step: Export) -> None:
        for key in [each.key for each in self.stage.bucket.objects(step.feed)]:
            del self.stage.bucket.contents[key]
        found = references(step.feed, step.first, step.last)
        invalid, valid = found[: step.invalid], found[step.invalid :]
        for number in range(step.objects):
            last = number == step.objects - 1
            content = Content(
                tuple(valid[number :: step.objects]),
                tuple(invalid) if last else (),
                step.nameless if last else 0,
                not (last and step.broken == "cut"),
            )
            text = b"" if last and step.broken == "empty" else written(content)
            self.contents[text] = content if text else replace(content, readable=False)
            self.stage.put(f"{'abc'[number]}.json", text, step.feed)
        more = "".join(
            f", {count} {what}" for what, count in vars(step).items() if what in ("invalid", "nameless") and count
        )
        self.tell(
            f"{step.feed} is exported: {_range(found)} in {step.objects} objects{more}"
            + (f", the last one {step.broken}" if step.broken else "")
        )

    def lose(self, feed: str, *, everything: bool) -> None:
        keys = [each.key for each in self.stage.bucket.objects(feed)]
        if everything:
            self.stage.bucket.contents.pop(f"feeds/{feed}/feed.json", None)
            self.wishes.pop(feed, None)
        for key in keys if everything else keys[-1:]:
            del self.stage.bucket.contents[key]
        self.tell(f"{feed} loses {'everything' if everything else 'its last object'}")

    def wish(self, feed: str, wishes: Wishes) -> None:
        self.wishes[feed] = wishes
        settings: dict[str, Any] = {
            "deleteJobs": wishes.delete_jobs,
            "maxDeletePercent": wishes.percent,
            "maxWeeklyDeletePercent": wishes.weekly,
            "paused": wishes.paused,
            "apiKeySecret": wishes.secret,
            "maxInvalidPercent": 100,
        }
        if wishes.split and wishes.delete_jobs is not True:
            settings["maxJobsPerImport"] = wishes.split
        self.stage.settings(feed, **settings)
        self.tell(f"{feed} is set to {wishes}")

    def run(self, step: Run) -> None:
        event = self.event(step)
        if event is not None:
            self.last_event[step.feed] = event
            self.invoke(event, step.cuts, step.meanwhile, step.board)

    def event(self, step: Run) -> dict[str, Any] | None:
        self.number += 1
        now = f"{self.stage.clock():%Y-%m-%dT%H:%M:%SZ}"
        codes = self.codes[step.feed]
        match step.how:
            case "again":
                return self.last_event.get(step.feed)
            case "schedule":
                return {"feed": step.feed, "scheduledAt": now}
            case "upload":
                found = {"key": f"feeds/{step.feed}/a.json", "version-id": str(self.number), "etag": "e"}
                return {"source": "aws.s3", "time": now, "detail": {"object": found}}
            case "right" | "stale" if codes:
                return {"feed": step.feed, "confirmDeletes": codes[-1] if step.how == "right" else codes[0]}
            case "fields" if self.field_codes:
                return {"feed": step.feed, "confirmFields": self.field_codes[-1]}
            case "wrong":
                return {"feed": step.feed, "confirmDeletes": "AAAA-AAAA-AAAA-A"}
            case _:
                return {"feed": step.feed}

    def invoke(
        self,
        event: dict[str, Any],
        cuts: Iterable[int] = (0,),
        meanwhile: tuple[int, Step] | None = None,
        board: Iterable[str] = (),
    ) -> None:
        """Run SubmitImport, and retry while `cuts` has a number for it."""
        stage = self.stage
        stage.clock.forward(seconds=1)
        self.number += 1
        request = f"request-{self.number}"
        feed = event["feed"] if "feed" in event else event["detail"]["object"]["key"].split("/")[1]
        faults = list(board)
        shown = event if "feed" in event else f"an upload to {feed}"
        for number, cut in enumerate(cuts):
            stage.clock.forward(minutes=(0, 1, 3)[number])
            stage.accounts.forget()
            attempt = Attempt(feed, cut, meanwhile if number == 0 else None, faults)
            if "confirmDeletes" in event:
                self.given.add((feed, event["confirmDeletes"]))
            self.attempts.append(attempt)
            try:
                self.look_around(attempt)
                trigger = parse_trigger(event, stage.clock(), request)
                if "confirmDeletes" in event or not UNATTENDED & set(event):
                    self.started_by_people.add(trigger.import_id)
                outcome = submit(trigger, Invocation(request, stage.clock() + TIMEOUT), self.world)
            except Killed:
                self.tell(f"SubmitImport got {shown} and was CUT OFF at call {attempt.calls}")
            except EXPECTED as error:
                self.tell(f"SubmitImport got {shown} and failed: {error}")
            else:
                words = f", {outcome.jobs} jobs" if outcome.jobs else f", {outcome.reason}"
                self.tell(f"SubmitImport got {shown}: {outcome.import_id} is {outcome.state}{words}")
                return
            finally:
                self.attempts.pop()

    def poll(self, step: Poll) -> None:
        self.stage.clock.forward(minutes=5)
        self.inform()
        self.stage.accounts.forget()
        self.silent, self.cut = step.silent, step.cut
        faults: list[str] = []
        poller = Poller(
            self.store,
            self.bucket,
            self.accounts,
            self.board,
            self.stage,
            self.stage.clock,
            lambda record, error: faults.append(f"{record.feed}: {error!r}"),
        )
        try:
            polled = poll(poller, self.stage.clock() + timedelta(seconds=240))
            done = {name: count for name, count in polled.counts().items() if count}
            self.tell(f"PollImports ran: {done or 'nothing to do'}")
        except Killed:
            self.tell("PollImports was CUT OFF")
        self.silent, self.cut = False, 0
        if faults:
            self.fail(f"the poller could not deal with something: {faults}")
        starts, self.stage.starts = self.stage.starts, []
        for event in starts:
            self.invoke(event, step.cuts)

    def inform(self) -> None:
        """Run PublishNotice. Its readers then know which postings will be deleted."""
        before = len(self.stage.topic.published)
        self.stage.publish_notices()
        for notice in self.stage.topic.published[before:]:
            record = self.stage.record(notice.data["importId"])
            known = self.known.get(record.feed)
            if "first-full-sync" not in notice.data["about"] or notice.data["deletions"]["sharedWith"]:
                continue
            if not self.stage.topic.subscribers:
                continue
            self.tell(f"people read that the rest of the account of {record.feed} goes")
            if known is not None and known.created == record.created_at and known.announced_at is None:
                known.announced_at = self.stage.clock()

    def work(self, step: Work) -> None:
        for _ in range(step.imports):
            done = self.process()
            if done is None:
                return
            self.silent, self.cut = step.silent, step.cut
            for _ in range({"call": 1, "twice": 2, "lose": 0}[step.calls]):
                self.call_back(done)
            self.silent, self.cut = False, 0

    def process(self) -> str | None:
        """Let the board process its oldest import, and check what it deletes."""
        board = self.stage.board
        waiting = board.waiting()
        if not waiting:
            return None
        request = next(each for made, each in board.requests if made == waiting[0])
        feed = self.feed_of(request.import_id)
        before = set(board.postings(request.key))
        done = board.process()
        gone = before - set(board.postings(request.key))
        self.tell(
            f"the board has done {done}, of {request.import_id}" + (f": DELETED {_range(sorted(gone))}" if gone else "")
        )
        if gone and not request.delete_jobs:
            self.fail("the board deleted without deleteJobs")
        unseen = (
            {each for each in gone if each[0] == feed[0]} - self.may_go.get(waiting[0], set()) - self.strangers[feed]
        )
        if unseen:
            self.fail(f"{feed} lost {sorted(unseen)}, which nobody had counted")
        return done

    def call_back(self, made: str) -> None:
        request = next(each for one, each in self.stage.board.requests if one == made)
        callback = Callback(request.import_id, token(request.import_id, SIGNING_KEY), self.stage.board.describe(made))
        self.stage.accounts.forget()
        receiver = Receiver(self.store, self.bucket, self.accounts, self.board, lambda: SIGNING_KEY)
        try:
            received = receive(callback, receiver, self.stage.clock())
        except Killed:
            self.tell(f"ReceiveCallback for {made} was CUT OFF")
        except CallbackError as error:
            self.tell(f"the callback for {made} was refused: {error}")
        else:
            self.tell(f"the callback for {made} was answered {received.status}: {received.record.state}")
            if received.status == 200:
                self.answered.add(request.import_id)

    # What is seen of it

    def touch(self, what: str) -> None:
        """Note a call to the outside, before or after its effect."""
        if not self.attempts:
            if self.cut:
                self.cut -= 1
                if self.cut == 0:
                    raise Killed
            return
        attempt = self.attempts[-1]
        attempt.calls += 1
        if attempt.meanwhile and attempt.calls == attempt.meanwhile[0]:
            self.tell(f"   at call {attempt.calls} of SubmitImport for {attempt.feed} ({what}):")
            attempts, self.attempts = self.attempts, []
            self.play(attempt.meanwhile[1])
            self.attempts = attempts
        self.look_around(attempt)
        if attempt.calls == attempt.cut:
            raise Killed

    def look_around(self, attempt: Attempt) -> None:
        """Note what is true at this moment, for each key that the feed might be sent with."""
        mine = self.wishes.get(attempt.feed, Wishes())
        attempt.wishes.add(mine)
        for key in set(KEYS.values()):
            others = [each for each in FEEDS if each != attempt.feed and self.exists(each)]
            if all(self.secrets[self.wishes.get(each, Wishes()).secret] != key for each in others):
                attempt.alone.add(key)
            if mine.delete_jobs and not mine.paused and self.secrets[mine.secret] == key:
                attempt.wanted.add((key, mine.delete_jobs))

    def exists(self, feed: str) -> bool:
        return any(key.startswith(f"feeds/{feed}/") for key in self.stage.bucket.contents)

    def settings_read(self, feed: str) -> None:
        if self.attempts and self.attempts[-1].feed == feed:
            lost = feed not in self.wishes and self.stage.store.get_feed(feed).secret is not None
            self.attempts[-1].reading = Reading(self.wishes.get(feed, Wishes()), lost)

    def opened(self, obj: FeedObject, content: bytes) -> None:
        reading = self.attempts[-1].reading
        assert reading is not None
        reading.objects[obj.key] = self.contents[content]

    def archived(self, key: str, content: bytes) -> None:
        """Note that an import now consists of what was read."""
        attempt = self.attempts[-1]
        name = key.rpartition("/")[2]
        import_id, _, rest = name.partition(".")
        if rest.count(".") == 2:  # {reading}.jsonl.gz
            assert attempt.reading is not None
            if attempt.reading.lost:
                self.fail(f"10: {import_id} was read without its settings")
            self.readings[key] = replace(attempt.reading, objects=dict(attempt.reading.objects))
            self.keys[import_id] = self.secrets[attempt.reading.wishes.secret]
            self.confirmations.pop(key, None)
            record = self.stage.store.get(import_id)  # of a further part of a split feed there is none yet
            code = record.deletions.confirmed_with if record else None
            if code is not None:
                if (attempt.feed, code) not in self.given:
                    self.fail(f"nobody gave the code {code}")
                self.confirmations[key] = code

    def payload_of(self, import_id: str) -> str:
        return self.stage.record(import_id).prepared.payload or ""

    def is_by_person(self, import_id: str) -> bool:
        """Tell whether a person started a run. A code that was given with a skipped run counts for the next one, too."""
        return import_id in self.started_by_people or self.payload_of(import_id) in self.confirmations

    def feed_of(self, import_id: str) -> str:
        return import_id.partition("-")[0]

    def asked(self, request: Request) -> None:
        """Check a request that reaches the board."""
        attempt = self.attempts[-1]
        self.fail_before(attempt)
        sent = [each.get("referenceNumber") for each in request.jobs]
        self.tell(
            f"   the board gets {request.import_id}: {_range(sorted(filter(None, sent)))}"
            + (", deleteJobs: TRUE" if request.delete_jobs else "")
        )
        self.strangers[attempt.feed] -= set(sent)
        if request.delete_jobs:
            self.judge(request, {each for each in sent if each})

    def fail_before(self, attempt: Attempt) -> None:
        """Raise the fault of a request that has one, unless only its answer is lost."""
        fault = attempt.faults[0] if attempt.faults else "lost"
        if fault == "lost":
            return
        attempt.faults.pop(0)
        match fault:
            case "unreachable":
                raise BoardUnreachableError("the board answered 503", None, 503)
            case "refused":
                raise BoardRefusedError("the board answered 400", 400)
            case "not offered":
                raise DeletionNotOfferedError("the board answered 404", 404)
            case _:
                raise BoardUnknownError("no answer from the board")

    def fail_after(self, attempt: Attempt) -> None:
        """Lose the answer of a request that was accepted, if that is its fault."""
        if attempt.faults and attempt.faults[0] == "lost":
            attempt.faults.pop(0)
            self.tell("   its ANSWER IS LOST")
            raise BoardUnknownError("no answer from the board")

    def asked_to_delete(self, request: Deletion) -> None:
        """Check a list of deletions that reaches the board."""
        attempt = self.attempts[-1]
        self.fail_before(attempt)
        [record] = [
            record
            for each in self.stage.store.get_feed(attempt.feed).open_imports
            if (record := self.stage.record(each)).deletions.list_is_open
        ]
        self.tell(f"   the board gets the list of {record.import_id}: DELETE {_range(request.reference_numbers)}")
        self.judge_list(record, request)

    def judge_list(self, record: Import, request: Deletion) -> None:
        attempt = self.attempts[-1]
        payload, listed = record.prepared.payload or "", self.archived_list(record)
        known, code = self.known.get(attempt.feed), self.confirmations.get(payload)
        found = objections(
            self.readings[payload],
            known,
            request.key,
            None if code is None else self.issued.get((attempt.feed, code), set()),
            alone=request.key in attempt.alone,
            wanted=(request.key, "listed") in attempt.wanted,
            unattended_at=None if self.is_by_person(record.import_id) else self.stage.clock(),
            now=self.stage.clock(),
            listed=set(listed),
        )
        self.live_before.setdefault(record.import_id, len(known.references) if known else 0)
        if not set(request.reference_numbers) <= set(listed):
            found.append("what is deleted is not what was archived")
        if record.state not in transitions.ACCEPTED:
            found.append(f"it is {record.state}")
        if foreign := [each for each in request.reference_numbers if each[0] != attempt.feed[0]]:
            found.append(f"{foreign} are not of this feed")
        if found:
            self.fail(f"{record.import_id} must not delete its list: {'; '.join(found)}")

    def deleted(self, _: Deletion) -> None:
        self.fail_after(self.attempts[-1])

    def archived_list(self, record: Import) -> list[str]:
        """Return the reference numbers of an import's list, in order."""
        content = gzip.decompress(self.stage.bucket.contents[deletion_list_key(record.prepared) or ""])
        return [json.loads(line)["referenceNumber"] for line in content.splitlines()]

    def judge(self, request: Request, sent: set[str]) -> None:
        attempt = self.attempts[-1]
        payload = self.payload_of(request.import_id)
        reading, known = self.readings[payload], self.known.get(attempt.feed)
        code = self.confirmations.get(payload)
        unattended = not self.is_by_person(request.import_id)
        found = objections(
            reading,
            known,
            request.key,
            None if code is None else self.issued.get((attempt.feed, code), set()),
            alone=request.key in attempt.alone,
            wanted=(request.key, True) in attempt.wanted,
            unattended_at=self.stage.clock() if unattended else None,
            now=self.stage.clock(),
        )
        if sent != reading.references:
            found.append(f"what was sent is not what was read: {sorted(sent ^ reading.references)}")
        if found:
            self.fail(f"{request.import_id} must not delete: {'; '.join(found)}")

    def accepted(self, request: Request) -> None:
        made = self.stage.board.requests[-1][0]
        known = self.known.get(self.feed_of(request.import_id))
        if request.delete_jobs and known is not None:
            self.may_go[made] = known.references - {each.get("referenceNumber") for each in request.jobs}
        self.tell(f"   the board accepts it as {made}")
        self.fail_after(self.attempts[-1])

    def retrieved(self) -> None:
        if self.silent:
            raise BoardUnknownError("no answer from the board")

    def saved(self, records: tuple[Import | Feed, ...]) -> None:
        """Check a write that is about to happen, unless it will be refused."""
        store = self.stage.store
        for record in records:
            now = store.get(record.import_id) if isinstance(record, Import) else store.get_feed(record.feed)
            if (now.revision if now else 0) != record.revision:
                return
        for record in records:
            if isinstance(record, Import):
                self.look_at(record, store.get(record.import_id))

    def look_at(self, record: Import, before: Import | None) -> None:
        old = before.state if before else None
        if old is State.COMPLETE and record.state is not State.COMPLETE:
            self.fail(f"{record.import_id} has left complete")
        if record.deletions.confirm_code and not (before and before.deletions.confirm_code):
            self.issued[record.feed, record.deletions.confirm_code] = set(self.archived_list(record))
            self.codes[record.feed].append(record.deletions.confirm_code)
        if record.ending.fields_code:
            self.field_codes.append(record.ending.fields_code)
        if before is not None:
            self.look_at_list(record, before)
        if record.state not in (State.COMPLETE, State.EXPIRED):
            return
        if before is not None and (old, before.result.verified) == (record.state, record.result.verified):
            return
        self.ended(record)

    def look_at_list(self, record: Import, before: Import) -> None:
        """Learn which postings of its list an import has deleted."""
        known = self.known.get(record.feed)
        if record.deletions.deleted > before.deletions.deleted:
            gone = self.gone[record.import_id] = set(self.archived_list(record)[: record.deletions.deleted])
            if known is not None and known.created == record.created_at:
                known.references -= gone
        closed = before.deletions.list_is_open and not record.deletions.list_is_open
        if closed and record.deletions.deleted and known is not None:
            confirmed = record.deletions.confirmed_with is not None
            week = (record.created_at, self.live_before[record.import_id], record.deletions.deleted)
            known.deletions = [] if confirmed else [*known.deletions, week]

    def ended(self, record: Import) -> None:
        """Learn from an import that has a result, or that is given up."""
        reading = self.readings[record.prepared.payload or ""]
        sent = (
            reading.references
            if reading.wishes.delete_jobs is True
            else {each for content in reading.objects.values() for each in content.valid}
        )
        requests = [each for _, each in self.stage.board.requests if each.import_id == record.import_id]
        ended = Ended(
            key=requests[-1].key if requests else self.keys[record.import_id],
            created=record.created_at,
            sent=frozenset(sent),
            deleted_others=record.deletions.delete_jobs,
            complete=record.state is State.COMPLETE,
            verified=record.result.verified,
            announces=record.deletions.full_sync or record.deletions.listed,
            listed=record.deletions.listed,
            gone=frozenset(self.gone.get(record.run or record.import_id, ())),
            rows=reading.rows,
            withheld=record.deletions.withheld,
            confirmed=record.deletions.confirmed_with is not None,
            shared="shared-account" in record.deletions.because,
        )
        known = self.known.get(record.feed)
        self.known[record.feed] = learn(known, ended)
        if known is None or known.key != ended.key:
            waiting = [
                str(each.get("referenceNumber"))
                for made, request in self.stage.board.requests
                if made in self.stage.board.waiting()
                for each in request.jobs
            ]
            self.strangers[record.feed] |= {*self.stage.board.postings(ended.key), *waiting} - sent

    # The end

    def end(self) -> None:
        """Faults stop. Everything comes to its end, no result is lost, and the feeds work."""
        self.tell("— from here on nothing goes wrong —")
        self.stage.topic.subscribers = 1
        self.come_to_rest()
        self.require_results()
        for feed in FEEDS:
            if self.exists(feed):
                self.require_working(feed)

    def come_to_rest(self) -> None:
        for number in range(12):
            while done := self.process():
                self.call_back(done)
            self.poll(Poll())
            found = self.stage.store.open_records()
            if not found.imports and not found.feeds and not self.stage.board.waiting():
                break
            if number > 3:
                self.stage.clock.forward(hours=3)
        else:
            self.fail(f"it does not come to rest: {found}")
        for feed in FEEDS:
            if still := self.stage.store.get_feed(feed).open_imports:
                self.fail(f"{feed} is stuck: {still} are open in its record")

    def require_results(self) -> None:
        """Every result that the board gave is recorded, if it comes late even where nobody waited any more."""
        # Of an account whose key is not there any more nothing can be asked.
        known = [
            (made, request)
            for made, request in self.stage.board.requests
            if self.secrets[self.stage.record(request.import_id).destination.account or ""] == request.key
        ]
        for made, request in known:
            record = self.stage.record(request.import_id)
            if record.state in OPEN:
                self.fail(f"{record.import_id} is still {record.state}")
            if record.state is not State.COMPLETE:
                self.call_back(made)
        for import_id in {request.import_id for _, request in known}:
            record = self.stage.record(import_id)
            if record.state is not State.COMPLETE:
                self.fail(f"the board has done {import_id}, and it is {record.state}: {record.ending.reason}")
            given = [
                self.stage.board.results(made)
                for made, each in self.stage.board.requests
                if each.import_id == import_id
            ]
            if not any(each is not None and each.items() >= _counts(record).items() for each in given):
                self.fail(f"{import_id} has results that the board never gave: {record.result.counts}")
        for import_id in self.answered:
            if self.stage.record(import_id).state is not State.COMPLETE:
                self.fail(f"the callback of {import_id} was answered 200, and its result is not there")

    def require_working(self, feed: str) -> None:
        """Require that a clean run completes, and that withheld deletions can be confirmed."""
        wishes = replace(self.wishes.get(feed, Wishes()), paused=False, percent=20)
        for other in FEEDS:
            if other != feed and self.exists(other) and wishes.delete_jobs is True:
                self.lose(other, everything=True)
        self.wish(feed, wishes)
        self.export(Export(feed, 35, 40))
        content = set(references(feed, 35, 40))
        key = self.secrets[wishes.secret]
        record = self.clean_run({"feed": feed})
        if "first" in record.deletions.because:
            record = self.clean_run({"feed": feed})
            if "first" in record.deletions.because:
                self.fail("the first full sync is announced twice")
        if record.deletions.because:
            if record.deletions.withheld and not record.deletions.confirm_code:
                self.fail(
                    f"{record.deletions.withheld} deletions are withheld because of {record.deletions.because}, without a code"
                )
            record = self.clean_run({"feed": feed, "confirmDeletes": record.deletions.confirm_code})
        on_board = set(self.stage.board.postings(key))
        if not content <= on_board:
            self.fail(f"{sorted(content - on_board)} are not on the board")
        if wishes.delete_jobs is True and (not record.deletions.delete_jobs or on_board != content):
            self.fail(f"{sorted(on_board - content)} should have gone")
        own = {each for each in on_board if each[0] == feed[0]} - self.strangers[feed]
        if wishes.delete_jobs == "listed" and own > content:
            self.fail(f"{sorted(own - content)} should have gone")

    def clean_run(self, event: dict[str, Any]) -> Import:
        self.stage.clock.forward(seconds=1)
        before = self.stage.clock()
        self.invoke(event)
        while done := self.process():
            self.call_back(done)
        self.inform()
        record = self.stage.record(self.stage.store.get_feed(event["feed"]).last_import or "")
        if record.created_at < before or record.state is not State.COMPLETE:
            self.fail(f"a clean run does not complete: {record.import_id} is {record.state}, {record.ending.reason}")
        return record


class _Watched:
    """The bucket, observed: it reports what is read and stored."""

    def __init__(self, inner: Any, history: History) -> None:
        self._inner = inner
        self._history = history

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def settings(self, feed: str) -> Any:
        found = self._inner.settings(feed)
        self._history.settings_read(feed)
        return found

    def open_object(self, obj: FeedObject) -> Any:
        stream = self._inner.open_object(obj)
        self._history.opened(obj, stream.getvalue())
        return stream

    def store(self, key: str, path: Any) -> None:
        self._inner.store(key, path)
        self._history.archived(key, b"")


def _counts(record: Import) -> dict[str, Any]:
    """Return the board's counts for the import, without what an earlier attempt deleted."""
    counts = {name: value for name, value in (record.result.counts or {}).items() if name != "errors"}
    return counts | {"deleted": counts["deleted"] - record.sent.deleted_before}


def _range(found: list[str]) -> str:
    """a00…a09, a12."""
    runs: list[list[str]] = []
    for each in found:
        before = runs[-1][-1] if runs else ""
        numbered = before[1:].isdecimal() and each[1:].isdecimal()
        if numbered and before[0] == each[0] and int(before[1:]) + 1 == int(each[1:]):
            runs[-1].append(each)
        else:
            runs.append([each])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}…{run[-1]}" for run in runs) or "no job"
