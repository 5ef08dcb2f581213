"""What one does to the system that `serve` leaves running: put a feed, run it, poll, look."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import boto3
import requests

from local.aws_account import REGION
from local.dynamodb_items import plain_item

#: A time that stands for that of the call in `serve.json`.
SCHEDULED: Final = "1970-01-01T00:00:00Z"


class Served:
    """The system that is being served; exits with a clear word when there is none."""

    def __init__(self, folder: Path) -> None:
        try:
            self._state: dict[str, Any] = json.loads((folder / "serve.json").read_text())
        except FileNotFoundError:
            _fail("nothing is being served: run `make serve` in another terminal first")

    def put(self, path: Path, feed: str) -> None:
        """Put a file, or a folder's files, into the feed; the settings first, since the rest starts an import."""
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        if not files:
            _fail(f"{path} is not there, or is empty")
        for file in sorted(files, key=lambda file: file.name != "feed.json"):
            key = f"feeds/{feed}/{file.name if path.is_file() else file.relative_to(path).as_posix()}"
            self._client("s3").put_object(Bucket=self._state["bucket"], Key=key, Body=file.read_bytes())
            print(f"s3://{self._state['bucket']}/{key}")

    def run(self, feed: str, *, dry_run: bool, confirm_deletes: str | None) -> int:
        """Run a feed as a person does."""
        event: dict[str, Any] = {"feed": feed}
        if dry_run:
            event["dryRun"] = True
        if confirm_deletes:
            event["confirmDeletes"] = confirm_deletes
        return self._invoke(self._state["submit"], event)

    def schedule(self) -> int:
        """Fire the schedule's event as of now."""
        function, event = self._state["schedule"]
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return self._invoke(function, {name: value.replace(SCHEDULED, now) for name, value in event.items()})

    def poll(self) -> int:
        """Run the poller, as its rule does."""
        return self._invoke(*self._state["poll"])

    def imports(self, import_id: str | None) -> None:
        """Print every import in a line; or one of them, with its failed jobs."""
        dynamodb = self._client("dynamodb")
        if import_id is None:
            pages = dynamodb.get_paginator("scan").paginate(TableName=self._state["table"])
            records = [plain_item(item) for page in pages for item in page["Items"] if item["item"] == {"S": "import"}]
            for record in sorted(records, key=lambda record: str(record["createdAt"])):
                print(f"{record['importId']}  {record['state']}  {json.dumps(record.get('results'))}")
            return
        pages = dynamodb.get_paginator("query").paginate(
            TableName=self._state["table"],
            KeyConditionExpression="importId = :id",
            ExpressionAttributeValues={":id": {"S": import_id}},
        )
        print(json.dumps([plain_item(item) for page in pages for item in page["Items"]], indent=2))

    def _invoke(self, function: str, event: Any) -> int:
        url = f"{self._state['lambda']}/2015-03-31/functions/{function}/invocations"
        try:
            answer = requests.post(url, json=event, timeout=900)
        except requests.ConnectionError:
            _fail("what was being served is gone: run `make serve` again")
        print(json.dumps(answer.json(), indent=2))
        return 1 if "X-Amz-Function-Error" in answer.headers else 0

    def _client(self, service: str) -> Any:
        session: Any = boto3.Session("local", "local", region_name=REGION)
        return session.client(service, endpoint_url=f"http://127.0.0.1:{self._state['cloudPort']}")


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(1)
