"""The parcel as the order sees it: shipped, proved, delivered; and a reseller whose customer waits (R11, R12, R17, R26, X1)."""

from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from countermand.contracts.order import (
    AskForTracking,
    CancelSuperseded,
    ConfirmReceipt,
    OrderDelivered,
    RefundCustomer,
    ResellerRefundedCustomer,
    ShipmentNoted,
    ShipmentSuperseded,
    TrackingAsked,
)
from countermand.kernel.decider import Decision, Premature, Refused
from services.order.asking import is_buyer
from services.order.commands import NoteDelivery, NoteShipment
from services.order.events import OrderEvent
from services.order.state import Active, Cancelled, CancelPending, Closed, DialogOpen, Disputed, Facts, Placed, Resolved

Receiving: TypeAlias = NoteShipment | NoteDelivery | ConfirmReceipt | AskForTracking | RefundCustomer

_NOT_THE_BUYER = Refused("not_the_buyer", "Only the buyer may do this.")


def decide(command: Receiving, state: Placed, now: datetime) -> Decision[OrderEvent]:
    """A parcel leaves once and arrives once, whatever became of the order."""
    facts = state.facts
    match command, state:
        case NoteShipment(), _ if facts.shipped:
            return None
        case NoteShipment(tracking_number=number, shipped_at=at), Active() | DialogOpen() | Disputed():
            return ShipmentNoted(tracking_number=number, shipped_at=at)
        case NoteShipment(tracking_number=number, shipped_at=at), CancelPending(request_id=pending):
            return CancelSuperseded(brief=facts.brief, request_id=pending, tracking_number=number, shipped_at=at)
        case NoteShipment(tracking_number=number, shipped_at=at), Resolved() | Cancelled() | Closed():
            return ShipmentSuperseded(tracking_number=number, shipped_at=at)
        case NoteDelivery(), _ if not facts.shipped:
            return Premature("Shipped")
        case NoteDelivery(), _ if facts.delivered:
            return None
        case NoteDelivery(delivered_at=at), Active() | DialogOpen() | CancelPending() | Disputed():
            return _deliver(facts, at)
        case NoteDelivery(delivered_at=at), Resolved() | Cancelled() | Closed():
            return OrderDelivered(delivered_at=at, protected_until=None, after_cancellation=True)
        case ConfirmReceipt() | AskForTracking() | RefundCustomer(), _ if not is_buyer(command.actor, facts):
            return _NOT_THE_BUYER
        case ConfirmReceipt(), Active() | DialogOpen() | CancelPending() | Disputed():
            if not facts.shipped:
                return Refused("not_shipped", "The parcel has not left yet.")
            return (
                Refused("already_delivered", "The parcel has arrived before.")
                if facts.delivered
                else _deliver(facts, now)
            )
        case ConfirmReceipt(), Resolved() | Cancelled() | Closed():
            return Refused("order_closed", "The order has ended.")
        case AskForTracking(), Active() | DialogOpen():
            return _ask_for_tracking(facts, now)
        case AskForTracking(), CancelPending() | Disputed() | Resolved() | Cancelled() | Closed():
            return Refused("nothing_to_prove", "No refusal waits for a proof.")
        case RefundCustomer(), Resolved() | Cancelled():
            return Refused("order_refunded", "The order itself is refunded: pass that on.")
        case RefundCustomer(), Active() | DialogOpen() | CancelPending() | Disputed() | Closed():
            return _refund_customer(command, facts)
        case _:
            assert_never((command, state))


def _deliver(facts: Facts, at: datetime) -> OrderDelivered:
    ends = at + timedelta(days=facts.terms.policy.protection_ends_after_days)
    return OrderDelivered(delivered_at=at, protected_until=ends, after_cancellation=False)


def _ask_for_tracking(facts: Facts, now: datetime) -> TrackingAsked | Refused:
    if facts.refused is None:
        return Refused("nothing_to_prove", "No refusal waits for a proof.")
    if facts.shipped:
        return Refused("already_shipped", "The parcel has left: its tracking number is known.")
    if facts.tracking_asked:
        return Refused("tracking_asked", "The seller has been asked before.")
    policy = facts.terms.policy
    return TrackingAsked(
        seller=facts.brief.seller,
        request_id=facts.refused,
        asked_at=now,
        provide_by=policy.business_days.add_business_days(now, policy.tracking_within_business_days),
    )


def _refund_customer(command: RefundCustomer, facts: Facts) -> ResellerRefundedCustomer | Refused:
    if facts.customer is None:
        return Refused("no_customer", "This order was not placed for a customer.")
    if facts.customer_refunded:
        return Refused("customer_refunded", "The customer has been refunded before.")
    if not (facts.shipped or facts.refused):
        return Refused("not_too_late", "The order may still be cancelled: pass the customer's wish on first.")
    return ResellerRefundedCustomer(customer=facts.customer, amount=command.amount)
