"""What an order becomes by an event, and what it then waits for. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from countermand.contracts.order import (
    AcceptanceSuperseded,
    CancelDialogOpened,
    CancelExpired,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelRequestRepeated,
    CancelSuperseded,
    CancelWithdrawn,
    DisputeNoted,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    Outcome,
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
from countermand.kernel.decider import Deadline
from countermand.kernel.money import Ledger, Refund
from countermand.kernel.policy import OnSilence
from services.order.events import OrderEvent
from services.order.state import (
    Active,
    Cancelled,
    CancelPending,
    Closed,
    DialogOpen,
    Disputed,
    Due,
    Facts,
    Offer,
    Order,
    Parcel,
    Placed,
    Resolved,
    Unplaced,
)


def evolve(state: Order, event: OrderEvent, event_id: str) -> Order:
    """The order after `event`."""
    if isinstance(event, OrderPlaced):
        return Active(_placed(state, event, event_id))
    if isinstance(state, Unplaced):
        msg = f"{type(event).__name__} cannot be the first event of an order"
        raise ValueError(msg)  # noqa: TRY004  # A wrong history, not a wrong type.
    facts = state.facts
    match event:
        case PaymentAcknowledged(amount=amount, ship_by=ship_by):
            ledger = facts.ledger.capture(amount.amount_minor)
            due = Due(ship_by, event_id) if ship_by else None
            return replace(state, facts=replace(facts, ledger=ledger, pay_by=None, ship_by=due))
        case CancelDialogOpened(reason=reason, lapses_at=lapses_at):
            return DialogOpen(facts, event_id, reason, lapses_at)
        case CancelRequested(answer_by=answer_by, reason=reason):
            waits = facts.terms.policy.on_silence is OnSilence.WAIT
            facts = replace(
                facts, requests=(*facts.requests, event_id), reason=reason, refused=None, tracking_asked=False
            )
            return CancelPending(facts, event_id, None if waits else answer_by)
        case CancelRefused(request_id=request_id) | CancelExpired(request_id=request_id):
            return Active(replace(facts, refused=request_id))
        case CancelWithdrawn():
            return Active(facts)
        case CancelSuperseded(tracking_number=number, shipped_at=at):
            return Active(_shipped(facts, number, at))
        case OrderCancelled(ground=ground):
            return Cancelled(replace(facts, pay_by=None, ship_by=None, protected_until=None), ground)
        case (
            ShipmentNoted(tracking_number=number, shipped_at=at)
            | ShipmentSuperseded(tracking_number=number, shipped_at=at)
        ):
            return replace(state, facts=_shipped(facts, number, at))
        case OrderDelivered(delivered_at=at, protected_until=until):
            parcel = replace(facts.parcel, delivered_at=at) if facts.parcel else None
            due = Due(until, event_id) if until else None
            return replace(state, facts=replace(facts, parcel=parcel, protected_until=due))
        case TrackingAsked():
            return replace(state, facts=replace(facts, tracking_asked=True))
        case PartialRefundNoted(offer_id=offer_id, amount=amount):
            return replace(state, facts=replace(facts, offer=Offer(offer_id, amount)))
        case PartialRefundAccepted():
            return replace(state, facts=replace(facts, offer=None, conceded=True))
        case ResellerRefundedCustomer():
            return replace(state, facts=replace(facts, customer_refunded=True))
        case DisputeNoted(dispute_id=dispute_id, moot=moot):
            return state if moot else Disputed(facts, dispute_id)
        case RefundIssued():
            return _refund_issued(state, event, event_id)
        case RefundReceived(refund_id=refund_id):
            arriving = tuple(due for due in facts.arriving if due.id != refund_id)
            return replace(state, facts=replace(facts, ledger=facts.ledger.receive(refund_id), arriving=arriving))
        case OrderClosed(outcome=outcome):
            return Closed(facts, outcome, state.ground if isinstance(state, Cancelled | Closed) else None)
        case CancelRequestRepeated() | CancelRejectedNotBuyer() | AcceptanceSuperseded():
            return state
        case _:
            assert_never(event)


def deadlines(state: Order) -> tuple[Deadline, ...]:
    """Every reminder that the order wants in this state."""
    match state:
        case Unplaced():
            return ()
        case Active(facts=facts) | DialogOpen(facts=facts):
            return (*_limits(facts), *_protection(facts), *_arriving(facts))
        case CancelPending(facts=facts, request_id=request_id, answer_by=answer_by):
            answer = (Deadline("AnswerDue", request_id, answer_by),) if answer_by else ()
            return (*answer, *_limits(facts), *_arriving(facts))
        case Disputed(facts=facts):
            return (*_limits(facts), *_arriving(facts))
        case Resolved(facts=facts) | Cancelled(facts=facts) | Closed(facts=facts):
            return _arriving(facts)
        case _:
            assert_never(state)


def _placed(state: Order, event: OrderPlaced, event_id: str) -> Facts:
    return Facts(
        terms=state.terms if isinstance(state, Unplaced) else state.facts.terms,
        order_id=state.order_id if isinstance(state, Unplaced) else state.facts.order_id,
        brief=event.brief,
        payment_method=event.payment_method,
        placed_at=event.placed_at,
        pay_by=Due(event.pay_by, event_id) if event.pay_by else None,
        ship_by=Due(event.ship_by, event_id) if event.ship_by else None,
        ledger=Ledger(event.brief.price.amount_minor if event.paid else 0),
        customer=event.customer,
    )


def _shipped(facts: Facts, tracking_number: str, at: datetime) -> Facts:
    return replace(facts, parcel=Parcel(tracking_number, at), ship_by=None)


def _refund_issued(state: Placed, event: RefundIssued, event_id: str) -> Placed:
    facts = state.facts
    ledger = facts.ledger.issue(Refund(event_id, event.amount.amount_minor))
    facts = replace(facts, ledger=ledger, arriving=(*facts.arriving, Due(event.arrives_at, event_id)))
    if event.cause is RefundCause.DISPUTE:
        outcome = Outcome.DISPUTE_PARTIAL if ledger.owed_minor else Outcome.DISPUTE_REFUNDED
        return Resolved(replace(facts, pay_by=None, ship_by=None, protected_until=None), outcome, event.lost_dispute)
    return replace(state, facts=facts)


def _limits(facts: Facts) -> tuple[Deadline, ...]:
    limits: list[Deadline] = []
    if facts.pay_by and not facts.paid:
        limits.append(Deadline("PaymentDue", facts.pay_by.id, facts.pay_by.at))
    if facts.ship_by and facts.paid and not facts.shipped:
        limits.append(Deadline("ShipmentDue", facts.ship_by.id, facts.ship_by.at))
    return tuple(limits)


def _protection(facts: Facts) -> tuple[Deadline, ...]:
    due = facts.protected_until
    return (Deadline("ProtectionEnds", due.id, due.at),) if due and facts.paid else ()


def _arriving(facts: Facts) -> tuple[Deadline, ...]:
    return tuple(Deadline("RefundDue", due.id, due.at) for due in facts.arriving)
