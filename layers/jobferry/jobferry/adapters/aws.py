"""How AWS is asked: no call outlasts the function that makes it."""

from __future__ import annotations

from typing import Final

from botocore.config import Config

CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 5
ATTEMPTS: Final = 3
#: boto3's own are a minute for each of five attempts, and ReceiveCallback has 29 seconds in all. So three attempts of five
#: seconds; what AWS refuses for being asked too often is tried again after a moment, as before.
CONFIG: Final = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)
