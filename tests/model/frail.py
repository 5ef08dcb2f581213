"""Wrap an object so that any call to it may be the last one of its process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Frail:
    """Pass every call on to `inner`, and call `touch` before and after it. `touch` may raise."""

    def __init__(self, name: str, inner: Any, touch: Callable[[str], None]) -> None:
        self._name = name
        self._inner = inner
        self._touch = touch

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        def touched(*args: Any, **named: Any) -> Any:
            what = f"{self._name}.{name}"
            self._touch(f"before {what}")
            result = call(*args, **named)
            self._touch(f"after {what}")
            return result

        setattr(self, name, touched)  # found at once from now on
        return touched

    def __call__(self, *args: Any) -> Any:
        return Frail(self._name, self._inner(*args), self._touch)
