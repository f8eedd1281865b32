"""`countermand load`: read what is wished, play it, report it; the exit code is the verdict."""

import asyncio
import os
import secrets
import signal
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console

from countermand.contracts.base import Owner
from countermand.contracts.subjects import events_of
from countermand.kernel.ids import order_id_from
from countermand.kernel.terms import Clock, Terms
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError, explain, load_settings
from lab.audit.mailbox import received
from lab.console import console_of
from lab.exits import INTERRUPTED, PASS
from lab.load.figures.thresholds import Threshold
from lab.load.options import Options, Target
from lab.load.plan import ARRIVALS_MAX, LoadPlan, arrivals_of
from lab.load.play.connection import connected
from lab.load.play.crew import start_worker
from lab.load.play.faults import Fault, check
from lab.load.play.gauges import check_conditions
from lab.load.play.run import play
from lab.load.play.wire import Topics, ask
from lab.load.rawlog import refuse_another_run
from lab.load.reporting import NONE, RUNS, Copies, Reported, reported
from lab.market import Market, reached
from lab.plan.mix import BUILT_IN, built_in, errand, load_mix
from lab.simulate.life import BASE
from lab.system import embedded

_FOUND_WITHIN_S: Final = 5.0
"""Until a run that is coordinated elsewhere answers."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for, as it was written. Spans are in seconds."""

    rate: float
    duration_s: float
    mix: str
    seed: int
    arrivals: str
    warmup_s: float
    clock_rate: float
    in_flight_max: int
    workers: int
    remote_workers: int
    drain_s: float
    thresholds: tuple[str, ...]
    abort_on: tuple[str, ...]
    faults: tuple[str, ...]
    folder: Path | None


def options_of(wish: Wish, *, embedded_system: bool) -> Options:
    """The run that is wished for.

    Raises:
        ConfigurationError: it cannot be.
    """
    mix = built_in(wish.mix) if wish.mix in BUILT_IN else load_mix(Path(wish.mix))
    fields = ("rate", "duration_s", "seed", "arrivals", "warmup_s", "clock_rate", "in_flight_max")
    plan = _plan({"run": "load", "mix": mix, **{name: getattr(wish, name) for name in fields}})
    faults = tuple(map(Fault.parse, wish.faults))
    check(faults, plan.duration_s, mail_is_ours="SMTP_URL" not in os.environ)
    if faults and not embedded_system:
        msg = "--fault works on an embedded system only: leave out --nats, and NATS_URL"
        raise ConfigurationError(msg)
    if wish.remote_workers and embedded_system:
        msg = "an embedded system cannot be reached from other machines: name a running one with --nats for --remote-workers"
        raise ConfigurationError(msg)
    abort_on = tuple(map(Threshold.parse, wish.abort_on))
    check_conditions(abort_on)
    plan = named(plan)
    folder = wish.folder or RUNS / plan.run
    refuse_another_run(folder)
    return Options(
        plan=plan,
        folder=folder,
        workers=wish.workers,
        remote_workers=wish.remote_workers,
        drain_s=wish.drain_s,
        thresholds=tuple(map(Threshold.parse, wish.thresholds)),
        abort_on=abort_on,
        faults=faults,
    )


def named(plan: LoadPlan) -> LoadPlan:
    """The plan with a run of its own: nobody else's orders bear its name."""
    return plan.model_copy(update={"run": f"load-{plan.hash[:8]}-{secrets.token_hex(2)}"})


async def run(options: Options, nats_url: str | None, mailbox_url: str | None, copies: Copies) -> int:
    """Play a run, write and print what came of it; the exit code is the verdict's.

    Raises:
        ConfigurationError: the system is not there or breaks down, or the plan was played there already.
    """
    progress = console_of(stderr=True)
    with interruptible(progress) as stop:
        async with target_of(nats_url, mailbox_url, progress) as target:
            came = await one_run(options, target, stop, progress, copies)
    return came.show(console_of())


async def one_run(
    options: Options, target: Target, stop: asyncio.Event, progress: Console, copies: Copies = NONE
) -> Reported:
    """Prepare the system, play, and write the reports."""
    await _prepare(target, options.plan)
    log = await play(options, target, stop, progress)
    return await asyncio.to_thread(reported, log, copies)


async def join(nats_url: str, run: str, workers: int) -> int:
    """Be workers of a run that is coordinated elsewhere, until it is over.

    Raises:
        ConfigurationError: there is no such run, or a worker was lost.
    """
    progress, names = console_of(stderr=True), Names(load_settings().subject_prefix)
    await (await Market.connect(nats_url, names)).close()
    async with connected(nats_url) as nc:
        try:
            await ask(nc, Topics(names, run).join, {"worker": None}, _FOUND_WITHIN_S)
        except TimeoutError as error:
            msg = f"nobody coordinates a run {run} at {nats_url}"
            raise ConfigurationError(msg) from error
    with interruptible(progress) as stop, tempfile.TemporaryDirectory(prefix="countermand-load-") as folder:
        children = [await start_worker(number, nats_url, run, Path(folder)) for number in range(1, workers + 1)]
        try:
            progress.print(f"{workers} workers have joined {run}", highlight=False)
            ends = asyncio.gather(*(child.died() for child in children))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({ends, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not ends.done():
                ends.cancel()
                return INTERRUPTED
            for child in children:
                if child.returncode:
                    raise ConfigurationError(child.epitaph())
        finally:
            for child in children:
                await child.kill()
    return PASS


@asynccontextmanager
async def target_of(nats_url: str | None, mailbox_url: str | None, progress: Console) -> AsyncGenerator[Target]:
    """The system that is named, or else one of our own."""
    names = Names(load_settings().subject_prefix)
    if nats_url is not None:
        yield Target(nats_url, names, mailbox_url)
        return
    progress.print("starting NATS, the mailbox and the services …")
    async with embedded() as system:
        try:
            yield Target(system.nats_url, names, system.emails_at, system)
        except asyncio.CancelledError:  # Whoever wants to leave need not wait for messages at work: the store goes too.
            await asyncio.gather(*(child.kill() for child in system.services.values()))
            raise


@contextmanager
def interruptible(progress: Console) -> Generator[asyncio.Event]:
    """An event that Ctrl-C sets; a second Ctrl-C ends everything at once.

    Raises:
        KeyboardInterrupt: after the second, when all that was started has ended.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    stop, again = asyncio.Event(), asyncio.Event()

    def interrupted() -> None:
        if not stop.is_set():
            stop.set()
            progress.print("stopping; what there is will be reported. Ctrl-C again: out at once")
        elif task is not None and not again.is_set():
            again.set()
            task.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield stop
    except asyncio.CancelledError:
        if again.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _prepare(target: Target, plan: LoadPlan) -> None:
    """Store the policies, and make sure that the plan's orders are new here."""
    async with reached(target.nats_url, target.names) as market:
        await market.check()
        if target.mailbox_url:
            await received(target.mailbox_url, order_id_from("nobody"))  # Whether it answers, before minutes of load.
        for policy in plan.mix.policies:
            await market.policies.put(policy)
        order_id = errand(plan.mix, plan.seed, 0).order_id
        subject = target.names.subject(events_of(Owner.ORDER, order_id))
        if await market.reader.last_of_each(target.names.journal(Owner.ORDER), [subject]):
            msg = f"the orders of mix {plan.mix.name} with seed {plan.seed} were placed here already: choose another --seed"
            raise ConfigurationError(msg)


def _plan(fields: dict[str, Any]) -> LoadPlan:
    """A plan that can be kept."""
    try:
        plan = LoadPlan.model_validate(fields)
    except ValidationError as error:
        raise ConfigurationError(explain(error)) from error
    if plan.warmup_s >= plan.duration_s:
        msg = f"the warm-up of {plan.warmup_s:g} s leaves nothing to measure of {plan.duration_s:g} s: see --warmup"
        raise ConfigurationError(msg)
    if plan.rate * plan.duration_s > ARRIVALS_MAX:
        msg = f"{plan.rate:g} orders/s for {plan.duration_s:g} s are more than {ARRIVALS_MAX:,} orders"
        raise ConfigurationError(msg)
    if not arrivals_of(plan):
        msg = f"nobody arrives at {plan.rate:g} orders/s in {plan.duration_s:g} s"
        raise ConfigurationError(msg)
    clock = Clock(epoch=BASE, started_at=datetime.now(UTC), rate=plan.clock_rate)
    for policy in plan.mix.policies:
        if why := Terms(plan.seed, policy, clock).too_fast():
            msg = f"--clock-rate: {why}"
            raise ConfigurationError(msg)
    return plan
