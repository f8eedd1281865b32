"""Offers, counter-offers and their acceptance (P8, P10, P16, X9). Pure."""

from datetime import datetime, timedelta

from countermand.contracts.base import Actor, Role
from countermand.contracts.dispute import ProposeSettlement, Remedy, SettlementAccepted, SettlementProposed
from countermand.kernel.decider import Refused
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy, Proposal
from services.dispute.state import Case, Negotiating, Opened

NOT_A_PARTY = Refused("not_a_party", "Only the buyer and the seller of this order may do this.")


def propose(command: ProposeSettlement, state: Opened | Negotiating, now: datetime) -> SettlementProposed | Refused:
    """A side offers; its own earlier offer is replaced."""
    case = state.case
    side = side_of(command.actor, case)
    if side is None:  # pragma: no cover  # `decide` has asked; this tells the type checker.
        return NOT_A_PARTY
    if isinstance(state, Opened) and side is Role.BUYER:
        return Refused("answer_awaited", "The seller has not answered yet.")
    if wrong := _why_no_offer(command.remedy, state, side, case.terms.policy):
        return wrong
    until = state.until if isinstance(state, Negotiating) else negotiation_end(case, now)
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


def accept(offer_id: str, actor: Actor, state: Negotiating, now: datetime) -> SettlementAccepted | Refused:
    """A side takes the other's standing offer, which it names (X9)."""
    side = side_of(actor, state.case)
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


def side_of(actor: Actor, case: Case) -> Role | None:
    """Which side somebody is on; nothing if on none."""
    if actor == Actor(role=Role.BUYER, id=case.brief.buyer.id):
        return Role.BUYER
    return Role.SELLER if actor == Actor(role=Role.SELLER, id=case.brief.seller.id) else None


def negotiation_end(case: Case, now: datetime) -> datetime:
    """Until when the two sides may agree (P8)."""
    return now + timedelta(days=case.terms.policy.negotiation_ends_after_days)
