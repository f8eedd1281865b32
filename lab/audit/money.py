"""I3: the audit's own ledger of an order. Amounts in minor units; a reseller's own money (R26) is kept apart."""

from collections.abc import Iterator
from typing import Any, Final

from lab.audit.fact import Fact
from lab.audit.invariants import Invariant
from lab.audit.record import Part, Record, Refund, on

_KINDS: Final = ("cancellation", "partial_refund", "dispute")


@on("OrderPlaced")
def place(record: Record, fact: Fact) -> None:
    """What a wallet paid at once is captured."""
    price = fact.body["brief"]["price"]
    record.ledger.currency = price["currency"]
    if fact.body["paid"]:
        record.ledger.captured += price["amount_minor"]


@on("PaymentAcknowledged")
def capture(record: Record, fact: Fact) -> None:
    """Money that comes after the end goes back at once (X3)."""
    record.ledger.captured += _amount(record, fact, fact.body["amount"])
    if fact.body["late"]:
        record.ledger.owed_since = fact.at
        record.ledger.reasons.add(fact.id)


@on("OrderCancelled")
def owe(record: Record, fact: Fact) -> None:
    """All that was paid and has not gone back is owed."""
    ledger = record.ledger
    owed = ledger.captured - ledger.refunded
    if fact.body["refund_due_minor"] != owed:
        record.blame(Invariant.I3, f"cancelled with {fact.body['refund_due_minor']} to refund, where {owed} is owed")
    ledger.reasons.add(fact.id)
    if owed > 0:
        ledger.owed_since = fact.at


@on("PartialRefundOffered")
def offer(record: Record, fact: Fact) -> None:
    """The seller would give back a part (R21)."""
    record.ledger.offers[fact.id] = _amount(record, fact, fact.body["amount"])


@on("PartialRefundAccepted")
def accept(record: Record, fact: Fact) -> None:
    """The buyer takes a part."""
    amount = _amount(record, fact, fact.body["amount"])
    record.ledger.parts[fact.id] = Part(fact.body["offer_id"], amount, fact.at)


@on("RefundIssued")
def refund(record: Record, fact: Fact) -> None:
    """A refund has a reason of its own, and is never more than what is left."""
    ledger = record.ledger
    amount, kind = _amount(record, fact, fact.body["amount"]), fact.body["cause"]
    left = ledger.captured - ledger.refunded
    if any(earlier.cause == fact.cause for earlier in ledger.refunds.values()):
        record.blame(Invariant.I3, f"a second refund of {amount} with the cause {fact.cause}")
    elif amount > left:
        record.blame(Invariant.I3, f"refunds {amount} where {left} of {ledger.captured} is left")
    elif kind == "cancellation" and (amount != left or fact.cause not in ledger.reasons):
        record.blame(Invariant.I3, f"refunds {amount} where {left} is owed, because of {fact.cause}")
    elif kind == "partial_refund":
        part = ledger.parts.get(fact.cause)
        if part is None or amount != min(part.amount, left):
            accepted = "none" if part is None else part.amount
            record.blame(Invariant.I3, f"refunds a part of {amount}, where the buyer accepted {accepted}")
    if fact.body["method"] != record.method:
        record.blame(Invariant.I3, f"refunds to the {fact.body['method']} what the {record.method} paid (R23)")
    if part := ledger.parts.get(fact.cause):
        part.refunded = True
    if kind == "cancellation":
        ledger.owed_since = None
    ledger.refunded += amount
    ledger.refunds[fact.id] = Refund(amount, fact.cause, kind, fact.body["issued_at"], fact.body["arrives_at"])


@on("RefundReceived")
def receive(record: Record, fact: Fact) -> None:
    """A refund arrives once, and whole."""
    found = record.ledger.refunds.get(fact.body["refund_id"])
    amount = _amount(record, fact, fact.body["amount"])
    if found is None:
        record.blame(Invariant.I3, f"received {amount}, which nobody had sent")
    elif found.received:
        record.blame(Invariant.I3, f"received {amount} twice")
    elif found.amount != amount:
        record.blame(Invariant.I3, f"received {amount} of a refund of {found.amount}")
    if found is not None:
        found.received = True


@on("ResellerRefundedCustomer")
def refund_customer(record: Record, fact: Fact) -> None:
    """A reseller's own money (R26)."""
    record.ledger.reseller += _amount(record, fact, fact.body["amount"])
    if not record.customer:
        record.blame(Invariant.I3, "a customer is refunded who does not exist")


@on("OrderClosed")
def close(record: Record, fact: Fact) -> None:
    """The end says how much went back."""
    ledger = record.ledger
    said = _amount(record, fact, fact.body["refunded"])
    if said != ledger.refunded:
        record.blame(Invariant.I3, f"closed with {said} refunded, where {ledger.refunded} was")
    if record.ending.ground and ledger.refunded < ledger.captured:
        record.blame(Invariant.I3, f"closed as cancelled with {ledger.refunded} of {ledger.captured} refunded")


def unfounded(record: Record) -> Iterator[str]:
    """Refunds and agreements that do not follow from what other services recorded."""
    ledger = record.ledger
    for part in ledger.parts.values():
        offered = ledger.offers.get(part.offer)
        if offered != part.amount:
            yield f"the buyer accepted a part of {part.amount}, where {'none' if offered is None else offered} was offered"
    before = 0
    for found in ledger.refunds.values():
        if found.kind == "dispute":
            ruled, _ = record.case.rulings.get(found.cause, (None, ""))
            left = ledger.captured - before
            if ruled is None or found.amount != min(ruled, left):
                yield f"refunds {found.amount} for a ruling of {'none' if ruled is None else ruled} with {left} left"
        elif found.kind not in _KINDS:
            yield f"refunds {found.amount} because of {found.kind}"
        before += found.amount
    granted = sum(amount for amount, by in record.case.rulings.values() if by != "moot")
    settled = any(found.kind == "dispute" for found in ledger.refunds.values())
    if record.ending.outcomes and granted and not settled and ledger.refunded < ledger.captured:
        yield f"closed without the refund of {granted} that was ruled"


def movements(record: Record) -> int:
    """How many times money moved."""
    return (1 if record.ledger.captured else 0) + len(record.ledger.refunds)


def _amount(record: Record, fact: Fact, money: dict[str, Any]) -> int:
    if money["currency"] != record.ledger.currency and record.ledger.currency:
        record.blame(Invariant.I3, f"{fact.name} is in {money['currency']}, the order in {record.ledger.currency}")
    return money["amount_minor"]
