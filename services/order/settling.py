"""Time limits, disputes, refunds and the one outcome (R10, R19-R21, R23, P4, P5, P9, P11, P15, X3, X11)."""

from datetime import datetime
from typing import TypeAlias, assert_never

from countermand.contracts.order import (
    AcceptPartialRefund,
    CancelGround,
    CancelReason,
    DisputeNoted,
    Goods,
    OrderClosed,
    Outcome,
    PartialRefundAccepted,
    PartialRefundNoted,
    RefundCause,
    RefundIssued,
    RefundReceived,
)
from countermand.kernel.decider import Decision, Refused
from countermand.kernel.draw import draw_between
from countermand.kernel.money import Money
from countermand.kernel.policy import AgainstSeller, Span
from services.order.answering import cancel
from services.order.asking import is_buyer
from services.order.commands import (
    CloseOrder,
    CloseUnpaid,
    CloseUnshipped,
    EndProtection,
    IssuePartialRefund,
    IssueRefund,
    NoteDispute,
    NoteOffer,
    ReceiveRefund,
    SettleDispute,
)
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
    Parcel,
    Placed,
    Resolved,
)

Settling: TypeAlias = (
    CloseUnpaid
    | CloseUnshipped
    | EndProtection
    | NoteOffer
    | AcceptPartialRefund
    | NoteDispute
    | SettleDispute
    | IssueRefund
    | IssuePartialRefund
    | ReceiveRefund
    | CloseOrder
)


def decide(command: Settling, state: Placed, now: datetime) -> Decision[OrderEvent]:
    """Money goes back once for each cause, and never more than was paid."""
    facts = state.facts
    match command, state:
        # Time limits
        case CloseUnpaid(deadline_id=asked), Active() | DialogOpen() | CancelPending() if is_due(
            facts.pay_by, asked, now
        ):
            return cancel(facts, CancelGround.NEVER_PAID, _pending(state))
        case CloseUnshipped(deadline_id=asked), Active() | DialogOpen() | CancelPending() if is_due(
            facts.ship_by, asked, now
        ):
            return cancel(facts, CancelGround.NEVER_SHIPPED, _pending(state))
        case CloseUnshipped(deadline_id=asked), Disputed(dispute_id=dispute_id) if is_due(facts.ship_by, asked, now):
            return cancel(facts, CancelGround.NEVER_SHIPPED, None, dispute_id)
        case EndProtection(deadline_id=asked), Active() | DialogOpen() if facts.paid and is_due(
            facts.protected_until, asked, now
        ):
            return _close(facts, Outcome.COMPLETED_PARTIAL_REFUND if facts.conceded else Outcome.COMPLETED)
        case CloseUnpaid() | CloseUnshipped() | EndProtection(), _:
            return None

        # A part conceded
        case NoteOffer(offer_id=offer_id, amount=amount), Active() | DialogOpen() | CancelPending():
            counts = facts.paid and amount.currency == facts.brief.price.currency
            return PartialRefundNoted(offer_id=offer_id, amount=amount) if counts else None
        case NoteOffer(), Disputed() | Resolved() | Cancelled() | Closed():
            return None
        case AcceptPartialRefund(actor=actor), _ if not is_buyer(actor, facts):
            return Refused("not_the_buyer", "Only the buyer may take the offer.")
        case AcceptPartialRefund(offer_id=asked), Active() | DialogOpen():
            return _accept_part(asked, facts)
        case AcceptPartialRefund(), CancelPending() | Disputed() | Resolved() | Cancelled() | Closed():
            return Refused("no_such_offer", "No such offer stands.")
        case IssuePartialRefund(amount_minor=amount), _:
            return _refund(facts, RefundCause.PARTIAL_REFUND, amount, now)

        # Disputes
        case NoteDispute(dispute_id=dispute_id, claim=claim), Active() | DialogOpen() if facts.paid:
            return DisputeNoted(dispute_id=dispute_id, moot=False, seller=facts.brief.seller, claim=claim)
        case NoteDispute(dispute_id=dispute_id), _:
            return DisputeNoted(dispute_id=dispute_id, moot=True)
        case SettleDispute(dispute_id=asked, refund_minor=amount, lost=lost), Disputed(dispute_id=open_) if (
            asked == open_
        ):
            refund = _refund(facts, RefundCause.DISPUTE, amount, now, lost_dispute=lost)
            return refund or _close(facts, Outcome.DISPUTE_REFUNDED if amount else Outcome.DISPUTE_DENIED)
        case SettleDispute(), _:
            return None

        # Refunds and the end
        case IssueRefund(), Cancelled() | Closed(ground=CancelGround()):
            return _refund(facts, RefundCause.CANCELLATION, facts.ledger.owed_minor, now)
        case IssueRefund(), Active() | DialogOpen() | CancelPending() | Disputed() | Resolved() | Closed():
            return None
        case ReceiveRefund(deadline_id=asked), _:
            return _receive(facts, asked, now)
        case CloseOrder(), Cancelled(ground=ground) if not facts.ledger.owed_minor and facts.ledger.all_received:
            return _close(facts, _outcome(ground, paid=facts.paid), _against(ground, facts))
        case CloseOrder(), Resolved(outcome=outcome, lost=lost) if facts.ledger.all_received:
            return _close(facts, outcome, AgainstSeller.LOST_DISPUTE if lost else None)
        case CloseOrder(), Active() | DialogOpen() | CancelPending() | Disputed() | Resolved() | Cancelled() | Closed():
            return None
        case _:
            assert_never((command, state))


def is_due(due: Due | None, deadline_id: str, now: datetime) -> bool:
    """Whether a reminder is about this limit, and comes at its time."""
    return due is not None and due.id == deadline_id and now >= due.at


def _accept_part(offer_id: str, facts: Facts) -> PartialRefundAccepted | Refused:
    if facts.offer is None or facts.offer.id != offer_id:
        return Refused("no_such_offer", "No such offer stands.")
    return PartialRefundAccepted(offer_id=offer_id, amount=facts.offer.amount)


def _refund(
    facts: Facts, cause: RefundCause, amount_minor: int, now: datetime, *, lost_dispute: bool = False
) -> RefundIssued | None:
    """So much of what is owed; nothing if nothing is (X11: a second refund is the remainder)."""
    amount_minor = min(amount_minor, facts.ledger.owed_minor)
    if not amount_minor:
        return None
    return RefundIssued(
        brief=facts.brief,
        amount=Money(amount_minor=amount_minor, currency=facts.brief.price.currency),
        method=facts.payment_method,
        cause=cause,
        issued_at=now,
        arrives_at=_arrival(facts, now),
        lost_dispute=lost_dispute,
    )


def _arrival(facts: Facts, now: datetime) -> datetime:
    """When a refund reaches the buyer (P11): drawn once an order, at once where the span is zero."""
    span: Span = getattr(facts.terms.policy.refund_transit_business_days, facts.payment_method)
    days = draw_between(span.low, span.high, facts.terms.seed, facts.order_id, "P11")
    return facts.terms.policy.business_days.add_business_days(now, days) if days else now


def _receive(facts: Facts, refund_id: str, now: datetime) -> RefundReceived | None:
    arriving = next((due for due in facts.arriving if due.id == refund_id), None)
    refund = facts.ledger.refund(refund_id)
    if arriving is None or refund is None or now < arriving.at:
        return None
    amount = Money(amount_minor=refund.amount_minor, currency=facts.brief.price.currency)
    return RefundReceived(refund_id=refund_id, amount=amount)


def _close(facts: Facts, outcome: Outcome, against: AgainstSeller | None = None) -> OrderClosed:
    return OrderClosed(
        seller=facts.brief.seller,
        outcome=outcome,
        goods=_goods(facts.parcel),
        refunded=Money(amount_minor=facts.ledger.refunded_minor, currency=facts.brief.price.currency),
        against_seller=against in facts.terms.policy.against_seller,
    )


def _outcome(ground: CancelGround, *, paid: bool) -> Outcome:
    match ground:
        case CancelGround.NEVER_SHIPPED:
            return Outcome.NEVER_SHIPPED_REFUNDED
        case CancelGround.NEVER_PAID:
            return Outcome.CANCELLED_REFUNDED if paid else Outcome.UNPAID_EXPIRED
        case CancelGround.SELLER_AGREED | CancelGround.SILENCE | CancelGround.NO_CONSENT_NEEDED:
            return Outcome.CANCELLED_REFUNDED if paid else Outcome.CANCELLED_UNPAID
        case _:
            assert_never(ground)


def _against(ground: CancelGround, facts: Facts) -> AgainstSeller | None:
    """What of a cancellation counts against the seller (P15), if anything."""
    match ground:
        case CancelGround.NEVER_SHIPPED:
            return AgainstSeller.NEVER_SHIPPED
        case CancelGround.SILENCE:
            return AgainstSeller.UNRESPONSIVE
        case CancelGround.SELLER_AGREED | CancelGround.NO_CONSENT_NEEDED:
            return AgainstSeller.TOO_SLOW if facts.reason is CancelReason.SELLER_TOO_SLOW else None
        case CancelGround.NEVER_PAID:
            return None
        case _:
            assert_never(ground)


def _goods(parcel: Parcel | None) -> Goods:
    if parcel is None:
        return Goods.NOT_SHIPPED
    return Goods.DELIVERED if parcel.delivered_at else Goods.TRAVELLING


def _pending(state: Active | DialogOpen | CancelPending) -> str | None:
    return state.request_id if isinstance(state, CancelPending) else None
