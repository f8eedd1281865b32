"""The seller's desk and warehouse for one order: its answers, and the one arbiter of the parcel (X2). Pure."""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final, TypeAlias, assert_never

from countermand.contracts.base import Actor, Role
from countermand.contracts.dispute import Evidence, Stance
from countermand.contracts.order import CancelPath, RefusalGround
from countermand.contracts.seller import (
    AcceptCancel,
    DisputeReplied,
    MessageSeller,
    OfferPartialRefund,
    ParcelPlanned,
    ParcelReleased,
    ParcelScanned,
    ParcelStopped,
    PartialRefundOffered,
    ProvideTracking,
    RefuseCancel,
    RequestHeard,
    SellerAccepted,
    SellerMessaged,
    SellerRated,
    SellerRefused,
    ShipOrder,
    Shipped,
    TrackingProvided,
    TrackingUnavailable,
)
from countermand.kernel.decider import Deadline, Decider, Decision, Premature, Refused
from countermand.kernel.draw import draw, draw_between
from countermand.kernel.money import Money
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
from services.seller.profiles import AT_ONCE, Profile, profile_named
from services.seller.state import Arrived, AtRest, Desk, Gone, Heard, Held, Planned, Seller, Stopped, initial

SellerEvent: TypeAlias = (
    TrackingProvided
    | TrackingUnavailable
    | PartialRefundOffered
    | DisputeReplied
    | SellerRated
    | RequestHeard
    | SellerAccepted
    | SellerRefused
    | SellerMessaged
    | ParcelPlanned
    | ParcelReleased
    | ParcelStopped
    | Shipped
    | ParcelScanned
)

Unstopped: TypeAlias = AtRest | Planned | Held | Gone | Arrived

_PACKING_PHOTO: Final = Evidence(
    text="Photographs of the item and of its packing, taken before it was sent.",
    sha256=sha256(b"packing photographs").hexdigest(),
)
"""What a simulated seller has to show."""

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
            return SellerRefused(request_id=asked, ground=ground, text=text, ships_at=_resumes(state, now))
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
            return _consider(command, state, now)
        case GiveAnswer(), Stopped():
            return None
        case GiveAnswer(deadline_id=asked), AtRest() | Planned() | Held() | Gone() | Arrived():
            heard = state.desk.heard
            if heard is None or heard.event_id != asked or heard.answers_at is None or now < heard.answers_at:
                return None
            return _answer(heard.request_id, state, state.desk.profile, now)
        case EndRequest(request_id=ended), Held(by=by, accepted=accepted) if ended == by or (
            not accepted and _was_about(state.desk, ended)
        ):
            return ParcelReleased(ended_id=ended, ships_at=_resumes(state, now, even_accepted=True))
        case EndRequest(request_id=ended), AtRest(message_id=str()) if _was_about(state.desk, ended):
            return ParcelReleased(ended_id=ended, ships_at=None)
        case EndRequest(request_id=ended), _:
            return ParcelReleased(ended_id=ended, ships_at=None) if state.desk.waits(ended) else None
        case DismissMessage(message_id=message_id), Held(by=held_by) | AtRest(message_id=held_by) if (
            held_by == message_id and state.desk.heard is None
        ):
            return ParcelReleased(ended_id=message_id, ships_at=_resumes(state, now))
        case DismissMessage(), _:
            return None

        # Proof, disputes and feedback
        case ShowTracking(), _ if state.desk.tracking_shown:
            return None
        case ShowTracking(), Gone(tracking_number=number) | Arrived(tracking_number=number):
            return TrackingProvided(tracking_number=number)
        case ShowTracking(seller=seller), AtRest() | Planned() | Held() | Stopped():
            return _show_tracking(profile_named(seller.profile), state.desk)
        case ReplyToDispute(dispute_id=dispute_id), _ if dispute_id in state.desk.replied:
            return None
        case ReplyToDispute(), _:
            return _reply(command)
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


SELLER: Decider[SellerCommand, Seller, SellerEvent] = Decider(initial, decide, evolve, deadlines)


def _consider(command: ConsiderRequest, state: Unstopped, now: datetime) -> SellerEvent | None:
    profile = profile_named(command.seller.profile)
    heard = profile.hears_requests if command.path is CancelPath.SELF_SERVICE else profile.reads_messages
    if not heard:
        return None  # R7: it never arrives.
    if profile.manual:
        return RequestHeard(seller=command.seller, request_id=command.request_id, answers_at=None)
    if profile.answers_after is None:
        return None  # R25: some do not respond.
    if profile.answers_after > AT_ONCE:
        answers_at = now + profile.answers_after
        return RequestHeard(seller=command.seller, request_id=command.request_id, answers_at=answers_at)
    return _answer(command.request_id, state, profile, now)


def _answer(request_id: str, state: Unstopped, profile: Profile, now: datetime) -> SellerEvent:
    desk = state.desk
    match state:
        case Gone(tracking_number=number):
            text = f"The parcel {number} is on its way."
            return SellerRefused(request_id=request_id, ground=RefusalGround.ALREADY_SHIPPED, text=text, ships_at=None)
        case Arrived():
            return SellerRefused(request_id=request_id, ground=RefusalGround.ALREADY_SHIPPED, ships_at=None)
        case AtRest() | Planned() | Held():
            asked_for_the_nth_time = f"agrees:{len(desk.answered) + 1}"
            if draw(desk.terms.seed, desk.order_id, asked_for_the_nth_time) < profile.agrees:
                return SellerAccepted(request_id=request_id)
            return SellerRefused(
                request_id=request_id,
                ground=RefusalGround.ALREADY_SHIPPED if profile.lies else RefusalGround.KEEPS_THE_SALE,
                ships_at=_resumes(state, now),
            )
        case _:
            assert_never(state)


def _show_tracking(profile: Profile, desk: Desk) -> TrackingProvided | TrackingUnavailable | None:
    """There is no parcel: a liar shows a number all the same, an honest seller says so, others say nothing (R17, R18)."""
    if profile.manual:
        return None
    if profile.fakes_tracking:
        return TrackingProvided(tracking_number=_tracking_number(desk))
    return None if profile.answers_after is None else TrackingUnavailable()


def _reply(command: ReplyToDispute) -> DisputeReplied | None:
    profile = profile_named(command.seller.profile)
    if profile.in_disputes is None:
        return None
    offers = profile.in_disputes is Stance.OFFERS
    part = Money(
        amount_minor=command.claim.amount_minor * profile.offers_percent // 100, currency=command.claim.currency
    )
    shows = profile.in_disputes is Stance.CONTESTS and profile.shows_evidence
    return DisputeReplied(
        dispute_id=command.dispute_id,
        stance=profile.in_disputes,
        amount=part if offers else None,
        evidence=(_PACKING_PHOTO,) if shows else (),
    )


def _tracking_number(desk: Desk) -> str:
    drawn = draw_between(10**8, 10**9 - 1, desk.terms.seed, desk.order_id, "tracking number")
    return f"LX{drawn}CN"


def _ship(desk: Desk, now: datetime, number: str | None) -> Shipped:
    return Shipped(
        tracking_number=number or _tracking_number(desk),
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


def _answered(desk: Desk, request_id: str) -> Desk:
    return replace(desk, heard=None, answered=(*desk.answered, request_id))


def _plan(state: Seller) -> datetime | None:
    return state.ships_at if isinstance(state, Planned | Held) else None


def _held_by_message(state: Seller) -> bool:
    return isinstance(state, AtRest) or (isinstance(state, Held) and not state.accepted)


def _was_about(desk: Desk, ended: str) -> bool:
    """Whether a message that stopped the parcel was about the request that ended: not if another one waits."""
    return desk.heard is None or desk.waits(ended)


def _resumes(state: Seller, now: datetime, *, even_accepted: bool = False) -> datetime | None:
    """When a parcel that was held leaves after all; nothing where none was planned, or an acceptance holds it."""
    if not isinstance(state, Held) or state.ships_at is None or (state.accepted and not even_accepted):
        return None
    return max(state.ships_at, now)


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
