"""I9: after the drain no consumer of any service has work left."""

from typing import Final

from countermand.runtime.streams import DEAD, TIMERS
from lab.audit.fact import COMMANDS, OWNERS
from lab.market import Market

_STREAMS: Final = (COMMANDS.upper(), *(owner.upper() for owner in OWNERS), TIMERS, DEAD)


async def busy_consumers(market: Market) -> dict[str, str]:
    """Every durable consumer, and what it is still busy with; empty if it is done."""
    found: dict[str, str] = {}
    for name in _STREAMS:
        for info in await market.js.consumers_info(market.names.stream(name)):
            if info.config.durable_name is None:
                continue  # Somebody is watching, as we are.
            pending, taken = info.num_pending or 0, info.num_ack_pending or 0
            busy = f"consumer {info.name} has {pending} messages to get and {taken} to settle"
            found[f"{info.stream_name}/{info.name}"] = busy if pending or taken else ""
    return found
