"""An order as a card: for its buyer, or for its seller. Pure: what the templates show, ready to be shown."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote

from countermand.contracts.base import Role, SellerRecord
from countermand.kernel.money import Money
from services.web.pages.sheets import AT_ONCE
from services.web.pages.state import State, Stop, dispute_state, state_of, way_of
from services.web.pages.wording import (
    ACTIONS,
    CLAIMS,
    METHODS,
    NO_BUTTON,
    REASONS,
    REFUND_CAUSES,
    UNTIL,
)
from services.web.readmodel.allowed import Action
from services.web.readmodel.answers import OrderDetail
from services.web.readmodel.view import OrderPart, View
from services.web.readmodel.waits import Due, Todo, Waits

_MAIN: Final = frozenset({Action.ACCEPT, Action.TAKE_PART, Action.SETTLE, Action.RECEIVE, Action.SEND_RETURN})
_MAIN_OF: Final = {Todo.SHIP: Action.SHIP, Todo.TRACKING: Action.SHOW_TRACKING, Todo.DISPUTE: Action.ANSWER_DISPUTE}
"""What stands out: what ends a wait."""

_STOP: Final = frozenset({Action.CANCEL, Action.REFUSE})
_BUYERS_ORDER: Final = (
    Action.CANCEL,
    Action.WITHDRAW,
    Action.ASK_SELLER,
    Action.SETTLE,
    Action.SEND_RETURN,
    Action.TAKE_PART,
    Action.RECEIVE,
    Action.PAY,
    Action.ASK_TRACKING,
    Action.DISPUTE,
    Action.PROPOSE,
    Action.MESSAGE,
    Action.REFUND_CUSTOMER,
)
"""The buyer's buttons from left to right. `CONFIRM` is in the dialog."""

_OVER: Final = frozenset({Waits.NOTHING, Waits.REFUND})
"""Nobody writes to the seller, or pays, while the order waits for no more than this."""


@dataclass(frozen=True, slots=True)
class Button:
    """An action that is offered. `at_once`: it asks nothing; `offer_id`: what it accepts."""

    key: Action
    label: str
    target: str
    tone: str
    at_once: bool
    offer_id: str


@dataclass(frozen=True, slots=True)
class Card:
    """One order for one side."""

    view: View
    state: State
    due: Due | None
    until_what: str
    actions: tuple[Button, ...]
    back: str
    way: tuple[Stop, ...] = ()
    no_button: str = ""
    record: SellerRecord | None = None
    error: str = ""
    paid: str = ""
    method: str = ""
    parcel: str = ""
    arrives: datetime | None = None
    dispute: str = ""

    causes = REFUND_CAUSES
    methods = METHODS
    reasons = REASONS
    claims = CLAIMS

    @property
    def says(self) -> str:
        """What a screen reader hears when the card changes."""
        item = self.view.order.brief.item if self.view.order else ""
        return f"{item[:80]}: {self.state.title}. {self.state.text}"


def buyers_card(detail: OrderDetail, error: str = "") -> Card:
    """What the buyer sees."""
    view, order = detail.view, detail.view.placed
    back = f"/?buyer={quote(order.brief.buyer.id, safe='')}#o-{view.order_id}"
    parcel, arrives = _parcel(view, order)
    offered = _offered(detail)
    return Card(
        view=view,
        state=state_of(view),
        due=None if detail.waits is Waits.REFUND else Due(detail.waits, detail.due),  # It stands beside the money.
        until_what=UNTIL[detail.waits],
        actions=buttons(view, (one for one in _BUYERS_ORDER if one in offered), Role.BUYER),
        back=back,
        way=way_of(view),
        no_button=NO_BUTTON.get(detail.no_button or "", ""),
        record=detail.record,
        error=error,
        paid=str(Money(amount_minor=order.captured_minor, currency=order.brief.price.currency)),
        method=METHODS[order.payment_method],
        parcel=parcel,
        arrives=arrives,
        dispute=f"{view.dispute.claim} claimed: {dispute_state(view.dispute).title.lower()}" if view.dispute else "",
    )


def sellers_card(detail: OrderDetail) -> Card:
    """What the seller sees."""
    view, order = detail.view, detail.view.placed
    back = f"/seller?seller={quote(order.brief.seller.id, safe='')}#d-{view.order_id}"
    what = _TODO.get(detail.todo)
    state = what or replace(state_of(view), text="")
    return Card(
        view=view,
        state=state,
        due=Due(detail.waits, detail.due),
        until_what=UNTIL[detail.waits],
        actions=buttons(view, detail.seller_may, Role.SELLER, _MAIN_OF.get(detail.todo)),
        back=back,
    )


def buttons(view: View, actions: Iterable[Action], side: Role, main: Action | None = None) -> tuple[Button, ...]:
    """The buttons of one side, in this order; `main` stands out."""
    return tuple(
        Button(
            key=action,
            label=ACTIONS[action],
            target=f"/orders/{view.order_id}/{side}/{action}",
            tone="main" if action in _MAIN or action is main else "stop" if action in _STOP else "",
            at_once=action in AT_ONCE,
            offer_id=view.order.offer.id if action is Action.TAKE_PART and view.order and view.order.offer else "",
        )
        for action in actions
    )


def _offered(detail: OrderDetail) -> set[Action]:
    """What is worth a button: who may press Cancel need not ask by letter, and nobody writes about what is over."""
    offered = set(detail.buyer_may)
    if Action.CANCEL in offered:
        offered.discard(Action.ASK_SELLER)
    if detail.waits in _OVER:
        offered -= {Action.MESSAGE, Action.PAY}
    return offered


def _parcel(view: View, order: OrderPart) -> tuple[str, datetime | None]:
    seller = view.seller
    number = seller.tracking_number or order.tracking_number
    if order.delivered_at or seller.delivered_at:
        return f"{number}, arrived", None
    if number:
        after = "; the order is cancelled, but the goods may still arrive," if order.cancelled_at else ","
        scanned = "scanned by the carrier" if seller.first_scan_at else "not scanned yet"
        return f"{number}, {scanned}{after} expected", seller.arrives_at
    if order.cancelled_at:
        return "stays with the seller", None
    if seller.proof:
        return f"the seller shows {seller.proof}; no carrier has scanned it", None
    return "", None


_TODO: Final = {
    Todo.DISPUTE: State("bad", "Dispute", "The buyer claims money back. Answer in time: silence grants the claim."),
    Todo.ANSWER: State("waiting", "Answer a request", "The buyer wants to cancel. Agree, or refuse with a ground."),
    Todo.TRACKING: State("waiting", "Give a number", "The buyer tests your word: show the tracking number in time."),
    Todo.SHIP: State(
        "moving", "Send it", "It is paid. If it is not sent in time, the order closes with a full refund."
    ),
}
