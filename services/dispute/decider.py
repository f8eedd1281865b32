"""The dispute over one order: claim, answer, offers, returns, ruling. Pure; R14, R17-R22, P7-P10, P16, X5, X9."""

from datetime import datetime
from typing import assert_never

from countermand.contracts.base import Role
from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    ClaimGround,
    DisputeAnswered,
    DisputeEscalated,
    DisputeResolved,
    OpenDispute,
    ProposeSettlement,
    Remedy,
    Resolution,
    ReturnSent,
    SendReturn,
    SettlementProposed,
    Stance,
)
from countermand.kernel.decider import Decider, Decision, Premature, Refused
from countermand.kernel.money import Money
from services.dispute.commands import (
    Conclude,
    DisputeCommand,
    Drop,
    EndNegotiation,
    EndReturn,
    GrantSilence,
    HearReply,
    HearScan,
    OpenCase,
    Rule,
)
from services.dispute.events import DisputeEvent
from services.dispute.evolution import deadlines, evolve
from services.dispute.offers import NOT_A_PARTY, accept, negotiation_end, propose, side_of
from services.dispute.opening import open_case
from services.dispute.ruling import rule
from services.dispute.state import Agreed, Case, Dispute, Escalated, Negotiating, Opened, Quiet, initial

_NO_DISPUTE = Refused("no_dispute", "No such dispute is open.")
_DECIDED = Refused("dispute_decided", "This order's dispute has been decided.")


def decide(command: DisputeCommand, state: Dispute, now: datetime) -> Decision[DisputeEvent]:
    """What follows when `command` meets `state` at `now`: one event, a refusal to tell the sender, or nothing."""
    match command, state:
        # Opening
        case OpenDispute(), _:
            return Premature("the order's history")  # The runtime brings it: see `OpenCase`.
        case OpenCase(asked=asked, view=view), Quiet(decided=False):
            return open_case(asked, view, state, now)
        case OpenCase(), Quiet():
            return _DECIDED
        case OpenCase(), Opened() | Negotiating() | Agreed() | Escalated():
            return Refused("dispute_open", "A dispute over this order is open.")

        # The seller's answer, or its silence
        case HearReply(dispute_id=asked), Opened(case=case) if asked == case.id:
            return _hear_reply(command, state, now)
        case HearReply(), _:
            return None
        case AnswerDispute() | ProposeSettlement() | AcceptSettlement() | SendReturn(), Quiet(decided=decided):
            return _DECIDED if decided else _NO_DISPUTE
        case AnswerDispute() | ProposeSettlement() | AcceptSettlement() | SendReturn(), _ if (
            side_of(command.actor, state.case) is None
        ):
            return NOT_A_PARTY
        case AnswerDispute(dispute_id=asked), Opened(case=case) if asked == case.id:
            return _answer(command, case, now)
        case AnswerDispute(dispute_id=asked), Negotiating(case=case) if asked == case.id:
            return (
                _answer(command, case, now)
                if command.stance is Stance.CONCEDES
                else Refused("answered", "You have answered.")
            )
        case AnswerDispute(), Opened() | Negotiating() | Agreed() | Escalated():
            return _NO_DISPUTE
        case GrantSilence(deadline_id=asked, noted=False), Opened(case=case, answer_by=by) if (
            asked == case.id and now >= by
        ):
            # Nobody has asked the seller yet, and the order may have ended: it decides whether there is a dispute.
            return Premature("DisputeNoted")
        case GrantSilence(deadline_id=asked), Opened(case=case, answer_by=by) if asked == case.id and now >= by:
            facts = (f"the seller had until {by:%Y-%m-%d %H:%M} UTC to answer, and did not",)
            why = "The seller did not answer the dispute in time: the buyer's claim is granted."
            return _resolve(case, Resolution.SILENCE, case.claim.amount_minor, "P7", facts, why)
        case GrantSilence(), _:
            return None

        # Offers
        case ProposeSettlement(dispute_id=asked), Opened(case=case) | Negotiating(case=case) if asked == case.id:
            return propose(command, state, now)
        case ProposeSettlement(), Opened() | Negotiating() | Agreed() | Escalated():
            return _NO_DISPUTE
        case AcceptSettlement(offer_id=asked, actor=actor), Negotiating():
            return accept(asked, actor, state, now)
        case AcceptSettlement(), Opened() | Agreed() | Escalated():
            return Refused("no_such_offer", "No such offer stands.")
        case EndNegotiation(deadline_id=asked), Negotiating(case=case, until=until, since=since) if asked == since:
            why = "The two sides did not agree in time: the platform decides."
            return DisputeEscalated(dispute_id=case.id, why=why) if now >= until else None
        case EndNegotiation(), _:
            return None

        # Returns
        case SendReturn(dispute_id=asked), Agreed(case=case, return_by=datetime()) if asked == case.id:
            if side_of(command.actor, case) is not Role.BUYER:
                return NOT_A_PARTY
            return ReturnSent(dispute_id=asked)
        case SendReturn(), Opened() | Negotiating() | Agreed() | Escalated():
            return Refused("no_return_awaited", "No return is awaited.")
        case EndReturn(deadline_id=asked), Agreed(case=case, return_by=datetime() as by, since=since) if asked == since:
            facts = (f"the goods were to be sent back by {by:%Y-%m-%d %H:%M} UTC, and were not",)
            why = "The buyer agreed to send the goods back and did not: nothing is refunded."
            return _resolve(case, Resolution.AGREEMENT, 0, "P10", facts, why) if now >= by else None
        case EndReturn(), _:
            return None

        # The end
        case HearScan(scanned_at=at), Opened(case=case) | Negotiating(case=case) if _is_late(case, at):
            why = "The parcel was first scanned after the day on which the dispute was opened: the platform steps in."
            return DisputeEscalated(dispute_id=case.id, why=why)
        case HearScan(), _:
            return None
        case Conclude(dispute_id=asked), Agreed(case=case, remedy=remedy, return_by=None) if asked == case.id:
            facts = (f"both sides agreed on {remedy.amount}",)
            why = f"The two sides agreed that the buyer gets {remedy.amount}."
            return _resolve(case, Resolution.AGREEMENT, remedy.amount.amount_minor, "P16", facts, why)
        case Conclude(), _:
            return None
        case Rule(dispute_id=asked, view=view), Escalated(case=case) if asked == case.id:
            ruling = rule(case, view)
            return _resolve(
                case, Resolution.PLATFORM, ruling.refund_minor, ruling.rule, ruling.facts, ruling.explanation
            )
        case Rule(), _:
            return None
        case Drop(dispute_id=asked), Opened(case=case) | Negotiating(case=case) | Agreed(case=case) | Escalated(
            case=case
        ):
            if asked != case.id:
                return None
            why = "The order ended in another way; there is nothing left to decide."
            return _resolve(case, Resolution.MOOT, 0, "X11", ("the order was cancelled, refunded or closed",), why)
        case Drop(), Quiet():
            return None
        case _:
            assert_never((command, state))


DISPUTE: Decider[DisputeCommand, Dispute, DisputeEvent] = Decider(initial, decide, evolve, deadlines)


def _answer(command: AnswerDispute, case: Case, now: datetime) -> DisputeEvent | Refused:
    if side_of(command.actor, case) is not Role.SELLER:
        return Refused("not_the_seller", "Only the seller answers a dispute.")
    match command.stance:
        case Stance.CONCEDES:
            return _concede(case)
        case Stance.CONTESTS:
            return _contest(case, command.text, command.evidence, now)
        case Stance.OFFERS:
            return Refused("propose_a_settlement", "An offer is made by proposing a settlement.")
        case _:
            assert_never(command.stance)


def _hear_reply(command: HearReply, state: Opened, now: datetime) -> DisputeEvent:
    case = state.case
    match command.stance:
        case Stance.CONCEDES:
            return _concede(case)
        case Stance.OFFERS if command.amount is not None:
            return SettlementProposed(
                dispute_id=case.id,
                by=Role.SELLER,
                remedy=Remedy(amount=command.amount),
                text=command.text,
                negotiate_until=negotiation_end(case, now),
            )
        case Stance.OFFERS | Stance.CONTESTS:
            return _contest(case, command.text, command.evidence, now)
        case _:
            assert_never(command.stance)


def _concede(case: Case) -> DisputeResolved:
    facts = ("the seller concedes the claim",)
    why = f"The seller concedes the claim: the buyer gets {case.claim}."
    return _resolve(case, Resolution.AGREEMENT, case.claim.amount_minor, "R21", facts, why)


def _contest(case: Case, text: str, evidence: tuple[object, ...], now: datetime) -> DisputeAnswered:
    return DisputeAnswered.model_validate(
        {
            "dispute_id": case.id,
            "stance": Stance.CONTESTS,
            "text": text,
            "evidence": evidence,
            "negotiate_until": negotiation_end(case, now),
        }
    )


def _resolve(
    case: Case, by: Resolution, refund_minor: int, rule_id: str, facts: tuple[str, ...], explanation: str
) -> DisputeResolved:
    return DisputeResolved(
        brief=case.brief,
        dispute_id=case.id,
        by=by,
        claim=case.claim,
        refund=Money(amount_minor=refund_minor, currency=case.claim.currency),
        rule=rule_id,
        facts=facts,
        explanation=explanation,
    )


def _is_late(case: Case, scanned_at: datetime) -> bool:
    """R19: the carrier's first scan falls on a later calendar day than the opening, in P14's zone."""
    unsent = case.ground in {ClaimGround.NOT_SENT, ClaimGround.NOT_RECEIVED}
    calendar = case.terms.policy.business_days
    return unsent and calendar.day(scanned_at) > calendar.day(case.opened_at)
