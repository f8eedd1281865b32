"""What the seller does about what it hears: one named function a message, each a command to itself. Pure."""

from collections.abc import Sequence

from countermand.contracts.base import Event
from countermand.contracts.order import (
    AcceptanceSuperseded,
    CancelExpired,
    CancelGround,
    CancelPath,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelRequestRepeated,
    CancelWithdrawn,
    DisputeNoted,
    OrderCancelled,
    OrderClosed,
    OrderPlaced,
    PaymentAcknowledged,
    TrackingAsked,
)
from countermand.contracts.seller import (
    AcceptCancel,
    OfferPartialRefund,
    ProvideTracking,
    RefuseCancel,
    ShipOrder,
)
from countermand.kernel.reactions import Reactions
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
from services.seller.profiles import profile_named

REACTIONS: Reactions[SellerCommand] = Reactions()
on = REACTIONS.on

TIMERS = {"SellerAnswers": GiveAnswer, "HandOverDue": HandOver, "ScanDue": Scan, "DeliveryDue": Deliver}
"""What a fired timer of each name asks of the seller."""


BY_HAND = (AcceptCancel, RefuseCancel, ShipOrder, ProvideTracking, OfferPartialRefund)
"""What only the seller of the order may do, whoever that is: the order's history tells."""


def inform(command: SellerCommand, history: Sequence[Event]) -> SellerCommand:
    """Say who the seller is to what somebody asks at the desk."""
    if not isinstance(command, BY_HAND):
        return command
    placed = next((event for event in history if isinstance(event, OrderPlaced)), None)
    return ByHand(command, placed.brief.seller if placed else None)


@on(OrderPlaced)
def plan_the_parcel_of_an_order(event: OrderPlaced, _id: str) -> SellerCommand | None:
    """R25: some send before the money is there."""
    seller = event.brief.seller
    return PlanParcel(seller) if profile_named(seller.profile).sends(paid=event.paid) else None


@on(PaymentAcknowledged)
def plan_the_parcel_when_paid(event: PaymentAcknowledged, _id: str) -> SellerCommand | None:
    """R15: sellers send as fast as they can once they are paid."""
    seller = event.brief.seller
    return PlanParcel(seller) if profile_named(seller.profile).sends(paid=True) and not event.late else None


@on(CancelRequested)
def consider_a_request(event: CancelRequested, event_id: str) -> SellerCommand | None:
    """R5, R7, R10."""
    return ConsiderRequest(event_id, event.brief.seller, event.path) if event.consent_required else None


@on(CancelRequestRepeated)
def consider_a_request_repeated_by_message(event: CancelRequestRepeated, _id: str) -> SellerCommand:
    """R7: the message reaches a seller whom the request did not."""
    return ConsiderRequest(event.request_id, event.brief.seller, CancelPath.CONTACT)


@on(OrderCancelled)
def stop_the_parcel_of_a_cancelled_order(event: OrderCancelled, _id: str) -> SellerCommand | None:
    """R5, X2: a seller who agreed holds the parcel already."""
    return None if event.ground is CancelGround.SELLER_AGREED else StopParcel(event.brief.seller)


@on(CancelWithdrawn)
def end_a_withdrawn_request(event: CancelWithdrawn, _id: str) -> SellerCommand:
    """X10."""
    return EndRequest(event.request_id)


@on(CancelExpired)
def end_an_expired_request(event: CancelExpired, _id: str) -> SellerCommand:
    """X8."""
    return EndRequest(event.request_id)


@on(AcceptanceSuperseded)
def end_a_request_accepted_too_late(event: AcceptanceSuperseded, _id: str) -> SellerCommand:
    """X8, X10."""
    return EndRequest(event.request_id)


@on(CancelRejectedNotBuyer)
def dismiss_a_message_that_was_not_the_buyers(event: CancelRejectedNotBuyer, _id: str) -> SellerCommand | None:
    """R2."""
    return DismissMessage(event.message_id) if event.message_id else None


@on(TrackingAsked)
def show_the_tracking_number(event: TrackingAsked, _id: str) -> SellerCommand:
    """R17."""
    return ShowTracking(event.seller)


@on(DisputeNoted)
def reply_to_a_dispute(event: DisputeNoted, _id: str) -> SellerCommand | None:
    """R20, R21: the order knows of it; one that is moot needs no answer."""
    if event.seller is None or event.claim is None:
        return None
    return ReplyToDispute(event.dispute_id, event.seller, event.claim)


@on(OrderClosed)
def take_the_feedback(event: OrderClosed, _id: str) -> SellerCommand:
    """R24."""
    return Rate(event.seller, event.outcome, positive=not event.against_seller)
