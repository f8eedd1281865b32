"""What the seller records, honestly."""

from datetime import datetime, timedelta

from countermand.contracts.order import (
    RefusalGround,
)
from countermand.contracts.seller import (
    ParcelPlanned,
    ParcelReleased,
    ParcelScanned,
    PartialRefundOffered,
    RequestHeard,
    SellerAccepted,
    SellerRefused,
    Shipped,
)
from tests.support.writer import Writer, usd


class SellerSide(Writer):
    """The seller's events."""

    def hear(self, request: str, answers_at: datetime | None = None) -> str:
        """The seller reads a request."""
        body = RequestHeard(seller=self.brief.seller, request_id=request, answers_at=answers_at)
        return self.tell(body, request, "ConsiderRequest")

    def accept(self, request: str, *, cause: str | None = None) -> str:
        """The seller says yes."""
        return self.tell(SellerAccepted(request_id=request), cause or self.ask("AcceptCancel", "seller"))

    def decline(self, request: str) -> str:
        """The seller says no."""
        body = SellerRefused(request_id=request, ground=RefusalGround.KEEPS_THE_SALE, ships_at=None)
        return self.tell(body, self.ask("RefuseCancel", "seller"))

    def plan(self, cause: str, **after: float) -> str:
        """The warehouse plans the parcel."""
        body = ParcelPlanned(seller=self.brief.seller, ships_at=self.now + timedelta(**(after or {"days": 3})))
        return self.tell(body, cause, "PlanParcel")

    def release(self, ended: str, cause: str) -> str:
        """Nothing holds the parcel any more."""
        return self.tell(ParcelReleased(ended_id=ended, ships_at=None), cause, "EndRequest")

    def ship(self, plan: str | None = None, *, cause: str | None = None) -> str:
        """The parcel leaves: as planned, or by hand."""
        if plan:
            self.until(self._of(plan, ParcelPlanned).ships_at)
        cause = cause or (f"{plan}:HandOverDue" if plan else self.ask("ShipOrder", "seller"))
        body = Shipped(
            tracking_number="LX1",
            shipped_at=self.now,
            scanned_at=self.now + timedelta(hours=12),
            arrives_at=self.now + timedelta(days=4),
        )
        return self.tell(body, cause, "HandOver")

    def scan(self, shipped: str) -> str:
        """The carrier has it."""
        parcel = self._of(shipped, Shipped)
        self.until(parcel.scanned_at)
        body = ParcelScanned(tracking_number="LX1", scanned_at=self.now, arrives_at=parcel.arrives_at, delivered=False)
        return self.tell(body, f"{shipped}:ScanDue", "Scan")

    def hand_over(self, scanned: str) -> str:
        """The carrier delivers it."""
        arrives_at = self._of(scanned, ParcelScanned).arrives_at
        self.until(arrives_at)
        body = ParcelScanned(tracking_number="LX1", scanned_at=self.now, arrives_at=arrives_at, delivered=True)
        return self.tell(body, f"{scanned}:DeliveryDue", "Deliver")

    def offer_part(self, amount: int) -> str:
        """The seller would give back a part."""
        return self.tell(PartialRefundOffered(amount=usd(amount)), self.ask("OfferPartialRefund", "seller"))
