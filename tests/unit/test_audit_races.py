"""True races (X1-X5, X8-X10): who won, and what is no race because the loser came after the winner."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from countermand.contracts.base import Role
from countermand.contracts.order import CancelGround
from countermand.kernel.policy import OnSilence, Policy
from tests.support.audits import audited
from tests.support.endings import delivered, goods_after_the_refund, late_payment, superseded_and_completed
from tests.support.histories import History


def _unpaid(name: str) -> tuple[History, str]:
    """An unpaid order with a request whose answer is due in the far future."""
    history = History(name, paid=False, rate=1, started_ago=timedelta(), policy=Policy(on_silence=OnSilence.REFUSE))
    history.place()
    return history, history.request()


def _paid(name: str) -> tuple[History, str]:
    history = History(name, rate=1, started_ago=timedelta())
    history.place()
    return history, history.request()


def _cancelled_over_the_parcel() -> History:
    history, request = _paid("cancelled_over_the_parcel")
    shipped = history.ship()
    history.wait(hours=72).cancel(f"{request}:AnswerDue", request, CancelGround.SILENCE)
    history.show_shipment(shipped)
    return history


def _accepted_before_shipping() -> History:
    history, request = _paid("accepted_before_shipping")
    accepting = history.ask("AcceptCancel", "seller")
    history.ask("ShipOrder", "seller")
    history.cancel(history.accept(request, cause=accepting), request)
    return history


def _shipped_before_accepting() -> History:
    history, request = _paid("shipped_before_accepting")
    shipping = history.ask("ShipOrder", "seller")
    history.ask("AcceptCancel", "seller")
    history.supersede(request, history.ship(cause=shipping))
    return history


def _paid_too_late() -> History:
    history, request = _unpaid("paid_too_late")
    accepted = history.accept(request)
    paying = history.ask("AcknowledgePayment")
    history.cancel(accepted, request)
    history.pay(late=True, cause=paying)
    return history


def _paid_just_in_time() -> History:
    history, request = _unpaid("paid_just_in_time")
    accepted = history.accept(request)
    history.pay()
    history.cancel(accepted, request)
    return history


def _answered_too_late() -> History:
    history, request = _unpaid("answered_too_late")
    accepted = history.accept(request)
    history.expire(request)
    history.supersede_acceptance(request, accepted)
    return history


def _answered_at_the_last_moment() -> History:
    """The deadline had passed for a second when the answer was recorded."""
    history = History("last_moment", paid=False, rate=259_200, started_ago=timedelta(seconds=2))
    history.place()
    request = history.request()
    history.cancel(history.accept(request), request)
    return history


def _withdrawn_first() -> History:
    history, request = _unpaid("withdrawn_first")
    accepted = history.accept(request)
    history.withdraw(request)
    history.supersede_acceptance(request, accepted)
    return history


def _accepted_first() -> History:
    history, request = _unpaid("accepted_first")
    accepted = history.accept(request)
    history.ask("WithdrawCancel")
    history.cancel(accepted, request)
    return history


def _disputed_first() -> History:
    history = History("disputed_first", rate=1, started_ago=timedelta())
    history.place()
    shipping = history.ask("ShipOrder", "seller")
    history.dispute()
    history.ship(cause=shipping)
    return history


def _shipped_first() -> History:
    history = History("shipped_first", rate=1, started_ago=timedelta())
    history.place()
    disputing = history.ask("OpenDispute", "dispute")
    history.ship()
    history.dispute(cause=disputing)
    return history


def _offer_replaced() -> History:
    history, _ = delivered("offer_replaced")
    dispute = history.dispute()
    history.propose(dispute, 1_000)
    proposing = history.ask("ProposeSettlement", "dispute")
    history.ask("AcceptSettlement", "dispute")
    history.propose(dispute, 2_000, cause=proposing)
    return history


def _offer_taken() -> History:
    history, _ = delivered("offer_taken")
    dispute = history.dispute()
    offer = history.propose(dispute, 1_000)
    accepting = history.ask("AcceptSettlement", "dispute")
    history.ask("ProposeSettlement", "dispute")
    history.settle(dispute, offer, Role.BUYER, cause=accepting)
    return history


@pytest.mark.parametrize(
    ("play", "race", "winner"),
    [
        (superseded_and_completed, "cancel-ship", "ship"),
        (_cancelled_over_the_parcel, "cancel-ship", "cancel"),
        (_accepted_before_shipping, "accept-ship", "accept"),
        (_shipped_before_accepting, "accept-ship", "ship"),
        (_paid_too_late, "payment-cancel", "cancel"),
        (_paid_just_in_time, "payment-cancel", "payment"),
        (_answered_too_late, "answer-deadline", "deadline"),
        (_answered_at_the_last_moment, "answer-deadline", "answer"),
        (_withdrawn_first, "withdraw-accept", "withdraw"),
        (_accepted_first, "withdraw-accept", "accept"),
        (_disputed_first, "dispute-ship", "dispute"),
        (_shipped_first, "dispute-ship", "ship"),
        (_offer_replaced, "offer-acceptance", "offer"),
        (_offer_taken, "offer-acceptance", "acceptance"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_true_race_is_counted_and_its_winner_named(play: Callable[[], History], race: str, winner: str) -> None:
    assert audited(play()).races[race] == {winner: 1}


def test_a_parcel_that_left_long_after_the_cancellation_is_no_race() -> None:
    assert "cancel-ship" not in audited(goods_after_the_refund()).races


def test_a_payment_that_was_made_after_the_cancellation_is_no_race() -> None:
    assert "payment-cancel" not in audited(late_payment()).races


def test_a_command_that_was_refused_before_is_no_race() -> None:
    """An offer that the marketplace does not allow, made long before the acceptance."""
    history, _ = delivered("refused_before")
    dispute = history.dispute()
    history.ask("ProposeSettlement", "dispute")
    history.settle(dispute, history.propose(dispute, 1_000))

    assert "offer-acceptance" not in audited(history).races
