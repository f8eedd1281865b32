"""The form of each action: what is asked, and what to expect before it is sent (R27). Pure."""

from collections.abc import Callable
from typing import Final

from countermand.contracts.base import Role
from countermand.contracts.dispute import Stance
from countermand.kernel.money import Money
from services.web.pages.forms import Amount, Area, Check, Choice, Form, Hidden, Line, Option, typed_amount
from services.web.pages.wording import CLAIMS, REASONS
from services.web.readmodel.allowed import Action, may_answer
from services.web.readmodel.view import OrderPart, View

AT_ONCE: Final = frozenset({Action.PAY, Action.RECEIVE, Action.ASK_TRACKING, Action.TAKE_PART})
"""Actions that a button does without asking anything."""

_REASON: Final = Choice("reason", "Why?", tuple(Option(value, label) for value, label in REASONS.items()))


def sheet_of(action: Action, view: View, side: Role) -> Form | None:
    """What to ask for an action; nothing while the order is not in a state to ask it."""
    if view.order is None:
        return None
    sheet = _SHEETS.get(action)
    return sheet(view, view.order, side) if sheet else None


def _cancel(_view: View, order: OrderPart, _side: Role) -> Form:
    return Form(
        title="Cancel this order?",
        intro=f"“{order.brief.item}” from {order.brief.seller.id}. Nothing is sent yet: first you see what to expect.",
        fields=(_REASON,),
        submit="Continue",
        keep="Keep the order",
    )


def _confirm(_view: View, order: OrderPart, _side: Role) -> Form | None:
    dialog = order.dialog
    if dialog is None:
        return None
    return Form(
        title="What to expect",
        intro=f"Your reason: “{REASONS[dialog.reason]}”.",
        advice=dialog.advice,
        fields=(Hidden("dialog_id", dialog.id),),
        submit="Confirm: ask the seller to cancel",
        keep="Keep the order",
        note="Nothing has been sent to the seller yet. If you do not confirm, nothing changes.",
        stop=True,
        lapses_at=order.terms.clock.real(dialog.lapses_at).isoformat(),
    )


def _withdraw(_view: View, order: OrderPart, _side: Role) -> Form | None:
    if order.request is None:
        return None
    return Form(
        title="Take the request back?",
        intro="The order goes on as if you had never asked. If the seller has agreed already, the agreement stands.",
        fields=(Hidden("request_id", order.request.id),),
        submit="Take it back",
        keep="Leave it",
    )


def _ask_seller(_view: View, order: OrderPart, _side: Role) -> Form:
    paid = (
        "the seller may agree, and you get everything back, or not." if order.paid else "the seller may agree or not."
    )
    return Form(
        title="Ask the seller to cancel",
        intro=f"This goes to {order.brief.seller.id} directly: {paid}",
        fields=(_REASON, Area("text", "Your words", hint="Be clear about why; it helps.")),
        submit="Ask the seller",
        stop=True,
    )


def _message(_view: View, order: OrderPart, _side: Role) -> Form:
    return Form(
        title=f"Write to {order.brief.seller.id}",
        intro="A message reaches sellers whom a request did not. It stops a parcel that has not left yet.",
        fields=(_REASON, Area("text", "Message", required=True, value="Please do not send this order.")),
        submit="Send the message",
        note="" if order.request else "If no request is pending, the message counts as one.",
    )


def _refund_customer(_view: View, order: OrderPart, _side: Role) -> Form:
    name = order.customer.name if order.customer else "your customer"
    return Form(
        title=f"Refund {name}?",
        intro=f"You give {order.brief.price} back at your own cost. The goods may still arrive.",
        submit="Refund the customer",
        stop=True,
    )


def _dispute(view: View, order: OrderPart, _side: Role) -> Form:
    owed = Money(amount_minor=max(0, order.captured_minor - order.refunded_minor), currency=order.brief.price.currency)
    arrived = order.delivered_at is not None or view.seller.delivered_at is not None
    grounds = ("not_as_described", "dissatisfied") if arrived else ("not_sent", "not_received")
    hint = "You may claim a part." if arrived else "Before the parcel arrives only the whole amount can be claimed."
    return Form(
        title="Open a dispute",
        intro="The seller is asked to answer. If you two do not agree, the platform decides on what each side can show.",
        fields=(
            Choice("ground", "What is wrong?", tuple(Option(one, CLAIMS[one]) for one in grounds), value=grounds[0]),
            Amount("amount", "You claim", owed.currency, typed_amount(owed), hint),
            Area("text", "What happened"),
            Area(
                "evidence",
                "Evidence",
                hint="What you can show: a photograph, a message, a tracking page.",
                length_max=500,
            ),
        ),
        submit="Open the dispute",
        stop=True,
    )


def _propose(view: View, order: OrderPart, side: Role) -> Form | None:
    if view.dispute is None:
        return None
    claim = view.dispute.claim
    give_back = (Check("with_return", "The goods come back to me first"),) if side is Role.SELLER else ()
    return Form(
        title="Offer a settlement",
        intro=f"The claim is {claim}. Your offer stands until you make another one, or the dispute ends.",
        fields=(
            Hidden("dispute_id", view.dispute.id),
            Amount("amount", "The buyer gets", order.brief.price.currency, typed_amount(claim)),
            Area("text", "Your words"),
            *give_back,
        ),
        submit="Make the offer",
    )


def _settle(view: View, _order: OrderPart, side: Role) -> Form | None:
    other = Role.SELLER if side is Role.BUYER else Role.BUYER
    offer = view.dispute.offer_of(other) if view.dispute else None
    if offer is None:
        return None
    back = " The goods go back first." if offer.remedy.with_return else ""
    return Form(
        title="Accept the offer?",
        intro=f"The {other} offers that the buyer gets {offer.remedy.amount}.{back} This ends the dispute.",
        fields=(Hidden("offer_id", offer.id),),
        submit=f"Accept {offer.remedy.amount}",
    )


def _send_return(view: View, _order: OrderPart, _side: Role) -> Form | None:
    if view.dispute is None:
        return None
    return Form(
        title="Have you sent the goods back?",
        intro="Once they are on their way, the money that was agreed is sent to you.",
        fields=(Hidden("dispute_id", view.dispute.id),),
        submit="Yes, they are sent",
    )


def _accept(view: View, order: OrderPart, _side: Role) -> Form | None:
    money = " The buyer gets everything back." if order.paid else ""
    return _answering(
        view,
        Form(
            title="Agree to cancel?",
            intro=f"The order ends and its parcel never leaves.{money}",
            submit="Agree to cancel",
        ),
    )


def _refuse(view: View, _order: OrderPart, _side: Role) -> Form | None:
    grounds = (
        Option("already_shipped", "The parcel has already been sent"),
        Option("keeps_the_sale", "I want to keep the sale"),
    )
    return _answering(
        view,
        Form(
            title="Refuse the request",
            intro="The buyer can test a shipment by asking for its tracking number, and may open a dispute.",
            fields=(Choice("ground", "Why?", grounds, value="keeps_the_sale"), Area("text", "Your words to the buyer")),
            submit="Refuse",
            stop=True,
        ),
    )


def _answering(view: View, form: Form) -> Form | None:
    if view.seller.heard is None:
        return None
    return Form(
        title=form.title,
        intro=form.intro,
        fields=(Hidden("request_id", view.seller.heard), *form.fields),
        submit=form.submit,
        stop=form.stop,
    )


def _ship(view: View, _order: OrderPart, _side: Role) -> Form:
    waits = "A request to cancel is waiting: once the parcel leaves, it comes too late." if view.seller.heard else ""
    return Form(
        title="Hand the parcel over",
        intro="A parcel that has left cannot be called back.",
        advice=waits,
        fields=(Line("tracking_number", "Tracking number", hint="Leave it empty to get one.", required=False),),
        submit="Hand it to the carrier",
    )


def _show_tracking(_view: View, _order: OrderPart, _side: Role) -> Form:
    return Form(
        title="Give the tracking number",
        intro="The buyer asked for proof that the parcel has left. A number that no carrier scans proves nothing.",
        fields=(Line("tracking_number", "Tracking number"),),
        submit="Give the number",
    )


def _offer_part(_view: View, order: OrderPart, _side: Role) -> Form:
    price = order.brief.price
    part = Money(amount_minor=price.amount_minor * 3 // 10, currency=price.currency)
    return Form(
        title="Offer a partial refund",
        intro=f"The buyer keeps the goods and gets a part of {price} back, if the buyer accepts.",
        fields=(Amount("amount", "Amount", price.currency, typed_amount(part)), Area("text", "Your words")),
        submit="Make the offer",
    )


def _answer_dispute(view: View, _order: OrderPart, _side: Role) -> Form | None:
    dispute = view.dispute
    if dispute is None:
        return None
    stances = [
        Option(Stance.CONTESTS, "Contest the claim", "The two of you may then agree; else the platform decides."),
        Option(Stance.CONCEDES, f"Concede the claim: the buyer gets {dispute.claim}"),
    ]
    offered = tuple(one for one in stances if may_answer(dispute, Stance(one.value)))
    return Form(
        title="Answer the dispute",
        intro=f"The buyer claims {dispute.claim}: {CLAIMS[dispute.ground].lower()}.",
        fields=(
            Hidden("dispute_id", dispute.id),
            Choice("stance", "Your answer", offered, value=offered[0].value if offered else ""),
            Area("text", "Your words"),
            Area("evidence", "Evidence", hint="What you can show.", length_max=500),
        ),
        submit="Answer",
    )


_SHEETS: Final[dict[Action, Callable[[View, OrderPart, Role], Form | None]]] = {
    Action.CANCEL: _cancel,
    Action.CONFIRM: _confirm,
    Action.WITHDRAW: _withdraw,
    Action.ASK_SELLER: _ask_seller,
    Action.MESSAGE: _message,
    Action.REFUND_CUSTOMER: _refund_customer,
    Action.DISPUTE: _dispute,
    Action.PROPOSE: _propose,
    Action.SETTLE: _settle,
    Action.SEND_RETURN: _send_return,
    Action.ACCEPT: _accept,
    Action.REFUSE: _refuse,
    Action.SHIP: _ship,
    Action.SHOW_TRACKING: _show_tracking,
    Action.OFFER_PART: _offer_part,
    Action.ANSWER_DISPUTE: _answer_dispute,
}
