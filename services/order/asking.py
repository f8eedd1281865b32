"""Asking for the cancellation: the button, its dialog, the contact path, and taking it back (R1-R4, R7, R9, R11, X4, X7)."""

from datetime import datetime, timedelta
from typing import Final, TypeAlias, assert_never

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import (
    AskSellerToCancel,
    CancelDialogOpened,
    CancelPath,
    CancelReason,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelRequestRepeated,
    CancelWithdrawn,
    ConfirmCancel,
    OpenCancelDialog,
    WithdrawCancel,
)
from countermand.kernel.decider import Decision, Refused
from countermand.kernel.terms import Terms
from services.order.advice import advice
from services.order.commands import HearMessage
from services.order.events import OrderEvent
from services.order.state import Active, Cancelled, CancelPending, Closed, DialogOpen, Disputed, Facts, Placed, Resolved

Asking: TypeAlias = OpenCancelDialog | ConfirmCancel | AskSellerToCancel | HearMessage | WithdrawCancel

_LONGEST_WINDOW: Final = timedelta(days=36_500)
"""On the fastest clocks a day of real time is longer than the calendar."""

_PENDING = Refused("request_pending", "A cancellation request is already waiting for its answer.")
_CANCELLED = Refused("already_cancelled", "The order is cancelled already.")
_CLOSED = Refused("order_closed", "The order has ended.")
_DISPUTED = Refused("in_dispute", "A dispute is open over this order.")
_SHIPPED = Refused("already_shipped", "The parcel is on its way: ask the seller for a refund, or open a dispute.")
_CONTACT = Refused(
    "contact_the_seller", "The payment is confirmed: only the seller can cancel now. Contact the seller."
)


def decide(command: Asking, state: Placed, now: datetime) -> Decision[OrderEvent]:
    """Only the buyer may ask; anybody else's attempt is recorded, and the buyer is told (R2)."""
    if not is_buyer(command.actor, state.facts):
        return _reject(command, state.facts)
    match command, state:
        case OpenCancelDialog(reason=reason), Active(facts=facts) | DialogOpen(facts=facts):
            return _why_no_button(facts) or CancelDialogOpened(
                reason=reason,
                advice=advice(facts, reason, now, command.seller_record),
                seller_record=command.seller_record,
                lapses_at=now + _dialog_window(facts.terms),
            )
        case ConfirmCancel(dialog_id=asked), DialogOpen(id=shown, facts=facts) if asked == shown:
            if now > state.lapses_at:
                return Refused("dialog_lapsed", "The dialog was open for too long: press Cancel again.")
            return _why_no_button(facts) or _request(facts, now, CancelPath.SELF_SERVICE, state.reason, dialog_id=asked)
        case ConfirmCancel(), Active() | DialogOpen():
            return Refused("dialog_unknown", "This dialog is not open: press Cancel again.")
        case AskSellerToCancel(reason=reason, text=text), Active(facts=facts) | DialogOpen(facts=facts):
            return _SHIPPED if facts.shipped else _request(facts, now, CancelPath.CONTACT, reason, text=text)
        case HearMessage(reason=reason, text=text), Active(facts=facts) | DialogOpen(facts=facts):
            return None if facts.shipped else _request(facts, now, CancelPath.CONTACT, reason, text=text)
        case HearMessage(message_id=message_id), CancelPending(facts=facts, request_id=pending):
            return CancelRequestRepeated(brief=facts.brief, request_id=pending, message_id=message_id)
        case HearMessage(), Disputed() | Resolved() | Cancelled() | Closed():
            return None
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel(), CancelPending():
            return _PENDING
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel(), Disputed() | Resolved():
            return _DISPUTED
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel(), Cancelled():
            return _CANCELLED
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel(), Closed():
            return _CLOSED
        case WithdrawCancel(request_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return CancelWithdrawn(brief=facts.brief, request_id=asked)
        case (
            WithdrawCancel(),
            Active() | DialogOpen() | CancelPending() | Disputed() | Resolved() | Cancelled() | Closed(),
        ):
            return Refused("no_such_request", "No such request is pending.")
        case _:
            assert_never((command, state))


def is_buyer(actor: Actor, facts: Facts) -> bool:
    """Whether this is the buyer of the order."""
    return actor.role is Role.BUYER and actor.id == facts.brief.buyer.id


def _reject(command: Asking, facts: Facts) -> CancelRejectedNotBuyer | Refused:
    match command:
        case WithdrawCancel():
            return Refused("not_the_buyer", "Only the buyer may take the request back.")
        case HearMessage(actor=actor, message_id=message_id):
            return CancelRejectedNotBuyer(
                brief=facts.brief, claimed_by=actor, attempted="MessageSeller", message_id=message_id
            )
        case OpenCancelDialog() | ConfirmCancel() | AskSellerToCancel():
            return CancelRejectedNotBuyer(brief=facts.brief, claimed_by=command.actor, attempted=type(command).__name__)
        case _:
            assert_never(command)


def _request(
    facts: Facts, now: datetime, path: CancelPath, reason: CancelReason, *, text: str = "", dialog_id: str | None = None
) -> CancelRequested:
    policy = facts.terms.policy
    return CancelRequested(
        brief=facts.brief,
        path=path,
        reason=reason,
        text=text,
        dialog_id=dialog_id,
        paid=facts.paid,
        requested_at=now,
        answer_by=now + timedelta(hours=policy.seller_answers_within_h),
        consent_required=facts.paid or policy.consent_for_unpaid,
    )


def _why_no_button(facts: Facts) -> Refused | None:
    """Why the Cancel button is not offered (R3, R9, R11, P12)."""
    if facts.shipped:
        return _SHIPPED
    return _CONTACT if facts.paid and not facts.terms.policy.self_service_after_payment else None


def _dialog_window(terms: Terms) -> timedelta:
    """P1 is in real minutes: on a fast clock the dialog stays open for many simulated ones."""
    return min(timedelta(minutes=terms.policy.dialog_lapses_after_min) * terms.clock.rate, _LONGEST_WINDOW)
