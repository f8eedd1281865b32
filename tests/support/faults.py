"""Histories in which exactly one thing is wrong, by the invariant that it breaks: they prove that the audit sees it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from countermand.contracts.base import Actor, Role
from countermand.contracts.notify import EmailSent
from countermand.contracts.order import (
    CancelDialogOpened,
    CancelGround,
    CancelReason,
    CancelRejectedNotBuyer,
    OrderCancelled,
    Outcome,
    PaymentMethod,
    RefundCause,
    RefundIssued,
    TrackingAsked,
)
from countermand.kernel.policy import PromisedEmail
from tests.support.endings import cancelled_refunded, cancelled_unpaid, completed, delivered, unpaid_expired
from tests.support.histories import PRICE, History

# I1


def two_outcomes() -> History:
    """Closed as one thing, then as another."""
    h = cancelled_unpaid("two_outcomes")
    h.close(h.ask("AcknowledgePayment"), Outcome.COMPLETED)
    return h


def the_wrong_outcome() -> History:
    """Cancelled, and called completed."""
    h = History("the_wrong_outcome", paid=False)
    h.place()
    request = h.request()
    h.close(h.cancel(h.accept(request), request), Outcome.UNPAID_EXPIRED)
    return h.mail()


def open_after_its_deadline() -> History:
    """Unpaid for longer than anybody may be."""
    h = History("open_after_its_deadline", paid=False)
    h.place()
    return h


def a_lost_shipping_limit() -> History:
    """Paid, and the limit P5 has passed."""
    h = History("a_lost_shipping_limit")
    h.place()
    return h


def a_lost_refund() -> History:
    """Cancelled; nobody sent the money back."""
    h = History("a_lost_refund")
    h.place()
    request = h.request()
    h.cancel(h.accept(request), request)
    return h.mail()


def a_refund_that_never_arrives() -> History:
    """Issued to a card, and the timer is lost."""
    h = History("a_refund_that_never_arrives", method=PaymentMethod.CARD)
    h.place()
    request = h.request()
    h.refund(h.cancel(h.accept(request), request))
    return h.mail()


def a_lost_hand_over() -> History:
    """Planned for three days later, and the timer is lost; the shipping limit is still to come."""
    h = History("a_lost_hand_over", started_ago=timedelta(seconds=4))
    h.plan(h.place())
    return h


# I2


def shipped_after_acceptance() -> History:
    """The seller said yes and sent it all the same."""
    h = History("shipped_after_acceptance")
    h.place()
    request = h.request()
    accepted = h.accept(request)
    shipped = h.ship()
    h.scan(shipped)
    refund = h.refund(h.cancel(accepted, request))
    h.show_shipment(shipped)
    h.deliver(h.hand_over(f"{shipped}:ScanDue:Scan"), after_cancellation=True)
    h.close(h.receive(refund), Outcome.CANCELLED_REFUNDED)
    return h.mail()


def a_hidden_parcel() -> History:
    """It left after the end, and the order does not show it."""
    h = History("a_hidden_parcel")
    placed = h.place()
    cancelled = h.wait(days=12).cancel(f"{placed}:ShipmentDue", None, CancelGround.NEVER_SHIPPED)
    h.close(h.receive(h.refund(cancelled)), Outcome.NEVER_SHIPPED_REFUNDED)
    h.hand_over(h.scan(h.ship()))
    return h.mail()


def goods_in_the_wrong_place() -> History:
    """Closed as not shipped, though the parcel travels."""
    h, arrived = delivered("goods_in_the_wrong_place")
    h.goods = type(h.goods).TRAVELLING
    h.wait(days=15).close(f"{arrived}:ProtectionEnds", Outcome.COMPLETED)
    return h


# I3


def a_second_refund() -> History:
    """The same money twice."""
    h = cancelled_refunded("a_second_refund", PaymentMethod.WALLET)
    again = h.refund(h.ask("RefundCustomer"), PRICE)
    h.receive(again)
    h.email(again, PromisedEmail.REFUND_ISSUED)
    return h


def a_short_refund() -> History:
    """Cancelled, and only a part comes back."""
    h = History("a_short_refund")
    h.place()
    request = h.request()
    h.close(h.receive(h.refund(h.cancel(h.accept(request), request), 1_000)), Outcome.CANCELLED_REFUNDED)
    return h.mail()


def part_and_all_above_what_was_paid() -> History:
    """A part conceded, then all of it ruled, and paid in full (X11)."""
    h, _ = delivered("part_and_all")
    offer = h.offer_part(1_000)
    h.note_offer(offer)
    h.receive(h.refund(h.accept_part(offer), 1_000, RefundCause.PARTIAL_REFUND))
    dispute = h.dispute()
    h.note_dispute(dispute)
    ruling = h.resolve(dispute, h.escalate(dispute, h.contest(dispute)), PRICE - 1_000)
    h.close(h.receive(h.refund(ruling, PRICE, RefundCause.DISPUTE)), Outcome.DISPUTE_REFUNDED)
    return h.mail()


def a_refund_of_nothing() -> History:
    """Money back on an order that nobody paid."""
    h = cancelled_unpaid("a_refund_of_nothing")
    refund = h.refund(next(i for i, e in h.events.items() if isinstance(e, OrderCancelled)), 500)
    h.receive(refund)
    h.email(refund, PromisedEmail.REFUND_ISSUED)
    return h


def closed_with_the_wrong_sum() -> History:
    """The end says less than the ledger."""
    h = History("closed_with_the_wrong_sum")
    h.place()
    request = h.request()
    refund = h.refund(h.cancel(h.accept(request), request))
    h.close(h.receive(refund), Outcome.CANCELLED_REFUNDED, refunded=1)
    return h.mail()


def a_part_that_was_not_offered() -> History:
    """The buyer takes more than the seller conceded."""
    h, arrived = delivered("a_part_that_was_not_offered")
    offer = h.offer_part(500)
    h.note_offer(offer)
    h.receive(h.refund(h.accept_part(offer, 900), 900, RefundCause.PARTIAL_REFUND))
    h.wait(days=15).close(f"{arrived}:ProtectionEnds", Outcome.COMPLETED_PARTIAL_REFUND)
    return h.mail()


def a_refund_received_twice() -> History:
    """One refund, two arrivals."""
    h = cancelled_refunded("a_refund_received_twice", PaymentMethod.WALLET)
    refund = next(i for i, e in h.events.items() if isinstance(e, RefundIssued))
    h.tell(h.events[f"{refund}:ReceiveRefund"], refund, "ReceiveItAgain")
    return h


def a_refund_to_another_purse() -> History:
    """Paid by card, refunded to the wallet (R23)."""
    h = History("a_refund_to_another_purse", method=PaymentMethod.CARD)
    h.place()
    request = h.request()
    cancelled = h.cancel(h.accept(request), request)
    issued = h.unwrite(h.refund(cancelled))
    refund = h.tell(issued.model_copy(update={"method": PaymentMethod.WALLET}), cancelled, "IssueRefund")
    h.close(h.receive(refund), Outcome.CANCELLED_REFUNDED)
    return h.mail()


def a_ruling_that_was_not_paid() -> History:
    """The platform gave it all, and the order closed with nothing."""
    h, _ = delivered("a_ruling_that_was_not_paid")
    dispute = h.dispute()
    h.note_dispute(dispute)
    ruling = h.resolve(dispute, h.escalate(dispute, h.contest(dispute)), PRICE)
    h.close(ruling, Outcome.DISPUTE_PARTIAL)
    return h.mail()


# I4


def a_lost_email() -> History:
    """Cancelled, and the buyer was not told."""
    h = History("a_lost_email", paid=False)
    h.place()
    request = h.request()
    h.close(h.cancel(h.accept(request), request), Outcome.CANCELLED_UNPAID)
    return h


def an_email_without_a_fact() -> History:
    """The buyer was told of a refund that never was."""
    h = cancelled_unpaid("an_email_without_a_fact")
    placed = next(iter(h.events))
    body = EmailSent(
        kind=PromisedEmail.REFUND_ISSUED,
        fact_id="no:such:fact",
        to="r@shop.example",
        subject="News",
        message_id="<x@x>",
    )
    h.tell(body, placed, "SendEmail")
    return h


def an_email_that_was_not_promised() -> History:
    """The policy keeps quiet about orders placed."""
    h = cancelled_unpaid("an_email_that_was_not_promised")
    h.email(next(iter(h.events)), PromisedEmail.ORDER_PLACED)
    return h


# I5


def a_request_answered_twice() -> History:
    """Withdrawn, and refused after that."""
    h = History("a_request_answered_twice", paid=False)
    placed = h.place()
    request = h.request()
    h.withdraw(request)
    h.refuse(request, h.decline(request))
    h.close(h.wait(days=20).cancel(f"{placed}:PaymentDue", None, CancelGround.NEVER_PAID), Outcome.UNPAID_EXPIRED)
    return h.mail()


def a_request_never_answered() -> History:
    """The order is cancelled for another reason, and the request is forgotten."""
    h = History("a_request_never_answered", paid=False)
    placed = h.place()
    h.request()
    h.close(h.wait(days=20).cancel(f"{placed}:PaymentDue", None, CancelGround.NEVER_PAID), Outcome.UNPAID_EXPIRED)
    return h.mail()


def an_answer_to_nothing() -> History:
    """A request expires that nobody made."""
    h = History("an_answer_to_nothing", paid=False)
    placed = h.place()
    h.refuse("no:such:request", h.decline("no:such:request"))
    h.close(h.wait(days=20).cancel(f"{placed}:PaymentDue", None, CancelGround.NEVER_PAID), Outcome.UNPAID_EXPIRED)
    return h.mail()


# I6


def an_illegal_step() -> History:
    """A second dialog while a request is pending (X7)."""
    h = History("an_illegal_step", paid=False)
    h.place()
    request = h.request(h.dialog())
    h.dialog()
    h.close(h.cancel(h.accept(request), request), Outcome.CANCELLED_UNPAID)
    return h.mail()


def a_missing_revision() -> History:
    """One event is not there."""
    h = History("a_missing_revision", paid=False)
    placed = h.place()
    h.tell(_dialog(h), h.ask("OpenCancelDialog"), revision=3)
    h.close(h.wait(days=20).cancel(f"{placed}:PaymentDue", None, CancelGround.NEVER_PAID), Outcome.UNPAID_EXPIRED)
    return h.mail()


def a_revision_twice() -> History:
    """Two writers, both second."""
    h = History("a_revision_twice", paid=False)
    placed = h.place()
    h.tell(_dialog(h), h.ask("OpenCancelDialog"), revision=2)
    h.tell(_dialog(h), h.ask("OpenCancelDialog"), revision=2)
    h.close(h.wait(days=20).cancel(f"{placed}:PaymentDue", None, CancelGround.NEVER_PAID), Outcome.UNPAID_EXPIRED)
    return h.mail()


def an_unknown_event() -> History:
    """Nobody has agreed on such an event."""
    h = completed("an_unknown_event")
    h.tell(h.events[next(iter(h.events))], h.ask("Surprise"), name="OrderFrozen")
    return h


def an_unreadable_event() -> History:
    """The right name, the wrong body."""
    h = completed("an_unreadable_event")
    h.tell(_dialog(h), h.ask("RefundCustomer"), name="ResellerRefundedCustomer")
    return h


def a_beginning_that_is_missing() -> History:
    """The first event was not placed."""
    h = History("a_beginning_that_is_missing", paid=False)
    h.tell(_dialog(h), h.ask("OpenCancelDialog"))
    return h


def a_seller_of_two_minds() -> History:
    """Yes, and then no, to one request."""
    h = History("a_seller_of_two_minds", paid=False)
    h.place()
    request = h.request()
    cancelled = h.cancel(h.accept(request), request)
    h.decline(request)
    h.close(cancelled, Outcome.CANCELLED_UNPAID)
    return h.mail()


def an_offer_that_fell() -> History:
    """The buyer takes an offer that was replaced (X9)."""
    h, _ = delivered("an_offer_that_fell")
    dispute = h.dispute()
    h.note_dispute(dispute)
    first = h.propose(dispute, 2_000)
    h.propose(dispute, 1_000)
    h.propose(dispute, 4_000, Role.BUYER)
    ruling = h.resolve(dispute, h.settle(dispute, first), 2_000)
    h.close(h.receive(h.refund(ruling, 2_000, RefundCause.DISPUTE)), Outcome.DISPUTE_PARTIAL)
    return h.mail()


def a_dialog_that_is_not_shown() -> History:
    """An old dialog is confirmed."""
    h = History("a_dialog_that_is_not_shown", paid=False)
    h.place()
    old = h.dialog()
    h.dialog()
    request = h.request(old)
    h.close(h.cancel(h.accept(request), request), Outcome.CANCELLED_UNPAID)
    return h.mail()


def proof_asked_after_the_end() -> History:
    """The order has ended; nothing can be asked of it."""
    h = completed("proof_asked_after_the_end")
    asked = TrackingAsked(seller=h.brief.seller, request_id="r", asked_at=h.now, provide_by=h.now + timedelta(days=5))
    h.tell(asked, h.ask("AskForTracking"))
    return h


# I7


def a_missing_cause() -> History:
    """Nobody asked for it."""
    return _with("a_missing_cause", lambda h: h.reject(cause="nobody"))


def no_cause() -> History:
    """It does not say why."""
    return _with("no_cause", lambda h: h.tell(_stranger(h), h.ask("OpenCancelDialog"), causationid=""))


def no_correlation() -> History:
    """It does not say what it belongs to."""
    return _with("no_correlation", lambda h: h.tell(_stranger(h), h.ask("OpenCancelDialog"), correlationid=""))


def an_id_of_its_own() -> History:
    """A redelivery of its cause could not be recognised."""
    return _with("an_id_of_its_own", lambda h: h.tell(_stranger(h), h.ask("OpenCancelDialog"), event_id="4f9c-random"))


def a_cycle() -> History:
    """Each is the cause of the other."""

    def write(h: History) -> str:
        h.email(h.tell(_stranger(h), "b:x", event_id="a:x"), PromisedEmail.NOT_THE_BUYER)
        return h.tell(_stranger(h), "a:x", event_id="b:x")

    return _with("a_cycle", write)


def a_timer_that_nobody_armed() -> History:
    """A cancelled order has no limit to pay."""
    h = cancelled_unpaid("a_timer_that_nobody_armed")
    cancelled = next(i for i, e in h.events.items() if isinstance(e, OrderCancelled))
    rejected = h.reject(cause=f"{cancelled}:PaymentDue")
    h.email(rejected, PromisedEmail.NOT_THE_BUYER)
    return h


# I8


def an_early_timer() -> History:
    """Closed as unpaid a day too early."""
    h = History("an_early_timer", paid=False)
    placed = h.place()
    h.close(h.wait(days=19).cancel(f"{placed}:PaymentDue", None, CancelGround.NEVER_PAID), Outcome.UNPAID_EXPIRED)
    return h.mail()


# I10


def one_message_decided_twice() -> History:
    """A redelivered command was not recognised."""

    def write(h: History) -> str:
        asked = h.ask("OpenCancelDialog")
        h.tell(_stranger(h), asked)
        return h.tell(_stranger(h), asked)

    return _with("one_message_decided_twice", write)


def another_draw() -> History:
    """A refund to a card that arrives when no draw of this order says so (P11)."""
    h = History("another_draw", method=PaymentMethod.CARD)
    h.place()
    request = h.request()
    cancelled = h.cancel(h.accept(request), request)
    honest = h.unwrite(h.refund(cancelled))
    assert isinstance(honest, RefundIssued)
    slower = honest.model_copy(update={"arrives_at": honest.arrives_at + timedelta(days=1)})
    h.close(h.receive(h.tell(slower, cancelled, "IssueRefund")), Outcome.CANCELLED_REFUNDED)
    return h.mail()


FAULTS: Final[dict[str, tuple[Callable[[], History], ...]]] = {
    "I1": (
        two_outcomes,
        the_wrong_outcome,
        open_after_its_deadline,
        a_lost_shipping_limit,
        a_lost_refund,
        a_refund_that_never_arrives,
        a_lost_hand_over,
    ),
    "I2": (shipped_after_acceptance, a_hidden_parcel, goods_in_the_wrong_place),
    "I3": (
        a_second_refund,
        a_short_refund,
        part_and_all_above_what_was_paid,
        a_refund_of_nothing,
        closed_with_the_wrong_sum,
        a_part_that_was_not_offered,
        a_refund_received_twice,
        a_refund_to_another_purse,
        a_ruling_that_was_not_paid,
    ),
    "I4": (a_lost_email, an_email_without_a_fact, an_email_that_was_not_promised),
    "I5": (a_request_answered_twice, a_request_never_answered, an_answer_to_nothing),
    "I6": (
        an_illegal_step,
        a_missing_revision,
        a_revision_twice,
        an_unknown_event,
        an_unreadable_event,
        a_beginning_that_is_missing,
        a_seller_of_two_minds,
        an_offer_that_fell,
        a_dialog_that_is_not_shown,
        proof_asked_after_the_end,
    ),
    "I7": (a_missing_cause, no_cause, no_correlation, an_id_of_its_own, a_cycle, a_timer_that_nobody_armed),
    "I8": (an_early_timer,),
    "I10": (one_message_decided_twice, another_draw),
}
"""All of them, by the invariant that they break, and break alone."""


def _dialog(h: History) -> CancelDialogOpened:
    return CancelDialogOpened(reason=CancelReason.BETTER_OFFER, advice="", lapses_at=h.now + timedelta(days=1_000))


def _stranger(h: History) -> CancelRejectedNotBuyer:
    somebody = Actor(role=Role.BUYER, id="somebody-else")
    return CancelRejectedNotBuyer(brief=h.brief, claimed_by=somebody, attempted="OpenCancelDialog")


def _with(name: str, write: Callable[[History], str]) -> History:
    """An order that expires unpaid, with one event more, of which the buyer is told."""
    h = unpaid_expired(name)
    h.email(write(h), PromisedEmail.NOT_THE_BUYER)
    return h
