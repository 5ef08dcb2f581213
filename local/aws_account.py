"""The AWS account and region in which the local stack is, as moto has them."""

from typing import Final

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
PARTITION: Final = "aws"
