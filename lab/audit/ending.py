"""I1: the one outcome, and the limits that lead to it. Which outcome is right follows from the audit's own books."""

from datetime import datetime

from lab.audit.fact import Fact
from lab.audit.invariants import Invariant
from lab.audit.record import Record, Terms, on
from lab.audit.table import GOODS


@on("OrderPlaced")
def place(record: Record, fact: Fact) -> None:
    """The order begins, under its terms."""
    body = fact.body
    terms = body["terms"]
    clock = terms["clock"]
    record.placed = True
    record.run_id = body.get("run_id")
    record.method = body["payment_method"]
    record.customer = body.get("customer") is not None
    record.terms = Terms(
        int(terms["seed"]),
        terms["policy"],
        datetime.fromisoformat(clock["epoch"]).timestamp(),
        datetime.fromisoformat(clock["started_at"]).timestamp(),
        float(clock["rate"]),
    )
    record.ending.pay_by = body["pay_by"] or ""
    record.ending.ship_by = body["ship_by"] or ""


@on("PaymentAcknowledged")
def pay(record: Record, fact: Fact) -> None:
    """The seller's time to ship begins (P5)."""
    record.ending.ship_by = fact.body["ship_by"] or ""


@on("OrderDelivered")
def deliver(record: Record, fact: Fact) -> None:
    """Buyer protection runs (P9)."""
    record.ending.protected_until = fact.body["protected_until"] or ""


@on("OrderCancelled")
def cancel(record: Record, fact: Fact) -> None:
    """Why it will end as cancelled."""
    record.ending.ground = fact.body["ground"]


@on("OrderClosed")
def close(record: Record, fact: Fact) -> None:
    """The outcome, once."""
    ending = record.ending
    ending.outcomes.append(fact.body["outcome"])
    if len(ending.outcomes) > 1:
        record.blame(Invariant.I1, f"ends {len(ending.outcomes)} times: {', '.join(ending.outcomes)}")
    else:
        ending.captured, ending.refunded = record.ledger.captured, record.ledger.refunded


def due_outcome(record: Record) -> str:
    """How an order that has ended should have ended, by its own history."""
    ending = record.ending
    if ending.ground == "never_shipped":
        return "never_shipped_refunded"
    if ending.ground:
        unpaid = "unpaid_expired" if ending.ground == "never_paid" else "cancelled_unpaid"
        return "cancelled_refunded" if ending.captured else unpaid
    granted = [amount for amount, by in record.case.rulings.values() if by != "moot"]
    if granted and not granted[-1]:
        return "dispute_denied"
    if granted:
        return "dispute_refunded" if ending.refunded >= ending.captured else "dispute_partial"
    if record.states[GOODS] != "arrived":
        return "open: the goods have not arrived"
    return "completed_partial_refund" if record.ledger.parts else "completed"
