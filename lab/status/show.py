"""The status and the stuck orders on a screen."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from lab.status.advice import Diagnosis
from lab.status.orders import Orders, Waiting
from lab.status.report import PATIENCE_S, Status, by_service

SHOWN: Final = 40
"""Stuck orders on the screen; after as many nobody reads on."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))


def show_parts(status: Status, console: Console) -> None:
    """Services and streams, a line each."""
    table = _table("service", "runs", "to hear >", "in hand >", "again >", "last message >")
    for service, own in by_service(status.consumers).items():
        bound = sum(consumer.bound for consumer in own)
        runs = {0: "no", len(own): "yes"}.get(bound, f"{bound} of {len(own)}")
        heard = [consumer.silent_s for consumer in own if consumer.silent_s is not None]
        table.add_row(
            service,
            runs if bound == len(own) else f"[red]{runs}[/red]",
            f"{sum(consumer.pending for consumer in own):,}",
            f"{sum(consumer.taken for consumer in own):,}",
            f"{sum(consumer.redelivered for consumer in own):,}",
            f"{span(min(heard))} ago" if heard else "never",
        )
    console.print(table)
    table = _table("stream", "messages >", "size >", "of its bound >")
    for stream in status.streams:
        if stream.exists:
            full = f"{stream.full:.1%}" if stream.max_bytes else "no bound"
            table.add_row(stream.name, f"{stream.messages:,}", f"{stream.bytes / 1e6:,.1f} MB", full)
        else:
            table.add_row(stream.name, "[red]missing[/red]", "", "")
    console.print(table)
    console.print(f"timers armed: {status.timers:,} · dead letters open: {status.letters:,}", highlight=False)


def show_orders(status: Status, console: Console) -> None:
    """What the open orders wait for, and what wants attention."""
    if status.orders:
        stuck = status.orders.stuck(PATIENCE_S)
        console.print(f"open orders: {status.orders.number:,}", highlight=False)
        table = _table("  waiting for", "orders >")
        for what, number in status.waiting():
            table.add_row(f"  {what}", f"{number:,}")
        if status.waiting():
            console.print(table)
        if stuck:
            late = span((status.orders.now - stuck[0].due) / 1e9)
            console.print(f"the oldest stuck order, {stuck[0].order_id}, waits for {stuck[0].what}, {late} late")
    attention = status.attention()
    for line in attention:
        console.print(f"[yellow]![/yellow] {line}", highlight=False)
    if not attention:
        console.print("[green]✓[/green] all is well", highlight=False)


def show_stuck(found: Sequence[tuple[Waiting, Diagnosis]], orders: Orders, console: Console) -> None:
    """Each order that is stuck, why, and the safe next step."""
    for waiting, diagnosis in found[:SHOWN]:
        late = span((orders.now - waiting.due) / 1e9)
        deadline = "after its deadline" if waiting.timed else "after its cause"
        console.print(f"[bold]{waiting.order_id}[/bold] waits for {waiting.what}, {late} {deadline}", highlight=False)
        console.print(f"  seen  {diagnosis.why}", highlight=False, markup=False)
        console.print(f"  next  {diagnosis.step}:  {diagnosis.command}", highlight=False, markup=False)
    if len(found) > SHOWN:
        console.print(f"… and {len(found) - SHOWN:,} more; `--json` has all", highlight=False)
    number = len({waiting.order_id for waiting, _ in found})
    said = (
        f"{number:,} of {orders.number:,} open orders stuck"
        if number
        else f"no order is stuck; open orders: {orders.number:,}"
    )
    console.print(said, highlight=False)


def stuck_document(found: Sequence[tuple[Waiting, Diagnosis]], orders: Orders, patience_s: float) -> dict[str, Any]:
    """The JSON of `countermand stuck --json`."""
    return {
        "schema": "https://countermand.example/schemas/stuck.v1.json",
        "seed": None,
        "verdict": "attention" if found else "well",
        "older_than_s": patience_s,
        "open": orders.number,
        "stuck": [
            {
                "order_id": waiting.order_id,
                "waits_for": waiting.what,
                "deadline": waiting.timed,
                "late_s": round((orders.now - waiting.due) / 1e9, 1),
                "service": diagnosis.service,
                "seen": diagnosis.why,
                "step": diagnosis.step,
                "command": diagnosis.command,
            }
            for waiting, diagnosis in found
        ],
    }


def span(seconds: float) -> str:
    """As in `3 min`."""
    for unit, length in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.removesuffix(" >"), justify="right" if column.endswith(" >") else "left")
    return table
