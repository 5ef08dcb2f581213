"""The whole system on one machine: the template's stack on moto's server, and the sandbox board."""

from pathlib import Path
from typing import Final

#: The repository.
ROOT: Final = Path(__file__).parents[1]
