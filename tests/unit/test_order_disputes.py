"""What the order does about proofs, offers, disputes and resellers, as sentences. Ids are those of the domain."""

from typing import Final, TypeAlias

import pytest

from countermand.contracts.base import Actor, Contact, SellerRecord
from countermand.contracts.order import (
    AcceptanceSuperseded,
    AcceptPartialRefund,
    AskForTracking,
    CancelDialogOpened,
    CancelExpired,
    CancelGround,
    CancelReason,
    ConfirmReceipt,
    DisputeNoted,
    Goods,
    OpenCancelDialog,
    OrderDelivered,
    Outcome,
    PartialRefundAccepted,
    PartialRefundNoted,
    RefundCause,
    RefundCustomer,
    ResellerRefundedCustomer,
    ShipmentSuperseded,
    TrackingAsked,
)
from countermand.kernel.decider import Deadline
from countermand.kernel.money import Money
from countermand.kernel.policy import AgainstSeller, OnSilence, Policy
from services.order.commands import (
    CancelAsAgreed,
    CloseOrder,
    CloseUnshipped,
    EndProtection,
    HearMessage,
    IssuePartialRefund,
    IssueRefund,
    NoteDelivery,
    NoteDispute,
    NoteOffer,
    NoteShipment,
    OrderCommand,
    ReceiveRefund,
    SettleDispute,
)
from services.order.decider import ORDER, OrderEvent
from services.order.state import CancelPending, Disputed, Order, Resolved
from tests.support.disputes import usd
from tests.support.orders import (
    BRIEF,
    BUYER,
    GLADLY,
    NOTHING,
    PRICE,
    SELLER,
    SHIP_BY,
    START,
    STRANGER,
    TRACKING,
    acknowledged,
    after,
    cancelled,
    closed,
    delivered,
    dialog,
    noted,
    place,
    placed,
    refund_issued,
    refund_received,
    refused,
    requested,
    shop,
    terms,
)
from tests.support.spec import Spec

OrderSpec: TypeAlias = Spec[OrderCommand, Order, OrderEvent]

CUSTOMER: Final = Contact(id="cora", name="Cora Customer", email="cora@example.org")


def order(policy: Policy | None = None) -> OrderSpec:
    return Spec(ORDER, terms(policy))


def under(policy: Policy) -> OrderSpec:
    return order(policy).given(placed(paid=True, under=terms(policy)))


def dispute_noted(*, moot: bool = False, dispute_id: str = "d1") -> DisputeNoted:
    if moot:
        return DisputeNoted(dispute_id=dispute_id, moot=True)
    return DisputeNoted(dispute_id=dispute_id, moot=False, seller=shop(), claim=usd(1999))


def by_dispute(amount: Money = PRICE, *, lost: bool = False) -> OrderEvent:
    return refund_issued(ARRIVES, cause=RefundCause.DISPUTE, amount=amount, lost_dispute=lost)


def offered(offer_id: str = "o1", amount: Money | None = None) -> PartialRefundNoted:
    return PartialRefundNoted(offer_id=offer_id, amount=amount or usd(500))


TAKE: Final = AcceptPartialRefund(actor=BUYER, offer_id="o1")
TAKEN: Final = PartialRefundAccepted(offer_id="o1", amount=usd(500))
UNPAID: Final = order().given(placed())
PAID: Final = order().given(placed(paid=True))
SHIPPED: Final = PAID.given(noted())
ARRIVED: Final = SHIPPED.given(delivered(after(days=4)))
DIALOG: Final = ARRIVED.given(dialog())
PENDING: Final = PAID.given(requested(paid=True))
REFUSED: Final = PENDING.given(refused("e2"))
DISPUTED: Final = ARRIVED.given(dispute_noted())
DISPUTED_UNSENT: Final = REFUSED.given(dispute_noted())
CANCELLED: Final = PENDING.given(cancelled(request_id="e2", refund_due_minor=1999))
CLOSED: Final = ARRIVED.given(closed(Outcome.COMPLETED, Goods.DELIVERED))
ARRIVES: Final = after(days=7)
"""When a card is refunded that is refunded at `START`: drawn from the seed and the order."""
RESOLVED: Final = DISPUTED.given(by_dispute(usd(700)))
PHASES: Final = {
    "active": ARRIVED,
    "dialog open": DIALOG,
    "request pending": PENDING,
    "disputed": DISPUTED,
    "resolved": RESOLVED,
    "cancelled": CANCELLED,
    "closed": CLOSED,
}


def in_every_phase(*names: str) -> pytest.MarkDecorator:
    """Runs a test in these phases, or in all of them."""
    return pytest.mark.parametrize("spec", [PHASES[name] for name in names or PHASES], ids=list(names or PHASES))


# The proof of shipment


def test_r17_a_buyer_whom_the_seller_left_without_an_answer_asks_for_the_tracking_number() -> None:
    """P2: silence under a policy that refuses is a refusal."""
    expired = CancelExpired(brief=BRIEF, request_id="e2")
    spec = under(Policy(on_silence=OnSilence.REFUSE)).given(requested(paid=True), expired)
    asked = TrackingAsked(seller=shop(), request_id="e2", asked_at=after(days=4), provide_by=after(days=11))
    spec.when(AskForTracking(actor=BUYER), at=after(days=4)).then(asked)


def test_r17_a_refused_buyer_asks_for_the_tracking_number() -> None:
    """P6: five business days from the question."""
    asked = TrackingAsked(seller=shop(), request_id="e2", asked_at=after(hours=1), provide_by=after(days=7, hours=1))
    once = REFUSED.when(AskForTracking(actor=BUYER), at=after(hours=1)).then(asked)
    once.when(AskForTracking(actor=BUYER)).then_refused("tracking_asked")
    again = once.given(requested(paid=True), refused("e5"))
    later = asked.model_copy(update={"request_id": "e5"})
    again.when(AskForTracking(actor=BUYER), at=after(hours=1)).then(later)


def test_p6_the_time_to_show_a_number_is_the_policys() -> None:
    spec = under(Policy(tracking_within_business_days=1)).given(requested(paid=True), refused("e2"))
    asked = TrackingAsked(seller=shop(), request_id="e2", asked_at=START, provide_by=after(days=1))
    spec.when(AskForTracking(actor=BUYER)).then(asked)


def test_r17_only_a_refusal_of_what_has_not_left_is_put_to_the_test() -> None:
    PAID.when(AskForTracking(actor=BUYER)).then_refused("nothing_to_prove")
    REFUSED.given(noted()).when(AskForTracking(actor=BUYER)).then_refused("already_shipped")


@in_every_phase("request pending", "disputed", "resolved", "cancelled", "closed")
def test_r17_no_proof_is_asked_for_while_an_answer_is_awaited_or_after_the_end(spec: OrderSpec) -> None:
    spec.when(AskForTracking(actor=BUYER)).then_refused("nothing_to_prove")


# Receipt


def test_a_buyer_may_say_that_the_parcel_has_arrived() -> None:
    """Protection runs from there; the carrier's word adds nothing."""
    for spec in (SHIPPED, SHIPPED.given(dialog()), SHIPPED.given(dispute_noted())):
        told = spec.when(ConfirmReceipt(actor=BUYER), at=after(days=2)).then(delivered(after(days=2)))
        told.when(ConfirmReceipt(actor=BUYER)).then_refused("already_delivered")
        told.when(NoteDelivery(after(days=4))).then(None)
    PAID.when(ConfirmReceipt(actor=BUYER)).then_refused("not_shipped")
    PENDING.when(ConfirmReceipt(actor=BUYER)).then_refused("not_shipped")


@in_every_phase("resolved", "cancelled", "closed")
def test_a_receipt_is_not_confirmed_after_the_end(spec: OrderSpec) -> None:
    spec.when(ConfirmReceipt(actor=BUYER)).then_refused("order_closed")


@pytest.mark.parametrize("actor", [STRANGER, SELLER, Actor(role=SELLER.role, id=BUYER.id)])
@in_every_phase()
def test_r2_only_the_buyer_asks_receives_refunds_and_takes_offers(spec: OrderSpec, actor: Actor) -> None:
    for command in (
        ConfirmReceipt(actor=actor),
        AskForTracking(actor=actor),
        RefundCustomer(actor=actor, amount=PRICE),
        AcceptPartialRefund(actor=actor, offer_id="o1"),
    ):
        spec.when(command).then_refused("not_the_buyer")


# Resellers


def test_r26_a_reseller_orders_for_a_customer() -> None:
    command = place().model_copy(update={"customer": CUSTOMER})
    order().when(command).then(placed().model_copy(update={"customer": CUSTOMER}))


def test_r26_a_reseller_refunds_its_customer_when_it_is_too_late_to_cancel() -> None:
    """At its own cost: the order's money does not move."""
    refund = RefundCustomer(actor=BUYER, amount=usd(2499))
    paid = order().given(placed(paid=True).model_copy(update={"customer": CUSTOMER}))
    event = ResellerRefundedCustomer(customer=CUSTOMER, amount=usd(2499))
    paid.when(refund).then_refused("not_too_late")
    for late in (paid.given(noted()), paid.given(requested(paid=True), refused("e2"))):
        once = late.when(refund).then(event)
        once.when(refund).then_refused("customer_refunded")
        once.when(CloseOrder()).then(None)
    paid.given(noted(), closed(Outcome.COMPLETED)).when(refund).then(event)


def test_r26_an_order_that_is_refunded_itself_costs_the_reseller_nothing() -> None:
    for spec in (RESOLVED, CANCELLED):
        spec.when(RefundCustomer(actor=BUYER, amount=PRICE)).then_refused("order_refunded")


def test_r26_an_order_for_oneself_has_no_customer() -> None:
    SHIPPED.when(RefundCustomer(actor=BUYER, amount=PRICE)).then_refused("no_customer")


# A part of the money


@pytest.mark.parametrize("spec", [PAID, ARRIVED, DIALOG, PENDING], ids=["paid", "delivered", "dialog", "pending"])
def test_r21_the_order_knows_of_the_sellers_offer(spec: OrderSpec) -> None:
    spec.when(NoteOffer("o1", usd(500))).then(offered())


@in_every_phase("disputed", "resolved", "cancelled", "closed")
def test_r21_an_offer_means_nothing_under_a_dispute_or_after_the_end(spec: OrderSpec) -> None:
    spec.when(NoteOffer("o1", usd(500))).then(None)
    spec.given(offered()).when(TAKE).then_refused("no_such_offer")


def test_r21_an_offer_on_an_unpaid_order_means_nothing() -> None:
    UNPAID.when(NoteOffer("o1", usd(500))).then(None)


def test_r21_an_offer_in_another_currency_means_nothing() -> None:
    """It was refunded as so many of the order's cents."""
    ARRIVED.when(NoteOffer("o1", Money(amount_minor=500, currency="JPY"))).then(None)


def test_x9_an_acceptance_names_the_offer_that_stands() -> None:
    ARRIVED.when(TAKE).then_refused("no_such_offer")
    newer = ARRIVED.given(offered(), offered("o2", usd(700)))
    newer.when(TAKE).then_refused("no_such_offer")
    taken = newer.when(AcceptPartialRefund(actor=BUYER, offer_id="o2")).then(
        PartialRefundAccepted(offer_id="o2", amount=usd(700))
    )
    taken.when(AcceptPartialRefund(actor=BUYER, offer_id="o2")).then_refused("no_such_offer")
    PENDING.given(offered()).when(TAKE).then_refused("no_such_offer")


def test_r21_a_part_conceded_goes_back_and_the_order_goes_on() -> None:
    """It ends as completed, less a part, and not against the seller."""
    refund = refund_issued(ARRIVES, cause=RefundCause.PARTIAL_REFUND, amount=usd(500))
    spec = ARRIVED.given(offered()).when(TAKE).then(TAKEN).when(IssuePartialRefund(500)).then(refund)
    spec.wants(Deadline("ProtectionEnds", "e3", after(days=19)), Deadline("RefundDue", "e6", ARRIVES))
    spec.when(CloseOrder()).then(None)
    received = spec.when(ReceiveRefund("e6"), at=ARRIVES).then(refund_received("e6", usd(500)))
    received.when(EndProtection("e3"), at=after(days=19)).then(
        closed(Outcome.COMPLETED_PARTIAL_REFUND, Goods.DELIVERED, usd(500))
    )


def test_x11_a_part_and_the_rest_never_exceed_what_was_paid() -> None:
    part = refund_issued(ARRIVES, cause=RefundCause.PARTIAL_REFUND, amount=usd(500))
    settled = ARRIVED.given(offered(), TAKEN, part, dispute_noted()).when(SettleDispute("d1", 1999, lost=True))
    spec = settled.then(by_dispute(usd(1499), lost=True)).given(refund_received("e6", usd(500)))
    spec.when(CloseOrder()).then(None)
    spec.given(refund_received("e8", usd(1499))).when(CloseOrder()).then(
        closed(Outcome.DISPUTE_REFUNDED, Goods.DELIVERED, PRICE, against_seller=True)
    )
    RESOLVED.when(IssuePartialRefund(1500)).then(
        refund_issued(ARRIVES, cause=RefundCause.PARTIAL_REFUND, amount=usd(1299))
    )
    PAID.given(refund_issued(ARRIVES)).when(IssuePartialRefund(500)).then(None)


# Disputes


@pytest.mark.parametrize("spec", [SHIPPED, ARRIVED, DIALOG, REFUSED], ids=["shipped", "delivered", "dialog", "refused"])
def test_r14_an_order_in_dispute_waits_for_its_resolution(spec: OrderSpec) -> None:
    disputed = spec.when(NoteDispute("d1", usd(1999))).then(dispute_noted())
    assert isinstance(disputed.state, Disputed)
    disputed.when(OpenCancelDialog(actor=BUYER, reason=CancelReason.BETTER_OFFER)).then_refused("in_dispute")
    disputed.when(HearMessage("m1", BUYER, CancelReason.BETTER_OFFER, "")).then(None)
    disputed.when(EndProtection("e3"), at=after(days=90)).then(None)
    disputed.when(CloseOrder()).then(None)
    disputed.when(IssueRefund()).then(None)


@in_every_phase("request pending", "disputed", "resolved", "cancelled", "closed")
def test_a_dispute_that_comes_too_late_is_moot_and_changes_nothing(spec: OrderSpec) -> None:
    moot = spec.when(NoteDispute("d2", usd(1999))).then(dispute_noted(moot=True, dispute_id="d2"))
    assert moot.state == spec.state


def test_a_dispute_over_an_unpaid_order_is_moot() -> None:
    """It waited under a payment deadline that nobody would have kept."""
    UNPAID.when(NoteDispute("d1", usd(1999))).then(dispute_noted(moot=True))


def test_r20_a_claim_granted_in_full_refunds_everything() -> None:
    """P15: it counts against a seller who lost, not against one who agreed."""
    for lost in (True, False):
        spec = DISPUTED.when(SettleDispute("d1", 1999, lost=lost)).then(by_dispute(lost=lost))
        assert isinstance(spec.state, Resolved)
        spec.wants(Deadline("RefundDue", "e5", ARRIVES)).when(CloseOrder()).then(None)
        spec.given(refund_received("e5")).when(CloseOrder()).then(
            closed(Outcome.DISPUTE_REFUNDED, Goods.DELIVERED, PRICE, against_seller=lost)
        )


def test_r21_a_claim_granted_in_part_refunds_that_part() -> None:
    spec = DISPUTED.when(SettleDispute("d1", 700, lost=False)).then(by_dispute(usd(700)))
    spec.given(refund_received("e5", usd(700))).when(CloseOrder()).then(
        closed(Outcome.DISPUTE_PARTIAL, Goods.DELIVERED, usd(700))
    )


def test_r22_a_claim_that_is_denied_ends_the_order() -> None:
    DISPUTED.when(SettleDispute("d1", 0, lost=False)).then(closed(Outcome.DISPUTE_DENIED, Goods.DELIVERED)).wants()


def test_x11_a_claim_on_money_that_has_all_gone_back_ends_the_order() -> None:
    spec = DISPUTED.given(refund_issued(ARRIVES, cause=RefundCause.PARTIAL_REFUND))
    spec.when(SettleDispute("d1", 1999, lost=True)).then(closed(Outcome.DISPUTE_REFUNDED, Goods.DELIVERED, PRICE))


@in_every_phase()
def test_only_the_dispute_that_is_open_is_settled(spec: OrderSpec) -> None:
    spec.when(SettleDispute("d9", 1999, lost=True)).then(None)


def test_p5_an_order_never_shipped_closes_with_a_full_refund_under_a_dispute_too() -> None:
    """R20: the dispute is moot then."""
    DISPUTED_UNSENT.wants(Deadline("ShipmentDue", "e1", SHIP_BY))
    event = cancelled(CancelGround.NEVER_SHIPPED, refund_due_minor=1999).model_copy(update={"dispute_id": "d1"})
    DISPUTED_UNSENT.when(CloseUnshipped("e1"), at=after(days=9)).then(event).when(
        SettleDispute("d1", 1999, lost=True)
    ).then(None)
    DISPUTED_UNSENT.when(CloseUnshipped("e1"), at=after(days=8)).then(None)


def test_x6_the_parcel_travels_under_a_dispute_and_after_its_refund() -> None:
    sent = DISPUTED_UNSENT.when(NoteShipment(TRACKING, START)).then(noted())
    sent.when(NoteDelivery(after(days=4))).then(delivered(after(days=4))).wants()
    resolved = DISPUTED_UNSENT.given(by_dispute())
    late = resolved.when(NoteShipment(TRACKING, START)).then(
        ShipmentSuperseded(tracking_number=TRACKING, shipped_at=START)
    )
    late.when(NoteDelivery(after(days=4))).then(
        OrderDelivered(delivered_at=after(days=4), protected_until=None, after_cancellation=True)
    )


def test_x8_a_yes_that_comes_under_a_dispute_is_superseded_unless_the_parcel_has_left() -> None:
    superseded = AcceptanceSuperseded(brief=BRIEF, request_id="e2")
    DISPUTED_UNSENT.when(CancelAsAgreed("e2")).then(superseded)
    DISPUTED_UNSENT.given(noted()).when(CancelAsAgreed("e2")).then(None)


# What counts against a seller


@pytest.mark.parametrize(
    ("ground", "reason", "against"),
    [
        (CancelGround.NEVER_SHIPPED, CancelReason.BETTER_OFFER, AgainstSeller.NEVER_SHIPPED),
        (CancelGround.SILENCE, CancelReason.BETTER_OFFER, AgainstSeller.UNRESPONSIVE),
        (CancelGround.SELLER_AGREED, CancelReason.SELLER_TOO_SLOW, AgainstSeller.TOO_SLOW),
        (CancelGround.NO_CONSENT_NEEDED, CancelReason.SELLER_TOO_SLOW, AgainstSeller.TOO_SLOW),
        (CancelGround.SELLER_AGREED, CancelReason.BETTER_OFFER, None),
        (CancelGround.NO_CONSENT_NEEDED, CancelReason.BETTER_OFFER, None),
        (CancelGround.NEVER_PAID, CancelReason.SELLER_TOO_SLOW, None),
    ],
)
def test_p15_some_ends_count_against_the_seller(
    ground: CancelGround, reason: CancelReason, against: AgainstSeller | None
) -> None:
    """Which of them do is the policy's choice."""
    for counts in (tuple(AgainstSeller), tuple(a for a in AgainstSeller if a is not against)):
        spec = order(Policy(against_seller=counts)).given(placed(), requested(reason=reason), cancelled(ground))
        outcome = Outcome.UNPAID_EXPIRED if ground is CancelGround.NEVER_PAID else Outcome.CANCELLED_UNPAID
        if ground is CancelGround.NEVER_SHIPPED:
            outcome = Outcome.NEVER_SHIPPED_REFUNDED
        spec.when(CloseOrder()).then(closed(outcome, refunded=NOTHING, against_seller=against in counts))


def test_p15_a_lost_dispute_counts_only_where_the_policy_says_so() -> None:
    spec = under(Policy(against_seller=())).given(noted(), delivered(after(days=4)), dispute_noted())
    lost = spec.given(by_dispute(lost=True), refund_received("e5"))
    lost.when(CloseOrder()).then(closed(Outcome.DISPUTE_REFUNDED, Goods.DELIVERED, PRICE))


# The dialog


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (SellerRecord(positive_percent=95, orders=9), "Nothing much is known of this seller: 9 orders."),
        (
            SellerRecord(positive_percent=90, orders=10),
            "This seller has 90 % positive feedback from 10 orders: a fair answer is likely.",
        ),
        (
            SellerRecord(positive_percent=89.4, orders=500),
            "This seller has only 89 % positive feedback from 500 orders: be ready for a no.",
        ),
    ],
)
def test_r24_r27_the_dialog_shows_the_sellers_record(record: SellerRecord, says: str) -> None:
    command = OpenCancelDialog(actor=BUYER, reason=CancelReason.BETTER_OFFER, seller_record=record)
    shown = CancelDialogOpened(
        reason=CancelReason.BETTER_OFFER, advice=f"{GLADLY} {says}", seller_record=record, lapses_at=after(minutes=15)
    )
    UNPAID.when(command).then(shown)


def test_x3_money_that_comes_after_a_request_began_is_disputable() -> None:
    """A payment is not late while the order lives."""
    spec = UNPAID.given(requested(), acknowledged(), refused("e2"))
    spec.when(NoteDispute("d1", usd(1999))).then(dispute_noted())
    assert isinstance(UNPAID.given(requested()).state, CancelPending)
