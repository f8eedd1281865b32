"""Whether memory follows the orders: `STREAM_MAX_BYTES=60000000000 uv run python -m benchmarks.soak [--orders N] [--rate R]`.

One run of `countermand load` with a million orders of the mix `standard` on an embedded system, audited at its end. Prints
the memory of each process when a tenth of the orders had settled and at the end of the drain, the server's memory for each
closed order, and the verdict. The streams keep everything, some 13 KB an order: they need their bound raised, and the disk.
"""

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from countermand.kernel.terms import DAY_A_MINUTE
from countermand.runtime.names import Names
from countermand.runtime.settings import load_settings
from lab.load.command import one_run
from lab.load.options import Options, Target
from lab.load.plan import Arrivals, LoadPlan
from lab.load.rawlog import RawLog
from lab.plan.mix import built_in
from lab.system import embedded

ORDERS: Final = 1_000_000
RATE: Final = 400.0
_BYTES_AN_ORDER: Final = 8_000
"""In the largest stream."""

_MEGABYTE: Final = 1e6


async def main() -> None:
    """Play, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--keep", type=Path, help="keep the run's folder here")
    options = parser.parse_args()
    if load_settings().stream_max_bytes < options.orders * _BYTES_AN_ORDER:
        sys.exit(f"set STREAM_MAX_BYTES to {options.orders * _BYTES_AN_ORDER} or more: the streams keep every order")
    plan = LoadPlan(
        run=f"soak-{secrets.token_hex(4)}",
        mix=built_in("standard"),
        seed=7,
        rate=options.rate,
        duration_s=options.orders / options.rate,
        warmup_s=10,
        arrivals=Arrivals.CONSTANT,
        clock_rate=DAY_A_MINUTE,
        in_flight_max=1_000_000,
    )
    console = Console(width=140)
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = options.keep or Path(temporary)
        async with embedded() as system:
            target = Target(system.nats_url, Names(load_settings().subject_prefix), system.emails_at, system)
            came = await one_run(Options(plan, folder), target, asyncio.Event(), Console(stderr=True, width=140))
        came.show(console)
        _compare(RawLog.read(folder), options.orders, console)


def _compare(log: RawLog, orders: int, console: Console) -> None:
    """Memory at a tenth and at the end."""
    early_s = next(tick["second"] for tick in log.ticks if tick["settled"] >= orders / 10)
    drained_s = next(phase["ended"] for phase in log.phases if phase["name"] == "drain")
    early = next(sample for sample in log.samples if sample["second"] >= early_s)
    late = [sample for sample in log.samples if sample["second"] <= drained_s][-1]
    begun = log.samples[0]
    for name in late["processes"]:
        before, after = _rss(early, name), _rss(late, name)
        console.print(
            f"{name:12} {before / _MEGABYTE:8.1f} MB at a tenth, {after / _MEGABYTE:8.1f} MB at the end: {after / before - 1:+.1%}",
            highlight=False,
        )
    grown = _rss(late, "nats") - _rss(begun, "nats")
    console.print(f"nats-server: {grown / orders:,.0f} bytes of memory for each closed order", highlight=False)


def _rss(sample: dict[str, Any], name: str) -> float:
    return float(sample["processes"][name]["rss_bytes"])


if __name__ == "__main__":
    asyncio.run(main())
