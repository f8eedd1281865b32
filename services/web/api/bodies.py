"""What requests carry. Fields are those of the commands in `countermand.contracts`."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from countermand.contracts.base import Actor, Contact, Name, Reference, SellerRef, Text
from countermand.contracts.dispute import ClaimGround, EvidenceList, Remedy, Stance
from countermand.contracts.order import CancelReason, PaymentMethod, RefusalGround
from countermand.kernel.ids import ORDER_ID
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy

OrderId = Annotated[str, Field(pattern=f"^{ORDER_ID.pattern}$", examples=["0a1b2c3d4e5f6g7h8i9j0k1l"])]


_ID = "web-0a1b2c3d4e5f6g7h8i9j0k1l-OpenCancelDialog-8d2f60c4a1b37e95:"
"""How the id of an event begins that web's command led to."""


def _shown(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    actor: Actor | None = Field(
        default=None,
        description="who asks; if nobody is named, whoever may: the order's buyer, its seller, or the platform",
    )


class TermsBody(BaseModel):
    """The terms of an order; they never change."""

    model_config = ConfigDict(extra="forbid")

    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="of every decision of simulated sellers")
    policy: Policy = Field(default=Policy(), description="the fields that differ from the default policy")
    clock_rate: float | None = Field(
        default=None, ge=0.001, le=10_000_000, description="simulated seconds a real one; nothing: the service's own"
    )
    epoch: AwareDatetime | None = Field(default=None, description="the simulated moment of placing; nothing: now")


class PlaceOrderBody(BaseModel):
    """A buyer orders."""

    model_config = _shown(
        {
            "buyer": {"id": "ann", "name": "Ann Buyer", "email": "ann@buyers.example"},
            "seller": {"id": "lamps", "profile": "prompt"},
            "item": "Desk lamp",
            "price": {"amount_minor": 1999, "currency": "USD"},
            "payment_method": "card",
        }
    )

    order_id: OrderId | None = Field(default=None, description="nothing: one is made")
    buyer: Contact
    seller: SellerRef
    item: Name
    price: Money
    payment_method: PaymentMethod = PaymentMethod.WALLET
    paid: bool = Field(default=False, description="the money is confirmed at once")
    customer: Contact | None = Field(default=None, description="R26: the buyer is a reseller and orders for them")
    terms: TermsBody = TermsBody()


class NothingBody(_Body):
    """Nothing more than who asks."""

    model_config = _shown({})


class CancelBody(_Body):
    """Press Cancel: opens the dialog (R4). Nothing is sent to the seller yet."""

    model_config = _shown({"reason": "better_offer"})

    reason: CancelReason


class ConfirmBody(_Body):
    """Confirm the dialog that was shown."""

    model_config = _shown({"dialog_id": _ID + "OpenCancelDialog"})

    dialog_id: Reference = Field(description="the id of `CancelDialogOpened`")


class WithdrawBody(_Body):
    """Take a pending request back."""

    model_config = _shown({"request_id": _ID + "ConfirmCancel"})

    request_id: Reference = Field(description="the id of `CancelRequested`")


class AskSellerBody(_Body):
    """Ask the seller directly to cancel (R9)."""

    model_config = _shown({"reason": "seller_too_slow", "text": "Please cancel."})

    reason: CancelReason
    text: Text = ""


class MessageBody(_Body):
    """Write to the seller (R7)."""

    model_config = _shown({"reason": "seller_too_slow", "text": "Where is my parcel?"})

    reason: CancelReason
    text: Text
    request_id: Reference | None = Field(default=None, description="nothing: the request that is pending, if one is")


class DisputeBody(_Body):
    """Claim money back (R14)."""

    model_config = _shown({"ground": "not_received", "text": "Nothing came."})

    ground: ClaimGround
    amount: Money | None = Field(default=None, description="nothing: all that was paid")
    text: Text = ""
    evidence: EvidenceList = ()


class ProposeBody(_Body):
    """Offer a way to end the dispute (P16)."""

    model_config = _shown(
        {"dispute_id": _ID + "OpenDispute", "remedy": {"amount": {"amount_minor": 900, "currency": "USD"}}}
    )

    dispute_id: Reference = Field(description="the id of `DisputeOpened`")
    remedy: Remedy
    text: Text = ""


class SettleBody(_Body):
    """Take the other side's standing offer."""

    model_config = _shown({"offer_id": _ID + "ProposeSettlement"})

    offer_id: Reference = Field(description="the id of `SettlementProposed`")


class TakePartBody(_Body):
    """Take the part of the money that the seller offered (R21)."""

    model_config = _shown({"offer_id": _ID + "OfferPartialRefund"})

    offer_id: Reference = Field(description="the id of `PartialRefundOffered`")


class ReturnBody(_Body):
    """The goods were sent back, as agreed (P10)."""

    model_config = _shown({"dispute_id": _ID + "OpenDispute"})

    dispute_id: Reference


class RefundCustomerBody(_Body):
    """A reseller refunds its own customer (R26)."""

    model_config = _shown({"amount": {"amount_minor": 1999, "currency": "USD"}})

    amount: Money


class AcceptBody(_Body):
    """The seller agrees."""

    model_config = _shown({"request_id": _ID + "ConfirmCancel"})

    request_id: Reference = Field(description="the id of `CancelRequested`")


class RefuseBody(_Body):
    """The seller says no (R16)."""

    model_config = _shown({"request_id": _ID + "ConfirmCancel", "ground": "keeps_the_sale"})

    request_id: Reference
    ground: RefusalGround
    text: Text = ""


class ShipBody(_Body):
    """The seller hands the parcel over."""

    model_config = _shown({"tracking_number": "LX123456789CN"})

    tracking_number: Name | None = None


class TrackingBody(_Body):
    """The seller shows the tracking number (R17)."""

    model_config = _shown({"tracking_number": "LX123456789CN"})

    tracking_number: Name


class OfferPartBody(_Body):
    """The seller would give a part of the money back (R21)."""

    model_config = _shown({"amount": {"amount_minor": 500, "currency": "USD"}})

    amount: Money
    text: Text = ""


class AnswerDisputeBody(_Body):
    """The seller concedes or contests a claim."""

    model_config = _shown({"dispute_id": _ID + "OpenDispute", "stance": "contests", "text": "It was sent."})

    dispute_id: Reference
    stance: Stance
    text: Text = ""
    evidence: EvidenceList = ()
