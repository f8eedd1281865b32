"""What sellers answer by hand."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from countermand.contracts.dispute import AcceptSettlement, AnswerDispute, ProposeSettlement
from countermand.contracts.seller import AcceptCancel, OfferPartialRefund, ProvideTracking, RefuseCancel, ShipOrder
from services.web.api import bodies
from services.web.api.asking import ANSWERS, AboutOrder
from services.web.api.problems import documented
from services.web.api.shapes import OrderPage, page_of, tagged
from services.web.parts import WebParts
from services.web.readmodel.queries import PAGE, PAGE_MAX

selling: Final = APIRouter(prefix="/api/seller/orders/{order_id}", tags=["seller"], responses=ANSWERS)
inboxes: Final = APIRouter(prefix="/api/seller", tags=["seller"])


@inboxes.get("/{seller_id}/inbox", response_model=OrderPage, responses=documented())
async def inbox(
    request: Request,
    web: WebParts,
    seller_id: Annotated[str, Path(min_length=1, max_length=200)],
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
) -> Response:
    """What a seller in manual mode has to do, the oldest order first."""
    return tagged(request, page_of(await web.queries.inbox(seller_id, limit)))


@selling.post("/accept", status_code=202)
async def accept_cancel(asked: AboutOrder, body: bodies.AcceptBody) -> Response:
    """Agree to a cancellation request (R5)."""
    return await asked.ask(AcceptCancel(actor=asked.seller(body.actor), request_id=body.request_id))


@selling.post("/refuse", status_code=202)
async def refuse_cancel(asked: AboutOrder, body: bodies.RefuseBody) -> Response:
    """Say no, with the ground (R16)."""
    return await asked.ask(
        RefuseCancel(actor=asked.seller(body.actor), request_id=body.request_id, ground=body.ground, text=body.text)
    )


@selling.post("/ship", status_code=202)
async def ship_order(asked: AboutOrder, body: bodies.ShipBody) -> Response:
    """Hand the parcel over."""
    return await asked.ask(ShipOrder(actor=asked.seller(body.actor), tracking_number=body.tracking_number))


@selling.post("/tracking", status_code=202)
async def provide_tracking(asked: AboutOrder, body: bodies.TrackingBody) -> Response:
    """Show the tracking number (R17)."""
    return await asked.ask(ProvideTracking(actor=asked.seller(body.actor), tracking_number=body.tracking_number))


@selling.post("/partial-refund", status_code=202)
async def offer_partial_refund(asked: AboutOrder, body: bodies.OfferPartBody) -> Response:
    """Offer a part of the money (R21)."""
    return await asked.ask(OfferPartialRefund(actor=asked.seller(body.actor), amount=body.amount, text=body.text))


@selling.post("/dispute", status_code=202)
async def answer_dispute(asked: AboutOrder, body: bodies.AnswerDisputeBody) -> Response:
    """Concede or contest the claim."""
    return await asked.ask(
        AnswerDispute(
            actor=asked.seller(body.actor),
            dispute_id=body.dispute_id,
            stance=body.stance,
            text=body.text,
            evidence=body.evidence,
        )
    )


@selling.post("/settlement", status_code=202)
async def propose_settlement_as_seller(asked: AboutOrder, body: bodies.ProposeBody) -> Response:
    """Offer the buyer a way to end the dispute (P16)."""
    return await asked.ask(
        ProposeSettlement(
            actor=asked.seller(body.actor), dispute_id=body.dispute_id, remedy=body.remedy, text=body.text
        )
    )


@selling.post("/settlement/accept", status_code=202)
async def accept_settlement_as_seller(asked: AboutOrder, body: bodies.SettleBody) -> Response:
    """Take the buyer's standing offer."""
    return await asked.ask(AcceptSettlement(actor=asked.seller(body.actor), offer_id=body.offer_id))
