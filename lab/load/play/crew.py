"""The workers of a run, as its coordinator meets them: they join, start together, and hand over what they kept."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from countermand.runtime.embedded import Child, spawn
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError
from lab.lean import LeanClient
from lab.load.plan import LoadPlan
from lab.load.play.clock import broker_ahead_s
from lab.load.play.wire import Tick, Topics, ask, packed, unpacked

_AHEAD_S: Final = 0.5
"""From the word to start until the start: the word travels in milliseconds, and a busy machine needs some hundred more."""

_READY_WITHIN_S: Final = 600.0
"""Until every worker is there: those of other machines are started by hand."""

_ANSWER_WITHIN_S: Final = 60.0
"""A worker at its end writes a line for every open order before it answers."""


class Crew:
    """The workers of one run; `hear` gets every tick."""

    def __init__(
        self, nc: LeanClient, names: Names, plan: LoadPlan, workers: int, hear: Callable[[Tick], None]
    ) -> None:
        self._nc = nc
        self._names = names
        self._plan = plan
        self._workers = workers
        self._hear = hear
        self._topics = Topics(names, plan.run)
        self._indices: dict[str, int] = {}
        self._waiting: dict[int, Msg] = {}
        self._started: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._subscriptions: list[Subscription] = []
        self.ahead_s = 0.0
        self.children: list[Child] = []

    async def open(self) -> None:
        """Let workers join."""
        self.ahead_s = await broker_ahead_s(self._nc, self._names.stream("COMMANDS"))
        topics = self._topics
        for topic, answer in ((topics.join, self._join), (topics.ready, self._ready), (topics.tick, self._tick)):
            self._subscriptions.append(await self._nc.subscribe(topic, cb=answer))
        await self._nc.flush()

    async def spawn(self, workers: int, nats_url: str, logs: Path) -> None:
        """Start workers on this machine."""
        for number in range(1, workers + 1):
            self.children.append(await start_worker(number, nats_url, self._plan.run, logs))

    async def started(self, others: int) -> float:
        """The moment of the start, by the broker's clock, in Unix time; it is told when all are ready.

        Raises:
            ConfigurationError: they are not there in time; `others` were to come from other machines.
        """
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                return await asyncio.shield(self._started)
        except TimeoutError as error:
            msg = f"{len(self._waiting)} of {self._workers} workers were ready within {_READY_WITHIN_S:g} s"
            hint = f"; start the other {others} with --join {self._plan.run}" if others else ""
            raise ConfigurationError(msg + hint) from error

    async def died(self) -> Child:
        """The first worker of this machine that ends."""
        ends = {asyncio.create_task(child.died()): child for child in self.children}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return ends[done.pop()]
        finally:
            for task in ends:
                task.cancel()

    async def stop(self) -> None:
        """No more arrivals; what has not started counts as shed.

        Raises:
            ConfigurationError: a worker does not answer.
        """
        await asyncio.gather(*(self._ask(index, "stop") for index in range(self._workers)))

    async def hand_over(self, folder: Path) -> list[Path]:
        """What each worker kept of its orders, brought here.

        Raises:
            ConfigurationError: a worker does not answer.
        """
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        return list(await asyncio.gather(*(self._fetch(index, folder) for index in range(self._workers))))

    async def dismiss(self) -> None:
        """The workers end."""
        await asyncio.gather(*(self._ask(index, "end") for index in range(self._workers)))

    async def close(self) -> None:
        """End the workers of this machine, whatever they do."""
        await asyncio.gather(*(child.kill() for child in self.children))

    async def _fetch(self, index: int, folder: Path) -> Path:
        size = int(unpacked(await self._ask(index, "finish"))["bytes"])
        path = folder / f"share-{index}.jsonl.zst"
        with path.open("wb") as copy:
            while copy.tell() < size:
                copy.write(await self._ask(index, "piece", at=copy.tell()))
        return path

    async def _ask(self, index: int, do: str, **more: Any) -> bytes:
        try:
            return await ask(self._nc, self._topics.worker(index), {"do": do, **more}, _ANSWER_WITHIN_S)
        except TimeoutError as error:
            msg = f"worker {index + 1} of {self._workers} did not answer within {_ANSWER_WITHIN_S:g} s"
            raise ConfigurationError(msg) from error

    async def _join(self, msg: Msg) -> None:
        """Asked again by the same worker, the same share; without a worker's name, whether there is such a run."""
        worker = unpacked(msg.data)["worker"]
        if worker and len(self._indices) < self._workers:
            self._indices.setdefault(worker, len(self._indices))
        plan = {"workers": self._workers, "plan": self._plan.model_dump(mode="json")}
        index = self._indices.get(worker)
        await msg.respond(packed({} if index is None else {"index": index, **plan}))

    async def _ready(self, msg: Msg) -> None:
        """Answered when all are ready; who asks again before that will wait with the later question."""
        self._waiting[unpacked(msg.data)["index"]] = msg
        if len(self._waiting) < self._workers:
            return
        if not self._started.done():
            self._started.set_result(time.monotonic() + self.ahead_s + _AHEAD_S)
        for waiting in self._waiting.values():
            await waiting.respond(packed({"start_at": self._started.result()}))

    async def _tick(self, msg: Msg) -> None:
        self._hear(Tick.read(msg.data))


async def start_worker(number: int, nats_url: str, run: str, folder: Path) -> Child:
    """A worker process on this machine; its log is `load-<number>.log` in the folder."""
    return await spawn(
        [sys.executable, "-m", "lab.load.play.worker", nats_url, run, str(folder)],
        log_path=folder / f"load-{number}.log",
        name=f"load-{number}",
    )
