"""Buyers, sellers and the platform of one order, asking for anything at any time, sensible or not."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Final

from countermand.contracts.base import Command, Event
from countermand.contracts.order import (
    AcknowledgePayment,
    AskSellerToCancel,
    CancelDialogOpened,
    CancelReason,
    CancelRequested,
    ConfirmCancel,
    OpenCancelDialog,
    PaymentMethod,
    RefusalGround,
    WithdrawCancel,
)
from countermand.contracts.seller import AcceptCancel, MessageSeller, RefuseCancel, ShipOrder
from countermand.kernel.policy import OnSilence, Policy
from services.seller.profiles import PROFILES
from tests.support.market import Ask, Market
from tests.support.orders import BUYER, PLATFORM, SELLER, START, STRANGER, place, terms

SOON: Final = (timedelta(), timedelta(seconds=20), timedelta(hours=1), timedelta(days=1), timedelta(days=4))
"""How long people wait."""

_ASKS_MAX: Final = 12
_A_WHILE_S_MAX: Final = 400_000


def nothing(_market: Market) -> None:
    """Look at nothing."""


def play(
    rnd: Random,
    mess: Random | None = None,
    *,
    duplicates: float = 0.2,
    races: float = 0.2,
    check: Callable[[Market], None] = nothing,
) -> Market:
    """One order under a random policy, with a random seller and random people, until nothing is left to happen.

    `mess` disturbs the messages. Without races nobody asks at the moment at which something else happens. `check` looks
    at the market whenever no message is on its way.
    """
    policy = Policy(
        on_silence=rnd.choice(list(OnSilence)),
        consent_for_unpaid=rnd.random() < 0.7,
        self_service_after_payment=rnd.random() < 0.3,
    )
    under = terms(policy, seed=rnd.randrange(1000))
    market = Market(under, mess or rnd, duplicates=duplicates, races=races)
    paid = rnd.random() < 0.4
    method = rnd.choice(list(PaymentMethod))
    profile = rnd.choice(list(PROFILES))
    market.plan(START, lambda _: place(paid=paid, profile=profile, method=method, under=under))
    at = START
    for _ in range(rnd.randint(0, _ASKS_MAX)):
        at += rnd.choice(SOON) if races else timedelta(seconds=rnd.randint(1, _A_WHILE_S_MAX))
        market.plan(at, _ask(rnd))
    market.run(check)
    return market


def _ask(rnd: Random) -> Ask:
    actor = STRANGER if rnd.random() < 0.1 else BUYER
    reason = CancelReason.BETTER_OFFER

    def some(market: Market, event: type[Event]) -> str:
        return rnd.choice([*market.ids_of(event)[-2:], "never-made"])

    def confirm(market: Market) -> Command:
        return ConfirmCancel(actor=actor, dialog_id=some(market, CancelDialogOpened))

    def withdraw(market: Market) -> Command:
        return WithdrawCancel(actor=actor, request_id=some(market, CancelRequested))

    def accept(market: Market) -> Command:
        return AcceptCancel(actor=SELLER, request_id=some(market, CancelRequested))

    def refuse(market: Market) -> Command:
        ground = RefusalGround.KEEPS_THE_SALE
        return RefuseCancel(actor=SELLER, request_id=some(market, CancelRequested), ground=ground)

    by_the_buyer: list[Ask] = [
        lambda _: OpenCancelDialog(actor=actor, reason=reason),
        lambda _: AskSellerToCancel(actor=actor, reason=reason),
        lambda _: MessageSeller(actor=actor, reason=reason, text="Please do not send it."),
        lambda _: AcknowledgePayment(actor=PLATFORM),
        confirm,
        withdraw,
    ]
    by_the_seller: list[Ask] = [lambda _: ShipOrder(actor=SELLER), accept, refuse]
    return rnd.choice(by_the_seller if rnd.random() < 0.2 else by_the_buyer)
