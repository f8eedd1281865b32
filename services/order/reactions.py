"""What the order does about what it hears: one named function a message, each a command to itself. Pure."""

from countermand.contracts.dispute import DisputeOpened, DisputeResolved, Resolution
from countermand.contracts.order import (
    CancelRequested,
    OrderCancelled,
    PartialRefundAccepted,
    PaymentAcknowledged,
    RefundIssued,
    RefundReceived,
)
from countermand.contracts.seller import (
    ParcelScanned,
    PartialRefundOffered,
    SellerAccepted,
    SellerMessaged,
    SellerRefused,
    Shipped,
)
from countermand.kernel.reactions import Reactions
from services.order.commands import (
    CancelAsAgreed,
    CancelWithoutConsent,
    CloseOrder,
    CloseUnpaid,
    CloseUnshipped,
    EndProtection,
    EndSilence,
    HearMessage,
    IssuePartialRefund,
    IssueRefund,
    NoteDelivery,
    NoteDispute,
    NoteOffer,
    NoteShipment,
    OrderCommand,
    ReceiveRefund,
    RefuseRequest,
    SettleDispute,
)

REACTIONS: Reactions[OrderCommand] = Reactions()
on = REACTIONS.on

TIMERS = {
    "AnswerDue": EndSilence,
    "PaymentDue": CloseUnpaid,
    "ShipmentDue": CloseUnshipped,
    "ProtectionEnds": EndProtection,
    "RefundDue": ReceiveRefund,
}
"""What a fired timer of each name asks of the order."""


@on(SellerAccepted)
def cancel_when_the_seller_agrees(event: SellerAccepted, _id: str) -> OrderCommand:
    """R5, R10."""
    return CancelAsAgreed(event.request_id)


@on(SellerRefused)
def refuse_when_the_seller_refuses(event: SellerRefused, _id: str) -> OrderCommand:
    """R16."""
    return RefuseRequest(event.request_id, event.ground, event.text)


@on(SellerMessaged)
def hear_the_message_that_reached_the_seller(event: SellerMessaged, event_id: str) -> OrderCommand:
    """R7, X4."""
    return HearMessage(event_id, event.actor, event.reason, event.text)


@on(Shipped)
def note_that_the_parcel_left(event: Shipped, _id: str) -> OrderCommand:
    """R11, X1."""
    return NoteShipment(event.tracking_number, event.shipped_at)


@on(ParcelScanned)
def note_that_the_parcel_arrived(event: ParcelScanned, _id: str) -> OrderCommand | None:
    """R12."""
    return NoteDelivery(event.scanned_at) if event.delivered else None


@on(PartialRefundOffered)
def note_what_the_seller_concedes(event: PartialRefundOffered, event_id: str) -> OrderCommand:
    """R21."""
    return NoteOffer(event_id, event.amount)


@on(PartialRefundAccepted)
def refund_the_part_that_was_agreed(event: PartialRefundAccepted, _id: str) -> OrderCommand:
    """R21."""
    return IssuePartialRefund(event.amount.amount_minor)


@on(DisputeOpened)
def note_a_dispute(event: DisputeOpened, event_id: str) -> OrderCommand:
    """R14."""
    return NoteDispute(event_id, event.claim)


@on(DisputeResolved)
def settle_a_dispute(event: DisputeResolved, _id: str) -> OrderCommand | None:
    """R19, R20: one that is moot changes nothing."""
    if event.by is Resolution.MOOT:
        return None
    lost = event.by is not Resolution.AGREEMENT and event.refund.amount_minor > 0
    return SettleDispute(event.dispute_id, event.refund.amount_minor, lost)


@on(CancelRequested)
def cancel_without_consent_where_none_is_needed(event: CancelRequested, event_id: str) -> OrderCommand | None:
    """P13."""
    return None if event.consent_required else CancelWithoutConsent(event_id)


@on(OrderCancelled)
def refund_or_close_when_cancelled(event: OrderCancelled, _id: str) -> OrderCommand:
    """R10: what was paid goes back; where nothing was, the order ends."""
    return IssueRefund() if event.refund_due_minor else CloseOrder()


@on(PaymentAcknowledged)
def send_late_money_back(event: PaymentAcknowledged, _id: str) -> OrderCommand | None:
    """X3."""
    return IssueRefund() if event.late else None


@on(RefundIssued)
def receive_an_instant_refund(event: RefundIssued, event_id: str) -> OrderCommand | None:
    """P11: a wallet is refunded at once; other methods have a timer."""
    return ReceiveRefund(event_id) if event.arrives_at <= event.issued_at else None


@on(RefundReceived)
def close_when_the_refund_arrived(_event: RefundReceived, _id: str) -> OrderCommand:
    """The order settles with its last refund."""
    return CloseOrder()
