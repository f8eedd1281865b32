"""The order's rules, as sentences. Ids are those of the domain: R rules, P policies, X races."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

import pytest

from countermand.contracts.base import Actor, Role
from countermand.contracts.order import (
    AcceptanceSuperseded,
    AcknowledgePayment,
    AskSellerToCancel,
    CancelDialogOpened,
    CancelExpired,
    CancelGround,
    CancelReason,
    CancelRejectedNotBuyer,
    CancelRequested,
    CancelRequestRepeated,
    CancelWithdrawn,
    ConfirmCancel,
    Goods,
    OpenCancelDialog,
    OrderCancelled,
    OrderDelivered,
    Outcome,
    PaymentMethod,
    RefundReceived,
    RefusalGround,
    ShipmentSuperseded,
    WithdrawCancel,
)
from countermand.kernel.decider import Deadline, Premature
from countermand.kernel.money import Ledger
from countermand.kernel.policy import BusinessCalendar, OnSilence, Policy, RefundTransit, Span
from services.order.commands import (
    CancelAsAgreed,
    CancelWithoutConsent,
    CloseOrder,
    CloseUnpaid,
    CloseUnshipped,
    EndProtection,
    EndSilence,
    HearMessage,
    IssueRefund,
    NoteDelivery,
    NoteShipment,
    OrderCommand,
    ReceiveRefund,
    RefuseRequest,
)
from services.order.decider import ORDER, OrderEvent, decide, evolve
from services.order.state import Cancelled, CancelPending, Facts, Order, Unplaced
from tests.support.orders import (
    BRIEF,
    BUYER,
    GLADLY,
    NOTHING,
    ORDER_ID,
    PLATFORM,
    PRICE,
    SELLER,
    START,
    STRANGER,
    TERMS,
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
    superseded,
    terms,
)
from tests.support.spec import Spec

OrderSpec: TypeAlias = Spec[OrderCommand, Order, OrderEvent]


def order(policy: Policy | None = None, *, rate: float = 1) -> OrderSpec:
    return Spec(ORDER, terms(policy, rate=rate))


def under(policy: Policy, *, paid: bool = False, method: PaymentMethod = PaymentMethod.CARD) -> OrderSpec:
    return order(policy).given(placed(paid=paid, method=method, under=terms(policy)))


def facts(spec: OrderSpec) -> Facts:
    assert not isinstance(spec.state, Unplaced)
    return spec.state.facts


UNPAID: Final = order().given(placed())
PAID: Final = order().given(placed(paid=True))
DIALOG: Final = UNPAID.given(dialog())
PENDING: Final = DIALOG.given(requested(dialog_id="e2"))  # The request is e3.
PAID_PENDING: Final = PAID.given(requested(paid=True))  # The request is e2.
SHIPPED: Final = PAID.given(noted())
CANCELLED: Final = PENDING.given(cancelled(request_id="e3"))
CLOSED: Final = CANCELLED.given(closed())
PHASES: Final = {
    "active": UNPAID,
    "dialog open": DIALOG,
    "request pending": PENDING,
    "cancelled": CANCELLED,
    "closed": CLOSED,
}

OPEN: Final = OpenCancelDialog(actor=BUYER, reason=CancelReason.BETTER_OFFER)
CONFIRM: Final = ConfirmCancel(actor=BUYER, dialog_id="e2")
ASK: Final = AskSellerToCancel(actor=BUYER, reason=CancelReason.BETTER_OFFER, text="Please cancel it.")
ACKNOWLEDGE: Final = AcknowledgePayment(actor=PLATFORM)
SHIPMENT: Final = NoteShipment(TRACKING, START)
MESSAGE: Final = HearMessage("m1", BUYER, CancelReason.BETTER_OFFER, "Please do not send it.")
WITHDRAW: Final = WithdrawCancel(actor=BUYER, request_id="e3")


def in_every_phase(*names: str) -> pytest.MarkDecorator:
    """Runs a test in these phases, or in all of them."""
    return pytest.mark.parametrize("spec", [PHASES[name] for name in names or PHASES], ids=list(names or PHASES))


# Placing and paying


def test_p4_an_unpaid_order_must_be_paid_within_20_days() -> None:
    """An order is placed unpaid and closes after 20 days without payment."""
    order().when(place()).then(placed()).wants(Deadline("PaymentDue", "e1", after(days=20)))


def test_p5_a_paid_order_must_be_shipped_within_7_business_days() -> None:
    """Paid at once, as with a wallet: from Monday 10:00 to Wednesday of the next week, 10:00."""
    order().when(place(paid=True)).then(placed(paid=True)).wants(Deadline("ShipmentDue", "e1", after(days=9)))


def test_p5_counts_from_the_payment() -> None:
    """Paid on Thursday: due on Monday of the week after next."""
    (
        UNPAID.when(ACKNOWLEDGE, at=after(days=3))
        .then(acknowledged(after(days=3), ship_by=after(days=14)))
        .wants(Deadline("ShipmentDue", "e2", after(days=14)))
    )


def test_an_order_remembers_the_run_that_it_belongs_to() -> None:
    in_a_run = {"run_id": "load-7"}
    order().when(place().model_copy(update=in_a_run)).then(placed().model_copy(update=in_a_run))


@pytest.mark.parametrize("actor", [STRANGER, SELLER, Actor(role=Role.OPERATOR, id=BUYER.id)])
def test_an_order_is_placed_by_its_buyer(actor: Actor) -> None:
    order().when(place(actor=actor)).then_refused("not_the_buyer")


def test_an_order_costs_something() -> None:
    free = place().model_copy(update={"brief": BRIEF.model_copy(update={"price": NOTHING})})
    order().when(free).then_refused("nothing_to_pay")


def test_a_clock_too_fast_for_the_timers_is_refused() -> None:
    """72 h in less than two seconds cannot be kept."""
    order(rate=129_601).when(place(under=terms(rate=129_601))).then_refused("clock_too_fast")
    order(rate=129_600).when(place(under=terms(rate=129_600))).then(placed(under=terms(rate=129_600)))


@in_every_phase()
def test_an_order_is_placed_once(spec: OrderSpec) -> None:
    spec.when(place()).then_refused("already_placed")


@pytest.mark.parametrize(
    "command",
    [
        ACKNOWLEDGE,
        OPEN,
        CONFIRM,
        ASK,
        WITHDRAW,
        MESSAGE,
        CancelWithoutConsent("e3"),
        CancelAsAgreed("e3"),
        RefuseRequest("e3", RefusalGround.KEEPS_THE_SALE, ""),
        SHIPMENT,
        NoteDelivery(START),
        EndSilence("e3"),
        CloseUnpaid("e1"),
        CloseUnshipped("e1"),
        EndProtection("e1"),
        IssueRefund(),
        ReceiveRefund("e4"),
        CloseOrder(),
    ],
    ids=lambda command: type(command).__name__,
)
def test_x12_whatever_comes_before_the_order_waits_for_it(command: OrderCommand) -> None:
    """A message that overtook `OrderPlaced` is premature, not wrong."""
    order().wants().when(command).then(Premature("OrderPlaced"))


def test_no_history_begins_with_anything_but_the_placing() -> None:
    with pytest.raises(ValueError, match="RefundReceived cannot be the first event of an order"):
        evolve(Unplaced(ORDER_ID, TERMS), RefundReceived(refund_id="e1", amount=PRICE), "e2")


@in_every_phase()
@pytest.mark.parametrize("actor", [BUYER, SELLER])
def test_only_the_platform_confirms_payments(spec: OrderSpec, actor: Actor) -> None:
    spec.when(AcknowledgePayment(actor=actor)).then_refused("not_the_platform")


def test_a_payment_is_confirmed_once() -> None:
    PAID.when(ACKNOWLEDGE).then_refused("already_paid")
    UNPAID.when(ACKNOWLEDGE).then(acknowledged()).when(ACKNOWLEDGE).then_refused("already_paid")


def test_a_payment_after_the_shipment_starts_no_limit_to_ship() -> None:
    """A seller may send before the money is there."""
    UNPAID.given(noted()).when(ACKNOWLEDGE).then(acknowledged(ship_by=None)).wants()


# Who asks, and why


@pytest.mark.parametrize("reason", list(CancelReason))
def test_r1_every_request_carries_the_one_reason_of_its_dialog(reason: CancelReason) -> None:
    """The buyer picks one of seven reasons in the dialog; the seller is told that one."""
    UNPAID.given(dialog(reason)).when(CONFIRM).then(requested(dialog_id="e2", reason=reason))


@in_every_phase()
@pytest.mark.parametrize("actor", [STRANGER, Actor(role=Role.SELLER, id=BUYER.id)], ids=["stranger", "not as buyer"])
@pytest.mark.parametrize("command", [OPEN, CONFIRM, ASK], ids=lambda command: type(command).__name__)
def test_r2_a_request_that_is_not_the_buyers_is_refused_and_the_buyer_told(
    command: OpenCancelDialog | ConfirmCancel | AskSellerToCancel, actor: Actor, spec: OrderSpec
) -> None:
    """It is recorded in whatever phase it comes, so that the buyer can be told; the order stays as it was."""
    attempt = command.model_copy(update={"actor": actor})
    rejected = CancelRejectedNotBuyer(brief=BRIEF, claimed_by=actor, attempted=type(command).__name__)
    assert spec.when(attempt).then(rejected).state == spec.state


@in_every_phase()
def test_r2_a_message_to_the_seller_that_is_not_the_buyers_is_refused_and_the_buyer_told(spec: OrderSpec) -> None:
    """It names the message, so that the seller can dismiss it."""
    rejected = CancelRejectedNotBuyer(brief=BRIEF, claimed_by=STRANGER, attempted="MessageSeller", message_id="m1")
    assert spec.when(HearMessage("m1", STRANGER, CancelReason.BETTER_OFFER, "")).then(rejected).state == spec.state


@in_every_phase()
def test_r2_only_the_buyer_takes_a_request_back(spec: OrderSpec) -> None:
    spec.when(WithdrawCancel(actor=STRANGER, request_id="e3")).then_refused("not_the_buyer")


# The self-service path


@pytest.mark.parametrize("spec", [UNPAID, DIALOG], ids=["no dialog", "a dialog before"])
def test_r3_cancel_is_offered_while_neither_paid_nor_shipped(spec: OrderSpec) -> None:
    """A second dialog replaces the first."""
    spec.when(OPEN).then(dialog())


def test_r4_an_unconfirmed_dialog_changes_nothing() -> None:
    """Opening the dialog sends nothing, and every limit stays."""
    assert facts(DIALOG) == facts(UNPAID)
    DIALOG.wants(*ORDER.deadlines(UNPAID.state))
    DIALOG.given(noted()).when(CONFIRM).then_refused("already_shipped")


def test_r4_the_confirmed_dialog_is_what_sends_the_request() -> None:
    DIALOG.when(CONFIRM).then(requested(dialog_id="e2")).wants(
        Deadline("AnswerDue", "e3", after(hours=72)), Deadline("PaymentDue", "e1", after(days=20))
    )


def test_p1_a_dialog_lapses_after_15_minutes() -> None:
    DIALOG.when(CONFIRM, at=after(minutes=15)).then(requested(dialog_id="e2", at=after(minutes=15)))
    DIALOG.when(CONFIRM, at=after(minutes=15, seconds=1)).then_refused("dialog_lapsed")


def test_p1_counts_real_minutes_whatever_the_clock() -> None:
    """At one day a minute a person still has a quarter of an hour: 15 simulated days."""
    (
        order(rate=1440)
        .given(placed(under=terms(rate=1440)))
        .when(OPEN)
        .then(
            CancelDialogOpened(
                reason=CancelReason.BETTER_OFFER, advice=GLADLY, lapses_at=START + 1440 * timedelta(minutes=15)
            )
        )
    )


@pytest.mark.parametrize("spec", [UNPAID, DIALOG], ids=["none open", "another open"])
def test_r4_only_the_dialog_that_is_shown_can_be_confirmed(spec: OrderSpec) -> None:
    spec.when(ConfirmCancel(actor=BUYER, dialog_id="e9")).then_refused("dialog_unknown")


def test_r5_when_the_seller_agrees_the_transaction_ends_by_itself() -> None:
    """Nothing was paid, so nothing goes back, and the order is never shipped."""
    (
        PENDING.when(CancelAsAgreed("e3"))
        .then(cancelled(CancelGround.SELLER_AGREED, "e3"))
        .wants()
        .when(CloseOrder())
        .then(closed(Outcome.CANCELLED_UNPAID, Goods.NOT_SHIPPED, NOTHING))
        .wants()
    )


def test_r6_the_cancellation_says_whom_to_mail_about_what() -> None:
    """Whoever sends the email needs to ask nobody."""
    event = PENDING.when(CancelAsAgreed("e3")).decision
    assert isinstance(event, OrderCancelled)
    assert (event.brief.buyer.email, event.brief.item) == ("bea@example.org", "A blue lamp")


def test_r7_a_message_repeats_a_pending_request() -> None:
    """It reaches a seller whom the request did not; the request stays the one that is answered."""
    repeated = CancelRequestRepeated(brief=BRIEF, request_id="e3", message_id="m1")
    assert PENDING.when(MESSAGE).then(repeated).state == PENDING.state


@pytest.mark.parametrize("spec", [UNPAID, DIALOG], ids=["no dialog", "dialog open"])
def test_x4_a_message_alone_asks_for_the_cancellation(spec: OrderSpec) -> None:
    """A message stops the parcel, only a request cancels: so a message of the buyer's is a request by contact."""
    spec.when(MESSAGE).then(requested(text="Please do not send it."))


@pytest.mark.parametrize("spec", [SHIPPED, CANCELLED, CLOSED], ids=["shipped", "cancelled", "closed"])
def test_x4_a_message_too_late_changes_nothing(spec: OrderSpec) -> None:
    spec.when(MESSAGE).then(None)


@pytest.mark.parametrize(
    ("age", "outlook"),
    [
        (timedelta(seconds=30), GLADLY),
        (timedelta(hours=1), GLADLY),
        (timedelta(hours=2), "Sellers send quickly: the sooner you ask, the better. Also write to the seller."),
        (timedelta(days=1), "Sellers send quickly: the sooner you ask, the better. Also write to the seller."),
        (
            timedelta(days=3),
            "This comes late: the parcel may already be on its way, and then the order cannot be cancelled.",
        ),
    ],
)
def test_r27_the_dialog_says_what_to_expect_before_anything_is_sent(age: timedelta, outlook: str) -> None:
    """A change of mind within seconds is granted gladly; a late one is advised against (R8)."""
    opened = CancelDialogOpened(
        reason=CancelReason.BETTER_OFFER, advice=outlook, lapses_at=START + age + timedelta(minutes=15)
    )
    UNPAID.when(OPEN, at=START + age).then(opened)


def test_r27_who_waits_for_the_parcel_learns_that_the_order_also_ends_by_itself() -> None:
    asked = OpenCancelDialog(actor=BUYER, reason=CancelReason.SELLER_TOO_SLOW)
    advice = f"{GLADLY} Without a shipment the order closes by itself, with a full refund of anything you paid."
    UNPAID.when(asked).then(
        CancelDialogOpened(reason=CancelReason.SELLER_TOO_SLOW, advice=advice, lapses_at=after(minutes=15))
    )


def test_r8_after_the_shipping_no_request_can_be_made() -> None:
    """Days later, after shipping, it is too late for the button and for asking."""
    for command in (OPEN, ASK):
        SHIPPED.when(command, at=after(days=4)).then_refused("already_shipped")


# When payment is acknowledged, or the order is shipped


def test_r9_the_button_is_gone_once_the_payment_is_acknowledged() -> None:
    PAID.when(OPEN).then_refused("contact_the_seller")


def test_r9_a_payment_while_the_dialog_is_open_takes_the_button_away() -> None:
    DIALOG.given(acknowledged()).when(CONFIRM).then_refused("contact_the_seller")


@pytest.mark.parametrize(
    ("spec", "paid"), [(UNPAID, False), (DIALOG, False), (PAID, True)], ids=["unpaid", "dialog open", "paid"]
)
def test_r9_the_buyer_may_contact_the_seller(spec: OrderSpec, *, paid: bool) -> None:
    spec.when(ASK).then(requested(text="Please cancel it.", paid=paid))


def test_p12_a_policy_may_keep_the_button_after_the_payment() -> None:
    """Off by default; the seller's consent is needed still."""
    spec = under(Policy(self_service_after_payment=True), paid=True)
    spec.when(OPEN).then(dialog()).when(CONFIRM).then(requested(dialog_id="e2", paid=True))


def test_r10_not_shipped_yet_and_the_seller_agrees_cancelled_and_refunded_in_full() -> None:
    (
        PAID_PENDING.when(CancelAsAgreed("e2"), at=after(hours=1))
        .then(cancelled(CancelGround.SELLER_AGREED, "e2", refund_due_minor=1999))
        .wants()
        .when(IssueRefund(), at=after(hours=1))
        .then(refund_issued(after(days=7, hours=1), at=after(hours=1)))
        .wants(Deadline("RefundDue", "e4", after(days=7, hours=1)))
        .when(ReceiveRefund("e4"), at=after(days=7, hours=1))
        .then(refund_received("e4"))
        .wants()
        .when(CloseOrder())
        .then(closed(Outcome.CANCELLED_REFUNDED, Goods.NOT_SHIPPED, PRICE))
    )


def test_r10_not_shipped_yet_and_the_seller_does_not_agree() -> None:
    """The order goes on, with the limits that it had."""
    (
        PAID_PENDING.when(RefuseRequest("e2", RefusalGround.KEEPS_THE_SALE, "It is packed."))
        .then(refused("e2", text="It is packed."))
        .wants(Deadline("ShipmentDue", "e1", after(days=9)))
    )


@pytest.mark.parametrize("command", [OPEN, ASK], ids=["button", "contact"])
@pytest.mark.parametrize("spec", [SHIPPED, UNPAID.given(noted())], ids=["paid", "unpaid"])
def test_r11_a_shipped_order_cannot_be_cancelled(spec: OrderSpec, command: OrderCommand) -> None:
    spec.when(command).then_refused("already_shipped")


def test_r14_a_buyer_who_is_too_late_is_told_of_the_dispute() -> None:
    assert "open a dispute" in str(SHIPPED.when(ASK).decision)


def test_r12_the_goods_may_arrive_after_the_refund_and_it_shows() -> None:
    """The parcel left against the cancellation and is delivered; the refund stands."""
    (
        PAID.given(cancelled(CancelGround.SILENCE, refund_due_minor=1999), refund_issued(after(days=7)))
        .when(NoteShipment(TRACKING, after(hours=1)))
        .then(ShipmentSuperseded(tracking_number=TRACKING, shipped_at=after(hours=1)))
        .when(NoteDelivery(after(days=5)))
        .then(OrderDelivered(delivered_at=after(days=5), protected_until=None, after_cancellation=True))
        .wants(Deadline("RefundDue", "e3", after(days=7)))
        .given(refund_received("e3"))
        .when(CloseOrder())
        .then(closed(Outcome.CANCELLED_REFUNDED, Goods.DELIVERED, PRICE, against_seller=True))
    )


def test_r12_goods_still_travelling_when_the_order_closes_are_said_to_be() -> None:
    (
        CANCELLED.given(ShipmentSuperseded(tracking_number=TRACKING, shipped_at=START))
        .when(CloseOrder())
        .then(closed(Outcome.CANCELLED_UNPAID, Goods.TRAVELLING))
    )


# When the seller does not accept


def test_r13_a_refused_buyer_may_ask_again() -> None:
    """Several rounds may pass; each is a request of its own."""
    spec = PAID_PENDING.given(refused("e2"))
    second = spec.when(ASK).then(requested(text="Please cancel it.", paid=True))
    second.wants(Deadline("AnswerDue", "e4", after(hours=72)), Deadline("ShipmentDue", "e1", after(days=9)))
    second.when(CancelAsAgreed("e4")).then(cancelled(CancelGround.SELLER_AGREED, "e4", 1999))


def test_r15_cancel_and_ship_race_each_other_and_the_window_is_short() -> None:
    """The parcel left within the hour: the request that was pending came too late."""
    PAID_PENDING.when(NoteShipment(TRACKING, after(hours=1))).then(superseded("e2", after(hours=1)))


@pytest.mark.parametrize("ground", list(RefusalGround))
def test_r16_a_seller_refuses_on_one_of_two_grounds(ground: RefusalGround) -> None:
    PENDING.when(RefuseRequest("e3", ground, "No.")).then(refused("e3", ground, "No."))


# The seller's time to answer


def test_p2_the_seller_has_72_hours_to_answer() -> None:
    """A policy may set another number of hours."""
    PAID.when(ASK).then(requested(text="Please cancel it.", paid=True)).wants(
        Deadline("AnswerDue", "e2", after(hours=72)), Deadline("ShipmentDue", "e1", after(days=9))
    )
    event = under(Policy(seller_answers_within_h=48)).when(ASK).decision
    assert isinstance(event, CancelRequested)
    assert event.answer_by == after(hours=48)


def test_p3_silence_cancels_and_refunds() -> None:
    PAID_PENDING.when(EndSilence("e2"), at=after(hours=72)).then(
        cancelled(CancelGround.SILENCE, "e2", refund_due_minor=1999)
    )
    PENDING.when(EndSilence("e3"), at=after(hours=72)).then(cancelled(CancelGround.SILENCE, "e3"))


def test_p3_silence_may_mean_no() -> None:
    spec = under(Policy(on_silence=OnSilence.REFUSE)).given(requested())
    (
        spec.when(EndSilence("e2"), at=after(hours=72))
        .then(CancelExpired(brief=BRIEF, request_id="e2"))
        .wants(Deadline("PaymentDue", "e1", after(days=20)))
    )


def test_p3_silence_may_mean_waiting() -> None:
    """No reminder is wanted, and one that comes changes nothing."""
    spec = under(Policy(on_silence=OnSilence.WAIT)).given(requested())
    spec.wants(Deadline("PaymentDue", "e1", after(days=20)))
    spec.when(EndSilence("e2"), at=after(hours=720)).then(None)


def test_i8_an_early_reminder_changes_nothing() -> None:
    """A timer is a hint: the decider looks at the time itself."""
    just_before = -timedelta(microseconds=1)
    PENDING.when(EndSilence("e3"), at=after(hours=72) + just_before).then(None)
    UNPAID.when(CloseUnpaid("e1"), at=after(days=20) + just_before).then(None)
    PAID.when(CloseUnshipped("e1"), at=after(days=9) + just_before).then(None)
    arrived = SHIPPED.given(delivered(after(days=4)))
    arrived.when(EndProtection("e3"), at=after(days=19) + just_before).then(None)
    refunding = PAID.given(cancelled(refund_due_minor=1999), refund_issued(after(days=7)))
    refunding.when(ReceiveRefund("e3"), at=after(days=7) + just_before).then(None)


@in_every_phase()
@pytest.mark.parametrize(
    "command",
    [
        EndSilence("e9"),
        CloseUnpaid("e9"),
        CloseUnshipped("e9"),
        EndProtection("e9"),
        ReceiveRefund("e9"),
        CancelWithoutConsent("e9"),
        CancelAsAgreed("e9"),
        RefuseRequest("e9", RefusalGround.KEEPS_THE_SALE, ""),
    ],
    ids=lambda command: type(command).__name__,
)
def test_x12_an_answer_to_what_was_never_asked_changes_nothing(spec: OrderSpec, command: OrderCommand) -> None:
    """Whatever answers names what it answers; a mismatch does nothing."""
    spec.when(command, at=after(days=400)).then(None)


@in_every_phase()
def test_a_request_that_is_not_pending_cannot_be_taken_back(spec: OrderSpec) -> None:
    spec.when(WithdrawCancel(actor=BUYER, request_id="e9")).then_refused("no_such_request")


def test_p13_an_unpaid_order_needs_no_consent_where_the_policy_says_so() -> None:
    """The request cancels at once; a paid order always needs the seller's consent."""
    policy = Policy(consent_for_unpaid=False)
    (
        under(policy)
        .given(dialog())
        .when(CONFIRM)
        .then(requested(dialog_id="e2", consent_required=False))
        .when(CancelWithoutConsent("e3"))
        .then(cancelled(CancelGround.NO_CONSENT_NEEDED, "e3"))
        .when(CloseOrder())
        .then(closed(Outcome.CANCELLED_UNPAID))
    )
    under(policy, paid=True).when(ASK).then(requested(text="Please cancel it.", paid=True))


# Time limits of the order


def test_p4_an_unpaid_order_closes() -> None:
    (
        UNPAID.when(CloseUnpaid("e1"), at=after(days=20))
        .then(cancelled(CancelGround.NEVER_PAID))
        .when(CloseOrder())
        .then(closed(Outcome.UNPAID_EXPIRED))
    )


def test_p4_closing_answers_the_request_that_was_pending() -> None:
    PENDING.when(CloseUnpaid("e1"), at=after(days=20)).then(cancelled(CancelGround.NEVER_PAID, "e3"))
    DIALOG.when(CloseUnpaid("e1"), at=after(days=20)).then(cancelled(CancelGround.NEVER_PAID))


def test_p4_is_over_once_the_order_is_paid() -> None:
    UNPAID.given(acknowledged()).when(CloseUnpaid("e1"), at=after(days=20)).then(None)


def test_p5_an_order_never_shipped_closes_with_a_full_refund() -> None:
    (
        PAID.when(CloseUnshipped("e1"), at=after(days=9))
        .then(cancelled(CancelGround.NEVER_SHIPPED, refund_due_minor=1999))
        .given(refund_issued(after(days=20)), refund_received("e3"))
        .when(CloseOrder())
        .then(closed(Outcome.NEVER_SHIPPED_REFUNDED, refunded=PRICE, against_seller=True))
    )


def test_p5_closing_answers_the_request_that_was_pending() -> None:
    PAID_PENDING.when(CloseUnshipped("e1"), at=after(days=9)).then(cancelled(CancelGround.NEVER_SHIPPED, "e2", 1999))


def test_p5_is_over_once_the_order_is_shipped() -> None:
    SHIPPED.wants().when(CloseUnshipped("e1"), at=after(days=9)).then(None)


def test_p9_an_order_is_completed_when_the_buyers_protection_ends() -> None:
    """15 days after the delivery, unless the policy says otherwise."""
    (
        SHIPPED.when(NoteDelivery(after(days=4)))
        .then(delivered(after(days=4)))
        .wants(Deadline("ProtectionEnds", "e3", after(days=19)))
        .when(EndProtection("e3"), at=after(days=19))
        .then(closed(Outcome.COMPLETED, Goods.DELIVERED))
        .wants()
    )
    shorter = under(Policy(protection_ends_after_days=3), paid=True).given(noted())
    shorter.when(NoteDelivery(START)).then(
        OrderDelivered(delivered_at=START, protected_until=after(days=3), after_cancellation=False)
    )


def test_p9_an_order_that_nobody_paid_is_not_completed() -> None:
    """A seller sent it before the money was there: the order waits for the money first."""
    arrived = UNPAID.given(noted(), delivered(after(days=4)))
    arrived.wants(Deadline("PaymentDue", "e1", after(days=20)))
    arrived.when(EndProtection("e3"), at=after(days=19)).then(None)
    paid = arrived.given(acknowledged(after(days=18), ship_by=None))
    paid.wants(Deadline("ProtectionEnds", "e3", after(days=19)))
    paid.when(EndProtection("e3"), at=after(days=19)).then(closed(Outcome.COMPLETED, Goods.DELIVERED))


@pytest.mark.parametrize("spec", [CANCELLED, CLOSED], ids=["cancelled", "closed"])
@pytest.mark.parametrize(
    "command",
    [CloseUnpaid("e1"), CloseUnshipped("e1"), EndProtection("e1"), EndSilence("e3")],
    ids=lambda command: type(command).__name__,
)
def test_no_time_limit_touches_what_has_ended(spec: OrderSpec, command: OrderCommand) -> None:
    spec.when(command, at=after(days=400)).then(None)


# Refunds


@pytest.mark.parametrize(
    ("method", "arrives_at"),
    [(PaymentMethod.WALLET, START), (PaymentMethod.CARD, after(days=7)), (PaymentMethod.BANK, after(days=10))],
)
def test_r23_a_refund_returns_to_the_method_that_paid(method: PaymentMethod, arrives_at: datetime) -> None:
    """P11: at once to a wallet; 5 business days to this card, 8 to this bank, drawn for this order."""
    spec = order().given(placed(paid=True, method=method), cancelled(refund_due_minor=1999))
    spec.when(IssueRefund()).then(refund_issued(arrives_at, method=method))


def test_p11_the_transit_is_the_policys() -> None:
    transit = RefundTransit(card=Span(low=1, high=1))
    spec = under(Policy(refund_transit_business_days=transit), paid=True)
    spec.given(cancelled(refund_due_minor=1999)).when(IssueRefund()).then(refund_issued(after(days=1)))


def test_p14_business_days_skip_weekends_and_holidays_in_the_markets_zone() -> None:
    """Two business days from Monday, Tuesday being a holiday: Thursday."""
    calendar = BusinessCalendar(holidays=(date(2026, 6, 2),))
    policy = Policy(seller_ships_within_business_days=2, calendar=calendar)
    spec = order(policy)
    placing = place(paid=True, under=terms(policy))
    expected = placed(paid=True, under=terms(policy)).model_copy(update={"ship_by": after(days=3)})
    spec.when(placing).then(expected)


def test_p11_issued_and_received_are_twofacts() -> None:
    """The order does not close while a refund travels."""
    travelling = PAID.given(cancelled(refund_due_minor=1999), refund_issued(after(days=7)))
    travelling.when(CloseOrder()).then(None)
    travelling.given(refund_received("e3")).when(CloseOrder()).then(
        closed(Outcome.CANCELLED_REFUNDED, Goods.NOT_SHIPPED, PRICE)
    )


def test_i3_what_was_paid_is_refunded_once() -> None:
    issued = PAID.given(cancelled(refund_due_minor=1999), refund_issued(after(days=7)))
    issued.when(IssueRefund()).then(None)
    received = issued.given(refund_received("e3"))
    received.when(IssueRefund()).then(None)
    received.when(ReceiveRefund("e3"), at=after(days=8)).then(None)


def test_i3_nothing_is_refunded_where_nothing_was_paid() -> None:
    CANCELLED.when(IssueRefund()).then(None)


@in_every_phase("active", "dialog open", "request pending", "closed")
def test_only_a_cancelled_order_settles(spec: OrderSpec) -> None:
    spec.when(IssueRefund()).then(None)
    spec.when(CloseOrder()).then(None)


def test_an_order_does_not_close_while_it_owes_money() -> None:
    PAID.given(cancelled(refund_due_minor=1999)).when(CloseOrder()).then(None)


# Races


def test_x1_a_parcel_that_left_while_the_request_was_pending_supersedes_it() -> None:
    """The order is shipped now: another request is too late."""
    late = PENDING.when(SHIPMENT).then(superseded("e3"))
    late.wants(Deadline("PaymentDue", "e1", after(days=20)))
    late.when(ASK).then_refused("already_shipped")


@in_every_phase("cancelled", "closed")
def test_x1_a_parcel_that_left_after_the_cancellation_is_reported_and_the_refund_stands(spec: OrderSpec) -> None:
    (
        spec.when(SHIPMENT)
        .then(ShipmentSuperseded(tracking_number=TRACKING, shipped_at=START))
        .wants()
        .when(NoteDelivery(after(days=4)))
        .then(OrderDelivered(delivered_at=after(days=4), protected_until=None, after_cancellation=True))
        .wants()
    )


@in_every_phase("active", "dialog open")
def test_x1_a_parcel_that_leaves_an_order_nobody_cancels_is_noted(spec: OrderSpec) -> None:
    spec.when(SHIPMENT).then(noted())


@pytest.mark.parametrize(
    "spec",
    [UNPAID.given(noted()), DIALOG.given(noted()), PENDING.given(superseded("e3"))],
    ids=["active", "dialog open", "superseded"],
)
def test_x12_a_parcel_leaves_once_and_arrives_once(spec: OrderSpec) -> None:
    spec.when(SHIPMENT).then(None)
    arrived = spec.when(NoteDelivery(after(days=4))).then(delivered(after(days=4)))
    arrived.when(NoteDelivery(after(days=5))).then(None)


@in_every_phase()
def test_x12_a_delivery_that_overtook_its_shipment_waits_for_it(spec: OrderSpec) -> None:
    spec.when(NoteDelivery(START)).then(Premature("Shipped"))


def test_x3_a_payment_while_the_request_is_pending_does_not_end_it() -> None:
    """The request goes on, now as on the contact path: an acceptance refunds."""
    paid = PENDING.when(ACKNOWLEDGE, at=START).then(acknowledged())
    paid.wants(Deadline("AnswerDue", "e3", after(hours=72)), Deadline("ShipmentDue", "e4", after(days=9)))
    paid.when(CancelAsAgreed("e3")).then(cancelled(CancelGround.SELLER_AGREED, "e3", refund_due_minor=1999))


def test_x3_a_payment_after_the_cancellation_is_captured_and_goes_back_in_full() -> None:
    """The order is not revived, and the money is not kept."""
    (
        CANCELLED.when(ACKNOWLEDGE, at=START)
        .then(acknowledged(ship_by=None, late=True))
        .when(CloseOrder())
        .then(None)
        .when(IssueRefund())
        .then(refund_issued(after(days=7)))
        .given(refund_received("e6"))
        .when(CloseOrder())
        .then(closed(Outcome.CANCELLED_REFUNDED, Goods.NOT_SHIPPED, PRICE))
    )


def test_x3_a_payment_after_the_order_closed_goes_back_in_full() -> None:
    """The outcome stays; the money travels back all the same."""
    (
        CLOSED.when(ACKNOWLEDGE)
        .then(acknowledged(ship_by=None, late=True))
        .when(IssueRefund())
        .then(refund_issued(after(days=7)))
        .wants(Deadline("RefundDue", "e7", after(days=7)))
        .when(ReceiveRefund("e7"), at=after(days=7))
        .then(refund_received("e7"))
        .wants()
        .when(CloseOrder())
        .then(None)
    )


def test_x3_a_payment_as_the_unpaid_order_closes_goes_back_too() -> None:
    """It came between the cancellation for want of payment and the end."""
    (
        UNPAID.given(
            cancelled(CancelGround.NEVER_PAID),
            acknowledged(ship_by=None, late=True),
            refund_issued(after(days=7)),
            refund_received("e4"),
        )
        .when(CloseOrder())
        .then(closed(Outcome.CANCELLED_REFUNDED, refunded=PRICE))
    )


def test_x7_a_double_click_makes_one_request() -> None:
    DIALOG.when(CONFIRM).then(requested(dialog_id="e2")).when(CONFIRM).then_refused("request_pending")


def test_x7_an_old_confirmation_does_not_confirm_a_later_dialog() -> None:
    DIALOG.given(dialog()).when(CONFIRM).then_refused("dialog_unknown")
    PENDING.given(refused("e3"), dialog()).when(CONFIRM).then_refused("dialog_unknown")


@pytest.mark.parametrize("command", [OPEN, CONFIRM, ASK], ids=lambda command: type(command).__name__)
def test_x7_one_request_at_a_time_and_none_after_the_end(command: OrderCommand) -> None:
    PENDING.when(command).then_refused("request_pending")
    CANCELLED.when(command).then_refused("already_cancelled")
    CLOSED.when(command).then_refused("order_closed")


@pytest.mark.parametrize(
    "ending",
    [
        refused("e3"),
        CancelExpired(brief=BRIEF, request_id="e3"),
        CancelWithdrawn(brief=BRIEF, request_id="e3"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_x8_an_acceptance_after_the_request_ended_is_superseded(ending: OrderEvent) -> None:
    """Whichever the order records first counts; the seller is told that the parcel may go, also during a new request."""
    event = AcceptanceSuperseded(brief=BRIEF, request_id="e3")
    for later in ((), (dialog(),), (requested(),)):
        spec = PENDING.given(ending, *later)
        assert spec.when(CancelAsAgreed("e3")).then(event).state == spec.state


@pytest.mark.parametrize("ground", [CancelGround.SILENCE, CancelGround.NEVER_PAID])
def test_x8_an_acceptance_after_silence_cancelled_is_what_happened_anyway(ground: CancelGround) -> None:
    PENDING.given(cancelled(ground, "e3")).when(CancelAsAgreed("e3")).then(None)
    PENDING.given(cancelled(ground, "e3"), closed()).when(CancelAsAgreed("e3")).then(None)


def test_x1_an_acceptance_of_a_superseded_request_holds_nothing() -> None:
    """The parcel is past holding."""
    PENDING.given(superseded("e3")).when(CancelAsAgreed("e3")).then(None)


def test_x8_a_refusal_or_a_reminder_after_the_end_is_nothing() -> None:
    ended = PENDING.given(refused("e3"), requested())
    ended.when(RefuseRequest("e3", RefusalGround.KEEPS_THE_SALE, "")).then(None)
    ended.when(EndSilence("e3"), at=after(days=9)).then(None)
    ended.when(CancelWithoutConsent("e3")).then(None)


def test_x10_a_request_is_withdrawn_unless_it_was_answered_first() -> None:
    (
        PENDING.when(WITHDRAW)
        .then(CancelWithdrawn(brief=BRIEF, request_id="e3"))
        .wants(Deadline("PaymentDue", "e1", after(days=20)))
        .when(CancelAsAgreed("e3"))
        .then(AcceptanceSuperseded(brief=BRIEF, request_id="e3"))
    )
    CANCELLED.when(WITHDRAW).then_refused("no_such_request")
    PENDING.given(refused("e3")).when(WITHDRAW).then_refused("no_such_request")


# Rows that no history reaches; the table names them because the types allow them.


def test_a_parcel_delivered_while_a_request_is_pending_starts_the_protection() -> None:
    """Unreachable: a shipment ends the pending request."""
    state = CancelPending(facts(SHIPPED), "r1", None)
    assert decide(NoteDelivery(START), state, START) == delivered(START)
    assert decide(EndProtection("e9"), state, START) is None


def test_the_policy_to_wait_never_ends_a_request() -> None:
    """Unreachable: such a request has no time limit."""
    state = CancelPending(facts(under(Policy(on_silence=OnSilence.WAIT))), "r1", START)
    assert decide(EndSilence("r1"), state, START) is None


def test_money_that_is_not_in_the_ledger_does_not_arrive() -> None:
    """Unreachable: what arrives was issued."""
    issued = facts(PAID.given(cancelled(refund_due_minor=1999), refund_issued(START)))
    unbooked = Cancelled(replace(issued, ledger=Ledger(1999)), CancelGround.SILENCE)
    assert decide(ReceiveRefund("e3"), unbooked, START) is None


def test_a_delivery_without_a_shipment_leaves_no_parcel() -> None:
    """Unreachable: the decider waits for the shipment."""
    assert facts(UNPAID.given(delivered(START))).parcel is None
