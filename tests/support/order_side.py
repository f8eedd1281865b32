"""What the order records, honestly: each method one event, and its id comes back."""

from datetime import timedelta

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import (
    AcceptanceSuperseded,
    CancelDialogOpened,
    CancelExpired,
    CancelGround,
    CancelPath,
    CancelReason,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelSuperseded,
    CancelWithdrawn,
    Goods,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    Outcome,
    PartialRefundAccepted,
    PartialRefundNoted,
    PaymentAcknowledged,
    RefundCause,
    RefundIssued,
    RefundReceived,
    RefusalGround,
    ResellerRefundedCustomer,
    ShipmentNoted,
    ShipmentSuperseded,
)
from countermand.contracts.seller import (
    PartialRefundOffered,
    SellerRated,
)
from tests.support.writer import PRICE, Writer, usd


class OrderSide(Writer):
    """The order's events."""

    def place(self) -> str:
        """The buyer orders."""
        self.captured = PRICE if self.paid else 0
        body = OrderPlaced(
            brief=self.brief,
            payment_method=self.method,
            paid=self.paid,
            terms=self.terms.ref,
            placed_at=self.now,
            pay_by=None if self.paid else self.now + timedelta(days=self.policy.unpaid_closes_after_days),
            ship_by=self._ship_by() if self.paid else None,
            run_id=self.run_id,
            customer=self.customer,
        )
        return self.tell(body, self.ask("PlaceOrder"), "PlaceOrder")

    def pay(self, *, late: bool = False, cause: str | None = None) -> str:
        """The payment is confirmed."""
        self.captured += PRICE
        ship_by = None if late or self.goods is not Goods.NOT_SHIPPED else self._ship_by()
        body = PaymentAcknowledged(
            brief=self.brief, amount=usd(PRICE), acknowledged_at=self.now, ship_by=ship_by, late=late
        )
        return self.tell(body, cause or self.ask("AcknowledgePayment"), "AcknowledgePayment")

    def dialog(self) -> str:
        """The buyer presses Cancel."""
        lapses_at = self.now + timedelta(minutes=self.policy.dialog_lapses_after_min) * self.terms.clock.rate
        body = CancelDialogOpened(reason=CancelReason.BETTER_OFFER, advice="Hurry.", lapses_at=lapses_at)
        return self.tell(body, self.ask("OpenCancelDialog"), "OpenCancelDialog")

    def request(self, dialog: str | None = None, *, cause: str | None = None) -> str:
        """A request goes to the seller: by the button if a dialog is named."""
        body = CancelRequested(
            brief=self.brief,
            path=CancelPath.SELF_SERVICE if dialog else CancelPath.CONTACT,
            reason=CancelReason.BETTER_OFFER,
            dialog_id=dialog,
            paid=self.captured > 0,
            requested_at=self.now,
            answer_by=self.now + timedelta(hours=self.policy.seller_answers_within_h),
            consent_required=self.captured > 0 or self.policy.consent_for_unpaid,
        )
        asked = "ConfirmCancel" if dialog else "AskSellerToCancel"
        return self.tell(body, cause or self.ask(asked), asked)

    def reject(self, *, cause: str | None = None) -> str:
        """Somebody else asks (R2)."""
        stranger = Actor(role=Role.BUYER, id="somebody-else")
        body = CancelRejectedNotBuyer(brief=self.brief, claimed_by=stranger, attempted="OpenCancelDialog")
        return self.tell(body, cause or self.ask("OpenCancelDialog"), "OpenCancelDialog")

    def refuse(self, request: str, cause: str) -> str:
        """The order hears the seller's no."""
        body = CancelRefused(brief=self.brief, request_id=request, ground=RefusalGround.KEEPS_THE_SALE)
        return self.tell(body, cause, "RefuseRequest")

    def expire(self, request: str) -> str:
        """The seller's time passes, and silence means no."""
        self.until(self._of(request, CancelRequested).answer_by)
        body = CancelExpired(brief=self.brief, request_id=request)
        return self.tell(body, f"{request}:AnswerDue", "EndSilence")

    def supersede(self, request: str, cause: str) -> str:
        """The parcel was faster."""
        self.goods = Goods.TRAVELLING
        body = CancelSuperseded(brief=self.brief, request_id=request, tracking_number="LX1", shipped_at=self.now)
        return self.tell(body, cause, "NoteShipment")

    def withdraw(self, request: str, *, cause: str | None = None) -> str:
        """The buyer takes it back."""
        body = CancelWithdrawn(brief=self.brief, request_id=request)
        return self.tell(body, cause or self.ask("WithdrawCancel"), "WithdrawCancel")

    def supersede_acceptance(self, request: str, cause: str) -> str:
        """The seller's yes came too late."""
        return self.tell(AcceptanceSuperseded(brief=self.brief, request_id=request), cause, "CancelAsAgreed")

    def cancel(
        self,
        cause: str,
        request: str | None,
        ground: CancelGround = CancelGround.SELLER_AGREED,
        dispute: str | None = None,
    ) -> str:
        """The order is cancelled."""
        body = OrderCancelled(
            brief=self.brief,
            ground=ground,
            request_id=request,
            refund_due_minor=self.captured - self.refunded,
            dispute_id=dispute,
        )
        return self.tell(body, cause, "Cancel")

    def refund(
        self,
        cause: str,
        amount: int | None = None,
        why: RefundCause = RefundCause.CANCELLATION,
        *,
        event_id: str | None = None,
    ) -> str:
        """Money goes back; all that is left if no amount is given."""
        amount = self.captured - self.refunded if amount is None else amount
        self.refunded += amount
        body = RefundIssued(
            brief=self.brief,
            amount=usd(amount),
            method=self.method,
            cause=why,
            issued_at=self.now,
            arrives_at=self._arrival(),
        )
        return self.tell(body, cause, "IssueRefund", event_id=event_id)

    def receive(self, refund: str) -> str:
        """It arrives."""
        issued = self._of(refund, RefundIssued)
        instant = issued.arrives_at <= issued.issued_at
        self.until(issued.arrives_at)
        body = RefundReceived(refund_id=refund, amount=issued.amount)
        return self.tell(body, refund if instant else f"{refund}:RefundDue", "ReceiveRefund")

    def note_shipment(self, cause: str) -> str:
        """The order hears that the parcel left."""
        self.goods = Goods.TRAVELLING
        return self.tell(ShipmentNoted(tracking_number="LX1", shipped_at=self.now), cause, "NoteShipment")

    def show_shipment(self, cause: str) -> str:
        """It left although the order had ended."""
        self.goods = Goods.TRAVELLING
        return self.tell(ShipmentSuperseded(tracking_number="LX1", shipped_at=self.now), cause, "NoteShipment")

    def deliver(self, cause: str, *, after_cancellation: bool = False) -> str:
        """The order hears that it arrived."""
        self.goods = Goods.DELIVERED
        ends = self.now + timedelta(days=self.policy.protection_ends_after_days)
        body = OrderDelivered(
            delivered_at=self.now,
            protected_until=None if after_cancellation else ends,
            after_cancellation=after_cancellation,
        )
        return self.tell(body, cause, "NoteDelivery")

    def note_offer(self, offer: str) -> str:
        """The order hears of the seller's offer of a part."""
        amount = self._of(offer, PartialRefundOffered).amount
        return self.tell(PartialRefundNoted(offer_id=offer, amount=amount), offer, "NoteOffer")

    def accept_part(self, offer: str, amount: int | None = None) -> str:
        """The buyer takes it."""
        offered = self._of(offer, PartialRefundOffered).amount
        body = PartialRefundAccepted(offer_id=offer, amount=offered if amount is None else usd(amount))
        return self.tell(body, self.ask("AcceptPartialRefund"), "AcceptPartialRefund")

    def refund_customer(self, amount: int) -> str:
        """A reseller pays its own customer."""
        customer = self.customer or self.brief.buyer
        body = ResellerRefundedCustomer(customer=customer, amount=usd(amount))
        return self.tell(body, self.ask("RefundCustomer"), "RefundCustomer")

    def close(self, cause: str, outcome: Outcome, *, refunded: int | None = None, by: str = "CloseOrder") -> str:
        """The end. The seller is rated."""
        body = OrderClosed(
            seller=self.brief.seller,
            outcome=outcome,
            goods=self.goods,
            refunded=usd(self.refunded if refunded is None else refunded),
            against_seller=False,
        )
        closed = self.tell(body, cause, by)
        if not any(isinstance(fact, SellerRated) for fact in self.events.values()):
            self.tell(SellerRated(seller=self.brief.seller, positive=True, outcome=outcome), closed, "Rate")
        return closed
