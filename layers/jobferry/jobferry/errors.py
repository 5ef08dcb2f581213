"""Everything that jobferry raises on purpose.

JobferryError
├── FeedNameError              the event names a feed that cannot exist
├── EventError                 the event has an unknown shape
│   └── StrayObjectError           an uploaded object that belongs to no feed
├── FeedError                  nothing can be sent from this feed: the import is blocked
│   ├── SettingsError              feed.json cannot be used
│   │   └── SettingsMissingError       feed.json has disappeared
│   ├── FeedMissingError           no object under the feed's prefix
│   ├── FeedUnreadableError        an object cannot be read to its end
│   ├── FeedChangedError           an object was replaced while the feed was being read
│   ├── FeedTooLargeError          more than maxFeedBytes, or more than /tmp holds
│   ├── FeedInvalidError           no valid job, or more invalid ones than maxInvalidPercent
│   ├── FeedPausedError            feed.json says that nothing is to be sent
│   ├── AccountChangedError        feed.json names another account since the feed was read
│   ├── FieldsGoneError            hardly any job has a field that most jobs had
│   └── ConfirmationError          confirmDeletes confirms another list of deletions
├── SecretError                a secret is empty, not set, or may not be read
├── ArchiveGoneError           what was made ready to be sent is no longer in the bucket
├── BoardError                 the board did not do what was asked
│   ├── BoardRefusedError          the board answered 4xx: it did not accept, and will not
│   │   └── DeletionNotOfferedError    404 or 405: the board does not offer deletion by reference number
│   ├── BoardUnreachableError      certainly not accepted: no connection, 429 or 503
│   └── BoardUnknownError          the request may have been accepted: read timeout, reset, other 5xx
├── CallbackError              a callback that is not answered with 2xx
│   ├── CallbackForbiddenError     403: wrong token, missing token, unknown import, all alike
│   ├── CallbackMalformedError     400: the body is not a job import
│   └── CallbackMismatchError      409: the body has another import's id
├── ClaimTakenError            another invocation works on this import
├── StoreError                 DynamoDB repeatedly leaves items unwritten or unread
├── PollingError               the poller failed for some imports or feeds
├── ConflictError              a conditional write was refused: somebody else wrote first
└── CannotBeDoneError          the command line cannot do what was asked

A message is written for the person who has to act on it: it names the object, the row and the field.
"""

from datetime import timedelta
from enum import StrEnum


class Cause(StrEnum):
    """Why an import ended without a result, in records and notices; docs/runbook.md has a heading for each."""

    SETTINGS = "settings"
    SETTINGS_MISSING = "settings-missing"
    FEED_MISSING = "feed-missing"
    FEED_UNREADABLE = "feed-unreadable"
    FEED_CHANGED = "feed-changed"
    FEED_TOO_LARGE = "feed-too-large"
    FEED_INVALID = "feed-invalid"
    FIELDS_GONE = "fields-gone"
    PAUSED = "paused"
    CONFIRMATION = "confirmation"
    SECRET = "secret"  # noqa: S105  # a word
    ARCHIVE_GONE = "archive-gone"
    BOARD_REFUSED = "board-refused"
    BOARD_UNREACHABLE = "board-unreachable"
    ABANDONED = "abandoned"
    NO_RESULT = "no-result"
    OPEN = "open"
    FEWER_PARTS = "fewer-parts"
    ACCOUNT_CHANGED = "account-changed"
    RETRY_OUTDATED = "retry-outdated"


class JobferryError(Exception):
    """The root of the tree.

    Attributes:
        retryable: the same call may succeed later without a person changing anything.
    """

    retryable = False


class FeedNameError(JobferryError):
    """The event names a feed whose name is not allowed."""


class EventError(JobferryError):
    """The event has none of the shapes that SubmitImport understands."""


class StrayObjectError(EventError):
    """An uploaded object is part of no feed, which EventBridge's pattern cannot know.

    Args:
        message: which object.
        misplaced: it is where feeds are, but in a folder whose name no feed can have: a person has to rename it.
    """

    def __init__(self, message: str, *, misplaced: bool = False) -> None:
        super().__init__(message)
        self.misplaced = misplaced


class FeedError(JobferryError):
    """Nothing can be sent from this feed until a person fixes what the message says.

    Attributes:
        cause: the kind of error.
        feed_is_empty: the feed held no job, perhaps on purpose.
    """

    cause: Cause
    feed_is_empty = False


class SettingsError(FeedError):
    """feed.json cannot be used."""

    cause = Cause.SETTINGS


class SettingsMissingError(SettingsError):
    """The feed had a feed.json, and has none now. Its jobs could be sent to another account, or be read in another way."""

    cause = Cause.SETTINGS_MISSING


class FeedMissingError(FeedError):
    """There is no object under the feed's prefix."""

    cause = Cause.FEED_MISSING
    feed_is_empty = True


class FeedUnreadableError(FeedError):
    """An object of the feed cannot be read to its end.

    Args:
        message: which object, and what is wrong with it.
        feed_is_empty: the object holds nothing.
    """

    cause = Cause.FEED_UNREADABLE

    def __init__(self, message: str, *, feed_is_empty: bool = False) -> None:
        super().__init__(message)
        self.feed_is_empty = feed_is_empty


class FeedChangedError(FeedError):
    """An object was replaced, deleted or cut off between the listing and the end of its reading."""

    cause = Cause.FEED_CHANGED
    retryable = True


class FeedTooLargeError(FeedError):
    """The feed is larger than it may be, or than the function's disk holds."""

    cause = Cause.FEED_TOO_LARGE


class FeedInvalidError(FeedError):
    """Too few of the feed's jobs are valid to trust the feed.

    Args:
        message: how many are invalid, and what is allowed.
        valid: jobs without an error.
        invalid: rows with an error.
    """

    cause = Cause.FEED_INVALID

    def __init__(self, message: str, valid: int, invalid: int) -> None:
        super().__init__(message)
        self.valid = valid
        self.invalid = invalid
        self.feed_is_empty = valid + invalid == 0


class FeedPausedError(FeedError):
    """The feed's settings say that nothing is to be sent."""

    cause = Cause.PAUSED


class AccountChangedError(FeedError):
    """The feed's settings name another account since the feed was read. What is ready to be sent is for the former one."""

    cause = Cause.ACCOUNT_CHANGED


class FieldsGoneError(FeedError):
    """Hardly any job has a field that most jobs had at the last complete import: live postings would lose it.

    Args:
        message: which fields, and how many jobs have them.
        code: the code with which a person confirms exactly these fields.
    """

    cause = Cause.FIELDS_GONE

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class ConfirmationError(FeedError):
    """The confirmation code does not match the list of deletions."""

    cause = Cause.CONFIRMATION


class SecretError(JobferryError):
    """A secret cannot be used."""

    cause = Cause.SECRET


class ArchiveGoneError(JobferryError):
    """What was made ready to be sent is no longer in the bucket."""

    cause = Cause.ARCHIVE_GONE


class BoardError(JobferryError):
    """The board did not do what was asked."""


class BoardRefusedError(BoardError):
    """The board answered with a 4xx: nothing was accepted.

    Args:
        message: the board's own words, cut.
        status: the HTTP status.
    """

    cause = Cause.BOARD_REFUSED

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class DeletionNotOfferedError(BoardRefusedError):
    """The board does not offer deletion by reference number: nothing was deleted, and trying again does not help."""


class BoardUnreachableError(BoardError):
    """Certainly nothing was accepted or deleted: no connection, 429 or 503.

    Args:
        message: what happened.
        retry_after: how long the board asked to wait, if it did.
        status: the HTTP status, if there was one.
    """

    retryable = True
    cause = Cause.BOARD_UNREACHABLE

    def __init__(self, message: str, retry_after: timedelta | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class BoardUnknownError(BoardError):
    """The board may or may not have accepted: read timeout, reset, another 5xx, or an answer that makes no sense.

    Args:
        message: what happened.
        status: the HTTP status, if there was one.
    """

    retryable = True

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class CallbackError(JobferryError):
    """A callback that is not answered with 2xx.

    Attributes:
        status: the HTTP status of the answer.
        word: what the answer's body says.
    """

    status = 400
    word = "malformed"


class CallbackForbiddenError(CallbackError):
    """Wrong token, missing token, unknown import: one answer for all, so that a caller learns nothing."""

    status = 403
    word = "forbidden"


class CallbackMalformedError(CallbackError):
    """The body is not a job import."""


class CallbackMismatchError(CallbackError):
    """The body is a job import, but another one."""

    status = 409
    word = "mismatch"


class ClaimTakenError(JobferryError):
    """Another invocation works on this import until its claim ends."""


class StoreError(JobferryError):
    """The table did not take everything that was written."""

    retryable = True


class PollingError(JobferryError):
    """The poller failed for some imports or feeds, and handled the others. Raised last, so that the alarm goes off.

    Args:
        names: of the imports and feeds; the log says why.
    """

    retryable = True

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"{len(names)} could not be handled; the log says why: {', '.join(names[:10])}")


class ConflictError(JobferryError):
    """A conditional write was refused: read again and decide again."""

    retryable = True


class CannotBeDoneError(JobferryError):
    """The command line cannot do what was asked; the message says why."""
