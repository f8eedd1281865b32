"""What the order's journal says, event by event. Pure."""

from dataclasses import replace
from typing import Any

from countermand.contracts.base import Event
from countermand.contracts.order import (
    CancelDialogOpened,
    CancelExpired,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelSuperseded,
    CancelWithdrawn,
    DisputeNoted,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    PartialRefundAccepted,
    PartialRefundNoted,
    PaymentAcknowledged,
    RefundCause,
    RefundIssued,
    RefundReceived,
    ResellerRefundedCustomer,
    ShipmentNoted,
    ShipmentSuperseded,
    TrackingAsked,
)
from countermand.runtime.facts import Fact
from services.web.readmodel.view import Answer, Dialog, OrderPart, PartialOffer, Phase, Refund, Request


def order_part(part: OrderPart | None, fact: Fact) -> OrderPart | None:
    """The part after an event of the order; an event before `OrderPlaced` is of no order that can be shown."""
    event = fact.event
    if isinstance(event, OrderPlaced):
        return _placed(event, fact)
    return None if part is None else _evolved(part, event, fact)


def _placed(event: OrderPlaced, fact: Fact) -> OrderPart:
    return OrderPart(
        brief=event.brief,
        payment_method=event.payment_method,
        terms=event.terms,
        placed_at=event.placed_at,
        placed_real_at=fact.at,
        captured_minor=event.brief.price.amount_minor if event.paid else 0,
        run_id=event.run_id,
        customer=event.customer,
        paid_at=event.placed_at if event.paid else None,
        pay_by=event.pay_by,
        ship_by=event.ship_by,
    )


def _evolved(part: OrderPart, event: Event, fact: Fact) -> OrderPart:
    match event:
        case PaymentAcknowledged(amount=amount, ship_by=ship_by, acknowledged_at=at):
            captured = part.captured_minor + amount.amount_minor
            return replace(part, captured_minor=captured, paid_at=at, pay_by=None, ship_by=ship_by)
        case CancelDialogOpened(reason=reason, advice=advice, seller_record=record, lapses_at=lapses_at):
            dialog = Dialog(fact.id, reason, advice, lapses_at, record)
            return replace(part, phase=Phase.DIALOG_OPEN, dialog=dialog)
        case CancelRequested():
            return _requested(part, event, fact)
        case CancelRefused(ground=ground, text=text, request_id=request_id):
            refused = _answered(part, Answer.REFUSED, fact, ground=ground, answer_text=text)
            return replace(refused, phase=Phase.ACTIVE, refused=request_id)
        case CancelExpired(request_id=request_id):
            return replace(_answered(part, Answer.EXPIRED, fact), phase=Phase.ACTIVE, refused=request_id)
        case CancelWithdrawn():
            return replace(_answered(part, Answer.WITHDRAWN, fact), phase=Phase.ACTIVE)
        case CancelSuperseded(tracking_number=number, shipped_at=at):
            answered = _answered(part, Answer.SUPERSEDED, fact)
            return replace(answered, phase=Phase.ACTIVE, tracking_number=number, shipped_at=at, ship_by=None)
        case OrderCancelled(ground=ground):
            granted = _answered(part, Answer.GRANTED, fact) if _is_pending(part) else part
            return replace(
                granted, phase=Phase.CANCELLED, cancel_ground=ground, cancelled_at=fact.simulated_at, **_OVER
            )
        case (
            ShipmentNoted(tracking_number=number, shipped_at=at)
            | ShipmentSuperseded(tracking_number=number, shipped_at=at)
        ):
            return replace(part, tracking_number=number, shipped_at=at, ship_by=None)
        case OrderDelivered(delivered_at=at, protected_until=until):
            return replace(part, delivered_at=at, protected_until=until)
        case TrackingAsked(asked_at=at, provide_by=by):
            return replace(part, tracking_asked_at=at, tracking_due=by)
        case PartialRefundNoted(offer_id=offer_id, amount=amount):
            return replace(part, offer=PartialOffer(offer_id, amount))
        case PartialRefundAccepted():
            return replace(part, offer=None, conceded=True)
        case ResellerRefundedCustomer(amount=amount):
            return replace(part, customer_refunded=amount)
        case DisputeNoted(dispute_id=dispute_id, moot=moot):
            return part if moot else replace(part, phase=Phase.DISPUTED, dispute_id=dispute_id)
        case RefundIssued():
            return _refund_issued(part, event, fact)
        case RefundReceived(refund_id=refund_id):
            refunds = tuple(replace(one, received=True) if one.id == refund_id else one for one in part.refunds)
            return replace(part, refunds=refunds)
        case CancelRejectedNotBuyer():
            return replace(part, strangers=part.strangers + 1)
        case OrderClosed(outcome=outcome, goods=goods, against_seller=against):
            return replace(
                part,
                phase=Phase.CLOSED,
                outcome=outcome,
                goods=goods,
                against_seller=against,
                closed_at=fact.simulated_at,
            )
        case _:  # What changes nothing here, and what a newer order service may record.
            return part


_OVER: dict[str, Any] = {"pay_by": None, "ship_by": None, "protected_until": None}
"""The limits that end with the order's cancellation or with a refund by dispute."""


def _requested(part: OrderPart, event: CancelRequested, fact: Fact) -> OrderPart:
    request = Request(
        id=fact.id,
        path=event.path,
        reason=event.reason,
        requested_at=event.requested_at,
        requested_real_at=fact.at,
        answer_by=event.answer_by,
        text=event.text,
    )
    return replace(
        part,
        phase=Phase.CANCEL_PENDING,
        request=request,
        requests=part.requests + 1,
        refused=None,
        tracking_asked_at=None,
        tracking_due=None,
    )


def _is_pending(part: OrderPart) -> bool:
    return part.request is not None and part.request.answer is Answer.PENDING


def _answered(part: OrderPart, answer: Answer, fact: Fact, **more: Any) -> OrderPart:
    if part.request is None:
        return part
    told = {"answer": answer, "answer_id": fact.id, "answered_at": fact.simulated_at, "answered_real_at": fact.at}
    return replace(part, request=replace(part.request, **told, **more))


def _refund_issued(part: OrderPart, event: RefundIssued, fact: Fact) -> OrderPart:
    refund = Refund(fact.id, event.amount, event.method, event.cause, event.issued_at, event.arrives_at)
    part = replace(part, refunds=(*part.refunds, refund))
    return replace(part, phase=Phase.RESOLVED, **_OVER) if event.cause is RefundCause.DISPUTE else part
