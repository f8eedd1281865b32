"""Personas: what each begins with, what it hears and what it then does; and that each brings its order to an end."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Final, TypeAlias

import pytest

from countermand.contracts import EVENTS
from countermand.contracts.base import Command, Event, Role
from countermand.contracts.dispute import (
    AcceptSettlement,
    ClaimGround,
    DisputeOpened,
    OpenDispute,
    ProposeSettlement,
    Remedy,
    SettlementAccepted,
    SettlementProposed,
)
from countermand.contracts.order import (
    AcceptPartialRefund,
    AcknowledgePayment,
    AskSellerToCancel,
    CancelDialogOpened,
    CancelExpired,
    CancelPath,
    CancelReason,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelSuperseded,
    CancelWithdrawn,
    ConfirmCancel,
    OpenCancelDialog,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    OrderPlaced,
    Outcome,
    PartialRefundAccepted,
    PartialRefundNoted,
    PaymentAcknowledged,
    PaymentMethod,
    PlaceOrder,
    RefundCustomer,
    RefusalGround,
    ShipmentNoted,
    TrackingAsked,
    WithdrawCancel,
)
from countermand.contracts.seller import (
    MessageSeller,
    OfferPartialRefund,
    RefuseCancel,
    RequestHeard,
    Shipped,
    TrackingProvided,
    TrackingUnavailable,
)
from countermand.kernel.decider import Decider
from countermand.kernel.money import Money
from countermand.kernel.policy import Policy
from countermand.kernel.terms import Clock, Terms
from lab.plan import cast
from lab.plan.disputing import COUNTER_OFFERS_MAX, ROUNDS_MAX
from lab.plan.errand import Errand
from lab.plan.mix import BUILT_IN, built_in, errands
from lab.plan.persona import Act, Buyer
from lab.plan.personas import PERSONAS, buyer_of
from tests.support.market import Delivery, Market
from tests.support.orders import START

NOW: Final = datetime(2026, 6, 1, 17, tzinfo=UTC)
CLOCK: Final = Clock(epoch=START, started_at=START, rate=1)
BUTTON_STAYS: Final = Policy(self_service_after_payment=True)

Names: TypeAlias = list[str]


# What each does


@pytest.mark.parametrize("persona", PERSONAS)
def test_every_persona_begins_by_placing_its_order_under_its_terms_and_says_what_it_plays(persona: str) -> None:
    errand = errand_of(persona)
    first, *_ = buyer_of(errand).begin(CLOCK, "run-1")
    assert isinstance(first.command, PlaceOrder)
    assert (first.after, first.id) == (timedelta(), f"{errand.order_id}-1-PlaceOrder")
    assert first.command.brief is errand.brief
    assert (first.command.terms.policy, first.command.terms.seed) == (errand.policy.hash, errand.seed)
    assert (first.command.terms.clock, first.command.run_id) == (CLOCK, "run-1")
    assert PERSONAS[persona].__doc__


@pytest.mark.parametrize("persona", PERSONAS)
def test_what_a_persona_does_follows_from_its_errand_alone(persona: str) -> None:
    errand = errand_of(persona)
    assert buyer_of(errand).begin(CLOCK) == buyer_of(errand).begin(CLOCK)
    assert buyer_of(replace(errand, seed=errand.seed + 1)).begin(CLOCK)[0].id == buyer_of(errand).begin(CLOCK)[0].id


def test_a_wallet_pays_with_the_order_and_other_methods_when_the_platform_has_the_money() -> None:
    by_wallet = buyer_of(errand_of("keeps", method=PaymentMethod.WALLET)).begin(CLOCK)
    assert [type(act.command) for act in by_wallet] == [PlaceOrder]
    assert placed_paid(by_wallet)
    for method in (PaymentMethod.CARD, PaymentMethod.BANK):
        placed, paid = buyer_of(errand_of("keeps", method=method)).begin(CLOCK)
        assert not placed_paid([placed])
        assert isinstance(paid.command, AcknowledgePayment)
        assert paid.command.actor.role is Role.PLATFORM
        assert timedelta() < paid.after < timedelta(days=1)


def test_r8_who_keeps_the_order_confirms_the_receipt_or_not() -> None:
    said = [names(buyer_of(errand).hear(shipment_noted(), "e1")) for errand in errands_of("keeps", 40)]
    assert ["ConfirmReceipt"] in said
    assert [] in said


def test_r4_who_never_pays_looks_at_the_dialog_at_most() -> None:
    buyers = [buyer_of(errand) for errand in errands_of("never-pays", 40)]
    assert {tuple(names(buyer.begin(CLOCK))) for buyer in buyers} == {
        ("PlaceOrder",),
        ("PlaceOrder", "OpenCancelDialog"),
    }
    assert buyers[0].hear(dialog_opened(), "d1") == []


def test_r4_an_unpaid_order_is_cancelled_by_the_button_and_the_dialog_that_is_shown() -> None:
    buyer = buyer_of(errand_of("unpaid"))
    assert names(buyer.begin(CLOCK)) == ["PlaceOrder", "OpenCancelDialog"]
    (confirmed,) = buyer.hear(dialog_opened(), "dialog-7")
    assert confirmed.command == ConfirmCancel(actor=buyer.actor, dialog_id="dialog-7")


def test_p12_the_peer_flow_waits_for_nothing_and_knows_its_dialogs_id() -> None:
    errand = errand_of("peer", policy=BUTTON_STAYS)
    placed, pressed, confirmed = buyer_of(errand).begin(CLOCK)
    assert placed_paid([placed])
    assert isinstance(pressed.command, OpenCancelDialog)
    assert isinstance(confirmed.command, ConfirmCancel)
    assert confirmed.command.dialog_id == f"{pressed.id}:OpenCancelDialog"
    assert {act.after for act in (placed, pressed, confirmed)} == {timedelta()}


def test_r9_without_the_button_the_peer_flow_asks_the_seller() -> None:
    assert names(buyer_of(errand_of("peer")).begin(CLOCK)) == ["PlaceOrder", "AskSellerToCancel"]


def test_r10_who_changes_their_mind_asks_within_minutes_of_the_payment() -> None:
    buyer = buyer_of(errand_of("changes-mind"))
    (asked,) = buyer.hear(paid(), "e1")
    assert isinstance(asked.command, AskSellerToCancel)
    assert asked.after <= timedelta(minutes=20)
    assert buyer.hear(paid(late=True), "e2") == []
    assert names(buyer_of(errand_of("changes-mind")).hear(placed(paid=True), "e1")) == ["AskSellerToCancel"]
    assert buyer_of(errand_of("changes-mind")).hear(placed(paid=False), "e1") == []


def test_r7_with_the_button_some_also_write_about_the_request() -> None:
    buyers = [buyer_of(errand) for errand in errands_of("changes-mind", 40, policy=BUTTON_STAYS)]
    assert {tuple(names(buyer.hear(paid(), "e1"))) for buyer in buyers} == {("OpenCancelDialog",)}
    written = [buyer.hear(requested(CancelPath.SELF_SERVICE), "r1") for buyer in buyers]
    assert {tuple(names(acts)) for acts in written} == {(), ("MessageSeller",)}
    message = next(acts[0].command for acts in written if acts)
    assert isinstance(message, MessageSeller)
    assert message.request_id == "r1"
    assert buyers[0].hear(requested(CancelPath.CONTACT), "r2") == []


def test_r15_who_cancels_days_later_does_so_around_the_shipment() -> None:
    asked = [buyer_of(errand).hear(paid(), "e1")[0].after for errand in errands_of("days-later", 100)]
    assert min(asked) < timedelta(days=3) < max(asked)


def test_x10_a_pending_request_is_withdrawn_at_once_or_later() -> None:
    acts = [buyer_of(errand).hear(requested(), "r1") for errand in errands_of("withdraws", 40)]
    assert all(isinstance(act.command, WithdrawCancel) and act.command.request_id == "r1" for (act,) in acts)
    assert min(act.after for (act,) in acts) < timedelta(minutes=2)
    assert max(act.after for (act,) in acts) > timedelta(days=1)


def test_x7_a_double_click_is_two_commands_and_one_of_them_twice() -> None:
    buyer = buyer_of(errand_of("double-clicks"))
    assert names(buyer.begin(CLOCK)) == ["PlaceOrder", "OpenCancelDialog"]
    first, second, again = buyer.hear(dialog_opened(), "d1")
    assert first.command == second.command == again.command == ConfirmCancel(actor=buyer.actor, dialog_id="d1")
    assert first.id == again.id != second.id
    assert first.after < second.after < first.after + timedelta(seconds=1)
    withdrawn = [buyer_of(errand).hear(requested(), "r1") for errand in errands_of("double-clicks", 40)]
    assert {tuple(names(acts)) for acts in withdrawn} == {(), ("WithdrawCancel",) * 3}
    for end in (withdrawn_event(), refused(), expired()):
        paid_twice = buyer_of(errand_of("double-clicks")).hear(end, "e9")
        assert [type(act.command) for act in paid_twice] == [AcknowledgePayment] * 3


def test_x3_the_money_comes_while_the_request_is_pending_or_after_the_end_but_once() -> None:
    for errand in errands_of("pays-late", 40):
        buyer = buyer_of(errand)
        between, after = buyer.hear(requested(), "r1"), buyer.hear(cancelled(), "e2")
        assert names(between + after) == ["AcknowledgePayment"]


def test_r2_a_stranger_tries_and_the_buyer_cancels_once_told() -> None:
    tried: set[str] = set()
    for errand in errands_of("stranger", 40):
        buyer = buyer_of(errand)
        attempt = buyer.begin(CLOCK)[-1].command
        assert attempt.actor.id != buyer.actor.id
        tried.add(type(attempt).__name__)
        (asked,) = buyer.hear(not_the_buyer(), "e1")
        assert isinstance(asked.command, AskSellerToCancel)
        assert asked.command.actor == buyer.actor
    assert tried == {"OpenCancelDialog", "MessageSeller", "AskSellerToCancel"}


def test_r26_a_reseller_passes_the_wish_on_or_refunds_its_customer() -> None:
    for errand in errands_of("reseller", 40):
        buyer = buyer_of(errand)
        first, *_ = buyer.begin(CLOCK)
        assert isinstance(first.command, PlaceOrder)
        assert first.command.customer is errand.customer is not None
        asked, shipped = buyer.hear(placed(paid=True), "e1"), buyer.hear(shipment_noted(), "e2")
        assert names(asked + shipped) in (["AskSellerToCancel"], ["RefundCustomer"])
        for too_late in (refused(), superseded()):
            (refund,) = buyer.hear(too_late, "e3")
            assert refund.command == RefundCustomer(actor=buyer.actor, amount=errand.brief.price)


def test_r13_bargaining_ends_after_three_messages() -> None:
    buyer = buyer_of(errand_of("bargains"))
    assert names(buyer.hear(paid(), "e1")) == ["AskSellerToCancel"]
    written = [act for n in range(10) for act in buyer.hear(refused() if n % 2 else expired(), f"e{n}")]
    assert names(written) == ["MessageSeller"] * ROUNDS_MAX
    assert len({act.id for act in written}) == ROUNDS_MAX


def test_r17_a_refused_buyer_asks_for_the_number_and_disputes_when_there_is_none() -> None:
    buyer = buyer_of(errand_of("asks-for-proof", seller="keeps-the-sale"))
    assert names(buyer.hear(refused(), "e1")) == ["AskForTracking"]
    assert buyer.hear(tracking_asked(), "e2") == []
    (disputed,) = buyer.hear(TrackingUnavailable(), "e3")
    assert isinstance(disputed.command, OpenDispute)
    assert (disputed.command.ground, disputed.command.amount) == (ClaimGround.NOT_SENT, None)
    assert buyer.hear(TrackingUnavailable(), "e4") == []


def test_r17_a_number_is_believed_only_if_a_parcel_was_handed_over() -> None:
    shown = TrackingProvided(tracking_number="LX1")
    liar = buyer_of(errand_of("asks-for-proof", seller="fake-tracking"))
    assert names(liar.hear(shown, "e1")) == ["OpenDispute"]
    honest = buyer_of(errand_of("asks-for-proof", seller="stubborn"))
    assert honest.hear(shipped(), "e1") == []
    assert honest.hear(shown, "e2") == []


def test_p6_a_manual_seller_says_it_has_shipped_and_shows_nothing_until_the_limit() -> None:
    buyer = buyer_of(errand_of("asks-for-proof", seller="manual"))
    heard = RequestHeard(seller=buyer.errand.brief.seller, request_id="r1", answers_at=None)
    (no,) = buyer.hear(heard, "e1")
    ground = RefusalGround.ALREADY_SHIPPED
    assert no.command == RefuseCancel(actor=buyer.seller, request_id="r1", ground=ground)
    (disputed,) = buyer.hear(tracking_asked(days=7), "e2")
    assert timedelta(days=7, hours=6) <= disputed.after <= timedelta(days=7, hours=12)
    assert buyer_of(errand_of("asks-for-proof", seller="prompt")).hear(heard, "e1") == []


def test_r20_a_buyer_disputes_once_after_delivery_or_while_it_waits() -> None:
    grounds: Counter[str] = Counter()
    for errand in errands_of("disputes", 60):
        buyer = buyer_of(errand)
        (act,) = buyer.hear(shipment_noted(), "e1") + buyer.hear(delivered(), "e2") + buyer.hear(delivered(), "e3")
        assert isinstance(act.command, OpenDispute)
        assert act.command.amount is None or act.command.amount.amount_minor < errand.brief.price.amount_minor
        grounds[act.command.ground] += 1
    assert set(grounds) == {"not_received", "not_as_described"}


@pytest.mark.parametrize("persona", ["disputes", "claims-on-perfect-goods", "takes-a-part", "returns"])
def test_r12_nobody_claims_on_goods_that_arrive_after_the_refund(persona: str) -> None:
    assert buyer_of(errand_of(persona)).hear(delivered(after_cancellation=True), "e1") == []


def test_a_buyer_without_a_persona_places_its_order_and_answers_nothing() -> None:
    buyer = Buyer(errand_of("keeps"))
    assert names(buyer.begin(CLOCK)) == ["PlaceOrder"]
    assert buyer.hear(placed(paid=False), "e1") == []


def test_p16_an_offer_is_taken_or_answered_at_most_twice() -> None:
    takes: set[tuple[str, ...]] = set()
    for errand in errands_of("disputes", 60):
        buyer = buyer_of(errand)
        all_acts = [buyer.hear(offer(Role.SELLER), f"o{n}") for n in range(6)]
        flat = [act.command for acts in all_acts for act in acts]
        counters = [command for command in flat if isinstance(command, ProposeSettlement)]
        assert len(counters) <= COUNTER_OFFERS_MAX
        for n, acts in enumerate(all_acts):
            taken = [act.command for act in acts if isinstance(act.command, AcceptSettlement)]
            assert all(command.offer_id == f"o{n}" for command in taken)
            takes.add(tuple(names(acts)))
        assert all(command.remedy.amount == usd(150) for command in counters)
        assert buyer.hear(offer(Role.BUYER), "mine") == []
    assert takes == {("AcceptSettlement",), ("ProposeSettlement",), ("ProposeSettlement", "AcceptSettlement")}


def test_r22_a_claim_on_perfect_goods_is_for_a_part_and_shows_nothing() -> None:
    buyer = buyer_of(errand_of("claims-on-perfect-goods"))
    (act,) = buyer.hear(delivered(), "e1")
    assert isinstance(act.command, OpenDispute)
    assert (act.command.ground, act.command.evidence) == (ClaimGround.DISSATISFIED, ())
    assert act.command.amount is not None
    assert act.command.amount.amount_minor == buyer.errand.brief.price.amount_minor * 40 // 100


def test_r21_a_part_is_offered_by_hand_and_taken_by_the_id_of_the_offer() -> None:
    buyer = buyer_of(errand_of("takes-a-part"))
    (offered,) = buyer.hear(delivered(), "e1")
    assert isinstance(offered.command, OfferPartialRefund)
    assert offered.command.actor == buyer.seller
    (taken,) = buyer.hear(PartialRefundNoted(offer_id="offer-1", amount=usd(1)), "e2")
    assert taken.command == AcceptPartialRefund(actor=buyer.actor, offer_id="offer-1")
    took = PartialRefundAccepted(offer_id="offer-1", amount=usd(1))
    later = {tuple(names(buyer_of(errand).hear(took, "e3"))) for errand in errands_of("takes-a-part", 40)}
    assert later == {(), ("OpenDispute",)}


def test_p10_the_goods_go_back_against_everything_or_stay() -> None:
    buyer = buyer_of(errand_of("returns", seller="manual"))
    assert names(buyer.hear(placed(paid=True), "e1")) == ["ShipOrder"]
    assert names(buyer.hear(delivered(), "e2")) == ["OpenDispute"]
    (offered,) = buyer.hear(dispute_opened(buyer), "dispute-1")
    assert isinstance(offered.command, ProposeSettlement)
    assert (offered.command.actor, offered.command.dispute_id) == (buyer.seller, "dispute-1")
    assert offered.command.remedy.with_return
    assert buyer.hear(offer(Role.SELLER), "o1") == []
    (taken,) = buyer.hear(offer(Role.SELLER, with_return=True), "o2")
    assert taken.command == AcceptSettlement(actor=buyer.actor, offer_id="o2")
    sent_back = {tuple(names(buyer_of(errand).hear(agreed(), "e5"))) for errand in errands_of("returns", 40)}
    assert sent_back == {(), ("SendReturn",)}
    assert buyer.hear(agreed(with_return=False), "e6") == []


@pytest.mark.parametrize("persona", ["takes-a-part", "returns"])
def test_only_a_manual_seller_ships_by_hand(persona: str) -> None:
    for seller, ships in (("manual", ["ShipOrder"]), ("prompt", [])):
        assert names(buyer_of(errand_of(persona, seller=seller)).hear(paid(), "e1")) == ships
    assert buyer_of(errand_of(persona, seller="manual")).hear(placed(paid=False), "e1") == []


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_answers_only_to_what_happens_and_is_silent_about_the_end(persona: str) -> None:
    buyer = buyer_of(errand_of(persona))
    assert set(type(buyer).hears) <= set(EVENTS.values())
    end = OrderClosed.model_construct()
    assert buyer.hear(end, "e1") == []


# How it ends


class Played(Market):
    """One order of a plan, played in memory: its buyer hears everything, some time after it happened."""

    def __init__(self, errand: Errand, lag: timedelta = timedelta()) -> None:
        super().__init__(Terms(errand.seed, errand.policy, CLOCK), Random(1), duplicates=0, races=0)
        for service in self.services.values():
            service.state = initial_of(service.decider)(errand.order_id, Terms(errand.seed, errand.policy, CLOCK))
        self.now = START + errand.placed_after
        self.sent: list[Act] = []
        self._lag = lag
        self._told = dict.fromkeys(self.services, 0)
        self._buyer = buyer_of(errand)
        self._do(self._buyer.begin(CLOCK), timedelta())
        self.run(lambda _: self._tell())

    def _tell(self) -> None:
        for owner, service in self.services.items():
            news = list(zip(service.events, service.ids, strict=True))[self._told[owner] :]
            self._told[owner] += len(news)
            for event, its_id in news:
                self._do(self._buyer.hear(event, its_id), self._lag)

    def _do(self, acts: list[Act], lag: timedelta) -> None:
        for act in acts:
            self.sent.append(act)
            self._put(self.now + lag + act.after, Delivery(act.command.owner, "commands", act.id, act.command))

    @property
    def end(self) -> OrderClosed:
        """The one end of the order."""
        (closed,) = (event for event in self.order.events if isinstance(event, OrderClosed))
        return closed


_ACTS_MAX: Final = 16


@pytest.mark.parametrize("name", BUILT_IN)
def test_i1_every_order_of_every_mix_ends_and_nobody_acts_without_end(name: str) -> None:
    for errand in islice(errands(built_in(name), 5), 400):
        played = Played(errand)
        assert played.end, errand
        assert len(played.sent) <= _ACTS_MAX, errand
        counted = Counter(act.id for act in played.sent)
        twice = {its_id for its_id, times in counted.items() if times > 1}
        assert not twice or errand.persona == "double-clicks", errand


def test_everyday_has_every_outcome_and_is_mostly_kept_or_cancelled() -> None:
    ends = Counter(Played(errand).end.outcome for errand in islice(errands(built_in("everyday"), 2), 2_000))
    assert set(ends) == set(Outcome)
    assert ends[Outcome.COMPLETED] + ends[Outcome.CANCELLED_REFUNDED] > 1_200


EXPECTED: Final[dict[str, set[Outcome]]] = {
    "peer": {Outcome.CANCELLED_REFUNDED},
    "standard": {Outcome.CANCELLED_UNPAID},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_benchmarks_flow_has_one_end_and_nothing_is_refused(name: str) -> None:
    for errand in islice(errands(built_in(name), 5), 50):
        played = Played(errand)
        assert {played.end.outcome} == EXPECTED[name]
        assert not played.refusals


def test_unhurried_ends_the_same_when_everybody_hears_of_everything_six_hours_later() -> None:
    late = timedelta(hours=6)
    for errand in islice(errands(built_in("unhurried"), 9), 1_000):
        assert history(Played(errand)) == history(Played(errand, late)), errand


def history(played: Played) -> tuple[OrderClosed, dict[str, Names]]:
    """The end, and what each service recorded; not in which order, since two refunds on their way may cross."""
    return played.end, {
        owner: sorted(type(event).__name__ for event in service.events) for owner, service in played.services.items()
    }


def initial_of(decider: "Decider[Command, object, Event]") -> Callable[[str, Terms], object]:
    return decider.initial


# Given


def errand_of(
    persona: str,
    *,
    number: int = 0,
    seller: str = "prompt",
    method: PaymentMethod = PaymentMethod.CARD,
    policy: Policy | None = None,
) -> Errand:
    planned = next(errands(built_in("everyday"), 1, number))
    brief = planned.brief.model_copy(update={"seller": cast.seller(seller, 1)})
    customer = cast.customer(1) if persona == "reseller" else None
    return replace(planned, persona=persona, brief=brief, method=method, policy=policy or Policy(), customer=customer)


def errands_of(persona: str, orders: int, *, policy: Policy | None = None) -> list[Errand]:
    return [errand_of(persona, number=number, policy=policy) for number in range(orders)]


def names(acts: list[Act]) -> Names:
    return [type(act.command).__name__ for act in acts]


def placed_paid(acts: list[Act]) -> bool:
    return isinstance(acts[0].command, PlaceOrder) and acts[0].command.paid


def usd(amount_minor: int) -> Money:
    return Money(amount_minor=amount_minor, currency="USD")


BRIEF: Final = errand_of("keeps").brief


def placed(*, paid: bool) -> OrderPlaced:
    return OrderPlaced.model_construct(brief=BRIEF, paid=paid)


def paid(*, late: bool = False) -> PaymentAcknowledged:
    return PaymentAcknowledged(brief=BRIEF, amount=usd(1), acknowledged_at=NOW, ship_by=None, late=late)


def dialog_opened() -> CancelDialogOpened:
    return CancelDialogOpened(reason=CancelReason.BETTER_OFFER, advice="", lapses_at=NOW)


def requested(path: CancelPath = CancelPath.CONTACT) -> CancelRequested:
    return CancelRequested(
        brief=BRIEF,
        path=path,
        reason=CancelReason.BETTER_OFFER,
        dialog_id=None,
        paid=True,
        requested_at=NOW,
        answer_by=NOW,
        consent_required=True,
    )


def refused() -> CancelRefused:
    return CancelRefused(brief=BRIEF, request_id="r1", ground=RefusalGround.KEEPS_THE_SALE)


def expired() -> CancelExpired:
    return CancelExpired(brief=BRIEF, request_id="r1")


def withdrawn_event() -> CancelWithdrawn:
    return CancelWithdrawn(brief=BRIEF, request_id="r1")


def superseded() -> CancelSuperseded:
    return CancelSuperseded(brief=BRIEF, request_id="r1", tracking_number="LX1", shipped_at=NOW)


def cancelled() -> OrderCancelled:
    return OrderCancelled.model_construct(brief=BRIEF)


def not_the_buyer() -> CancelRejectedNotBuyer:
    return CancelRejectedNotBuyer.model_construct(brief=BRIEF)


def shipment_noted() -> ShipmentNoted:
    return ShipmentNoted(tracking_number="LX1", shipped_at=NOW)


def shipped() -> Shipped:
    return Shipped(tracking_number="LX1", shipped_at=NOW, scanned_at=NOW, arrives_at=NOW)


def delivered(*, after_cancellation: bool = False) -> OrderDelivered:
    return OrderDelivered(delivered_at=NOW, protected_until=None, after_cancellation=after_cancellation)


def tracking_asked(*, days: int = 7) -> TrackingAsked:
    return TrackingAsked(seller=BRIEF.seller, request_id="r1", asked_at=NOW, provide_by=NOW + timedelta(days=days))


def dispute_opened(buyer: Buyer) -> DisputeOpened:
    return DisputeOpened(
        brief=buyer.errand.brief,
        ground=ClaimGround.NOT_AS_DESCRIBED,
        claim=usd(100),
        text="",
        evidence=(),
        opened_at=NOW,
        answer_by=NOW,
    )


def offer(by: Role, *, with_return: bool = False) -> SettlementProposed:
    remedy = Remedy(amount=usd(100), with_return=with_return)
    return SettlementProposed(dispute_id="dispute-1", by=by, remedy=remedy, text="", negotiate_until=NOW)


def agreed(*, with_return: bool = True) -> SettlementAccepted:
    return SettlementAccepted(
        dispute_id="dispute-1",
        offer_id="o2",
        by=Role.BUYER,
        remedy=Remedy(amount=usd(100), with_return=with_return),
        return_by=NOW if with_return else None,
    )
