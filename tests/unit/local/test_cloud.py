"""What stands in for AWS keeps what was written, also where moto by itself would not."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from local.cloud import take_turns

DYNAMODB = {"HTTP_X_AMZ_TARGET": "DynamoDB_20120810.TransactWriteItems"}
S3 = {"PATH_INFO": "/bucket/key"}


def test_requests_to_dynamodb_take_turns_and_others_do_not_wait() -> None:
    """Otherwise moto's rollback of one transaction loses what another request has written since."""
    inside: list[dict[str, Any]] = []
    first_is_inside, first_may_end = threading.Event(), threading.Event()

    def moto(environ: dict[str, Any], _: Any) -> Iterable[bytes]:
        inside.append(environ)
        if len(inside) == 1:
            first_is_inside.set()
            assert first_may_end.wait(20)
        return [b""]

    application = take_turns(moto)
    first, second = (threading.Thread(target=application, args=(dict(DYNAMODB), None)) for _ in range(2))
    first.start()
    assert first_is_inside.wait(20)
    second.start()
    second.join(0.2)
    assert second.is_alive()
    assert len(inside) == 1
    application(S3, None)
    assert inside[1:] == [S3]
    first_may_end.set()
    for thread in (first, second):
        thread.join(20)
        assert not thread.is_alive()
    assert inside == [DYNAMODB, S3, DYNAMODB]
