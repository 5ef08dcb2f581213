"""Doing things at their time: the board's queue."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class ActionQueue:
    """Does what it is given at its time, one after another, on one thread. What is left at a stop waits for a start."""

    def __init__(self) -> None:
        self._items: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._running = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._running = True
        self._thread = threading.Thread(target=self._work, name="sandbox-board-queue", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._running = False
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do `action` in so many seconds; among equals, first come first served."""
        with self._changed:
            heapq.heappush(self._items, (time.monotonic() + seconds, next(self._order), action))
            self._changed.notify()

    def _work(self) -> None:
        while action := self._next():
            action()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while self._running:
                wait = self._items[0][0] - time.monotonic() if self._items else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._items)[2]
                self._changed.wait(wait)
            return None
