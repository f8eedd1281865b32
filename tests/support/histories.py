"""Histories to audit: written straight into the streams, event by event, as the services would have written them.

A `History` is one order. Its methods each record one event and give back its id; they are called in the order in which
the events happened, and every default is the honest one. What is wrong with a history, a test writes into it by hand.
"""

from collections.abc import Iterable
from typing import Final, Self

from countermand.contracts.base import Event
from countermand.contracts.dispute import (
    DisputeResolved,
)
from countermand.contracts.notify import EmailFailed, EmailSent
from countermand.contracts.order import (
    CancelExpired,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelSuperseded,
    OrderCancelled,
    RefundIssued,
)
from countermand.kernel.policy import PromisedEmail
from tests.support.dispute_side import DisputeSide
from tests.support.order_side import OrderSide
from tests.support.seller_side import SellerSide
from tests.support.writer import PRICE, Wire, usd, write

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


class History(OrderSide, SellerSide, DisputeSide):
    """One order, with everything that happened to it."""

    def mail(self, *, without: Iterable[type[Event]] = ()) -> Self:
        """Every email that the default policy promises."""
        for fact_id, fact in list(self.events.items()):
            kind = MAILS.get(type(fact))
            if kind and type(fact) not in without:
                self.email(fact_id, kind)
        return self

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


__all__ = ["MAILS", "PRICE", "History", "Wire", "usd", "write"]
