"""A dispute to test with: over an order that is paid, for all of the money, opened three weeks after `START`.

`OPENED_AT` is a Monday, 10:00 in Los Angeles. The order's history has ids of its own, so that the dispute, opened by the
first event of its own history, is `e1`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from countermand.contracts.base import Actor, Role
from countermand.contracts.dispute import (
    ClaimGround,
    DisputeAnswered,
    DisputeEscalated,
    DisputeOpened,
    DisputeResolved,
    Evidence,
    OpenDispute,
    Remedy,
    Resolution,
    SettlementAccepted,
    SettlementProposed,
    Stance,
)
from countermand.kernel.money import Money
from tests.support.orders import BRIEF, BUYER, PRICE, after

OPENED_AT: Final = after(days=21)
PHOTO: Final = Evidence(text="The lamp is broken.", sha256="a" * 64)
PACKING: Final = Evidence(text="The lamp was whole.", sha256="b" * 64)


def usd(amount_minor: int) -> Money:
    """So many cents."""
    return Money(amount_minor=amount_minor, currency="USD")


def later(*, days: float = 0, hours: float = 0, seconds: float = 0) -> datetime:
    """So long after the dispute was opened."""
    return OPENED_AT + timedelta(days=days, hours=hours, seconds=seconds)


def claim(
    ground: ClaimGround = ClaimGround.NOT_AS_DESCRIBED,
    amount: Money | None = None,
    *,
    actor: Actor = BUYER,
    evidence: Iterable[Evidence] = (),
) -> OpenDispute:
    """The buyer claims money back; all of it if no amount is given."""
    return OpenDispute(actor=actor, ground=ground, amount=amount, text="Look at it.", evidence=tuple(evidence))


def opened(
    ground: ClaimGround = ClaimGround.NOT_AS_DESCRIBED,
    amount: Money = PRICE,
    *,
    at: datetime = OPENED_AT,
    evidence: Iterable[Evidence] = (),
    answer_within_days: int = 5,
) -> DisputeOpened:
    """A dispute is open; the seller has 5 days to answer."""
    return DisputeOpened(
        brief=BRIEF,
        ground=ground,
        claim=amount,
        text="Look at it.",
        evidence=tuple(evidence),
        opened_at=at,
        answer_by=at + timedelta(days=answer_within_days),
    )


def contested(
    at: datetime = OPENED_AT, *, text: str = "It is fine.", evidence: Iterable[Evidence] = ()
) -> DisputeAnswered:
    """The seller contests; the two negotiate for 7 days."""
    return DisputeAnswered(
        dispute_id="e1",
        stance=Stance.CONTESTS,
        text=text,
        evidence=tuple(evidence),
        negotiate_until=at + timedelta(days=7),
    )


def remedy(amount_minor: int, *, with_return: bool = False) -> Remedy:
    """So many cents back, perhaps once the goods have gone back."""
    return Remedy(amount=usd(amount_minor), with_return=with_return)


def proposed(
    by: Role, amount_minor: int, until: datetime, *, with_return: bool = False, text: str = ""
) -> SettlementProposed:
    """One side offers the other a way to end it."""
    return SettlementProposed(
        dispute_id="e1",
        by=by,
        remedy=remedy(amount_minor, with_return=with_return),
        text=text,
        negotiate_until=until,
    )


def settled(by: Role, offer_id: str, amount_minor: int, *, return_by: datetime | None = None) -> SettlementAccepted:
    """One side took the other's offer; the goods go back first if there is a time for it."""
    return SettlementAccepted(
        dispute_id="e1",
        offer_id=offer_id,
        by=by,
        remedy=remedy(amount_minor, with_return=return_by is not None),
        return_by=return_by,
    )


def escalated(why: str = "The two sides did not agree in time: the platform decides.") -> DisputeEscalated:
    """The platform steps in."""
    return DisputeEscalated(dispute_id="e1", why=why)


def resolved(
    by: Resolution = Resolution.AGREEMENT,
    refund: Money = PRICE,
    *,
    rule: str = "R20",
    facts: Iterable[str] = ("the parcel has not arrived",),
    explanation: str = "The parcel left in time but never arrived: the buyer is refunded.",
    dispute_id: str = "e1",
) -> DisputeResolved:
    """The end of a dispute over the whole price."""
    return DisputeResolved(
        brief=BRIEF,
        dispute_id=dispute_id,
        by=by,
        claim=PRICE,
        refund=refund,
        rule=rule,
        facts=tuple(facts),
        explanation=explanation,
    )
