"""What an order waits for, and until when. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from countermand.kernel.policy import OnSilence, Policy
from services.web.readmodel.view import DisputePart, DisputePhase, OrderPart, Phase, View

MANUAL = "manual"
"""The profile of sellers who are asked by hand."""


class Waits(StrEnum):
    """What has to happen next."""

    PAYMENT = "payment"
    SHIPMENT = "shipment"
    DELIVERY = "delivery"
    PROTECTION_END = "protection_end"
    SELLER_ANSWER = "seller_answer"
    TRACKING = "tracking"
    DISPUTE_ANSWER = "dispute_answer"
    SETTLEMENT = "settlement"
    RETURN = "return"
    RULING = "ruling"
    REFUND = "refund"
    NOTHING = "nothing"


class Todo(StrEnum):
    """What a seller who works by hand has to do about an order, the most urgent first."""

    DISPUTE = "dispute"
    ANSWER = "answer"
    TRACKING = "tracking"
    SHIP = "ship"
    NOTHING = ""


@dataclass(frozen=True, slots=True)
class Due:
    """A time limit that runs: what is awaited, and until which simulated moment; nothing where silence means waiting."""

    waits: Waits
    at: datetime | None


def waits_for(view: View) -> Waits:
    """What the order waits for."""
    order = view.order
    if order is None:
        return Waits.NOTHING
    match order.phase:
        case Phase.CLOSED:
            return Waits.NOTHING
        case Phase.CANCELLED | Phase.RESOLVED:
            return Waits.REFUND
        case Phase.CANCEL_PENDING:
            return Waits.SELLER_ANSWER
        case Phase.DISPUTED:
            return _dispute_waits(view.dispute)
        case Phase.ACTIVE | Phase.DIALOG_OPEN:
            return _goes_on(order, asked=order.tracking_due is not None and not _shown(view))


def due(view: View, policy: Policy) -> Due:
    """What the order waits for, with the time limit that ends the wait."""
    waits = waits_for(view)
    order, dispute = view.order, view.dispute
    if order is None:
        return Due(waits, None)
    arriving = [refund.arrives_at for refund in order.refunds if not refund.received]
    answers = order.request.answer_by if order.request and policy.on_silence is not OnSilence.WAIT else None
    limits = {
        Waits.PAYMENT: order.pay_by,
        Waits.SHIPMENT: order.ship_by,
        Waits.DELIVERY: view.seller.arrives_at,
        Waits.PROTECTION_END: order.protected_until,
        Waits.SELLER_ANSWER: answers,
        Waits.TRACKING: order.tracking_due,
        Waits.DISPUTE_ANSWER: dispute.answer_by if dispute else None,
        Waits.SETTLEMENT: dispute.negotiate_until if dispute else None,
        Waits.RETURN: dispute.return_by if dispute else None,
        Waits.REFUND: min(arriving, default=None),
    }
    return Due(waits, limits.get(waits))


def todo(view: View) -> Todo:
    """What a seller who works by hand has to do; nothing for one that is simulated."""
    order, seller, dispute = view.order, view.seller, view.dispute
    if order is None or order.brief.seller.profile != MANUAL:
        return Todo.NOTHING
    if dispute and dispute.phase in {DisputePhase.OPENED, DisputePhase.NEGOTIATING}:
        return Todo.DISPUTE
    if seller.heard is not None:
        return Todo.ANSWER
    going = order.phase in {Phase.ACTIVE, Phase.DIALOG_OPEN}
    if going and order.tracking_due is not None and not _shown(view):
        return Todo.TRACKING
    held = seller.shipped_at is not None or seller.stopped or seller.accepted is not None
    return Todo.SHIP if going and order.paid and not held else Todo.NOTHING


def _goes_on(order: OrderPart, *, asked: bool) -> Waits:
    if order.shipped_at is None:
        if not order.paid:
            return Waits.PAYMENT
        return Waits.TRACKING if asked else Waits.SHIPMENT
    if order.delivered_at is None:
        return Waits.DELIVERY
    return Waits.PROTECTION_END if order.paid else Waits.PAYMENT


def _shown(view: View) -> bool:
    return view.seller.proof is not None or view.seller.unavailable or view.seller.shipped_at is not None


def _dispute_waits(dispute: DisputePart | None) -> Waits:
    match dispute.phase if dispute else DisputePhase.OPENED:
        case DisputePhase.OPENED:
            return Waits.DISPUTE_ANSWER
        case DisputePhase.NEGOTIATING:
            return Waits.SETTLEMENT
        case DisputePhase.AGREED if dispute and dispute.return_by and not dispute.return_sent:
            return Waits.RETURN
        case DisputePhase.AGREED | DisputePhase.ESCALATED:
            return Waits.RULING
        case DisputePhase.RESOLVED:
            return Waits.REFUND
