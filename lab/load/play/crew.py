"""The workers of a run, as its coordinator meets them: they join, start together, and hand over what they kept."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from countermand.runtime.embedded import Child, spawn
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError
from lab.lean import LeanClient
from lab.load.plan import LoadPlan
from lab.load.play.clock import broker_ahead_s
from lab.load.play.wire import BEAT_S, Tick, Topics, ask, packed, unpacked

_AHEAD_S: Final = 0.5
"""From the word to start until the start: the word travels in milliseconds, and a busy machine needs some hundred more."""

_READY_WITHIN_S: Final = 600.0
"""Until every worker is there: those of other machines are started by hand."""

_ANSWER_WITHIN_S: Final = 60.0
"""A worker at its end writes a line for every open order before it answers."""

_SALVAGED_WITHIN_S: Final = 30.0
"""The same where something has failed: one that is lost is not waited for as long."""

_FLUSHED_WITHIN_S: Final = 2
"""The last word to workers elsewhere: a broker that is there takes it in a millisecond."""


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
        self._beating: asyncio.Task[None] | None = None
        self.ahead_s = 0.0
        self.children: list[Child] = []

    async def open(self) -> None:
        """Let workers join.

        Raises:
            ConfigurationError: the broker does not answer.
        """
        topics = self._topics
        try:
            self.ahead_s = await broker_ahead_s(self._nc, self._names.stream("COMMANDS"))
            for topic, answer in ((topics.join, self._join), (topics.ready, self._ready), (topics.tick, self._tick)):
                self._subscriptions.append(await self._nc.subscribe(topic, cb=answer))
            await self._nc.flush()
        except (NatsError, TimeoutError) as error:
            msg = f"the NATS server does not answer as it should: {error or type(error).__name__}"
            raise ConfigurationError(msg) from error
        self._beating = asyncio.create_task(self._beat())

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
        return list(await asyncio.gather(*(self._fetch(index, folder) for index in range(self._workers))))

    async def salvage(self, folder: Path) -> tuple[list[Path], list[str]]:
        """What those workers kept that still answer, and what is to be said of the others; after something has failed."""
        fetched = await asyncio.gather(
            *(self._fetch(index, folder, _SALVAGED_WITHIN_S) for index in range(self._workers)),
            return_exceptions=True,
        )
        paths: list[Path] = []
        losses: list[str] = []
        for outcome in fetched:
            if isinstance(outcome, Path):
                paths.append(outcome)
            elif isinstance(outcome, ConfigurationError):
                losses.append(str(outcome))
            else:
                raise outcome
        return paths, losses

    async def dismiss(self) -> None:
        """The workers end.

        Raises:
            ConfigurationError: a worker does not answer.
        """
        await asyncio.gather(*(self._ask(index, "end") for index in range(self._workers)))

    async def close(self) -> None:
        """End all workers, whatever they do: those of this machine by force, the others by a word that may not reach them."""
        if self._beating:
            self._beating.cancel()
        # Without a broker the others end by themselves, when they have heard nothing for long.
        with contextlib.suppress(NatsError, TimeoutError):
            for subscription in self._subscriptions:
                await subscription.unsubscribe()
            for index in range(self._workers):
                await self._nc.publish(self._topics.worker(index), packed({"do": "end"}))
            await self._nc.flush(_FLUSHED_WITHIN_S)
        await asyncio.gather(*(child.kill() for child in self.children))

    async def _beat(self) -> None:
        """Say now and then that the run goes on, also while nothing is asked."""
        while True:
            with contextlib.suppress(NatsError):  # Away: the workers wait for it too.
                await self._nc.publish(self._topics.beat)
            await asyncio.sleep(BEAT_S)

    async def _fetch(self, index: int, folder: Path, within_s: float = _ANSWER_WITHIN_S) -> Path:
        size = int(unpacked(await self._ask(index, "finish", within_s))["bytes"])
        path = folder / f"share-{index}.jsonl.zst"
        with path.open("wb") as copy:
            while copy.tell() < size:
                copy.write(await self._ask(index, "piece", within_s, at=copy.tell()))
        return path

    async def _ask(self, index: int, do: str, within_s: float = _ANSWER_WITHIN_S, **more: Any) -> bytes:
        try:
            return await ask(self._nc, self._topics.worker(index), {"do": do, **more}, within_s)
        except TimeoutError as error:
            msg = f"worker {index + 1} of {self._workers} did not answer within {within_s:g} s"
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
