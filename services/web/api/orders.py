"""Orders: placed, looked at, listed; their story; and what became of a command."""

import secrets
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response

from countermand.contracts.base import Actor, Brief, Role
from countermand.contracts.order import PlaceOrder
from countermand.kernel.ids import order_id_from
from countermand.kernel.terms import Terms
from services.web.api.asking import ANSWERS, WAIT_S_MAX, IdempotencyKey, Prefer, send, wait_of
from services.web.api.bodies import OrderId, PlaceOrderBody
from services.web.api.problems import ProblemError, documented, no_order
from services.web.api.shapes import CommandOut, OrderOut, OrderPage, event_out, order_out, page_of, tagged
from services.web.commands import Away, Refusal
from services.web.parts import WebParts
from services.web.readmodel.lists import Which
from services.web.readmodel.queries import PAGE, PAGE_MAX
from services.web.readmodel.timeline import Timeline, timeline
from services.web.readmodel.view import Phase
from services.web.readmodel.waits import Waits

orders: Final = APIRouter(prefix="/api", tags=["orders"])

_UNCHANGED: Final = {304: {"description": "unchanged: the client has it already, by `If-None-Match`"}}

RunId = Annotated[str | None, Header(alias="X-Run-Id", min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
Filter = Annotated[str | None, Query(min_length=1, max_length=200)]


@orders.post("/orders", status_code=202, responses=ANSWERS)
async def place_order(
    web: WebParts,
    body: PlaceOrderBody,
    x_run_id: RunId = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Place an order under terms of its own. `X-Run-Id` marks it as one of a test run."""
    clock = web.clock(body.terms.clock_rate, body.terms.epoch)
    terms = Terms(body.terms.seed, body.terms.policy, clock)
    if too_fast := terms.too_fast():
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "clock_too_fast", too_fast)
    order_id = body.order_id or order_id_from("web", idempotency_key or secrets.token_hex(16))
    if not web.nc.is_connected:
        raise Away
    await web.policies.put(body.terms.policy)
    command = PlaceOrder(
        actor=Actor(role=Role.BUYER, id=body.buyer.id),
        brief=Brief(buyer=body.buyer, seller=body.seller, item=body.item, price=body.price),
        payment_method=body.payment_method,
        paid=body.paid,
        terms=terms.ref,
        run_id=x_run_id,
        customer=body.customer,
    )
    return await send(web, order_id, command, idempotency_key, wait_of(prefer))


@orders.get("/orders", response_model=OrderPage, responses={**documented(), **_UNCHANGED})
async def list_orders(
    request: Request,
    web: WebParts,
    buyer: Filter = None,
    seller: Filter = None,
    run: Filter = None,
    state: Annotated[list[Phase] | None, Query(description="any of these")] = None,
    waits: Annotated[Waits | None, Query(description="only those that wait for this")] = None,
    after: Annotated[str | None, Query(max_length=100, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
) -> Response:
    """A page of orders, the newest first. At most one of `buyer`, `seller` and `run`."""
    named = [Which(column, value) for column, value in (("buyer", buyer), ("seller", seller), ("run", run)) if value]
    if len(named) > 1:
        detail = "Name at most one of buyer, seller and run."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "one_filter", detail)
    which = named[0] if named else None
    found = await web.queries.orders(which, phases=state or (), waits=waits, after=after, limit=limit)
    return tagged(request, page_of(found))


@orders.get(
    "/orders/{order_id}",
    response_model=OrderOut,
    responses={**documented(HTTPStatus.NOT_FOUND), **_UNCHANGED},
)
async def get_order(
    request: Request,
    web: WebParts,
    order_id: Annotated[OrderId, Path()],
    wait_for: Annotated[
        str | None, Query(pattern="^outcome$", description="`outcome`: until the order has ended")
    ] = None,
    timeout_s: Annotated[float, Query(ge=0, le=WAIT_S_MAX, description="of `wait_for`")] = 30.0,
) -> Response:
    """One order. With `wait_for` it is answered once the order has ended, or as it is when the time is over."""
    detail = await (web.closed(order_id, timeout_s) if wait_for else web.queries.order(order_id))
    if detail is None:
        raise no_order(order_id)
    return tagged(request, order_out(detail))


@orders.get(
    "/orders/{order_id}/timeline",
    response_model=Timeline,
    responses={**documented(HTTPStatus.NOT_FOUND), **_UNCHANGED},
)
async def get_timeline(request: Request, web: WebParts, order_id: Annotated[OrderId, Path()]) -> Response:
    """The order's whole story: commands, events and refusals with their causes, and the deadlines that ran."""
    if not web.nc.is_connected:
        raise Away
    story = await timeline(web.reader, web.names, order_id)
    if story is None:
        raise no_order(order_id)
    return tagged(request, story)


@orders.get("/commands/{command_id}", responses=documented(HTTPStatus.NOT_FOUND))
async def get_command(
    web: WebParts, command_id: Annotated[str, Path(min_length=1, max_length=200)], prefer: Prefer = None
) -> CommandOut:
    """What became of a command. A refusal is kept for an hour."""
    sent = await web.commands.find(command_id)
    found = await web.commands.answer(sent, wait_of(prefer))
    if found is None:
        return CommandOut(command_id=sent.id, order_id=sent.order_id, status="pending")
    if isinstance(found, Refusal):
        return CommandOut(
            command_id=sent.id, order_id=sent.order_id, status="refused", reason=found.reason, detail=found.detail
        )
    return CommandOut(command_id=sent.id, order_id=sent.order_id, status="done", event=event_out(found))
