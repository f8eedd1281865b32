"""What the coordinator of a run and its workers say to each other, over core NATS beside the system under load.

A worker asks to join and gets the plan and its share; says that it is ready and is told when to start, which is when
all are; ticks once a second; and then answers the coordinator: stop, finish, give me this piece of your log, end. A
worker that hears nothing of its coordinator for long ends by itself.
"""

import asyncio
import json
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from nats.aio.client import Client
from nats.errors import Error as NatsError

from countermand.runtime.names import Names

PIECE_BYTES: Final = 48 * 1024
"""Of a log, a message: the broker's payload limit is 64 KiB."""

ANSWER_S: Final = 2.0
"""Until a question counts as unheard; an answer takes a millisecond, and on a busy machine some hundred."""

BEAT_S: Final = 10.0
"""How often the coordinator says that it is still there, beside what it asks."""

_AGAIN_AFTER_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Topics:
    """The subjects of one run."""

    names: Names
    run: str

    @property
    def join(self) -> str:
        """A worker asks for its share."""
        return self.names.subject(f"load.{self.run}.join")

    @property
    def ready(self) -> str:
        """A worker asks when to start."""
        return self.names.subject(f"load.{self.run}.ready")

    @property
    def tick(self) -> str:
        """A worker says how far it is."""
        return self.names.subject(f"load.{self.run}.tick")

    @property
    def beat(self) -> str:
        """The coordinator says that it is still there."""
        return self.names.subject(f"load.{self.run}.beat")

    def worker(self, index: int) -> str:
        """The coordinator asks a worker."""
        return self.names.subject(f"load.{self.run}.worker.{index}")


@dataclass(slots=True)
class Tick:
    """How far a worker is; the counts are totals, the histograms (encoded) of the last second.

    Attributes:
        second: since the run's start.
        lag_s: how late the latest start of the last second was.
        cpu_s, rss_bytes: of the worker's process.
        sample: a few orders that ended lately, and at least a second ago.
        drift_s: how far the broker's clock and the worker's have moved apart since the start; nothing until it is measured, at
            the end.
        resent_why: why commands were sent again; empty if none was.
    """

    index: int
    second: float
    started: int = 0
    late: int = 0
    shed: int = 0
    settled: int = 0
    completed: int = 0
    open: int = 0
    unacked: int = 0
    resent: int = 0
    lost: int = 0
    refused: int = 0
    lag_s: float = 0.0
    pid: int = 0
    host: str = ""
    cpu_s: float = 0.0
    rss_bytes: int = 0
    drift_s: float | None = None
    resent_why: str = ""
    done: bool = False
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    latency: dict[str, str] = field(default_factory=dict[str, str])
    sample: list[str] = field(default_factory=list[str])

    def packed(self) -> bytes:
        """As it travels."""
        return packed(asdict(self))

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The opposite of `packed`."""
        return cls(**unpacked(data))


async def ask(nc: Client, topic: str, request: dict[str, Any], within_s: float) -> bytes:
    """Ask, again and again, until somebody answers.

    Raises:
        TimeoutError: nobody does.
    """
    async with asyncio.timeout(within_s):
        while True:
            try:
                return (await nc.request(topic, packed(request), timeout=ANSWER_S)).data
            except (NatsError, TimeoutError):  # Not there yet, or not all are ready.
                await asyncio.sleep(_AGAIN_AFTER_S)


def packed(document: dict[str, Any]) -> bytes:
    """A document as it travels: compressed, since a mix of many flows is larger than the broker's limit."""
    return zlib.compress(json.dumps(document).encode(), 1)


def unpacked(data: bytes) -> dict[str, Any]:
    """The opposite of `packed`."""
    document: dict[str, Any] = json.loads(zlib.decompress(data))
    return document
