"""What a simulation says to people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from countermand.kernel.money import Money
from lab.audit.report import report_of
from lab.audit.show import show_invariants, timeline
from lab.simulate.exercised import RACES
from lab.simulate.faults import Faults, faults_of
from lab.simulate.options import Options
from lab.simulate.play import Lived, Run
from lab.why import show

_CRASHES: Final = "crash_"


def show_run(result: Run, asked: Options, console: Console) -> None:
    """The invariants, what was exercised, and the verdict."""

    def say(what: str) -> None:
        console.print(what, highlight=False, soft_wrap=True)

    show_invariants(report_of(result.totals, result.seconds), console)
    say("outcomes: " + _counts(result.outcomes))
    struck = {name: result.sometimes[name] for name in Faults.model_fields if result.sometimes[name]}
    if asked.faults != "none":
        say("faults: " + (_counts(struck) or "none struck"))
        if never := [name for name in faults_of(asked.faults).on if not result.sometimes[name]]:
            say("never struck: " + ", ".join(never))
        crashes = {
            name.removeprefix(_CRASHES): number
            for name, number in result.sometimes.items()
            if name.startswith(_CRASHES)
        }
        if crashes:
            say("crashes: " + _counts(crashes))
    say("races: " + ", ".join(f"{race} {result.races[race]:,}" for race in RACES))
    say(
        f"{result.orders:,} orders, {result.handled:,} messages ({result.handled / max(1, result.orders):.1f} an order) "
        f"in {result.seconds:.1f} s of CPU: {result.handled / max(1e-9, result.seconds):,.0f} messages/s, audit included"
    )
    verdict = "every invariant holds" if not result.violated else f"{result.violated:,} violations"
    style = "green" if not result.violated else "bold red"
    console.print(Text(f"{verdict}, seed {asked.seed}, outcome hash {result.outcome_hash}", style=style))


def show_comparison(runs: Mapping[str, Run], console: Console) -> None:
    """The same buyers and sellers under several policies, side by side."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", title="the same buyers and sellers", title_justify="left")
    table.add_column("")
    for name in runs:
        stems = [Path(other).stem for other in runs]
        table.add_column(name if stems.count(Path(name).stem) > 1 else Path(name).stem, justify="right")
    for outcome in sorted({outcome for played in runs.values() for outcome in played.outcomes}):
        table.add_row(outcome, *(f"{played.outcomes[outcome]:,}" for played in runs.values()))
    table.add_section()
    figures = [played.figures for played in runs.values()]
    table.add_row("requests", *(f"{of.requests:,}" for of in figures))
    for share, name in ((0.5, "half"), (0.9, "nine in ten")):
        table.add_row(f"{name} answered within, days", *(_days(of.days_to_answer(share)) for of in figures))
    table.add_row("disputes", *(f"{of.disputes:,}" for of in figures))
    for currency in sorted({currency for of in figures for currency in of.refunded}):
        sums = (Money(amount_minor=of.refunded[currency], currency=currency) for of in figures)
        table.add_row("refunded", *map(str, sums))
    table.add_row("emails", *(f"{of.emails:,}" for of in figures))
    console.print(table)


def show_guilty(lived: Lived, faults_before: int, seed: int, command: str, console: Console) -> None:
    """An order at fault: what is wrong, the fewest faults that it takes, its timeline, and how to see it again."""
    console.print(Text(f"order {lived.errand.order_id} (number {lived.errand.number}, seed {seed})", style="bold red"))
    console.print(f"shrunk from {faults_before} faults to {len(lived.struck)}", highlight=False)
    show_life(lived, console)
    console.print(Text(f"again, alone: {command}", style="bold"), soft_wrap=True)
    console.print()


def show_life(lived: Lived, console: Console) -> None:
    """One order's timeline and what the audit says of it."""
    errand = lived.errand
    console.print(
        f"buyer {errand.persona}, seller {errand.brief.seller.profile}, pays by {errand.method}", highlight=False
    )
    for violation in lived.violations:
        console.print(Text(f"{violation.invariant}: {violation.what}", style="red"), soft_wrap=True)
    show(timeline(lived.facts), errand.order_id, console)
    _show_faults_of(lived, console, f"{len(lived.struck)} faults")
    console.print(f"outcome: {lived.outcome or 'none'}", highlight=False)


def _show_faults_of(lived: Lived, console: Console, title: str) -> None:
    if lived.struck:
        console.print(title, highlight=False)
    for strike in lived.struck:
        console.print(f"  {strike.number}: {strike.at:%d %b %H:%M:%S} {strike.fault}, {strike.place}", highlight=False)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items(), key=lambda item: -item[1]))


def _days(days: float | None) -> str:
    return "none" if days is None else f"{days:.1f}"
