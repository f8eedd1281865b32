"""How a dispute changes with what happens, and of what it wants to be reminded. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from countermand.contracts.dispute import (
    DisputeAnswered,
    DisputeEscalated,
    DisputeOpened,
    DisputeResolved,
    Resolution,
    ReturnSent,
    SettlementAccepted,
    SettlementProposed,
)
from countermand.kernel.decider import Deadline
from services.dispute.events import DisputeEvent
from services.dispute.state import Agreed, Case, Dispute, Escalated, Negotiating, Offer, Opened, Quiet


def evolve(state: Dispute, event: DisputeEvent, event_id: str) -> Dispute:
    """The dispute after `event`."""
    if isinstance(state, Quiet):
        if isinstance(event, DisputeOpened):
            return Opened(_case(event, state, event_id), event.answer_by)
        return state
    match event:
        case DisputeAnswered(negotiate_until=until, evidence=evidence):
            return Negotiating(replace(state.case, sellers=len(evidence)), until, event_id)
        case SettlementProposed(by=by, remedy=remedy, negotiate_until=until):
            offer = (by, Offer(event_id, remedy))
            if isinstance(state, Negotiating):
                others = tuple(standing for standing in state.offers if standing[0] is not by)
                return replace(state, offers=(*others, offer))
            return Negotiating(state.case, until, event_id, (offer,))
        case SettlementAccepted(remedy=remedy, return_by=return_by):
            return Agreed(state.case, remedy, return_by, event_id)
        case ReturnSent():
            return replace(state, return_by=None) if isinstance(state, Agreed) else state
        case DisputeEscalated():
            return Escalated(state.case)
        case DisputeResolved(by=by):
            return Quiet(state.case.terms, decided=by is not Resolution.MOOT)
        case DisputeOpened():
            return state
        case _:
            assert_never(event)


def deadlines(state: Dispute) -> tuple[Deadline, ...]:
    """Every reminder that the dispute wants in this state."""
    match state:
        case Opened(case=case, answer_by=by):
            return (Deadline("DisputeAnswerDue", case.id, by),)
        case Negotiating(until=until, since=since):
            return (Deadline("NegotiationEnds", since, until),)
        case Agreed(return_by=datetime() as by, since=since):
            return (Deadline("ReturnDue", since, by),)
        case Quiet() | Agreed() | Escalated():
            return ()
        case _:
            assert_never(state)


def _case(event: DisputeOpened, state: Quiet, event_id: str) -> Case:
    return Case(
        terms=state.terms,
        id=event_id,
        brief=event.brief,
        ground=event.ground,
        claim=event.claim,
        opened_at=event.opened_at,
        buyers=len(event.evidence),
    )
