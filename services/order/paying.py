"""Placing an order and paying for it (P4, P5, X3)."""

from datetime import datetime, timedelta

from countermand.contracts.base import Role
from countermand.contracts.order import AcknowledgePayment, OrderPlaced, PaymentAcknowledged, PlaceOrder
from countermand.kernel.decider import Refused
from countermand.kernel.terms import Terms
from services.order.state import Cancelled, Closed, Order, Placed, Resolved, Unplaced


def place(command: PlaceOrder, state: Order, now: datetime) -> OrderPlaced | Refused:
    """A new order, under terms that its clock can keep."""
    if not isinstance(state, Unplaced):
        return Refused("already_placed", "An order with this id exists.")
    if command.actor.id != command.brief.buyer.id or command.actor.role is not Role.BUYER:
        return Refused("not_the_buyer", "An order is placed by its buyer.")
    if command.brief.price.amount_minor == 0:
        return Refused("nothing_to_pay", "The price must be above zero.")
    terms = state.terms
    if too_fast := terms.too_fast():
        return Refused("clock_too_fast", too_fast)
    return OrderPlaced(
        brief=command.brief,
        payment_method=command.payment_method,
        paid=command.paid,
        terms=command.terms,
        placed_at=now,
        pay_by=None if command.paid else now + timedelta(days=terms.policy.unpaid_closes_after_days),
        ship_by=_ship_by(terms, now) if command.paid else None,
        run_id=command.run_id,
        customer=command.customer,
    )


def acknowledge(command: AcknowledgePayment, state: Placed, now: datetime) -> PaymentAcknowledged | Refused:
    """The money is there: in time, or after the order was cancelled."""
    facts = state.facts
    if command.actor.role is not Role.PLATFORM:
        return Refused("not_the_platform", "Only the platform confirms payments.")
    if facts.paid:
        return Refused("already_paid", "The payment was confirmed before.")
    late = isinstance(state, Cancelled | Closed | Resolved)
    return PaymentAcknowledged(
        brief=facts.brief,
        amount=facts.brief.price,
        acknowledged_at=now,
        ship_by=None if late or facts.shipped else _ship_by(facts.terms, now),
        late=late,
    )


def _ship_by(terms: Terms, now: datetime) -> datetime:
    return terms.policy.business_days.add_business_days(now, terms.policy.seller_ships_within_business_days)
