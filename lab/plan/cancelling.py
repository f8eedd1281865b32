"""Buyers who keep their order, or cancel it in the first days."""

from collections.abc import Mapping
from typing import ClassVar, Final

from countermand.contracts.base import Actor, Command, Event, Role
from countermand.contracts.order import (
    AcknowledgePayment,
    AskSellerToCancel,
    CancelDialogOpened,
    CancelExpired,
    CancelPath,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelSuperseded,
    CancelWithdrawn,
    ConfirmCancel,
    ConfirmReceipt,
    OpenCancelDialog,
    OrderCancelled,
    RefundCustomer,
    ShipmentNoted,
    WithdrawCancel,
)
from countermand.contracts.seller import MessageSeller
from countermand.kernel.ids import event_id
from countermand.kernel.terms import Clock
from lab.plan.persona import (
    AT_ONCE,
    HOURS,
    MINUTES,
    ON_ITS_WAY,
    PLATFORM,
    SECONDS,
    TWO_DAYS_AT_MOST,
    Act,
    Answer,
    Asker,
    Buyer,
    Pause,
    Payer,
)

_AROUND_SHIPMENT: Final[Pause] = (36 * 3_600, 96 * 3_600)
"""After the payment; a prompt seller ships after 72 hours."""

_STRANGER: Final = Actor(role=Role.BUYER, id="mallory")


class Keeps(Payer):
    """Pays, waits and keeps it (R8); every other one confirms the receipt before the carrier reports it."""

    __slots__ = ()

    def _is_shipped(self, _event: ShipmentNoted, _id: str) -> list[Act]:
        if not self.happens("confirms the receipt", 50):
            return []
        return [self.does(ConfirmReceipt(actor=self.actor), ON_ITS_WAY)]

    hears: ClassVar[Mapping[type[Event], Answer]] = {ShipmentNoted: _is_shipped}


class NeverPays(Buyer):
    """Never pays; every other one opens the dialog and does not confirm it (R4, P4)."""

    __slots__ = ()

    def begin(self, clock: Clock, run_id: str | None = None) -> list[Act]:
        """Place the order; perhaps look at the dialog."""
        looks = [self.presses_cancel(MINUTES)] if self.happens("looks at the dialog", 50) else []
        return [self.places(clock, run_id), *looks]


class Unpaid(Buyer):
    """Cancels before paying: the button, the dialog, the seller's consent (R3-R6)."""

    __slots__ = ()

    def begin(self, clock: Clock, run_id: str | None = None) -> list[Act]:
        """Place the order and press Cancel."""
        return [self.places(clock, run_id), self.presses_cancel(MINUTES)]

    hears: ClassVar[Mapping[type[Event], Answer]] = {CancelDialogOpened: Buyer.confirms}


class Peer(Buyer):
    """The peer flow: a paid order, cancelled in the same breath (P12, R10); without the button, by asking (R9)."""

    __slots__ = ()

    def begin(self, clock: Clock, run_id: str | None = None) -> list[Act]:
        """Place the order paid, and ask for the cancellation without waiting for anything."""
        placed = self.places(clock, run_id, paid=True)
        if not self.errand.policy.self_service_after_payment:
            return [placed, self.asks_the_seller(AT_ONCE)]
        pressed = self.presses_cancel(AT_ONCE)
        dialog_id = event_id(pressed.id, OpenCancelDialog.__name__)
        return [placed, pressed, self.does(ConfirmCancel(actor=self.actor, dialog_id=dialog_id), AT_ONCE)]


class ChangesMind(Asker):
    """Pays, and cancels within minutes (R8, R10); with the button, every other one also writes (R7, X4)."""

    __slots__ = ()

    def _has_asked(self, event: CancelRequested, event_id: str) -> list[Act]:
        if event.path is not CancelPath.SELF_SERVICE or not self.happens("writes as well", 50):
            return []
        text = "I have just asked to cancel. Please do not send it."
        message = MessageSeller(actor=self.actor, reason=self.reason, text=text, request_id=event_id)
        return [self.does(message, SECONDS)]

    hears: ClassVar[Mapping[type[Event], Answer]] = {**Asker.hears, CancelRequested: _has_asked}


class DaysLater(Asker):
    """Cancels after days, when the parcel may have left (R8, R11, R15, X1)."""

    __slots__ = ()

    def when_paid(self) -> list[Act]:
        """Ask, around the time at which sellers ship."""
        return self.asks(_AROUND_SHIPMENT)


class Withdraws(Asker):
    """Takes the pending request back: at once, or on the second day (X10)."""

    __slots__ = ()

    def _has_asked(self, _event: CancelRequested, event_id: str) -> list[Act]:
        pause = SECONDS if self.happens("withdraws at once", 40) else TWO_DAYS_AT_MOST
        return [self.does(WithdrawCancel(actor=self.actor, request_id=event_id), pause)]

    hears: ClassVar[Mapping[type[Event], Answer]] = {**Asker.hears, CancelRequested: _has_asked}


class DoubleClicks(Unpaid):
    """Does everything twice: confirms, withdraws, and pays when the request has ended (X7, X12)."""

    __slots__ = ()

    def _is_shown(self, _event: CancelDialogOpened, event_id: str) -> list[Act]:
        return self.clicks_twice(ConfirmCancel(actor=self.actor, dialog_id=event_id), SECONDS)

    def _has_asked(self, _event: CancelRequested, event_id: str) -> list[Act]:
        if not self.happens("withdraws", 50):
            return []
        return self.clicks_twice(WithdrawCancel(actor=self.actor, request_id=event_id), TWO_DAYS_AT_MOST)

    def _goes_on(self, _event: Event, _id: str) -> list[Act]:
        return self.clicks_twice(AcknowledgePayment(actor=PLATFORM), HOURS)

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        CancelDialogOpened: _is_shown,
        CancelRequested: _has_asked,
        CancelWithdrawn: _goes_on,
        CancelRefused: _goes_on,
        CancelExpired: _goes_on,
    }


class PaysLate(Unpaid):
    """Cancels unpaid, and the money comes all the same: while the request is pending, or after the end (X3)."""

    __slots__ = ()

    def _has_asked(self, _event: CancelRequested, _id: str) -> list[Act]:
        if not self._in_between():
            return []
        return [self.pays(SECONDS if self.happens("pays at once", 50) else TWO_DAYS_AT_MOST)]

    def _has_ended(self, _event: Event, _id: str) -> list[Act]:
        return [] if self._in_between() else [self.pays(HOURS)]

    def _in_between(self) -> bool:
        return self.happens("pays in between", 50)

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        **Unpaid.hears,
        CancelRequested: _has_asked,
        OrderCancelled: _has_ended,
        CancelRefused: _has_ended,
        CancelExpired: _has_ended,
    }


class Reseller(Asker):
    """Passes its customer's wish on, in time or too late; then it refunds the customer itself (R26, R12)."""

    __slots__ = ()

    def when_paid(self) -> list[Act]:
        """The customer cancels in time, mostly."""
        return self.asks(MINUTES) if self._in_time() else []

    def _is_shipped(self, _event: ShipmentNoted, _id: str) -> list[Act]:
        return [] if self._in_time() else [self.does(self._refund(), ON_ITS_WAY)]

    def _is_too_late(self, _event: Event, _id: str) -> list[Act]:
        return [self.does(self._refund(), HOURS)]

    def _in_time(self) -> bool:
        return self.happens("the customer cancels in time", 60)

    def _refund(self) -> Command:
        return RefundCustomer(actor=self.actor, amount=self.errand.brief.price)

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        **Asker.hears,
        ShipmentNoted: _is_shipped,
        CancelRefused: _is_too_late,
        CancelSuperseded: _is_too_late,
    }


class Stranger(Payer):
    """Somebody else tries to cancel; the buyer is told, and then cancels (R2)."""

    __slots__ = ()

    def begin(self, clock: Clock, run_id: str | None = None) -> list[Act]:
        """Place the order and pay; the stranger tries one of three ways."""
        return [*super().begin(clock, run_id), self.does(self._attempt(), MINUTES)]

    def _attempt(self) -> Command:
        if self.happens("the stranger presses Cancel", 50):
            return OpenCancelDialog(actor=_STRANGER, reason=self.reason)
        if self.happens("the stranger writes", 50):
            return MessageSeller(actor=_STRANGER, reason=self.reason, text="Do not send it.")
        return AskSellerToCancel(actor=_STRANGER, reason=self.reason, text="Please cancel my order.")

    def _is_told(self, _event: CancelRejectedNotBuyer, _id: str) -> list[Act]:
        return [self.asks_the_seller(HOURS, "That was not me. Where is my money? Cancel the order, please.")]

    hears: ClassVar[Mapping[type[Event], Answer]] = {CancelRejectedNotBuyer: _is_told}
