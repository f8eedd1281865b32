"""The dispute over one order: claim, answer, offers, returns, ruling. Pure; R14, R17-R22, P7-P10, P16, X5, X9."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from countermand.contracts.base import Actor, Brief, Role
from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    ClaimGround,
    DisputeAnswered,
    DisputeEscalated,
    DisputeOpened,
    DisputeResolved,
    OpenDispute,
    ProposeSettlement,
    Remedy,
    Resolution,
    ReturnSent,
    SendReturn,
    SettlementAccepted,
    SettlementProposed,
    Stance,
)
from countermand.kernel.decider import Deadline, Decider, Decision, Premature, Refused
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy, Proposal
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
from services.dispute.ruling import rule
from services.dispute.state import Agreed, Case, Dispute, Escalated, Negotiating, Offer, Opened, Quiet, initial
from services.dispute.view import View

DisputeEvent: TypeAlias = (
    DisputeOpened
    | DisputeAnswered
    | SettlementProposed
    | SettlementAccepted
    | ReturnSent
    | DisputeEscalated
    | DisputeResolved
)

_NO_DISPUTE = Refused("no_dispute", "No such dispute is open.")
_NOT_A_PARTY = Refused("not_a_party", "Only the buyer and the seller of this order may do this.")
_DECIDED = Refused("dispute_decided", "This order's dispute has been decided.")


def decide(command: DisputeCommand, state: Dispute, now: datetime) -> Decision[DisputeEvent]:
    """What follows when `command` meets `state` at `now`: one event, a refusal to tell the sender, or nothing."""
    match command, state:
        # Opening
        case OpenDispute(), _:
            return Premature("the order's history")  # The runtime brings it: see `OpenCase`.
        case OpenCase(asked=asked, view=view), Quiet(decided=False):
            return _open(asked, view, state, now)
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
            _side(command.actor, state.case) is None
        ):
            return _NOT_A_PARTY
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
        case GrantSilence(deadline_id=asked), Opened(case=case, answer_by=by) if asked == case.id and now >= by:
            facts = (f"the seller had until {by:%Y-%m-%d %H:%M} UTC to answer, and did not",)
            why = "The seller did not answer the dispute in time: the buyer's claim is granted."
            return _resolve(case, Resolution.SILENCE, case.claim.amount_minor, "P7", facts, why)
        case GrantSilence(), _:
            return None

        # Offers
        case ProposeSettlement(dispute_id=asked), Opened(case=case) | Negotiating(case=case) if asked == case.id:
            return _propose(command, state, now)
        case ProposeSettlement(), Opened() | Negotiating() | Agreed() | Escalated():
            return _NO_DISPUTE
        case AcceptSettlement(offer_id=asked, actor=actor), Negotiating():
            return _accept(asked, actor, state, now)
        case AcceptSettlement(), Opened() | Agreed() | Escalated():
            return Refused("no_such_offer", "No such offer stands.")
        case EndNegotiation(deadline_id=asked), Negotiating(case=case, until=until, since=since) if asked == since:
            why = "The two sides did not agree in time: the platform decides."
            return DisputeEscalated(dispute_id=case.id, why=why) if now >= until else None
        case EndNegotiation(), _:
            return None

        # Returns
        case SendReturn(dispute_id=asked), Agreed(case=case, return_by=datetime()) if asked == case.id:
            if _side(command.actor, case) is not Role.BUYER:
                return _NOT_A_PARTY
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


DISPUTE: Decider[DisputeCommand, Dispute, DisputeEvent] = Decider(initial, decide, evolve, deadlines)


def _why_not(asked: OpenDispute, view: View, brief: Brief, now: datetime) -> Refused | None:
    """Why a dispute may not be opened now; the table of domain.md."""
    if asked.actor != Actor(role=Role.BUYER, id=brief.buyer.id):
        return Refused("not_the_buyer", "Only the buyer may open a dispute.")
    if not view.captured_minor:
        return Refused("nothing_to_claim", "Nothing has been paid.")
    if view.ended or not view.owed_minor:
        return Refused("order_closed", "The order has ended, or everything has been refunded.")
    if asked.amount is not None and asked.amount.currency != brief.price.currency:
        return Refused("wrong_currency", f"This order was paid in {brief.price.currency}.")
    if asked.amount is not None and not asked.amount.amount_minor:
        return Refused("nothing_to_claim", "A claim must be above zero.")
    if view.delivered_at is not None:
        ended = view.protected_until is not None and now > view.protected_until
        return Refused("protection_ended", "Buyer protection has ended.") if ended else None
    if asked.amount is not None and asked.amount.amount_minor < view.owed_minor:
        return Refused("full_claims_only", "Before the parcel arrives only the whole amount can be claimed.")
    return None if view.shipped_at is not None else _why_not_unsent(view, now)


def _why_not_unsent(view: View, now: datetime) -> Refused | None:
    if view.request_pending:
        return Refused("request_pending", "The seller has not answered the request yet.")
    if not view.refused:
        return Refused("ask_the_seller_first", "Ask the seller to cancel first.")
    if view.provide_by is None:
        return Refused("ask_for_tracking_first", "Ask the seller for the tracking number first.")
    if view.unavailable or view.number is not None or now > view.provide_by:
        return None  # A number counts for its scans only, and this parcel has none.
    return Refused(
        "tracking_awaited", f"The seller has until {view.provide_by:%Y-%m-%d %H:%M} UTC to show a tracking number."
    )


def _open(asked: OpenDispute, view: View, state: Quiet, now: datetime) -> DisputeOpened | Refused | Premature:
    if view.brief is None:
        return Premature("OrderPlaced")
    if refusal := _why_not(asked, view, view.brief, now):
        return refusal
    amount = min(asked.amount.amount_minor, view.owed_minor) if asked.amount else view.owed_minor
    return DisputeOpened(
        brief=view.brief,
        ground=asked.ground,
        claim=Money(amount_minor=amount, currency=view.brief.price.currency),
        text=asked.text,
        evidence=asked.evidence,
        opened_at=now,
        answer_by=now + timedelta(days=state.terms.policy.dispute_answered_within_days),
    )


def _answer(command: AnswerDispute, case: Case, now: datetime) -> DisputeEvent | Refused:
    if _side(command.actor, case) is not Role.SELLER:
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
                negotiate_until=_negotiation_end(case, now),
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
            "negotiate_until": _negotiation_end(case, now),
        }
    )


def _propose(command: ProposeSettlement, state: Opened | Negotiating, now: datetime) -> SettlementProposed | Refused:
    case = state.case
    side = _side(command.actor, case)
    if side is None:  # pragma: no cover  # `decide` has asked; this tells the type checker.
        return _NOT_A_PARTY
    if isinstance(state, Opened) and side is Role.BUYER:
        return Refused("answer_awaited", "The seller has not answered yet.")
    if wrong := _why_no_offer(command.remedy, state, side, case.terms.policy):
        return wrong
    until = state.until if isinstance(state, Negotiating) else _negotiation_end(case, now)
    return SettlementProposed(
        dispute_id=case.id, by=side, remedy=command.remedy, text=command.text, negotiate_until=until
    )


def _why_no_offer(remedy: Remedy, state: Opened | Negotiating, side: Role, policy: Policy) -> Refused | None:
    claim = state.case.claim
    if remedy.amount.currency != claim.currency or remedy.amount.amount_minor > claim.amount_minor:
        return Refused("beyond_the_claim", f"An offer is at most the claim of {claim}.")
    if remedy.with_return and side is not Role.SELLER:
        return Refused("no_returns", "Only a seller who takes goods back offers a return.")
    if _kind(remedy, claim) not in policy.proposals:
        return Refused("not_offered_here", "This marketplace allows no such proposal.")
    if not policy.counter_offers and isinstance(state, Negotiating) and state.offers:
        return Refused("no_counter_offers", "This marketplace allows no counter-offers.")
    return None


def _kind(remedy: Remedy, claim: Money) -> Proposal:
    if remedy.amount.amount_minor == claim.amount_minor:
        return Proposal.FULL
    return Proposal.PARTIAL if remedy.amount.amount_minor else Proposal.NONE


def _accept(offer_id: str, actor: Actor, state: Negotiating, now: datetime) -> SettlementAccepted | Refused:
    side = _side(actor, state.case)
    other = Role.SELLER if side is Role.BUYER else Role.BUYER
    offer = state.offer_of(other)
    if side is None or offer is None or offer.id != offer_id:
        return Refused("no_such_offer", "No such offer of the other side stands.")
    days = state.case.terms.policy.return_sent_within_days
    return SettlementAccepted(
        dispute_id=state.case.id,
        offer_id=offer_id,
        by=side,
        remedy=offer.remedy,
        return_by=now + timedelta(days=days) if offer.remedy.with_return else None,
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


def _side(actor: Actor, case: Case) -> Role | None:
    if actor == Actor(role=Role.BUYER, id=case.brief.buyer.id):
        return Role.BUYER
    return Role.SELLER if actor == Actor(role=Role.SELLER, id=case.brief.seller.id) else None


def _is_late(case: Case, scanned_at: datetime) -> bool:
    """R19: the carrier's first scan falls on a later calendar day than the opening, in P14's zone."""
    unsent = case.ground in {ClaimGround.NOT_SENT, ClaimGround.NOT_RECEIVED}
    calendar = case.terms.policy.business_days
    return unsent and calendar.day(scanned_at) > calendar.day(case.opened_at)


def _negotiation_end(case: Case, now: datetime) -> datetime:
    return now + timedelta(days=case.terms.policy.negotiation_ends_after_days)
