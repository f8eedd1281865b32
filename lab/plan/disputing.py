"""Buyers who insist, test the seller, dispute and negotiate."""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import ClassVar, Final

from countermand.contracts.base import Event, Role
from countermand.contracts.dispute import (
    AcceptSettlement,
    ClaimGround,
    Evidence,
    OpenDispute,
    ProposeSettlement,
    Remedy,
    SettlementProposed,
)
from countermand.contracts.order import (
    AskForTracking,
    CancelExpired,
    CancelRefused,
    OrderDelivered,
    RefusalGround,
    ShipmentNoted,
    TrackingAsked,
)
from countermand.contracts.seller import (
    MessageSeller,
    RefuseCancel,
    RequestHeard,
    Shipped,
    TrackingProvided,
    TrackingUnavailable,
)
from countermand.kernel.money import Money
from lab.plan.errand import Errand
from lab.plan.persona import DAYS, HOURS, ON_ITS_WAY, Act, Answer, Asker, Pause, Payer

ROUNDS_MAX: Final = 3
"""So often a buyer writes to a seller who refuses (R13)."""

COUNTER_OFFERS_MAX: Final = 2
"""So often a buyer answers an offer with another one (P16)."""

_WRITES_AGAIN: Final[Pause] = (20 * 60, 6 * 3_600)
_GIVES_IN: Final[Pause] = (72 * 3_600, 96 * 3_600)
"""After an offer; the platform decides after seven days (P8)."""

_PHOTO: Final = Evidence(text="A photograph of the defect.", sha256=sha256(b"a photograph of the defect").hexdigest())


class Bargains(Asker):
    """Is refused, and writes to the seller again and again, up to three times (R13)."""

    __slots__ = ()

    def _is_refused(self, _event: Event, _id: str) -> list[Act]:
        if self.sent(MessageSeller) == ROUNDS_MAX:
            return []
        text = "Please, once more: do not send it."
        return [self.does(MessageSeller(actor=self.actor, reason=self.reason, text=text), _WRITES_AGAIN)]

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        **Asker.hears,
        CancelRefused: _is_refused,
        CancelExpired: _is_refused,
    }


class Claimant(Payer):
    """A buyer who pays, claims money back and answers the seller's offers; what makes it claim is the persona's."""

    __slots__ = ()

    def claims(self, ground: ClaimGround, pause: Pause, *, percent: int = 100, shown: bool = False) -> list[Act]:
        """Open a dispute over a part of the price, or all of it; one an order."""
        if self.sent(OpenDispute):
            return []
        amount = None if percent == 100 else self.part(percent)  # noqa: PLR2004  # All of it.
        evidence = (_PHOTO,) if shown else ()
        return [self.does(OpenDispute(actor=self.actor, ground=ground, amount=amount, evidence=evidence), pause)]

    def part(self, percent: int) -> Money:
        """A part of the price; never nothing."""
        price = self.errand.brief.price
        return Money(amount_minor=max(1, price.amount_minor * percent // 100), currency=price.currency)

    def _is_offered(self, event: SettlementProposed, event_id: str) -> list[Act]:
        """Take it; or ask for half as much again, and give in when nothing comes of it, or never."""
        if event.by is not Role.SELLER:
            return []
        offered = event.remedy.amount
        half_more = min(offered.amount_minor * 3 // 2, self.errand.brief.price.amount_minor)
        accepts = AcceptSettlement(actor=self.actor, offer_id=event_id)
        done = self.sent(ProposeSettlement)
        if done == COUNTER_OFFERS_MAX or self.happens(f"takes offer {done + 1}", 50):
            return [self.does(accepts, HOURS)]
        more = Remedy(amount=Money(amount_minor=half_more, currency=offered.currency))
        asks_for_more = ProposeSettlement(actor=self.actor, dispute_id=event.dispute_id, remedy=more)
        gives_in = [self.does(accepts, _GIVES_IN)] if self.happens("gives in", 50) else []
        return [self.does(asks_for_more, HOURS), *gives_in]

    hears: ClassVar[Mapping[type[Event], Answer]] = {SettlementProposed: _is_offered}


class AsksForProof(Asker, Claimant):
    """Is refused, asks for the tracking number, and disputes when nothing true is shown (R16-R19).

    A `manual` seller says that the parcel has left and shows nothing, until P6 has passed.
    """

    __slots__ = ("_left",)

    def __init__(self, errand: Errand) -> None:
        super().__init__(errand)
        self._left = False

    def _is_heard(self, event: RequestHeard, _id: str) -> list[Act]:
        if not self.by_hand:
            return []
        ground = RefusalGround.ALREADY_SHIPPED
        return [self.does(RefuseCancel(actor=self.seller, request_id=event.request_id, ground=ground), HOURS)]

    def _is_refused(self, _event: CancelRefused, _id: str) -> list[Act]:
        return [self.does(AskForTracking(actor=self.actor), HOURS)]

    def _waits_in_vain(self, event: TrackingAsked, _id: str) -> list[Act]:
        if not self.by_hand:
            return []
        wait_s = (event.provide_by - event.asked_at) // timedelta(seconds=1)
        low, high = HOURS
        return self.claims(ClaimGround.NOT_SENT, (wait_s + low, wait_s + high))

    def _is_shipped(self, _event: Shipped, _id: str) -> list[Act]:
        self._left = True
        return []

    def _is_not_shown(self, _event: Event, _id: str) -> list[Act]:
        """Nothing to show, or the number of a parcel that nobody has handed over."""
        return [] if self._left else self.claims(ClaimGround.NOT_SENT, HOURS)

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        **Claimant.hears,
        **Asker.hears,
        RequestHeard: _is_heard,
        CancelRefused: _is_refused,
        TrackingAsked: _waits_in_vain,
        Shipped: _is_shipped,
        TrackingProvided: _is_not_shown,
        TrackingUnavailable: _is_not_shown,
    }


class Disputes(Claimant):
    """Claims with evidence that the item is not as described; one of four does not wait for it (R14, R20, P16)."""

    __slots__ = ()

    def _is_shipped(self, _event: ShipmentNoted, _id: str) -> list[Act]:
        return self.claims(ClaimGround.NOT_RECEIVED, ON_ITS_WAY) if self.happens("does not wait", 25) else []

    def _has_arrived(self, event: OrderDelivered, _id: str) -> list[Act]:
        if event.after_cancellation:
            return []
        percent = 100 if self.happens("wants it all", 60) else 50
        return self.claims(ClaimGround.NOT_AS_DESCRIBED, DAYS, percent=percent, shown=self.happens("has a photo", 80))

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        **Claimant.hears,
        ShipmentNoted: _is_shipped,
        OrderDelivered: _has_arrived,
    }


class ClaimsOnPerfectGoods(Claimant):
    """Claims a part for goods without a defect, and has nothing to show (R21, R22)."""

    __slots__ = ()

    def _has_arrived(self, event: OrderDelivered, _id: str) -> list[Act]:
        if event.after_cancellation:
            return []
        return self.claims(ClaimGround.DISSATISFIED, DAYS, percent=40)

    hears: ClassVar[Mapping[type[Event], Answer]] = {**Claimant.hears, OrderDelivered: _has_arrived}
