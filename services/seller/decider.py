"""The seller's desk and warehouse for one order: its answers, and the one arbiter of the parcel (X2). Pure."""

from datetime import datetime
from typing import assert_never

from countermand.contracts.base import Actor, Role
from countermand.contracts.seller import (
    AcceptCancel,
    MessageSeller,
    OfferPartialRefund,
    ParcelPlanned,
    ParcelReleased,
    ParcelScanned,
    ParcelStopped,
    PartialRefundOffered,
    ProvideTracking,
    RefuseCancel,
    SellerAccepted,
    SellerMessaged,
    SellerRated,
    SellerRefused,
    ShipOrder,
    Shipped,
    TrackingProvided,
)
from countermand.kernel.decider import Decider, Decision, Premature, Refused
from services.seller.answering import answer, consider, reply, resumes, show_tracking, tracking_number
from services.seller.commands import (
    ByHand,
    ConsiderRequest,
    Deliver,
    DismissMessage,
    EndRequest,
    GiveAnswer,
    HandOver,
    PlanParcel,
    Rate,
    ReplyToDispute,
    Scan,
    SellerCommand,
    ShowTracking,
    StopParcel,
)
from services.seller.events import SellerEvent
from services.seller.evolution import deadlines, evolve
from services.seller.profiles import profile_named
from services.seller.state import Arrived, AtRest, Desk, Gone, Held, Planned, Seller, Stopped, initial

_NO_REQUEST = Refused("no_such_request", "This request does not wait for your answer.")
_NOT_THE_SELLER = Refused("not_the_seller", "Only the seller of this order may do this.")
_SHIPPED = Refused("already_shipped", "The parcel has left.")
_ACCEPTED = Refused(
    "cancellation_accepted", "You accepted the cancellation: the parcel is held until the order says more."
)
_CANCELLED = Refused("order_cancelled", "The order is cancelled: the parcel stays.")


def decide(command: SellerCommand, state: Seller, now: datetime) -> Decision[SellerEvent]:
    """What follows when `command` meets `state` at `now`: one event, a refusal to tell the sender, or nothing."""
    match command, state:
        # People
        case MessageSeller(actor=actor, reason=reason, text=text, request_id=request_id), _:
            return SellerMessaged(actor=actor, reason=reason, text=text, request_id=request_id)
        case ByHand(asked=asked, seller=seller), _:
            if seller is None:
                return Premature("OrderPlaced")
            return (
                decide(asked, state, now) if asked.actor == Actor(role=Role.SELLER, id=seller.id) else _NOT_THE_SELLER
            )
        case (
            AcceptCancel() | RefuseCancel() | ShipOrder() | ProvideTracking() | OfferPartialRefund(),
            _,
        ) if not _is_seller(command.actor, state.desk):
            return _NOT_THE_SELLER
        case ProvideTracking(tracking_number=number), _:
            return TrackingProvided(tracking_number=number)
        case OfferPartialRefund(amount=amount, text=text), _:
            return PartialRefundOffered(amount=amount, text=text)
        case AcceptCancel(), Gone() | Arrived():
            return _SHIPPED
        case AcceptCancel(request_id=asked), AtRest() | Planned() | Held() | Stopped():
            return SellerAccepted(request_id=asked) if state.desk.waits(asked) else _NO_REQUEST
        case RefuseCancel(request_id=asked, ground=ground, text=text), _:
            if not state.desk.waits(asked):
                return _NO_REQUEST
            return SellerRefused(request_id=asked, ground=ground, text=text, ships_at=resumes(state, now))
        case ShipOrder(), Held(accepted=True):
            return _ACCEPTED
        case ShipOrder(), Stopped():
            return _CANCELLED
        case ShipOrder(), Gone() | Arrived():
            return _SHIPPED
        case ShipOrder(tracking_number=number), AtRest() | Planned() | Held():
            return _ship(state.desk, now, number)

        # Requests
        case ConsiderRequest(request_id=asked), _ if asked in state.desk.heard_before or asked in state.desk.answered:
            return None
        case ConsiderRequest(), Stopped() | Held(accepted=True):
            return None
        case ConsiderRequest(), AtRest() | Planned() | Held() | Gone() | Arrived():
            return consider(command, state, now)
        case GiveAnswer(), Stopped():
            return None
        case GiveAnswer(deadline_id=asked), AtRest() | Planned() | Held() | Gone() | Arrived():
            heard = state.desk.heard
            if heard is None or heard.event_id != asked or heard.answers_at is None or now < heard.answers_at:
                return None
            return answer(heard.request_id, state, state.desk.profile, now)
        case EndRequest(request_id=ended), Held(by=by, accepted=accepted) if ended == by or (
            not accepted and _was_about(state.desk, ended)
        ):
            return ParcelReleased(ended_id=ended, ships_at=resumes(state, now, even_accepted=True))
        case EndRequest(request_id=ended), AtRest(message_id=str()) if _was_about(state.desk, ended):
            return ParcelReleased(ended_id=ended, ships_at=None)
        case EndRequest(request_id=ended), _:
            return ParcelReleased(ended_id=ended, ships_at=None) if state.desk.waits(ended) else None
        case DismissMessage(message_id=message_id), Held(by=held_by) | AtRest(message_id=held_by) if (
            held_by == message_id and state.desk.heard is None
        ):
            return ParcelReleased(ended_id=message_id, ships_at=resumes(state, now))
        case DismissMessage(), _:
            return None

        # Proof, disputes and feedback
        case ShowTracking(), _ if state.desk.tracking_shown:
            return None
        case ShowTracking(), Gone(tracking_number=number) | Arrived(tracking_number=number):
            return TrackingProvided(tracking_number=number)
        case ShowTracking(seller=seller), AtRest() | Planned() | Held() | Stopped():
            return show_tracking(profile_named(seller.profile), state.desk)
        case ReplyToDispute(dispute_id=dispute_id), _ if dispute_id in state.desk.replied:
            return None
        case ReplyToDispute(), _:
            return reply(command)
        case Rate(seller=seller, outcome=outcome, positive=positive), _:
            return None if state.desk.rated else SellerRated(seller=seller, positive=positive, outcome=outcome)

        # The parcel
        case PlanParcel(seller=seller), AtRest() | Held(ships_at=None):
            handling = profile_named(seller.profile).ships_after
            return None if handling is None else ParcelPlanned(seller=seller, ships_at=now + handling)
        case PlanParcel(), Planned() | Held() | Stopped() | Gone() | Arrived():
            return None
        case StopParcel(seller=seller), AtRest() | Planned() | Held(accepted=False):
            return ParcelStopped() if profile_named(seller.profile).hears_cancellations else None
        case StopParcel(), Held() | Stopped() | Gone() | Arrived():
            return None
        case HandOver(deadline_id=asked), Planned(id=planned, ships_at=at) if asked == planned and now >= at:
            return _ship(state.desk, now, None)
        case HandOver(), AtRest() | Planned() | Held() | Stopped() | Gone() | Arrived():
            return None
        case Scan(deadline_id=asked), Gone(scan_id=last, scans_at=datetime() as at) if asked == last and now >= at:
            return _scan(state, at, delivered=False)
        case Deliver(deadline_id=asked), Gone(scan_id=last, scans_at=None) if asked == last and now >= state.arrives_at:
            return _scan(state, state.arrives_at, delivered=True)
        case Scan() | Deliver(), AtRest() | Planned() | Held() | Stopped() | Gone() | Arrived():
            return None
        case _:
            assert_never((command, state))


SELLER: Decider[SellerCommand, Seller, SellerEvent] = Decider(initial, decide, evolve, deadlines)


def _ship(desk: Desk, now: datetime, number: str | None) -> Shipped:
    return Shipped(
        tracking_number=number or tracking_number(desk),
        shipped_at=now,
        scanned_at=now + desk.profile.scanned_after,
        arrives_at=now + desk.profile.arrives_after,
    )


def _scan(parcel: Gone, at: datetime, *, delivered: bool) -> ParcelScanned:
    return ParcelScanned(
        tracking_number=parcel.tracking_number, scanned_at=at, arrives_at=parcel.arrives_at, delivered=delivered
    )


def _is_seller(actor: Actor, desk: Desk) -> bool:
    return actor.role is Role.SELLER and (desk.seller is None or actor.id == desk.seller.id)


def _was_about(desk: Desk, ended: str) -> bool:
    """Whether a message that stopped the parcel was about the request that ended: not if another one waits."""
    return desk.heard is None or desk.waits(ended)
