"""What buyers ask for, and the platform that confirms their payments."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from countermand.contracts.dispute import AcceptSettlement, OpenDispute, ProposeSettlement, SendReturn
from countermand.contracts.order import (
    AcceptPartialRefund,
    AcknowledgePayment,
    AskForTracking,
    AskSellerToCancel,
    ConfirmCancel,
    ConfirmReceipt,
    OpenCancelDialog,
    RefundCustomer,
    WithdrawCancel,
)
from countermand.contracts.seller import MessageSeller
from services.web.api import bodies
from services.web.api.asking import ANSWERS, PLATFORM, AboutOrder
from services.web.readmodel.view import Answer

buying: Final = APIRouter(prefix="/api/orders/{order_id}", tags=["buyer"], responses=ANSWERS)


@buying.post("/payment", status_code=202, tags=["platform"])
async def acknowledge_payment(asked: AboutOrder, body: bodies.NothingBody) -> Response:
    """The platform confirms the money."""
    return await asked.ask(AcknowledgePayment(actor=body.actor or PLATFORM))


@buying.post("/cancel", status_code=202)
async def open_cancel_dialog(asked: AboutOrder, body: bodies.CancelBody) -> Response:
    """Press Cancel: opens the dialog with what to expect (R4, R27). The event's id is the `dialog_id` to confirm."""
    record = await asked.web.queries.seller_record(asked.brief.seller.id)
    return await asked.ask(OpenCancelDialog(actor=asked.buyer(body.actor), reason=body.reason, seller_record=record))


@buying.post("/cancel/confirm", status_code=202)
async def confirm_cancel(asked: AboutOrder, body: bodies.ConfirmBody) -> Response:
    """Confirm the dialog: the request goes to the seller (R5)."""
    return await asked.ask(ConfirmCancel(actor=asked.buyer(body.actor), dialog_id=body.dialog_id))


@buying.post("/cancel/withdraw", status_code=202)
async def withdraw_cancel(asked: AboutOrder, body: bodies.WithdrawBody) -> Response:
    """Take a pending request back."""
    return await asked.ask(WithdrawCancel(actor=asked.buyer(body.actor), request_id=body.request_id))


@buying.post("/ask-seller", status_code=202)
async def ask_seller(asked: AboutOrder, body: bodies.AskSellerBody) -> Response:
    """Ask the seller directly, without the button (R9)."""
    return await asked.ask(AskSellerToCancel(actor=asked.buyer(body.actor), reason=body.reason, text=body.text))


@buying.post("/messages", status_code=202)
async def message_seller(asked: AboutOrder, body: bodies.MessageBody) -> Response:
    """Write to the seller (R7)."""
    request_id = body.request_id
    if request_id is None and (detail := await asked.web.queries.order(asked.order_id)) and detail.view.order:
        request = detail.view.order.request
        request_id = request.id if request and request.answer is Answer.PENDING else None
    return await asked.ask(
        MessageSeller(actor=asked.buyer(body.actor), reason=body.reason, text=body.text, request_id=request_id)
    )


@buying.post("/tracking-request", status_code=202)
async def ask_for_tracking(asked: AboutOrder, body: bodies.NothingBody) -> Response:
    """Ask a seller who says that the parcel has left for the proof (R17)."""
    return await asked.ask(AskForTracking(actor=asked.buyer(body.actor)))


@buying.post("/dispute", status_code=202)
async def open_dispute(asked: AboutOrder, body: bodies.DisputeBody) -> Response:
    """Claim money back (R14, R18)."""
    return await asked.ask(
        OpenDispute(
            actor=asked.buyer(body.actor),
            ground=body.ground,
            amount=body.amount,
            text=body.text,
            evidence=body.evidence,
        )
    )


@buying.post("/settlement", status_code=202)
async def propose_settlement(asked: AboutOrder, body: bodies.ProposeBody) -> Response:
    """Offer the seller a way to end the dispute (P16)."""
    return await asked.ask(
        ProposeSettlement(actor=asked.buyer(body.actor), dispute_id=body.dispute_id, remedy=body.remedy, text=body.text)
    )


@buying.post("/settlement/accept", status_code=202)
async def accept_settlement(asked: AboutOrder, body: bodies.SettleBody) -> Response:
    """Take the seller's standing offer."""
    return await asked.ask(AcceptSettlement(actor=asked.buyer(body.actor), offer_id=body.offer_id))


@buying.post("/return", status_code=202)
async def send_return(asked: AboutOrder, body: bodies.ReturnBody) -> Response:
    """Say that the goods were sent back (P10)."""
    return await asked.ask(SendReturn(actor=asked.buyer(body.actor), dispute_id=body.dispute_id))


@buying.post("/refund/accept", status_code=202)
async def accept_partial_refund(asked: AboutOrder, body: bodies.TakePartBody) -> Response:
    """Take the part of the money that the seller offered (R21)."""
    return await asked.ask(AcceptPartialRefund(actor=asked.buyer(body.actor), offer_id=body.offer_id))


@buying.post("/customer-refund", status_code=202)
async def refund_customer(asked: AboutOrder, body: bodies.RefundCustomerBody) -> Response:
    """A reseller refunds its own customer (R26)."""
    return await asked.ask(RefundCustomer(actor=asked.buyer(body.actor), amount=body.amount))


@buying.post("/receipt", status_code=202)
async def confirm_receipt(asked: AboutOrder, body: bodies.NothingBody) -> Response:
    """Say that the parcel has arrived."""
    return await asked.ask(ConfirmReceipt(actor=asked.buyer(body.actor)))
