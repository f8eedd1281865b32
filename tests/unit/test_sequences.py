"""Each decider alone, asked anything in any order; and what holds of every state of every history."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.contracts.base import Owner
from countermand.contracts.dispute import (
    AcceptSettlement,
    AnswerDispute,
    ClaimGround,
    DisputeOpened,
    DisputeResolved,
    ProposeSettlement,
    Remedy,
    Resolution,
    SendReturn,
    Stance,
)
from countermand.contracts.order import (
    AcceptPartialRefund,
    AcknowledgePayment,
    AskForTracking,
    AskSellerToCancel,
    CancelExpired,
    CancelReason,
    CancelRefused,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelSuperseded,
    CancelWithdrawn,
    ConfirmCancel,
    ConfirmReceipt,
    DisputeNoted,
    OpenCancelDialog,
    OrderCancelled,
    OrderClosed,
    OrderDelivered,
    Outcome,
    PaymentAcknowledged,
    RefundCustomer,
    RefundIssued,
    RefundReceived,
    RefusalGround,
    ResellerRefundedCustomer,
    ShipmentSuperseded,
    WithdrawCancel,
)
from countermand.contracts.order import CancelPath as Path
from countermand.contracts.seller import (
    AcceptCancel,
    DisputeReplied,
    MessageSeller,
    OfferPartialRefund,
    ParcelReleased,
    ParcelScanned,
    ParcelStopped,
    PartialRefundOffered,
    ProvideTracking,
    RefuseCancel,
    SellerAccepted,
    SellerMessaged,
    SellerRated,
    ShipOrder,
    Shipped,
    TrackingProvided,
    TrackingUnavailable,
)
from countermand.kernel.decider import Deadline, Premature, Refused
from services.dispute import commands as dispute_commands
from services.dispute.state import Agreed, Dispute, Escalated, Negotiating, Opened, Quiet
from services.dispute.view import View
from services.order import commands as order_commands
from services.order.state import (
    Active,
    Cancelled,
    CancelPending,
    Closed,
    DialogOpen,
    Disputed,
    Order,
    Resolved,
    Unplaced,
)
from services.seller import commands as seller_commands
from services.seller.profiles import PROFILES
from services.seller.state import Arrived, AtRest, Gone, Held, Planned, Seller, Stopped
from tests.support.disputes import PHOTO, claim, usd
from tests.support.market import Market, Service
from tests.support.orders import (
    BRIEF,
    BUYER,
    PLATFORM,
    PRICE,
    SELLER,
    START,
    STRANGER,
    TERMS,
    TRACKING,
    placed,
    planned,
    shop,
)
from tests.support.people import SOON, play

STARTS_A_DEADLINE: Final = {
    Owner.ORDER: {"OrderPlaced", "PaymentAcknowledged", "CancelRequested", "OrderDelivered", "RefundIssued"},
    Owner.SELLER: {"RequestHeard", "SellerRefused", "ParcelPlanned", "ParcelReleased", "Shipped", "ParcelScanned"},
    Owner.DISPUTE: {"DisputeOpened", "DisputeAnswered", "SettlementProposed", "SettlementAccepted"},
}
ENDS_A_DEADLINE: Final = {
    Owner.ORDER: {
        "PaymentAcknowledged",
        "CancelRefused",
        "CancelExpired",
        "CancelSuperseded",
        "CancelWithdrawn",
        "OrderCancelled",
        "ShipmentNoted",
        "DisputeNoted",
        "RefundIssued",
        "RefundReceived",
        "OrderClosed",
    },
    Owner.SELLER: {
        "SellerAccepted",
        "SellerRefused",
        "SellerMessaged",
        "ParcelReleased",
        "ParcelStopped",
        "Shipped",
        "ParcelScanned",
    },
    Owner.DISPUTE: {
        "DisputeAnswered",
        "SettlementProposed",
        "SettlementAccepted",
        "ReturnSent",
        "DisputeEscalated",
        "DisputeResolved",
    },
}
MAY_FOLLOW_THE_END: Final = {
    PaymentAcknowledged,  # X3: it is refunded.
    RefundIssued,
    RefundReceived,
    ShipmentSuperseded,  # R12
    OrderDelivered,
    CancelRejectedNotBuyer,  # R2
    DisputeNoted,  # It is moot.
    ResellerRefundedCustomer,  # R26: a reseller's own money.
}

MAY_FOLLOW_THE_STOP: Final = {
    SellerMessaged,
    TrackingProvided,  # R17: a number, not a parcel.
    TrackingUnavailable,
    PartialRefundOffered,  # R21: the order decides what becomes of it.
    DisputeReplied,
    SellerRated,
}

_IDS: Final = st.sampled_from([f"e{n}" for n in range(1, 13)])
_BUYERS: Final = st.sampled_from([BUYER, BUYER, BUYER, STRANGER])
_SELLERS: Final = st.just(SELLER)
_REASONS: Final = st.sampled_from(CancelReason)
_GROUNDS: Final = st.sampled_from(RefusalGround)
_TEXT: Final = st.just("Please cancel it.")
_WHEN: Final = st.sampled_from([START + timedelta(days=days) for days in range(10)])
_AMOUNTS: Final = st.sampled_from([0, 1, 500, 1000, 1999, 5000])
_MONEY: Final = _AMOUNTS.map(usd)
_PARTS: Final = st.sampled_from([0, 1, 500]).map(usd)
_SHOPS: Final = st.sampled_from(sorted(PROFILES)).map(shop)

ORDER_COMMANDS: Final = st.one_of(
    st.just(AcknowledgePayment(actor=PLATFORM)),
    st.builds(OpenCancelDialog, actor=_BUYERS, reason=_REASONS),
    st.builds(ConfirmCancel, actor=_BUYERS, dialog_id=_IDS),
    st.builds(WithdrawCancel, actor=_BUYERS, request_id=_IDS),
    st.builds(AskSellerToCancel, actor=_BUYERS, reason=_REASONS, text=_TEXT),
    st.builds(order_commands.HearMessage, _IDS, _BUYERS, _REASONS, _TEXT),
    st.builds(order_commands.CancelAsAgreed, _IDS),
    st.builds(order_commands.CancelWithoutConsent, _IDS),
    st.builds(order_commands.RefuseRequest, _IDS, _GROUNDS, _TEXT),
    st.builds(order_commands.NoteShipment, st.just(TRACKING), _WHEN),
    st.builds(order_commands.NoteDelivery, _WHEN),
    st.builds(order_commands.EndSilence, _IDS),
    st.builds(order_commands.CloseUnpaid, _IDS),
    st.builds(order_commands.CloseUnshipped, _IDS),
    st.builds(order_commands.EndProtection, _IDS),
    st.builds(order_commands.ReceiveRefund, _IDS),
    st.builds(ConfirmReceipt, actor=_BUYERS),
    st.builds(AskForTracking, actor=_BUYERS),
    st.builds(RefundCustomer, actor=_BUYERS, amount=_MONEY),
    st.builds(order_commands.NoteOffer, _IDS, _MONEY),
    st.builds(AcceptPartialRefund, actor=_BUYERS, offer_id=_IDS),
    st.builds(order_commands.IssuePartialRefund, _AMOUNTS),
    st.builds(order_commands.NoteDispute, _IDS, _MONEY),
    st.builds(order_commands.SettleDispute, _IDS, _AMOUNTS, st.booleans()),
    st.just(order_commands.IssueRefund()),
    st.just(order_commands.CloseOrder()),
)
SELLER_COMMANDS: Final = st.one_of(
    st.builds(MessageSeller, actor=_BUYERS, reason=_REASONS, text=_TEXT, request_id=st.none() | _IDS),
    st.builds(AcceptCancel, actor=_SELLERS, request_id=_IDS),
    st.builds(RefuseCancel, actor=_SELLERS, request_id=_IDS, ground=_GROUNDS),
    st.builds(ShipOrder, actor=_SELLERS),
    st.builds(ProvideTracking, actor=_SELLERS, tracking_number=st.just(TRACKING)),
    st.builds(OfferPartialRefund, actor=_SELLERS, amount=_MONEY),
    st.builds(seller_commands.ShowTracking, _SHOPS),
    st.builds(seller_commands.ReplyToDispute, _IDS, _SHOPS, _MONEY),
    st.builds(seller_commands.Rate, _SHOPS, st.sampled_from(Outcome), positive=st.booleans()),
    st.builds(seller_commands.PlanParcel, _SHOPS),
    st.builds(seller_commands.ConsiderRequest, _IDS, _SHOPS, st.sampled_from(Path)),
    st.builds(seller_commands.StopParcel, _SHOPS),
    st.builds(seller_commands.EndRequest, _IDS),
    st.builds(seller_commands.DismissMessage, _IDS),
    st.builds(seller_commands.GiveAnswer, _IDS),
    st.builds(seller_commands.HandOver, _IDS),
    st.builds(seller_commands.Scan, _IDS),
    st.builds(seller_commands.Deliver, _IDS),
)
_SIDES: Final = st.sampled_from([BUYER, BUYER, SELLER, SELLER, STRANGER])
_STANCES: Final = st.sampled_from(Stance)
_EVIDENCE: Final = st.sampled_from([(), (PHOTO,)])
_VIEWS: Final = st.builds(
    View,
    brief=st.just(BRIEF),
    captured_minor=st.just(PRICE.amount_minor),
    refunded_minor=st.sampled_from([0, 500]),
    number=st.none() | st.just(TRACKING),
    shipped_at=st.just(START),
    first_scan_at=st.none() | _WHEN,
    delivered_at=st.none() | _WHEN,
)
_FIRST: Final = st.just("e1") | _IDS
DISPUTE_COMMANDS: Final = st.one_of(
    st.builds(dispute_commands.OpenCase, st.builds(claim, st.sampled_from(ClaimGround), st.none() | _MONEY), _VIEWS),
    st.builds(dispute_commands.HearReply, _FIRST, _STANCES, st.none() | _PARTS, _TEXT, _EVIDENCE),
    st.builds(AnswerDispute, actor=_SIDES, dispute_id=_FIRST, stance=_STANCES, evidence=_EVIDENCE),
    st.builds(
        ProposeSettlement,
        actor=_SIDES,
        dispute_id=_FIRST,
        remedy=st.builds(Remedy, amount=_MONEY, with_return=st.booleans()),
    ),
    st.builds(AcceptSettlement, actor=_SIDES, offer_id=_IDS),
    st.builds(SendReturn, actor=_SIDES, dispute_id=_FIRST),
    st.builds(dispute_commands.GrantSilence, _FIRST, st.booleans()),
    st.builds(dispute_commands.EndNegotiation, _IDS),
    st.builds(dispute_commands.EndReturn, _IDS),
    st.builds(dispute_commands.HearScan, _WHEN),
    st.builds(dispute_commands.Conclude, _FIRST),
    st.builds(dispute_commands.Rule, _FIRST, _VIEWS),
    st.builds(dispute_commands.Drop, _IDS),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ORDER_COMMANDS, st.sampled_from(SOON)), max_size=40))
def test_the_order_survives_any_sequence_of_commands(asked: list[tuple[Any, timedelta]]) -> None:
    """Also ones that no seller and no timer would send: one end, one answer a request, no more refunded than paid."""
    order = Market(TERMS, Random(0)).order
    order.append(placed(), "e1")
    ask_all(order, asked)
    examine(order)
    types: list[type[Any]] = [type(event) for event in order.events]
    assert types.count(OrderCancelled) <= 1
    assert types.count(OrderClosed) <= 1
    for end in {OrderCancelled, OrderClosed} & set(types):
        assert set(types[types.index(end) + 1 :]) <= MAY_FOLLOW_THE_END | {OrderClosed}
    requests = [i for i, event in zip(order.ids, order.events, strict=True) if isinstance(event, CancelRequested)]
    answers = [
        event.request_id
        for event in order.events
        if isinstance(event, CancelRefused | CancelExpired | CancelSuperseded | CancelWithdrawn | OrderCancelled)
        and event.request_id is not None
    ]
    assert answers == (requests[:-1] if isinstance(order.state, CancelPending) else requests), "I5"
    refunded = sum(event.amount.amount_minor for event in order.events if isinstance(event, RefundIssued))
    assert refunded <= PRICE.amount_minor * types.count(PaymentAcknowledged), "I3"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(SELLER_COMMANDS, st.sampled_from(SOON)), max_size=40), st.sampled_from(sorted(PROFILES)))
def test_the_seller_survives_any_sequence_of_commands(asked: list[tuple[Any, timedelta]], profile: str) -> None:
    """Also ones that no order would send: a parcel leaves at most once, never after a yes that stands, nor once stopped."""
    seller = Market(TERMS, Random(0)).seller
    seller.append(planned(profile=profile), "e1")
    ask_all(seller, asked)
    examine(seller)
    types: list[type[Any]] = [type(event) for event in seller.events]
    assert types.count(Shipped) <= 1
    assert types.count(ParcelScanned) <= 2
    if ParcelStopped in types:
        assert set(types[types.index(ParcelStopped) + 1 :]) <= MAY_FOLLOW_THE_STOP
    if Shipped in types and SellerAccepted in types:
        before = types[: types.index(Shipped)]
        assert before.count(SellerAccepted) <= before.count(ParcelReleased), "X2"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(DISPUTE_COMMANDS, st.sampled_from(SOON)), max_size=40))
def test_the_dispute_survives_any_sequence_of_commands(asked: list[tuple[Any, timedelta]]) -> None:
    """Also ones that no order would send: each dispute has one end, within its claim, and none follows a decision."""
    dispute = Market(TERMS, Random(0)).dispute
    ask_all(dispute, asked)
    examine(dispute)
    opened = [i for i, e in zip(dispute.ids, dispute.events, strict=True) if isinstance(e, DisputeOpened)]
    ends = [e for e in dispute.events if isinstance(e, DisputeResolved)]
    resolved = opened if isinstance(dispute.state, Quiet) else opened[:-1]
    assert [e.dispute_id for e in ends] == resolved
    assert all(e.refund.amount_minor <= e.claim.amount_minor for e in ends)
    assert all(e.by is Resolution.MOOT for e in ends[:-1]), "a decided dispute was opened again"


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_every_reminder_counts_when_due_and_not_before_and_nothing_waits_for_nothing(rnd: Random) -> None:
    """Histories of all services together replay to the state they ended in."""
    market = play(rnd)
    for service in market.services.values():
        examine(service)


@pytest.mark.parametrize("owner", [Owner.ORDER, Owner.SELLER, Owner.DISPUTE])
def test_these_events_start_and_end_deadlines(owner: Owner) -> None:
    starts: set[str] = set()
    ends: set[str] = set()
    for seed in range(1500):
        market = play(Random(seed))
        service = market.services[owner]
        before: set[Deadline] = set()
        for event, wanted in zip(service.events, service.wanted, strict=True):
            starts |= {type(event).__name__} if set(wanted) - before else set()
            ends |= {type(event).__name__} if before - set(wanted) else set()
            before = set(wanted)
    assert starts == STARTS_A_DEADLINE[owner]
    assert ends == ENDS_A_DEADLINE[owner]


def test_a_deadline_that_has_ended_is_never_wanted_again_and_never_moves() -> None:
    """A cause that comes again cancels once more what it ended then: it must not be anybody's timer by now."""
    for seed in range(1500):
        for service in play(Random(seed)).services.values():
            ended: set[tuple[str, str]] = set()
            before: dict[tuple[str, str], Deadline] = {}
            for wanted in service.wanted:
                now = {(deadline.id, deadline.name): deadline for deadline in wanted}
                assert not ended & now.keys()
                assert all(now[key] == before[key] for key in now.keys() & before.keys())
                ended |= before.keys() - now.keys()
                before = now


def ask_all(service: Service, asked: list[tuple[Any, timedelta]]) -> None:
    """Ask all of it, one after the other. Events get the ids e1, e2 and so on."""
    now = START
    for command, later in asked:
        now += later
        decision = service.decider.decide(command, service.state, now)
        assert decision == service.decider.decide(command, service.state, now), "pure"
        if not isinstance(decision, Refused | Premature | None):
            service.append(decision, f"e{len(service.events) + 1}")


def examine(service: Service) -> None:
    """What holds of every state of a history: it replays, its reminders count when due, and it waits for somebody."""
    recorded = list(zip(service.ids, service.events, strict=True))
    state = service.initial
    assert service.decider.fold(state, recorded) == service.state, "replay"
    for its_id, event in recorded:
        state = service.decider.evolve(state, event, its_id)
        deadlines = service.decider.deadlines(state)
        assert deadlines or waited_for(state), f"waits for nothing: {state}"
        for deadline in deadlines:
            assert deadline.id in service.ids, f"{deadline} names no event"
            remind = service.timers[deadline.name](deadline.id)
            if isinstance(remind, dispute_commands.GrantSilence):
                remind = replace(remind, noted=True)
            early = deadline.due - timedelta(microseconds=1)
            assert service.decider.decide(remind, state, early) is None, f"I8: {deadline} came early and counted"
            due = service.decider.decide(remind, state, deadline.due)
            ended = service.decider.evolve(state, due, "due")
            assert deadline not in service.decider.deadlines(ended), f"{deadline} does not end"


def waited_for(state: Order | Seller | Dispute) -> str | None:
    """Whom a state waits for that has no deadline of its own."""
    match state:
        case Unplaced():
            return "the buyer"
        case Active() | DialogOpen() | CancelPending():
            parcel = state.facts.parcel
            return "the carrier" if parcel is not None and parcel.delivered_at is None else None
        case Disputed():
            return "the dispute"
        case Cancelled(facts=facts) | Resolved(facts=facts):
            return "its own reactions" if facts.ledger.owed_minor or facts.ledger.all_received else None
        case AtRest() | Held():
            return "the order, or the seller by hand"
        case Planned() | Gone():
            return None
        case Opened() | Negotiating():
            return None
        case Agreed() | Escalated():
            return "its own reactions"
        case Closed() | Stopped() | Arrived() | Quiet():
            return "nobody"
