"""How fast the simulation is, and where its time goes: `uv run python -m benchmarks.simulate [ORDERS] [--profile]`.

Runs the `everyday` mix on one core without faults and with all of them, the audit included, and prints messages a second
and the memory after a tenth of the orders and after all of them. With `--profile`: the share of the time of each layer.
"""

import argparse
import cProfile
import gc
import pstats
import resource
import sys
from itertools import islice
from pathlib import Path
from typing import Any, Final

import structlog

from lab.plan.mix import built_in, errands
from lab.simulate.faults import ALL, NONE, Faults
from lab.simulate.play import Player, Run, play_all

ORDERS: Final = 20_000
_SILENT: Final = 50
_LAYERS: Final = {
    "deciders, reactions, sellers": ("services/", "countermand/kernel/"),
    "handler, journal, timers": ("countermand/runtime/",),
    "scheduler, streams, faults": ("lab/simulate/",),
    "buyers": ("lab/plan/",),
    "audit": ("lab/audit/",),
    "messages (pydantic)": ("pydantic", "countermand/contracts/"),
}


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orders", nargs="?", type=int, default=ORDERS)
    parser.add_argument("--profile", action="store_true", help="where the time goes; slower by itself")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_SILENT))
    if options.profile:
        _profile(options.orders)
        return
    for name, faults, replicas in (("no faults", NONE, 1), ("all faults", ALL, 2)):
        run, early_mib, late_mib = _measured(options.orders, faults, replicas)
        _say(
            f"{name}: {run.orders:,} orders, {run.handled:,} messages ({run.handled / run.orders:.1f} an order), "
            f"{run.seconds:.1f} s of CPU: {run.handled / run.seconds:,.0f} messages/s, {run.orders / run.seconds:,.0f} "
            f"orders/s; peak {early_mib:.0f} MiB after a tenth, {late_mib:.0f} MiB after all; {run.violated} violations"
        )


def _measured(orders: int, faults: Faults, replicas: int) -> tuple[Run, float, float]:
    early = 0.0

    def note(run: Run) -> None:
        nonlocal early
        if run.orders == orders // 10:
            early = _peak_mib()

    run = play_all(islice(errands(built_in("everyday"), 7), orders), Player(7, faults, replicas), note)
    return run, early, _peak_mib()


def _profile(orders: int) -> None:
    player = Player(7)
    player.play(next(errands(built_in("everyday"), 7)))  # What is loaded on first use is no part of it.
    gc.collect()
    profile = cProfile.Profile()
    profile.enable()
    play_all(islice(errands(built_in("everyday"), 7), orders), player)
    profile.disable()
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    spent = dict.fromkeys([*_LAYERS, "Python itself"], 0.0)
    for (file, _, _), (_, _, own, _, _) in stats.items():
        spent[_layer(str(file))] += own
    total = sum(spent.values())
    for layer, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        _say(f"{seconds / total:6.1%}  {layer}")


def _layer(file: str) -> str:
    path = Path(file).as_posix()
    return next((layer for layer, parts in _LAYERS.items() if any(part in path for part in parts)), "Python itself")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
