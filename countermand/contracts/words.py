"""What each event means, in a sentence: for `why`, and for anybody who would rather read than decode."""

from typing import Any, Final

from pydantic import BaseModel

SENTENCES: Final[dict[str, str]] = {
    "OrderPlaced": "{e.brief.buyer.name} orders “{e.brief.item}” for {e.brief.price}",
    "PaymentAcknowledged": "the payment of {e.amount} is confirmed",
    "CancelDialogOpened": "the buyer presses Cancel ({e.reason}); the dialog says: {e.advice}",
    "CancelRequested": "the buyer asks the seller to cancel ({e.reason}, by {e.path}); an answer is due by {e.answer_by:%d %b %H:%M}",
    "CancelRequestRepeated": "the buyer's message repeats the pending request to the seller",
    "CancelRejectedNotBuyer": "{e.claimed_by.id}, who is not the buyer, tries to cancel: rejected, and the buyer is told",
    "CancelRefused": "the request is refused ({e.ground}) {e.text}",
    "CancelExpired": "the seller stayed silent for too long: the request expires, the order goes on",
    "CancelSuperseded": "the parcel {e.tracking_number} left while the request waited: it comes too late",
    "CancelWithdrawn": "the buyer takes the request back",
    "OrderCancelled": "the order is cancelled ({e.ground})",
    "AcceptanceSuperseded": "the seller's acceptance comes after the request has ended: the parcel may go",
    "ShipmentNoted": "the order notes that parcel {e.tracking_number} left",
    "ShipmentSuperseded": "parcel {e.tracking_number} left although the order is cancelled: the refund stands, the goods travel",
    "OrderDelivered": "the parcel arrives",
    "RefundIssued": "a refund of {e.amount} goes to the buyer's {e.method}, to arrive by {e.arrives_at:%d %b %H:%M}",
    "RefundReceived": "the refund of {e.amount} has arrived",
    "OrderClosed": "the order ends: {e.outcome}; goods {e.goods}; refunded {e.refunded}",
    "RequestHeard": "the seller reads the request and will answer later",
    "SellerAccepted": "the seller agrees, and holds the parcel",
    "SellerRefused": "the seller says no ({e.ground}) {e.text}",
    "SellerMessaged": "the buyer's message reaches the seller: “{e.text}”",
    "ParcelPlanned": "the warehouse will hand the parcel over on {e.ships_at:%d %b %H:%M}",
    "ParcelReleased": "nothing holds the parcel any more",
    "ParcelStopped": "the parcel is stopped: it never leaves",
    "Shipped": "parcel {e.tracking_number} is handed to the carrier",
    "ParcelScanned": "the carrier scans parcel {e.tracking_number}",
    "TrackingAsked": "the buyer asks for the tracking number, to be shown by {e.provide_by:%d %b %H:%M}",
    "TrackingProvided": "the seller shows the tracking number {e.tracking_number}",
    "TrackingUnavailable": "the seller cannot show a tracking number",
    "PartialRefundOffered": "the seller would give {e.amount} back {e.text}",
    "PartialRefundNoted": "the order notes the seller's offer of {e.amount}",
    "PartialRefundAccepted": "the buyer takes the {e.amount}",
    "ResellerRefundedCustomer": "the reseller refunds its customer {e.customer.name} {e.amount}, at its own cost",
    "DisputeNoted": "the order waits for the dispute",
    "DisputeReplied": "the seller {e.stance} the claim {e.text}",
    "SellerRated": "the end ({e.outcome}) goes into the seller's feedback; positive: {e.positive}",
    "DisputeOpened": "the buyer opens a dispute ({e.ground}) and claims {e.claim}; the seller has until {e.answer_by:%d %b %H:%M}",
    "DisputeAnswered": "the seller {e.stance} the claim {e.text}; the two may agree until {e.negotiate_until:%d %b %H:%M}",
    "SettlementProposed": "the {e.by} offers to end it with {e.remedy.amount}",
    "SettlementAccepted": "the {e.by} accepts {e.remedy.amount}",
    "ReturnSent": "the goods are sent back",
    "DisputeEscalated": "the platform steps in: {e.why}",
    "DisputeResolved": "the dispute ends by {e.by}: {e.refund} of {e.claim} goes back (rule {e.rule}). {e.explanation}",
    "EmailSent": "an email to {e.to}: “{e.subject}”",
    "EmailFailed": "the email to {e.to} is refused by the mail server: {e.reason}",
}


_MOOT: Final = "the order had ended before: the dispute is about nothing any more"
"""Of a `DisputeNoted` that is moot."""


def in_words(name: str, body: BaseModel) -> str:
    """The event as a sentence; one that has no words yet is shown by its name."""
    template = _MOOT if getattr(body, "moot", False) else SENTENCES.get(name)
    return " ".join(template.format(e=_Printable(body)).split()) if template else name


class _Printable:
    """Gives templates the fields of a model, text without control characters."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, field: str) -> Any:
        value = getattr(self._model, field)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return "".join(c if c.isprintable() else " " for c in str(value))
        return _Printable(value) if isinstance(value, BaseModel) and type(value).__str__ is BaseModel.__str__ else value
