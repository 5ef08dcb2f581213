"""Where the stack is, and where this repository."""

from pathlib import Path
from typing import Final

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
PARTITION: Final = "aws"
ROOT: Final = Path(__file__).parents[1]
