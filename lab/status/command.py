"""`countermand status` and `countermand stuck`: look, print, and leave the judgement to the reader."""

import asyncio
import json as json_module
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from countermand.runtime.letters import Letter, Letters
from lab.console import console_of, now_and_then
from lab.exits import PASS
from lab.market import Market, marketplace
from lab.status.advice import Diagnosis, diagnose, turn_of
from lab.status.orders import Waiting, open_orders
from lab.status.parts import consumers, has_timer, outdated, streams, timers_armed
from lab.status.report import PATIENCE_S, Status
from lab.status.show import show_orders, show_parts, show_stuck, stuck_document

_TIMERS_LOOKED_UP: Final = 200
"""Stuck orders whose timers are asked for, a millisecond each; of the others it is not said that one is missing."""


async def status(nats_url: str, json: Path | None) -> int:
    """Print how the system does: what takes no time at once, then the orders, for which all streams are read.

    Raises:
        ConfigurationError: nobody answers, or nobody has provisioned anything.
    """
    console = console_of()
    async with marketplace(nats_url) as market:
        letters, every_consumer, every_stream, timers, old = await asyncio.gather(
            _letters(market), consumers(market), streams(market), timers_armed(market), outdated(market)
        )
        seen = Status(tuple(every_consumer), tuple(every_stream), timers, len(letters), tuple(old))
        show_parts(seen, console)
        orders = await open_orders(market, PATIENCE_S, now_and_then(_how_far))
    seen = Status(seen.consumers, seen.streams, timers, len(letters), seen.outdated, orders)
    show_orders(seen, console)
    _write(json, seen.document())
    return PASS


async def stuck(nats_url: str, patience_s: float, json: Path | None) -> int:
    """Print the orders that wait for longer than they should, and the safe next step for each.

    Raises:
        ConfigurationError: nobody answers, or nobody has provisioned anything.
    """
    async with marketplace(nats_url) as market:
        orders = await open_orders(market, patience_s, now_and_then(_how_far))
        found = await _diagnosed(market, orders.stuck(patience_s))
    show_stuck(found, orders, console_of())
    _write(json, stuck_document(found, orders, patience_s))
    return PASS


async def _diagnosed(market: Market, late: Sequence[Waiting]) -> list[tuple[Waiting, Diagnosis]]:
    every_consumer, letters = await asyncio.gather(consumers(market), _letters(market))
    by_order: dict[str, list[Letter]] = {}
    for letter in letters:
        by_order.setdefault(letter.order_id or "", []).append(letter)
    timers: Mapping[Waiting, bool] = {
        one: await has_timer(market, turn_of(one.what), one.order_id) for one in late[:_TIMERS_LOOKED_UP] if one.timed
    }
    return [(one, diagnose(one, every_consumer, by_order, has_timer=timers.get(one, True))) for one in late]


async def _letters(market: Market) -> list[Letter]:
    letters = Letters(market.nc, market.reader, market.names)
    await letters.read_on()
    return letters.open()


def _how_far(messages: int) -> str:
    return f"{messages:,} messages read …"


def _write(path: Path | None, document: dict[str, Any]) -> None:
    if path:
        path.write_text(json_module.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
