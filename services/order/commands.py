"""What the order asks of itself when it hears something; what buyers ask is in `countermand.contracts.order`."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from countermand.contracts.base import Actor
from countermand.contracts.order import (
    AcceptPartialRefund,
    AcknowledgePayment,
    AskForTracking,
    AskSellerToCancel,
    CancelReason,
    ConfirmCancel,
    ConfirmReceipt,
    OpenCancelDialog,
    PlaceOrder,
    RefundCustomer,
    RefusalGround,
    WithdrawCancel,
)
from countermand.kernel.money import Money


@dataclass(frozen=True, slots=True)
class HearMessage:
    """The buyer's message reached the seller: a request of its own, or a word about the pending one (X4)."""

    message_id: str
    actor: Actor
    reason: CancelReason
    text: str


@dataclass(frozen=True, slots=True)
class CancelAsAgreed:
    """The seller agreed to a request."""

    request_id: str


@dataclass(frozen=True, slots=True)
class CancelWithoutConsent:
    """The policy needs no seller's consent for this request (P13)."""

    request_id: str


@dataclass(frozen=True, slots=True)
class RefuseRequest:
    """The seller said no to a request."""

    request_id: str
    ground: RefusalGround
    text: str


@dataclass(frozen=True, slots=True)
class NoteShipment:
    """The parcel left."""

    tracking_number: str
    shipped_at: datetime


@dataclass(frozen=True, slots=True)
class NoteDelivery:
    """The parcel arrived."""

    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class EndSilence:
    """The seller's time to answer has passed (P2)."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class CloseUnpaid:
    """The time to pay has passed (P4)."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class CloseUnshipped:
    """The time to ship has passed (P5)."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class EndProtection:
    """Buyer protection has ended (P9)."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class NoteOffer:
    """The seller would give back a part (R21)."""

    offer_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class NoteDispute:
    """A dispute was opened."""

    dispute_id: str
    claim: Money


@dataclass(frozen=True, slots=True)
class SettleDispute:
    """A dispute was resolved: so much goes back. `lost`: the seller lost it (P15)."""

    dispute_id: str
    refund_minor: int
    lost: bool


@dataclass(frozen=True, slots=True)
class IssueRefund:
    """Send back what is owed after a cancellation."""


@dataclass(frozen=True, slots=True)
class IssuePartialRefund:
    """Send back the part that was agreed (R21)."""

    amount_minor: int


@dataclass(frozen=True, slots=True)
class ReceiveRefund:
    """A refund has arrived (P11). `deadline_id` is the id of the event that issued it."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class CloseOrder:
    """End the order if nothing is left to settle."""


UserCommand: TypeAlias = (
    PlaceOrder
    | AcknowledgePayment
    | OpenCancelDialog
    | ConfirmCancel
    | WithdrawCancel
    | AskSellerToCancel
    | AskForTracking
    | AcceptPartialRefund
    | RefundCustomer
    | ConfirmReceipt
)
Deadlines: TypeAlias = EndSilence | CloseUnpaid | CloseUnshipped | EndProtection | ReceiveRefund
OrderCommand: TypeAlias = (
    UserCommand
    | Deadlines
    | HearMessage
    | CancelAsAgreed
    | CancelWithoutConsent
    | RefuseRequest
    | NoteShipment
    | NoteDelivery
    | NoteOffer
    | NoteDispute
    | SettleDispute
    | IssuePartialRefund
    | IssueRefund
    | CloseOrder
)
