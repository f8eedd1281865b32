"""One run from its first worker to the last line of its raw log."""

import asyncio
import os
import platform
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from nats.aio.client import ServerVersion
from rich.console import Console

from countermand.runtime.settings import ConfigurationError
from lab.audit.options import Options as AuditOptions
from lab.audit.report import Report
from lab.audit.run import audit
from lab.lean import LeanClient
from lab.load.figures.result import INTERRUPTED
from lab.load.options import Options, Target
from lab.load.plan import arrivals_of
from lab.load.play.connection import connected
from lab.load.play.crew import Crew
from lab.load.play.faults import strike
from lab.load.play.gauges import Gauges
from lab.load.play.letters import arrivals, note_arrivals
from lab.load.play.live import View, progress_of
from lab.load.play.watch import death_of_a_service, look_at_some, sample
from lab.load.play.wire import Tick
from lab.load.rawlog import SCHEMA, RawLog, RawLogWriter
from lab.market import Market

_BEAT_S: Final = 0.25
"""How often the run looks whether it is over; the workers tick once a second."""

_SILENT_S: Final = 30.0
"""A worker that says nothing for so long, while another one speaks, is lost."""

_STOPPED_WITHIN_S: Final = 60.0
"""From the word to stop until every worker has counted what it sheds."""

_MARGIN: Final = timedelta(seconds=1)
"""Between what two machines think that the time is, where an audit begins to read."""

_NOT_KEPT: Final = ("latency", "outcomes", "sample", "pid", "done")
"""Of a tick: what the orders' own lines tell better."""


async def play(options: Options, target: Target, stop: asyncio.Event, console: Console) -> RawLog:
    """Play a run on a system that is ready; `stop` ends its arrivals.

    Raises:
        ConfigurationError: the folder cannot be written, or a worker, a service or the broker is lost.
    """
    writer = RawLogWriter(options.folder)
    try:
        async with connected(target.nats_url) as nc:
            await _Run(options, target, stop, writer, nc, console).play()
    except TimeoutError as error:
        msg = f"the NATS server at {target.nats_url} does not answer"
        raise ConfigurationError(msg) from error
    finally:
        writer.close()
    return RawLog.read(options.folder)


class _Run:
    def __init__(
        self,
        options: Options,
        target: Target,
        stop: asyncio.Event,
        writer: RawLogWriter,
        nc: LeanClient,
        console: Console,
    ) -> None:
        plan = options.plan
        self._options = options
        self._target = target
        self._stop = stop
        self._writer = writer
        self._nc = nc
        self._gauges = Gauges(arrivals_of(plan), plan.rate, options.crew)
        self._view = View(self._gauges, plan.duration_s, options.drain_s, console)
        self._crew = Crew(nc, target.names, plan, options.crew, self._hear)
        self._start_at = 0.0
        self._stopped: str | None = None
        self._drained = False
        self._striking: list[asyncio.Task[None]] = []

    async def play(self) -> None:
        with tempfile.TemporaryDirectory(prefix="countermand-load-") as temporary, self._view:
            folder = Path(temporary)
            try:
                await self._load(folder)
                shares = await self._crew.hand_over(folder)
                await self._crew.dismiss()
            finally:
                await self._crew.close()
            note = await self._letters()
            for share in shares:
                await asyncio.to_thread(self._writer.write_orders, share, note)
            report = await self._audited()
        end = {"stopped": self._stopped, "drained": self._drained, "audit": report.document()}
        self._writer.write("end", end)

    async def _letters(self) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """What adds to an order's line when its emails arrived, where the mailbox is ours to ask."""
        if self._target.mailbox_url is None:
            return None
        arrived = await arrivals(self._target.mailbox_url)
        return partial(note_arrivals, arrived=arrived, start_at=self._start_at)

    async def _load(self, folder: Path) -> None:
        """Everything until the orders are over, or given up."""
        await self._crew.open()
        await self._crew.spawn(self._options.workers, self._target.nats_url, folder)
        if self._options.remote_workers:
            self._view.say(
                f"waiting for {self._options.remote_workers} more workers: "
                f"countermand load --nats {self._target.nats_url} --join {self._options.plan.run}"
            )
        system = self._target.system
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(work) for work in (self._deaths_of_workers(), death_of_a_service(system))]
                self._start_at = await self._crew.started(self._options.remote_workers)
                self._begin()
                beside.append(group.create_task(sample(self._nc, self._target, self._gauges, self._writer, self._now)))
                beside.append(group.create_task(look_at_some(self._nc, self._target, self._gauges)))
                self._strike(group)
                await self._play_out()
                for task in (*beside, *self._striking):
                    task.cancel()
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _play_out(self) -> None:
        async with self._phase("arrivals"):
            while not self._gauges.done and not self._wants_to_stop():
                await self._beat()
            if self._stopped:
                await self._crew.stop()
                async with asyncio.timeout(_STOPPED_WITHIN_S):
                    while not self._gauges.done:
                        await self._beat()
        if self._stopped:
            return
        self._view.drain(self._now())
        async with self._phase("drain"):
            until = self._now() + self._options.drain_s
            while not (over := self._over()) and not self._wants_to_stop() and self._now() < until:
                await self._beat()
            self._drained = over

    def _over(self) -> bool:
        """Whether nothing is on its way; on a system that others use too, nothing of ours."""
        alone = self._target.system is not None
        struck = all(task.done() for task in self._striking)
        return self._gauges.idle and struck and not (alone and self._gauges.backlog != 0)

    def _wants_to_stop(self) -> bool:
        if self._stop.is_set():
            self._stopped = INTERRUPTED
        elif self._options.abort_on:
            document = self._gauges.document()
            met = (condition.text for condition in self._options.abort_on if condition.holds(document))
            self._stopped = next(met, None)
        return self._stopped is not None

    async def _beat(self) -> None:
        await asyncio.sleep(_BEAT_S)
        self._view.show(max(0.0, self._now()))
        for tick in self._gauges.silent(_SILENT_S):
            msg = f"worker {tick.index + 1} (process {tick.pid} on {tick.host}) has said nothing for {_SILENT_S:g} s"
            raise ConfigurationError(msg)

    def _begin(self) -> None:
        """The log's first line: all that is known before the first order."""
        options, plan = self._options, self._options.plan
        self._writer.write(
            "run",
            {
                "schema": SCHEMA,
                "run": plan.run,
                "plan": plan.model_dump(mode="json"),
                "plan_hash": plan.hash,
                "planned": self._gauges.planned,
                "started_at": datetime.fromtimestamp(self._start_at, UTC).isoformat(),
                "workers": options.crew,
                "embedded": self._target.system is not None,
                "environment": {
                    "countermand": version("countermand"),
                    "python": platform.python_version(),
                    "nats_server": _dotted(self._nc.connected_server_version),
                    "cpus": os.cpu_count(),
                    "platform": platform.platform(),
                },
                "faults": [fault.text for fault in options.faults],
                "thresholds": [threshold.text for threshold in options.thresholds],
                "abort_on": [condition.text for condition in options.abort_on],
            },
        )
        self._writer.flush()

    def _hear(self, tick: Tick) -> None:
        self._gauges.hear(tick)
        self._writer.write("tick", {name: value for name, value in asdict(tick).items() if name not in _NOT_KEPT})

    def _strike(self, group: asyncio.TaskGroup) -> None:
        system = self._target.system
        if system is not None:
            self._striking = [
                group.create_task(strike(fault, system, self._now, self._struck)) for fault in self._options.faults
            ]

    def _struck(self, line: dict[str, Any]) -> None:
        self._writer.write("fault", line)
        self._view.say(f"{line['text']}: from {line['began']:.1f} s to {line['ended']:.1f} s")

    async def _audited(self) -> Report:
        """The audit of exactly this run's orders, over a connection of its own.

        An embedded system has no others, so that there even an email of which no event tells is noticed.
        """
        target, alone = self._target, self._target.system is not None
        which = AuditOptions(
            run=None if alone else self._options.plan.run,
            since=None if alone else datetime.fromtimestamp(self._start_at, UTC) - _MARGIN,
            drained=alone and self._drained,
            mailbox_url=target.mailbox_url,
        )
        async with self._phase("audit"):
            market = await Market.connect(target.nats_url, target.names)
            try:
                return await audit(market, which, progress_of(self._view))
            finally:
                await market.close()

    async def _deaths_of_workers(self) -> None:
        if self._crew.children:
            raise ConfigurationError((await self._crew.died()).epitaph())

    @asynccontextmanager
    async def _phase(self, name: str) -> AsyncGenerator[None]:
        began = max(0.0, self._now())
        yield
        self._writer.write("phase", {"name": name, "began": round(began, 3), "ended": round(self._now(), 3)})

    def _now(self) -> float:
        """Seconds since the run's start, by the broker's clock."""
        return time.monotonic() + self._crew.ahead_s - self._start_at


def _dotted(server: ServerVersion) -> str:
    return f"{server.major}.{server.minor}.{server.patch}"
