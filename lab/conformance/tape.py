"""What the streams got since a conformance run began, read once for all who wait for something of it."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from countermand.contracts.base import Owner
from countermand.runtime.direct import Stored
from countermand.runtime.streams import COMMANDS, DEAD, REPLY
from lab.market import Market

_POLL_S: Final = 0.05
_BATCH: Final = 500

_ORDER_AT: Final = {COMMANDS: 2, REPLY: 2} | {owner.upper(): 1 for owner in Owner}
"""Which token of a subject is the order's id; a dead letter's has none."""

T = TypeVar("T")


class Tape:
    """Messages by stream and order, in their stream's order; those of `DEAD` under no order."""

    def __init__(self, market: Market, after: dict[str, int]) -> None:
        self._market = market
        self._next = after
        self._kept: dict[tuple[str, str], list[Stored]] = defaultdict(list)
        self._news = asyncio.Condition()
        self._reading = asyncio.Lock()

    def of(self, stream: str, order_id: str = "") -> list[Stored]:
        """What a stream got about an order."""
        return self._kept[stream, order_id]

    async def until(self, look: Callable[[], T | None], within_s: float) -> T | None:
        """What `look` finds, as soon as it does; nothing if it does not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._news:
                while (found := look()) is None:
                    await self._news.wait()
                return found
        return None

    async def roll(self) -> None:
        """Read what is new, again and again, until cancelled."""
        while True:
            await self.read_on()
            await asyncio.sleep(_POLL_S)

    async def read_on(self) -> None:
        """Read what is new."""
        async with self._reading:
            for stream in self._next:
                await self._read(stream)
        async with self._news:
            self._news.notify_all()

    async def _read(self, stream: str) -> None:
        name, place = self._market.names.stream(stream), _ORDER_AT.get(stream)
        while found := await self._market.reader.following(name, ">", self._next[stream], _BATCH):
            for stored in found:
                tokens = self._market.names.bare(stored.subject).split(".")
                order_id = tokens[place] if place is not None and place < len(tokens) else ""
                self._kept[stream, order_id].append(stored)
            self._next[stream] = found[-1].sequence + 1


@asynccontextmanager
async def rolling(market: Market) -> AsyncGenerator[Tape]:
    """A tape that goes on while the block does. What the streams held before is not on it.

    Raises:
        NatsError, StoreReadError, TimeoutError: a read failed: what the block then missed on the tape says nothing.
    """
    after: dict[str, int] = {}
    for name in (*_ORDER_AT, DEAD):
        after[name] = (await market.js.stream_info(market.names.stream(name))).state.last_seq + 1
    tape = Tape(market, after)
    task = asyncio.create_task(tape.roll())
    try:
        yield tape
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled() and (error := task.exception()):
        raise error
