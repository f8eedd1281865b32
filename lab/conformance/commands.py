"""`countermand conformance …`: what somebody does who writes a service of their own."""

import asyncio
import json as json_module
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.arguments import JsonPath, Nats
from lab.conformance.clause import Check
from lab.exits import BROKEN, PASS
from lab.spans import seconds

SCHEMA: Final = "https://countermand.example/schemas/conformance.v1.json"

conformance_app = typer.Typer(
    name="conformance",
    help="Check a service that somebody else wrote against the published contracts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@conformance_app.callback()
def conformance() -> None:
    """Check a service that somebody else wrote against the published contracts."""


@conformance_app.command()
def seller(
    *,
    within: Annotated[str, typer.Option("--within", metavar="SPAN", help="how long it may take for anything")] = "10s",
    json: JsonPath = None,
    nats: Nats,
) -> int:
    """Play some orders with the seller's service of a running system, and check it clause by clause."""
    from lab.console import console_of  # noqa: PLC0415  # As in lab.cli: a command loads what it needs.

    checks = asyncio.run(_seller(nats, seconds(within)))
    show(checks, console_of())
    if json:
        json.write_text(json_module.dumps(document(checks), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return PASS if all(check.ok for check in checks) else BROKEN


async def _seller(nats: str, within_s: float) -> list[Check]:
    from lab.conformance.run import check_seller  # noqa: PLC0415
    from lab.market import marketplace  # noqa: PLC0415

    async with marketplace(nats) as market:
        return await check_seller(market, within_s)


def show(checks: Sequence[Check], console: Console) -> None:
    """A line each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("clause", no_wrap=True)
    table.add_column("says", overflow="fold", ratio=1)
    table.add_column("seen", overflow="fold", ratio=1)
    for check in checks:
        mark = "[green]✓[/green]" if check.ok else "[red]✗[/red]"
        table.add_row(mark, check.name, Text(check.says), Text(check.seen, style="" if check.ok else "red"))
    console.print(table)
    kept = sum(check.ok for check in checks)
    console.print(f"{kept} of {len(checks)} clauses hold", highlight=False)


def document(checks: Sequence[Check]) -> dict[str, Any]:
    """The JSON of `countermand conformance seller --json`."""
    return {
        "schema": SCHEMA,
        "seed": None,
        "verdict": "pass" if all(check.ok for check in checks) else "fail",
        "clauses": [{"clause": check.name, "says": check.says, "ok": check.ok, "seen": check.seen} for check in checks],
    }
