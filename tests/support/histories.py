"""Histories to audit: written straight into the streams, event by event, as the services would have written them.

A `History` is one order. Its methods each record one event and give back its id; they are called in the order in which
the events happened, and every default is the honest one. What is wrong with a history, a test writes into it by hand.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nats.js import JetStreamContext

from countermand.contracts.base import Actor, Brief, Contact, Event, Role, SellerRef
from countermand.contracts.dispute import (
    ClaimGround,
    DisputeAnswered,
    DisputeEscalated,
    DisputeOpened,
    DisputeResolved,
    Remedy,
    Resolution,
    ReturnSent,
    SettlementAccepted,
    SettlementProposed,
    Stance,
)
from countermand.contracts.notify import EmailFailed, EmailSent
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
    DisputeNoted,
    Goods,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    Outcome,
    PartialRefundAccepted,
    PartialRefundNoted,
    PaymentAcknowledged,
    PaymentMethod,
    RefundCause,
    RefundIssued,
    RefundReceived,
    RefusalGround,
    ResellerRefundedCustomer,
    ShipmentNoted,
    ShipmentSuperseded,
)
from countermand.contracts.seller import (
    ParcelPlanned,
    ParcelReleased,
    ParcelScanned,
    PartialRefundOffered,
    RequestHeard,
    SellerAccepted,
    SellerRated,
    SellerRefused,
    Shipped,
)
from countermand.contracts.subjects import command_subject, event_subject
from countermand.kernel.draw import draw_between
from countermand.kernel.ids import order_id_from
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy, PromisedEmail
from countermand.kernel.terms import Clock, Terms
from lab.audit.fact import COMMANDS, Fact, command, event

PRICE: Final = 4_990
EPOCH: Final = datetime(2023, 3, 1, 17, tzinfo=UTC)
SEED: Final = 7

MAILS: Final[dict[type[Event], PromisedEmail]] = {
    OrderCancelled: PromisedEmail.CANCELLED,
    CancelRefused: PromisedEmail.REFUSED,
    CancelExpired: PromisedEmail.EXPIRED,
    CancelSuperseded: PromisedEmail.SUPERSEDED,
    RefundIssued: PromisedEmail.REFUND_ISSUED,
    CancelRejectedNotBuyer: PromisedEmail.NOT_THE_BUYER,
    DisputeResolved: PromisedEmail.DISPUTE_RULED,
}
"""The emails that the default policy promises."""


@dataclass(slots=True)
class Wire:
    """One message to write."""

    owner: str
    subject: str
    headers: dict[str, str]
    data: bytes


class History:
    """One order's history. `now` is its simulated time, which moves by `wait` and by nothing else.

    Args:
        name: the order's id follows from it.
        started_ago: how long ago, in real time, the order's clock began to run at `rate`.
    """

    def __init__(
        self,
        name: str = "one",
        *,
        paid: bool = True,
        method: PaymentMethod = PaymentMethod.WALLET,
        policy: Policy | None = None,
        rate: float = 86_400.0,
        started_ago: timedelta = timedelta(days=1),
        run_id: str | None = None,
        customer: Contact | None = None,
    ) -> None:
        self.order_id = order_id_from("history", name)
        self.policy = policy or Policy()
        clock = Clock(epoch=EPOCH, started_at=datetime.now(UTC) - started_ago, rate=rate)
        self.terms = Terms(SEED, self.policy, clock)
        self.method = method
        self.paid = paid
        self.customer = customer
        self.run_id = run_id
        self.now = EPOCH
        self.wires: list[Wire] = []
        self.events: dict[str, Event] = {}
        self.captured = 0
        self.refunded = 0
        self.goods = Goods.NOT_SHIPPED
        self._revisions: Counter[str] = Counter()
        self._commands = 0

    # What anybody writes

    def ask(self, name: str, owner: str = "order") -> str:
        """Somebody sends a command."""
        self._commands += 1
        command_id = f"{name}-{self.order_id[:12]}-{self._commands}"
        headers = {"Nats-Msg-Id": command_id, "ce-id": command_id, "ce-specversion": "1.0", "ce-type": f"{name}.v1"}
        self.wires.append(Wire(COMMANDS, command_subject(owner, self.order_id, name), headers, b"{}"))
        return command_id

    def tell(
        self,
        event: Event,
        cause: str,
        by: str = "",
        *,
        event_id: str | None = None,
        revision: int | None = None,
        name: str | None = None,
        **headers: str,
    ) -> str:
        """An owner records an event; `headers` replaces CloudEvents attributes, an empty one leaves it out."""
        name = name or type(event).__name__
        event_id = event_id or f"{cause}:{by or name}"
        self._revisions[event.owner] += 1
        revision = self._revisions[event.owner] = revision or self._revisions[event.owner]
        attributes = {
            "specversion": "1.0",
            "id": event_id,
            "type": f"{name}.v1",
            "source": f"/countermand/{event.owner}",
            "time": datetime.now(UTC).isoformat(),
            "correlationid": event_id.partition(":")[0],
            "causationid": cause,
            "simtime": self.now.isoformat(),
            "terms": self.terms.ref.header(),
        } | headers
        self.events[event_id] = event
        subject = event_subject(event.owner, self.order_id, name, revision)
        wire_headers = {f"ce-{key}": value for key, value in attributes.items() if value}
        self.wires.append(Wire(event.owner, subject, wire_headers, event.model_dump_json().encode()))
        return event_id

    def unwrite(self, event_id: str) -> Event:
        """Take the last event back."""
        event = self.events.pop(event_id)
        self.wires.pop()
        self._revisions[event.owner] -= 1
        return event

    def wait(self, **span: float) -> "History":
        """Simulated time passes, as in `days=3`."""
        self.now += timedelta(**span)
        return self

    def until(self, at: datetime | None) -> "History":
        """Simulated time passes until then."""
        self.now = max(self.now, at or self.now)
        return self

    def mail(self, *, without: Iterable[type[Event]] = ()) -> "History":
        """Every email that the default policy promises."""
        for fact_id, fact in list(self.events.items()):
            kind = MAILS.get(type(fact))
            if kind and type(fact) not in without:
                self.email(fact_id, kind)
        return self

    def facts(self, *, first_at: int = 1_000, step: int = 1_000_000) -> list[Fact]:
        """The history as facts, one after another by `step` ns, without a broker."""
        places: Counter[str] = Counter()
        facts: list[Fact] = []
        for number, wire in enumerate(self.wires):
            places[wire.owner] += 1
            headers = "".join(f"\r\n{key}: {value}" for key, value in wire.headers.items()) + "\r\n"
            at, place = first_at + number * step, places[wire.owner]
            if wire.owner == COMMANDS:
                facts.append(command("COMMANDS", wire.subject, place, at, headers))
            else:
                facts.append(event(wire.owner, wire.subject, place, at, headers, wire.data))
        return facts

    # The order

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

    # The seller

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

    # The dispute

    def dispute(self, claim: int | None = None, *, cause: str | None = None) -> str:
        """The buyer claims money back."""
        body = DisputeOpened(
            brief=self.brief,
            ground=ClaimGround.NOT_AS_DESCRIBED,
            claim=usd(self.captured - self.refunded if claim is None else claim),
            text="",
            evidence=(),
            opened_at=self.now,
            answer_by=self.now + timedelta(days=self.policy.dispute_answered_within_days),
        )
        return self.tell(body, cause or self.ask("OpenDispute", "dispute"), "OpenCase")

    def note_dispute(self, dispute: str, *, moot: bool = False) -> str:
        """The order hears of it."""
        return self.tell(DisputeNoted(dispute_id=dispute, moot=moot), dispute, "NoteDispute")

    def contest(self, dispute: str) -> str:
        """The seller contests."""
        until = self.now + timedelta(days=self.policy.negotiation_ends_after_days)
        body = DisputeAnswered(dispute_id=dispute, stance=Stance.CONTESTS, text="", evidence=(), negotiate_until=until)
        return self.tell(body, self.ask("AnswerDispute", "dispute"), "AnswerDispute")

    def propose(self, dispute: str, amount: int, by: Role = Role.SELLER, *, cause: str | None = None) -> str:
        """One side offers."""
        until = self.now + timedelta(days=self.policy.negotiation_ends_after_days)
        body = SettlementProposed(
            dispute_id=dispute, by=by, remedy=Remedy(amount=usd(amount)), text="", negotiate_until=until
        )
        return self.tell(body, cause or self.ask("ProposeSettlement", "dispute"), "ProposeSettlement")

    def settle(self, dispute: str, offer: str, by: Role = Role.BUYER, *, cause: str | None = None) -> str:
        """The other side accepts."""
        remedy = self._of(offer, SettlementProposed).remedy
        body = SettlementAccepted(dispute_id=dispute, offer_id=offer, by=by, remedy=remedy, return_by=None)
        return self.tell(body, cause or self.ask("AcceptSettlement", "dispute"), "AcceptSettlement")

    def send_back(self, dispute: str) -> str:
        """The goods go back."""
        return self.tell(ReturnSent(dispute_id=dispute), self.ask("SendReturn", "dispute"), "SendReturn")

    def escalate(self, dispute: str, talk: str) -> str:
        """The platform steps in when the time to talk has passed."""
        self.wait(days=self.policy.negotiation_ends_after_days)
        return self.tell(DisputeEscalated(dispute_id=dispute, why="time"), f"{talk}:NegotiationEnds", "EndNegotiation")

    def resolve(self, dispute: str, cause: str, refund: int, by: Resolution = Resolution.PLATFORM) -> str:
        """The ruling."""
        body = DisputeResolved(
            brief=self.brief,
            dispute_id=dispute,
            by=by,
            claim=self._of(dispute, DisputeOpened).claim,
            refund=usd(refund),
            rule="R20",
            facts=(),
            explanation="So it is.",
        )
        return self.tell(body, cause, "Rule")

    # The emails

    def email(self, fact_id: str, kind: PromisedEmail, *, by: str = "SendEmail") -> str:
        """An email is sent."""
        body = EmailSent(
            kind=kind, fact_id=fact_id, to="robin@shop.example", subject="News", message_id=f"<{fact_id}@x>"[:200]
        )
        return self.tell(body, fact_id, by)

    def fail_email(self, fact_id: str, kind: PromisedEmail) -> str:
        """An email is refused for good."""
        body = EmailFailed(
            kind=kind, fact_id=fact_id, to="robin@shop.example", message_id=f"<{fact_id}@x>"[:200], reason="550"
        )
        return self.tell(body, fact_id, "SendEmail")

    @property
    def brief(self) -> Brief:
        """Who, from whom, what."""
        return Brief(
            buyer=Contact(id="buyer", name="Robin Buyer", email="robin@shop.example"),
            seller=SellerRef(id="seller", profile="manual"),
            item="Desk lamp, brass",
            price=usd(PRICE),
        )

    def _of(self, event_id: str, kind: type[Any]) -> Any:
        found = self.events[event_id]
        assert isinstance(found, kind)
        return found

    def _ship_by(self) -> datetime:
        return self.policy.business_days.add_business_days(self.now, self.policy.seller_ships_within_business_days)

    def _arrival(self) -> datetime:
        span = getattr(self.policy.refund_transit_business_days, self.method)
        days = draw_between(span.low, span.high, SEED, self.order_id, "P11")
        return self.policy.business_days.add_business_days(self.now, days) if days else self.now


def usd(amount_minor: int) -> Money:
    """So many cents."""
    return Money(amount_minor=amount_minor, currency="USD")


async def write(js: JetStreamContext, *histories: History) -> None:
    """Write histories into the streams, one after another."""
    for history in histories:
        for wire in history.wires:
            await js.publish(wire.subject, wire.data, headers=wire.headers)
