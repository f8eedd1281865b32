"""The order, the seller and the dispute together: whatever people ask and however messages come, every order ends well.

The audit here reads the three journals with rules of its own, not with the deciders'.
"""

from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.contracts.dispute import DisputeOpened, DisputeResolved, Resolution, SettlementAccepted
from countermand.contracts.order import (
    AcceptanceSuperseded,
    CancelExpired,
    CancelRefused,
    CancelRequested,
    CancelRequestRepeated,
    CancelSuperseded,
    CancelWithdrawn,
    DisputeNoted,
    OrderCancelled,
    OrderClosed,
    OrderPlaced,
    Outcome,
    PartialRefundAccepted,
    PaymentAcknowledged,
    RefundCause,
    RefundIssued,
    RefundReceived,
    ShipmentNoted,
    ShipmentSuperseded,
)
from countermand.contracts.seller import ParcelReleased, RequestHeard, SellerAccepted, SellerRefused, Shipped
from services.dispute.state import Quiet
from services.order.state import Cancelled, CancelPending, Closed, Disputed, Resolved
from services.seller.profiles import profile_named
from services.seller.state import Held, Planned
from tests.support.market import Market
from tests.support.people import play


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False))
def test_every_order_ends_well_whatever_people_ask_and_however_messages_come(rnd: Random) -> None:
    """I1, I2, I3, I5 under races, repetitions and early reminders, at every seller and under many policies."""
    audit(play(rnd, check=look_around))


@pytest.mark.parametrize("seeds", [range(1500), range(1500, 3000), range(3000, 4500)], ids=str)
def test_the_same_for_seeds_that_stay_the_same(seeds: range) -> None:
    """Hypothesis looks for new ones; these are always played."""
    for seed in seeds:
        try:
            audit(play(Random(seed), check=look_around))
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("seeds", [range(300), range(300, 600)], ids=str)
def test_x12_repetitions_change_nothing(seeds: range) -> None:
    """Every other message comes again, at once or days later: the same events, to the microsecond."""
    for seed in seeds:
        clean = play(Random(seed), Random(seed), duplicates=0, races=0)
        messy = play(Random(seed), Random(seed), duplicates=0.5, races=0)
        assert messy.order.events == clean.order.events, f"seed {seed}"
        assert messy.seller.events == clean.seller.events, f"seed {seed}"
        assert messy.dispute.events == clean.dispute.events, f"seed {seed}"


CANCELLED: Final = {
    Outcome.CANCELLED_UNPAID,
    Outcome.CANCELLED_REFUNDED,
    Outcome.UNPAID_EXPIRED,
    Outcome.NEVER_SHIPPED_REFUNDED,
}
BY_A_DISPUTE: Final = {Outcome.DISPUTE_REFUNDED, Outcome.DISPUTE_PARTIAL, Outcome.DISPUTE_DENIED}


def look_around(market: Market) -> None:
    """What holds whenever no message is on its way."""
    order, parcel = market.order.state, market.seller.state
    if isinstance(parcel, Held):
        assert isinstance(order, CancelPending | Disputed | Resolved | Cancelled | Closed), (
            f"held for nothing: {order}, {parcel}"
        )
    if isinstance(order, CancelPending) and isinstance(parcel, Planned):
        assert not _wrote_about(market, order.request_id), f"R7: the buyer wrote, yet it is about to leave: {parcel}"


def audit(market: Market) -> None:
    """What holds once everything has drained and every timer has fired."""
    assert isinstance(market.order.state, Closed), f"I1: still {market.order.state}"
    assert not market.order.waits_for, f"I8: a reminder after the end: {market.order.waits_for}"
    assert not market.seller.waits_for, f"I8: a reminder of a settled parcel: {market.seller.waits_for}"
    assert isinstance(market.dispute.state, Quiet), f"I1: still {market.dispute.state}"
    assert not market.dispute.waits_for, f"I8: a reminder of a decided dispute: {market.dispute.waits_for}"
    _one_outcome(market)
    _every_dispute_has_one_end(market)
    _the_parcel_obeys_the_seller(market)
    _the_seller_takes_a_request_once(market)
    _the_money_adds_up(market)
    _every_request_has_one_answer(market)


def _one_outcome(market: Market) -> None:
    ends = [e.outcome for e in market.order.events if isinstance(e, OrderClosed)]
    cancellations = len(market.ids_of(OrderCancelled))
    assert len(ends) == 1, f"I1: {ends}"
    assert cancellations == (1 if ends[0] in CANCELLED else 0), f"I1: {ends[0]} after {cancellations}"


def _every_dispute_has_one_end(market: Market) -> None:
    """And one answer by the order, that it waits for it or that it is moot; at most one dispute is decided."""
    opened = market.ids_of(DisputeOpened)
    ends = [e for e in market.dispute.events if isinstance(e, DisputeResolved)]
    assert [e.dispute_id for e in ends] == opened, "each dispute has one end, before the next is opened"
    noted = [e for e in market.order.events if isinstance(e, DisputeNoted)]
    assert [e.dispute_id for e in noted] == opened, "the order answers each dispute once"
    assert all(0 <= e.refund.amount_minor <= e.claim.amount_minor for e in ends), "a ruling beyond the claim"
    waited_for = {e.dispute_id for e in noted if not e.moot}
    decided = [e for e in ends if e.by is not Resolution.MOOT]
    assert len(decided) <= 1, "P16: decided again"
    by_the_dispute = next(e for e in market.order.events if isinstance(e, OrderClosed)).outcome in BY_A_DISPUTE
    assert by_the_dispute == bool(
        [e for e in decided if e.dispute_id in waited_for and not market.ids_of(OrderCancelled)]
    )
    accepted = [e.dispute_id for e in market.dispute.events if isinstance(e, SettlementAccepted)]
    assert len(accepted) == len(set(accepted)), f"X9: two offers of one dispute were accepted: {accepted}"


def _the_parcel_obeys_the_seller(market: Market) -> None:
    promised = None
    for event in market.seller.events:
        match event:
            case SellerAccepted():
                promised = event.request_id
            case ParcelReleased() if event.ended_id == promised:
                promised = None
            case Shipped():
                assert promised is None, f"I2: shipped after {promised} was accepted"
            case _:
                pass
    left = [e.tracking_number for e in market.seller.events if isinstance(e, Shipped)]
    told = [
        e.tracking_number
        for e in market.order.events
        if isinstance(e, ShipmentNoted | CancelSuperseded | ShipmentSuperseded)
    ]
    assert told == left, "I2: a parcel left and nobody says so"


def _the_seller_takes_a_request_once(market: Market) -> None:
    events = market.seller.events
    made = market.ids_of(CancelRequested)
    heard = [e.request_id for e in events if isinstance(e, RequestHeard)]
    answered = [e.request_id for e in events if isinstance(e, SellerAccepted | SellerRefused)]
    for taken in (heard, answered):
        assert len(taken) == len(set(taken)), f"X12: a request was taken twice: {taken}"
        assert set(taken) <= set(made), f"a request that nobody made: {taken}"
    told_twice = market.ids_of(AcceptanceSuperseded)
    ended = [e.ended_id for e in events if isinstance(e, ParcelReleased)]
    assert len(ended) <= len(set(ended)) + len(told_twice), f"X12: released again: {ended}"


def _the_money_adds_up(market: Market) -> None:
    events = market.order.events
    placed = next(e for e in events if isinstance(e, OrderPlaced))
    end = next(e for e in events if isinstance(e, OrderClosed))
    price = placed.brief.price.amount_minor
    captured = price * (placed.paid + len(market.ids_of(PaymentAcknowledged)))
    issued = [e for e in events if isinstance(e, RefundIssued)]
    refunded = sum(e.amount.amount_minor for e in issued)
    assert captured in {0, price}, "I3: paid twice"
    assert refunded <= captured, "I3: more went back than came in"
    if end.outcome in CANCELLED | {Outcome.DISPUTE_REFUNDED}:
        assert refunded == captured, "I3"
    causes = [e.cause for e in issued if e.cause is not RefundCause.PARTIAL_REFUND]
    assert len(causes) == len(set(causes)), f"I3: two refunds of one cause: {causes}"
    parts = [e.amount.amount_minor for e in market.order.events if isinstance(e, PartialRefundAccepted)]
    given_back = [e.amount.amount_minor for e in issued if e.cause is RefundCause.PARTIAL_REFUND]
    assert len(given_back) <= len(parts), f"R21: {given_back} for {parts}"
    assert sum(given_back) <= sum(parts), f"R21: {given_back} for {parts}"
    assert all(e.method is placed.payment_method for e in issued), "R23"
    arrived = [e.refund_id for e in events if isinstance(e, RefundReceived)]
    assert sorted(arrived) == sorted(market.ids_of(RefundIssued)), "I3: a refund got lost"
    match end.outcome:
        case Outcome.COMPLETED:
            assert (captured, refunded) == (price, 0), "I3"
        case Outcome.COMPLETED_PARTIAL_REFUND:
            assert captured == price, "I3"
            assert refunded == sum(given_back) > 0, "R21"
        case Outcome.DISPUTE_REFUNDED:
            assert end.refunded.amount_minor == captured == price, "X11"
        case Outcome.DISPUTE_PARTIAL:
            assert captured == price, "I3"
            assert 0 < end.refunded.amount_minor < price, "X11"
        case Outcome.DISPUTE_DENIED:
            assert refunded == sum(given_back), "R22: a claim that was denied gives nothing"
        case Outcome.CANCELLED_REFUNDED | Outcome.NEVER_SHIPPED_REFUNDED:
            assert end.refunded.amount_minor == captured == price, "I3"
        case Outcome.CANCELLED_UNPAID | Outcome.UNPAID_EXPIRED:
            assert end.refunded.amount_minor == 0, "I3"


def _every_request_has_one_answer(market: Market) -> None:
    answers = [
        event.request_id
        for event in market.order.events
        if isinstance(event, CancelRefused | CancelExpired | CancelSuperseded | CancelWithdrawn | OrderCancelled)
        and event.request_id is not None
    ]
    assert answers == market.ids_of(CancelRequested), "I5: each request has one answer, before the next is made"


def _wrote_about(market: Market, request_id: str) -> bool:
    """Whether a seller who reads messages has one about that request.

    Not where another request was withdrawn or expired: its end may cross the message, and then the parcel goes on.
    """
    events = market.order.events
    requested = events[market.order.ids.index(request_id)]
    written = request_id.endswith(":HearMessage") or any(
        isinstance(e, CancelRequestRepeated) and e.request_id == request_id for e in events
    )
    crossed = any(isinstance(e, CancelWithdrawn | CancelExpired) for e in events)
    return written and not crossed and profile_named(requested.brief.seller.profile).reads_messages
