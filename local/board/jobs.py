"""The mistakes for which the board is known to refuse a job, with the messages of its page on job imports."""

import json
import re
from typing import Any

type BoardJob = dict[str, Any]

# The two-letter codes of USPS Publication 28, appendix B: states, DC, territories, freely associated states, military.
USPS_CODES = """
AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA
RI SC SD TN TX UT VT VA WA WV WI WY DC AS FM GU MH MP PR PW VI AA AE AP
"""
USPS_STATES = frozenset(USPS_CODES.split())
# No ZIP begins with 000: the lowest in use is 00501.
ZIP = re.compile(r"(?!000)[0-9]{5}(-[0-9]{4})?")


def reference_number(job: BoardJob) -> str | None:
    """Return the job's reference number as text, or None."""
    value = job.get("referenceNumber")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def problems(job: BoardJob) -> list[str]:
    """List every reason for which the board refuses this job. It accepts what its page does not mention."""
    messages = []
    if reference_number(job) is None:
        messages.append("Job ID is missing")
    if _given(state := job.get("state")) and _as_text(state) not in USPS_STATES:
        messages.append(f"State is invalid. Value passed was: {_as_text(state)}")
    if _given(code := job.get("postalCode")) and not ZIP.fullmatch(_as_text(code)):
        messages.append(f"Zip is invalid. Value passed was: {_as_text(code)}")
    return messages


def _given(value: object) -> bool:
    return value is not None and value != ""


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
