"""moto's server in a process of its own: S3, DynamoDB and its stream, SNS, SQS, Secrets Manager, KMS, EventBridge's bus.

It has its own process because moto keeps its state per process, and a test may use moto in-process at the same time.
`python -m local.cloud HOST` is that process. It prints its port, and ends when its standard input ends.
"""

from __future__ import annotations

import base64
import copy
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, Final, Self, cast

import boto3
import requests
from botocore.config import Config

from local import ROOT
from local.aws_account import ACCOUNT, REGION

type WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]

#: The path at which moto's process returns published messages: SNS has no call that reads a topic.
_PUBLISHED: Final = "/_local/published"


class Cloud:
    """Stands in for AWS: an endpoint for boto3, and the messages published on its topics."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._process: subprocess.Popen[str] | None = None
        self.port = 0
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "local.cloud", self._host]
        self._process = subprocess.Popen(  # noqa: S603
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C must reach only the process that started this one
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.communicate()  # closes its standard input
            self._process = None

    @property
    def url(self) -> str:
        """Return the endpoint as soon as it is served."""
        if not self.port and self._process and self._process.stdout:
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError("moto's server did not start; its error is above")
            self.port = int(line)
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service, the same one each time."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _make_client(self, service: str) -> Any:
        session = boto3.Session("local", "local", region_name=REGION)
        # Many attempts, since the stream's reader must not give up on a busy machine.
        config = Config(retries={"total_max_attempts": 8, "mode": "standard"}, s3={"addressing_style": "path"})
        return session.client(cast("Any", service), endpoint_url=self.url, config=config)

    def published(self, topic_arn: str) -> list[dict[str, Any]]:
        """Return every message published on a topic, oldest first, with `subject`, `message` (unparsed) and `attributes`."""
        answer = requests.get(self.url + _PUBLISHED, params={"topic": topic_arn}, timeout=10)
        answer.raise_for_status()
        return cast("list[dict[str, Any]]", answer.json())


def take_turns(moto: WSGIApplication) -> WSGIApplication:
    """Let moto answer one request to DynamoDB at a time.

    It undoes a cancelled transaction by restoring a copy of the whole table, and with it loses any write that another
    request has made since.
    """
    turn = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_dynamodb = environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB")
        with turn if is_dynamodb else nullcontext():
            return moto(environ, start_response)

    return answer


def serve(host: str) -> None:
    """Serve moto at a free port until standard input ends."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    subscribe_to_topics()
    speed_up_tables()
    moto = take_turns(DomainDispatcherApplication(create_backend_app))

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != _PUBLISHED:
            return moto(environ, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(_published(environ["QUERY_STRING"])).encode()]

    server = make_server(host, 0, answer, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()  # a daemon thread ends with the process
    print(server.port, flush=True)
    sys.stdin.read()


def subscribe_to_topics(subscriptions: int = 1) -> None:
    """Have moto say that each topic has a confirmed subscription, that of the person at the console. It counts none itself."""
    from moto.sns.models import Topic

    Topic.subscriptions_confimed = property(lambda _: subscriptions, lambda *_: None)  # type: ignore[assignment]


def speed_up_tables() -> None:
    """Take two shortcuts in moto's tables, which save half of the system tests' processor time.

    A transaction keeps a copy of the table in case it is cancelled. Moto replaces the items that a transaction puts, so
    the copy needs no items of its own. And moto has an item's values as DynamoDB sends them, so they are sent as they are.
    """
    from moto.core.serialize import SERVICE_SPECIFIC_SERIALIZERS, JSONSerializer
    from moto.dynamodb.models.table import Table

    class Serializer(JSONSerializer):
        def _serialize_type_structure(self, serialized: Any, value: Any, shape: Any, key: str) -> None:
            if shape.name == "AttributeValue":
                serialized[key] = value
            else:
                super()._serialize_type_structure(serialized, value, shape, key)

        def _serialize_body(self, body: Any) -> str:
            return json.dumps(body, default=lambda binary: base64.b64encode(binary).decode())

    def copied(table: Table, _: dict[int, Any]) -> Table:
        twin = copy.copy(table)
        twin.items = copy.copy(table.items)
        twin.items.update({key: copy.copy(items) for key, items in table.items.items()})
        if table.stream_shard:
            twin.stream_shard = copy.copy(table.stream_shard)
            twin.stream_shard.items = list(table.stream_shard.items)
        return twin

    Table.__deepcopy__ = copied  # type: ignore[attr-defined]
    SERVICE_SPECIFIC_SERIALIZERS["dynamodb"] = {"json": Serializer}
    SERVICE_SPECIFIC_SERIALIZERS["dynamodbstreams"] = {"json": Serializer}


def _published(query: str) -> list[dict[str, Any]]:
    """Read moto's state, as https://docs.getmoto.org/en/latest/docs/services/sns.html recommends for tests."""
    from urllib.parse import parse_qs

    from moto.sns.models import sns_backends

    topic = sns_backends[ACCOUNT][REGION].topics[parse_qs(query)["topic"][0]]
    return [
        {"subject": subject, "message": message, "attributes": attributes}
        for _, message, subject, attributes, _ in topic.sent_notifications
    ]


if __name__ == "__main__":
    serve(sys.argv[1])
