"""The pauses between attempts to reach the board, within what is left of the function's time."""

import random
from datetime import timedelta
from typing import Final

from jobferry.runs.world import Invocation, World

#: A request to the board may take this long, if the function has as much time left.
REQUEST_SECONDS: Final = 120.0
#: What the function needs for itself after the board's answer.
MARGIN: Final = timedelta(seconds=20)
#: Pauses begin at one second and double, up to this.
_LONGEST_SECONDS: Final = 60.0


def request_seconds(invocation: Invocation, world: World) -> float:
    """Return how long the next request may take."""
    left = (invocation.deadline - MARGIN - world.now()).total_seconds()
    return max(min(REQUEST_SECONDS, left), 1.0)


class Pauses:
    """The pauses of one request that is repeated."""

    def __init__(self, invocation: Invocation, world: World) -> None:
        self._invocation = invocation
        self._world = world
        self._next = 1.0

    def is_long(self, retry_after: timedelta | None) -> bool:
        """Tell whether the board asks for a longer pause than the next one."""
        return retry_after is not None and retry_after.total_seconds() > self._next

    def pause(self, retry_after: timedelta | None) -> bool:
        """Wait before the next attempt, at least as long as the board asks. Return False if the function has no time for it."""
        asked = retry_after.total_seconds() if retry_after is not None else 0.0
        seconds = max(asked, self._next * random.uniform(0.5, 1.0))  # noqa: S311  # not a secret, only a spread
        if self._world.now() + timedelta(seconds=seconds) + 2 * MARGIN > self._invocation.deadline:
            return False
        self._world.sleep(seconds)
        self._next = min(self._next * 2, _LONGEST_SECONDS)
        return True
