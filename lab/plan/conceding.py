"""Sellers who concede: a part of the money, or everything against the goods. What no profile does, is done by hand."""

from collections.abc import Mapping
from typing import ClassVar

from countermand.contracts.base import Event
from countermand.contracts.dispute import (
    AcceptSettlement,
    ClaimGround,
    DisputeOpened,
    ProposeSettlement,
    Remedy,
    SendReturn,
    SettlementAccepted,
    SettlementProposed,
)
from countermand.contracts.order import (
    AcceptPartialRefund,
    OrderDelivered,
    OrderPlaced,
    PartialRefundAccepted,
    PartialRefundNoted,
    PaymentAcknowledged,
)
from countermand.contracts.seller import OfferPartialRefund, ShipOrder
from lab.plan.disputing import Claimant
from lab.plan.persona import DAYS, HOURS, Act, Answer


class AtHand(Claimant):
    """A buyer whose seller also does something by hand; a `manual` one ships by hand."""

    __slots__ = ()

    def _is_placed(self, event: OrderPlaced, _id: str) -> list[Act]:
        return self._ships() if event.paid else []

    def _is_paid(self, _event: PaymentAcknowledged, _id: str) -> list[Act]:
        return self._ships()

    def _ships(self) -> list[Act]:
        return [self.does(ShipOrder(actor=self.seller), HOURS)] if self.by_hand else []

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        **Claimant.hears,
        OrderPlaced: _is_placed,
        PaymentAcknowledged: _is_paid,
    }


class TakesAPart(AtHand):
    """Is offered a part of the money after delivery and takes it (R21); one of five claims the rest later (X11)."""

    __slots__ = ()

    def _has_arrived(self, event: OrderDelivered, _id: str) -> list[Act]:
        if event.after_cancellation:
            return []
        offer = OfferPartialRefund(actor=self.seller, amount=self.part(20), text="Please keep it, with this refund.")
        return [self.does(offer, HOURS)]

    def _may_take(self, event: PartialRefundNoted, _id: str) -> list[Act]:
        return [self.does(AcceptPartialRefund(actor=self.actor, offer_id=event.offer_id), HOURS)]

    def _has_taken(self, _event: PartialRefundAccepted, _id: str) -> list[Act]:
        if not self.happens("claims the rest", 20):
            return []
        return self.claims(ClaimGround.NOT_AS_DESCRIBED, DAYS, shown=True)

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        **AtHand.hears,
        OrderDelivered: _has_arrived,
        PartialRefundNoted: _may_take,
        PartialRefundAccepted: _has_taken,
    }


class Returns(AtHand):
    """Disputes, is offered everything against the goods, and sends them back; one of five does not (P10)."""

    __slots__ = ()

    def _has_arrived(self, event: OrderDelivered, _id: str) -> list[Act]:
        return [] if event.after_cancellation else self.claims(ClaimGround.NOT_AS_DESCRIBED, DAYS, shown=True)

    def _is_disputed(self, event: DisputeOpened, event_id: str) -> list[Act]:
        remedy = Remedy(amount=event.claim, with_return=True)
        return [self.does(ProposeSettlement(actor=self.seller, dispute_id=event_id, remedy=remedy), HOURS)]

    def _is_offered(self, event: SettlementProposed, event_id: str) -> list[Act]:
        if not event.remedy.with_return:
            return []
        return [self.does(AcceptSettlement(actor=self.actor, offer_id=event_id), HOURS)]

    def _has_agreed(self, event: SettlementAccepted, _id: str) -> list[Act]:
        if event.return_by is None or not self.happens("sends it back", 80):
            return []
        return [self.does(SendReturn(actor=self.actor, dispute_id=event.dispute_id), DAYS)]

    hears: ClassVar[Mapping[type[Event], Answer]] = {
        **AtHand.hears,
        OrderDelivered: _has_arrived,
        DisputeOpened: _is_disputed,
        SettlementProposed: _is_offered,
        SettlementAccepted: _has_agreed,
    }
