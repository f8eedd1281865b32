"""The auditor remembers open orders, and lets go of those that settled, until something comes late about them."""

import time
from collections.abc import Callable

import pytest

from lab.audit.auditor import Auditor
from lab.audit.fact import Fact
from lab.audit.judge import Judge
from lab.audit.record import NS
from lab.audit.report import Report, report_of
from tests.support.audits import words
from tests.support.endings import (
    cancelled_refunded,
    cancelled_unpaid,
    completed,
    goods_after_the_refund,
    late_payment,
    unpaid_expired,
)
from tests.support.faults import a_short_refund
from tests.support.histories import History

_BEGAN = time.time_ns()


def test_memory_follows_the_open_orders() -> None:
    """Of 500 orders, one every half second, only those of the last seconds are kept."""
    auditor = _auditor()
    most = 0
    for number in range(500):
        at = _BEGAN + number * NS // 2
        history = cancelled_unpaid(f"order-{number}")
        _hear(auditor, history, history.facts(first_at=at), at)
        most = max(most, auditor.open_orders)

    assert most <= 10
    assert auditor.totals.counts["orders"] >= 490


def test_an_order_that_waits_is_kept() -> None:
    history = unpaid_expired()
    facts = history.facts(first_at=_BEGAN)
    auditor = _auditor()
    _hear(auditor, history, facts[:2], _BEGAN + 1_000 * NS)

    assert auditor.open_orders == 1


def test_an_order_whose_email_is_missing_is_kept() -> None:
    history = cancelled_unpaid()
    facts = [fact for fact in history.facts(first_at=_BEGAN) if fact.owner != "notify"]
    auditor = _auditor()
    _hear(auditor, history, facts, _BEGAN + 1_000 * NS)

    assert auditor.open_orders == 1


@pytest.mark.parametrize(
    ("ending", "late"),
    [(late_payment, "PaymentAcknowledged"), (goods_after_the_refund, "Shipped"), (completed, "SellerRated")],
    ids=["a late payment", "a late parcel", "a late rating"],
)
def test_what_comes_late_opens_the_order_again(ending: Callable[[], History], late: str) -> None:
    """The totals are those of an order that was judged once."""
    history = ending()
    facts = history.facts(first_at=_BEGAN)
    split = next(place for place, fact in enumerate(facts) if fact.name == late)
    auditor = _auditor()
    _hear(auditor, history, facts[:split], _BEGAN + 1_000 * NS)
    assert auditor.open_orders == 0

    auditor.hear(facts[split:])
    assert auditor.late
    auditor.reopen(history.order_id, facts)

    report = _finished(auditor)
    assert words(report.violations) == ""
    assert (report.orders, report.events) == (1, sum(fact.owner != "commands" for fact in facts))


def test_the_violations_of_an_order_are_judged_anew_when_something_comes_late() -> None:
    history = a_short_refund()
    facts = history.facts(first_at=_BEGAN)
    auditor = _auditor()
    _hear(auditor, history, facts, _BEGAN + 1_000 * NS)
    assert list(auditor.suspects) == [history.order_id]

    history.reject()
    more = history.facts(first_at=_BEGAN)
    auditor.hear(more[len(facts) :])
    auditor.reopen(history.order_id, more)

    assert [str(violation.invariant) for violation in _finished(auditor).violations] == ["I3", "I3", "I4"]


def test_the_order_of_the_streams_does_not_matter() -> None:
    """Where an outage kept a stream back, effects are read before their causes."""
    history = cancelled_refunded()
    facts = history.facts(first_at=_BEGAN)
    owners = ["notify", "seller", "order", "commands"]
    lagging = sorted(facts, key=lambda fact: owners.index(fact.owner))
    auditor = _auditor()
    auditor.policies[history.policy.hash] = history.policy
    for fact in lagging:
        auditor.hear([fact])
        for order_id in list(auditor.late):
            auditor.reopen(order_id, [])

    report = _finished(auditor)
    assert words(report.violations) == ""
    assert report.events == sum(fact.owner != "commands" for fact in facts)


def test_orders_of_another_run_are_ignored() -> None:
    ours = History("ours", paid=False, run_id="ours")
    ours.place()
    other = History("other", paid=False, run_id="other")
    other.place()
    other.reject()
    auditor = _auditor(run="ours")
    for history in (ours, other):
        _hear(auditor, history, history.facts(first_at=_BEGAN), _BEGAN)

    assert _finished(auditor).orders == 1
    assert not auditor.late


def test_a_command_that_nothing_came_of_is_forgotten() -> None:
    history = History("refused")
    history.ask("PlaceOrder")
    history.ask("OpenCancelDialog")
    auditor = _auditor()
    _hear(auditor, history, history.facts(first_at=_BEGAN), _BEGAN)
    assert auditor.open_orders == 1

    auditor.let_go(_BEGAN + 3_600 * NS)

    assert auditor.open_orders == 0
    assert _finished(auditor).orders == 0


def test_a_subject_that_is_no_events_is_named() -> None:
    auditor = _auditor()
    alien = cancelled_unpaid().facts()[1]._replace(order_id="order.what.is.this", name="(unreadable)")
    auditor.hear([alien])

    assert [violation.what for violation in _finished(auditor).violations] == [
        "the stream of order holds 'order.what.is.this', which is no event's subject"
    ]


def _auditor(run: str | None = None) -> Auditor:
    return Auditor(Judge(now=_BEGAN + 10_000 * NS, grace=0, drained=False), run=run)


def _hear(auditor: Auditor, history: History, facts: list[Fact], now: int) -> None:
    auditor.policies[history.policy.hash] = history.policy
    auditor.hear(facts)
    auditor.let_go(now)


def _finished(auditor: Auditor) -> Report:
    auditor.finish()
    for order_id, findings in auditor.suspects.items():
        auditor.totals.add(order_id, findings)
    return report_of(auditor.totals, 1)
