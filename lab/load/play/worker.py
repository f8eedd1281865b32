"""One process of load: plays its share of the plan's orders, and keeps a line of what became of each.

Run as `python -m lab.load.play.worker NATS_URL RUN FOLDER`; the run's coordinator tells it the plan and its share.
"""

import asyncio
import contextlib
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
import zstandard
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from countermand.contracts import EVENTS
from countermand.contracts.base import Event
from countermand.contracts.subjects import every
from countermand.kernel.terms import Clock
from countermand.runtime import collector, log
from countermand.runtime.names import Names
from countermand.runtime.settings import load_settings
from lab.facts import ANSWERS
from lab.lean import LeanClient
from lab.load.figures.histogram import Histogram
from lab.load.plan import LATE_S, LoadPlan, schedule
from lab.load.play.clock import broker_ahead_s
from lab.load.play.connection import connected
from lab.load.play.flow import CLOSED, MEASURED, PROMISED_BY, SENT, Flow, Request
from lab.load.play.listener import Listener
from lab.load.play.sender import Sender
from lab.load.play.wire import PIECE_BYTES, Tick, Topics, ask, packed, unpacked
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

_ABANDONED_AFTER_S: Final = 3_600.0
"""A worker whose coordinator says nothing for so long ends."""

_YIELD_EVERY: Final = 4
"""Arrivals sent in one go when behind, until what came in is heard."""

_REMEMBERED: Final = 5
"""Ended orders named in a tick, a second later, for the coordinator to look at: what is wrong should show early."""

_NICE: Final = -10
"""It takes a tenth of a core and must not wait for those who take the rest: 1 % late starts make a run invalid."""

_log = structlog.get_logger()


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
        self._flows: dict[str, Flow] = {}
        self._doing: set[asyncio.Task[None]] = set()
        self._tick = Tick(index, 0.0, pid=os.getpid(), host=socket.gethostname())
        self._outcomes: Counter[str] = Counter()
        self._latency = {"request_to_answer": Histogram(), "request_to_email": Histogram()}
        self._personas = {flow.persona for flow in plan.mix.flows}
        self._answers_to = {name: {kind.__name__ for kind in PERSONAS[name].hears} for name in self._personas}
        self._ahead_s = 0.0
        self._start_at = 0.0
        self._stopping = asyncio.Event()
        self._finished = asyncio.Event()
        self.path = folder / f"worker-{index}.jsonl.zst"
        self._file = self.path.open("wb")
        self._log = zstandard.ZstdCompressor(level=3).stream_writer(self._file)
        self._ended: list[str] = []
        self._listeners: list[Listener] = []

    async def run(self) -> None:
        """Play the share, until the coordinator has everything."""
        self._ahead_s = await broker_ahead_s(self._nc, self._names.stream("COMMANDS"))
        await self._sender.start()
        await self._listen()
        await self._nc.subscribe(self._topics.worker(self._index), cb=self._answer)
        told = await ask(self._nc, self._topics.ready, {"index": self._index}, _START_WITHIN_S)
        self._start_at = float(unpacked(told)["start_at"])
        self._clock = Clock(
            epoch=BASE, started_at=datetime.fromtimestamp(self._start_at, UTC), rate=self._plan.clock_rate
        )
        process = psutil.Process()
        ticking = asyncio.create_task(self._ticks(process))
        try:
            await self._arrive()
            await self._say_tick(process)  # So that the run need not wait for the next one to begin its drain.
            async with asyncio.timeout(_ABANDONED_AFTER_S):
                await self._finished.wait()
        finally:
            ticking.cancel()
            self._sender.stop()
            for listener in self._listeners:
                await listener.stop()

    async def back(self) -> None:
        """The broker is there again."""
        await self._sender.again()

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
            wait_s = due - self._now()
            if wait_s > 0:
                await self._wait(wait_s)
                behind = 0
            else:
                behind += 1
                if behind % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
            if self._stopping.is_set():
                self._tick.shed += 1 + sum(1 for _ in mine)
                break
            if len(self._flows) >= plan.in_flight_max:
                self._tick.shed += 1
                continue
            await self._start(flow, acts)
        self._tick.done = True

    async def _wait(self, wait_s: float) -> None:
        """Until it is time, or until told to stop."""
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _prepared(self, one: Errand, due: float) -> tuple[Flow, list[Act]]:
        buyer = buyer_of(one)
        return Flow(one, buyer, due), buyer.begin(self._clock, self._plan.run)

    async def _start(self, flow: Flow, acts: list[Act]) -> None:
        self._flows[flow.errand.order_id] = flow
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
        due = thought_at + act.after.total_seconds() / self._plan.clock_rate
        handle = asyncio.get_running_loop().call_later(max(0.0, due - self._now()), self._begin, flow, act, due)
        flow.acts.add(handle)

    def _begin(self, flow: Flow, act: Act, due: float) -> None:
        task = asyncio.create_task(self._do(flow, act, due))
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _do(self, flow: Flow, act: Act, due: float) -> None:
        flow.sent_by_id.setdefault(act.id, (due, self._now()))
        await self._sender.send(flow.errand.order_id, act.command, act.id)

    def _hear(self, subject: bytes, at_ns: int, data: bytes, headers: bytes) -> None:
        _, order_id, name, _ = subject.decode()[self._prefix :].split(".", 3)
        flow = self._flows.get(order_id)
        if flow is None:
            return
        at = at_ns / 1e9 - self._start_at
        event_id = _header(headers, b"\r\nce-id:")
        answered = flow.hear(name, at, event_id, _header(headers, b"\r\nce-causationid:"))
        if answered is not None:
            self._measure(name, at, answered)
        if name == CLOSED:
            flow.close(at, json.loads(data)["outcome"])
        if name in self._answers_to[flow.errand.persona]:
            self._react(flow, EVENTS[name].model_validate_json(data), event_id, _header(headers, b"\r\nce-simtime:"))
        if flow.over:
            self._end(flow)

    def _react(self, flow: Flow, event: Event, event_id: str, simulated_at: str) -> None:
        thought_at = (datetime.fromisoformat(simulated_at) - BASE) / timedelta(seconds=self._plan.clock_rate)
        for act in flow.buyer.hear(event, event_id):
            self._later(flow, act, thought_at)

    def _measure(self, name: str, at: float, request: Request) -> None:
        if request.due is None or request.due < self._plan.warmup_s:
            return
        metric = "request_to_answer" if name in ANSWERS else "request_to_email" if name == SENT else None
        if metric:
            self._latency[metric].add(at - request.due)

    def _end(self, flow: Flow) -> None:
        """Nothing is owed any more."""
        del self._flows[flow.errand.order_id]
        for handle in flow.acts:
            handle.cancel()
        self._outcomes[str(flow.outcome)] += 1
        self._tick.settled += 1
        self._tick.completed += 1
        if len(self._ended) < _REMEMBERED:
            self._ended.append(flow.errand.order_id)
        self._keep(flow)

    def _keep(self, flow: Flow) -> None:
        self._log.write(json.dumps(flow.line(), separators=(",", ":")).encode() + b"\n")

    def _hear_refusal(self, subject: bytes, _reply: bytes, _data: bytes, _headers: bytes) -> None:
        tokens = subject.decode()[self._prefix :].split(".", 3)
        if tokens[2] in self._flows:
            self._tick.refused += 1

    async def _ticks(self, process: psutil.Process) -> None:
        while True:
            await asyncio.sleep(1.0 - self._now() % 1.0)
            await self._say_tick(process)

    async def _say_tick(self, process: psutil.Process) -> None:
        tick = self._tick
        usage = process.cpu_times()
        tick.second, tick.open, tick.outcomes = self._now(), len(self._flows), dict(self._outcomes)
        tick.unacked, tick.resent, tick.lost = self._sender.unacked, self._sender.resent, self._sender.lost
        tick.cpu_s, tick.rss_bytes = usage.user + usage.system, process.memory_info().rss
        tick.latency = {name: histogram.encoded() for name, histogram in self._latency.items() if len(histogram)}
        with suppress(NatsError):  # Away: what this second had is told with the next one's.
            await self._nc.publish(self._topics.tick, tick.packed())
            self._latency = {name: Histogram() for name in self._latency}
            tick.lag_s, tick.sample, self._ended = 0.0, self._ended, []

    async def _answer(self, msg: Msg) -> None:
        """What the coordinator asks; asked twice, it is answered twice alike."""
        asked = unpacked(msg.data)
        match asked["do"]:
            case "stop":
                self._stopping.set()
                await msg.respond(packed({}))
            case "finish":
                self._close()
                await msg.respond(packed({"bytes": self.path.stat().st_size}))
            case "piece":
                with self.path.open("rb") as log:
                    log.seek(asked["at"])
                    await msg.respond(log.read(PIECE_BYTES))
            case _:
                await msg.respond(packed({}))
                self._finished.set()

    def _close(self) -> None:
        """What is still open is written as it stands, and the log ends."""
        if self._file.closed:
            return
        self._stopping.set()
        for flow in self._flows.values():
            self._keep(flow)
        self._flows.clear()
        self._log.close()
        self._file.close()


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
            await worker.run()


def main() -> None:
    """Run one worker in this process; before others where that is allowed, so that its arrivals are on time."""
    nats_url, run, folder = sys.argv[1:]
    with contextlib.suppress(PermissionError):
        os.nice(_NICE)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work(nats_url, run, Path(folder)))


if __name__ == "__main__":
    main()
