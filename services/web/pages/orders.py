"""My orders: the buyer's cards, and everything that a buyer or a seller does about one order."""

import secrets
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from countermand.contracts.base import Role
from countermand.kernel.ids import is_order_id, order_id_from
from services.web.api.problems import no_order
from services.web.pages.cards import buyers_card, sellers_card
from services.web.pages.doing import do, sent
from services.web.pages.forms import FormError, Values, filled
from services.web.pages.live import live_url
from services.web.pages.people import NEWCOMER, buyer, chosen, last_as, remember
from services.web.pages.placing import clock_rate_of, more_fields, place_command, place_fields, placing_terms
from services.web.pages.rendering import error_page, fragment, inside, page, see_other, sheet, wants_fragment
from services.web.pages.sheets import AT_ONCE, sheet_of
from services.web.parts import Web, WebParts
from services.web.readmodel.allowed import Action
from services.web.readmodel.answers import OrderDetail
from services.web.readmodel.lists import Which

orders: Final = APIRouter()

CARDS: Final = 10
"""Orders on a page."""

_FIELDS_MAX: Final = 50
"""No form of ours has more."""

_KNOWN: Final = 20
"""Buyers who are suggested."""

_UNPLACEABLE: Final = "This order cannot be placed: something in it is too long or unknown."
_OVER: Final = "The order has changed meanwhile: this can no longer be asked for."


@orders.get("/")
async def my_orders(request: Request, web: WebParts, after: str | None = None) -> Response:
    """The orders of the chosen buyer, the newest first."""
    return await _my_orders(request, web, chosen(request, "buyer", NEWCOMER), after)


@orders.post("/orders")
async def place(request: Request, web: WebParts) -> Response:
    """Place an order as the chosen buyer."""
    values = await values_of(request)
    id_ = chosen(request, "buyer", NEWCOMER)
    try:
        terms = placing_terms(web.clock(clock_rate_of(values)))
        command = place_command(values, await last_as(web, id_), terms)
    except ValueError:
        return await _my_orders(request, web, id_, error=_UNPLACEABLE, values=values)
    except FormError as error:
        return await _my_orders(request, web, id_, error=str(error), values=values)
    nonce = values.get("nonce") or secrets.token_hex(8)
    order_id = order_id_from("page", nonce)
    done = await sent(web, order_id, command, key=nonce)
    if done.error:
        return await _my_orders(request, web, id_, error=done.error, values=values)
    return see_other(f"/?buyer={quote(id_, safe='')}#o-{order_id}")


@orders.get("/orders/{order_id}/card")
async def card(web: WebParts, order_id: str) -> Response:
    """One card, as it stands now."""
    return fragment("_card.html", card=buyers_card(await detail_of(web, order_id)))


@orders.get("/orders/{order_id}/{side}/{action}")
async def ask(request: Request, web: WebParts, order_id: str, side: Role, action: Action) -> Response:
    """What is to be filled in before an action."""
    return _sheet(request, await detail_of(web, order_id), side, action)


@orders.post("/orders/{order_id}/{side}/{action}")
async def act(request: Request, web: WebParts, order_id: str, side: Role, action: Action) -> Response:
    """Do it, and show what became of it."""
    values = await values_of(request)
    done = await do(web, request, await detail_of(web, order_id), side, action, values)
    detail = await detail_of(web, order_id)
    if wants_fragment(request) and action in AT_ONCE:
        status = HTTPStatus.CONFLICT if done.error else HTTPStatus.OK
        answer = fragment("_card.html", status=status, card=buyers_card(detail, done.error))
        answer.headers["X-Error"] = quote(done.error)
        return answer
    if done.error:
        return _sheet(request, detail, side, action, done.error, values)
    back = inside(values.get("back", "/"))
    if done.event is not None and done.event.name == "CancelDialogOpened":
        return see_other(f"/orders/{order_id}/buyer/{Action.CONFIRM}?{urlencode({'back': back})}")
    if wants_fragment(request):
        says = "" if done.event else "Sent. What follows is shown as soon as it comes."
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"X-Order": order_id, "X-Says": quote(says)})
    return see_other(back)


async def detail_of(web: Web, order_id: str) -> OrderDetail:
    """The order.

    Raises:
        ProblemError: there is none of that id.
    """
    detail = await web.queries.order(order_id) if is_order_id(order_id) else None
    if detail is None:
        raise no_order(order_id[:40])
    return detail


async def values_of(request: Request) -> dict[str, str]:
    """The fields of a form, as browsers send them. The guard has bounded the body; one that is no form has no fields."""
    body = (await request.body()).decode(errors="replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_FIELDS_MAX))
    except ValueError:
        return {}


async def _my_orders(
    request: Request, web: Web, id_: str, after: str | None = None, error: str = "", values: Values | None = None
) -> Response:
    values = values or {}
    found = await web.queries.orders(Which.buyer(id_), after=after, limit=CARDS)
    older = f"/?{urlencode({'buyer': id_, 'after': found.next})}" if found.next else ""
    answer = page(
        request,
        "orders.html",
        title="My orders",
        section="/",
        status=HTTPStatus.CONFLICT if error else HTTPStatus.OK,
        cards=[buyers_card(one) for one in found.orders],
        buyer=buyer(id_, found),
        known=await web.queries.people("buyer", _KNOWN),
        place=filled(place_fields(secrets.token_hex(8)), values),
        place_more=filled(more_fields(web.settings.web_clock_rate), values),
        older=older,
        error=error,
        events=live_url(one.view for one in found.orders),
    )
    remember(answer, "buyer", id_)
    return answer


def _sheet(
    request: Request, detail: OrderDetail, side: Role, action: Action, error: str = "", values: Values | None = None
) -> Response:
    form = sheet_of(action, detail.view, side)
    shown = sellers_card(detail) if side is Role.SELLER else buyers_card(detail)
    values = values or {}
    back = inside(values.get("back") or request.query_params.get("back", shown.back))
    if form is None:  # Its time is over, or it never asks anything.
        told = error or wants_fragment(request)
        return error_page(request, HTTPStatus.CONFLICT, error or _OVER) if told else see_other(back)
    status = HTTPStatus.CONFLICT if error else HTTPStatus.OK
    target = f"/orders/{detail.view.order_id}/{side}/{action}"
    return sheet(request, form, values, error, status, back=back, target=target, section="/")
