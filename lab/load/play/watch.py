"""What goes on beside a run until it is over: sampling, looking at orders, and hearing that a service has died."""

import asyncio
import os
from collections.abc import Callable
from typing import Final

from countermand.runtime.settings import ConfigurationError
from lab.audit.options import Options
from lab.audit.run import audit
from lab.lean import LeanClient
from lab.load.options import Target
from lab.load.play.gauges import Gauges
from lab.load.play.samples import Backlog, Processes, pids_of
from lab.load.rawlog import RawLogWriter
from lab.market import Market
from lab.system import System, death

_LOOK_EVERY_S: Final = 2.0
_LOOKED_AT_MAX: Final = 5
"""Orders at a time: 25 reads, which no system under load feels."""


async def sample(
    nc: LeanClient, target: Target, gauges: Gauges, writer: RawLogWriter, now: Callable[[], float]
) -> None:
    """Note what waits and what is used: just before the start, as second 0, and then once a second.

    Args:
        now: seconds since the run's start; negative before.
    """
    backlog, processes = Backlog(nc, target.names), Processes()
    while True:
        waiting = await backlog.look()
        second = round(max(0.0, now()), 3)
        gauges.wait(None if waiting is None else sum(waiting.values()), second)
        used = processes.look({**pids_of(target.system), "coordinator": os.getpid()})
        writer.write("sample", {"second": second, "backlog": waiting, "processes": used})
        writer.flush()
        await asyncio.sleep(1.0 - now() % 1.0)


async def look_at_some(nc: LeanClient, target: Target, gauges: Gauges) -> None:
    """Judge a few orders that ended lately: if much is wrong, nobody should have to wait for the end."""
    market = Market(nc, target.names, target.nats_url)
    await market.reader.start()
    seen: list[str] = []
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        orders = [order_id for order_id in gauges.sample if order_id not in seen][:_LOOKED_AT_MAX]
        if orders:
            seen = orders
            await _look_at(market, tuple(orders), gauges)


async def death_of_a_service(system: System | None) -> None:
    """Wait until a service of an embedded system ends by itself; of another one nobody here learns.

    Raises:
        ConfigurationError: it did; with the last lines of its log.
    """
    if system is not None:
        await death(system.supervisor)


async def _look_at(market: Market, orders: tuple[str, ...], gauges: Gauges) -> None:
    try:
        report = await audit(market, Options(orders=orders))
    except ConfigurationError:  # The broker is away: others are looked at later.
        return
    gauges.looked_at += report.orders
    gauges.violations += sum(line.violated for line in report.lines)
