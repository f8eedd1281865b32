"""The platform's ruling: what the buyer gets, by which rule, on which facts, in a sentence that both sides can read. Pure."""

from dataclasses import dataclass

from countermand.contracts.dispute import ClaimGround
from countermand.kernel.money import Money
from services.dispute.state import Case
from services.dispute.view import View


@dataclass(frozen=True, slots=True)
class Ruling:
    """`refund_minor` of the claim goes back, by `rule`."""

    refund_minor: int
    rule: str
    facts: tuple[str, ...]
    explanation: str


def rule(case: Case, view: View) -> Ruling:
    """Decide a case on what the order's and the seller's histories show; a tracking number counts for its scans only."""
    claim = case.claim.amount_minor
    calendar = case.terms.policy.business_days
    opened = calendar.day(case.opened_at)
    facts = [f"the dispute was opened on {opened}", f"the buyer claims {case.claim} ({case.ground})"]
    if view.first_scan_at is not None:
        scanned = calendar.day(view.first_scan_at)
        facts.append(f"the carrier first scanned the parcel on {scanned}")
        if scanned > opened:
            why = (
                "The parcel was handed over only after the day on which the dispute was opened: the buyer is refunded."
            )
            return Ruling(claim, "R19", tuple(facts), why)
    elif view.number is not None:
        facts.append(f"the seller showed the tracking number {view.number}; no carrier has ever scanned it")
        why = "A tracking number that no carrier has scanned proves no shipment: the buyer is refunded."
        return Ruling(claim, "R17", tuple(facts), why)
    else:
        facts.append("the seller showed no tracking number and no carrier has scanned a parcel")
        return Ruling(claim, "R20", tuple(facts), "The order was never sent: the buyer is refunded in full.")
    if view.delivered_at is None:
        facts.append("the parcel has not arrived")
        return Ruling(claim, "R20", tuple(facts), "The parcel left in time but never arrived: the buyer is refunded.")
    facts.append(f"the parcel arrived on {calendar.day(view.delivered_at)}")
    return _on_the_goods(case, facts)


def _on_the_goods(case: Case, facts: list[str]) -> Ruling:
    """The goods arrived: what counts is what each side can show (R20, R22)."""
    claim = case.claim.amount_minor
    facts.append(f"pieces of evidence: {case.buyers} of the buyer, {case.sellers} of the seller")
    if case.ground in {ClaimGround.NOT_SENT, ClaimGround.NOT_RECEIVED}:
        return Ruling(0, "R17", tuple(facts), "The carrier delivered the parcel: the claim is denied.")
    if case.ground is ClaimGround.DISSATISFIED:
        why = "The goods are as described; only the seller could have conceded something: the claim is denied."
        return Ruling(0, "R22", tuple(facts), why)
    if not case.buyers:
        return Ruling(0, "R22", tuple(facts), "The buyer shows no evidence that the item is not as described: denied.")
    if not case.sellers:
        why = "The buyer's evidence shows that the item is not as described, and nothing speaks against it: refunded."
        return Ruling(claim, "R20", tuple(facts), why)
    half = Money(amount_minor=(claim + 1) // 2, currency=case.claim.currency)
    why = f"Both sides show evidence, and neither disproves the other: the buyer is refunded {half}, half of the claim."
    return Ruling(half.amount_minor, "R20", tuple(facts), why)
