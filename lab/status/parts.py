"""Services and streams, as the broker sees them."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countermand.contracts.base import Owner
from countermand.runtime.streams import TIMERS, stream_names
from lab.market import Market
from lab.system import CARDS

_TIMEOUT_S: Final = 10.0
_NO_PAGE: Final = 2**31
"""An offset beyond all subjects: of their list only its length is wanted."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """What a service hears of one stream.

    Attributes:
        exists: whether anybody has provisioned it; `bound`: whether a process listens.
        pending: messages that it has not got; `taken`: got and not settled; `redelivered`: of those, got again.
        silent_s: how long ago it got the last one; nothing if it never got any.
    """

    service: str
    stream: str
    name: str
    exists: bool = True
    bound: bool = False
    pending: int = 0
    taken: int = 0
    redelivered: int = 0
    silent_s: float | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream and how full it is; `max_bytes` is nothing where there is no bound."""

    name: str
    exists: bool = True
    messages: int = 0
    bytes: int = 0
    max_bytes: int | None = None

    @property
    def full(self) -> float:
        """The share of its bound that is used."""
        return self.bytes / self.max_bytes if self.max_bytes else 0.0


async def consumers(market: Market) -> list[Consumer]:
    """Every consumer that the services need."""
    wanted = [(card.name, subscription.stream) for card in CARDS for subscription in card.subscriptions()]
    return list(await asyncio.gather(*(_consumer(market, service, stream) for service, stream in wanted)))


async def streams(market: Market) -> list[Stream]:
    """Every stream of the installation."""
    return list(await asyncio.gather(*(_stream(market, name) for name in stream_names(market.names))))


async def timers_armed(market: Market) -> int:
    """Schedules that wait for their time."""
    every, cancelled = await asyncio.gather(_subjects(market, "timer.>"), _subjects(market, "timer.*.cancelled"))
    return every - cancelled


async def has_timer(market: Market, service: str, order_id: str) -> bool:
    """Whether any reminder of a service about an order waits, or has fired and is not settled."""
    return any([await _subjects(market, f"{kind}.{service}.{order_id}.>") for kind in ("timer", "due")])


async def outdated(market: Market) -> list[str]:
    """Consumers of versions in which a service heard its own events; they only gather messages now."""
    found = [f"{owner}-{owner}" for owner in Owner]
    answers = await asyncio.gather(
        *(_ask(market, f"CONSUMER.INFO.{market.names.journal(owner)}.{owner}-{owner}") for owner in Owner)
    )
    return [name for name, answer in zip(found, answers, strict=True) if "error" not in answer]


async def _consumer(market: Market, service: Owner, stream: str) -> Consumer:
    name, on = market.names.consumer(service, stream), market.names.stream(stream)
    info = await _ask(market, f"CONSUMER.INFO.{on}.{name}")
    if "error" in info:
        return Consumer(service, on, name, exists=False)
    last = info["delivered"].get("last_active")
    return Consumer(
        service,
        on,
        name,
        bound=info.get("push_bound", False),
        pending=info["num_pending"],
        taken=info["num_ack_pending"],
        redelivered=info["num_redelivered"],
        silent_s=max(0.0, (_time(info["ts"]) - _time(last)).total_seconds()) if last else None,
    )


async def _stream(market: Market, name: str) -> Stream:
    info = await _ask(market, f"STREAM.INFO.{name}")
    if "error" in info:
        return Stream(name, exists=False)
    state, bound = info["state"], info["config"].get("max_bytes", -1)
    return Stream(name, messages=state["messages"], bytes=state["bytes"], max_bytes=bound if bound > 0 else None)


async def _subjects(market: Market, pattern: str) -> int:
    request = {"subjects_filter": market.names.subject(pattern), "offset": _NO_PAGE}
    return (await _ask(market, f"STREAM.INFO.{market.names.stream(TIMERS)}", request)).get("total", 0)


async def _ask(market: Market, api: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
    payload = json.dumps(request).encode() if request else b""
    answer = await market.nc.request(f"$JS.API.{api}", payload, timeout=_TIMEOUT_S)
    found: dict[str, Any] = json.loads(answer.data)
    return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
