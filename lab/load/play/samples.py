"""What the system under load looks like from outside, once a second: its backlog and its processes."""

import asyncio
from collections.abc import Mapping
from typing import Final

import psutil
from nats.aio.client import Client
from nats.errors import Error as NatsError

from countermand.runtime.names import Names
from countermand.runtime.streams import TIMERS
from lab.system import CARDS, System

_ANSWER_S: Final = 1.0
"""A sample that takes longer than a second is left out."""


class Backlog:
    """What each service has still to hear and to settle."""

    def __init__(self, nc: Client, names: Names) -> None:
        self._js = nc.jetstream(timeout=_ANSWER_S)
        self._consumers = [
            (names.stream(subscription.stream), names.consumer(card.name, subscription.stream))
            for card in CARDS
            for subscription in card.subscriptions()
            if subscription.stream != TIMERS  # A fired timer that is early waits there for its time.
        ]

    async def look(self) -> dict[str, int] | None:
        """How many messages wait for each consumer, or are in its hands; nothing if the broker does not answer."""
        try:
            waiting = await asyncio.gather(*(self._waiting(stream, name) for stream, name in self._consumers))
        except (NatsError, TimeoutError):
            return None
        return {name: number for (_, name), number in zip(self._consumers, waiting, strict=True)}

    async def _waiting(self, stream: str, name: str) -> int:
        info = await self._js.consumer_info(stream, name)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)


class Processes:
    """The CPU time and the memory of some processes. One that is started again goes on where the one before ended."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[psutil.Process, float]] = {}
        self._before_s: dict[str, float] = {}

    def look(self, pids: Mapping[str, int]) -> dict[str, dict[str, float]]:
        """`{name: {cpu_s, rss_bytes}}` of those that live; the CPU time is of all processes that had the name."""
        found: dict[str, dict[str, float]] = {}
        for name, pid in pids.items():
            try:
                process = self._process(name, pid)
                usage, memory = process.cpu_times(), process.memory_info()
            except psutil.Error:  # It ends just now, or is away.
                continue
            cpu_s = usage.user + usage.system
            self._seen[name] = (process, cpu_s)
            found[name] = {"cpu_s": round(self._before_s.get(name, 0.0) + cpu_s, 3), "rss_bytes": memory.rss}
        return found

    def _process(self, name: str, pid: int) -> psutil.Process:
        seen = self._seen.get(name)
        if seen is not None and seen[0].pid == pid:
            return seen[0]
        process = psutil.Process(pid)
        if seen is not None:
            self._before_s[name] = self._before_s.get(name, 0.0) + seen[1]
            del self._seen[name]
        return process


def pids_of(system: System | None) -> dict[str, int]:
    """The processes of an embedded system, by name; of another one nothing is known."""
    if system is None:
        return {}
    services = {name: child.pid for name, child in system.services.items()}
    return {"nats": system.nats.pid, "mailbox": system.mailbox.pid, **services}
