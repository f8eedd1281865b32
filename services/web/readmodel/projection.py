"""An event into the view of its order. Pure: each part from its owner's events alone, in their order."""

from dataclasses import replace
from typing import Final, assert_never

from countermand.contracts.base import Event, Owner
from countermand.contracts.notify import EmailFailed, EmailSent
from countermand.kernel.policy import PromisedEmail
from countermand.runtime.facts import Fact
from services.web.readmodel.dispute_part import dispute_part
from services.web.readmodel.order_part import order_part
from services.web.readmodel.seller_part import seller_part
from services.web.readmodel.view import Email, Promise, View

PROMISES: Final = {
    "OrderPlaced": PromisedEmail.ORDER_PLACED,
    "CancelRequested": PromisedEmail.REQUEST_RECEIVED,
    "OrderCancelled": PromisedEmail.CANCELLED,
    "CancelRefused": PromisedEmail.REFUSED,
    "CancelExpired": PromisedEmail.EXPIRED,
    "CancelSuperseded": PromisedEmail.SUPERSEDED,
    "CancelWithdrawn": PromisedEmail.WITHDRAWN,
    "RefundIssued": PromisedEmail.REFUND_ISSUED,
    "CancelRejectedNotBuyer": PromisedEmail.NOT_THE_BUYER,
    "DisputeResolved": PromisedEmail.DISPUTE_RULED,
}
"""The kind of email that an event promises, if the order's policy says so (R6)."""


def project(view: View, fact: Fact) -> View:
    """The view after one more event of its order."""
    changed = max(view.changed_real_at or fact.at, fact.at)
    view = replace(view, events=view.events + 1, changed_real_at=changed, promises=_promises(view, fact))
    match fact.owner:
        case Owner.ORDER:
            return replace(view, order=order_part(view.order, fact))
        case Owner.SELLER:
            return replace(view, seller=seller_part(view.seller, fact))
        case Owner.DISPUTE:
            return replace(view, dispute=dispute_part(view.dispute, fact))
        case Owner.NOTIFY:
            email = _email(fact, fact.event)
            return replace(view, emails=(*view.emails, email)) if email else view
        case _:
            assert_never(fact.owner)


def _promises(view: View, fact: Fact) -> tuple[Promise, ...]:
    """In the order of the broker's time, so that it does not matter which stream is read first."""
    kind = PROMISES.get(fact.name)
    return view.promises if kind is None else tuple(sorted((*view.promises, Promise(fact.at, fact.id, kind))))


def _email(fact: Fact, event: Event) -> Email | None:
    match event:
        case EmailSent(kind=kind, fact_id=fact_id, to=to, message_id=message_id, subject=subject):
            return Email(kind, fact_id, to, message_id, fact.at, subject)
        case EmailFailed(kind=kind, fact_id=fact_id, to=to, message_id=message_id, reason=reason):
            return Email(kind, fact_id, to, message_id, fact.at, failed=reason)
        case _:
            return None
