"""What each side may ask for now, so that a page offers only that. Pure.

The deciders of order, seller and dispute have the last word: they refuse what has become impossible meanwhile.
tests/unit/test_web_allowed.py holds these rules against theirs.
"""

from datetime import datetime
from enum import StrEnum

from countermand.contracts.base import Role
from countermand.contracts.dispute import Stance
from countermand.kernel.policy import Policy
from services.web.readmodel.view import Answer, DisputePart, DisputePhase, OrderPart, Phase, SellerPart, View


class Action(StrEnum):
    """Something that somebody may ask for; named as its command is, in small letters."""

    PAY = "acknowledge_payment"
    CANCEL = "open_cancel_dialog"
    CONFIRM = "confirm_cancel"
    WITHDRAW = "withdraw_cancel"
    ASK_SELLER = "ask_seller_to_cancel"
    MESSAGE = "message_seller"
    ASK_TRACKING = "ask_for_tracking"
    TAKE_PART = "accept_partial_refund"
    REFUND_CUSTOMER = "refund_customer"
    RECEIVE = "confirm_receipt"
    DISPUTE = "open_dispute"
    PROPOSE = "propose_settlement"
    SETTLE = "accept_settlement"
    SEND_RETURN = "send_return"
    ACCEPT = "accept_cancel"
    REFUSE = "refuse_cancel"
    SHIP = "ship_order"
    SHOW_TRACKING = "provide_tracking"
    OFFER_PART = "offer_partial_refund"
    ANSWER_DISPUTE = "answer_dispute"


_GOING = frozenset({Phase.ACTIVE, Phase.DIALOG_OPEN})
_OPEN = _GOING | {Phase.CANCEL_PENDING, Phase.DISPUTED}


def why_no_button(order: OrderPart, policy: Policy) -> str | None:
    """Why the Cancel button is not offered now (R3, R9, R11, P12), as the order would refuse it; nothing if it is."""
    match order.phase:
        case Phase.CANCEL_PENDING:
            return "request_pending"
        case Phase.DISPUTED | Phase.RESOLVED:
            return "in_dispute"
        case Phase.CANCELLED:
            return "already_cancelled"
        case Phase.CLOSED:
            return "order_closed"
        case Phase.ACTIVE | Phase.DIALOG_OPEN:
            if order.shipped_at is not None:
                return "already_shipped"
            return "contact_the_seller" if order.paid and not policy.self_service_after_payment else None


def buyer_may(view: View, policy: Policy, now: datetime) -> tuple[Action, ...]:
    """What the buyer may ask for at the simulated moment `now`; and the payment, which the platform confirms."""
    order = view.order
    if order is None:
        return ()
    button = why_no_button(order, policy) is None
    going = order.phase in _GOING
    shipped = order.shipped_at is not None
    refused = order.refused is not None
    dialog = order.dialog if order.phase is Phase.DIALOG_OPEN else None
    late_for_customer = (shipped or refused) and order.phase not in {Phase.RESOLVED, Phase.CANCELLED}
    rules = {
        Action.PAY: not order.paid,
        Action.CANCEL: button,
        Action.CONFIRM: button and dialog is not None and now <= dialog.lapses_at,
        Action.WITHDRAW: order.phase is Phase.CANCEL_PENDING,
        Action.ASK_SELLER: going and not shipped,
        Action.MESSAGE: True,
        Action.ASK_TRACKING: going and refused and not shipped and order.tracking_asked_at is None,
        Action.TAKE_PART: going and order.offer is not None,
        Action.RECEIVE: order.phase in _OPEN and shipped and order.delivered_at is None,
        Action.REFUND_CUSTOMER: order.customer is not None and order.customer_refunded is None and late_for_customer,
        Action.DISPUTE: _may_dispute(order, view.seller, view.dispute, now),
        **_in_dispute(view.dispute, Role.BUYER, policy),
    }
    return tuple(action for action, may in rules.items() if may)


def seller_may(view: View, policy: Policy) -> tuple[Action, ...]:
    """What the seller may do by hand."""
    order, seller = view.order, view.seller
    if order is None:
        return ()
    gone = seller.shipped_at is not None
    rules = {
        Action.ACCEPT: seller.heard is not None and not gone,
        Action.REFUSE: seller.heard is not None,
        Action.SHIP: not gone and not seller.stopped and seller.accepted is None and order.phase in _OPEN,
        Action.SHOW_TRACKING: order.tracking_due is not None and seller.proof is None and not gone,
        Action.OFFER_PART: order.paid and order.phase in _GOING | {Phase.CANCEL_PENDING},
        Action.ANSWER_DISPUTE: view.dispute is not None
        and view.dispute.phase in {DisputePhase.OPENED, DisputePhase.NEGOTIATING},
        **_in_dispute(view.dispute, Role.SELLER, policy),
    }
    return tuple(action for action, may in rules.items() if may)


def may_answer(dispute: DisputePart, stance: Stance) -> bool:
    """Whether the seller may answer the dispute so: it may concede as long as it goes on, and contest once."""
    if stance is Stance.CONCEDES:
        return dispute.phase in {DisputePhase.OPENED, DisputePhase.NEGOTIATING}
    return stance is Stance.CONTESTS and dispute.phase is DisputePhase.OPENED


def _may_dispute(order: OrderPart, seller: SellerPart, dispute: DisputePart | None, now: datetime) -> bool:
    """R14, R17, P6, P9."""
    if dispute is not None and (dispute.decided or dispute.phase is not DisputePhase.RESOLVED):
        return False
    if order.cancelled_at or order.closed_at or not order.captured_minor or _owed(order) <= 0:
        return False
    if order.delivered_at or seller.delivered_at:
        return order.protected_until is None or now <= order.protected_until
    if seller.shipped_at is not None:
        return True
    pending = order.request is not None and order.request.answer is Answer.PENDING
    asked = order.refused is not None and order.tracking_due is not None
    shown = seller.unavailable or seller.proof is not None or (order.tracking_due or now) < now
    return asked and shown and not pending


def _owed(order: OrderPart) -> int:
    return order.captured_minor - order.refunded_minor


def _in_dispute(dispute: DisputePart | None, side: Role, policy: Policy) -> dict[Action, bool]:
    if dispute is None:
        return {}
    negotiating = dispute.phase is DisputePhase.NEGOTIATING
    allowed = bool(policy.proposals) and (policy.counter_offers or not dispute.offers)
    other = Role.SELLER if side is Role.BUYER else Role.BUYER
    returning = dispute.phase is DisputePhase.AGREED and dispute.return_by is not None and not dispute.return_sent
    return {
        Action.PROPOSE: (negotiating and allowed)
        or (dispute.phase is DisputePhase.OPENED and side is Role.SELLER and bool(policy.proposals)),
        Action.SETTLE: negotiating and dispute.offer_of(other) is not None,
        Action.SEND_RETURN: returning and side is Role.BUYER,
    }
