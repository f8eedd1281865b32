"""What a page follows: a hint for every news of its orders, and a word when the broker goes away or comes back.

A hint says no more than whose order it was: the page then fetches what it shows, and so never shows more than it would
if it were loaded anew.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from countermand.kernel.ids import is_order_id
from services.web.api.live import RETRY_MS, streamed
from services.web.hub import TooManyListeners
from services.web.pages.rendering import BROKER_AWAY
from services.web.parts import Web, WebParts

live: Final = APIRouter()

_ORDERS_MAX: Final = 50
"""Orders of one page."""

_NONE: Final = ("",)
"""No order has this id: a page without orders hears of the broker only."""

_LOOK_S: Final = 1.0
"""How often a page that hears nothing learns whether the broker is there."""

_QUIET_LOOKS: Final = 15
"""After so many, a comment keeps proxies from closing the connection."""


@live.get("/live")
async def hints(web: WebParts, order: Annotated[list[str] | None, Query()] = None) -> StreamingResponse:
    """Server-sent events: `message` with an order's id, `trouble` with a sentence, which is empty when it is over."""
    ids = sorted({one for one in order or [] if is_order_id(one)})[:_ORDERS_MAX]
    return streamed(_hints(web, ids))


async def _hints(web: Web, order_ids: list[str]) -> AsyncGenerator[str]:
    """Nothing while there are enough clients: the browser comes back, which it would not after a 503."""
    yield f"retry: {RETRY_MS}\n\n"
    told: bool | None = None
    quiet = 0
    with suppress(TooManyListeners), web.hub.listening(*order_ids or _NONE) as listener:
        while not listener.ended:
            if told is None or web.away != told:
                told = web.away
                yield f"event: trouble\ndata: {BROKER_AWAY if told else ''}\n\n"
            touched = dict.fromkeys(news.order_id for news in await listener.heard(_LOOK_S))
            quiet = 0 if touched else quiet + 1
            for one in touched:
                yield f"data: {json.dumps({'order_id': one})}\n\n"
            if quiet == _QUIET_LOOKS:
                quiet = 0
                yield ": still here\n\n"
