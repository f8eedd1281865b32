"""What answers look like, and how they are tagged so that nothing unchanged is sent twice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from countermand.contracts.base import Owner
from countermand.contracts.order import Outcome
from countermand.kernel.money import Money
from countermand.runtime.facts import Fact
from services.web.hub import document_of
from services.web.readmodel.allowed import Action
from services.web.readmodel.answers import Found, OrderDetail
from services.web.readmodel.view import DisputePart, DisputePhase, Email, OrderPart, Phase, SellerPart
from services.web.readmodel.waits import Todo, Waits

_TAG_BYTES: Final = 9


class EventOut(BaseModel):
    """One event. `caused_by`: the id of the message that it follows from."""

    id: str
    owner: Owner
    order_id: str
    name: str = Field(examples=["CancelDialogOpened"])
    revision: int = Field(description="counts the owner's events of the order from 1")
    sequence: int = Field(description="its place in the owner's stream")
    caused_by: str
    at: datetime = Field(description="the broker's time")
    simulated_at: datetime = Field(description="the order's own time")
    text: str = Field(description="the event as a sentence", examples=["the seller agrees, and holds the parcel"])
    body: dict[str, Any]


class CommandOut(BaseModel):
    """A command and what became of it: `done` with its event, `refused` with the reason, or `pending`.

    A command that changes nothing, as a repeated one, stays pending.
    """

    command_id: str
    order_id: str
    status: Literal["pending", "done", "refused"]
    event: EventOut | None = None
    reason: str | None = Field(default=None, examples=["already_shipped"])
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class OrderOut:
    """One order: where it stands, what it waits for, what may be asked for, and all that the services have recorded.

    `due` is in the order's own time, `due_real` in ours; `no_button`: why Cancel is not offered; `events`: how many
    events the answer is made from.
    """

    order_id: str
    phase: Phase
    waits: Waits
    due: datetime | None
    due_real: datetime | None
    outcome: Outcome | None
    buyer_may: tuple[Action, ...]
    seller_may: tuple[Action, ...]
    no_button: str | None
    todo: Todo
    order: OrderPart
    seller: SellerPart
    dispute: DisputePart | None
    emails: tuple[Email, ...]
    events: int
    changed_real_at: datetime


@dataclass(frozen=True, slots=True)
class OrderCard:
    """An order in short."""

    order_id: str
    item: str
    price: Money
    buyer_id: str
    buyer_name: str
    seller_id: str
    seller_profile: str
    phase: Phase
    waits: Waits
    due: datetime | None
    due_real: datetime | None
    outcome: Outcome | None
    placed_at: datetime
    placed_real_at: datetime
    changed_real_at: datetime
    paid: bool
    shipped: bool
    delivered: bool
    refunded: Money
    requests: int
    emails: int
    dispute: DisputePhase | None
    todo: Todo
    run_id: str | None
    buyer_may: tuple[Action, ...]
    seller_may: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Some orders, the newest first. `next`: the cursor of the page after it; nothing on the last one."""

    orders: tuple[OrderCard, ...]
    next: str | None


def event_out(fact: Fact) -> EventOut:
    """An event as an answer."""
    return EventOut.model_validate(document_of(fact))


def order_out(detail: OrderDetail) -> OrderOut:
    """An order as an answer."""
    view, order = detail.view, detail.view.placed
    return OrderOut(
        order_id=view.order_id,
        phase=order.phase,
        waits=detail.waits,
        due=detail.due,
        due_real=detail.due_real,
        outcome=order.outcome,
        buyer_may=detail.buyer_may,
        seller_may=detail.seller_may,
        no_button=detail.no_button,
        todo=detail.todo,
        order=order,
        seller=view.seller,
        dispute=view.dispute,
        emails=view.emails,
        events=view.events,
        changed_real_at=view.changed_real_at or order.placed_real_at,
    )


def card_of(detail: OrderDetail) -> OrderCard:
    """An order in short."""
    view, order = detail.view, detail.view.placed
    brief = order.brief
    return OrderCard(
        order_id=view.order_id,
        item=brief.item,
        price=brief.price,
        buyer_id=brief.buyer.id,
        buyer_name=brief.buyer.name,
        seller_id=brief.seller.id,
        seller_profile=brief.seller.profile,
        phase=order.phase,
        waits=detail.waits,
        due=detail.due,
        due_real=detail.due_real,
        outcome=order.outcome,
        placed_at=order.placed_at,
        placed_real_at=order.placed_real_at,
        changed_real_at=view.changed_real_at or order.placed_real_at,
        paid=order.paid,
        shipped=order.shipped_at is not None,
        delivered=order.delivered_at is not None,
        refunded=Money(amount_minor=order.refunded_minor, currency=brief.price.currency),
        requests=order.requests,
        emails=len(view.emails),
        dispute=view.dispute.phase if view.dispute else None,
        todo=detail.todo,
        run_id=order.run_id,
        buyer_may=detail.buyer_may,
        seller_may=detail.seller_may,
    )


def page_of(found: Found) -> OrderPage:
    """A page of a list as an answer."""
    return OrderPage(tuple(map(card_of, found.orders)), found.next)


def tagged(request: Request, answer: Any) -> Response:
    """An answer with its `ETag`; 304 where the client has it already."""
    body = _written(answer)
    tag = f'"{blake2b(body, digest_size=_TAG_BYTES).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    return unless_known(request, body, "application/json", headers)


def unless_known(request: Request, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """An answer whose `headers` have its `ETag`, or 304 where the client has it already."""
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if known & {headers["ETag"], "*"}:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _written(answer: object) -> bytes:
    shape: Any = type(answer)
    return _adapter(shape).dump_json(answer)


@cache
def _adapter(shape: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
