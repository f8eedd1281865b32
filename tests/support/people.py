"""Buyers, sellers and the platform of one order, asking for anything at any time, sensible or not."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Final

from countermand.contracts.base import Actor, Command, Event, Role
from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    ClaimGround,
    DisputeOpened,
    OpenDispute,
    ProposeSettlement,
    SendReturn,
    SettlementProposed,
    Stance,
)
from countermand.contracts.order import (
    AcceptPartialRefund,
    AcknowledgePayment,
    AskForTracking,
    AskSellerToCancel,
    CancelDialogOpened,
    CancelReason,
    CancelRequested,
    ConfirmCancel,
    ConfirmReceipt,
    OpenCancelDialog,
    PaymentMethod,
    RefusalGround,
    WithdrawCancel,
)
from countermand.contracts.seller import (
    AcceptCancel,
    MessageSeller,
    OfferPartialRefund,
    PartialRefundOffered,
    ProvideTracking,
    RefuseCancel,
    ShipOrder,
)
from countermand.kernel.policy import OnSilence, Policy
from services.seller.profiles import PROFILES
from tests.support.disputes import PACKING, PHOTO, remedy, usd
from tests.support.market import Ask, Market
from tests.support.orders import BUYER, PLATFORM, SELLER, START, STRANGER, place, terms

SOON: Final = (timedelta(), timedelta(seconds=20), timedelta(hours=1), timedelta(days=1), timedelta(days=4))
"""How long people wait."""

_ASKS_MAX: Final = 16
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
        counter_offers=rnd.random() < 0.8,
    )
    under = terms(policy, seed=rnd.randrange(1000))
    market = Market(under, mess or rnd, duplicates=duplicates, races=races)
    paid = rnd.random() < 0.6
    method = rnd.choice(list(PaymentMethod))
    profile = rnd.choice(list(PROFILES))
    market.plan(START, lambda _: place(paid=paid, profile=profile, method=method, under=under))
    at = START
    for _ in range(rnd.randint(0, _ASKS_MAX)):
        at += rnd.choice(SOON) if races else timedelta(seconds=rnd.randint(1, _A_WHILE_S_MAX))
        market.plan(at, _ask(rnd))
    if paid and rnd.random() < 0.5:
        at = START
        for ask in _quarrel(rnd):
            at += timedelta(seconds=rnd.randint(1, _A_WHILE_S_MAX // 2))
            market.plan(at, ask)
    market.run(check)
    return market


def _ask(rnd: Random) -> Ask:
    return _ask_in_a_dispute(rnd) if rnd.random() < 0.4 else _ask_about_the_order(rnd)


def _ask_about_the_order(rnd: Random) -> Ask:
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

    def take_a_part(market: Market) -> Command:
        return AcceptPartialRefund(actor=actor, offer_id=some(market, PartialRefundOffered))

    part = usd(rnd.choice((1, 500, 1998, 1999, 5000)))
    by_the_buyer: list[Ask] = [
        lambda _: OpenCancelDialog(actor=actor, reason=reason),
        lambda _: AskSellerToCancel(actor=actor, reason=reason),
        lambda _: MessageSeller(actor=actor, reason=reason, text="Please do not send it."),
        lambda _: AcknowledgePayment(actor=PLATFORM),
        lambda _: AskForTracking(actor=actor),
        lambda _: AskForTracking(actor=actor),
        lambda _: ConfirmReceipt(actor=actor),
        confirm,
        withdraw,
        take_a_part,
    ]
    by_the_seller: list[Ask] = [
        lambda _: ShipOrder(actor=SELLER),
        lambda _: ProvideTracking(actor=SELLER, tracking_number="LX000000001CN"),
        lambda _: OfferPartialRefund(actor=SELLER, amount=part),
        accept,
        refuse,
    ]
    return rnd.choice(by_the_seller if rnd.random() < 0.2 else by_the_buyer)


def _quarrel(rnd: Random) -> list[Ask]:
    """A buyer who knows the way to a dispute and through it, with a seller who bargains."""
    first: list[Ask] = [
        lambda _: AskSellerToCancel(actor=BUYER, reason=CancelReason.SELLER_TOO_SLOW),
        lambda _: AskForTracking(actor=BUYER),
    ]
    if rnd.random() < 0.4:
        first = [lambda _: ShipOrder(actor=SELLER), lambda _: ConfirmReceipt(actor=BUYER)]

    def last(market: Market, event: type[Event]) -> str:
        return ["never-made", *market.ids_of(event)][-1]

    offer = remedy(rnd.choice((0, 500, 1999)), with_return=rnd.random() < 0.5)
    ground = rnd.choice(list(ClaimGround))
    then: list[Ask] = [
        lambda _: OpenDispute(actor=BUYER, ground=ground, evidence=(PHOTO,)),
        lambda market: ProposeSettlement(actor=SELLER, dispute_id=last(market, DisputeOpened), remedy=offer),
        lambda market: AcceptSettlement(actor=BUYER, offer_id=last(market, SettlementProposed)),
    ]
    if rnd.random() < 0.5:
        then.append(lambda market: SendReturn(actor=BUYER, dispute_id=last(market, DisputeOpened)))
    return first + then


def _ask_in_a_dispute(rnd: Random) -> Ask:
    actor: Actor = rnd.choice((BUYER, BUYER, BUYER, SELLER, SELLER, STRANGER))
    amount = rnd.choice((0, 500, 1000, 1999, 3000))
    ground = rnd.choice(list(ClaimGround))
    photos = (PHOTO,) if rnd.random() < 0.5 else ()
    packing = (PACKING,) if rnd.random() < 0.5 else ()
    returned = actor == SELLER and rnd.random() < 0.4
    stance = rnd.choice(list(Stance))
    mostly = rnd.random() < 0.8

    def some(market: Market, event: type[Event]) -> str:
        made = market.ids_of(event)
        return rnd.choice([*made[-2:], *made[-1:] * 7, "never-made"])

    def open_(_market: Market) -> Command:
        part = usd(amount) if amount else None
        return OpenDispute(actor=BUYER if actor == SELLER else actor, ground=ground, amount=part, evidence=photos)

    def answer(market: Market) -> Command:
        return AnswerDispute(actor=actor, dispute_id=some(market, DisputeOpened), stance=stance, evidence=packing)

    def propose(market: Market) -> Command:
        offer = remedy(amount, with_return=returned)
        return ProposeSettlement(actor=actor, dispute_id=some(market, DisputeOpened), remedy=offer)

    def accept(market: Market) -> Command:
        sides = [e.by for e in market.dispute.events if isinstance(e, SettlementProposed)]
        other = {Role.BUYER: SELLER, Role.SELLER: BUYER}.get(sides[-1], actor) if sides else actor
        return AcceptSettlement(actor=other if mostly else actor, offer_id=some(market, SettlementProposed))

    def send_back(market: Market) -> Command:
        return SendReturn(actor=actor, dispute_id=some(market, DisputeOpened))

    asks: list[Ask] = [open_, open_, open_, answer, propose, propose, propose, accept, accept, accept, send_back]
    return rnd.choice(asks)
