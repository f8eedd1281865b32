"""What a seller says: to a request, to a question for the tracking number, in a dispute. It follows from its profile. Pure."""

from datetime import datetime
from hashlib import sha256
from typing import Final, TypeAlias, assert_never

from countermand.contracts.dispute import Evidence, Stance
from countermand.contracts.order import CancelPath, RefusalGround
from countermand.contracts.seller import (
    DisputeReplied,
    RequestHeard,
    SellerAccepted,
    SellerRefused,
    TrackingProvided,
    TrackingUnavailable,
)
from countermand.kernel.draw import draw, draw_between
from countermand.kernel.money import Money
from services.seller.commands import ConsiderRequest, ReplyToDispute
from services.seller.events import SellerEvent
from services.seller.profiles import AT_ONCE, Profile, profile_named
from services.seller.state import Arrived, AtRest, Desk, Gone, Held, Planned, Seller

Unstopped: TypeAlias = AtRest | Planned | Held | Gone | Arrived

_PACKING_PHOTO: Final = Evidence(
    text="Photographs of the item and of its packing, taken before it was sent.",
    sha256=sha256(b"packing photographs").hexdigest(),
)
"""What a simulated seller has to show."""


def consider(command: ConsiderRequest, state: Unstopped, now: datetime) -> SellerEvent | None:
    """What the seller does about a request that reaches it, or nothing if it does not (R7, R25)."""
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
    return answer(command.request_id, state, profile, now)


def answer(request_id: str, state: Unstopped, profile: Profile, now: datetime) -> SellerEvent:
    """The seller's answer: a parcel that has left leaves no choice; else its profile and the order's seed decide (R5, R16)."""
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
                ships_at=resumes(state, now),
            )
        case _:
            assert_never(state)


def show_tracking(profile: Profile, desk: Desk) -> TrackingProvided | TrackingUnavailable | None:
    """There is no parcel: a liar shows a number all the same, an honest seller says so, others say nothing (R17, R18)."""
    if profile.manual:
        return None
    if profile.fakes_tracking:
        return TrackingProvided(tracking_number=tracking_number(desk))
    return None if profile.answers_after is None else TrackingUnavailable()


def reply(command: ReplyToDispute) -> DisputeReplied | None:
    """What its profile says in a dispute (R20, R21)."""
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


def tracking_number(desk: Desk) -> str:
    """The number of this order's parcel, or of the one that a liar tells of."""
    drawn = draw_between(10**8, 10**9 - 1, desk.terms.seed, desk.order_id, "tracking number")
    return f"LX{drawn}CN"


def resumes(state: Seller, now: datetime, *, even_accepted: bool = False) -> datetime | None:
    """When a parcel that was held leaves after all; nothing where none was planned, or an acceptance holds it."""
    if not isinstance(state, Held) or state.ships_at is None or (state.accepted and not even_accepted):
        return None
    return max(state.ships_at, now)
