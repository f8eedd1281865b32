"""`countermand simulate`: plan, play, judge, print; the exit code says whether every invariant held."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import structlog
from rich.console import Console

from countermand.kernel.policy import Policy
from countermand.runtime.policy_file import read_policy
from countermand.runtime.settings import ConfigurationError
from lab.console import console_of, now_and_then
from lab.exits import BROKEN, PASS
from lab.plan.errand import Errand
from lab.plan.mix import BUILT_IN, Mix, built_in, errand, errands, load_mix, plan_hash
from lab.simulate.faults import faults_of
from lab.simulate.options import Options
from lab.simulate.play import Lived, Player, Run, play_all
from lab.simulate.record import SCHEMA, Recorded, document
from lab.simulate.show import show_comparison, show_guilty, show_life, show_run
from lab.simulate.shrink import shrink

_AS_PLANNED: Final = "as planned"
_SILENT: Final = 50
_TOLD: Final = 3
"""Orders at fault that are shrunk and told; who sees more learns no more."""


def replayed(path: Path, policies: Sequence[Path]) -> Options:
    """The options of an earlier run, from its JSON file, with other policies.

    Raises:
        ConfigurationError: it is no such file.
    """
    try:
        earlier = Recorded.model_validate_json(path.read_bytes())
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error
    except ValueError as error:
        msg = f"{path}: is not the JSON of `countermand simulate` ({SCHEMA})"
        raise ConfigurationError(msg) from error
    return Options(
        earlier.orders,
        earlier.seed,
        earlier.mix,
        earlier.faults,
        earlier.replicas,
        policies=tuple(policies),
        replayed_plan=earlier.plan_hash,
        replayed_hash=earlier.outcome_hash,
    )


def run(options: Options, to: Path | None) -> int:
    """Simulate and print what came of it. 0 if every invariant holds, else 3.

    Raises:
        ConfigurationError: the mix, the faults or a policy cannot be read.
    """
    # What a handler would log of a simulated misfortune is no news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_SILENT))
    console = console_of()
    mix = built_in(options.mix) if options.mix in BUILT_IN else load_mix(Path(options.mix))
    player = Player(options.seed, faults_of(options.faults), options.replicas)
    plan = plan_hash(mix, options.seed, options.orders)
    if options.replayed_plan and options.replayed_plan != plan:
        msg = f"the mix {options.mix} is not what it was: its plan is {plan}, and was {options.replayed_plan}"
        raise ConfigurationError(msg)
    policies = {str(path): read_policy(path) for path in options.policies}
    if options.order is not None:
        return _one(options, mix, player, list(policies.values()), console)
    result = _play(options, mix, player, None)
    runs = {_AS_PLANNED: result} | {path: _play(options, mix, player, policy) for path, policy in policies.items()}
    show_run(result, options, console)
    if options.replayed_hash and options.replayed_hash != result.outcome_hash:
        console.print(f"another outcome than then ({options.replayed_hash}): the faults or this program have changed")
    if policies:
        show_comparison(runs, console)
    for name, played in runs.items():
        _tell(played, options, None if name == _AS_PLANNED else name, player, console)
    if to:
        _write(document(result, options, plan, runs), to)
    return BROKEN if any(played.violated for played in runs.values()) else PASS


def numbers(text: str) -> frozenset[int]:
    """Numbers separated by commas.

    Raises:
        ConfigurationError: something else is in it.
    """
    if not all(part.strip().isdecimal() for part in text.split(",")):
        msg = f"{text!r} is no list of numbers such as 3,17"
        raise ConfigurationError(msg)
    return frozenset(map(int, text.split(",")))


def reproduce(options: Options, lived: Lived, policy: str | None = None) -> str:
    """The command that lives this order alone, with the faults that it takes, under the policy of that file."""
    words = ["countermand", "simulate", "--mix", options.mix, "--seed", str(options.seed)]
    words += ["--order", str(lived.errand.number)]
    words += ["--replicas", str(options.replicas)]
    if options.faults != "none":
        words += ["--faults", options.faults]
        words += ["--strikes", ",".join(str(strike.number) for strike in lived.struck) or "0"]
    return shlex.join([*words, *(["--policy", policy] if policy else [])])


def _write(document: dict[str, Any], to: Path) -> None:
    try:
        to.write_text(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        msg = f"{to}: cannot be written: {error.strerror}"
        raise ConfigurationError(msg) from error


def _play(options: Options, mix: Mix, player: Player, policy: Policy | None) -> Run:
    planned: Iterator[Errand] = islice(errands(mix, options.seed), options.orders)
    if policy is not None:
        planned = (replace(one, policy=policy) for one in planned)
    return play_all(planned, player, now_and_then(partial(_how_far, options.orders)))


def _one(options: Options, mix: Mix, player: Player, policies: Sequence[Policy], console: Console) -> int:
    """One order alone, with its whole timeline; under the last policy, if any is named."""
    one = errand(mix, options.seed, options.order or 0)
    lived = player.play(replace(one, policy=policies[-1]) if policies else one, options.strikes)
    show_life(lived, console)
    return BROKEN if lived.violations else PASS


def _tell(played: Run, options: Options, policy: str | None, player: Player, console: Console) -> None:
    """The orders at fault, each shrunk to the fewest faults."""
    for lived in played.guilty[:_TOLD]:
        fewest = shrink(lived, partial(player.play, lived.errand))
        show_guilty(fewest, len(lived.struck), options.seed, reproduce(options, fewest, policy), console)


def _how_far(orders: int, result: Run) -> str:
    return (
        f"{result.orders:,} of {orders:,} orders, {result.handled / result.seconds:,.0f} messages/s, "
        f"{result.violated:,} violations …"
    )
