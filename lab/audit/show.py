"""The audit's page: one line an invariant, then every violation with what happened to its order."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from countermand.contracts import EVENTS
from countermand.contracts.words import in_words
from lab.audit.fact import COMMANDS, Fact
from lab.audit.invariants import Violation
from lab.audit.report import Report
from lab.why import Step, because, show

TOLD: Final = 10
"""Orders whose timeline is printed; after as many nobody reads on."""


def show_report(report: Report, console: Console, histories: Mapping[str, Sequence[Fact]]) -> None:
    """Print everything. `histories` are those of the orders at fault that shall be told."""
    show_invariants(report, console)
    _numbers(report, console)
    by_order: dict[str, list[Violation]] = {}
    for violation in report.violations:
        by_order.setdefault(violation.order_id, []).append(violation)
    nobodys = by_order.pop("", [])
    for violation in nobodys[:TOLD]:
        console.print(f"[red]{violation.invariant}[/red] {_plain(violation.what)}", highlight=False)
    if len(nobodys) > TOLD:
        console.print(f"… and {len(nobodys) - TOLD} more like these")
    for order_id in list(by_order)[:TOLD]:
        for violation in by_order[order_id]:
            console.print(
                f"[red]{violation.invariant}[/red] order {order_id}: {_plain(violation.what)}", highlight=False
            )
        if steps := timeline(histories.get(order_id, ())):
            show(steps, order_id, console)
    if len(by_order) > TOLD:
        console.print(f"… and {len(by_order) - TOLD} more orders; `--json` names them all")


def orders_to_tell(report: Report) -> list[str]:
    """The orders whose history the page wants."""
    return list({violation.order_id: None for violation in report.violations if violation.order_id})[:TOLD]


def timeline(facts: Sequence[Fact]) -> list[Step]:
    """An order's facts in words, whatever they are."""
    numbers = {fact.id: number for number, fact in enumerate(facts, 1)}
    return [
        Step(
            number,
            datetime.fromtimestamp(fact.at / 1e9, UTC),
            _time(fact.simulated),
            fact.owner,
            _said(fact),
            _plain(because(fact.cause, numbers)),
        )
        for number, fact in enumerate(facts, 1)
    ]


def show_invariants(report: Report, console: Console) -> None:
    """One line an invariant: checked, pending, violations."""
    table = Table(box=SIMPLE_HEAD, header_style="bold")
    table.add_column("")
    table.add_column("invariant")
    for column in ("checked", "pending", "violations"):
        table.add_column(column, justify="right")
    for line in report.lines:
        wrong = line.violated
        mark = Text(f"✗ {line.invariant}", style="bold red") if wrong else Text(f"✓ {line.invariant}", style="green")
        numbers = (f"{line.checked:,}", f"{line.pending:,}", Text(f"{wrong:,}", style="bold red" if wrong else ""))
        table.add_row(mark, line.invariant.sentence, *numbers)
    console.print(table)


def _numbers(report: Report, console: Console) -> None:
    """The counts below the table."""

    def say(what: str) -> None:
        console.print(what, highlight=False)

    say(
        f"{report.orders:,} orders, {report.events:,} events ({report.events_per_order:g} an order), "
        f"read in {report.seconds:.1f} s: {report.events_per_s:,.0f} events/s"
    )
    emails = report.emails
    say(
        f"emails: {emails['promised']:,} promised, {emails['delivered']:,} delivered, {emails['lost']:,} lost, "
        f"{emails['duplicates']:,} duplicates, {emails['failed']:,} refused by their server"
    )
    for currency, sums in report.money.items():
        say(f"money: {', '.join(f'{sums[name]:,} {name}' for name in sums)}, in minor units of {currency}")
    if late := report.lateness_s.get("timers"):
        p50, p99, worst = (report.lateness_s[name] for name in ("p50", "p99", "max"))
        say(f"timers: {late:,} fired, late by {p50:g} s (p50), {p99:g} s (p99), {worst:g} s (max)")
    for name, won in report.races.items():
        say(f"true races {name}: " + ", ".join(f"{times:,} won by {winner}" for winner, times in won.items()))
    for note in report.notes:
        say(note)


def _said(fact: Fact) -> str:
    if fact.owner == COMMANDS:
        return f"somebody asks: {fact.name}"
    kind = EVENTS.get(fact.name)
    if kind is None:
        return _plain(fact.name)
    try:
        return in_words(fact.name, kind.model_validate(fact.body))
    except ValidationError:
        return f"{fact.name}, which cannot be read"


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _plain(text: str) -> str:
    """Anybody may have written it: no control characters, no markup."""
    return "".join(c if c.isprintable() else " " for c in text).replace("[", "(")
