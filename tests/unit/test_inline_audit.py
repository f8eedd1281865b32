"""The audit of one order's history: what it must find, and that it finds nothing in what is right."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from countermand.contracts import EVENTS
from countermand.contracts.base import Event, Owner
from countermand.contracts.order import CancelExpired, CancelWithdrawn, Goods, Outcome
from countermand.contracts.seller import SellerAccepted
from countermand.kernel.money import Money
from lab.audit.inline import ANSWERS, Violation, violations
from lab.facts import Fact
from tests.support.orders import (
    BRIEF,
    NOTHING,
    ORDER_ID,
    PRICE,
    START,
    acknowledged,
    cancelled,
    closed,
    placed,
    refund_issued,
    refund_received,
    refused,
    requested,
    superseded,
)

REFUNDED = closed(Outcome.CANCELLED_REFUNDED, Goods.NOT_SHIPPED, PRICE)


def test_an_unpaid_order_that_was_cancelled_is_right() -> None:
    """One request, one answer, one outcome, no money."""
    assert audited(placed(), requested(), cancelled(request_id="e2"), closed()) == []


def test_a_paid_order_that_was_refunded_is_right() -> None:
    """Everything that was captured goes back, once."""
    history = (placed(paid=True), requested(), cancelled(request_id="e2"), refund_issued(START))
    assert audited(*history, refund_received("e4"), REFUNDED) == []


def test_money_that_was_acknowledged_later_counts_as_captured() -> None:
    """Placed unpaid, paid, cancelled, refunded."""
    history = (placed(), acknowledged(), requested(), cancelled(request_id="e3"), refund_issued(START))
    assert audited(*history, refund_received("e5"), REFUNDED) == []


def test_a_paid_order_that_was_not_cancelled_keeps_its_money() -> None:
    """A refusal is an answer, and no refund is owed."""
    assert audited(placed(paid=True), requested(), refused("e2"), closed(Outcome.COMPLETED, Goods.DELIVERED)) == []


def test_an_order_cancelled_without_any_request_is_right() -> None:
    """It was never paid."""
    assert audited(placed(), cancelled(), closed(Outcome.UNPAID_EXPIRED)) == []


@pytest.mark.parametrize(
    "answer",
    [
        cancelled(request_id="e2"),
        refused("e2"),
        superseded("e2"),
        CancelExpired(brief=BRIEF, request_id="e2"),
        CancelWithdrawn(brief=BRIEF, request_id="e2"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_each_kind_of_answer_answers_a_request(answer: Event) -> None:
    """I5 knows them all."""
    assert audited(placed(), requested(), answer, closed()) == []


def test_a_request_after_an_answered_one_is_a_request_of_its_own() -> None:
    """The buyer bargains: refused, asked again, granted."""
    history = (placed(), requested(), refused("e2"), requested(), cancelled(request_id="e4"))
    assert audited(*history, closed()) == []


def test_i1_an_order_without_an_outcome() -> None:
    """Every order must end."""
    assert audited(placed()) == [broken("I1", "0 outcomes instead of one")]


def test_i1_an_order_with_two_outcomes() -> None:
    """And only once."""
    history = (placed(), cancelled(), closed(), closed(Outcome.COMPLETED))
    assert audited(*history) == [broken("I1", "2 outcomes instead of one")]


def test_i3_a_second_refund() -> None:
    """More goes back than came in: said once for the sum, and once for the cancelled order."""
    history = (placed(paid=True), cancelled(), refund_issued(START), refund_issued(START), REFUNDED)
    assert audited(*history) == [
        broken("I3", "refunded 3998 of 1999 captured"),
        broken("I3", "cancelled, but refunded 3998 of 1999 captured"),
    ]


def test_i3_two_refunds_with_one_cause() -> None:
    """Each refund follows from something of its own, even if the sum is right."""
    half = Money(amount_minor=PRICE.amount_minor // 2, currency="USD")
    rest = Money(amount_minor=PRICE.amount_minor - half.amount_minor, currency="USD")
    issued = [refund_issued(START).model_copy(update={"amount": amount}) for amount in (half, rest)]
    facts = [*recorded(placed(paid=True), cancelled()), *recorded(*issued, REFUNDED, first=3, caused_by="e2")]
    assert violations(ORDER_ID, facts) == [broken("I3", "two refunds with one cause")]


def test_i3_a_refund_of_an_order_that_nobody_paid() -> None:
    """There is nothing to send back."""
    assert audited(placed(), refund_issued(START), closed(Outcome.COMPLETED)) == [
        broken("I3", "refunded 1999 of 0 captured")
    ]


def test_i3_a_cancelled_order_whose_money_stays() -> None:
    """Paid, cancelled, closed, and no refund."""
    assert audited(placed(paid=True), cancelled(), closed(refunded=NOTHING)) == [
        broken("I3", "cancelled, but refunded 0 of 1999 captured")
    ]


def test_i3_a_refund_received_twice() -> None:
    """One transfer arrives once."""
    history = (placed(paid=True), cancelled(), refund_issued(START), refund_received("e3"), refund_received("e3"))
    assert audited(*history, REFUNDED) == [broken("I3", "a refund received twice")]


def test_i5_a_request_without_an_answer() -> None:
    """The order ended, and the request was forgotten."""
    assert audited(placed(), requested(), closed()) == [broken("I5", "request e2 has 0 answers")]


def test_i5_a_request_answered_twice() -> None:
    """Refused, and cancelled all the same."""
    assert audited(placed(), requested(), refused("e2"), cancelled(request_id="e2"), closed()) == [
        broken("I5", "request e2 has 2 answers")
    ]


def test_i5_an_answer_to_another_request() -> None:
    """Two requests, and both answers name the first."""
    history = (placed(), requested(), refused("e2"), requested(), cancelled(request_id="e2"), closed())
    assert audited(*history) == [broken("I5", "request e2 has 2 answers"), broken("I5", "request e4 has 0 answers")]


def test_i5_an_answer_to_a_request_that_was_never_asked() -> None:
    """It names nothing of this order."""
    assert audited(placed(), refused("x9"), closed()) == [broken("I5", "an answer names x9, which was never asked")]


def test_every_broken_invariant_is_told() -> None:
    """Not only the first."""
    found = audited(placed(paid=True), requested(), cancelled())
    assert [violation.invariant for violation in found] == ["I1", "I3", "I5"]


def test_what_other_services_recorded_is_not_the_orders() -> None:
    """The seller's acceptance is no answer: the order's is."""
    history = recorded(placed(), requested(), closed())
    heard = recorded(SellerAccepted(request_id="e2"), first=4)
    assert violations(ORDER_ID, [*history, *heard]) == [broken("I5", "request e2 has 0 answers")]


def audited(*events: Event) -> list[Violation]:
    """What is wrong with a history whose events have the ids e1, e2, …, each caused by something of its own."""
    return violations(ORDER_ID, recorded(*events))


def recorded(*events: Event, first: int = 1, caused_by: str | None = None) -> Sequence[Fact]:
    return [
        Fact(
            id=f"e{number}",
            owner=Owner(event.owner),
            order_id=ORDER_ID,
            name=type(event).__name__,
            revision=number,
            sequence=number,
            caused_by=caused_by or f"cause of e{number}",
            at=START + timedelta(seconds=number),
            simulated_at=START,
            body=event,
        )
        for number, event in enumerate(events, first)
    ]


def broken(invariant: str, what: str) -> Violation:
    return Violation(invariant, ORDER_ID, what)


def test_the_answers_are_events_of_the_order() -> None:
    """The audit goes by names, so a renamed event would make it blind."""
    assert {EVENTS[name].owner for name in ANSWERS} == {Owner.ORDER}
