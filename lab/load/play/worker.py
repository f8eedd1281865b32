"""One process of load: plays its share of the plan's orders, and keeps a line of what became of each.

Run as `python -m lab.load.play.worker NATS_URL RUN FOLDER`; the run's coordinator tells it the plan and its share.
"""

import asyncio
import json
import os
import secrets
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import psutil
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from countermand.contracts import EVENTS
from countermand.contracts.base import Event
from countermand.contracts.subjects import every
from countermand.kernel.terms import Clock
from countermand.runtime import collector, log
from countermand.runtime.names import Names
from countermand.runtime.settings import load_settings
from lab.lean import LeanClient
from lab.load.figures.metrics import ANSWER, EMAIL
from lab.load.figures.sparse import Spans
from lab.load.plan import LATE_S, LoadPlan, schedule
from lab.load.play.clock import broker_ahead_s
from lab.load.play.connection import connected
from lab.load.play.flow import CLOSED, MEASURED, PROMISED_BY, Flow, Span
from lab.load.play.flows import Flows
from lab.load.play.listener import Listener
from lab.load.play.sender import Sender
from lab.load.play.share import Share
from lab.load.play.wire import BEAT_S, Tick, Topics, ask, packed, unpacked
from lab.plan.errand import Errand
from lab.plan.mix import errand
from lab.plan.persona import Act
from lab.plan.personas import PERSONAS, buyer_of
from lab.simulate.life import BASE

try:
    from uvloop import new_event_loop
except ImportError:  # Not on every platform, and not needed.
    from asyncio import new_event_loop

_JOIN_WITHIN_S: Final = 60.0
_START_WITHIN_S: Final = 600.0
"""Until all workers are ready, on whatever machines they are started by hand."""

_ABANDONED_AFTER_S: Final = 60 * BEAT_S
"""A worker that is connected and hears nothing of its coordinator for so long ends: a broker may be paused for minutes."""

_TIMER_S: Final = 0.001
"""As fine as a timer of the event loop is: it may be early by so much."""

_YIELD_EVERY: Final = 4
"""Arrivals sent in one go when behind, until what came in is heard."""

_REMEMBERED: Final = 5
"""Ended orders named in a tick, a second later, for the coordinator to look at: what is wrong should show early."""

_NICE: Final = -10
"""It takes a tenth of a core and must not wait for those who take the rest: 1 % late starts make a run invalid."""

_log = structlog.get_logger()


class AbandonedError(Exception):
    """The coordinator of the run has said nothing for too long."""


class Worker:
    """A share of one run."""

    def __init__(self, nc: LeanClient, names: Names, plan: LoadPlan, index: int, workers: int, folder: Path) -> None:
        self._nc = nc
        self._names = names
        self._plan = plan
        self._index = index
        self._workers = workers
        self._topics = Topics(names, plan.run)
        self._prefix = len(names.prefix)
        self._sender = Sender(nc, names, time.monotonic)
        self._flows = Flows(time.monotonic)
        self._doing: set[asyncio.Task[None]] = set()
        self._tick = Tick(index, 0.0, pid=os.getpid(), host=socket.gethostname())
        self._outcomes: Counter[str] = Counter()
        self._latency = {ANSWER: Spans(), EMAIL: Spans()}
        self._personas = {flow.persona for flow in plan.mix.flows}
        self._answers_to = {name: {kind.__name__ for kind in PERSONAS[name].hears} for name in self._personas}
        self._ahead_s = 0.0
        self._start_at = 0.0
        self._stopping = asyncio.Event()
        self._finished = asyncio.Event()
        self._patience: asyncio.Timeout | None = None
        self._share = Share(folder / f"worker-{index}.jsonl.zst")
        self._ended: list[str] = []
        self._listeners: list[Listener] = []

    async def run(self) -> None:
        """Play the share, until the coordinator has everything.

        Raises:
            AbandonedError: the coordinator has gone.
        """
        self._ahead_s = await broker_ahead_s(self._nc, self._names.stream("COMMANDS"))
        await self._sender.start()
        await self._listen()
        await self._nc.subscribe(self._topics.worker(self._index), cb=self._answer)
        await self._nc.subscribe(self._topics.beat, cb=self._hear_beat)
        start_at = await self._told_to_start()
        if start_at is None:
            return
        self._start_at = start_at
        self._clock = Clock(
            epoch=BASE, started_at=datetime.fromtimestamp(self._start_at, UTC), rate=self._plan.clock_rate
        )
        process = psutil.Process()
        ticking = asyncio.create_task(self._ticks(process))
        try:
            async with asyncio.timeout(_ABANDONED_AFTER_S) as self._patience:
                await self._arrive()
                await self._say_tick(process)  # So that the run need not wait for the next one to begin its drain.
                await self._finished.wait()
        except TimeoutError as error:
            if self._patience is None or not self._patience.expired():
                raise
            msg = f"the coordinator of {self._plan.run} has said nothing for {_ABANDONED_AFTER_S:g} s"
            raise AbandonedError(msg) from error
        finally:
            self._patience = None
            ticking.cancel()
            self._sender.stop()
            for listener in self._listeners:
                await listener.stop()

    async def back(self) -> None:
        """The broker is there again."""
        await self._sender.again()

    async def _told_to_start(self) -> float | None:
        """The moment of the start, by the broker's clock, in Unix time; nothing if there is none, for the run has failed."""
        asking = asyncio.create_task(ask(self._nc, self._topics.ready, {"index": self._index}, _START_WITHIN_S))
        ending = asyncio.create_task(self._finished.wait())
        try:
            await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
            return float(unpacked(asking.result())["start_at"]) if asking.done() else None
        finally:
            asking.cancel()
            ending.cancel()

    def _be_patient(self) -> None:
        """The coordinator is there, or cannot be heard."""
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time() + _ABANDONED_AFTER_S)

    async def _hear_beat(self, _msg: Msg) -> None:
        self._be_patient()

    def _now(self) -> float:
        """Seconds since the run's start by the broker's clock; negative before."""
        return time.monotonic() + self._ahead_s - self._start_at

    async def _listen(self) -> None:
        names = set(MEASURED).union(*self._answers_to.values())
        promised = {kind for policy in self._plan.mix.policies for kind in policy.emails}
        names |= {name for name, kind in PROMISED_BY.items() if kind in promised}
        subjects: dict[str, list[str]] = {}
        for name in sorted(names):
            kind = EVENTS[name]
            subjects.setdefault(self._names.journal(kind.owner), []).append(self._names.subject(every(kind)))
        for stream, heard in subjects.items():
            listener = Listener(self._nc, stream, heard, self._hear)
            await listener.start()
            self._listeners.append(listener)
        await self._nc.pour(self._names.subject("reply.>"), self._hear_refusal)
        await self._nc.flush()

    async def _arrive(self) -> None:
        """Place every order of this share at its time, whatever has become of the earlier ones."""
        plan, behind = self._plan, 0
        mine = islice(enumerate(schedule(plan)), self._index, None, self._workers)
        for number, due in mine:
            flow, acts = self._prepared(errand(plan.mix, plan.seed, number), due)
            if due > self._now():
                await self._wait(due)
                behind = 0
            else:
                behind += 1
                if behind % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
            if self._stopping.is_set():
                self._tick.shed += 1 + sum(1 for _ in mine)
                break
            if self._flows.open >= plan.in_flight_max:
                self._tick.shed += 1
                continue
            await self._start(flow, acts)
        self._tick.done = True

    async def _wait(self, until: float) -> None:
        """Until that second of the run, and not before; or until told to stop."""
        while (wait_s := until - self._now()) > 0 and not self._stopping.is_set():
            if wait_s < _TIMER_S:
                time.sleep(wait_s)  # noqa: ASYNC251  # All wait: to look again and again would cost the system its time.
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()

    def _prepared(self, one: Errand, due: float) -> tuple[Flow, list[Act]]:
        buyer = buyer_of(one)
        return Flow(one, buyer, due), buyer.begin(self._clock, self._plan.run)

    async def _start(self, flow: Flow, acts: list[Act]) -> None:
        self._flows.add(flow)
        flow.sent = self._now()
        lag_s = flow.sent - flow.due
        self._tick.started += 1
        self._tick.late += lag_s > LATE_S
        self._tick.lag_s = max(self._tick.lag_s, lag_s)
        for act in acts:
            if act.after:
                self._later(flow, act, flow.due)
            else:
                await self._do(flow, act, flow.due)

    def _later(self, flow: Flow, act: Act, thought_at: float) -> None:
        flow.pending += 1
        due = thought_at + act.after.total_seconds() / self._plan.clock_rate
        asyncio.get_running_loop().call_later(max(0.0, due - self._now()), self._begin, flow, act, due)

    def _begin(self, flow: Flow, act: Act, due: float) -> None:
        if self._share.closed:
            return  # The run is over: what it had still planned is in the log as an order that is not.
        if (early_s := due - self._now()) > 0:
            asyncio.get_running_loop().call_later(max(_TIMER_S, early_s), self._begin, flow, act, due)
            return
        task = asyncio.create_task(self._do_at_last(flow, act, due))
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _do_at_last(self, flow: Flow, act: Act, due: float) -> None:
        await self._do(flow, act, due)
        flow.pending -= 1
        self._flows.look(flow)

    async def _do(self, flow: Flow, act: Act, due: float) -> None:
        flow.send(act.command, act.id, due, self._now())
        await self._sender.send(flow.errand.order_id, act.command, act.id)

    def _hear(self, subject: bytes, at_ns: int, data: bytes, headers: bytes) -> None:
        _, order_id, name, _ = subject.decode()[self._prefix :].split(".", 3)
        flow = self._flows.get(order_id)
        if flow is None:
            return
        at = at_ns / 1e9 - self._start_at
        event_id = _header(headers, b"\r\nce-id:")
        for span in flow.hear(name, at, event_id, _header(headers, b"\r\nce-causationid:")):
            self._measure(span)
        if name == CLOSED and flow.closed is None:
            flow.close(at, json.loads(data)["outcome"])
            self._outcomes[str(flow.outcome)] += 1
            self._tick.settled += 1
        if name in self._answers_to[flow.errand.persona]:
            self._react(flow, EVENTS[name].model_validate_json(data), event_id, _header(headers, b"\r\nce-simtime:"))
        self._flows.look(flow)

    def _react(self, flow: Flow, event: Event, event_id: str, simulated_at: str) -> None:
        thought_at = (datetime.fromisoformat(simulated_at) - BASE) / timedelta(seconds=self._plan.clock_rate)
        for act in flow.buyer.hear(event, event_id):
            self._later(flow, act, thought_at)

    def _measure(self, span: Span) -> None:
        metric, due, at = span
        if due >= self._plan.warmup_s:
            self._latency[metric].add(at - due)

    def _let_go(self) -> None:
        """Write what has been over for a while."""
        gone = self._flows.let_go()
        self._share.write(gone)
        self._ended += [flow.errand.order_id for flow in gone[: _REMEMBERED - len(self._ended)]]

    def _hear_refusal(self, subject: bytes, _reply: bytes, _data: bytes, _headers: bytes) -> None:
        _, _, order_id, command_id = subject.decode()[self._prefix :].split(".", 3)
        flow = self._flows.get(order_id)
        if flow is not None:
            flow.refuse(command_id)
            self._tick.refused += 1

    async def _ticks(self, process: psutil.Process) -> None:
        while True:
            await asyncio.sleep(1.0 - self._now() % 1.0)
            self._let_go()
            if not self._nc.is_connected:
                self._be_patient()
            await self._say_tick(process)

    async def _say_tick(self, process: psutil.Process) -> None:
        tick = self._tick
        usage = process.cpu_times()
        tick.second, tick.outcomes = self._now(), dict(self._outcomes)
        tick.open, tick.completed = self._flows.open, self._flows.completed
        tick.unacked, tick.resent, tick.lost = self._sender.unacked, self._sender.resent, self._sender.lost
        tick.resent_why = self._sender.resent_why
        tick.cpu_s, tick.rss_bytes = usage.user + usage.system, process.memory_info().rss
        tick.latency = {name: spans.encoded() for name, spans in self._latency.items() if spans.cells}
        with suppress(NatsError):  # Away: what this second had is told with the next one's.
            await self._nc.publish(self._topics.tick, tick.packed())
            self._latency = {name: Spans() for name in self._latency}
            tick.lag_s, tick.sample, self._ended = 0.0, self._ended, []

    async def _answer(self, msg: Msg) -> None:
        """What the coordinator asks; asked twice, it is answered twice alike."""
        self._be_patient()
        asked = unpacked(msg.data)
        match asked["do"]:
            case "stop":
                self._stopping.set()
                answer = packed({})
            case "finish":
                answer = packed({"bytes": await self._close()})
            case "piece":
                answer = self._share.piece(asked["at"])
            case _:
                answer = packed({})
                self._stopping.set()
                self._finished.set()
        if msg.reply:  # Who says that all is over may not stay to hear that it was heard.
            await msg.respond(answer)

    async def _close(self) -> int:
        """What is still open is written as it stands, and the log ends; its size in bytes."""
        if not self._share.closed:
            self._stopping.set()
            await self._look_at_the_clock()
            await asyncio.sleep(self._flows.lingering_s)
            self._share.write(self._flows.let_all_go())
            size = self._share.close()
            await self._say_tick(psutil.Process())
            return size
        return self._share.close()

    async def _look_at_the_clock(self) -> None:
        """Every moment was told by how far the broker's clock was ahead at the start: how far is it now?"""
        try:
            ahead_s = await broker_ahead_s(self._nc, self._names.stream("COMMANDS"))
        except (NatsError, TimeoutError) as error:
            _log.warning("load.clock_unknown", error=repr(error))
        else:
            self._tick.drift_s = abs(ahead_s - self._ahead_s)


def _header(block: bytes, key: bytes) -> str:
    """A header's value out of a block; empty if there is none."""
    start = block.find(key)
    if start < 0:
        return ""
    start += len(key)
    return block[start : block.find(b"\r\n", start)].decode().strip()


async def work(nats_url: str, run: str, folder: Path) -> None:
    """Join a run and do a share of it."""
    settings = load_settings()
    log.configure("load", settings.log_level, settings.log_format)
    names = Names(settings.subject_prefix)
    worker: Worker | None = None

    async def reconnected() -> None:
        if worker is not None:
            await worker.back()

    async with connected(nats_url, reconnected) as nc:
        me = {"worker": secrets.token_hex(8)}
        share = unpacked(await ask(nc, Topics(names, run).join, me, _JOIN_WITHIN_S))
        if "plan" not in share:
            sys.exit(f"the run {run} has all its workers")
        plan = LoadPlan.model_validate(share["plan"])
        worker = Worker(nc, names, plan, share["index"], share["workers"], folder)
        with collector.seldom():
            try:
                await worker.run()
            except AbandonedError as error:
                sys.exit(str(error))


def main() -> None:
    """Run one worker in this process; before others where that is allowed, so that its arrivals are on time."""
    nats_url, run, folder = sys.argv[1:]
    with suppress(PermissionError):
        os.nice(_NICE)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work(nats_url, run, Path(folder)))


if __name__ == "__main__":
    main()
