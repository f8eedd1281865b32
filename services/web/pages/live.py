"""What a page follows: a hint for every news of its orders, and a word when the broker goes away or comes back.

A hint says no more than whose order it was: the page then fetches what it shows, and so never shows more than it would
if it were loaded anew.
"""

import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from countermand.kernel.ids import is_order_id
from services.web.api.live import RETRY_MS, streamed
from services.web.hub import TooManyListeners
from services.web.pages.rendering import BROKER_AWAY
from services.web.parts import Web, WebParts
from services.web.readmodel.view import View

live: Final = APIRouter()

_SHOWN: Final = "~"
"""Between an order's id and how many of its events the page already shows, as in `o-1f0c~12`."""

_ORDERS_MAX: Final = 50
"""Orders of one page."""

_NONE: Final = ("",)
"""No order has this id: a page without orders hears of the broker only."""

_LOOK_S: Final = 1.0
"""How often a page that hears nothing learns whether the broker is there."""

_QUIET_LOOKS: Final = 15
"""After so many, a comment keeps proxies from closing the connection."""


def live_url(shown: Iterable[View]) -> str:
    """Where a page hears of the orders that it shows, and at once of what has happened since it was made."""
    return "/live?" + urlencode([("order", f"{view.order_id}{_SHOWN}{view.events}") for view in shown])


@live.get("/live")
async def hints(web: WebParts, order: Annotated[list[str] | None, Query()] = None) -> StreamingResponse:
    """Server-sent events: `message` with an order's id, `trouble` with a sentence, which is empty when it is over."""
    asked = (one.partition(_SHOWN) for one in (order or [])[:_ORDERS_MAX])
    return streamed(_hints(web, {order_id: shown for order_id, _, shown in asked if is_order_id(order_id)}))


async def _hints(web: Web, shown: dict[str, str]) -> AsyncGenerator[str]:
    """Nothing while there are enough clients: the browser comes back, which it would not after a 503."""
    yield f"retry: {RETRY_MS}\n\n"
    told: bool | None = None
    quiet = 0
    with suppress(TooManyListeners), web.hub.listening(*shown or _NONE) as listener:
        touched = [one for one, events in shown.items() if events != await _events(web, one)]
        while not listener.ended:
            if told is None or web.away != told:
                told = web.away
                yield f"event: trouble\ndata: {BROKER_AWAY if told else ''}\n\n"
            for one in touched:
                yield f"data: {json.dumps({'order_id': one})}\n\n"
            touched = list(dict.fromkeys(news.order_id for news in await listener.heard(_LOOK_S)))
            quiet = 0 if touched else quiet + 1
            if quiet == _QUIET_LOOKS:
                quiet = 0
                yield ": still here\n\n"


async def _events(web: Web, order_id: str) -> str:
    """How many of the order's events could be shown now."""
    detail = await web.queries.order(order_id)
    return str(detail.view.events) if detail else "0"
