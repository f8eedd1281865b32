"""What a dispute can be."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from countermand.contracts.base import Brief, Role
from countermand.contracts.dispute import ClaimGround, Remedy
from countermand.kernel.money import Money
from countermand.kernel.terms import Terms


@dataclass(frozen=True, slots=True)
class Case:
    """What every phase of an open dispute shares. `buyers`, `sellers`: pieces of evidence of each side."""

    terms: Terms
    id: str
    brief: Brief
    ground: ClaimGround
    claim: Money
    opened_at: datetime
    buyers: int
    sellers: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A standing offer; `id` is the event that made it."""

    id: str
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class Quiet:
    """There is no dispute. `decided`: there was one, and it was not moot."""

    terms: Terms
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """The seller's answer is awaited (P7)."""

    case: Case
    answer_by: datetime


@dataclass(frozen=True, slots=True)
class Negotiating:
    """The two sides may agree until P8. `since`: the event that began it."""

    case: Case
    until: datetime
    since: str
    offers: tuple[tuple[Role, Offer], ...] = ()

    def offer_of(self, side: Role) -> Offer | None:
        """That side's standing offer."""
        return next((offer for role, offer in self.offers if role is side), None)


@dataclass(frozen=True, slots=True)
class Agreed:
    """An offer was accepted. `return_by`: the goods go back first (P10); `since`: the acceptance."""

    case: Case
    remedy: Remedy
    return_by: datetime | None
    since: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """The platform decides."""

    case: Case


Dispute: TypeAlias = Quiet | Opened | Negotiating | Agreed | Escalated


def initial(_order_id: str, terms: Terms) -> Dispute:
    """An order without a dispute."""
    return Quiet(terms)
