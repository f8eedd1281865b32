"""What a dispute needs to know of the order and the parcel, folded from their histories. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

from countermand.contracts.base import Brief, Event
from countermand.contracts.order import (
    CancelExpired,
    CancelRefused,
    CancelRequested,
    CancelSuperseded,
    CancelWithdrawn,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    PaymentAcknowledged,
    RefundIssued,
    TrackingAsked,
)
from countermand.contracts.seller import ParcelScanned, Shipped, TrackingProvided, TrackingUnavailable


@dataclass(frozen=True, slots=True)
class View:
    """An order and its parcel as their own services have recorded them. Amounts in minor units, times simulated.

    `refused`: by the seller's word, or by its silence; `number`: a tracking number that the seller has shown, true or not; `first_scan_at`: the carrier's word.
    """

    brief: Brief | None = None
    captured_minor: int = 0
    refunded_minor: int = 0
    request_pending: bool = False
    refused: bool = False
    provide_by: datetime | None = None
    number: str | None = None
    unavailable: bool = False
    shipped_at: datetime | None = None
    first_scan_at: datetime | None = None
    delivered_at: datetime | None = None
    protected_until: datetime | None = None
    ended: bool = False

    @property
    def owed_minor(self) -> int:
        """What a full refund would still have to pay."""
        return max(0, self.captured_minor - self.refunded_minor)


def view_of(history: Iterable[Event]) -> View:
    """Fold the histories of the order and of the seller, each in its own order."""
    return reduce(_see, history, View())


def _see(view: View, event: Event) -> View:
    match event:
        case OrderPlaced(brief=brief, paid=paid):
            return replace(view, brief=brief, captured_minor=brief.price.amount_minor if paid else 0)
        case PaymentAcknowledged(amount=amount):
            return replace(view, captured_minor=view.captured_minor + amount.amount_minor)
        case CancelRequested():
            return replace(view, request_pending=True)
        case CancelRefused() | CancelExpired():
            return replace(view, request_pending=False, refused=True)
        case CancelWithdrawn() | CancelSuperseded():
            return replace(view, request_pending=False)
        case TrackingAsked(provide_by=provide_by):
            return replace(view, provide_by=provide_by)
        case TrackingProvided(tracking_number=number):
            return replace(view, number=number)
        case TrackingUnavailable():
            return replace(view, unavailable=True)
        case Shipped(shipped_at=at, tracking_number=number):
            return replace(view, shipped_at=at, number=number)
        case ParcelScanned(scanned_at=at, delivered=delivered):
            first = view.first_scan_at or at
            return replace(view, first_scan_at=first, delivered_at=at if delivered else view.delivered_at)
        case OrderDelivered(protected_until=until, delivered_at=at):
            return replace(view, delivered_at=view.delivered_at or at, protected_until=until)
        case RefundIssued(amount=amount):
            return replace(view, refunded_minor=view.refunded_minor + amount.amount_minor)
        case OrderCancelled() | OrderClosed():
            return replace(view, ended=True)
        case _:
            return view
