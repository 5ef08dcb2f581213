"""Runs the board's actions when they are due."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class ActionQueue:
    """Runs actions when they are due, one after another, on one thread. Those left at a stop wait for the next start."""

    def __init__(self) -> None:
        self._actions: list[tuple[float, int, Callable[[], None]]] = []
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
        """Run `action` after this many seconds. Actions with the same time run in the order in which they were added."""
        with self._changed:
            heapq.heappush(self._actions, (time.monotonic() + seconds, next(self._order), action))
            self._changed.notify()

    def _work(self) -> None:
        while action := self._next():
            action()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while self._running:
                wait = self._actions[0][0] - time.monotonic() if self._actions else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._actions)[2]
                self._changed.wait(wait)
            return None
