"""One run from its first worker to the last line of its raw log."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from nats.errors import Error as NatsError
from rich.console import Console

from countermand.runtime.settings import ConfigurationError
from lab.audit.options import GRACE_S
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
from lab.load.play.header import header_of
from lab.load.play.letters import arrivals, note_arrivals
from lab.load.play.live import View, progress_of
from lab.load.play.watch import death_of_a_service, look_at_some, sample
from lab.load.play.wire import Tick
from lab.load.rawlog import RawLog, RawLogWriter
from lab.market import Market

_BEAT_S: Final = 0.25
"""How often the run looks whether it is over; the workers tick once a second."""

_SILENT_S: Final = 30.0
"""A worker that says nothing for so long, while the broker answers, is lost."""

_STOPPED_WITHIN_S: Final = 60.0
"""From the word to stop until every worker has counted what it sheds."""

_FAILURES: Final = (ConfigurationError, NatsError, TimeoutError)
"""What may happen to a run that has begun: it ends, and what there is will be reported."""

_MARGIN: Final = timedelta(seconds=1)
"""Between what two machines think that the time is, where an audit begins to read."""

_NOT_KEPT: Final = ("latency", "outcomes", "sample", "pid", "done")
"""Of a tick: what the orders' own lines tell better."""


async def play(options: Options, target: Target, stop: asyncio.Event, console: Console) -> RawLog:
    """Play a run on a system that is ready; `stop` ends its arrivals.

    Raises:
        ConfigurationError: the folder cannot be written, or a worker, a service or the broker is lost before the start. Later
            the log says what failed: the run was stopped by that, and was not audited.
    """
    writer = RawLogWriter(options.folder)
    try:
        async with connected(target.nats_url) as nc:
            await _Run(options, target, stop, writer, nc, console).play()
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
        self._gauges = Gauges(arrivals_of(plan), plan.rate, options.crew, plan.warmup_s)
        self._view = View(self._gauges, plan.duration_s, options.drain_s, console)
        self._crew = Crew(nc, target.names, plan, options.crew, self._hear)
        self._start_at = 0.0
        self._stopped: str | None = None
        self._drained = False
        self._failed = False
        self._striking: list[asyncio.Task[None]] = []

    async def play(self) -> None:
        report: Report | None = None
        with tempfile.TemporaryDirectory(prefix="countermand-load-") as temporary, self._view:
            shares = await self._shares(Path(temporary))
            note = await self._letters()
            for share in shares:
                await asyncio.to_thread(self._writer.write_orders, share, note)
            if not self._failed:
                report = await self._audited()
        audited = report.document() if report else None
        self._writer.write("end", {"stopped": self._stopped, "drained": self._drained, "audit": audited})

    async def _shares(self, folder: Path) -> list[Path]:
        """Play, and bring here what the workers kept: all of them, or after a failure those that are left."""
        try:
            try:
                await self._load(folder)
                shares = await self._crew.hand_over(folder)
            except _FAILURES as error:
                self._fail(error)
                shares, losses = await self._crew.salvage(folder)
                for loss in losses:
                    self._view.say(loss)
            else:
                await self._dismiss()
            return shares
        finally:
            await self._crew.close()

    async def _dismiss(self) -> None:
        try:
            await self._crew.dismiss()
        except _FAILURES as error:  # Everything is here; a worker elsewhere may not have heard that it may end.
            self._view.say(str(error))

    def _fail(self, error: Exception) -> None:
        """Say what went wrong, and keep why the run is not what it was to be; before the start there is nothing to keep.

        Raises:
            ConfigurationError: the run has not begun.
        """
        why = str(error) or type(error).__name__
        if not self._start_at:
            if isinstance(error, ConfigurationError):
                raise error
            raise ConfigurationError(why) from error
        self._view.say(why)
        self._failed, self._drained = True, False
        self._stopped = self._stopped or why.splitlines()[0].partition("; the last lines of ")[0]

    async def _letters(self) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """What adds to an order's line when its emails arrived, where the mailbox is ours to ask."""
        if self._target.mailbox_url is None:
            return None
        try:
            arrived = await arrivals(self._target.mailbox_url)
        except ConfigurationError as error:
            self._fail(error)
            return None
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
        header = header_of(self._options, self._target, self._gauges.planned, self._nc.connected_server_version)
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(work) for work in (self._deaths_of_workers(), death_of_a_service(system))]
                self._start_at = await self._crew.started(self._options.remote_workers)
                started_at = datetime.fromtimestamp(self._start_at, UTC).isoformat()
                self._writer.write("run", {**header, "started_at": started_at})
                beside.append(group.create_task(sample(self._nc, self._target, self._gauges, self._writer, self._now)))
                beside.append(group.create_task(look_at_some(self._nc, self._target, self._gauges)))
                self._strike(group)
                await self._play_out()
                for task in (*beside, *self._striking):
                    task.cancel()
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _play_out(self) -> None:
        plan, drain_s = self._options.plan, self._options.drain_s
        async with self._phase("arrivals"):
            await self._until(
                lambda: self._gauges.done or self._is_to_stop(),
                plan.duration_s + drain_s + _STOPPED_WITHIN_S,
                "play the arrivals",
            )
            if self._stopped:
                await self._crew.stop()
                await self._until(lambda: self._gauges.done, self._now() + _STOPPED_WITHIN_S, "stop")
        self._gauges.draining = True
        if self._is_interrupted():
            return
        self._view.drain(self._now())
        async with self._phase("drain"):
            until = self._now() + drain_s
            while not (over := self._over()) and not self._is_interrupted() and self._now() < until:
                self._is_to_stop()
                await self._beat()
            self._drained = over

    async def _until(self, come_true: Callable[[], bool], second: float, what: str) -> None:
        """Beat until something is so.

        Raises:
            ConfigurationError: it is not so at that second of the run.
        """
        while not come_true():
            if self._now() > second:
                msg = f"the workers did not {what} until second {second:.0f} of the run"
                raise ConfigurationError(msg)
            await self._beat()

    def _over(self) -> bool:
        """Whether nothing is on its way; on a system that others use too, nothing of ours."""
        alone = self._target.system is not None
        struck = all(task.done() for task in self._striking)
        return self._gauges.idle and struck and not (alone and self._gauges.backlog != 0)

    def _is_to_stop(self) -> bool:
        """Whether a person or a condition ends the run, or has."""
        if not self._is_interrupted() and self._stopped is None and self._options.abort_on:
            document = self._gauges.document()
            met = (condition.text for condition in self._options.abort_on if condition.holds(document))
            self._stopped = next(met, None)
        return self._stopped is not None

    def _is_interrupted(self) -> bool:
        if self._stop.is_set():
            self._stopped = INTERRUPTED
        return self._stop.is_set()

    async def _beat(self) -> None:
        await asyncio.sleep(_BEAT_S)
        self._view.show(max(0.0, self._now()))
        for worker in self._gauges.silent(self._now(), _SILENT_S):
            msg = f"{worker} has said nothing for {_SILENT_S:g} s"
            raise ConfigurationError(msg)

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

    async def _audited(self) -> Report | None:
        """The audit of exactly this run's orders, over a connection of its own; nothing if it failed.

        An embedded system has no others, so that there even an email of which no event tells is noticed.
        """
        target, alone = self._target, self._target.system is not None
        which = AuditOptions(
            run=None if alone else self._options.plan.run,
            since=None if alone else datetime.fromtimestamp(self._start_at, UTC) - _MARGIN,
            drained=alone and self._drained,
            grace_s=self._grace_s(),
            mailbox_url=target.mailbox_url,
        )
        async with self._phase("audit"):
            try:
                market = await Market.connect(target.nats_url, target.names)
                try:
                    return await audit(market, which, progress_of(self._view))
                finally:
                    await market.close()
            except _FAILURES as error:
                self._fail(error)
                return None

    def _grace_s(self) -> float:
        """How old a missing thing may be. Where the drain was not to its end, it may wait since the services last were done."""
        if self._drained:
            return GRACE_S
        return GRACE_S + self._now() - (self._gauges.done_at or 0.0)

    async def _deaths_of_workers(self) -> None:
        if self._crew.children:
            raise ConfigurationError((await self._crew.died()).epitaph())

    @asynccontextmanager
    async def _phase(self, name: str) -> AsyncGenerator[None]:
        began = max(0.0, self._now())
        try:
            yield
        finally:
            self._writer.write("phase", {"name": name, "began": round(began, 3), "ended": round(self._now(), 3)})

    def _now(self) -> float:
        """Seconds since the run's start, by the broker's clock."""
        return time.monotonic() + self._crew.ahead_s - self._start_at
