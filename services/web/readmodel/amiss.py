"""What is wrong with an order, as far as its view tells. Pure. The whole audit is `countermand audit`."""

from collections.abc import Iterator
from enum import StrEnum

from countermand.contracts.order import CancelGround, Outcome
from countermand.kernel.policy import Policy
from services.web.readmodel.view import OrderPart, Promise, View


class Check(StrEnum):
    """What every order is checked for; named by the invariant."""

    OUTCOME = "I1 the outcome fits the money and the ground"
    MONEY = "I2 no more goes back than came in, and all of it after a cancellation"
    ANSWER = "I5 the last request has its answer"
    EMAILS = "I4 every promised email is recorded"


def amiss(view: View, policy: Policy) -> tuple[Check, ...]:
    """The checks that an ended order fails; nothing of one that goes on, save money beyond what came in."""
    return tuple(dict.fromkeys(_found(view, policy)))


def emails_missing(view: View, policy: Policy) -> list[Promise]:
    """Promises of the order's policy without a record of the email."""
    told = {(email.fact_id, email.kind) for email in view.emails}
    return [one for one in view.promises if one.kind in policy.emails and (one.fact_id, one.kind) not in told]


def emails_promised(view: View, policy: Policy) -> int:
    """How many emails the order's policy has promised so far."""
    return sum(one.kind in policy.emails for one in view.promises)


def _found(view: View, policy: Policy) -> Iterator[Check]:
    order = view.order
    if order is None:
        return
    if order.refunded_minor > order.captured_minor:
        yield Check.MONEY
    if order.outcome is None:
        return
    if order.cancel_ground and order.refunded_minor != order.captured_minor:
        yield Check.MONEY
    if order.outcome not in _fitting(order):
        yield Check.OUTCOME
    if order.request and order.request.answered_at is None:
        yield Check.ANSWER
    if emails_missing(view, policy):
        yield Check.EMAILS


def _fitting(order: OrderPart) -> tuple[Outcome, ...]:
    match order.cancel_ground:
        case CancelGround.NEVER_SHIPPED:
            return (Outcome.NEVER_SHIPPED_REFUNDED,)
        case CancelGround.NEVER_PAID:
            return Outcome.UNPAID_EXPIRED, Outcome.CANCELLED_REFUNDED
        case CancelGround():
            return (Outcome.CANCELLED_REFUNDED,) if order.refunds else (Outcome.CANCELLED_UNPAID,)
        case None if order.dispute_id and not order.refunds:
            return (Outcome.DISPUTE_DENIED, Outcome.DISPUTE_REFUNDED)
        case None if order.dispute_id:
            return Outcome.DISPUTE_REFUNDED, Outcome.DISPUTE_PARTIAL, Outcome.DISPUTE_DENIED
        case None:
            return (Outcome.COMPLETED_PARTIAL_REFUND if order.conceded else Outcome.COMPLETED,)
