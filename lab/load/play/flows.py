"""The orders of a worker: those under way, and those that are over and may still be spoken of."""

from collections.abc import Callable
from typing import Final

from lab.load.play.flow import Flow

LINGER_S: Final = 1.0
"""What crosses the last word of another stream comes some milliseconds later; on a busy machine, some hundred."""


class Flows:
    """Keeps each flow until it has been over for `LINGER_S`. A flow that is over is not open, unless more is owed again."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._flows: dict[str, Flow] = {}
        self._over: dict[str, float] = {}  # When each came to be over, in that order.
        self._gone = 0
        self._left = 0

    def add(self, flow: Flow) -> None:
        """Take in a flow that begins."""
        self._flows[flow.errand.order_id] = flow

    def get(self, order_id: str) -> Flow | None:
        """The flow of an order; nothing if it is somebody else's, or has gone."""
        return self._flows.get(order_id)

    def look(self, flow: Flow) -> None:
        """Notice whether a flow is over, after anything that happened to it."""
        order_id = flow.errand.order_id
        if not flow.over:
            self._over.pop(order_id, None)
        elif order_id in self._flows:
            self._over.setdefault(order_id, self._now())

    @property
    def open(self) -> int:
        """How many are not over, or were not when all were let go."""
        return self._left + len(self._flows) - len(self._over)

    @property
    def completed(self) -> int:
        """How many are over, whether they have gone or not."""
        return self._gone + len(self._over)

    @property
    def lingering_s(self) -> float:
        """How long until the last one that is over may go; zero if none is kept for that."""
        last = next(reversed(self._over.values()), None)
        return 0.0 if last is None else max(0.0, last + LINGER_S - self._now())

    def let_go(self) -> list[Flow]:
        """Those that have been over for long enough: they are forgotten here."""
        before = self._now() - LINGER_S
        gone: list[Flow] = []
        while self._over:
            order_id, since = next(iter(self._over.items()))
            if since > before:
                break
            del self._over[order_id]
            gone.append(self._flows.pop(order_id))
        self._gone += len(gone)
        return gone

    def let_all_go(self) -> list[Flow]:
        """All that are left, as they stand."""
        left = list(self._flows.values())
        self._left += len(self._flows) - len(self._over)
        self._gone += len(self._over)
        self._flows.clear()
        self._over.clear()
        return left
