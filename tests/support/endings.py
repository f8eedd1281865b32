"""An honest history of every outcome, and of the turns that an order may take on the way."""

from collections.abc import Callable
from typing import Final

from countermand.contracts.base import Contact
from countermand.contracts.dispute import Resolution
from countermand.contracts.order import CancelGround, Outcome, PaymentMethod, RefundCause
from countermand.kernel.policy import PromisedEmail
from tests.support.histories import PRICE, History


def cancelled_unpaid(name: str = "cancelled_unpaid") -> History:
    """The button, the dialog, and a seller who agrees."""
    h = History(name, paid=False)
    h.place()
    request = h.request(h.dialog())
    h.hear(request)
    cancelled = h.cancel(h.accept(request), request)
    h.close(cancelled, Outcome.CANCELLED_UNPAID)
    return h.mail()


def cancelled_refunded(name: str = "cancelled_refunded", method: PaymentMethod = PaymentMethod.CARD) -> History:
    """Paid, asked, agreed, refunded."""
    h = History(name, method=method)
    h.plan(h.place())
    request = h.request()
    refund = h.refund(h.cancel(h.accept(request), request))
    h.close(h.receive(refund), Outcome.CANCELLED_REFUNDED)
    return h.mail()


def late_payment() -> History:
    """Cancelled and closed; then the money comes, and goes back (X3)."""
    h = cancelled_unpaid("late_payment")
    refund = h.refund(h.pay(late=True))
    h.receive(refund)
    h.email(refund, PromisedEmail.REFUND_ISSUED)
    return h


def unpaid_expired(name: str = "unpaid_expired") -> History:
    """Nobody pays."""
    h = History(name, paid=False)
    placed = h.place()
    cancelled = h.wait(days=20).cancel(f"{placed}:PaymentDue", None, CancelGround.NEVER_PAID)
    h.close(cancelled, Outcome.UNPAID_EXPIRED)
    return h.mail()


def never_shipped() -> History:
    """Paid, and nothing is sent."""
    h = History("never_shipped")
    placed = h.place()
    cancelled = h.wait(days=12).cancel(f"{placed}:ShipmentDue", None, CancelGround.NEVER_SHIPPED)
    h.close(h.receive(h.refund(cancelled)), Outcome.NEVER_SHIPPED_REFUNDED)
    return h.mail()


def delivered(name: str) -> tuple[History, str]:
    """Paid, shipped, arrived: and the delivery's id."""
    h = History(name)
    shipped = h.ship(h.plan(h.place()))
    h.note_shipment(shipped)
    arrived = h.deliver(h.hand_over(h.scan(shipped)))
    return h, arrived


def completed(name: str = "completed") -> History:
    """All went well."""
    h, arrived = delivered(name)
    h.wait(days=15).close(f"{arrived}:ProtectionEnds", Outcome.COMPLETED)
    return h.mail()


def refused_withdrawn_and_completed() -> History:
    """Asked twice, in vain: refused, taken back; a stranger tried too."""
    h = History("refused", paid=False)
    h.place()
    h.pay()
    first = h.request()
    h.refuse(first, h.decline(first))
    second = h.request()
    h.withdraw(second)
    h.reject()
    shipped = h.ship()
    h.note_shipment(shipped)
    arrived = h.deliver(h.hand_over(h.scan(shipped)))
    h.wait(days=15).close(f"{arrived}:ProtectionEnds", Outcome.COMPLETED)
    return h.mail()


def superseded_and_completed() -> History:
    """The parcel was faster (X1)."""
    h = History("superseded")
    h.place()
    request = h.request()
    shipped = h.ship()
    h.supersede(request, shipped)
    arrived = h.deliver(h.hand_over(h.scan(shipped)))
    h.wait(days=15).close(f"{arrived}:ProtectionEnds", Outcome.COMPLETED)
    return h.mail()


def completed_partial_refund() -> History:
    """A part conceded (R21)."""
    h, arrived = delivered("completed_partial_refund")
    offer = h.offer_part(1_000)
    h.note_offer(offer)
    h.receive(h.refund(h.accept_part(offer), 1_000, RefundCause.PARTIAL_REFUND))
    h.wait(days=15).close(f"{arrived}:ProtectionEnds", Outcome.COMPLETED_PARTIAL_REFUND)
    return h.mail()


def dispute_refunded() -> History:
    """A part conceded, then all of it ruled: the remainder (X11)."""
    h, _ = delivered("dispute_refunded")
    offer = h.offer_part(1_000)
    h.note_offer(offer)
    h.receive(h.refund(h.accept_part(offer), 1_000, RefundCause.PARTIAL_REFUND))
    dispute = h.dispute()
    h.note_dispute(dispute)
    talk = h.contest(dispute)
    ruling = h.resolve(dispute, h.escalate(dispute, talk), PRICE - 1_000)
    h.close(h.receive(h.refund(ruling, why=RefundCause.DISPUTE)), Outcome.DISPUTE_REFUNDED)
    return h.mail()


def dispute_partial() -> History:
    """An offer accepted."""
    h, _ = delivered("dispute_partial")
    dispute = h.dispute()
    h.note_dispute(dispute)
    accepted = h.settle(dispute, h.propose(dispute, 2_000))
    ruling = h.resolve(dispute, accepted, 2_000, Resolution.AGREEMENT)
    h.close(h.receive(h.refund(ruling, 2_000, RefundCause.DISPUTE)), Outcome.DISPUTE_PARTIAL)
    return h.mail()


def dispute_denied() -> History:
    """A claim on perfect goods."""
    h, _ = delivered("dispute_denied")
    dispute = h.dispute()
    h.note_dispute(dispute)
    talk = h.contest(dispute)
    ruling = h.resolve(dispute, h.escalate(dispute, talk), 0)
    h.close(ruling, Outcome.DISPUTE_DENIED)
    return h.mail()


def moot_dispute() -> History:
    """The shipping limit passes during a dispute."""
    h = History("moot")
    placed = h.place()
    request = h.request()
    h.refuse(request, h.decline(request))
    dispute = h.dispute()
    h.note_dispute(dispute)
    cancelled = h.wait(days=12).cancel(f"{placed}:ShipmentDue", None, CancelGround.NEVER_SHIPPED, dispute)
    h.resolve(dispute, cancelled, 0, Resolution.MOOT)
    h.close(h.receive(h.refund(cancelled)), Outcome.NEVER_SHIPPED_REFUNDED)
    return h.mail()


def goods_after_the_refund(name: str = "goods_after_the_refund") -> History:
    """Silence cancels; the warehouse ships all the same, and the goods arrive after the refund (R12)."""
    h = History(name)
    h.place()
    request = h.request()
    cancelled = h.wait(hours=72).cancel(f"{request}:AnswerDue", request, CancelGround.SILENCE)
    h.close(h.receive(h.refund(cancelled)), Outcome.CANCELLED_REFUNDED)
    h.mail()
    shipped = h.ship()
    h.show_shipment(shipped)
    h.deliver(h.hand_over(h.scan(shipped)), after_cancellation=True)
    return h


def resellers() -> History:
    """A reseller pays its customer; its own money."""
    customer = Contact(id="c", name="A Customer", email="c@shop.example")
    h = History("resellers", customer=customer)
    shipped = h.ship(h.plan(h.place()))
    h.note_shipment(shipped)
    h.refund_customer(5_990)
    arrived = h.deliver(h.hand_over(h.scan(shipped)))
    h.wait(days=15).close(f"{arrived}:ProtectionEnds", Outcome.COMPLETED)
    return h.mail()


def accepted_too_late() -> History:
    """Withdrawn first, accepted then: the parcel may go (X10)."""
    h = History("accepted_too_late")
    h.place()
    request = h.request()
    h.hear(request)
    accepted_by = h.ask("AcceptCancel", "seller")
    h.withdraw(request)
    accepted = h.accept(request, cause=accepted_by)
    h.release(request, h.supersede_acceptance(request, accepted))
    shipped = h.ship()
    h.note_shipment(shipped)
    arrived = h.deliver(h.hand_over(h.scan(shipped)))
    h.wait(days=15).close(f"{arrived}:ProtectionEnds", Outcome.COMPLETED)
    return h.mail()


ENDINGS: Final[tuple[Callable[[], History], ...]] = (
    cancelled_unpaid,
    cancelled_refunded,
    late_payment,
    unpaid_expired,
    never_shipped,
    completed,
    refused_withdrawn_and_completed,
    superseded_and_completed,
    completed_partial_refund,
    dispute_refunded,
    dispute_partial,
    dispute_denied,
    moot_dispute,
    goods_after_the_refund,
    resellers,
    accepted_too_late,
)
"""All of them."""
