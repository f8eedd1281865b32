"""An order to test with: sensible values for everything, so that a test names only what it is about.

`START` is a Monday, 10:00 in Los Angeles, weeks from any change of the clocks. The order costs 19.99 dollars, is
paid by card, and is placed at `START` under the default policy with a clock of rate 1.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from countermand.contracts.base import Actor, Brief, Contact, Role, SellerRef
from countermand.contracts.order import (
    CancelDialogOpened,
    CancelGround,
    CancelPath,
    CancelReason,
    CancelRefused,
    CancelRequested,
    CancelSuperseded,
    Goods,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    Outcome,
    PaymentAcknowledged,
    PaymentMethod,
    PlaceOrder,
    RefundCause,
    RefundIssued,
    RefundReceived,
    RefusalGround,
    ShipmentNoted,
)
from countermand.contracts.seller import (
    ParcelPlanned,
    ParcelReleased,
    ParcelScanned,
    RequestHeard,
    SellerAccepted,
    SellerMessaged,
    SellerRefused,
    Shipped,
)
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy
from countermand.kernel.terms import Clock, Terms

ORDER_ID: Final = "7k2m9x4q1z8w5v3t6r0p2n4j"
START: Final = datetime(2026, 6, 1, 17, tzinfo=UTC)
PRICE: Final = Money(amount_minor=1999, currency="USD")
NOTHING: Final = Money(amount_minor=0, currency="USD")
TRACKING: Final = "LX123456785CN"
GLADLY: Final = "You ordered moments ago: sellers usually agree to this at once."

BUYER: Final = Actor(role=Role.BUYER, id="bea")
STRANGER: Final = Actor(role=Role.BUYER, id="mallory")
SELLER: Final = Actor(role=Role.SELLER, id="shop-7")
OTHER_SELLER: Final = Actor(role=Role.SELLER, id="shop-8")
PLATFORM: Final = Actor(role=Role.PLATFORM, id="payments")


def after(*, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
    """So long after the order was placed."""
    return START + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def terms(policy: Policy | None = None, *, rate: float = 1, seed: int = 7) -> Terms:
    """Terms with this policy, or the default one."""
    return Terms(seed=seed, policy=policy or Policy(), clock=Clock(epoch=START, started_at=START, rate=rate))


def shop(profile: str = "prompt") -> SellerRef:
    """The seller of the order."""
    return SellerRef(id=SELLER.id, profile=profile)


def brief(profile: str = "prompt") -> Brief:
    """What listeners are told of the order."""
    buyer = Contact(id=BUYER.id, name="Bea Buyer", email="bea@example.org")
    return Brief(buyer=buyer, seller=shop(profile), item="A blue lamp", price=PRICE)


TERMS: Final = terms()
BRIEF: Final = brief()
SHIP_BY: Final = after(days=9)
"""Seven business days after `START`."""
SHIPS_AT: Final = after(days=3)
"""When most sellers hand the parcel over."""


# What is asked of the order, and what happened to it.


def place(
    *,
    paid: bool = False,
    profile: str = "prompt",
    method: PaymentMethod = PaymentMethod.CARD,
    under: Terms = TERMS,
    actor: Actor = BUYER,
) -> PlaceOrder:
    """The buyer orders."""
    return PlaceOrder(actor=actor, brief=brief(profile), payment_method=method, paid=paid, terms=under.ref)


def placed(*, paid: bool = False, method: PaymentMethod = PaymentMethod.CARD, under: Terms = TERMS) -> OrderPlaced:
    """Placed at `START`: to be paid within 20 days, or shipped within 7 business days."""
    return OrderPlaced(
        brief=BRIEF,
        payment_method=method,
        paid=paid,
        terms=under.ref,
        placed_at=START,
        pay_by=None if paid else after(days=20),
        ship_by=SHIP_BY if paid else None,
    )


def acknowledged(
    at: datetime = START, *, ship_by: datetime | None = SHIP_BY, late: bool = False
) -> PaymentAcknowledged:
    """The platform confirmed the money."""
    return PaymentAcknowledged(brief=BRIEF, amount=PRICE, acknowledged_at=at, ship_by=ship_by, late=late)


def dialog(reason: CancelReason = CancelReason.BETTER_OFFER) -> CancelDialogOpened:
    """The dialog, opened at `START`."""
    return CancelDialogOpened(reason=reason, advice=GLADLY, lapses_at=after(minutes=15))


def requested(
    *,
    dialog_id: str | None = None,
    reason: CancelReason = CancelReason.BETTER_OFFER,
    text: str = "",
    paid: bool = False,
    consent_required: bool = True,
    at: datetime = START,
) -> CancelRequested:
    """A request by the dialog of that id, or else by contact; to be answered within 72 hours."""
    return CancelRequested(
        brief=BRIEF,
        path=CancelPath.SELF_SERVICE if dialog_id else CancelPath.CONTACT,
        reason=reason,
        text=text,
        dialog_id=dialog_id,
        paid=paid,
        requested_at=at,
        answer_by=at + timedelta(hours=72),
        consent_required=consent_required,
    )


def refused(request_id: str, ground: RefusalGround = RefusalGround.KEEPS_THE_SALE, text: str = "") -> CancelRefused:
    """The seller said no."""
    return CancelRefused(brief=BRIEF, request_id=request_id, ground=ground, text=text)


def superseded(request_id: str, at: datetime = START) -> CancelSuperseded:
    """The parcel left while the request was pending."""
    return CancelSuperseded(brief=BRIEF, request_id=request_id, tracking_number=TRACKING, shipped_at=at)


def cancelled(
    ground: CancelGround = CancelGround.SELLER_AGREED, request_id: str | None = None, refund_due_minor: int = 0
) -> OrderCancelled:
    """The order is cancelled."""
    return OrderCancelled(brief=BRIEF, ground=ground, request_id=request_id, refund_due_minor=refund_due_minor)


def noted(at: datetime = START) -> ShipmentNoted:
    """The order knows that the parcel left."""
    return ShipmentNoted(tracking_number=TRACKING, shipped_at=at)


def delivered(at: datetime) -> OrderDelivered:
    """The parcel arrived; the buyer is protected for 15 days more."""
    return OrderDelivered(delivered_at=at, protected_until=at + timedelta(days=15), after_cancellation=False)


def refund_issued(
    arrives_at: datetime,
    *,
    at: datetime = START,
    cause: RefundCause = RefundCause.CANCELLATION,
    method: PaymentMethod = PaymentMethod.CARD,
    amount: Money = PRICE,
    lost_dispute: bool = False,
) -> RefundIssued:
    """The money, all of it if nothing else is said, is on its way back."""
    return RefundIssued(
        brief=BRIEF,
        amount=amount,
        method=method,
        cause=cause,
        issued_at=at,
        arrives_at=arrives_at,
        lost_dispute=lost_dispute,
    )


def refund_received(refund_id: str, amount: Money = PRICE) -> RefundReceived:
    """The money is back."""
    return RefundReceived(refund_id=refund_id, amount=amount)


def closed(
    outcome: Outcome = Outcome.CANCELLED_UNPAID,
    goods: Goods = Goods.NOT_SHIPPED,
    refunded: Money = NOTHING,
    *,
    against_seller: bool = False,
) -> OrderClosed:
    """The order ended."""
    return OrderClosed(seller=shop(), outcome=outcome, goods=goods, refunded=refunded, against_seller=against_seller)


# What happened at the seller's desk and in the warehouse.


def planned(ships_at: datetime = SHIPS_AT, profile: str = "prompt") -> ParcelPlanned:
    """The parcel will leave."""
    return ParcelPlanned(seller=shop(profile), ships_at=ships_at)


def heard(request_id: str = "r1", answers_at: datetime | None = None, profile: str = "manual") -> RequestHeard:
    """The seller has read the request and has not answered."""
    return RequestHeard(seller=shop(profile), request_id=request_id, answers_at=answers_at)


def accepted(request_id: str = "r1") -> SellerAccepted:
    """The seller said yes."""
    return SellerAccepted(request_id=request_id)


def declined(
    request_id: str = "r1",
    ground: RefusalGround = RefusalGround.KEEPS_THE_SALE,
    text: str = "",
    ships_at: datetime | None = None,
) -> SellerRefused:
    """The seller said no."""
    return SellerRefused(request_id=request_id, ground=ground, text=text, ships_at=ships_at)


def messaged(actor: Actor = BUYER, request_id: str | None = None) -> SellerMessaged:
    """A message reached the seller."""
    return SellerMessaged(
        actor=actor, reason=CancelReason.BETTER_OFFER, text="Please do not send it.", request_id=request_id
    )


def released(ended_id: str, ships_at: datetime | None = None) -> ParcelReleased:
    """What held the parcel has ended."""
    return ParcelReleased(ended_id=ended_id, ships_at=ships_at)


def shipped(
    at: datetime = START, tracking_number: str = TRACKING, scanned_after: timedelta = timedelta(hours=12)
) -> Shipped:
    """The parcel left; first scan after 12 hours, at the door after 4 days."""
    return Shipped(
        tracking_number=tracking_number,
        shipped_at=at,
        scanned_at=at + scanned_after,
        arrives_at=at + timedelta(days=4),
    )


def scanned(at: datetime, arrives_at: datetime, *, delivered: bool = False) -> ParcelScanned:
    """The carrier scanned the parcel."""
    return ParcelScanned(tracking_number=TRACKING, scanned_at=at, arrives_at=arrives_at, delivered=delivered)
