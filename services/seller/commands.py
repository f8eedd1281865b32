"""What the seller asks of itself when it hears something; what people ask is in `countermand.contracts.seller`."""

from dataclasses import dataclass
from typing import TypeAlias

from countermand.contracts.base import SellerRef
from countermand.contracts.order import CancelPath, Outcome
from countermand.contracts.seller import (
    AcceptCancel,
    MessageSeller,
    OfferPartialRefund,
    ProvideTracking,
    RefuseCancel,
    ShipOrder,
)
from countermand.kernel.money import Money


@dataclass(frozen=True, slots=True)
class PlanParcel:
    """The order may be sent: it is paid, or the seller does not wait for that."""

    seller: SellerRef


@dataclass(frozen=True, slots=True)
class ConsiderRequest:
    """A request was sent to the seller, who may or may not hear it."""

    request_id: str
    seller: SellerRef
    path: CancelPath


@dataclass(frozen=True, slots=True)
class GiveAnswer:
    """It is time to answer a request heard before."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class StopParcel:
    """The order is cancelled, and not because the seller agreed."""

    seller: SellerRef


@dataclass(frozen=True, slots=True)
class EndRequest:
    """A request ended without a cancellation."""

    request_id: str


@dataclass(frozen=True, slots=True)
class DismissMessage:
    """A message turned out not to be the buyer's (R2)."""

    message_id: str


@dataclass(frozen=True, slots=True)
class ShowTracking:
    """The buyer asks for the proof of shipment (R17)."""

    seller: SellerRef


@dataclass(frozen=True, slots=True)
class ReplyToDispute:
    """The buyer has opened a dispute."""

    dispute_id: str
    seller: SellerRef
    claim: Money


@dataclass(frozen=True, slots=True)
class Rate:
    """The order has ended (R24)."""

    seller: SellerRef
    outcome: Outcome
    positive: bool


@dataclass(frozen=True, slots=True)
class HandOver:
    """It is time to hand the parcel over."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class Scan:
    """It is time for the carrier's first scan."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """It is time for the parcel to arrive."""

    deadline_id: str


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a person at the desk asks, with the seller whom the order was placed with; nothing if there is no order."""

    asked: "DeskCommand"
    seller: SellerRef | None


DeskCommand: TypeAlias = AcceptCancel | RefuseCancel | ShipOrder | ProvideTracking | OfferPartialRefund
UserCommand: TypeAlias = MessageSeller | DeskCommand
SellerCommand: TypeAlias = (
    UserCommand
    | ByHand
    | PlanParcel
    | ConsiderRequest
    | GiveAnswer
    | StopParcel
    | EndRequest
    | DismissMessage
    | ShowTracking
    | ReplyToDispute
    | Rate
    | HandOver
    | Scan
    | Deliver
)
