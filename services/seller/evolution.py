"""How the seller's side changes with what happens, and of what it wants to be reminded. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from countermand.contracts.seller import (
    DisputeReplied,
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
from countermand.kernel.decider import Deadline
from services.seller.events import SellerEvent
from services.seller.state import Arrived, AtRest, Desk, Gone, Heard, Held, Planned, Seller, Stopped


def evolve(state: Seller, event: SellerEvent, event_id: str) -> Seller:
    """The seller's side after `event`."""
    desk = state.desk
    match event:
        case RequestHeard(seller=seller, request_id=request_id, answers_at=answers_at):
            waiting = Heard(request_id, event_id, answers_at)
            before = (*desk.heard_before, request_id)
            return replace(state, desk=replace(desk, seller=seller, heard=waiting, heard_before=before))
        case SellerAccepted(request_id=request_id):
            return Held(_answered(desk, request_id), request_id, accepted=True, ships_at=_plan(state))
        case SellerRefused(request_id=request_id, ships_at=ships_at):
            rested = _released(state, ships_at, event_id) if _held_by_message(state) else state
            return replace(rested, desk=_answered(desk, request_id))
        case SellerMessaged():
            return _read(state, event_id)
        case ParcelPlanned(seller=seller, ships_at=ships_at):
            known = replace(desk, seller=seller)
            match state:
                case Held():
                    return replace(state, desk=known, ships_at=ships_at)
                case AtRest(message_id=str() as message_id) if known.profile.reads_messages:
                    return Held(known, message_id, accepted=False, ships_at=ships_at)
                case _:
                    return Planned(known, ships_at, event_id)
        case ParcelReleased(ended_id=ended, ships_at=ships_at):
            heard = None if desk.waits(ended) else desk.heard
            return replace(_released(state, ships_at, event_id), desk=replace(desk, heard=heard))
        case ParcelStopped():
            return Stopped(replace(desk, heard=None))
        case Shipped(tracking_number=number, scanned_at=scans_at, arrives_at=arrives_at):
            return Gone(desk, number, event_id, scans_at, arrives_at)
        case ParcelScanned(delivered=True, tracking_number=number):
            return Arrived(desk, number)
        case ParcelScanned(tracking_number=number, arrives_at=arrives_at):
            return Gone(desk, number, event_id, None, arrives_at)
        case TrackingProvided() | TrackingUnavailable():
            return replace(state, desk=replace(desk, tracking_shown=True))
        case DisputeReplied(dispute_id=dispute_id):
            return replace(state, desk=replace(desk, replied=(*desk.replied, dispute_id)))
        case SellerRated():
            return replace(state, desk=replace(desk, rated=True))
        case PartialRefundOffered():
            return state
        case _:
            assert_never(event)


def deadlines(state: Seller) -> tuple[Deadline, ...]:
    """Every reminder that the seller wants in this state."""
    heard = state.desk.heard
    answer = (Deadline("SellerAnswers", heard.event_id, heard.answers_at),) if heard and heard.answers_at else ()
    match state:
        case Planned(ships_at=ships_at, id=planned):
            return (*answer, Deadline("HandOverDue", planned, ships_at))
        case Gone(scan_id=last, scans_at=datetime() as scans_at):
            return (*answer, Deadline("ScanDue", last, scans_at))
        case Gone(scan_id=last, arrives_at=arrives_at):
            return (*answer, Deadline("DeliveryDue", last, arrives_at))
        case AtRest() | Held() | Stopped() | Arrived():
            return answer
        case _:
            assert_never(state)


def _answered(desk: Desk, request_id: str) -> Desk:
    return replace(desk, heard=None, answered=(*desk.answered, request_id))


def _plan(state: Seller) -> datetime | None:
    return state.ships_at if isinstance(state, Planned | Held) else None


def _held_by_message(state: Seller) -> bool:
    return isinstance(state, AtRest) or (isinstance(state, Held) and not state.accepted)


def _released(state: Seller, ships_at: datetime | None, event_id: str) -> Seller:
    if isinstance(state, AtRest | Held):
        return Planned(state.desk, ships_at, event_id) if ships_at else AtRest(state.desk)
    return state


def _read(state: Seller, message_id: str) -> Seller:
    """A message stops the parcel, at sellers who read messages (R7, X4)."""
    reads = state.desk.seller is None or state.desk.profile.reads_messages
    match state:
        case Planned(ships_at=ships_at) if reads:
            return Held(state.desk, message_id, accepted=False, ships_at=ships_at)
        case Held(accepted=False):
            return replace(state, by=message_id)  # Dismissing an earlier message must not release the parcel.
        case AtRest() if reads:
            return AtRest(state.desk, message_id)
        case _:
            return state
