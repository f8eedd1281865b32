"""What each service does about each message it hears: all tables, row by row, and the timers."""

from random import Random
from typing import Any, Final

import pytest

from countermand.contracts import EVENTS
from countermand.contracts.base import Role
from countermand.contracts.dispute import Resolution, ReturnSent, Stance
from countermand.contracts.order import (
    AcceptanceSuperseded,
    CancelExpired,
    CancelGround,
    CancelPath,
    CancelRejectedNotBuyer,
    CancelRequestRepeated,
    CancelWithdrawn,
    DisputeNoted,
    Outcome,
    PartialRefundAccepted,
    RefusalGround,
    TrackingAsked,
)
from countermand.contracts.seller import DisputeReplied, PartialRefundOffered
from countermand.kernel.reactions import Reactions
from services.dispute import commands as dispute
from services.dispute.reactions import REACTIONS as DISPUTE_REACTIONS
from services.dispute.reactions import TIMERS as DISPUTE_TIMERS
from services.dispute.reactions import inform
from services.dispute.view import View, view_of
from services.order import commands as order
from services.order.reactions import REACTIONS as ORDER_REACTIONS
from services.order.reactions import TIMERS as ORDER_TIMERS
from services.seller import commands as seller
from services.seller.reactions import REACTIONS as SELLER_REACTIONS
from services.seller.reactions import TIMERS as SELLER_TIMERS
from tests.support.disputes import PHOTO, claim, escalated, opened, resolved, settled, usd
from tests.support.orders import (
    BRIEF,
    BUYER,
    NOTHING,
    PRICE,
    START,
    STRANGER,
    TRACKING,
    accepted,
    acknowledged,
    after,
    brief,
    cancelled,
    closed,
    declined,
    messaged,
    placed,
    refund_issued,
    refund_received,
    requested,
    scanned,
    shipped,
    shop,
)
from tests.support.people import play

ID: Final = "m1:SomeCommand"
"""The id of the message that is heard."""


def by(profile: str, event: Any) -> Any:
    """The same event of an order from a seller of this profile."""
    return event.model_copy(update={"brief": brief(profile)})


ORDER_ROWS: Final = [
    ("r5, r10: the seller agrees", accepted("r1"), order.CancelAsAgreed("r1")),
    (
        "r16: the seller refuses",
        declined("r1", RefusalGround.ALREADY_SHIPPED, "Gone."),
        order.RefuseRequest("r1", RefusalGround.ALREADY_SHIPPED, "Gone."),
    ),
    (
        "r7, x4: a message reached the seller",
        messaged(),
        order.HearMessage(ID, BUYER, messaged().reason, "Please do not send it."),
    ),
    ("x1: the parcel left", shipped(), order.NoteShipment(TRACKING, START)),
    (
        "r12: the parcel arrived",
        scanned(after(days=4), after(days=4), delivered=True),
        order.NoteDelivery(after(days=4)),
    ),
    ("a scan on the way is no news", scanned(after(hours=12), after(days=4)), None),
    ("p13: no consent needed", requested(consent_required=False), order.CancelWithoutConsent(ID)),
    ("p13: consent needed", requested(), None),
    ("r10: cancelled, money due", cancelled(refund_due_minor=1), order.IssueRefund()),
    ("r5: cancelled, no money due", cancelled(), order.CloseOrder()),
    ("x3: late money", acknowledged(late=True), order.IssueRefund()),
    ("money in time", acknowledged(), None),
    ("p11: at once", refund_issued(START), order.ReceiveRefund(ID)),
    ("p11: in a week", refund_issued(after(days=7)), None),
    ("the refund arrived", refund_received("f1"), order.CloseOrder()),
    ("r21: the seller offers a part", PartialRefundOffered(amount=usd(500)), order.NoteOffer(ID, usd(500))),
    (
        "r21: the buyer takes it",
        PartialRefundAccepted(offer_id="o1", amount=usd(500)),
        order.IssuePartialRefund(500),
    ),
    ("r14: a dispute was opened", opened(), order.NoteDispute(ID, PRICE)),
    ("p7: silence lost it", resolved(Resolution.SILENCE), order.SettleDispute("e1", 1999, lost=True)),
    ("p15: the platform decided against", resolved(Resolution.PLATFORM), order.SettleDispute("e1", 1999, lost=True)),
    ("r22: the platform denied", resolved(Resolution.PLATFORM, NOTHING), order.SettleDispute("e1", 0, lost=False)),
    ("r21: agreed, nobody lost", resolved(Resolution.AGREEMENT), order.SettleDispute("e1", 1999, lost=False)),
    ("x11: moot", resolved(Resolution.MOOT, NOTHING), None),
]
SELLER_ROWS: Final = [
    ("placed and paid", placed(paid=True), seller.PlanParcel(shop())),
    ("placed, not paid", placed(), None),
    ("r25: sends before the money", by("eager", placed()), seller.PlanParcel(shop("eager"))),
    ("r25: never sends", by("never-ships", placed(paid=True)), None),
    ("r15: paid", acknowledged(), seller.PlanParcel(shop())),
    ("x3: paid too late", acknowledged(late=True), None),
    ("r25: paid, never sends", by("never-ships", acknowledged()), None),
    (
        "r5: a request by the button",
        requested(dialog_id="d1"),
        seller.ConsiderRequest(ID, shop(), CancelPath.SELF_SERVICE),
    ),
    ("r10: a request by contact", requested(), seller.ConsiderRequest(ID, shop(), CancelPath.CONTACT)),
    ("p13: no consent asked", requested(consent_required=False), None),
    (
        "r7: repeated by a message",
        CancelRequestRepeated(brief=BRIEF, request_id="r1", message_id="m0"),
        seller.ConsiderRequest("r1", shop(), CancelPath.CONTACT),
    ),
    ("x2: cancelled as agreed", cancelled(CancelGround.SELLER_AGREED), None),
    *[
        (f"r5: cancelled, {ground}", cancelled(ground), seller.StopParcel(shop()))
        for ground in CancelGround
        if ground is not CancelGround.SELLER_AGREED
    ],
    ("x10: withdrawn", CancelWithdrawn(brief=BRIEF, request_id="r1"), seller.EndRequest("r1")),
    ("x8: expired", CancelExpired(brief=BRIEF, request_id="r1"), seller.EndRequest("r1")),
    ("x8: accepted too late", AcceptanceSuperseded(brief=BRIEF, request_id="r1"), seller.EndRequest("r1")),
    (
        "r2: somebody else's message",
        CancelRejectedNotBuyer(brief=BRIEF, claimed_by=STRANGER, attempted="MessageSeller", message_id="m0"),
        seller.DismissMessage("m0"),
    ),
    (
        "r2: somebody else's request",
        CancelRejectedNotBuyer(brief=BRIEF, claimed_by=STRANGER, attempted="ConfirmCancel"),
        None,
    ),
    (
        "r17: the buyer asks for the number",
        TrackingAsked(seller=shop(), request_id="r1", asked_at=START, provide_by=after(days=7)),
        seller.ShowTracking(shop()),
    ),
    (
        "r20: the order waits for a dispute",
        DisputeNoted(dispute_id="d1", moot=False, seller=shop(), claim=PRICE),
        seller.ReplyToDispute("d1", shop(), PRICE),
    ),
    ("a dispute is moot", DisputeNoted(dispute_id="d1", moot=True), None),
    ("r24: a good end", closed(Outcome.COMPLETED), seller.Rate(shop(), Outcome.COMPLETED, positive=True)),
    (
        "p15: an end that counts against the seller",
        closed(Outcome.NEVER_SHIPPED_REFUNDED, against_seller=True),
        seller.Rate(shop(), Outcome.NEVER_SHIPPED_REFUNDED, positive=False),
    ),
]
DISPUTE_ROWS: Final = [
    (
        "r21: a simulated seller has a word",
        DisputeReplied(dispute_id="e1", stance=Stance.OFFERS, amount=usd(500), text="Keep it.", evidence=(PHOTO,)),
        dispute.HearReply("e1", Stance.OFFERS, usd(500), "Keep it.", (PHOTO,)),
    ),
    ("x5: the first scan", scanned(after(hours=12), after(days=4)), dispute.HearScan(after(hours=12))),
    ("the parcel arrived", scanned(after(days=4), after(days=4), delivered=True), None),
    ("the order had ended", DisputeNoted(dispute_id="e1", moot=True), dispute.Drop("e1")),
    ("the order waits", DisputeNoted(dispute_id="e1", moot=False), None),
    ("p5: cancelled under a dispute", cancelled().model_copy(update={"dispute_id": "e1"}), dispute.Drop("e1")),
    ("cancelled without one", cancelled(), None),
    ("p16: agreed", settled(Role.BUYER, "o1", 500), dispute.Conclude("e1")),
    ("p10: agreed, the goods first", settled(Role.BUYER, "o1", 500, return_by=after(days=9)), None),
    ("p10: the goods are sent back", ReturnSent(dispute_id="e1"), dispute.Conclude("e1")),
    ("p8, r19: the platform steps in", escalated(), dispute.Rule("e1")),
]


@pytest.mark.parametrize(("event", "command"), [row[1:] for row in ORDER_ROWS], ids=[row[0] for row in ORDER_ROWS])
def test_what_the_order_does_about_it(event: Any, command: object) -> None:
    assert ORDER_REACTIONS.react(event, ID) == command


@pytest.mark.parametrize(("event", "command"), [row[1:] for row in SELLER_ROWS], ids=[row[0] for row in SELLER_ROWS])
def test_what_the_seller_does_about_it(event: Any, command: object) -> None:
    assert SELLER_REACTIONS.react(event, ID) == command


@pytest.mark.parametrize(("event", "command"), [row[1:] for row in DISPUTE_ROWS], ids=[row[0] for row in DISPUTE_ROWS])
def test_what_the_dispute_does_about_it(event: Any, command: object) -> None:
    assert DISPUTE_REACTIONS.react(event, ID) == command


def test_a_dispute_is_opened_and_ruled_on_what_the_order_and_the_seller_have_recorded() -> None:
    """What does not depend on it is not informed."""
    history = (placed(paid=True), shipped())
    assert inform(claim(), history) == dispute.OpenCase(claim(), view_of(history))
    assert inform(dispute.Rule("e1"), history) == dispute.Rule("e1", view_of(history))
    assert dispute.Rule("e1").view == View()
    assert inform(dispute.Drop("e1"), history) == dispute.Drop("e1")


@pytest.mark.parametrize(
    ("reactions", "rows"),
    [(ORDER_REACTIONS, ORDER_ROWS), (SELLER_REACTIONS, SELLER_ROWS), (DISPUTE_REACTIONS, DISPUTE_ROWS)],
    ids=["order", "seller", "dispute"],
)
def test_every_row_of_the_table_is_tested(reactions: Reactions[Any], rows: list[tuple[str, Any, object]]) -> None:
    assert {type(event) for _, event, _ in rows} == set(reactions)


@pytest.mark.parametrize(
    "reactions", [ORDER_REACTIONS, SELLER_REACTIONS, DISPUTE_REACTIONS], ids=["order", "seller", "dispute"]
)
def test_services_react_to_published_events_only(reactions: Reactions[Any]) -> None:
    assert set(reactions) <= set(EVENTS.values())


@pytest.mark.parametrize(
    ("timers", "deadlines"),
    [
        (
            ORDER_TIMERS,
            {
                "AnswerDue": order.EndSilence("d1"),
                "PaymentDue": order.CloseUnpaid("d1"),
                "ShipmentDue": order.CloseUnshipped("d1"),
                "ProtectionEnds": order.EndProtection("d1"),
                "RefundDue": order.ReceiveRefund("d1"),
            },
        ),
        (
            SELLER_TIMERS,
            {
                "SellerAnswers": seller.GiveAnswer("d1"),
                "HandOverDue": seller.HandOver("d1"),
                "ScanDue": seller.Scan("d1"),
                "DeliveryDue": seller.Deliver("d1"),
            },
        ),
        (
            DISPUTE_TIMERS,
            {
                "DisputeAnswerDue": dispute.GrantSilence("d1"),
                "NegotiationEnds": dispute.EndNegotiation("d1"),
                "ReturnDue": dispute.EndReturn("d1"),
            },
        ),
    ],
    ids=["order", "seller", "dispute"],
)
def test_a_fired_timer_asks_what_its_name_says(timers: dict[str, Any], deadlines: dict[str, object]) -> None:
    assert {name: make("d1") for name, make in timers.items()} == deadlines


def test_every_deadline_that_a_state_can_want_has_a_timer_and_every_timer_a_deadline() -> None:
    """The names are collected from many histories."""
    markets = [play(Random(seed)) for seed in range(1500)]
    for timers, services in (
        (ORDER_TIMERS, [market.order for market in markets]),
        (SELLER_TIMERS, [market.seller for market in markets]),
        (DISPUTE_TIMERS, [market.dispute for market in markets]),
    ):
        wanted = {deadline.name for service in services for wants in service.wanted for deadline in wants}
        assert wanted == set(timers)


# The table itself


def test_a_service_does_one_thing_about_one_message() -> None:
    """A second reaction to the same message is a mistake at import, not a surprise at run time."""
    table: Reactions[str] = Reactions()

    @table.on(int)
    def count(message: int, message_id: str) -> str:
        return f"{message_id}: {message}"

    assert table.react(3, "m1") == "m1: 3"
    assert count(4, "m2") == "m2: 4"
    with pytest.raises(ValueError, match="int has a reaction already: count"):
        table.on(int)(lambda _message, _id: "again")


def test_what_has_no_row_is_not_reacted_to() -> None:
    table: Reactions[str] = Reactions()
    assert table.react("unknown", "m1") is None
    assert list(table) == []
