"""What a story is, and the stage on which it plays: one order, its buyer, its seller, the platform."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from countermand.contracts.base import Actor, Brief, Command, Contact, Owner, Role, SellerRef
from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    ClaimGround,
    Evidence,
    OpenDispute,
    ProposeSettlement,
    Remedy,
    SendReturn,
    Stance,
)
from countermand.contracts.order import (
    AcceptPartialRefund,
    AcknowledgePayment,
    AskForTracking,
    AskSellerToCancel,
    CancelReason,
    ConfirmCancel,
    OpenCancelDialog,
    PaymentMethod,
    PlaceOrder,
    RefundCustomer,
    RefusalGround,
    WithdrawCancel,
)
from countermand.contracts.seller import (
    AcceptCancel,
    MessageSeller,
    OfferPartialRefund,
    ProvideTracking,
    RefuseCancel,
    ShipOrder,
)
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy
from countermand.kernel.terms import Clock, Terms
from lab.facts import ANSWERS, Fact
from lab.feedback import record_of
from lab.market import Market, Refusal

DAY_A_SECOND: Final = 86_400.0
"""The clock rate of most stories: the seller's 72 hours take three seconds."""

PATIENCE_S: Final = 50.0
"""How long a story waits for anything; the longest legitimate wait is a card refund of 28 days, 28 seconds."""

PRICE_MINOR: Final = 4_990
"""What the lamp costs, in cents."""

_EPOCH: Final = datetime(2023, 3, 1, 17, tzinfo=UTC)
"""Wednesday, 9:00 in Los Angeles: far from a weekend and from the change to summer time on March 12."""


class Wrong(Exception):
    """The story did not go as its rule says; the message is what should have been, and what was."""


@dataclass(frozen=True, slots=True)
class Story:
    """One order of the guide, told in advance. What is expected is written here by hand, never computed by a decider.

    Attributes:
        rules: the ids of domain.md that it plays.
        path: how the order goes, in words.
        outcomes: the outcome; several only where a true race or the seed decides.
        emails: the kinds of email that arrive, in any order; a function of what happened where that may differ.
        never: events that may not exist.
        play: what the people do.
    """

    name: str
    title: str
    rules: tuple[str, ...]
    path: str
    outcomes: tuple[str, ...]
    emails: tuple[str, ...] | Callable[[Sequence[str]], tuple[str, ...]]
    play: "Callable[[Stage], Awaitable[None]]"
    seller: str = "prompt"
    never: tuple[str, ...] = ()
    paid: bool = False
    method: PaymentMethod = PaymentMethod.WALLET
    policy: Policy = field(default_factory=Policy)
    rate: float = DAY_A_SECOND
    epoch: datetime = _EPOCH
    customer: Contact | None = None

    def emails_given(self, events: Sequence[str]) -> list[str]:
        """The kinds of email expected, sorted; `events` are the names of what happened, for stories with several ends."""
        return sorted(self.emails(events) if callable(self.emails) else self.emails)


class Stage:
    """What the people of a story can do. Each act returns when its effect is recorded, or its refusal is known."""

    def __init__(self, market: Market, story: Story, order_id: str, seed: int) -> None:
        self.market = market
        self.story = story
        self.order_id = order_id
        self.seed = seed
        self.clock = Clock(epoch=story.epoch, started_at=datetime.now(UTC), rate=story.rate)
        self.buyer = Actor(role=Role.BUYER, id=f"buyer-{story.name}")
        self.seller = Actor(role=Role.SELLER, id=f"seller-{story.name}")

    # The platform

    async def place(self, run_id: str | None = None) -> None:
        """The buyer orders, under the story's policy and clock."""
        story = self.story
        await self.market.policies.put(story.policy)
        self.clock = Clock(epoch=story.epoch, started_at=datetime.now(UTC), rate=story.rate)
        terms = Terms(self.seed, story.policy, self.clock)
        contact = Contact(id=self.buyer.id, name="Robin Buyer", email=f"robin+{story.name}@shop.example")
        command = PlaceOrder(
            actor=self.buyer,
            brief=Brief(
                buyer=contact,
                seller=SellerRef(id=self.seller.id, profile=story.seller),
                item="Desk lamp, brass",
                price=usd(PRICE_MINOR),
            ),
            payment_method=story.method,
            paid=story.paid,
            terms=terms.ref,
            run_id=run_id,
            customer=story.customer,
        )
        placed = await self._do(command, command_id=f"place-{self.order_id}")
        if isinstance(placed, Refusal):
            msg = f"the order was not placed: {placed.detail}"
            raise Wrong(msg)

    async def pay(self) -> Fact:
        """The platform confirms the money."""
        return _done(await self._do(AcknowledgePayment(actor=Actor(role=Role.PLATFORM, id="payments"))))

    # The buyer

    async def press_cancel(self, reason: CancelReason = CancelReason.NO_LONGER_NEEDED) -> Fact:
        """The dialog opens."""
        record = await record_of(self.market, self.seller.id)
        command = OpenCancelDialog(actor=self.buyer, reason=reason, seller_record=record)
        return _done(await self._do(command), "CancelDialogOpened")

    async def confirm(self, dialog: Fact) -> Fact:
        """The request goes out."""
        return _done(await self._do(ConfirmCancel(actor=self.buyer, dialog_id=dialog.id)), "CancelRequested")

    async def cancel(self, reason: CancelReason = CancelReason.NO_LONGER_NEEDED) -> Fact:
        """Press Cancel and confirm the dialog."""
        return await self.confirm(await self.press_cancel(reason))

    async def ask_seller(self, reason: CancelReason = CancelReason.NO_LONGER_NEEDED, text: str = "") -> Fact:
        """The contact path."""
        command = AskSellerToCancel(actor=self.buyer, reason=reason, text=text)
        return _done(await self._do(command), "CancelRequested")

    async def message_seller(self, text: str, request: Fact | None = None) -> Fact:
        """Write to the seller, about a pending request or without one."""
        command = MessageSeller(
            actor=self.buyer,
            reason=CancelReason.NO_LONGER_NEEDED,
            text=text,
            request_id=request.id if request else None,
        )
        return _done(await self._do(command), "SellerMessaged")

    async def withdraw(self, request: Fact) -> Fact:
        """Take the request back."""
        return _done(await self._do(WithdrawCancel(actor=self.buyer, request_id=request.id)), "CancelWithdrawn")

    async def ask_for_tracking(self) -> Fact:
        """Test a seller who says that the parcel has left (R17)."""
        return _done(await self._do(AskForTracking(actor=self.buyer)), "TrackingAsked")

    async def accept_part(self, offer: Fact) -> Fact:
        """Take the part of the money that the seller offered (R21)."""
        await self.until("PartialRefundNoted", lambda noted: noted.offer_id == offer.id)
        command = AcceptPartialRefund(actor=self.buyer, offer_id=offer.id)
        return _done(await self._do(command), "PartialRefundAccepted")

    async def open_dispute(
        self, ground: ClaimGround, amount_minor: int | None = None, *, evidence: str | None = None
    ) -> Fact:
        """Claim money back (R14)."""
        return _done(await self._do(self.dispute(ground, amount_minor, evidence=evidence)), "DisputeOpened")

    def dispute(
        self, ground: ClaimGround, amount_minor: int | None = None, *, evidence: str | None = None
    ) -> OpenDispute:
        """The command that opens a dispute."""
        return OpenDispute(
            actor=self.buyer,
            ground=ground,
            amount=usd(amount_minor) if amount_minor else None,
            evidence=(shown(evidence),) if evidence else (),
        )

    async def send_return(self, dispute: Fact) -> Fact:
        """Send the goods back (P10)."""
        return _done(await self._do(SendReturn(actor=self.buyer, dispute_id=dispute.id)), "ReturnSent")

    async def accept_settlement(self, offer: Fact) -> Fact:
        """Take the seller's standing offer (P16)."""
        command = AcceptSettlement(actor=self.buyer, offer_id=offer.id)
        return _done(await self._do(command), "SettlementAccepted")

    async def refund_customer(self) -> Fact:
        """A reseller refunds its own customer (R26)."""
        return _done(await self._do(RefundCustomer(actor=self.buyer, amount=usd(PRICE_MINOR))))

    # The seller, by hand

    async def provide_tracking(self, number: str) -> Fact:
        """Show a tracking number, true or not (R17)."""
        return _done(await self._do(ProvideTracking(actor=self.seller, tracking_number=number)), "TrackingProvided")

    async def offer_part(self, amount_minor: int) -> Fact:
        """Concede a part of the money (R21)."""
        command = OfferPartialRefund(actor=self.seller, amount=usd(amount_minor), text="Please keep the lamp.")
        return _done(await self._do(command), "PartialRefundOffered")

    async def contest(self, dispute: Fact, *, evidence: str | None = None) -> Fact:
        """Contest the claim."""
        command = AnswerDispute(
            actor=self.seller,
            dispute_id=dispute.id,
            stance=Stance.CONTESTS,
            evidence=(shown(evidence),) if evidence else (),
        )
        return _done(await self._do(command), "DisputeAnswered")

    async def propose(self, dispute: Fact, amount_minor: int, *, with_return: bool = False) -> Fact:
        """Offer a way to end the dispute."""
        command = ProposeSettlement(
            actor=self.seller,
            dispute_id=dispute.id,
            remedy=Remedy(amount=usd(amount_minor), with_return=with_return),
        )
        return _done(await self._do(command), "SettlementProposed")

    async def heard(self) -> Fact:
        """Wait until the request lies on the seller's desk."""
        return await self.until("RequestHeard")

    async def accept(self, request: Fact) -> Fact:
        """The seller agrees."""
        return _done(await self._do(AcceptCancel(actor=self.seller, request_id=request.id)), "SellerAccepted")

    async def refuse(self, request: Fact, ground: RefusalGround) -> Fact:
        """The seller says no."""
        command = RefuseCancel(actor=self.seller, request_id=request.id, ground=ground)
        return _done(await self._do(command), "SellerRefused")

    async def ship(self) -> Fact:
        """The parcel leaves."""
        return _done(await self._do(ShipOrder(actor=self.seller)), "Shipped")

    # Anybody

    async def refused(self, command: Command, reason: str) -> None:
        """Do something that is refused for that reason."""
        answer = await self._do(command)
        if not isinstance(answer, Refusal):
            msg = f"{type(command).__name__} should be refused as {reason}; it became {answer.name}"
            raise Wrong(msg)
        if answer.reason != reason:
            msg = f"{type(command).__name__} should be refused as {reason}; it was as {answer.reason}"
            raise Wrong(msg)

    async def send(self, command: Command, *, command_id: str | None = None, delivery: str | None = None) -> str:
        """Do something without waiting for what follows; one command may be sent in several deliveries."""
        return await self.market.send(self.order_id, command, command_id=command_id, delivery=delivery)

    async def until(
        self, event: str, where: Callable[[Any], bool] = lambda _: True, caused_by: Fact | None = None
    ) -> Fact:
        """Wait for an event of this order."""

        def is_it(fact: Fact) -> bool:
            return fact.name == event and where(fact.body) and (caused_by is None or fact.caused_by == caused_by.id)

        return await self.market.until(self.order_id, is_it, event, PATIENCE_S)

    async def answered(self, request: Fact) -> Fact:
        """Wait for the one answer to a request."""
        return await self.market.until(
            self.order_id,
            lambda fact: (
                fact.owner == Owner.ORDER
                and getattr(fact.body, "request_id", None) == request.id
                and fact.name in ANSWERS
            ),
            "answer",
            PATIENCE_S,
        )

    async def closed(self) -> Fact:
        """Wait until the order has its outcome."""
        return await self.until("OrderClosed")

    async def pass_time(self, **simulated: float) -> None:
        """Let simulated time pass, as in `days=3`."""
        await asyncio.sleep(timedelta(**simulated).total_seconds() / self.story.rate)

    async def pass_until(self, *, minute: int) -> None:
        """Let simulated time pass until the next full minute of that number, as in 23:59 or 00:01."""
        now = self.clock.simulated(datetime.now(UTC))
        target = now.replace(minute=minute, second=0, microsecond=0)
        target += timedelta(hours=target < now)
        await asyncio.sleep((target - now).total_seconds() / self.story.rate)

    def count(self, event: str) -> int:
        """How many events of that name the order has so far."""
        return sum(fact.name == event for fact in self.market.facts(self.order_id))

    async def _do(self, command: Command, *, command_id: str | None = None) -> Fact | Refusal:
        sent = await self.send(command, command_id=command_id)
        return await self.market.answer(self.order_id, sent, PATIENCE_S)


def usd(amount_minor: int) -> Money:
    """An amount in cents."""
    return Money(amount_minor=amount_minor, currency="USD")


def shown(text: str) -> Evidence:
    """A piece of evidence, by the hash of what it shows."""
    return Evidence(text=text, sha256=sha256(text.encode()).hexdigest())


def check(holds: bool, rule: str) -> None:  # noqa: FBT001
    """What the story says must be so.

    Raises:
        Wrong: it is not.
    """
    if not holds:
        raise Wrong(rule)


def _done(answer: Fact | Refusal, name: str | None = None) -> Fact:
    if isinstance(answer, Refusal):
        msg = f"{answer.command} was refused: {answer.reason}"
        raise Wrong(msg)
    if name and answer.name != name:
        msg = f"{answer.name} followed instead of {name}"
        raise Wrong(msg)
    return answer
