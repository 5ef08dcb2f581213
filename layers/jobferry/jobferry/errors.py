"""Everything that jobferry raises on purpose.

JobferryError
├── FeedNameError              the event names a feed that cannot exist
├── EventError                 the event is not one of ours
│   └── StrayObjectError           an upload that is of no feed
├── FeedError                  nothing can be sent from this feed: the import is blocked
│   ├── SettingsError              feed.json is not what it should be
│   ├── FeedMissingError           no object under the feed's prefix
│   ├── FeedUnreadableError        an object cannot be read to its end
│   ├── FeedChangedError           an object was replaced while the feed was being read
│   ├── FeedTooLargeError          more than maxFeedBytes, or more than /tmp holds
│   ├── FeedInvalidError           no valid job, or more invalid ones than maxInvalidPercent
│   ├── FeedPausedError            feed.json says that nothing is to be sent
│   └── ConfirmationError          confirmDeletes names another list than the one to come
├── SecretError                a secret is empty, not set, or may not be read
├── BoardError
│   ├── BoardRefusedError          the board answered 4xx: it did not accept, and will not
│   ├── BoardUnreachableError      certainly not accepted: no connection, 429 or 503
│   └── BoardUnknownError          the request may have been accepted: read timeout, reset, other 5xx
├── CallbackError
│   ├── CallbackForbiddenError     403: wrong token, missing token, unknown import, all alike
│   ├── CallbackMalformedError     400: the body is not a job import
│   └── CallbackMismatchError      409: the body's id is not this import's
├── ClaimTakenError            another invocation has this import in its hands
├── StoreError                 DynamoDB leaves items unwritten, however often it is asked
├── PollingError               the poller could not deal with some imports or feeds
└── ConflictError              a conditional write was refused: someone else moved the record first

A message is written for the person who has to act on it: it names the object, the row and the field.
"""

from __future__ import annotations

from datetime import timedelta


class JobferryError(Exception):
    """Root of the tree."""

    #: Whether the same call may succeed later without a person changing anything.
    retryable = False
    #: A word for it, in records and notices; docs/runbook.md has a heading for each.
    cause = "fault"


class FeedNameError(JobferryError):
    """The event names a feed whose name is not allowed."""


class EventError(JobferryError):
    """The event has none of the shapes that SubmitImport understands."""


class StrayObjectError(EventError):
    """An object was put beside the feeds: EventBridge's pattern cannot tell it apart, and nobody has to act."""


class FeedError(JobferryError):
    """Nothing can be sent from this feed until a person mends what the message says."""


class SettingsError(FeedError):
    """feed.json cannot be used."""

    cause = "settings"


class FeedMissingError(FeedError):
    """There is no object under the feed's prefix."""

    cause = "feed-missing"


class FeedUnreadableError(FeedError):
    """An object of the feed cannot be read to its end."""

    cause = "feed-unreadable"


class FeedChangedError(FeedError):
    """An object was replaced, deleted or cut off between the listing and the end of its reading."""

    cause = "feed-changed"
    retryable = True


class FeedTooLargeError(FeedError):
    """The feed is larger than it may be, or than the function's disk holds."""

    cause = "feed-too-large"


class FeedInvalidError(FeedError):
    """Too few of the feed's jobs are valid to believe the feed.

    Args:
        message: how many, and what is allowed.
        invalid: how many.
    """

    cause = "feed-invalid"

    def __init__(self, message: str, invalid: int) -> None:
        super().__init__(message)
        self.invalid = invalid


class FeedPausedError(FeedError):
    """The feed is not to be sent, as a person wished."""

    cause = "paused"


class ConfirmationError(FeedError):
    """The confirmation code is not that of the deletions to come."""

    cause = "confirmation"


class SecretError(JobferryError):
    """A secret cannot be used."""

    cause = "secret"


class ArchiveGoneError(JobferryError):
    """What was made ready to be sent is no longer in the bucket."""

    cause = "archive-gone"


class BoardError(JobferryError):
    """The board did not do what was asked."""


class BoardRefusedError(BoardError):
    """The board answered with a 4xx: nothing was accepted.

    Args:
        message: the board's own words, cut.
        status: the HTTP status.
    """

    cause = "board-refused"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class BoardUnreachableError(BoardError):
    """Certainly nothing was accepted: no connection, 429 or 503.

    Args:
        message: what happened.
        retry_after: how long the board asked to be left alone, if it did.
        status: the HTTP status, if there was one.
    """

    retryable = True
    cause = "board-unreachable"

    def __init__(self, message: str, retry_after: timedelta | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class BoardUnknownError(BoardError):
    """The board may or may not have accepted: read timeout, reset, another 5xx, an answer that is not one."""

    retryable = True


class CallbackError(JobferryError):
    """A callback that is not answered with 2xx: with `status`, and `word` in the body."""

    status = 400
    word = "malformed"


class CallbackForbiddenError(CallbackError):
    """Wrong token, missing token, unknown import: one answer, so that a caller learns nothing."""

    status = 403
    word = "forbidden"


class CallbackMalformedError(CallbackError):
    """The body is not a job import."""


class CallbackMismatchError(CallbackError):
    """The body is a job import, but not this one."""

    status = 409
    word = "mismatch"


class ClaimTakenError(JobferryError):
    """Another invocation has this import in its hands until the claim's deadline."""


class StoreError(JobferryError):
    """The table did not take what it was given."""

    retryable = True


class PollingError(JobferryError):
    """Some imports or feeds could not be dealt with; the others were. Raised last, so that the alarm goes off.

    Args:
        names: of the imports and feeds; why is in the log.
    """

    retryable = True

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"{len(names)} could not be dealt with, the log has why: {', '.join(names[:10])}")


class ConflictError(JobferryError):
    """A conditional write was refused: read again and decide again."""

    retryable = True
