"""Money as integer minor units, and the ledger of one order: what came in, what went back, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

_MINOR_DIGITS: Final = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Digits behind the point where they are not two (ISO 4217)."""


class Money(BaseModel):
    """An amount in the minor unit of its currency: 1999 USD is 19.99 dollars."""

    model_config = ConfigDict(frozen=True)

    amount_minor: int = Field(ge=0, le=10**12)
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")

    def __str__(self) -> str:
        digits = _MINOR_DIGITS.get(self.currency, 2)
        return f"{self.amount_minor / 10**digits:.{digits}f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of the ledger. `id` is the id of the event that issued it; `received` once it has reached the buyer."""

    id: str
    amount_minor: int
    received: bool = False


@dataclass(frozen=True, slots=True)
class Ledger:
    """An order's money, folded from its events. Amounts in minor units of one currency."""

    captured_minor: int = 0
    refunds: tuple[Refund, ...] = ()

    @property
    def refunded_minor(self) -> int:
        """The sum of all refunds issued."""
        return _total(self.refunds)

    @property
    def owed_minor(self) -> int:
        """What a full refund would still have to pay; never negative."""
        return max(0, self.captured_minor - self.refunded_minor)

    @property
    def all_received(self) -> bool:
        """Whether every refund issued has reached the buyer."""
        return all(refund.received for refund in self.refunds)

    def refund(self, refund_id: str) -> Refund | None:
        """The refund of that id."""
        return next((r for r in self.refunds if r.id == refund_id), None)

    def capture(self, amount_minor: int) -> "Ledger":
        """The buyer's money came in."""
        return replace(self, captured_minor=self.captured_minor + amount_minor)

    def issue(self, refund: Refund) -> "Ledger":
        """A refund was sent."""
        return replace(self, refunds=(*self.refunds, refund))

    def receive(self, refund_id: str) -> "Ledger":
        """A refund reached the buyer."""
        return replace(self, refunds=tuple(replace(r, received=True) if r.id == refund_id else r for r in self.refunds))


def _total(refunds: Iterable[Refund]) -> int:
    return sum(refund.amount_minor for refund in refunds)
