"""What an order can be: one small frozen class a phase, around the facts that all phases share."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from countermand.contracts.base import Brief, Contact
from countermand.contracts.order import CancelGround, CancelReason, Outcome, PaymentMethod
from countermand.kernel.money import Ledger, Money
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
class Offer:
    """The seller's standing offer of a part of the money (R21)."""

    id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an order in every phase after its placing.

    `requests` are the ids of all requests so far, `reason` the last one's, `refused` the last one that was refused or expired;
    `arriving` the refunds on their way and when they arrive; `offer` a part of the money that the seller would give
    back; `conceded` whether the buyer took it; `customer` a reseller's own customer (R26).
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
    reason: CancelReason | None = None
    refused: str | None = None
    tracking_asked: bool = False
    offer: Offer | None = None
    customer: Contact | None = None
    customer_refunded: bool = False
    conceded: bool = False

    @property
    def paid(self) -> bool:
        """Whether the money is confirmed."""
        return self.ledger.captured_minor > 0

    @property
    def shipped(self) -> bool:
        """Whether the parcel left."""
        return self.parcel is not None

    @property
    def delivered(self) -> bool:
        """Whether the parcel arrived."""
        return self.parcel is not None and self.parcel.delivered_at is not None


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
class Disputed:
    """A dispute is open over the order; nothing else can be asked of it until that is resolved."""

    facts: Facts
    dispute_id: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The dispute gave the buyer money, which is on its way."""

    facts: Facts
    outcome: Outcome
    lost: bool


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


Order: TypeAlias = Unplaced | Active | DialogOpen | CancelPending | Disputed | Resolved | Cancelled | Closed
Placed: TypeAlias = Active | DialogOpen | CancelPending | Disputed | Resolved | Cancelled | Closed
