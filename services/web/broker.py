"""The broker's own figures, asked for at most once a second however many look at them."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from countermand.contracts.base import Owner
from countermand.runtime.dead import ORIGINAL
from countermand.runtime.direct import DirectReader, Stored
from countermand.runtime.names import Names
from countermand.runtime.streams import DEAD

_FRESH_S: Final = 1.0
_BODY_SHOWN: Final = 4_000
"""Of a dead letter: enough to see what it is."""

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
    """What the broker says of itself. `ends`: the place of each journal's last event."""

    consumers: tuple[Consumer, ...]
    dead_letters: int
    ends: dict[Owner, int]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody could handle. `sequence`: its place among the dead letters; `body`: its beginning."""

    sequence: int
    service: str
    subject: str
    stream: str
    stream_sequence: int
    deliveries: int
    reason: str
    buried_at: str
    body: str


class Broker:
    """Asks the broker about itself. Every method raises what nats-py does while it is away."""

    def __init__(self, nc: Client, reader: DirectReader, names: Names) -> None:
        self._js = nc.jetstream()
        self._reader = reader
        self._names = names
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
        """Dead letters, the oldest first."""
        stream, subject = self._names.stream(DEAD), self._names.subject("dead.>")
        return [self._letter(one) for one in await self._reader.following(stream, subject, after + 1, limit)]

    async def _ask(self) -> Figures:
        infos = await asyncio.gather(*(self._consumers(stream) for stream in _STREAMS))
        dead = await self._js.stream_info(self._names.stream(DEAD), subjects_filter=self._names.subject("dead.>"))
        ends = await asyncio.gather(*(self._js.stream_info(self._names.journal(owner)) for owner in Owner))
        return Figures(
            consumers=tuple(sorted((one for some in infos for one in some), key=lambda one: (one.service, one.stream))),
            dead_letters=sum((dead.state.subjects or {}).values()),
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

    def _letter(self, stored: Stored) -> DeadLetter:
        headers = stored.headers
        return DeadLetter(
            sequence=stored.sequence,
            service=self._names.bare(stored.subject).split(".")[1],
            subject=headers.get(f"{ORIGINAL}subject", ""),
            stream=headers.get(f"{ORIGINAL}stream", ""),
            stream_sequence=_number(headers.get(f"{ORIGINAL}sequence", "")),
            deliveries=_number(headers.get(f"{ORIGINAL}deliveries", "")),
            reason=headers.get(f"{ORIGINAL}reason", ""),
            buried_at=stored.stored_at.isoformat(),
            body=stored.data[:_BODY_SHOWN].decode(errors="replace"),
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
