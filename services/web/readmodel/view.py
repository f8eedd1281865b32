"""What the read model keeps of one order: a part for each owner, folded from that owner's events alone.

The parts never look at one another while they are folded, so it does not matter in which order the streams are read.
Times called `…_real_at` are the broker's; all others are the order's own simulated time.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from countermand.contracts.base import Brief, Contact, Role, SellerRecord
from countermand.contracts.dispute import ClaimGround, Evidence, Remedy, Resolution, Stance
from countermand.contracts.order import (
    CancelGround,
    CancelPath,
    CancelReason,
    Goods,
    Outcome,
    PaymentMethod,
    RefundCause,
    RefusalGround,
)
from countermand.kernel.money import Money
from countermand.kernel.policy import PromisedEmail
from countermand.kernel.terms import TermsRef


class Phase(StrEnum):
    """Where an order stands, as its own journal says."""

    ACTIVE = "active"
    DIALOG_OPEN = "dialog_open"
    CANCEL_PENDING = "cancel_pending"
    DISPUTED = "disputed"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class Answer(StrEnum):
    """What became of a cancellation request."""

    PENDING = "pending"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class DisputePhase(StrEnum):
    """Where a dispute stands."""

    OPENED = "opened"
    NEGOTIATING = "negotiating"
    AGREED = "agreed"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Dialog:
    """The cancel dialog that was shown last (R4, R27); `id` is the `dialog_id` of the confirmation."""

    id: str
    reason: CancelReason
    advice: str
    lapses_at: datetime
    seller_record: SellerRecord | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The last cancellation request and its one answer. `answer_id`: the event that answered it."""

    id: str
    path: CancelPath
    reason: CancelReason
    requested_at: datetime
    requested_real_at: datetime
    answer_by: datetime
    text: str = ""
    answer: Answer = Answer.PENDING
    answer_id: str | None = None
    answered_at: datetime | None = None
    answered_real_at: datetime | None = None
    ground: RefusalGround | None = None
    answer_text: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back; `received` once it has arrived."""

    id: str
    amount: Money
    method: PaymentMethod
    cause: RefundCause
    issued_at: datetime
    arrives_at: datetime
    received: bool = False


@dataclass(frozen=True, slots=True)
class PartialOffer:
    """A part of the money that the seller would give back (R21)."""

    id: str
    amount: Money
    text: str = ""


@dataclass(frozen=True, slots=True)
class OrderPart:
    """What the order's own journal says.

    `refused`: the last request that was refused or expired, until there is another one; `tracking_due`: by when the
    seller must show a number (R17); `offer`: the seller's standing offer of a part.
    """

    brief: Brief
    payment_method: PaymentMethod
    terms: TermsRef
    placed_at: datetime
    placed_real_at: datetime
    captured_minor: int = 0
    phase: Phase = Phase.ACTIVE
    run_id: str | None = None
    customer: Contact | None = None
    customer_refunded: Money | None = None
    paid_at: datetime | None = None
    pay_by: datetime | None = None
    ship_by: datetime | None = None
    dialog: Dialog | None = None
    request: Request | None = None
    requests: int = 0
    refused: str | None = None
    tracking_asked_at: datetime | None = None
    tracking_due: datetime | None = None
    tracking_number: str | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    protected_until: datetime | None = None
    offer: PartialOffer | None = None
    conceded: bool = False
    dispute_id: str | None = None
    refunds: tuple[Refund, ...] = ()
    cancelled_at: datetime | None = None
    cancel_ground: CancelGround | None = None
    outcome: Outcome | None = None
    goods: Goods | None = None
    against_seller: bool = False
    closed_at: datetime | None = None
    strangers: int = 0

    @property
    def paid(self) -> bool:
        """Whether the money is confirmed."""
        return self.captured_minor > 0

    @property
    def refunded_minor(self) -> int:
        """The sum of all refunds issued."""
        return sum(refund.amount.amount_minor for refund in self.refunds)


@dataclass(frozen=True, slots=True)
class Message:
    """What the buyer wrote to the seller; `id` is the event that brought it."""

    id: str
    by: Role
    by_id: str
    reason: CancelReason
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SellerPart:
    """What the seller's journal says.

    `heard`: the request that waits for the seller's answer; `answers_at`: when a simulated one will give it;
    `accepted`: the request whose acceptance holds the parcel; `proof`: the number that the seller showed when asked for it (R17), which may belong to no parcel.
    """

    heard: str | None = None
    answers_at: datetime | None = None
    accepted: str | None = None
    ships_at: datetime | None = None
    stopped: bool = False
    tracking_number: str | None = None
    shipped_at: datetime | None = None
    first_scan_at: datetime | None = None
    arrives_at: datetime | None = None
    delivered_at: datetime | None = None
    proof: str | None = None
    unavailable: bool = False
    offers: tuple[PartialOffer, ...] = ()
    messages: tuple[Message, ...] = ()
    rated_positive: bool | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """A standing offer to end a dispute; `id` is the `offer_id` of the acceptance."""

    id: str
    by: Role
    remedy: Remedy
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ruling:
    """How a dispute ended, by which rule and on which facts (R22)."""

    by: Resolution
    refund: Money
    rule: str
    facts: tuple[str, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class DisputePart:
    """What the dispute's journal says of the last dispute.

    `decided`: one was resolved and was not moot, so that no other can be opened.
    """

    id: str
    ground: ClaimGround
    claim: Money
    opened_at: datetime
    answer_by: datetime
    phase: DisputePhase = DisputePhase.OPENED
    text: str = ""
    evidence: tuple[Evidence, ...] = ()
    stance: Stance | None = None
    answer_text: str = ""
    answer_evidence: tuple[Evidence, ...] = ()
    negotiate_until: datetime | None = None
    offers: tuple[Settlement, ...] = ()
    agreed: Remedy | None = None
    return_by: datetime | None = None
    return_sent: bool = False
    escalated_because: str | None = None
    ruling: Ruling | None = None
    decided: bool = False

    def offer_of(self, side: Role) -> Settlement | None:
        """That side's standing offer."""
        return next((offer for offer in self.offers if offer.by is side), None)


@dataclass(frozen=True, slots=True)
class Email:
    """An email that was sent, or that a mail server refused for good (`failed` says why)."""

    kind: PromisedEmail
    fact_id: str
    to: str
    message_id: str
    real_at: datetime
    subject: str = ""
    failed: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Promise:
    """A fact that the buyer is told of, if the order's policy says so."""

    real_at: datetime
    fact_id: str
    kind: PromisedEmail


@dataclass(frozen=True, slots=True)
class View:
    """All that is kept of an order. `events`: how many it is folded from."""

    order_id: str
    order: OrderPart | None = None
    seller: SellerPart = field(default_factory=SellerPart)
    dispute: DisputePart | None = None
    emails: tuple[Email, ...] = ()
    promises: tuple[Promise, ...] = ()
    events: int = 0
    changed_real_at: datetime | None = None

    @property
    def placed(self) -> OrderPart:
        """The order's part, which is there in all that the read model answers.

        Raises:
            ValueError: nobody has placed it yet.
        """
        if self.order is None:
            msg = f"nobody has placed {self.order_id}"
            raise ValueError(msg)
        return self.order
