"""Lambda: starts SubmitImport."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class SubmitImportFunction:
    """See `polling.Feeds`."""

    def __init__(self, client: LambdaClient, name: str) -> None:
        self._client = client
        self._name = name

    def run_again(self, feed: str, skipped: str) -> None:
        """Runs the feed once more, since it skipped a run."""
        self._invoke({"feed": feed, "runAgain": skipped})

    def resume(self, feed: str, import_id: str) -> None:
        """Goes on with an import that was left in the middle."""
        self._invoke({"feed": feed, "resume": import_id})

    def _invoke(self, event: dict[str, str]) -> None:
        self._client.invoke(FunctionName=self._name, InvocationType="Event", Payload=json.dumps(event).encode())
