"""Lanes: one order's messages one after another, different orders side by side.

A message that must wait is retried in its lane, in its place; a nak would bring it back behind its followers. While
it waits, the broker is told that it is in progress.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

_SILENCE_S: Final = 0.25
"""How long nothing must have come, until nothing seems to be on its way."""

_SILENCE_WITHIN_S: Final = 1.5

_HEARTBEATS: Final = 4
"""To an ack_wait: a message's first comes after two of them at the latest, and one may be lost."""

_log = structlog.get_logger()


class Lanes:
    """One short-lived task a busy order. `handle` settles a message: it acks it, or raises only if it is cancelled."""

    def __init__(self, handle: Callable[[Msg], Awaitable[None]]) -> None:
        self._handle = handle
        self._lanes: dict[str, deque[Msg]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[int, Msg] = {}
        self._stopping = False

    @property
    def busy(self) -> int:
        """Orders being worked on."""
        return len(self._lanes)

    @property
    def in_hand(self) -> int:
        """Messages taken and not settled yet."""
        return len(self._waiting)

    async def put(self, order_id: str, msg: Msg) -> None:
        """Take a message; after `finish` only to give it back."""
        self._waiting[id(msg)] = msg
        if self._stopping:
            return
        lane = self._lanes.get(order_id)
        if lane is not None:
            lane.append(msg)
            return
        self._lanes[order_id] = deque((msg,))
        task = asyncio.create_task(self._work(order_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def keep_alive(self, ack_wait_s: float) -> None:
        """Tell the broker, for as long as this runs, that messages waiting in lanes are in hand."""
        while True:
            seen = set(self._waiting)
            await asyncio.sleep(ack_wait_s / _HEARTBEATS)
            for msg in [msg for key, msg in self._waiting.items() if key in seen]:
                with contextlib.suppress(NatsError):  # Away: it redelivers, and redelivery is harmless.
                    await msg.in_progress()

    async def finish(self, grace_s: float) -> None:
        """Begin with no other message, and end those at work; what is not finished in `grace_s` is cancelled."""
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def silence(self) -> None:
        """After `finish`: wait a moment until nothing comes any more.

        A broker whose messages are not acked stops at `max_ack_pending`, and then has none on its way to us. One that
        it has sent into an ended subscription is lost to it until `ack_wait`. Where messages go on coming, another
        replica acks them, and will get what we no longer take.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SILENCE_WITHIN_S):
                taken = -1
                while taken != len(self._waiting):
                    taken = len(self._waiting)
                    await asyncio.sleep(_SILENCE_S)

    async def give_back(self) -> None:
        """After `finish`: give back what waits, in the order in which it came.

        Call it when nothing comes any more: what is given back before would come straight back, out of its order.
        """
        for msg in list(self._waiting.values()):
            with contextlib.suppress(NatsError):  # Away: it redelivers by itself.
                await msg.nak()
        if self._waiting:
            _log.warning("lanes.unfinished", messages=len(self._waiting))
            self._waiting.clear()

    async def _work(self, order_id: str) -> None:
        lane = self._lanes[order_id]
        try:
            while lane and not self._stopping:
                await self._handle(lane[0])
                del self._waiting[id(lane.popleft())]
        finally:
            del self._lanes[order_id]
