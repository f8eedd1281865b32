"""What the seller's journal says, event by event. Pure."""

from dataclasses import replace

from countermand.contracts.seller import (
    ParcelPlanned,
    ParcelReleased,
    ParcelScanned,
    ParcelStopped,
    PartialRefundOffered,
    RequestHeard,
    SellerAccepted,
    SellerMessaged,
    SellerRated,
    SellerRefused,
    Shipped,
    TrackingProvided,
    TrackingUnavailable,
)
from countermand.runtime.facts import Fact
from services.web.readmodel.view import Message, PartialOffer, SellerPart


def seller_part(part: SellerPart, fact: Fact) -> SellerPart:
    """The part after an event of the seller's."""
    match fact.event:
        case RequestHeard(request_id=request_id, answers_at=answers_at):
            return replace(part, heard=request_id, answers_at=answers_at)
        case SellerAccepted(request_id=request_id):
            return replace(part, heard=None, answers_at=None, accepted=request_id)
        case SellerRefused(ships_at=ships_at):
            return replace(part, heard=None, answers_at=None, ships_at=ships_at or part.ships_at)
        case SellerMessaged(actor=actor, reason=reason, text=text):
            message = Message(fact.id, actor.role, actor.id, reason, text, fact.simulated_at)
            return replace(part, messages=(*part.messages, message))
        case ParcelPlanned(ships_at=ships_at):
            return replace(part, ships_at=ships_at)
        case ParcelReleased(ended_id=ended, ships_at=ships_at):
            heard = None if part.heard == ended else part.heard
            return replace(part, heard=heard, accepted=None, ships_at=ships_at)
        case ParcelStopped():
            return replace(part, stopped=True, heard=None, answers_at=None, ships_at=None)
        case Shipped(tracking_number=number, shipped_at=at, arrives_at=arrives_at):
            return replace(part, tracking_number=number, shipped_at=at, arrives_at=arrives_at, ships_at=None)
        case ParcelScanned(scanned_at=at, delivered=delivered):
            return replace(part, first_scan_at=part.first_scan_at or at, delivered_at=at if delivered else None)
        case TrackingProvided(tracking_number=number):
            return replace(part, proof=number)
        case TrackingUnavailable():
            return replace(part, unavailable=True)
        case PartialRefundOffered(amount=amount, text=text):
            return replace(part, offers=(*part.offers, PartialOffer(fact.id, amount, text)))
        case SellerRated(positive=positive):
            return replace(part, rated_positive=positive)
        case _:  # What changes nothing here, and what a newer seller may record.
            return part
