"""`countermand policy …`: what an operator does with policies."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from lab.arguments import Nats

policy_app = typer.Typer(
    name="policy",
    help="Show, check and store the policies under which orders are placed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@policy_app.command()
def show(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="nothing: the default policy")] = None,
) -> None:
    """Print a policy as commented YAML, itself a policy file: every value with its id, its unit and its meaning."""
    from countermand.kernel.policy import Policy  # noqa: PLC0415  # As in lab.cli: a command loads what it needs.
    from countermand.runtime.policy_file import read_policy  # noqa: PLC0415
    from lab.policy.show import show  # noqa: PLC0415

    sys.stdout.write(show(read_policy(file) if file else Policy()))


@policy_app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Say whether a policy file can be used, and its hash; else which line is wrong, and exit with 2."""
    from countermand.runtime.policy_file import read_policy  # noqa: PLC0415

    sys.stdout.write(f"ok, hash {read_policy(file).hash}\n")


@policy_app.command()
def put(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    nats: Nats,
) -> None:
    """Store a policy in a running system, so that orders may name its hash. Doing it again changes nothing."""
    from countermand.runtime.policy_file import read_policy  # noqa: PLC0415
    from lab.policy.store import store  # noqa: PLC0415

    policy = read_policy(file)
    asyncio.run(store(policy, nats))
    sys.stdout.write(f"stored, hash {policy.hash}\n")
