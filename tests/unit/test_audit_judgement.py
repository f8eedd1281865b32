"""The audit's judgement of single orders: honest histories of every ending, and each fault alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from countermand.contracts.order import CancelGround, Outcome, PaymentMethod
from countermand.kernel.policy import OnSilence, Policy, PromisedEmail
from tests.support.audits import audited, broken, words
from tests.support.endings import ENDINGS, cancelled_refunded, cancelled_unpaid, resellers
from tests.support.faults import FAULTS, a_lost_email, a_lost_refund, open_after_its_deadline
from tests.support.histories import PRICE, History

_EACH = [(invariant, fault) for invariant, faults in FAULTS.items() for fault in faults]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
def test_an_honest_history_breaks_nothing(ending: Callable[[], History]) -> None:
    report = audited(ending(), drained=True)

    assert words(report.violations) == ""
    assert report.lines[0].pending == 0


@pytest.mark.parametrize(("invariant", "fault"), _EACH, ids=[fault.__name__ for _, fault in _EACH])
def test_a_fault_breaks_its_invariant_and_no_other(invariant: str, fault: Callable[[], History]) -> None:
    assert broken(fault()) == [invariant]


def test_what_is_younger_than_the_grace_is_pending() -> None:
    """On a live system a message takes its time."""
    report = audited(a_lost_email(), a_lost_refund(), open_after_its_deadline(), grace_s=60)

    assert words(report.violations) == ""
    assert {line.invariant: line.pending for line in report.lines if line.pending} == {"I1": 2, "I4": 1}


def test_an_open_order_waits_for_what_is_still_to_come() -> None:
    history = History("open", paid=False, rate=1, started_ago=timedelta(seconds=1))
    history.place()
    history.request(history.dialog())

    report = audited(history, after_s=3_600)

    assert words(report.violations) == ""
    assert (report.lines[0].pending, report.lines[4].pending) == (1, 1)


def test_after_the_drain_no_order_waits_for_a_message() -> None:
    assert broken(a_lost_refund(), grace_s=60, drained=True) == ["I9"]


def test_silence_may_mean_waiting() -> None:
    """P3: then only the shipping limit ends it."""
    history = History("waiting", policy=Policy(on_silence=OnSilence.WAIT), started_ago=timedelta(seconds=6))
    history.place()
    history.request()

    assert broken(history) == []


def test_what_the_policy_does_not_promise_need_not_be_sent() -> None:
    history = History("quiet", paid=False, policy=Policy(emails=()))
    history.place()
    request = history.request()
    cancelled = history.cancel(history.accept(request), request)
    history.close(cancelled, Outcome.CANCELLED_UNPAID)

    assert broken(history) == []


def test_what_the_policy_promises_beyond_the_default_is_owed() -> None:
    history = History("chatty", paid=False, policy=Policy(emails=(PromisedEmail.ORDER_PLACED,)))
    history.place()
    request = history.request()
    history.close(history.cancel(history.accept(request), request), Outcome.CANCELLED_UNPAID)

    assert broken(history) == ["I4"]


def test_an_email_that_its_server_refused_is_told_and_not_delivered() -> None:
    history = cancelled_unpaid()
    cancelled = next(fact_id for fact_id, fact in history.events.items() if type(fact).__name__ == "OrderCancelled")
    history.unwrite(next(reversed(history.events)))
    history.fail_email(cancelled, PromisedEmail.CANCELLED)

    report = audited(history)

    assert report.ok
    assert report.emails == {"promised": 1, "delivered": 0, "failed": 1, "duplicates": 0, "lost": 0}


def test_an_email_sent_twice_is_counted() -> None:
    history = cancelled_unpaid()
    cancelled = next(fact_id for fact_id, fact in history.events.items() if type(fact).__name__ == "OrderCancelled")
    history.email(cancelled, PromisedEmail.CANCELLED, by="SendAgain")

    report = audited(history)

    assert report.ok
    assert (report.emails["delivered"], report.emails["duplicates"]) == (1, 1)


def test_money_is_added_up_and_a_resellers_own_is_kept_apart() -> None:
    report = audited(cancelled_refunded(), resellers())

    assert report.money == {"USD": {"captured": 2 * PRICE, "refunded": PRICE, "resellers": 5_990}}


def test_lateness_is_in_real_seconds() -> None:
    """A timer that is a simulated day late is a second late at a day a second."""
    history = History("late", method=PaymentMethod.CARD, paid=False)
    placed = history.place()
    history.wait(days=21)
    history.close(history.cancel(f"{placed}:PaymentDue", None, CancelGround.NEVER_PAID), Outcome.UNPAID_EXPIRED)
    history.mail()

    assert audited(history).lateness_s == pytest.approx({"timers": 1, "p50": 1, "p99": 1, "max": 1}, rel=0.02)


def test_a_policy_that_nobody_stored_is_a_fault() -> None:
    history = cancelled_unpaid()
    history.policy = Policy(unpaid_closes_after_days=3)  # The terms in the messages name another one.

    assert broken(history) == ["I6"]
