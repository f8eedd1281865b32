"""The broker's own figures, asked for at most once a second however many look at them."""

import asyncio
import time
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from countermand.contracts.base import Owner
from countermand.runtime.direct import DirectReader
from countermand.runtime.letters import Letter as DeadLetter
from countermand.runtime.letters import Letters, Outcome, Wish
from countermand.runtime.names import Names

_FRESH_S: Final = 1.0
_STREAMS: Final = ("COMMANDS", "ORDER", "SELLER", "DISPUTE", "NOTIFY", "TIMERS")


@dataclass(frozen=True, slots=True)
class Consumer:
    """A service's consumer: `pending` messages wait, `in_flight` are at work, `redelivered` had to come again."""

    service: str
    stream: str
    pending: int
    in_flight: int
    redelivered: int
    bound: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """What the broker says of itself. `dead_letters`: about which nothing has been done; `ends`: the place of each journal's last event."""

    consumers: tuple[Consumer, ...]
    dead_letters: int
    ends: dict[Owner, int]


class Broker:
    """Asks the broker about itself. Every method raises what nats-py does while it is away."""

    def __init__(self, nc: Client, reader: DirectReader, names: Names) -> None:
        self._js = nc.jetstream()
        self._names = names
        self._letters = Letters(nc, reader, names)
        self._reading = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._figures: Figures | None = None
        self._at = 0.0

    async def figures(self) -> Figures:
        """The figures, at most a second old."""
        async with self._asking:
            if self._figures is None or time.monotonic() - self._at > _FRESH_S:
                self._figures = await self._ask()
                self._at = time.monotonic()
            return self._figures

    async def dead_letters(self, after: int = 0, limit: int = 50) -> list[DeadLetter]:
        """Dead letters about which nothing has been done, the oldest first."""
        async with self._reading:
            await self._letters.read_on()
            return list(islice((one for one in self._letters.open() if one.sequence > after), limit))

    async def carry_out(self, sequence: int, wish: Wish) -> Outcome:
        """Replay or discard a dead letter; what became of the wish."""
        async with self._reading:
            return await self._letters.carry_out(sequence, wish)

    async def _ask(self) -> Figures:
        infos = await asyncio.gather(*(self._consumers(stream) for stream in _STREAMS))
        async with self._reading:
            await self._letters.read_on()
            dead = len(self._letters.open())
        ends = await asyncio.gather(*(self._js.stream_info(self._names.journal(owner)) for owner in Owner))
        return Figures(
            consumers=tuple(sorted((one for some in infos for one in some), key=lambda one: (one.service, one.stream))),
            dead_letters=dead,
            ends={owner: info.state.last_seq for owner, info in zip(Owner, ends, strict=True)},
        )

    async def _consumers(self, stream: str) -> list[Consumer]:
        try:
            infos: list[Any] = await self._js.consumers_info(self._names.stream(stream))
        except NotFoundError:
            return []
        return [
            Consumer(
                service=info.name.partition("-")[0],
                stream=stream,
                pending=info.num_pending or 0,
                in_flight=info.num_ack_pending or 0,
                redelivered=info.num_redelivered or 0,
                bound=bool(info.push_bound),
            )
            for info in infos
            if info.config.durable_name
        ]
