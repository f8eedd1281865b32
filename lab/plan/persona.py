"""What a buyer is: one small object an order, which begins, hears and answers. Pure: time and chance come as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final, TypeAlias

from countermand.contracts.base import Actor, Command, Event, Role
from countermand.contracts.order import (
    AcknowledgePayment,
    AskSellerToCancel,
    CancelDialogOpened,
    CancelReason,
    ConfirmCancel,
    OpenCancelDialog,
    OrderPlaced,
    PaymentAcknowledged,
    PaymentMethod,
    PlaceOrder,
)
from countermand.kernel.draw import draw, draw_between
from countermand.kernel.terms import Clock, TermsRef
from lab.plan.errand import Errand

Pause: TypeAlias = tuple[int, int]
"""At least and at most so many simulated seconds; how many is drawn."""

_HOUR: Final = 3_600
_DAY: Final = 86_400

AT_ONCE: Final[Pause] = (0, 0)
SECONDS: Final[Pause] = (5, 60)
MINUTES: Final[Pause] = (60, 1_200)
HOURS: Final[Pause] = (6 * _HOUR, 12 * _HOUR)

TWO_DAYS_AT_MOST: Final[Pause] = (6 * _HOUR, 40 * _HOUR)
"""Ends hours before a slow seller's answer after two days."""

ON_ITS_WAY: Final[Pause] = (30 * _HOUR, 48 * _HOUR)
"""After a parcel has left: the carrier has scanned it, and it arrives in two days or more."""

DAYS: Final[Pause] = (_DAY, 8 * _DAY)
"""Ends before a return must have been sent (P10) and before buyer protection ends (P9)."""

PLATFORM: Final = Actor(role=Role.PLATFORM, id="payments")
_REASONS: Final = tuple(CancelReason)
_SECOND_CLICK: Final = timedelta(milliseconds=250)

_CLEARS_AFTER: Final[dict[PaymentMethod, Pause]] = {
    PaymentMethod.CARD: SECONDS,
    PaymentMethod.BANK: (_HOUR, 20 * _HOUR),
}
"""Until the platform confirms the money; a wallet's at once."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody will do.

    Attributes:
        after: simulated, from the moment at which it was thought of.
        id: the command's; two acts with one id are one command sent twice.
    """

    after: timedelta
    command: Command
    id: str


Answer: TypeAlias = Callable[[Any, Any, str], list[Act]]
"""What a buyer does about an event: of the buyer, the event and the event's id."""


class Buyer:
    """The buyer of one order; each subclass is a persona. `hears` is the table of what it answers to."""

    __slots__ = ("_sent", "actor", "errand")

    hears: ClassVar[Mapping[type[Event], Answer]] = {}

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self.actor = Actor(role=Role.BUYER, id=errand.brief.buyer.id)
        self._sent: list[str] = []

    def begin(self, clock: Clock, run_id: str | None = None) -> list[Act]:
        """Place the order, and do what does not depend on anything that happens; `clock` becomes the order's."""
        return [self.places(clock, run_id)]

    def hear(self, event: Event, event_id: str) -> list[Act]:
        """What follows from an event of the order, the seller or the dispute; each is told once, in its stream's order."""
        answer = self.hears.get(type(event))
        return answer(self, event, event_id) if answer else []

    def places(self, clock: Clock, run_id: str | None, *, paid: bool = False) -> Act:
        """The order itself."""
        errand = self.errand
        command = PlaceOrder(
            actor=self.actor,
            brief=errand.brief,
            payment_method=errand.method,
            paid=paid,
            terms=TermsRef(seed=errand.seed, policy=errand.policy.hash, clock=clock),
            run_id=run_id,
            customer=errand.customer,
        )
        return self.does(command, AT_ONCE)

    def pays(self, pause: Pause) -> Act:
        """The platform confirms the money."""
        return self.does(AcknowledgePayment(actor=PLATFORM), pause)

    def presses_cancel(self, pause: Pause) -> Act:
        """The button (R3)."""
        return self.does(OpenCancelDialog(actor=self.actor, reason=self.reason), pause)

    def asks_the_seller(self, pause: Pause, text: str = "Please cancel my order.") -> Act:
        """The contact path (R9)."""
        return self.does(AskSellerToCancel(actor=self.actor, reason=self.reason, text=text), pause)

    def confirms(self, _event: CancelDialogOpened, event_id: str) -> list[Act]:
        """The dialog is confirmed soon after it is shown (R4)."""
        return [self.does(ConfirmCancel(actor=self.actor, dialog_id=event_id), SECONDS)]

    @property
    def reason(self) -> CancelReason:
        """Why this buyer cancels: one reason an order (R1)."""
        return _REASONS[draw_between(0, len(_REASONS) - 1, self.errand.seed, self.errand.order_id, "reason")]

    @property
    def by_hand(self) -> bool:
        """Whether the seller's part is played by hand as well, because its profile does nothing."""
        return self.errand.brief.seller.profile == "manual"

    @property
    def seller(self) -> Actor:
        """The seller, for what no profile does by itself."""
        return Actor(role=Role.SELLER, id=self.errand.brief.seller.id)

    def happens(self, question: str, percent: int) -> bool:
        """Whether something is so in this order, as it is in so many of a hundred."""
        return draw(self.errand.seed, self.errand.order_id, question) * 100 < percent

    def sent(self, command: type[Command]) -> int:
        """How many commands of a type this buyer has thought of so far: the bound of every repetition."""
        return self._sent.count(command.__name__)

    def does(self, command: Command, pause: Pause) -> Act:
        """One act. Its id and its pause follow from the order and from how many of its name came before."""
        name = type(command).__name__
        self._sent.append(name)
        errand, its_name = self.errand, f"{self._sent.count(name)}-{name}"
        low, high = pause
        if low < high:
            low_ms = draw_between(low * 1_000, high * 1_000, errand.seed, errand.order_id, its_name)
        else:
            low_ms = low * 1_000
        return Act(timedelta(milliseconds=low_ms), command, f"{errand.order_id}-{its_name}")

    def clicks_twice(self, command: Command, pause: Pause) -> list[Act]:
        """Two commands a moment apart, and the first one sent again."""
        first = self.does(command, pause)
        later = first.after + _SECOND_CLICK
        return [first, Act(later, command, self.does(command, AT_ONCE).id), Act(later, command, first.id)]


class Payer(Buyer):
    """A buyer who pays: from the wallet with the order, otherwise when the platform has the money."""

    __slots__ = ()

    def begin(self, clock: Clock, run_id: str | None = None) -> list[Act]:
        """Place the order, and pay."""
        clears = _CLEARS_AFTER.get(self.errand.method)
        placed = self.places(clock, run_id, paid=clears is None)
        return [placed] if clears is None else [placed, self.pays(clears)]


class Asker(Payer):
    """A buyer who pays, and then thinks again; how, is `when_paid`. A dialog is always confirmed."""

    __slots__ = ()

    def when_paid(self) -> list[Act]:
        """What the buyer does once the money is confirmed."""
        return self.asks(MINUTES)

    def asks(self, pause: Pause) -> list[Act]:
        """Ask for the cancellation: by the button where the policy leaves it (P12), else by writing (R9)."""
        by_button = self.errand.policy.self_service_after_payment
        return [self.presses_cancel(pause) if by_button else self.asks_the_seller(pause)]

    def _is_placed(self, event: OrderPlaced, _id: str) -> list[Act]:
        return self.when_paid() if event.paid else []

    def _is_paid(self, event: PaymentAcknowledged, _id: str) -> list[Act]:
        return [] if event.late else self.when_paid()

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        OrderPlaced: _is_placed,
        PaymentAcknowledged: _is_paid,
        CancelDialogOpened: Buyer.confirms,
    }
