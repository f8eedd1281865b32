"""Who waits for news: live clients, and requests that wait for what follows from a command."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from countermand.contracts.base import Owner
from countermand.contracts.words import in_words
from countermand.runtime.facts import Fact
from services.web.readmodel.store import Batch

BACKLOG_MAX: Final = 2_000
"""Events that a live client may be behind; one that is slower is disconnected, and goes on from its last event."""

PACE_S: Final = 0.1
"""Live clients are woken at most so often: the first event after a rest at once, what comes close behind it together."""

_log = structlog.get_logger()

Cursor = tuple[int, ...]
"""The place in each owner's stream, in the order of `Owner`."""

OWNERS: Final = tuple(Owner)


@dataclass(frozen=True, slots=True)
class News:
    """One event for live clients. `frame`: as a server-sent event, made once for all of them."""

    order_id: str
    frame: str


@dataclass(slots=True, eq=False)
class Listener:
    """A live client. `order_ids`: of which orders it hears; none: of all. `ended`: it was too slow, or is to go, and gets no more."""

    order_ids: tuple[str, ...] = ()
    ended: bool = False
    _news: list[News] = field(default_factory=list[News])
    _awake: asyncio.Event = field(default_factory=asyncio.Event)

    async def heard(self, within_s: float) -> list[News]:
        """What came since the last time, once there is something; nothing if nothing comes, or it has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._awake.wait()
        self._awake.clear()
        news, self._news = self._news, []
        return news

    def put(self, news: News) -> bool:
        """Keep it until the next waking; false if there is too much of it."""
        if len(self._news) >= BACKLOG_MAX:
            self.end()
            return False
        self._news.append(news)
        return True

    def wake(self) -> None:
        """Let it take what there is."""
        if self._news:
            self._awake.set()

    def end(self) -> None:
        """Let it go."""
        self.ended = True
        self._awake.set()


class TooManyListeners(Exception):
    """No more live clients are served."""


class Hub:
    """Passes on what the read model has written."""

    def __init__(self, listeners_max: int) -> None:
        self._listeners_max = listeners_max
        self._everything: set[Listener] = set()
        self._orders: dict[str, set[Listener]] = defaultdict(set)
        self._rings: dict[str, set[asyncio.Event]] = defaultdict(set)
        self.positions: dict[Owner, int] = dict.fromkeys(OWNERS, 0)
        self.listeners = 0
        self.overruns = 0
        self._waking: asyncio.TimerHandle | None = None
        self._woken_at = 0.0

    @property
    def cursor(self) -> Cursor:
        """Up to where everything has been passed on."""
        return tuple(self.positions[owner] for owner in OWNERS)

    @property
    def is_full(self) -> bool:
        """Whether there are as many live clients as are served."""
        return self.listeners >= self._listeners_max

    def begin(self, positions: Mapping[Owner, int]) -> None:
        """Go on from here.

        Who has heard something else is let go, and comes back with the last event that it has; who waits looks again.
        """
        if dict(positions) != self.positions:
            self.close()
            for order_id in self._rings:
                self.ring(order_id)
        self.positions = dict(positions)

    def publish(self, batch: Batch) -> None:
        """Pass a batch on, which the read model has written."""
        owner = Owner(batch.stream)
        for fact in batch.facts:
            self.positions[owner] = fact.sequence
            self.ring(fact.order_id)
            if self._everything or fact.order_id in self._orders:
                news = news_of(fact, self.cursor)
                for listener in (*self._everything, *self._orders.get(fact.order_id, ())):
                    self._put(listener, news)
        self.positions[owner] = batch.last

    def ring(self, order_id: str) -> None:
        """Wake whoever waits for anything about that order."""
        for ring in self._rings.get(order_id, ()):
            ring.set()

    @contextmanager
    def bell(self, order_id: str) -> Generator[asyncio.Event]:
        """An event that is set at every news of the order. It may be set for nothing."""
        ring = asyncio.Event()
        self._rings[order_id].add(ring)
        try:
            yield ring
        finally:
            self._rings[order_id].discard(ring)
            if not self._rings[order_id]:
                del self._rings[order_id]

    @contextmanager
    def listening(self, *order_ids: str) -> Generator[Listener]:
        """A queue of everything that is passed on from now on, of these orders or, if none is named, of all.

        Raises:
            TooManyListeners: there are enough.
        """
        if self.is_full:
            raise TooManyListeners
        listener = Listener(order_ids)
        self.listeners += 1
        if not order_ids:
            self._everything.add(listener)
        for order_id in order_ids:
            self._orders[order_id].add(listener)
        try:
            yield listener
        finally:
            self.listeners -= 1
            self._everything.discard(listener)
            for order_id in order_ids:
                self._orders[order_id].discard(listener)
                if not self._orders[order_id]:
                    del self._orders[order_id]

    def close(self) -> None:
        """Let every live client go."""
        for listener in self._listeners():
            listener.end()

    def _listeners(self) -> set[Listener]:
        return self._everything.union(*self._orders.values())

    def _put(self, listener: Listener, news: News) -> None:
        if listener.ended:
            return
        if not listener.put(news):
            self.overruns += 1
            _log.warning("live.overrun", order_ids=listener.order_ids, behind=BACKLOG_MAX)
        elif self._waking is None:
            loop = asyncio.get_running_loop()
            self._waking = loop.call_at(max(loop.time(), self._woken_at + PACE_S), self._wake)

    def _wake(self) -> None:
        self._waking, self._woken_at = None, asyncio.get_running_loop().time()
        for listener in self._listeners():
            listener.wake()


def news_of(fact: Fact, cursor: Cursor) -> News:
    """An event as live clients get it. `cursor`: where somebody goes on who comes back with it."""
    data = json.dumps(document_of(fact), separators=(",", ":"))
    return News(fact.order_id, f"id: {'-'.join(map(str, cursor))}\ndata: {data}\n\n")


def document_of(fact: Fact) -> dict[str, Any]:
    """An event as JSON, with its sentence."""
    return {
        "id": fact.id,
        "owner": str(fact.owner),
        "order_id": fact.order_id,
        "name": fact.name,
        "revision": fact.revision,
        "sequence": fact.sequence,
        "caused_by": fact.caused_by,
        "at": fact.at.isoformat(),
        "simulated_at": fact.simulated_at.isoformat(),
        "text": in_words(fact.name, fact.event),
        "body": fact.event.model_dump(mode="json"),
    }
