"""The seller's language: what buyers and sellers ask of the seller's desk, and what it records about answers and parcels."""

from datetime import datetime
from typing import ClassVar, Final

from pydantic import Field

from countermand.contracts.base import Actor, Command, Event, Name, Owner, Reference, SellerRef, Text
from countermand.contracts.dispute import Evidence, Stance
from countermand.contracts.order import CancelReason, Outcome, RefusalGround
from countermand.kernel.money import Money


class _Command(Command):
    owner: ClassVar[Owner] = Owner.SELLER


class _Event(Event):
    owner: ClassVar[Owner] = Owner.SELLER


class MessageSeller(_Command):
    """The buyer writes to the seller (R7). Name the pending request, if there is one, so that the seller learns of it."""

    reason: CancelReason
    text: Text
    request_id: Reference | None = None


class AcceptCancel(_Command):
    """The seller agrees, by hand."""

    request_id: Reference


class RefuseCancel(_Command):
    """The seller says no, by hand."""

    request_id: Reference
    ground: RefusalGround
    text: Text = ""


class ShipOrder(_Command):
    """The seller hands the parcel over, by hand."""

    tracking_number: Name | None = None


class ProvideTracking(_Command):
    """The seller gives the tracking number, by hand (R17)."""

    tracking_number: Name


class OfferPartialRefund(_Command):
    """The seller concedes a part of the money, by hand (R21)."""

    amount: Money
    text: Text = ""


class RequestHeard(_Event):
    """The seller has read a request and will answer later; `answers_at` is nothing when a person will."""

    seller: SellerRef
    request_id: Reference
    answers_at: datetime | None


class SellerAccepted(_Event):
    """The seller agrees to a request (R5, R10) and holds the parcel."""

    request_id: Reference


class SellerRefused(_Event):
    """The seller says no to a request (R16). `ships_at`: when a parcel that a message had stopped goes on."""

    request_id: Reference
    ground: RefusalGround
    text: Text = ""
    ships_at: datetime | None


class SellerMessaged(_Event):
    """The buyer's message reached the seller, who stops the parcel if it is still there (R7, X4)."""

    actor: Actor
    reason: CancelReason
    text: Text
    request_id: Reference | None


class TrackingProvided(_Event):
    """The seller shows a tracking number (R17). Whether a carrier ever scans it is another matter."""

    tracking_number: Name


class TrackingUnavailable(_Event):
    """The seller cannot show a tracking number (R18)."""


class PartialRefundOffered(_Event):
    """The seller would give back a part (R21). Its id is the `offer_id` of the acceptance."""

    amount: Money
    text: Text = ""


class DisputeReplied(_Event):
    """What a simulated seller says to a dispute: it concedes the claim, offers a part, or contests."""

    dispute_id: Reference
    stance: Stance
    amount: Money | None = Field(description="the part offered; nothing if it concedes or contests")
    text: Text = ""
    evidence: tuple[Evidence, ...] = ()


class SellerRated(_Event):
    """How an order ended, for the seller's feedback (R24)."""

    seller: SellerRef
    positive: bool
    outcome: Outcome


class ParcelPlanned(_Event):
    """The warehouse will hand the parcel over at `ships_at`."""

    seller: SellerRef
    ships_at: datetime


class ParcelReleased(_Event):
    """The request that held the parcel ended without a cancellation: it may ship again at `ships_at`, if it was planned."""

    ended_id: Reference = Field(description="the request or the message that held it")
    ships_at: datetime | None


class ParcelStopped(_Event):
    """The order is cancelled: the parcel never leaves."""


class Shipped(_Event):
    """The parcel is with the carrier."""

    tracking_number: Name
    shipped_at: datetime
    scanned_at: datetime = Field(description="when the carrier first scans it")
    arrives_at: datetime


class ParcelScanned(_Event):
    """The carrier scanned the parcel: first on acceptance, last on delivery."""

    tracking_number: Name
    scanned_at: datetime
    arrives_at: datetime
    delivered: bool


COMMANDS: Final[tuple[type[Command], ...]] = (
    MessageSeller,
    AcceptCancel,
    RefuseCancel,
    ShipOrder,
    ProvideTracking,
    OfferPartialRefund,
)
EVENTS: Final[tuple[type[Event], ...]] = (
    RequestHeard,
    SellerAccepted,
    SellerRefused,
    SellerMessaged,
    ParcelPlanned,
    ParcelReleased,
    ParcelStopped,
    Shipped,
    ParcelScanned,
    TrackingProvided,
    TrackingUnavailable,
    PartialRefundOffered,
    DisputeReplied,
    SellerRated,
)
