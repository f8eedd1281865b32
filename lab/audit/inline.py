"""I1, I3 and I5 over the histories of single orders."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from countermand.contracts.base import Owner
from lab.facts import Fact

ANSWERS: Final = {
    "OrderCancelled": "accepted or expired",
    "CancelRefused": "refused",
    "CancelExpired": "expired",
    "CancelSuperseded": "superseded",
    "CancelWithdrawn": "withdrawn",
}
"""The order's events that answer a request, and how."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that an order breaks."""

    invariant: str
    order_id: str
    what: str


def violations(order_id: str, facts: Iterable[Fact]) -> list[Violation]:
    """Everything that is wrong with one order that should have ended."""
    own = [fact for fact in facts if fact.owner is Owner.ORDER]
    return [
        Violation(invariant, order_id, what)
        for invariant, broken in (("I1", _outcome(own)), ("I3", _money(own)), ("I5", _answers(own)))
        for what in broken
    ]


def _outcome(facts: list[Fact]) -> list[str]:
    """I1: exactly one outcome."""
    closed = sum(fact.name == "OrderClosed" for fact in facts)
    return [] if closed == 1 else [f"{closed} outcomes instead of one"]


def _money(facts: list[Fact]) -> list[str]:
    """I3: refunds never above what was captured; those of a cancelled order are exactly that, each with its own cause."""
    captured = sum(
        fact.body.brief.price.amount_minor
        for fact in facts
        if fact.name == "PaymentAcknowledged" or (fact.name == "OrderPlaced" and fact.body.paid)
    )
    refunds = [fact for fact in facts if fact.name == "RefundIssued"]
    refunded = sum(fact.body.amount.amount_minor for fact in refunds)
    wrong: list[str] = []
    if refunded > captured:
        wrong.append(f"refunded {refunded} of {captured} captured")
    if any(fact.name == "OrderCancelled" for fact in facts) and refunded != captured:
        wrong.append(f"cancelled, but refunded {refunded} of {captured} captured")
    if len({fact.caused_by for fact in refunds}) != len(refunds):
        wrong.append("two refunds with one cause")
    received = Counter(fact.body.refund_id for fact in facts if fact.name == "RefundReceived")
    if any(times > 1 for times in received.values()):
        wrong.append("a refund received twice")
    return wrong


def _answers(facts: list[Fact]) -> list[str]:
    """I5: every request has exactly one answer that names it."""
    answered = Counter(fact.body.request_id for fact in facts if fact.name in ANSWERS and fact.body.request_id)
    requests = [fact.id for fact in facts if fact.name == "CancelRequested"]
    wrong = [f"request {request} has {answered[request]} answers" for request in requests if answered[request] != 1]
    return wrong + [f"an answer names {request}, which was never asked" for request in answered.keys() - set(requests)]
