"""Lambda: start SubmitImport."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class SubmitImportFunction:
    """The function SubmitImport. Implements `FeedStarter`."""

    def __init__(self, client: LambdaClient, name: str) -> None:
        self._client = client
        self._name = name

    def run_again(self, feed: str, skipped: str) -> None:
        """Run the feed again, because it skipped a run."""
        self._invoke({"feed": feed, "runAgain": skipped})

    def resume(self, feed: str, import_id: str) -> None:
        """Continue an import that was interrupted."""
        self._invoke({"feed": feed, "resume": import_id})

    def _invoke(self, event: dict[str, str]) -> None:
        self._client.invoke(FunctionName=self._name, InvocationType="Event", Payload=json.dumps(event).encode())
