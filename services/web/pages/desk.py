"""The seller's desk: what a seller who works by hand has to do, with the deadlines running."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.web.pages.cards import Card, sellers_card
from services.web.pages.live import live_url
from services.web.pages.orders import detail_of
from services.web.pages.people import YOUR_SHOP, chosen, remember
from services.web.pages.rendering import fragment, page
from services.web.parts import Web, WebParts
from services.web.readmodel.lists import Which

desk: Final = APIRouter(prefix="/seller")

_TODO: Final = 30
_OTHERS: Final = 10
"""Orders on the desk."""

_KNOWN: Final = 20
"""Sellers who are suggested."""


@desk.get("")
async def sellers_desk(request: Request, web: WebParts) -> Response:
    """The desk of the chosen seller."""
    seller = chosen(request, "seller", YOUR_SHOP)
    todo, others = await _cards(web, seller)
    answer = page(
        request,
        "seller.html",
        title="Seller's desk",
        section="/seller",
        seller=seller,
        record=await web.queries.seller_record(seller),
        sellers=await web.queries.people("seller", _KNOWN),
        todo=todo,
        others=others,
        events=live_url(card.view for card in (*todo, *others)),
    )
    remember(answer, "seller", seller)
    return answer


@desk.get("/inbox")
async def inbox(request: Request, web: WebParts) -> Response:
    """What is on the desk now."""
    seller = chosen(request, "seller", YOUR_SHOP)
    todo, others = await _cards(web, seller)
    return fragment("_inbox.html", seller=seller, todo=todo, others=others)


@desk.get("/orders/{order_id}")
async def order(web: WebParts, order_id: str) -> Response:
    """One order on the desk."""
    return fragment("_desk.html", card=sellers_card(await detail_of(web, order_id)))


async def _cards(web: Web, seller: str) -> tuple[list[Card], list[Card]]:
    """What waits for the seller, the oldest first; and the newest of the other orders."""
    waiting = await web.queries.inbox(seller, _TODO)
    newest = await web.queries.orders(Which.seller(seller), limit=_OTHERS)
    ids = {one.view.order_id for one in waiting.orders}
    others = [sellers_card(one) for one in newest.orders if one.view.order_id not in ids]
    return [sellers_card(one) for one in waiting.orders], others
