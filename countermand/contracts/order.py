"""The order's language: what buyers and the platform ask of it, and what it records."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from pydantic import Field

from countermand.contracts.base import (
    Actor,
    Brief,
    Command,
    Contact,
    Event,
    Name,
    Owner,
    Reference,
    SellerRecord,
    SellerRef,
    Text,
)
from countermand.kernel.money import Money
from countermand.kernel.terms import TermsRef


class CancelReason(StrEnum):
    """Why a buyer cancels (R1). Every request carries exactly one."""

    NO_LONGER_NEEDED = "no_longer_needed"
    BETTER_OFFER = "better_offer"
    SELLER_TOO_SLOW = "seller_too_slow"
    ORDERED_BY_MISTAKE = "ordered_by_mistake"
    DUPLICATE_ORDER = "duplicate_order"
    WRONG_DELIVERY_INFO = "wrong_delivery_info"
    PAID_WRONG_ORDER = "paid_wrong_order"


class PaymentMethod(StrEnum):
    """How the buyer pays. A refund returns to the method that paid (R23); the wallet is the article's Pocket."""

    WALLET = "wallet"
    CARD = "card"
    BANK = "bank"


class CancelPath(StrEnum):
    """How a request reaches the seller: by the Cancel button (R3), or by writing to the seller (R9)."""

    SELF_SERVICE = "self_service"
    CONTACT = "contact"


class RefusalGround(StrEnum):
    """Why a seller refuses (R16): ground A, or ground B."""

    ALREADY_SHIPPED = "already_shipped"
    KEEPS_THE_SALE = "keeps_the_sale"


class CancelGround(StrEnum):
    """Why an order is cancelled."""

    SELLER_AGREED = "seller_agreed"
    SILENCE = "silence"
    NO_CONSENT_NEEDED = "no_consent_needed"
    NEVER_PAID = "never_paid"
    NEVER_SHIPPED = "never_shipped"


class RefundCause(StrEnum):
    """Why money goes back."""

    CANCELLATION = "cancellation"
    PARTIAL_REFUND = "partial_refund"
    DISPUTE = "dispute"


class Outcome(StrEnum):
    """How an order ends; exactly one each (I1)."""

    CANCELLED_UNPAID = "cancelled_unpaid"
    CANCELLED_REFUNDED = "cancelled_refunded"
    UNPAID_EXPIRED = "unpaid_expired"
    NEVER_SHIPPED_REFUNDED = "never_shipped_refunded"
    COMPLETED = "completed"
    COMPLETED_PARTIAL_REFUND = "completed_partial_refund"
    DISPUTE_REFUNDED = "dispute_refunded"
    DISPUTE_PARTIAL = "dispute_partial"
    DISPUTE_DENIED = "dispute_denied"


class Goods(StrEnum):
    """Where the goods are when an order closes (R12, X6)."""

    NOT_SHIPPED = "not_shipped"
    TRAVELLING = "travelling"
    DELIVERED = "delivered"


class _Command(Command):
    owner: ClassVar[Owner] = Owner.ORDER


class _Event(Event):
    owner: ClassVar[Owner] = Owner.ORDER


class PlaceOrder(_Command):
    """A buyer orders. The order's id is the one in the subject, made by the placer."""

    brief: Brief
    payment_method: PaymentMethod
    paid: bool = Field(default=False, description="the platform confirmed the money at once, as with a wallet")
    terms: TermsRef
    run_id: Name | None = Field(default=None, description="the test run that this order belongs to")
    customer: Contact | None = Field(
        default=None, description="R26: the buyer is a reseller and orders for this customer"
    )


class AcknowledgePayment(_Command):
    """The platform has confirmed the money."""


class OpenCancelDialog(_Command):
    """The buyer presses Cancel (R4). Nothing is sent to the seller yet. The seller's record is shown in the dialog (R24)."""

    reason: CancelReason
    seller_record: SellerRecord | None = None


class ConfirmCancel(_Command):
    """The buyer confirms the dialog that was shown (R4)."""

    dialog_id: Reference


class WithdrawCancel(_Command):
    """The buyer takes a pending request back."""

    request_id: Reference


class AskSellerToCancel(_Command):
    """The contact path (R9): the buyer asks the seller directly, without the button."""

    reason: CancelReason
    text: Text = ""


class AskForTracking(_Command):
    """The buyer tests a seller who says that the parcel has left (R17)."""


class AcceptPartialRefund(_Command):
    """The buyer takes the part of the money that the seller offered (R21)."""

    offer_id: Reference


class RefundCustomer(_Command):
    """A reseller refunds its own customer, at its own cost (R26)."""

    amount: Money


class ConfirmReceipt(_Command):
    """The buyer says that the parcel has arrived."""


class OrderPlaced(_Event):
    """The order exists, under terms that never change."""

    brief: Brief
    payment_method: PaymentMethod
    paid: bool
    terms: TermsRef
    placed_at: datetime
    pay_by: datetime | None = Field(description="P4; nothing when it is paid already")
    ship_by: datetime | None = Field(description="P5; nothing until it is paid")
    run_id: Name | None = None
    customer: Contact | None = None


class PaymentAcknowledged(_Event):
    """The money is confirmed. `late`: the order had been cancelled, so the money goes back (X3)."""

    brief: Brief
    amount: Money
    acknowledged_at: datetime
    ship_by: datetime | None = Field(description="P5; nothing when late or shipped already")
    late: bool


class CancelDialogOpened(_Event):
    """The dialog is shown, with advice on what to expect (R27). Its id is the `dialog_id` of the confirmation."""

    reason: CancelReason
    advice: Text
    seller_record: SellerRecord | None = None
    lapses_at: datetime = Field(description="P1")


class CancelRequested(_Event):
    """The request goes to the seller (R5). Its id is the `request_id` of every answer."""

    brief: Brief
    path: CancelPath
    reason: CancelReason
    text: Text = ""
    dialog_id: Reference | None = Field(description="the confirmed dialog; nothing on the contact path")
    paid: bool
    requested_at: datetime
    answer_by: datetime = Field(description="P2")
    consent_required: bool = Field(description="P13")


class CancelRequestRepeated(_Event):
    """The buyer also wrote to the seller about a pending request (R7): it reaches a seller whom the request did not."""

    brief: Brief
    request_id: Reference
    message_id: Reference


class CancelRejectedNotBuyer(_Event):
    """Somebody other than the buyer asked for the cancellation (R2): refused, and the buyer is told."""

    brief: Brief
    claimed_by: Actor
    attempted: Name
    message_id: Reference | None = Field(
        default=None, description="the message to the seller by which it was attempted"
    )


class CancelRefused(_Event):
    """The seller said no (R16)."""

    brief: Brief
    request_id: Reference
    ground: RefusalGround
    text: Text = ""


class CancelExpired(_Event):
    """The seller's time to answer passed, and the policy reads silence as no (P2, P3)."""

    brief: Brief
    request_id: Reference


class CancelSuperseded(_Event):
    """The parcel left while the request was pending (X1): the request came too late."""

    brief: Brief
    request_id: Reference
    tracking_number: Name
    shipped_at: datetime


class CancelWithdrawn(_Event):
    """The buyer took the request back."""

    brief: Brief
    request_id: Reference


class OrderCancelled(_Event):
    """The order is cancelled; whatever was paid goes back in full."""

    brief: Brief
    ground: CancelGround
    request_id: Reference | None = Field(description="the request that this answers, if one was pending")
    refund_due_minor: int = Field(ge=0, description="captured and not yet refunded, in minor units")
    dispute_id: Reference | None = Field(default=None, description="the dispute that this makes moot")


class AcceptanceSuperseded(_Event):
    """The seller agreed to a request that had already ended (X8, X10): the parcel may go again."""

    brief: Brief
    request_id: Reference


class ShipmentNoted(_Event):
    """The order knows that the parcel left."""

    tracking_number: Name
    shipped_at: datetime


class ShipmentSuperseded(_Event):
    """A parcel left although the order was cancelled or refunded (X1, R12): the refund stands, the goods may still arrive."""

    tracking_number: Name
    shipped_at: datetime


class OrderDelivered(_Event):
    """The parcel arrived. `after_cancellation`: the order was cancelled or refunded before (R12)."""

    delivered_at: datetime
    protected_until: datetime | None = Field(description="P9; nothing after a cancellation")
    after_cancellation: bool


class TrackingAsked(_Event):
    """The buyer wants the proof of shipment (R17). `request_id`: the refused request."""

    seller: SellerRef
    request_id: Reference
    asked_at: datetime
    provide_by: datetime = Field(description="P6")


class DisputeNoted(_Event):
    """The order knows of the dispute, and waits for its resolution. `moot`: it had ended before.

    Only now is a simulated seller asked, so that no seller concedes what the order knows nothing of.
    """

    dispute_id: Reference
    moot: bool
    seller: SellerRef | None = Field(default=None, description="whom the dispute asks; null where it is moot")
    claim: Money | None = Field(default=None, description="what the buyer claims; null where it is moot")


class PartialRefundNoted(_Event):
    """The order knows of the seller's offer of a part; it replaces an earlier one (X9)."""

    offer_id: Reference
    amount: Money


class PartialRefundAccepted(_Event):
    """The buyer took the seller's offer (R21)."""

    offer_id: Reference
    amount: Money


class ResellerRefundedCustomer(_Event):
    """A reseller refunded its customer at its own cost (R26): its own money, not the order's."""

    customer: Contact
    amount: Money


class RefundIssued(_Event):
    """Money was sent back to the method that paid (R23). Its id is the `refund_id` of its arrival."""

    brief: Brief
    amount: Money
    method: PaymentMethod
    cause: RefundCause
    issued_at: datetime
    arrives_at: datetime = Field(description="P11")
    lost_dispute: bool = Field(default=False, description="P15: it settles a dispute that the seller lost")


class RefundReceived(_Event):
    """A refund reached the buyer."""

    refund_id: Reference
    amount: Money


class OrderClosed(_Event):
    """The order ended."""

    seller: SellerRef
    outcome: Outcome
    goods: Goods
    refunded: Money
    against_seller: bool = Field(description="P15: whether the end counts against the seller (R24)")


COMMANDS: Final[tuple[type[Command], ...]] = (
    PlaceOrder,
    AcknowledgePayment,
    OpenCancelDialog,
    ConfirmCancel,
    WithdrawCancel,
    AskSellerToCancel,
    AskForTracking,
    AcceptPartialRefund,
    RefundCustomer,
    ConfirmReceipt,
)
EVENTS: Final[tuple[type[Event], ...]] = (
    OrderPlaced,
    PaymentAcknowledged,
    CancelDialogOpened,
    CancelRequested,
    CancelRequestRepeated,
    CancelRejectedNotBuyer,
    CancelRefused,
    CancelExpired,
    CancelSuperseded,
    CancelWithdrawn,
    OrderCancelled,
    AcceptanceSuperseded,
    ShipmentNoted,
    ShipmentSuperseded,
    OrderDelivered,
    TrackingAsked,
    DisputeNoted,
    PartialRefundNoted,
    PartialRefundAccepted,
    ResellerRefundedCustomer,
    RefundIssued,
    RefundReceived,
    OrderClosed,
)
