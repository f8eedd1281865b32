"""Where an order stands, as one line for its buyer: a word, a shape, a sentence. Pure."""

from dataclasses import dataclass
from typing import Final

from countermand.contracts.order import Goods, Outcome
from services.web.pages.wording import GROUNDS, OUTCOMES, REFUSALS, RESOLUTIONS
from services.web.readmodel.view import Answer, DisputePart, DisputePhase, OrderPart, Phase, Request, View

_TONES: Final = {
    Outcome.COMPLETED: "good",
    Outcome.COMPLETED_PARTIAL_REFUND: "good",
    Outcome.DISPUTE_DENIED: "bad",
    Outcome.UNPAID_EXPIRED: "ended",
}


@dataclass(frozen=True, slots=True)
class State:
    """`tone` is one of waiting, moving, good, bad and ended: each has a colour and a shape."""

    tone: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop on an order's way. `kind`: did, off or nothing yet."""

    name: str
    kind: str = ""


def state_of(view: View) -> State:
    """What the buyer sees first."""
    order = view.order
    if order is None:
        return State("waiting", "Being placed", "The order has been sent and is not recorded yet.")
    match order.phase:
        case Phase.CLOSED:
            return _closed(order)
        case Phase.CANCELLED:
            back = "What you paid is on its way back." if order.paid else ""
            return State("good", "Cancelled", f"{_ground(order)} {back}".strip())
        case Phase.RESOLVED:
            return State("good", "Dispute decided", "Your money is on its way back.")
        case Phase.DISPUTED:
            return _disputed(view)
        case Phase.CANCEL_PENDING:
            return _pending(view)
        case Phase.ACTIVE | Phase.DIALOG_OPEN:
            return _going(view, order)


def way_of(view: View) -> tuple[Stop, ...]:
    """The stops of an order on its way; one that is cancelled ends early."""
    order = view.order
    if order is None:
        return ()
    shipped = order.shipped_at is not None or view.seller.shipped_at is not None
    arrived = order.delivered_at is not None
    stops = [Stop("Ordered", "did"), Stop("Paid", "did" if order.paid else "")]
    if order.cancelled_at is not None:
        stops = [stop for stop in stops if stop.kind]
        stops.append(Stop("Cancelled", "off"))
        if shipped:
            stops.append(Stop("Sent all the same", "did"))
            stops.append(Stop("Arrived", "did" if arrived else ""))
        elif order.paid:
            stops.append(Stop("Refunded", "did" if order.closed_at else ""))
        return tuple(stops)
    stops += [Stop("Sent", "did" if shipped else ""), Stop("Arrived", "did" if arrived else "")]
    if view.dispute is not None and view.dispute.decided:
        stops.append(Stop("Dispute decided", "did"))
    elif view.dispute is not None and order.phase is Phase.DISPUTED:
        stops.append(Stop("In dispute", "off"))
    return tuple(stops)


def _ground(order: OrderPart) -> str:
    return GROUNDS[order.cancel_ground] if order.cancel_ground else ""


def _closed(order: OrderPart) -> State:
    if order.outcome is None:
        return State("ended", "Closed", "")
    texts = {
        Outcome.CANCELLED_UNPAID: f"{_ground(order)} Nothing was paid, so nothing has to come back.",
        Outcome.CANCELLED_REFUNDED: f"{_ground(order)} Your money has come back.",
        Outcome.UNPAID_EXPIRED: "It was never paid within the time for it.",
        Outcome.NEVER_SHIPPED_REFUNDED: "The seller never sent it within the time for it; your money has come back.",
        Outcome.COMPLETED: "The parcel arrived and buyer protection has ended.",
        Outcome.COMPLETED_PARTIAL_REFUND: "You kept the goods, and the seller gave a part of the money back.",
    }
    text = texts.get(order.outcome, "")
    if order.goods is Goods.TRAVELLING:
        text += " The goods may still arrive: a refund does not stop a parcel."
    return State(_TONES.get(order.outcome, "good"), OUTCOMES[order.outcome], text.strip())


def _disputed(view: View) -> State:
    dispute = view.dispute
    texts = {
        DisputePhase.OPENED: "The seller has been asked to answer your claim. If nothing comes, it is granted.",
        DisputePhase.NEGOTIATING: "You and the seller may agree; else the platform decides.",
        DisputePhase.AGREED: "You and the seller agreed.",
        DisputePhase.ESCALATED: "The platform decides.",
        DisputePhase.RESOLVED: "The dispute has ended.",
    }
    return State("waiting", "In dispute", texts[dispute.phase] if dispute else "")


def _pending(view: View) -> State:
    read = "The seller has read it." if view.seller.heard else "It has been sent to the seller."
    return State("waiting", "Cancellation requested", f"{read} Nothing is cancelled until the seller agrees.")


def _going(view: View, order: OrderPart) -> State:
    if order.delivered_at is not None:
        return State("good", "Delivered", "If something is wrong with it, you can still open a dispute.")
    if order.shipped_at is not None:
        late = order.request is not None and order.request.answer is Answer.SUPERSEDED
        lead = "The parcel left before the seller had answered your request. " if late else ""
        return State("moving", "On its way", f"{lead}It can no longer be cancelled.")
    if order.refused is not None and order.request is not None:
        return _refused(view, order, order.request)
    if order.paid:
        return State("moving", "Paid", "The seller is to send it.")
    return State("waiting", "Waiting for payment", "The order is placed; nothing has been paid yet.")


def _refused(view: View, order: OrderPart, request: Request) -> State:
    if request.answer is Answer.EXPIRED:
        return State("bad", "Request expired", "The seller stayed silent, and here that means no. You can ask again.")
    said = REFUSALS[request.ground] if request.ground else "The seller said no"
    if view.seller.proof:
        proof = f"It shows the tracking number {view.seller.proof}."
        return State("bad", "Request refused", f"{said}. {proof} Only a carrier's scan proves a shipment.")
    if view.seller.unavailable:
        return State("bad", "Request refused", f"{said}. It cannot show a tracking number: you may open a dispute.")
    if order.tracking_asked_at is not None:
        return State("waiting", "Tracking number asked for", f"{said}. Without a number you may open a dispute.")
    return State("bad", "Request refused", f"{said}. Ask again, or ask for the tracking number.")


def dispute_state(dispute: DisputePart) -> State:
    """Where a dispute stands, for everybody."""
    if dispute.ruling is not None:
        won = dispute.ruling.refund.amount_minor > 0
        text = f"{RESOLUTIONS[dispute.ruling.by]}: {dispute.ruling.refund} of {dispute.claim}."
        return State("good" if won else "ended", "Decided", text)
    texts = {
        DisputePhase.OPENED: State("waiting", "Waiting for the seller", "Silence grants the claim."),
        DisputePhase.NEGOTIATING: State("moving", "Negotiating", "The two may agree; else the platform decides."),
        DisputePhase.AGREED: State("moving", "Agreed", "The two sides agreed."),
        DisputePhase.ESCALATED: State("waiting", "With the platform", "The platform decides."),
        DisputePhase.RESOLVED: State("ended", "Ended", "It has ended."),
    }
    return texts[dispute.phase]
