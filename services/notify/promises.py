"""Which fact promises which email. Whether the promise is made at all is the order's policy."""

from typing import Final

from countermand.contracts.base import Event
from countermand.contracts.dispute import DisputeResolved
from countermand.contracts.order import (
    CancelExpired,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelSuperseded,
    CancelWithdrawn,
    OrderCancelled,
    OrderPlaced,
    RefundIssued,
)
from countermand.kernel.policy import PromisedEmail

PROMISES: Final[dict[type[Event], PromisedEmail]] = {
    OrderPlaced: PromisedEmail.ORDER_PLACED,
    CancelRequested: PromisedEmail.REQUEST_RECEIVED,
    OrderCancelled: PromisedEmail.CANCELLED,
    CancelRefused: PromisedEmail.REFUSED,
    CancelExpired: PromisedEmail.EXPIRED,
    CancelSuperseded: PromisedEmail.SUPERSEDED,
    CancelWithdrawn: PromisedEmail.WITHDRAWN,
    RefundIssued: PromisedEmail.REFUND_ISSUED,
    CancelRejectedNotBuyer: PromisedEmail.NOT_THE_BUYER,
    DisputeResolved: PromisedEmail.DISPUTE_RULED,
}
"""Each of these events carries a `brief`: whom to write to, and about what."""
