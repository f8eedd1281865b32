"""The answer to a request: the seller's, or what its silence means (R5, R10, R16, P2, P3, P13, X8, X10)."""

from datetime import datetime
from typing import TypeAlias, assert_never

from countermand.contracts.order import AcceptanceSuperseded, CancelExpired, CancelGround, CancelRefused, OrderCancelled
from countermand.kernel.decider import Decision
from countermand.kernel.policy import OnSilence
from services.order.commands import CancelAsAgreed, CancelWithoutConsent, EndSilence, RefuseRequest
from services.order.events import OrderEvent
from services.order.state import Active, Cancelled, CancelPending, Closed, DialogOpen, Disputed, Facts, Placed, Resolved

Answering: TypeAlias = CancelAsAgreed | CancelWithoutConsent | RefuseRequest | EndSilence


def decide(command: Answering, state: Placed, now: datetime) -> Decision[OrderEvent]:
    """An answer counts for the request it names, while that one is pending."""
    match command, state:
        case CancelWithoutConsent(request_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return cancel(facts, CancelGround.NO_CONSENT_NEEDED, pending)
        case CancelAsAgreed(request_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return cancel(facts, CancelGround.SELLER_AGREED, pending)
        case CancelAsAgreed(request_id=asked), Active() | DialogOpen() | CancelPending() | Disputed():
            # An unknown request cannot be superseded; a shipped parcel is past holding.
            known = asked in state.facts.requests and not state.facts.shipped
            return AcceptanceSuperseded(brief=state.facts.brief, request_id=asked) if known else None
        case RefuseRequest(request_id=asked), CancelPending(request_id=pending, facts=facts) if asked == pending:
            return CancelRefused(brief=facts.brief, request_id=asked, ground=command.ground, text=command.text)
        case EndSilence(deadline_id=asked), CancelPending(request_id=pending) if asked == pending:
            return _end_silence(state, now)
        case (
            CancelWithoutConsent() | CancelAsAgreed() | RefuseRequest() | EndSilence(),
            Active() | DialogOpen() | CancelPending() | Disputed() | Resolved() | Cancelled() | Closed(),
        ):
            return None
        case _:
            assert_never((command, state))


def cancel(facts: Facts, ground: CancelGround, request_id: str | None, dispute_id: str | None = None) -> OrderCancelled:
    """The order is cancelled; the request that was pending is answered by it."""
    return OrderCancelled(
        brief=facts.brief,
        ground=ground,
        request_id=request_id,
        refund_due_minor=facts.ledger.owed_minor,
        dispute_id=dispute_id,
    )


def _end_silence(state: CancelPending, now: datetime) -> OrderCancelled | CancelExpired | None:
    if state.answer_by is None or now < state.answer_by:
        return None
    match state.facts.terms.policy.on_silence:
        case OnSilence.CANCEL:
            return cancel(state.facts, CancelGround.SILENCE, state.request_id)
        case OnSilence.REFUSE:
            return CancelExpired(brief=state.facts.brief, request_id=state.request_id)
        case OnSilence.WAIT:
            return None
        case _ as never:
            assert_never(never)
