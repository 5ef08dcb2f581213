"""The record of an import: its state, and what is known of each step of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from jobferry.errors import Cause

#: An import without a result is given up after this time.
RESULT_DEADLINE: Final = timedelta(hours=12)
#: For this long after an import has expired, the poller still asks for its result once an hour.
LATE_RESULT: Final = timedelta(hours=36)
#: Lambda retries a failed invocation after about one and three minutes. The poller waits for this time.
LAMBDA_RETRIES: Final = timedelta(minutes=10)
#: After deletions were announced, runs that no person started may not delete for this long, so that people can object.
TIME_TO_OBJECT: Final = timedelta(hours=12)
#: An import is sent at most this many times; then it waits for its result, or expires.
MAX_SENDS: Final = 12
#: At most this many invocations work on an import's list of deletions. What they leave is listed by the next run.
MAX_LIST_ATTEMPTS: Final = 3
#: maxWeeklyDeletePercent limits the deletions of this time.
WEEK: Final = timedelta(days=7)
#: Records are kept for this time.
RETENTION: Final = timedelta(days=400)
#: `{feed}-{time}`, and what tells it from another import of that time; `runs.triggers` makes it.
IMPORT_ID: Final = re.compile(r"[a-z0-9-]{1,64}-[0-9]{8}T[0-9]{6}Z(-[a-z0-9]+)*")
#: Characters of a reference number or a title that a record keeps; the archive has them whole.
NAME_LENGTH: Final = 300
#: Postings that a record names.
POSTINGS_NAMED: Final = 25
#: Postings of a former key that a record names.
FORMER_NAMED: Final = 5
#: Other feeds, and objects that lost rows, that a record names.
OTHERS_NAMED: Final = 20


class Open(StrEnum):
    """How the poller's index finds a record: in every run, or once an hour."""

    OPEN = "open"
    LATE = "late"


class State(StrEnum):
    """Where an import is; docs/states.md says what may follow."""

    PREPARING = "preparing"
    SUBMITTING = "submitting"
    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DRY_RUN = "dry-run"


class Objection(StrEnum):
    """Why an import's deletions are withheld; docs/deletions.md has the rules."""

    FIRST = "first"
    SHARED_ACCOUNT = "shared-account"
    UNPROTECTED_ROWS = "unprotected-rows"
    FEWER_OBJECTS = "fewer-objects"
    FEWER_ROWS = "fewer-rows"
    TOO_MANY = "too-many"
    TOO_MANY_THIS_WEEK = "too-many-this-week"
    TIME_TO_OBJECT = "time-to-object"
    HALF_EXPORTED = "half-exported"
    NEWER_FEED = "newer-feed"


#: These objections end without a person's action.
PASSING: Final = frozenset({Objection.FIRST, Objection.TIME_TO_OBJECT, Objection.HALF_EXPORTED, Objection.NEWER_FEED})


class ListEnd(StrEnum):
    """Why a list of deletions ended before all of it was deleted."""

    #: The board does not offer deletion by reference number.
    NOT_OFFERED = "not-offered"
    #: The board refused a request.
    REFUSED = "refused"
    #: The board did not confirm a request in time.
    UNANSWERED = "unanswered"
    #: The feed's settings, its account or the archive do not allow it any more.
    HELD_BACK = "held-back"
    #: The board did not accept the import.
    NOT_ACCEPTED = "not-accepted"


class SettledBy(StrEnum):
    """Which way a result came."""

    CALLBACK = "callback"
    POLL = "poll"


class Unreadable(StrEnum):
    """The part of another feed that cannot be read. Without it, the feed may use the same account."""

    SETTINGS = "feed.json"
    SECRET = "secret"  # noqa: S105  # a word


def timestamp(instant: datetime) -> str:
    """Format an instant as RFC 3339 in UTC, always with microseconds, so that texts sort as times do."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def id_time(instant: datetime) -> str:
    """Format an instant as the ids of imports have it, such as `20261124T020000Z`."""
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


type Instant = Annotated[datetime, PlainSerializer(timestamp)]


def _cut(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= NAME_LENGTH else f"{value[:NAME_LENGTH]}…"


type ShortText = Annotated[str, BeforeValidator(_cut)]


class Frozen(BaseModel):
    """A value with camelCase names in JSON that is never changed in place."""

    # The validators are made when they are first used: all of them are a fifteenth of a cold start, and few are needed.
    # An error quotes neither a record nor the board's answer, because it reaches the log.
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
        hide_input_in_errors=True,
    )

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values."""
        return self.model_copy(update=changes)


class Posting(Frozen):
    """A posting that is deleted or withheld, as a record names it."""

    reference_number: ShortText
    title: ShortText | None = None


class ReducedObject(Frozen):
    """An object of a feed that lost most of its rows.

    Attributes:
        key: the object's key.
        rows: how many it has.
        rows_before: how many it had, or the object of another name in whose place it is.
    """

    key: ShortText
    rows: int
    rows_before: int


class OtherFeed(Frozen):
    """A feed that uses the same account, or may use it.

    Attributes:
        feed: its name.
        unreadable: what of it cannot be read; None if it certainly uses the same account.
    """

    feed: ShortText
    unreadable: Unreadable | None = None

    def __str__(self) -> str:
        return f"{self.feed} (its {self.unreadable} cannot be read)" if self.unreadable else self.feed


class Claim(Frozen):
    """The invocation that works on an import.

    Attributes:
        by: the id of the Lambda request, which Lambda's own retries share.
        until: when Lambda ends that invocation.
    """

    by: str | None = Field(None, alias="claimedBy")
    until: Instant | None = Field(None, alias="claimedUntil")

    def is_held(self, now: datetime) -> bool:
        """Tell whether an invocation may still be working on the import."""
        return self.until is not None and self.until > now

    def is_free_for(self, invocation: str | None, now: datetime) -> bool:
        """Tell whether no other invocation may be working on the import."""
        return self.by == invocation or not self.is_held(now)

    def may_be_retried(self, now: datetime) -> bool:
        """Tell whether the invocation, or Lambda's own retry of it, may still be working on the import."""
        return self.is_held(now - LAMBDA_RETRIES)


class Destination(Frozen):
    """Where an import is sent.

    Attributes:
        board: base URL of the board's API.
        account: the name of the secret with the API key.
        key_mark: identifies the key without revealing it, see `board.accounts`.
    """

    board: str | None = None
    account: str | None = None
    key_mark: str | None = None


class Prepared(Frozen):
    """What was read from the feed and made ready to be sent.

    Attributes:
        jobs: jobs to be sent.
        invalid: rows that have an error.
        warnings: how often something was corrected or is unusual.
        warned: the most frequent kinds of warnings other than corrections, in words.
        adjusted: the fields whose values were corrected, each with its most frequent correction in words.
        objects: objects of the feed that were read.
        sources: the first of these objects, as `Payload.sources` describes them.
        listing: identifies the settings and the versions of all these objects, see `feeds.objects`; None for a retry.
        fields: how many valid jobs of the feed have each of the board's fields.
        payload: key of the archived jobs.
        manifest: key of the list that says where in the feed each job stands.
        live_set: key of the live set that becomes the feed's when the import ends.
        notify_on_success: the feed's setting.
        notify_on_deletes: the feed's setting.
    """

    jobs: int = 0
    invalid: int = 0
    warnings: int = 0
    warned: list[ShortText] = []
    adjusted: dict[str, ShortText] = {}
    objects: int = 0
    sources: list[dict[str, Any]] = []
    listing: str | None = None
    fields: dict[str, int] = {}
    payload: str | None = None
    manifest: str | None = None
    live_set: str | None = None
    notify_on_success: bool = False
    notify_on_deletes: bool = False


class Deletions(Frozen):
    """What was decided about deletions.

    Attributes:
        full_sync: the feed's setting deleteJobs is true.
        listed: the feed's setting deleteJobs is "listed": after the import was accepted, its list of deletions is sent.
        live_before: postings in the live set with which the feed was compared.
        delete_jobs: what is actually sent.
        expected: postings that the import, or its list, deletes.
        deleted: how many postings of the list the board has deleted; they are the first ones.
        list_attempts: invocations that worked on the list.
        list_end: why the list ended before all of it was deleted.
        list_reason: the same in words.
        former: postings that were posted with a former API key and are not in the feed; no list deletes them.
        first_former: the reference numbers of the first of these.
        not_offered: people were told earlier that the board does not offer deletion by reference number.
        withheld: postings that the feed no longer has and that stay.
        because: why deletions are withheld.
        reduced: the first objects that lost most of their rows.
        shared_with: the first other feeds that use the same account, or may use it.
        sharing: how many such feeds there are.
        confirm_code: the code that sends the withheld deletions; None if a person cannot confirm them.
        confirmed_with: the code that a person gave with this run.
        postings: the first of the postings that are deleted or withheld.
        announced_at: when people were told that other postings will be deleted; None: not yet for this account and key.
        nobody_subscribed: this import's notice announced deletions without a confirmed subscription, so that does not count.
        again_at: for the deletions that are withheld, the feed runs again by itself, at this time or later.
    """

    full_sync: bool = False
    listed: bool = False
    live_before: int = 0
    delete_jobs: bool = False
    expected: int = Field(0, alias="expectedDeletes")
    deleted: int = Field(0, alias="deletedByList")
    list_attempts: int = 0
    list_end: ListEnd | None = None
    list_reason: str | None = None
    former: int = 0
    first_former: list[ShortText] = []
    not_offered: bool = False
    withheld: int = Field(0, alias="withheldDeletes")
    because: list[Objection] = Field([], alias="withheldBecause")
    reduced: list[ReducedObject] = []
    shared_with: list[OtherFeed] = []
    sharing: int = 0
    confirm_code: str | None = None
    confirmed_with: str | None = Field(None, alias="confirmDeletes")
    postings: list[Posting] = Field([], alias="deletes")
    announced_at: Instant | None = None
    nobody_subscribed: bool = False
    again_at: Instant | None = Field(None, alias="deletesAgainAt")

    @property
    def deletes(self) -> bool:
        """Tell whether postings are deleted, by the import itself or by its list."""
        return self.delete_jobs or (self.listed and self.expected > 0)

    @property
    def by_import(self) -> int:
        """How many postings the import itself deletes."""
        return self.expected if self.delete_jobs else 0

    @property
    def left(self) -> int:
        """How many postings of the list are not known to be deleted."""
        return self.expected - self.deleted if self.listed else 0

    @property
    def list_is_open(self) -> bool:
        """Tell whether postings of the list are still to be deleted."""
        return self.left > 0 and self.list_end is None

    @property
    def announces_deletions(self) -> bool:
        """Tell whether this import's notice announces the deletions of the next ones."""
        # No full sync starts while the account is shared.
        return Objection.FIRST in self.because and Objection.SHARED_ACCOUNT not in self.because

    @property
    def objections(self) -> list[Objection]:
        """The objections except FIRST, which withholds nothing because there is no list yet."""
        return [each for each in self.because if each is not Objection.FIRST]

    @property
    def object_until(self) -> datetime | None:
        """Return until when people have time to object to what was announced."""
        return self.announced_at + TIME_TO_OBJECT if self.announced_at else None

    @property
    def need_a_person(self) -> bool:
        """Tell whether something is withheld that the feed's next runs do not delete by themselves."""
        return not PASSING.issuperset(self.because)

    @property
    def wait_unattended(self) -> bool:
        """Tell whether deletions wait only for a moment: the feed runs again by itself, and deletes them then."""
        return self.again_at is not None and not self.need_a_person


class Sent(Frozen):
    """What is known of the requests to the board.

    Attributes:
        attempts: invocations that sent the import.
        submitted_at: when it was first sent.
        board_import_id: the board's id.
        requested_at: when the board took it, by the board's clock.
        answers: for each HTTP status with which the board answered without accepting: the number of attempts.
        deleted_before: postings deleted by an earlier request whose answer was lost.
    """

    attempts: int = 0
    submitted_at: Instant | None = None
    board_import_id: str | None = None
    requested_at: Instant | None = None
    answers: dict[str, int] = Field({}, alias="boardAnswers")
    deleted_before: int = 0

    @property
    def answered(self) -> str | None:
        """Return in words how often the board answered what; None if it never answered without accepting."""
        if not self.answers:
            return None
        if list(self.answers.values()) == [self.attempts]:
            attempts = "the only attempt" if self.attempts == 1 else f"all {self.attempts} attempts"
            return f"the board answered {attempts} with HTTP {next(iter(self.answers))}"
        each = " and ".join(f"{number} with HTTP {status}" for status, number in self.answers.items())
        return f"of {self.attempts} attempts, the board answered {each}"


class Result(Frozen):
    """What the board said in the end.

    Attributes:
        counts: the board's counts and any extra fields; None without a result.
        unaccounted: jobs that the counts leave out.
        completed_at: when the board was done, by its clock.
        settled_at: when the result was recorded.
        settled_by: which way it came.
        verified: the board itself confirmed it.
        late: a notice had already reported no result, or another one.
        overtaken: a newer run had been sent before this result came, so the board may have done this import after that.
    """

    counts: dict[str, Any] | None = Field(None, alias="results")
    unaccounted: int = 0
    completed_at: Instant | None = None
    settled_at: Instant | None = None
    settled_by: SettledBy | None = None
    verified: bool = False
    late: bool = False
    overtaken: bool = False

    def count(self, name: str) -> int:
        """Return one of the board's counts; 0 if the board did not give it."""
        value = (self.counts or {}).get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0


class Ending(Frozen):
    """Why an import ended without a result, or what went wrong so far.

    Attributes:
        cause: the kind of reason, for programs and the runbook.
        reason: the reason in words.
        status: the HTTP status with which the board refused.
        feed_is_empty: the feed held no job, perhaps on purpose.
        fields_code: the code that sends the feed although most jobs lost a field.
    """

    cause: Cause | None = None
    reason: str | None = None
    status: int | None = Field(None, alias="boardStatus")
    feed_is_empty: bool = False
    fields_code: str | None = None


class Import(Frozen):
    """The record of one import.

    It is stored flat: `to_item` and `from_item` know that form.

    Attributes:
        import_id: `{feed}-{time}`, see `runs.triggers`.
        feed: the feed's name.
        created_at: when it was claimed.
        state: where it is.
        run: the run's first import; only a further import of a split feed has it.
        parts: the number of imports in the run; set on the first one only.
        retry: the key of the corrected jobs that are sent instead of the feed.
        by_person: a person started the run, or confirmed its deletions.
        confirm_fields: the code with which a person confirms that fields are gone.
        previous: the feed's last complete run when this import was claimed.
        polled_at: when the poller last asked for it.
        unanswered: how often in a row the poller asked and did not finish, because the answer made it fail or crash.
        notified_at: when its notice was published.
        open: Open.OPEN while it needs the poller; Open.LATE while it has expired and its result may still come.
        revision: how often it was written; 0 if it is new.
    """

    import_id: str
    feed: str
    created_at: Instant
    state: State
    run: str | None = None
    parts: int = 1
    retry: str | None = None
    by_person: bool = False
    confirm_fields: str | None = None
    previous: str | None = None
    claim: Claim = Field(default_factory=Claim)
    destination: Destination = Field(default_factory=Destination)
    prepared: Prepared = Field(default_factory=Prepared)
    deletions: Deletions = Field(default_factory=Deletions)
    sent: Sent = Field(default_factory=Sent)
    result: Result = Field(default_factory=Result)
    ending: Ending = Field(default_factory=Ending)
    polled_at: Instant | None = None
    unanswered: int = 0
    notified_at: Instant | None = None
    open: Open | None = None
    revision: int = 0

    @property
    def is_confirmed(self) -> bool:
        """Tell whether the import is complete, and the board itself confirmed its result."""
        return self.state is State.COMPLETE and self.result.verified

    @property
    def deleted(self) -> int:
        """How many postings the board has deleted, with the import and by its list."""
        return self.result.count("deleted") + self.deletions.deleted

    @property
    def deadline(self) -> datetime:
        """When the import expires if there is no result."""
        return self.created_at + RESULT_DEADLINE

    @property
    def late_deadline(self) -> datetime:
        """When the board is no longer asked for the result of an expired import."""
        return self.deadline + LATE_RESULT

    @property
    def expires(self) -> datetime:
        """The time until which the record is kept."""
        return self.created_at + RETENTION

    def to_item(self) -> dict[str, Any]:
        """Return the record as it is stored."""
        item = self.model_dump(by_alias=True, mode="json", exclude=set(_STORED_FLAT))
        for name in _STORED_FLAT:
            item |= getattr(self, name).model_dump(by_alias=True, mode="json")
        return item

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Import:
        """Read a stored record."""
        return cls.model_validate({**item, **dict.fromkeys(_STORED_FLAT, item)})


_STORED_FLAT: Final = ("claim", "destination", "prepared", "deletions", "sent", "result", "ending")


def account_id(board: str | None, account: str | None) -> str:
    """Identify an account: one key on one board."""
    return f"{board} {account}"


def part_id(import_id: str, number: int) -> str:
    """Return the id of one of a run's imports, counted from 1; the first one's is the run's."""
    return import_id if number == 1 else f"{import_id}-{number}"
