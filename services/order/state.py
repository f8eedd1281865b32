"""What an order can be: one small frozen class a phase, around the facts that all phases share."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from countermand.contracts.base import Brief
from countermand.contracts.order import CancelGround, CancelReason, Outcome, PaymentMethod
from countermand.kernel.money import Ledger
from countermand.kernel.terms import Terms


@dataclass(frozen=True, slots=True)
class Due:
    """A time limit and the id of the event that set it."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel that left; `delivered_at` once it arrived."""

    tracking_number: str
    shipped_at: datetime
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an order in every phase after its placing.

    `requests` are the ids of all requests so far; `arriving` the refunds on their way and when they arrive.
    """

    terms: Terms
    order_id: str
    brief: Brief
    payment_method: PaymentMethod
    placed_at: datetime
    pay_by: Due | None
    ship_by: Due | None
    ledger: Ledger
    arriving: tuple[Due, ...] = ()
    parcel: Parcel | None = None
    protected_until: Due | None = None
    requests: tuple[str, ...] = ()

    @property
    def paid(self) -> bool:
        """Whether the money is confirmed."""
        return self.ledger.captured_minor > 0

    @property
    def shipped(self) -> bool:
        """Whether the parcel left."""
        return self.parcel is not None


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Nothing is known of the order yet."""

    order_id: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Active:
    """The order goes its way: nobody is cancelling it."""

    facts: Facts


@dataclass(frozen=True, slots=True)
class DialogOpen:
    """The buyer looks at the dialog (R4); nothing has been sent."""

    facts: Facts
    id: str
    reason: CancelReason
    lapses_at: datetime


@dataclass(frozen=True, slots=True)
class CancelPending:
    """A request waits for its one answer. `answer_by` is nothing if silence means waiting (P3)."""

    facts: Facts
    request_id: str
    answer_by: datetime | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order is cancelled, and settles: what was paid goes back."""

    facts: Facts
    ground: CancelGround


@dataclass(frozen=True, slots=True)
class Closed:
    """The order ended. Money or goods that arrive after all are still dealt with."""

    facts: Facts
    outcome: Outcome
    ground: CancelGround | None


Order: TypeAlias = Unplaced | Active | DialogOpen | CancelPending | Cancelled | Closed
