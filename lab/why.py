"""Why did this order end like that? Its causal timeline across all services, in plain words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from countermand.contracts.subjects import read
from countermand.contracts.words import in_words
from countermand.kernel.ids import is_order_id
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError
from lab.facts import history
from lab.feedback import record_of
from lab.market import Market

_COMMANDS_AT_MOST: Final = 1_000
"""A timeline longer than this is no explanation."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline. `because` is the number of the line that caused it, if it is shown."""

    number: int
    at: datetime
    simulated_at: datetime | None
    who: str
    what: str
    because: str


async def timeline(market: Market, order_id: str) -> list[Step]:
    """Commands, events and refusals of an order, in the order of the broker's time.

    Raises:
        ConfigurationError: there is no such order, or there cannot be one.
    """
    if not is_order_id(order_id):
        msg = f"{order_id!r} is no order id: expected 20 to 32 lower-case letters and digits"
        raise ConfigurationError(msg)
    facts = await history(market.reader, market.names, order_id)
    if not facts:
        msg = f"no order {order_id} is known here"
        raise ConfigurationError(msg)
    commands = {
        stored.headers.get("ce-id", stored.headers.get("Nats-Msg-Id", f"COMMANDS-{stored.sequence}")): stored
        for stored in await market.reader.following(
            market.names.stream("COMMANDS"), market.names.subject(f"cmd.*.{order_id}.>"), 1, _COMMANDS_AT_MOST
        )
    }
    refusals = await market.reader.last_of_each(
        market.names.stream("REPLY"), [market.names.subject(f"reply.*.{order_id}.>")]
    )
    lines: list[tuple[datetime, str, datetime | None, str, str, str]] = [
        (
            stored.stored_at,
            key,
            None,
            f"→ {_service(market.names, stored.subject)}",
            _asked(market.names, stored.subject),
            "",
        )
        for key, stored in commands.items()
    ]
    lines += [
        (fact.at, fact.id, fact.simulated_at, str(fact.owner), in_words(fact.name, fact.body), fact.caused_by)
        for fact in facts
    ]
    lines += [
        (
            stored.stored_at,
            "",
            None,
            _service_of_reply(stored.subject),
            _refused(stored.data),
            stored.headers.get("ce-causationid", ""),
        )
        for stored in refusals
    ]
    lines.sort(key=lambda line: line[0])
    numbers = {key: number for number, (_, key, *_rest) in enumerate(lines, 1) if key}
    return [
        Step(number, at, simulated_at, who, what, because(caused_by, numbers))
        for number, (at, _, simulated_at, who, what, caused_by) in enumerate(lines, 1)
    ]


async def feedback(market: Market, order_id: str) -> str:
    """What is known of the order's seller (R24), in words."""
    facts = await history(market.reader, market.names, order_id)
    seller = facts[0].body.brief.seller
    record = await record_of(market, seller.id)
    known = (
        f"{record.positive_percent:g} % positive from {record.orders} orders" if record else "no order has ended yet"
    )
    return f"Seller {seller.id} ({seller.profile}): {known}."


def show(steps: list[Step], order_id: str, console: Console) -> None:
    """Print a timeline. Strangers wrote some of its words: a bracket in them is a bracket, and no markup."""
    table = Table(title=f"Order {order_id}", title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right", style="dim")
    table.add_column("simulated")
    table.add_column("real", justify="right", style="dim")
    table.add_column("service", style="cyan")
    table.add_column("what happened", overflow="fold")
    table.add_column("because", style="dim")
    start = steps[0].at
    for step in steps:
        simulated = f"{step.simulated_at:%a %d %b %Y %H:%M}" if step.simulated_at else ""
        real = f"+{(step.at - start).total_seconds():.3f} s"
        table.add_row(*map(Text, (str(step.number), simulated, real, step.who, step.what, step.because)))
    console.print(table)


def because(caused_by: str, numbers: Mapping[str, int]) -> str:
    """The line that something follows from, as in `of #3`; the cause itself if it is not shown."""
    if not caused_by:
        return ""
    if caused_by in numbers:
        return f"of #{numbers[caused_by]}"
    armed_by, _, timer = caused_by.rpartition(":")
    return f"{timer} of #{numbers[armed_by]}" if armed_by in numbers else caused_by


def _service_of_reply(subject: str) -> str:
    return subject.partition("reply.")[2].partition(".")[0]


def _refused(data: bytes) -> str:
    refusal: dict[str, str] = json.loads(data)
    return f"refuses {refusal['command']} ({refusal['reason']}): {refusal['detail']}"


def _service(names: Names, subject: str) -> str:
    return read(names.bare(subject)).service


def _asked(names: Names, subject: str) -> str:
    return f"somebody asks: {read(names.bare(subject)).name}"
