"""Which of the domain's races an order went through, told by what was recorded: what never happened proves nothing."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from lab.audit.fact import COMMANDS, Fact

RACES: Final = {
    "X1": "cancel and ship",
    "X2": "accept and ship",
    "X3": "payment and cancel",
    "X4": "message and request",
    "X5": "dispute and ship",
    "X6": "refund and parcel still travelling",
    "X7": "double click",
    "X8": "answer and deadline",
    "X9": "offer and counter-offer and acceptance",
    "X10": "withdraw and accept",
    "X11": "a part conceded and the rest ruled",
    "X12": "a message twice, out of order, or with a crash",
}


_TWICE_OR_OUT_OF_ORDER: Final = ("duplicate", "overtaken", "drop", "lost_ack", "crash")


def races_of(facts: Sequence[Fact], sometimes: Counter[str]) -> list[str]:
    """The ids of the races that this order shows."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    times: Counter[str] = Counter()
    for number, fact in enumerate(facts, 1):
        first.setdefault(fact.name, number)
        last[fact.name] = number
        times[fact.name] += 1
    asked = Counter(fact.name for fact in facts if fact.owner == COMMANDS)

    def follows(later: str, earlier: str) -> bool:
        return earlier in first and last.get(later, 0) > first[earlier]

    shown = {
        "X1": "CancelSuperseded" in first or "ShipmentSuperseded" in first,
        "X2": follows("SellerAccepted", "ParcelPlanned") or follows("Shipped", "RequestHeard"),
        "X3": follows("PaymentAcknowledged", "CancelRequested"),
        "X4": "SellerMessaged" in first and "CancelRequested" in first,
        "X5": follows("ParcelScanned", "DisputeOpened"),
        "X6": follows("ParcelScanned", "RefundIssued"),
        "X7": asked["ConfirmCancel"] + asked["AskSellerToCancel"] > times["CancelRequested"] > 0,
        "X8": _answered_late(facts),
        "X9": times["SettlementProposed"] > 1 or asked["AcceptPartialRefund"] > times["PartialRefundAccepted"],
        "X10": asked["WithdrawCancel"] > 0 and "SellerAccepted" in first,
        "X11": "PartialRefundAccepted" in first and times["RefundIssued"] > 1,
        "X12": any(sometimes[fault] for fault in _TWICE_OR_OUT_OF_ORDER),
    }
    return [race for race, is_shown in shown.items() if is_shown]


def _answered_late(facts: Sequence[Fact]) -> bool:
    """Whether the seller's word and the end of its time were both recorded, for one request."""
    words = {f.body.get("request_id") for f in facts if f.name in {"SellerAccepted", "SellerRefused"}}
    ends = {
        f.body.get("request_id")
        for f in facts
        if f.name in {"CancelExpired", "CancelRefused", "OrderCancelled"} and f.cause.endswith(":AnswerDue")
    }
    return bool(words & ends)
