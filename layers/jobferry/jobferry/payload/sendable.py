"""Whether a payload may be sent: some job is valid, and not too many are invalid."""

from jobferry.feeds.settings import FeedSettings
from jobferry.payload.payload import Payload


def reason_not_to_send(payload: Payload, settings: FeedSettings) -> str | None:
    """Return the reason why nothing may be sent: no job is valid, or too many are invalid. None if the feed may be sent."""
    if not payload.rows:
        return "the feed's files contain no job"
    if payload.invalid >= payload.rows:
        return "the feed has no valid job"
    if payload.invalid * 100 > payload.rows * settings.max_invalid_percent:
        percent = settings.max_invalid_percent
        return f"{payload.invalid:,} of {payload.rows:,} jobs have problems, more than {percent} % (maxInvalidPercent)"
    return None
