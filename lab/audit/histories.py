"""Looking up one order's history in all streams, exactly as it is stored.

A stream answers by its index what the last message of a subject is, in a millisecond whatever its size; following a
wildcard through half a million messages takes 40. So it is asked which subjects there are and how often each was
published, and only a subject that was published more than once is followed.
"""

import asyncio
import json
from typing import Any, Final

from countermand.runtime.direct import Stored
from lab.audit.fact import COMMANDS, OWNERS, Fact, from_stored
from lab.market import Market

_TIMEOUT_S: Final = 10.0

_SUBJECTS_AT_ONCE: Final = 500
"""Of up to 100 characters each: a request holds 64 KiB."""


async def history(market: Market, order_id: str) -> list[Fact]:
    """Every command and event of an order in the order of the broker's time; each stream in its own order."""
    streams = await asyncio.gather(*(_of(market, owner, order_id) for owner in (COMMANDS, *OWNERS)))
    return sorted((fact for facts in streams for fact in facts), key=lambda fact: fact.at)


async def _of(market: Market, owner: str, order_id: str) -> list[Fact]:
    stream = market.names.stream(owner.upper())
    subjects = market.names.subject(f"cmd.*.{order_id}.>" if owner == COMMANDS else f"{owner}.{order_id}.>")
    times = await _times_published(market, stream, subjects)
    stored: list[Stored] = []
    once = [subject for subject, number in times.items() if number == 1]
    for start in range(0, len(once), _SUBJECTS_AT_ONCE):
        stored += await market.reader.last_of_each(stream, once[start : start + _SUBJECTS_AT_ONCE])
    for subject, number in times.items():
        if number > 1:
            stored += await market.reader.following(stream, subject, 1, number)
    stored.sort(key=lambda message: message.sequence)
    return [from_stored(owner, stream, market.names.bare(message.subject), message) for message in stored]


async def _times_published(market: Market, stream: str, subjects: str) -> dict[str, int]:
    request = json.dumps({"subjects_filter": subjects}).encode()
    answer = await market.nc.request(f"$JS.API.STREAM.INFO.{stream}", request, timeout=_TIMEOUT_S)
    info: dict[str, Any] = json.loads(answer.data)
    return info.get("state", {}).get("subjects") or {}
