"""Floating-point noise: computers store 1911.25 as 1911.2500000000002 after a calculation."""

import re
from typing import Final

#: More digits before the point would leave no room for the cents.
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,13}\.[0-9]+")


def without_noise(number: str) -> str:
    """Return a decimal number rounded to 15 significant digits, which is what spreadsheets show."""
    rounded = f"{float(number):.15g}" if _DECIMAL.fullmatch(number) else number
    return number if "e" in rounded else rounded
