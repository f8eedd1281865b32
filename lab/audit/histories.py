"""Looking up one order's history in all streams, exactly as it is stored."""

from typing import Final

from lab.audit.fact import COMMANDS, OWNERS, Fact, from_stored
from lab.market import Market

_PAGE: Final = 1_000
"""Messages read at a time; few orders have more than twenty."""


async def history(market: Market, order_id: str) -> list[Fact]:
    """Every command and event of an order in the order of the broker's time; each stream in its own order."""
    facts: list[Fact] = []
    for owner in (COMMANDS, *OWNERS):
        subject = f"cmd.*.{order_id}.>" if owner == COMMANDS else f"{owner}.{order_id}.>"
        facts += await _of(market, owner, market.names.subject(subject))
    return sorted(facts, key=lambda fact: fact.at)


async def _of(market: Market, owner: str, subject: str) -> list[Fact]:
    stream = market.names.stream(owner.upper())
    facts: list[Fact] = []
    sequence = 1
    while found := await market.reader.following(stream, subject, sequence, _PAGE):
        facts += [from_stored(owner, stream, market.names.bare(stored.subject), stored) for stored in found]
        sequence = found[-1].sequence + 1
    return facts
