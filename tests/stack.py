"""template.yaml as its own tests see it: expanded by SAM's translator, every reference resolved to a name that tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from local.template import Stack, expand

TEMPLATE: Final = Path(__file__).parent.parent / "template.yaml"
NAME: Final = "jobferry-dev"
#: The design's metrics, the rest of the board's counts, notices, and the feeds that the stack's own figures do not show.
METRICS: Final = {
    "ImportsSubmitted",
    "ImportsCompleted",
    "JobsAdded",
    "JobsUpdated",
    "JobsUnchanged",
    "JobsFailed",
    "PostingsDeleted",
    "JobsInvalid",
    "DeletesWithheld",
    "SettledByPoll",
    "SecondsToResult",
    "FeedsOverdue",
    "NoticesPublished",
}


class _Attributes(Mapping[str, str]):
    """Of a resource: whatever is asked for, as `{logical id}.{attribute}`."""

    def __init__(self, logical_id: str) -> None:
        self._logical_id = logical_id

    def __getitem__(self, attribute: str) -> str:
        return f"{self._logical_id}.{attribute}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _name(_type: str, logical_id: str, _properties: dict[str, Any]) -> tuple[str, Mapping[str, str]]:
    return logical_id, _Attributes(logical_id)


def make_stack(**parameters: str) -> Stack:
    """The stack with these parameters. `Ref` of a resource is its logical id, and so begins each of its attributes."""
    return Stack(NAME, expand(TEMPLATE), parameters, _name)
