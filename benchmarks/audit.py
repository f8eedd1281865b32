"""How fast the audit reads: `uv run python -m benchmarks.audit [ORDERS] [--keep FOLDER]`.

Writes honest histories of several kinds straight into the streams of a server of its own, some 10 events and 3 commands
an order, as fast as it takes them; then audits them all and prints events a second and the memory that it took.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import nats

from countermand.contracts.order import PaymentMethod
from countermand.kernel.ids import order_id_from
from countermand.runtime.embedded import start_nats
from countermand.runtime.names import Names
from countermand.runtime.settings import Settings
from countermand.runtime.streams import provision
from lab.audit import Options, audit
from lab.market import Market
from tests.support.endings import cancelled_refunded, cancelled_unpaid, completed, goods_after_the_refund
from tests.support.histories import History, Wire

ORDERS: Final = 50_000

_SIDE_BY_SIDE: Final = 200
"""Orders whose messages are interleaved, as those of a busy system are."""

_MIB: Final = 1024


async def main() -> None:
    """Write, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orders", nargs="?", type=int, default=ORDERS)
    parser.add_argument("--keep", type=Path, help="keep the server's store here, or use what is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="audit-benchmark-") as temporary:
        server = await start_nats(options.keep or Path(temporary))
        try:
            market = await Market.connect(server.url)
            if not await _is_written(market):
                await provision(market.js, Names(), Settings(), [])
                await _write(server.url, options.orders)
            await _audit(market)
            await market.close()
        finally:
            await server.stop()


async def _audit(market: Market) -> None:
    before_s = time.process_time()
    report = await audit(market, Options(grace_s=0))
    cpu_s = time.process_time() - before_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    _say(
        f"{report.orders:,} orders, {report.events:,} events ({report.events_per_order} an order): "
        f"{report.seconds:.1f} s, {report.events_per_s:,.0f} events/s, {cpu_s:.1f} s of CPU, peak {peak_mib:.0f} MiB"
    )
    for line in report.lines:
        _say(
            f"{line.invariant}: {line.checked:,} checked, {line.pending:,} pending, {len(line.violations):,} violations"
        )
    for violation in report.violations[:5]:
        _say(f"{violation.invariant} {violation.order_id} {violation.what}")


async def _write(url: str, orders: int) -> None:
    """One step of many orders at a time, each step acked before the next: causes are stored before their effects."""
    started = time.perf_counter()
    nc = await nats.connect(url)
    js = nc.jetstream(timeout=60)
    messages = 0
    for wires in _interleaved(orders):
        await asyncio.gather(*(js.publish(wire.subject, wire.data, headers=wire.headers) for wire in wires))
        messages += len(wires)
    await nc.close()
    _say(f"wrote {messages:,} messages in {time.perf_counter() - started:.1f} s")


def _interleaved(orders: int) -> Iterator[list[Wire]]:
    """The messages of so many orders, several orders side by side: the first of each, then the second of each."""
    models = [
        cancelled_unpaid("model-a"),
        cancelled_refunded("model-b", PaymentMethod.WALLET),
        completed("model-c"),
        goods_after_the_refund("model-d"),
    ]
    numbered = (_renamed(model, number) for number, model in zip(range(orders), cycle(models), strict=False))
    while group := list(islice(numbered, _SIDE_BY_SIDE)):
        longest = max(len(wires) for wires in group)
        for place in range(longest):
            yield [wires[place] for wires in group if place < len(wires)]


def _renamed(model: History, number: int) -> list[Wire]:
    """The model's messages for another order: its id and its commands' ids stand in every subject, header and body."""
    # The draw P11 depends on the order's id: only wallets are refunded alike.
    old, new = model.order_id, order_id_from("benchmark", number)

    def renamed(text: str) -> str:
        return text.replace(old, new).replace(old[:12], new[:12])

    return [
        Wire(
            wire.owner,
            renamed(wire.subject),
            {key: renamed(value) for key, value in wire.headers.items()},
            renamed(wire.data.decode()).encode(),
        )
        for wire in model.wires
    ]


async def _is_written(market: Market) -> bool:
    return bool(await market.js.streams_info())


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
