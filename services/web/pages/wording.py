"""The words of the pages: what each value of the contracts is called where people read it."""

from typing import Final

from countermand.contracts.dispute import ClaimGround, Resolution, Stance
from countermand.contracts.order import (
    CancelGround,
    CancelReason,
    Outcome,
    PaymentMethod,
    RefundCause,
    RefusalGround,
)
from services.web.readmodel.allowed import Action
from services.web.readmodel.waits import Waits

REASONS: Final[dict[str, str]] = {
    CancelReason.NO_LONGER_NEEDED: "I no longer need it",
    CancelReason.BETTER_OFFER: "I found a better offer",
    CancelReason.SELLER_TOO_SLOW: "The seller is too slow to send it",
    CancelReason.ORDERED_BY_MISTAKE: "I ordered by mistake: the wrong product or colour",
    CancelReason.DUPLICATE_ORDER: "The order was made twice",
    CancelReason.WRONG_DELIVERY_INFO: "The delivery information is wrong",
    CancelReason.PAID_WRONG_ORDER: "I paid for the wrong order",
}
"""R1."""

METHODS: Final[dict[str, str]] = {
    PaymentMethod.WALLET: "wallet",
    PaymentMethod.CARD: "card",
    PaymentMethod.BANK: "bank transfer",
}

REFUSALS: Final[dict[str, str]] = {
    RefusalGround.ALREADY_SHIPPED: "The parcel has already been sent",
    RefusalGround.KEEPS_THE_SALE: "The seller does not want to lose the sale",
}
"""R16."""

GROUNDS: Final[dict[str, str]] = {
    CancelGround.SELLER_AGREED: "The seller agreed.",
    CancelGround.SILENCE: "The seller did not answer in time, and silence counts as a yes.",
    CancelGround.NO_CONSENT_NEEDED: "It was not paid, so the seller did not have to agree.",
    CancelGround.NEVER_PAID: "It was never paid.",
    CancelGround.NEVER_SHIPPED: "The seller never sent it.",
}

OUTCOMES: Final[dict[str, str]] = {
    Outcome.CANCELLED_UNPAID: "Cancelled",
    Outcome.CANCELLED_REFUNDED: "Cancelled and refunded",
    Outcome.UNPAID_EXPIRED: "Closed: never paid",
    Outcome.NEVER_SHIPPED_REFUNDED: "Refunded: never sent",
    Outcome.COMPLETED: "Completed",
    Outcome.COMPLETED_PARTIAL_REFUND: "Completed, a part refunded",
    Outcome.DISPUTE_REFUNDED: "Dispute won: refunded",
    Outcome.DISPUTE_PARTIAL: "Dispute: a part refunded",
    Outcome.DISPUTE_DENIED: "Dispute: claim denied",
}

REFUND_CAUSES: Final[dict[str, str]] = {
    RefundCause.CANCELLATION: "for the cancellation",
    RefundCause.PARTIAL_REFUND: "conceded by the seller",
    RefundCause.DISPUTE: "by the dispute",
}

CLAIMS: Final[dict[str, str]] = {
    ClaimGround.NOT_SENT: "It was never sent",
    ClaimGround.NOT_RECEIVED: "It never arrived",
    ClaimGround.NOT_AS_DESCRIBED: "It is not as described",
    ClaimGround.DISSATISFIED: "I am not satisfied",
}

STANCES: Final[dict[str, str]] = {
    Stance.CONCEDES: "concedes the claim",
    Stance.OFFERS: "offers a part",
    Stance.CONTESTS: "contests the claim",
}

RESOLUTIONS: Final[dict[str, str]] = {
    Resolution.AGREEMENT: "Both sides agreed",
    Resolution.SILENCE: "The seller stayed silent",
    Resolution.PLATFORM: "The platform decided",
    Resolution.MOOT: "There was nothing left to decide",
}

WAITS: Final[dict[str, str]] = {
    Waits.PAYMENT: "the payment",
    Waits.SHIPMENT: "the seller to send the parcel",
    Waits.DELIVERY: "the parcel to arrive",
    Waits.PROTECTION_END: "the end of buyer protection",
    Waits.SELLER_ANSWER: "the seller's answer to a request",
    Waits.TRACKING: "the tracking number",
    Waits.DISPUTE_ANSWER: "the seller's answer in a dispute",
    Waits.SETTLEMENT: "an agreement in a dispute",
    Waits.RETURN: "the goods to be sent back",
    Waits.RULING: "the platform's ruling",
    Waits.REFUND: "a refund to arrive",
    Waits.NOTHING: "nothing",
}

ACTIONS: Final[dict[str, str]] = {
    Action.PAY: "Pay now",
    Action.CANCEL: "Cancel the order",
    Action.CONFIRM: "Confirm the cancellation",
    Action.WITHDRAW: "Take the request back",
    Action.ASK_SELLER: "Ask the seller to cancel",
    Action.MESSAGE: "Write to the seller",
    Action.ASK_TRACKING: "Ask for the tracking number",
    Action.TAKE_PART: "Accept the partial refund",
    Action.REFUND_CUSTOMER: "Refund your customer",
    Action.RECEIVE: "Confirm receipt",
    Action.DISPUTE: "Open a dispute",
    Action.PROPOSE: "Offer a settlement",
    Action.SETTLE: "Accept the offer",
    Action.SEND_RETURN: "I have sent the goods back",
    Action.ACCEPT: "Agree to cancel",
    Action.REFUSE: "Refuse",
    Action.SHIP: "Hand the parcel over",
    Action.SHOW_TRACKING: "Give the tracking number",
    Action.OFFER_PART: "Offer a partial refund",
    Action.ANSWER_DISPUTE: "Answer the dispute",
}

NO_BUTTON: Final[dict[str, str]] = {
    "contact_the_seller": "The payment is confirmed, so only the seller can cancel now: ask the seller.",
    "already_shipped": "The parcel has left, so the order cannot be cancelled any more. A refund or a dispute is the way.",
}
"""Why Cancel is not offered (R9, R11), where that is worth a sentence."""

PROFILES: Final[dict[str, str]] = {
    "prompt": "Agrees at once",
    "manual": "You: answer yourself at the seller's desk",
    "slow": "Thinks about it for two days, then agrees",
    "silent": "Never answers, but ships",
    "never-ships": "Takes the money and disappears",
    "unreachable": "Never gets the request; reads messages, and agrees",
    "keeps-the-sale": "Does not want to lose the sale",
    "wavering": "Gives in to one request of two",
    "generous": "Agrees to everything",
    "fake-tracking": "Says that it was sent, and shows a number of no parcel",
    "late-shipper": "Refuses, and ships only under a dispute",
    "conciliatory": "Ships in time, and offers a part of the money in a dispute",
    "stubborn": "Ships in time, and contests every claim",
    "bluffing": "Contests without anything to show",
    "fast-shipper": "Sends within the hour of the payment",
    "eager": "Sends before the money is there",
    "careless": "Answers nothing, and ships whatever happens",
}
"""R25: the sellers one may order from, by profile."""

CLOCKS: Final[dict[str, str]] = {
    "1440": "one day a minute",
    "14400": "one day in six seconds",
    "1": "real time",
}
"""Clock rates to choose from. On the second the seller's time to answer is 18 seconds."""


UNTIL: Final[dict[str, str]] = {
    Waits.PAYMENT: "to be paid by",
    Waits.SHIPMENT: "to be sent by",
    Waits.DELIVERY: "expected",
    Waits.PROTECTION_END: "buyer protection until",
    Waits.SELLER_ANSWER: "an answer is due by",
    Waits.TRACKING: "the number is due by",
    Waits.DISPUTE_ANSWER: "an answer is due by",
    Waits.SETTLEMENT: "they may agree until",
    Waits.RETURN: "to be sent back by",
    Waits.RULING: "",
    Waits.REFUND: "the money arrives by",
    Waits.NOTHING: "",
}
"""What a time limit is for, before the moment."""

LIMITS: Final[dict[str, str]] = {
    "PaymentDue": "to be paid by",
    "ShipmentDue": "to be sent by",
    "AnswerDue": "answer due by",
    "ProtectionEnds": "protected until",
    "RefundDue": "arrives by",
    "TrackingDue": "number due by",
    "SellerAnswers": "will answer at",
    "HandOverDue": "leaves at",
    "ScanDue": "scanned at",
    "DeliveryDue": "arrives at",
    "DisputeAnswerDue": "answer due by",
    "NegotiationEnds": "agree by",
    "ReturnDue": "back by",
}
"""The time limits in an order's picture, by the names of their timers."""

RATES: Final[dict[str, str]] = {
    "OrderPlaced": "orders placed",
    "OrderClosed": "orders ended",
    "EmailSent": "emails sent",
}
"""The events whose rates the console draws."""

METRICS: Final[dict[str, str]] = {
    "request_to_answer": "request to answer",
    "request_to_email": "request to email",
}
